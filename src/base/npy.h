/* base/npy.h -- NumPy's .npy files, version 1.0 (docs/formats.md): written whole or not at all. */
#ifndef BASE_NPY_H
#define BASE_NPY_H

#include <stdint.h>

#include "base/error.h"
#include "base/file.h"

/* The header for little-endian data in C order: descr "<f4" or "<i4"; columns 0: one axis. Appended to writer. */
void npy_write_header(struct file_writer *writer, const char *descr, int64_t rows, int64_t columns);

/* A whole array: float32 [rows][columns], int32 [rows]. */
int npy_write_float(const char *path, const float *values, int64_t rows, int64_t columns, struct error *error);
int npy_write_int(const char *path, const int32_t *values, int64_t rows, struct error *error);

#endif
