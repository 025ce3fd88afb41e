/* explore/names.c -- see names.h. */
#include "explore/names.h"

#include <inttypes.h>

#include "base/escape.h"
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

void names_say_escaped(const struct collection *collection, const char *path)
{
    int64_t escaped = 0;
    for (int64_t i = 0; i < collection_count(collection); i++)
        escaped += escape_holds_bytes(collection_name(collection, i));
    if (escaped > 0)
        log_info(&collection->session->log,
                 "%s: %" PRId64 " names hold bytes that are no UTF-8; they are written as \\xHH, and other backslashes "
                 "of these names are doubled",
                 path, escaped);
}
