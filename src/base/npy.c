/* base/npy.c -- NumPy's .npy files, version 1.0. */
#include "base/npy.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { NPY_ALIGNMENT = 64, NPY_PREFIX = 10 /* magic, version, length */ };

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "values are written as they lie in memory");

size_t npy_header_beside(char header[NPY_HEADER], const char *descr, int64_t rows, int64_t columns, bool escaped)
{
    static const unsigned char magic[8] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0};
    char shape[48];

    if (columns > 0)
        snprintf(shape, sizeof shape, "(%" PRId64 ", %" PRId64 ")", rows, columns);
    else
        snprintf(shape, sizeof shape, "(%" PRId64 ",)", rows);
    memcpy(header, magic, sizeof magic);
    int used = NPY_PREFIX + snprintf(header + NPY_PREFIX, NPY_HEADER - NPY_PREFIX,
                                     "{'descr': '%s', 'fortran_order': False, 'shape': %s, }%s", descr, shape,
                                     escaped ? "  " NPY_ESCAPED : "");
    while ((used + 1) % NPY_ALIGNMENT != 0) header[used++] = ' ';
    header[used++] = '\n';
    header[8] = (char)(unsigned char)((used - NPY_PREFIX) & 0xff);
    header[9] = (char)(unsigned char)((used - NPY_PREFIX) >> 8);
    return (size_t)used;
}

size_t npy_header(char header[NPY_HEADER], const char *descr, int64_t rows, int64_t columns)
{
    return npy_header_beside(header, descr, rows, columns, false);
}

static int write_array(const char *path, const char *descr, const void *values, int64_t rows, int64_t columns,
                       bool escaped, struct error *error)
{
    char header[NPY_HEADER];
    struct file_writer *writer;
    const int status = file_writer_open(&writer, path, error);
    if (status != SIMCLR_OK) return status;
    file_writer_write(writer, header, npy_header_beside(header, descr, rows, columns, escaped));
    file_writer_write(writer, values, (size_t)rows * (size_t)(columns > 0 ? columns : 1) * 4);
    return file_writer_commit(&writer, error);
}

int npy_write_float(const char *path, const float *values, int64_t rows, int64_t columns, struct error *error)
{
    return write_array(path, "<f4", values, rows, columns, false, error);
}

int npy_write_float_beside(const char *path, const float *values, int64_t rows, int64_t columns, bool escaped,
                           struct error *error)
{
    return write_array(path, "<f4", values, rows, columns, escaped, error);
}

int npy_write_int(const char *path, const int32_t *values, int64_t rows, struct error *error)
{
    return write_array(path, "<i4", values, rows, 0, false, error);
}
