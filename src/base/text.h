/* base/text.h -- a growing string, and JSON written into it. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Start from {0}; release with text_free. An allocation failure sets `failed` and later calls do nothing. */
struct text {
    char *bytes;
    size_t length, capacity;
    bool failed;
};

void text_add(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_add_bytes(struct text *text, const char *bytes, size_t count);
/* A word of a shell command: in quotes where it is not plain. */
void text_add_shell(struct text *text, const char *word);
void text_free(struct text *text);

/* JSON: a small streaming writer; commas are placed by itself. Non-finite numbers become null. */
void text_json_open_object(struct text *text, const char *key); /* key NULL at top level or in an array */
void text_json_close_object(struct text *text);
void text_json_open_array(struct text *text, const char *key);
void text_json_close_array(struct text *text);
/* Any text: what may not go out as it is (base/escape.h) is written \n, \t or \u. A byte that is no UTF-8 has no such
 * form and becomes the four characters \xHH; in a text that has such bytes, or that reads as if it had, other
 * backslashes are doubled, so that two texts stay two. Keys are written so too. */
void text_json_string(struct text *text, const char *key, const char *value);
/* A text in UTF-8 of our own, which is read back as it was. */
void text_json_exact(struct text *text, const char *key, const char *value);
void text_json_number(struct text *text, const char *key, double value); /* shortest that reads back equal */
void text_json_integer(struct text *text, const char *key, int64_t value);
void text_json_hash(struct text *text, const char *key, uint64_t hash); /* a string of 16 hexadecimal digits */
void text_json_boolean(struct text *text, const char *key, bool value);

#endif
