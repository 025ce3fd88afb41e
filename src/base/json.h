/* base/json.h -- reading JSON (RFC 8259). Our own, because jansson 2.14 writes beyond a block when memory runs out
 * while it reads, and can take a shorter text for the whole. */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum json_kind { JSON_NULL, JSON_BOOLEAN, JSON_INTEGER, JSON_REAL, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

/* Texts are UTF-8 and end with a NUL, their only one. */
struct json_value {
    enum json_kind kind;
    const char *name;   /* of a member of an object; NULL otherwise */
    const char *string; /* of a JSON_STRING; NULL otherwise */
    int64_t integer;    /* of a JSON_INTEGER (no fraction, no exponent, within the type), 0 or 1 of a JSON_BOOLEAN */
    double number;      /* of a JSON_INTEGER or a JSON_REAL, finite */
    size_t count;       /* of elements or members */
    size_t span;        /* of values: this one with all that it holds */
    size_t at;          /* where it begins, in bytes of the text */
};

/* A whole text: each value is followed by what it holds. values[0] holds all others. */
struct json {
    struct json_value *values;
    char *letters; /* names and strings */
};

struct json_problem {
    const char *what; /* is wrong */
    size_t at;        /* bytes of the text before it */
    char name[81];    /* of what comes twice, cut; else empty */
};

/* Reads the text, which may go afterwards, into *out: freed by json_free. `distinct`: no object may have a name twice.
 * SIMCLR_CORRUPT, without a sentence: *problem (NULL: not wanted) has its parts; values that are nested more than 128
 * deep are among these. SIMCLR_NO_MEMORY, without a sentence. *out is empty after either. */
int json_read(struct json *out, const char *text, size_t length, bool distinct, struct json_problem *problem);
void json_free(struct json *json);

/* The first element or member where `count` is not 0; the one after `value` where there is one. */
static inline const struct json_value *json_first(const struct json_value *list)
{
    return list + 1;
}

static inline const struct json_value *json_next(const struct json_value *value)
{
    return value + value->span;
}

/* Whether there is a value (NULL: none) of this kind. */
bool json_is(const struct json_value *value, enum json_kind kind);
/* A JSON_INTEGER or a JSON_REAL. */
bool json_is_number(const struct json_value *value);
/* The last member of that name; NULL: there is none, or no object. */
const struct json_value *json_member(const struct json_value *object, const char *name);
/* NULL: there is none, or no array. */
const struct json_value *json_element(const struct json_value *array, size_t index);

#endif
