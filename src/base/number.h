/* base/number.h -- numbers as text, the same in every locale (a program that embeds the library may have set one
 * whose decimal sign is a comma). */
#ifndef CONFIG_NUMBER_H
#define CONFIG_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

enum { NUMBER_TEXT = 32 };

/* strtod in the C locale: the number that `text` begins with, and where it ends (`end` may be NULL). */
double number_read(const char *text, char **end);

/* The whole of `text` as a finite decimal number ("0.3", "1e-4"); false when it is not one. */
bool number_parse(const char *text, double *out);
bool number_parse_integer(const char *text, int64_t *out);
/* A size in bytes: a number and K, M, G or T (powers of 1024; "KB" and "KiB" too); false when it is not one. */
bool number_parse_bytes(const char *text, int64_t *out);

/* A time in seconds: numbers with units, the larger ones first, each once: "90s", "30m", "1h30m", "1.5h", "2d"; "0" is
 * none. False when it is no such text. */
bool number_parse_duration(const char *text, double *out);

/* A text that reads back equal, of 15 digits where they suffice; `value` is finite. */
void number_format(double value, char out[NUMBER_TEXT]);
/* The shortest that reads back equal, whole numbers below 1e15 in full ("10", not "1e+01"); `value` is finite. */
void number_format_shortest(double value, char out[NUMBER_TEXT]);
/* The shortest text by which whoever reads it gets `value` back, as a float or as a double that becomes one; finite.
 * Fast: a table of features has millions. "-0.015625", "1e-07", "3". */
void number_format_float(float value, char out[NUMBER_TEXT]);
/* With the largest suffix that leaves a whole number: 8589934592 is "8G". */
void number_format_bytes(int64_t value, char out[NUMBER_TEXT]);
/* "1h30m"; seconds that are no whole number, or too many for that, as "0.25s". */
void number_format_duration(double seconds, char out[NUMBER_TEXT]);

#endif
