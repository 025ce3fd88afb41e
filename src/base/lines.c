/* base/lines.c -- see lines.h. */
#include "base/lines.h"

#include <string.h>

#include "base/escape.h"

size_t lines_byte_order_length(const void *text, size_t count)
{
    return count >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
}

size_t lines_mark_length(const char *text, size_t count)
{
    size_t length = sizeof LINES_MARK - 1;
    if (count < length || memcmp(text, LINES_MARK, length) != 0) return 0;
    if (length < count && text[length] == '\r') length++; /* an editor on Windows was there */
    if (length == count) return length;
    return text[length] == '\n' ? length + 1 : 0;
}

bool lines_need_mark(const char *name)
{
    const size_t count = strlen(name);
    if (count == 0 || name[count - 1] == ' ') return true;
    return escape_is_needed(name, count) || strncmp(name, LINES_MARK, sizeof LINES_MARK - 1) == 0;
}

int lines_open(struct lines *lines, char *text, size_t count, const char *path, struct error *error)
{
    const size_t order = lines_byte_order_length(text, count), mark = lines_mark_length(text + order, count - order);
    *lines = (struct lines){.rest = text + order + mark, .number = mark > 0, .escaped = mark > 0};
    if (!memchr(text, '\0', count)) return SIMCLR_OK;
    return error_set(error, SIMCLR_DATA, "%s: has a NUL byte: give a text with a name in each line", path);
}

/* Up to the tab, without what editors leave at the end. */
static size_t field_length(const char *line)
{
    size_t length = strcspn(line, "\t");
    while (length > 0 && (line[length - 1] == '\r' || line[length - 1] == ' ')) length--;
    return length;
}

/* What begins at `from`, up to the tab; NULL: it is empty. *after: behind the tab, or NULL. */
static int take_field(const struct lines *lines, const char *path, char *from, char **after, const char **out,
                      struct error *error)
{
    size_t length = field_length(from);
    *after = strchr(from, '\t');
    if (*after) *(*after)++ = '\0';
    *out = NULL;
    if (length == 0) return SIMCLR_OK;
    if (lines->escaped) length = escape_undo(from, length);
    if (length == (size_t)-1 || memchr(from, '\0', length))
        return error_set(error, SIMCLR_DATA, "%s:%ld: " ESCAPE_ADVICE, path, lines->number);
    from[length] = '\0';
    *out = from;
    return SIMCLR_OK;
}

int lines_next(struct lines *lines, const char *path, const char **name, struct error *error)
{
    *name = NULL;
    while (lines->rest && !*name) {
        lines->number++;
        const int status = take_field(lines, path, strsep(&lines->rest, "\n"), &lines->after, name, error);
        if (status) return status;
    }
    return SIMCLR_OK;
}

int lines_field(struct lines *lines, const char *path, const char **field, struct error *error)
{
    *field = NULL;
    while (lines->after && !*field) {
        const int status = take_field(lines, path, lines->after, &lines->after, field, error);
        if (status) return status;
    }
    return SIMCLR_OK;
}

void lines_add(struct text *list, const char *name, bool marked)
{
    size_t count = strlen(name);
    const bool mark = marked && strncmp(name, LINES_MARK, sizeof LINES_MARK - 1) == 0;
    const bool blank = marked && count > 0 && name[count - 1] == ' ';
    if (mark) { /* the first name of a list is not taken for its mark */
        text_add(list, "\\x%02x", (unsigned)LINES_MARK[0]);
        name++;
        count--;
    }
    if (marked)
        escape_add(list, name, count - blank);
    else
        text_add_bytes(list, name, count);
    text_add(list, blank ? "\\x20\n" : "\n"); /* the last of the blanks holds those before it */
}

void lines_say_escaped(const struct log *log, const char *path)
{
    log_info(log,
             "%s: some names of images or classes hold line ends or other characters that a line cannot show, so all "
             "are escaped; to use it as a list of images, put \"" LINES_MARK "\" before its first line",
             path);
}
