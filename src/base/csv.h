/* base/csv.h -- fields of comma-separated values (RFC 4180) that hold any name. */
#ifndef BASE_CSV_H
#define BASE_CSV_H

#include <stdbool.h>

#include "base/text.h"

/* Appends a field, without the comma behind it. It stands in quotes, which are doubled inside, where it holds a comma,
 * a quote, a line end, or a blank at either end; tabs and line ends then stay what they are. Bytes that are no UTF-8,
 * and other characters that must not go out as they are (base/escape.h), become \xHH, one for a byte; in a field that
 * has some, or that reads as if it had, other backslashes are doubled, so that two names stay two. */
void csv_add(struct text *out, const char *field);
/* Whether it has such bytes or characters, or reads as if it had. */
bool csv_escapes(const char *field);

#endif
