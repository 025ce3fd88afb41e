/* base/format.h -- printf for what the library says and writes: in the C locale, and fit for its place. */
#ifndef BASE_FORMAT_H
#define BASE_FORMAT_H

#include <stdarg.h>
#include <stddef.h>

/* vsnprintf with the C locale's numbers, whatever locale the host program has set. */
int format_plain(char *out, size_t capacity, const char *format, va_list arguments);

/* snprintf likewise. */
int format_write(char *out, size_t capacity, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* A sentence: format_plain, but where it does not fit, the longest texts among its arguments are cut in the middle,
 * with a mark that says how long they are ("abc...[4032 bytes]...xyz"), so that the sentence stays whole. %.80s cuts
 * so too, after 80 bytes. */
void format_sentence(char *out, size_t capacity, const char *format, va_list arguments);

/* A time for people: "8.2 s", "12 min 5 s", "2 h 17 min", "3 days 4 h"; "" for what is none. */
void format_duration(char *out, size_t capacity, double seconds);

void format_line(char *out, size_t capacity, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* For output of more than one line: what %s names is escaped (base/escape.h), each by itself, and its width and
 * precision hold before that. Returns the bytes that it takes, as vsnprintf does. */
size_t format_escaped(char *out, size_t capacity, const char *format, va_list arguments);

#endif
