/* base/letters.h -- ASCII letters and digits, the same in every locale: in a Turkish one tolower('I') is no i, and in
 * an 8-bit one isalpha takes more than ASCII. File endings, names of parts and numbers are ASCII. */
#ifndef BASE_LETTERS_H
#define BASE_LETTERS_H

#include <stdbool.h>

static inline char letter_small(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static inline bool letter_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Whether `text` begins with `start`, and whether it is `other`: in any case of ASCII letters. */
static inline bool letters_begin(const char *text, const char *start)
{
    while (*start && letter_small(*text) == letter_small(*start)) {
        text++;
        start++;
    }
    return *start == '\0';
}

static inline bool letters_equal(const char *text, const char *other)
{
    while (*other && letter_small(*text) == letter_small(*other)) {
        text++;
        other++;
    }
    return *text == *other;
}

#endif
