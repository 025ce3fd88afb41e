/* base/npy.h -- NumPy's .npy files (docs/formats.md). Version 1.0 is written, whole or not at all; versions 1 to 3 are
 * read, distrusting every byte. */
#ifndef BASE_NPY_H
#define BASE_NPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/file.h"

/* The header for little-endian data in C order: descr "<f4", "<i4" or "|S64"; columns 0: one axis. Its bytes. */
enum { NPY_HEADER = 192 };
size_t npy_header(char header[NPY_HEADER], const char *descr, int64_t rows, int64_t columns);
/* Of an array with lists of texts beside it. escaped: they are (base/escape.h), and whoever reads the array is told so
 * by this comment behind the dictionary. NumPy passes over it, as Python does. No header of features is longer for it.
 */
#define NPY_ESCAPED "# lists beside it are escaped"
size_t npy_header_beside(char header[NPY_HEADER], const char *descr, int64_t rows, int64_t columns, bool escaped);

/* A whole array: float32 [rows][columns], int32 [rows]. */
int npy_write_float(const char *path, const float *values, int64_t rows, int64_t columns, struct error *error);
int npy_write_float_beside(const char *path, const float *values, int64_t rows, int64_t columns, bool escaped,
                           struct error *error);
int npy_write_int(const char *path, const int32_t *values, int64_t rows, struct error *error);

/* ---- reading: what a header says ---- */

enum { NPY_AXES = 8 };

struct npy_array {
    char type; /* as NumPy has it: 'f', 'i', 'u', 'b', 'U' (UTF-32), 'S' (bytes), ... never 'O' */
    int item;  /* bytes of an element */
    bool big_endian, fortran;
    bool escaped; /* NPY_ESCAPED stands behind the dictionary; other comments are passed over */
    int rank;
    int64_t dims[NPY_AXES];
    size_t offset;  /* of the data in the file */
    uint64_t bytes; /* of the data: elements x item */
};

bool npy_is(const uint8_t *bytes, size_t count);

/* bytes: at least the header, that is the first 64 KiB + 12 or the whole file, which has file_bytes. SIMCLR_CORRUPT for
 * a header that is none, and for a shape that does not fill the file exactly; SIMCLR_UNSUPPORTED for Python objects
 * (pickle is never read), structured arrays and other versions. `name` is for sentences. */
int npy_parse(struct npy_array *out, const uint8_t *bytes, size_t count, uint64_t file_bytes, const char *name,
              struct error *error);

/* "float64", "big-endian int32", "text", in `room`, which is returned. */
const char *npy_type(const struct npy_array *array, char *room, size_t size);

#endif
