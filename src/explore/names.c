/* explore/names.c -- see names.h. */
#include "explore/names.h"

#include "base/file.h"
#include "base/lines.h"

static const char *name_at(const struct collection *collection, const int64_t *rows, int64_t i)
{
    return collection_name(collection, rows ? rows[i] : i);
}

int names_write(const char *path, const struct collection *collection, const int64_t *rows, int64_t count,
                struct error *error)
{
    struct text list = {0};
    bool marked = false;
    for (int64_t i = 0; i < count && !marked; i++) marked = lines_need_mark(name_at(collection, rows, i));
    if (marked) text_add(&list, "%s\n", LINES_MARK);
    for (int64_t i = 0; i < count; i++) lines_add(&list, name_at(collection, rows, i), marked);
    const int status = list.failed ? error_no_memory(error, "a list of names", list.capacity)
                                   : file_write_atomic(path, list.bytes, list.length, error);
    text_free(&list);
    return status;
}
