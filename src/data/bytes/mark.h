/* data/bytes/mark.h -- the byte order mark that editors of Windows put before a text in UTF-8: no part of it. */
#ifndef DATA_MARK_H
#define DATA_MARK_H

#include <stddef.h>
#include <string.h>

/* Bytes of the mark that a text begins with: 3 or 0. */
static inline size_t bytes_of_mark(const void *text, size_t count)
{
    return count >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
}

#endif
