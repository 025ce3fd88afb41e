/* base/escape.h -- names as they may be shown and kept: on one line, with nothing that a terminal obeys. */
#ifndef BASE_ESCAPE_H
#define BASE_ESCAPE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"

/* File names, class names, tensor names and values are any bytes. Where one goes out, these are escaped:
 *
 * - control characters (C0, DEL, C1), line ends among them;
 * - characters that are not seen and that change how others are shown: marks of direction, separators of lines, and
 *   others of no width, but for the joiners that scripts and emoji need;
 * - bytes that are not well-formed UTF-8;
 * - the backslash itself.
 *
 * Escapes are \n \t \r \\ and \xHH, one for a byte. The result is well-formed UTF-8 on one line, and escape_undo gives
 * the text back: two different texts stay two. Escaping twice is not the same as once, so it is done where text leaves
 * the library (log_line, simclr_error, session_print) or is written to a list, and nowhere else. */

/* Bytes of the well-formed UTF-8 sequence at `at` (1 to 4), of which at most `count` bytes may be read; 0: there is
 * none (RFC 3629). */
size_t escape_utf8_length(const unsigned char *at, size_t count);

/* The code point of such a sequence. */
unsigned long escape_code_point(const unsigned char *at, size_t length);

/* Bytes of the character at `at` that may go out as it is (a backslash too); 0: it is to be escaped, byte by byte. */
size_t escape_plain_length(const unsigned char *at, size_t count);

/* Is there anything to escape but backslashes? A text without is its own escaped form, up to those. */
bool escape_is_needed(const char *text, size_t count);

/* Has it bytes that are no UTF-8, or does it read as if it had (\x)? */
bool escape_holds_bytes(const char *text);
/* Appends it as well-formed UTF-8 with everything else as it is, line ends too: bytes that are none become \xHH. In a
 * text for which escape_holds_bytes, other backslashes are doubled, so that two texts stay two. */
void escape_add_bytes(struct text *out, const char *text);

/* Appends the escaped form. */
void escape_add(struct text *out, const char *text, size_t count);

/* The same into a buffer, ended by NUL: cut between characters and escapes where it does not fit. Returns the bytes
 * that it takes in all. */
size_t escape_write(char *out, size_t capacity, const char *text, size_t count);

/* What is wrong with a text that escape_undo refuses. */
#define ESCAPE_ADVICE "a backslash begins no escape: write two for one, or drop the first line of the list"

/* Gives back what was escaped, in place. Returns the bytes that are left, or (size_t)-1 where a backslash begins no
 * escape. The result may hold any byte, NUL too. */
size_t escape_undo(char *text, size_t count);

#endif
