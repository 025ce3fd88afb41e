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

static bool are_odd(const struct collection *collection, const int64_t *rows, int64_t count)
{
    bool odd = false;
    for (int64_t i = 0; i < count && !odd; i++) odd = lines_need_mark(name_at(collection, rows, i));
    return odd;
}

/* head: what stands before the names. */
static int write_list(const char *path, const char *head, const struct collection *collection, const int64_t *rows,
                      int64_t count, bool escaped, struct error *error)
{
    struct text list = {0};
    text_add(&list, "%s", head);
    for (int64_t i = 0; i < count; i++) lines_add(&list, name_at(collection, rows, i), escaped);
    const int status = list.failed ? error_no_memory(error, "a list of names", list.capacity)
                                   : file_write_atomic(path, list.bytes, list.length, error);
    text_free(&list);
    return status;
}

int names_write(const char *path, const struct collection *collection, const int64_t *rows, int64_t count,
                struct error *error)
{
    const bool odd = are_odd(collection, rows, count);
    return write_list(path, odd ? LINES_MARK "\n" : "", collection, rows, count, odd, error);
}

int names_write_rows(const char *path, const struct collection *collection, bool *escaped, struct error *error)
{
    const int64_t count = collection_count(collection);
    *escaped = are_odd(collection, NULL, count);
    return write_list(path, "", collection, NULL, count, *escaped, error);
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
