/* data/bytes/mat.h -- MATLAB's level 5 MAT-files, as much of them as ImageNet's devkit needs: arrays of structs whose
 * fields are numbers and texts, plain or packed with zlib, little-endian. (MathWorks, "MAT-File Format", chapter 1.)
 *
 * Everything is hostile: each size is checked against what is left, and nothing is unpacked to more than MAT_MAX. */
#ifndef DATA_MAT_H
#define DATA_MAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum { MAT_MAX = 64 << 20, MAT_NAME_MAX = 64, MAT_FIELDS_MAX = 64 };

/* Bytes that are still to be read; borrowed. */
struct mat_bytes {
    const uint8_t *at;
    size_t left;
};

/* A file: its bytes, and what the elements of it that are packed are unpacked to, one at a time. */
struct mat_file {
    struct mat_bytes rest;
    uint8_t *unpacked; /* of the element that was read last, or NULL */
};

/* An array: numbers, text, or structs (each of whose fields is an array again). Borrowed from the file. */
struct mat_array {
    int class;        /* 0: an empty one, of which nothing is said */
    int64_t elements; /* rows x columns x ... */
    char name[MAT_NAME_MAX];
    struct mat_bytes data; /* behind flags, dimensions and name */
};

/* The header. SIMCLR_CORRUPT for what is no such file; SIMCLR_UNSUPPORTED for one of another level, or big-endian.
 * `path` is for sentences. Close it all the same. */
int mat_open(struct mat_file *out, const uint8_t *bytes, size_t count, const char *path, struct error *error);
void mat_close(struct mat_file *file);

/* The next variable of the file; *end: there is none. What was read before is no longer valid. */
int mat_next(struct mat_file *file, struct mat_array *out, bool *end, const char *path, struct error *error);

/* The names of the fields of an array of structs; *values is what mat_field reads the fields of all its elements from:
 * those of the first in the order of the names, then those of the second. False when it is none, or is damaged. */
struct mat_fields {
    int count;
    char name[MAT_FIELDS_MAX][MAT_NAME_MAX];
};
bool mat_fields(const struct mat_array *structs, struct mat_fields *out, struct mat_bytes *values);
bool mat_field(struct mat_bytes *values, struct mat_array *out);

/* A single whole number; a text in ASCII of less than `room` bytes. False when it is none. */
bool mat_whole_number(const struct mat_array *array, int64_t *out);
bool mat_text(const struct mat_array *array, char *out, size_t room);

#endif
