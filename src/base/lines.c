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

void lines_add(struct text *list, const char *name, bool marked)
{
    const size_t count = strlen(name);
    if (!marked)
        text_add_bytes(list, name, count);
    else if (count > 0 && name[count - 1] == ' ') { /* the last of the blanks holds those before it */
        escape_add(list, name, count - 1);
        text_add_bytes(list, "\\x20", 4);
    } else {
        escape_add(list, name, count);
    }
    text_add_bytes(list, "\n", 1);
}
