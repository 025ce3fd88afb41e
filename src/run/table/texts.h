/* run/table/texts.h -- names and labels in the forms that files have them in, as one text per row. */
#ifndef RUN_TABLE_TEXTS_H
#define RUN_TABLE_TEXTS_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/npy.h"
#include "base/text.h"

enum texts_form {
    TEXTS_NONE,
    TEXTS_LINES, /* a text file: one a line, LF or CRLF, the last one with or without its end */
    TEXTS_ENDED, /* each ended by NUL: a U8 tensor of safetensors */
    TEXTS_ITEMS, /* of one width each: an array of NumPy, type U, S, i or u */
    TEXTS_INT64  /* little-endian: an I64 tensor of safetensors */
};

/* A value: the bytes are borrowed. */
struct texts {
    enum texts_form form;
    const uint8_t *bytes;
    size_t count;           /* of bytes */
    size_t at;              /* of the next text */
    struct npy_array array; /* of TEXTS_ITEMS */
    bool escaped;           /* TEXTS_LINES: set by who knows it, and where the first line was "#simclr-list 1" */
};

/* Ready for its first text. A byte order mark at the beginning of lines is passed over. Where they
 * are `escaped`, or their first line is `#simclr-list 1`, lines have the escapes \n \t \r \\ \xHH. SIMCLR_DATA for a
 * type that is neither text nor whole numbers. `name` is for sentences. */
int texts_open(struct texts *texts, const char *name, struct error *error);

/* How many there are. */
int64_t texts_count(const struct texts *texts);

/* The next one replaces what `out` holds. UTF-32 becomes UTF-8; the low surrogates by which Python keeps a file name's
 * foreign bytes become those bytes. SIMCLR_CORRUPT for what is no text, with its row. */
int texts_next(struct texts *texts, struct text *out, int64_t row, const char *name, struct error *error);

#endif
