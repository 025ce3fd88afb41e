/* support/reference.h -- tests only: reads the tensors of the reference folder (safetensors files).
 *
 *     struct reference file;
 *     if (!reference_open(&file, "ntxent")) skip_reference("ntxent");         // in a case
 *     struct reference_tensor z = reference_get(&file, "case%d.z", 0);       // aborts the program if absent
 *     const float *values = reference_f32(z);                                // aborts if the type is another
 *     reference_close(&file);
 *
 * The folder is $SIMCLR_REFERENCE, by default ../shared/reference. The JSON header is read by a small scanner that
 * trusts the file's author; the program's own checkpoint reader is the one that must stand hostile files. */
#ifndef SUPPORT_REFERENCE_H
#define SUPPORT_REFERENCE_H

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REFERENCE_RANK = 8 };

/* A whole file in memory. */
struct reference {
    uint8_t *bytes; /* 64-byte aligned start of the file */
    size_t size;
    const char *header; /* the JSON text, NUL-terminated copy */
    char *header_copy;
    const uint8_t *data; /* what offsets count from; at least 4-byte aligned in practice, copy if in doubt */
    char path[1024];
};

/* One tensor: a view into the file. `data` is NULL when there is no such tensor. */
struct reference_tensor {
    char dtype[8]; /* "F32", "F64", "I64", "U8", ... */
    int rank;
    int64_t dim[REFERENCE_RANK];
    int64_t count; /* product of dims; 1 for a scalar */
    const void *data;
};

static inline const char *reference_folder(void)
{
    const char *folder = getenv("SIMCLR_REFERENCE");
    return folder && folder[0] ? folder : "../shared/reference";
}

/* Ends the case that cannot run without this file (support/run.h). */
#define skip_reference(name) skip_case("%s/%s.safetensors is absent (set SIMCLR_REFERENCE)", reference_folder(), (name))

/* Opens any safetensors file; false when it is absent or no safetensors file. */
static inline bool reference_open_path(struct reference *file, const char *path)
{
    memset(file, 0, sizeof *file);
    snprintf(file->path, sizeof file->path, "%s", path);
    FILE *stream = fopen(path, "rb");
    if (!stream) return false;
    uint64_t length = 0;
    bool fine = fseek(stream, 0, SEEK_END) == 0;
    long size = fine ? ftell(stream) : -1;
    fine = size > 8 && fseek(stream, 0, SEEK_SET) == 0;
    if (fine) {
        file->size = (size_t)size;
        file->bytes = aligned_alloc(64, (file->size + 63) / 64 * 64);
        fine = file->bytes && fread(file->bytes, 1, file->size, stream) == file->size;
    }
    fclose(stream);
    if (fine) {
        memcpy(&length, file->bytes, 8);
        fine = length <= file->size - 8;
    }
    if (fine) file->header_copy = malloc(length + 1);
    if (!fine || !file->header_copy) {
        free(file->bytes);
        file->bytes = NULL;
        return false;
    }
    memcpy(file->header_copy, file->bytes + 8, length);
    file->header_copy[length] = '\0';
    file->header = file->header_copy;
    file->data = file->bytes + 8 + length;
    return true;
}

/* Opens <reference folder>/<name>.safetensors; false when absent. */
static inline bool reference_open(struct reference *file, const char *name)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s.safetensors", reference_folder(), name);
    return reference_open_path(file, path);
}

static inline void reference_close(struct reference *file)
{
    free(file->bytes);
    free(file->header_copy);
    memset(file, 0, sizeof *file);
}

/* The text after "key": inside the header from `from` on, or NULL. */
static inline const char *reference_value(const char *from, const char *key)
{
    char quoted[512];
    int length = snprintf(quoted, sizeof quoted, "\"%s\"", key);
    for (const char *at = from; at && (at = strstr(at, quoted)) != NULL; at++) {
        const char *after = at + length;
        while (*after == ' ') after++;
        if (*after == ':') {
            after++;
            while (*after == ' ') after++;
            return after;
        }
    }
    return NULL;
}

/* Looks a tensor up; .data is NULL when absent. */
static inline struct reference_tensor reference_find(const struct reference *file, const char *name)
{
    struct reference_tensor tensor;
    memset(&tensor, 0, sizeof tensor);
    const char *entry = reference_value(file->header, name);
    const char *dtype = entry ? reference_value(entry, "dtype") : NULL;
    const char *shape = entry ? reference_value(entry, "shape") : NULL;
    const char *offsets = entry ? reference_value(entry, "data_offsets") : NULL;
    if (!dtype || !shape || !offsets || sscanf(dtype, "\"%7[A-Z0-9_]\"", tensor.dtype) != 1) return tensor;
    tensor.count = 1;
    const char *at = shape + 1;
    while (*at && *at != ']' && tensor.rank < REFERENCE_RANK) {
        char *end = NULL;
        int64_t extent = strtoll(at, &end, 10);
        if (end == at) {
            at++;
            continue;
        }
        tensor.dim[tensor.rank++] = extent;
        tensor.count *= extent;
        at = end;
    }
    uint64_t begin = strtoull(offsets + 1, NULL, 10);
    tensor.data = file->data + begin;
    return tensor;
}

static inline bool reference_has(const struct reference *file, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static inline bool reference_has(const struct reference *file, const char *format, ...)
{
    char name[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(name, sizeof name, format, arguments);
    va_end(arguments);
    return reference_find(file, name).data != NULL;
}

/* Looks a tensor up by a printf-formatted name; a missing one ends the test program with a sentence. */
static inline struct reference_tensor reference_get(const struct reference *file, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static inline struct reference_tensor reference_get(const struct reference *file, const char *format, ...)
{
    char name[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(name, sizeof name, format, arguments);
    va_end(arguments);
    struct reference_tensor tensor = reference_find(file, name);
    if (!tensor.data) {
        fprintf(stderr, "%s: no tensor named %s\n", file->path, name);
        abort();
    }
    return tensor;
}

static inline const void *reference_typed(struct reference_tensor tensor, const char *dtype)
{
    if (strcmp(tensor.dtype, dtype) != 0) {
        fprintf(stderr, "reference tensor is %s, the test expects %s\n", tensor.dtype, dtype);
        abort();
    }
    return tensor.data;
}
static inline const float *reference_f32(struct reference_tensor t)
{
    return reference_typed(t, "F32");
}
static inline const uint8_t *reference_u8(struct reference_tensor t)
{
    return reference_typed(t, "U8");
}

/* Element `index` of a tensor of any of the usual types, as a double. */
static inline double reference_number(struct reference_tensor tensor, int64_t index)
{
    const uint8_t *bytes = tensor.data;
    if (strcmp(tensor.dtype, "F64") == 0) {
        double value;
        memcpy(&value, bytes + 8 * index, sizeof value);
        return value;
    }
    if (strcmp(tensor.dtype, "F32") == 0) {
        float value;
        memcpy(&value, bytes + 4 * index, sizeof value);
        return value;
    }
    if (strcmp(tensor.dtype, "I64") == 0) {
        int64_t value;
        memcpy(&value, bytes + 8 * index, sizeof value);
        return (double)value;
    }
    if (strcmp(tensor.dtype, "I32") == 0) {
        int32_t value;
        memcpy(&value, bytes + 4 * index, sizeof value);
        return value;
    }
    if (strcmp(tensor.dtype, "U8") == 0 || strcmp(tensor.dtype, "BOOL") == 0) return bytes[index];
    fprintf(stderr, "reference tensor of type %s is not known to the tests\n", tensor.dtype);
    abort();
}

/* Metadata string `key` of "__metadata__" as a double (strings of numbers); `fallback` when absent. */
static inline double reference_metadata(const struct reference *file, const char *key, double fallback)
{
    const char *metadata = reference_value(file->header, "__metadata__");
    const char *value = metadata ? reference_value(metadata, key) : NULL;
    if (!value) return fallback;
    return strtod(*value == '"' ? value + 1 : value, NULL);
}

/* Iterates over the names in file order: start with *cursor NULL; false at the end. */
static inline bool reference_next(const struct reference *file, const char **cursor, char *name, size_t size)
{
    const char *at = *cursor ? *cursor : file->header + 1;
    while ((at = strchr(at, '"')) != NULL) {
        const char *end = strchr(at + 1, '"');
        const char *object = end ? end + 1 : NULL;
        if (!object) return false;
        while (*object == ' ' || *object == ':') object++;
        const char *close = *object == '{' ? strchr(object, '}') : NULL;
        if (!close) return false;
        *cursor = close + 1;
        snprintf(name, size, "%.*s", (int)(end - at - 1), at + 1);
        if (strcmp(name, "__metadata__") != 0) return true;
        at = close + 1;
    }
    return false;
}

/* [H][W][3] of the file to planar [3][H][W]; free() it. */
static inline float *reference_planar(struct reference_tensor tensor)
{
    const int64_t pixels = tensor.dim[0] * tensor.dim[1];
    float *out = malloc((size_t)pixels * 3 * sizeof *out);
    if (!out) abort();
    for (int64_t i = 0; i < pixels; i++)
        for (int64_t c = 0; c < 3; c++) out[c * pixels + i] = (float)reference_number(tensor, 3 * i + c);
    return out;
}

/* The largest difference of a planar view from such a tensor. */
static inline double reference_furthest(const float *view, struct reference_tensor expected)
{
    const int64_t pixels = expected.dim[0] * expected.dim[1];
    double worst = 0.0;
    for (int64_t i = 0; i < pixels; i++)
        for (int64_t c = 0; c < 3; c++) {
            const double off = fabs((double)view[c * pixels + i] - reference_number(expected, 3 * i + c));
            if (!(off <= worst)) worst = off;
        }
    return worst;
}

#endif
