/* checkpoint/safetensors_read.c -- the reader: every length and offset is checked before it is used. */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checksum.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/signature.h"
#include "checkpoint/foreign.h"
#include "checkpoint/safetensors.h"

#define HEADER_LARGEST 100000000u /* the format's own limit */
#define SHAPE_RANK 8

struct safetensors {
    uint8_t *owned;       /* NULL: parsed from borrowed memory */
    const uint8_t *bytes; /* the file */
    size_t header_end;
    const uint8_t *data; /* the tensor bytes: the rest */
    size_t data_bytes;
    struct json header;                /* owns names and metadata strings */
    struct safetensors_entry *entries; /* by offset */
    const struct safetensors_entry **by_name;
    int count;
    struct safetensors_pair *pairs;
    int pair_count;
    const char *path; /* for messages */
    char *path_copy;
    struct safetensors_source source; /* of tensors from elsewhere */
};

/* ---- element types ------------------------------------------------------------------------------------------ */
static const struct {
    const char *name;
    enum safetensors_dtype dtype;
    unsigned bytes;
} TYPES[] = {
    {"F32", ST_F32, 4},       {"F64", ST_F64, 8},           {"I64", ST_I64, 8},           {"U8", ST_U8, 1},
    {"BF16", ST_BF16, 2},     {"BOOL", ST_OTHER, 1},        {"I8", ST_OTHER, 1},          {"F8_E5M2", ST_OTHER, 1},
    {"F8_E4M3", ST_OTHER, 1}, {"F8_E8M0", ST_OTHER, 1},     {"I16", ST_OTHER, 2},         {"U16", ST_OTHER, 2},
    {"F16", ST_F16, 2},       {"I32", ST_OTHER, 4},         {"U32", ST_OTHER, 4},         {"C64", ST_OTHER, 8},
    {"U64", ST_OTHER, 8},     {"F8_E4M3FNUZ", ST_OTHER, 1}, {"F8_E5M2FNUZ", ST_OTHER, 1},
};

/* ---- one tensor's description ------------------------------------------------------------------------------- */
static int corrupt(const struct safetensors *file, struct error *error, const char *name, const char *what)
{
    return error_set(error, SIMCLR_CORRUPT,
                     "%s: tensor %.80s: %s; the file is damaged or not written by the format's "
                     "rules, use another copy",
                     file->path, name, what);
}

/* Fills dtype, rank and dims; *size: the bytes that they imply. */
static int read_shape(const struct safetensors *file, const struct json_value *info, struct safetensors_entry *entry,
                      uint64_t *size, struct error *error)
{
    const struct json_value *type = json_member(info, "dtype"), *shape = json_member(info, "shape");
    const char *name = info->name;
    if (!json_is(type, JSON_STRING)) return corrupt(file, error, name, "it has no element type");
    size_t i = 0;
    while (i < sizeof TYPES / sizeof *TYPES && strcmp(TYPES[i].name, type->string) != 0) i++;
    if (i == sizeof TYPES / sizeof *TYPES) return corrupt(file, error, name, "its element type is not known");
    if (!json_is(shape, JSON_ARRAY) || shape->count > SHAPE_RANK)
        return corrupt(file, error, name, "its shape is not a list of at most 8 sizes");
    entry->dtype = TYPES[i].dtype;
    entry->rank = (int)shape->count;
    *size = TYPES[i].bytes;
    for (int d = 0; d < entry->rank; d++) {
        const struct json_value *extent = json_element(shape, (size_t)d);
        if (!json_is(extent, JSON_INTEGER) || extent->integer < 0)
            return corrupt(file, error, name, "its shape holds something that is not a size");
        entry->dims[d] = extent->integer;
        if (__builtin_mul_overflow(*size, (uint64_t)entry->dims[d], size) || *size > INT64_MAX) /* sums are int64_t */
            return corrupt(file, error, name, "its shape has more elements than memory can hold");
    }
    return SIMCLR_OK;
}

static int read_entry(const struct safetensors *file, const struct json_value *info, struct safetensors_entry *entry,
                      struct error *error)
{
    const char *name = info->name;
    if (info->kind != JSON_OBJECT || info->count != 3)
        return corrupt(file, error, name, "its description is not {dtype, shape, data_offsets}");
    uint64_t size = 0;
    int status = read_shape(file, info, entry, &size, error);
    if (status) return status;
    const struct json_value *offsets = json_member(info, "data_offsets");
    const struct json_value *first = json_element(offsets, 0), *last = json_element(offsets, 1);
    if (!json_is(first, JSON_INTEGER) || !json_is(last, JSON_INTEGER) || offsets->count != 2)
        return corrupt(file, error, name, "its data_offsets are not two integers");
    const int64_t begin = first->integer, end = last->integer;
    if (begin < 0 || end < begin || (uint64_t)end > file->data_bytes)
        return corrupt(file, error, name, "its bytes lie outside of the file");
    if ((uint64_t)(end - begin) != size) return corrupt(file, error, name, "its length is not that of its shape");
    entry->name = name;
    entry->bytes = (size_t)size;
    entry->data = file->data + begin;
    return SIMCLR_OK;
}

/* ---- the header --------------------------------------------------------------------------------------------- */
static int read_metadata(struct safetensors *file, const struct json_value *metadata, struct error *error)
{
    if (metadata->kind != JSON_OBJECT)
        return error_set(error, SIMCLR_CORRUPT,
                         "%s: the metadata is not an object of strings; the file is damaged, use "
                         "another copy",
                         file->path);
    file->pairs = memory_array(metadata->count, sizeof *file->pairs);
    if (!file->pairs) return error_no_memory(error, "a file's metadata", metadata->count);
    const struct json_value *value = json_first(metadata);
    for (size_t i = 0; i < metadata->count; i++, value = json_next(value)) {
        if (value->kind != JSON_STRING)
            return error_set(error, SIMCLR_CORRUPT,
                             "%s: the metadata entry %.80s is not a string; the file is damaged, "
                             "use another copy",
                             file->path, value->name);
        file->pairs[file->pair_count++] = (struct safetensors_pair){value->name, value->string};
    }
    return SIMCLR_OK;
}

static int by_offset(const void *left, const void *right)
{
    const struct safetensors_entry *a = left, *b = right;
    if (a->data != b->data) return (const uint8_t *)a->data < (const uint8_t *)b->data ? -1 : 1;
    return a->bytes < b->bytes ? -1 : a->bytes > b->bytes;
}

static int by_name(const void *left, const void *right)
{
    const struct safetensors_entry *const *a = left, *const *b = right;
    return strcmp((*a)->name, (*b)->name);
}

/* The tensors, sorted, must fill the bytes after the header exactly. */
static int check_cover(struct safetensors *file, struct error *error)
{
    qsort(file->entries, (size_t)file->count, sizeof *file->entries, by_offset);
    const uint8_t *at = file->data;
    for (int i = 0; i < file->count; i++) {
        const struct safetensors_entry *entry = &file->entries[i];
        if ((const uint8_t *)entry->data != at)
            return corrupt(file, error, entry->name,
                           (const uint8_t *)entry->data < at ? "its bytes overlap those of another"
                                                             : "there is a hole before its bytes");
        at += entry->bytes;
        file->by_name[i] = entry;
    }
    if (at != file->data + file->data_bytes)
        return error_set(error, SIMCLR_CORRUPT,
                         "%s: %zu bytes at the end belong to no tensor; the file is damaged, use "
                         "another copy",
                         file->path, (size_t)(file->data + file->data_bytes - at));
    qsort(file->by_name, (size_t)file->count, sizeof(void *), by_name);
    return SIMCLR_OK;
}

static int read_tensors(struct safetensors *file, struct error *error)
{
    const struct json_value *header = file->header.values;
    const size_t count = header->count;
    file->entries = memory_array(count, sizeof *file->entries);
    file->by_name = memory_array(count, sizeof(void *));
    if (!file->entries || !file->by_name) return error_no_memory(error, "a file's list of tensors", count);
    const struct json_value *value = json_first(header);
    for (size_t i = 0; i < count; i++, value = json_next(value)) {
        const bool metadata = !strcmp(value->name, "__metadata__");
        const int status =
            metadata ? read_metadata(file, value, error) : read_entry(file, value, &file->entries[file->count], error);
        if (status) return status;
        file->count += !metadata;
    }
    return check_cover(file, error);
}

/* Of the first eight bytes. */
static uint64_t header_length(const uint8_t *bytes)
{
    uint64_t length = 0;
    for (int i = 7; i >= 0; i--) length = length << 8 | bytes[i];
    return length;
}

/* `count` bytes, at least eight, of the start of a file of `size`. */
static int check_length(const struct safetensors *file, const uint8_t *bytes, size_t count, uint64_t size,
                        struct error *error)
{
    const uint64_t length = header_length(bytes);
    const bool ours = count > 8 && bytes[8] == '{'; /* a cut one is still ours */
    if (!ours && foreign_refuse(bytes, count, file->path, error)) return SIMCLR_CORRUPT;
    if (size < 8 || length > size - 8 || length > HEADER_LARGEST)
        return error_set(error, SIMCLR_CORRUPT,
                         "%s: the header is longer than the file or 100 MB; the file is cut off "
                         "or not a safetensors file",
                         file->path);
    if (length < 2 || count < 9 || bytes[8] != '{')
        return error_set(error, SIMCLR_CORRUPT,
                         "%s: the header does not start with '{'; this is not a safetensors file", file->path);
    return SIMCLR_OK;
}

static int read_header(struct safetensors *file, const uint8_t *bytes, size_t count, struct error *error)
{
    if (count < 8)
        return error_set(error, SIMCLR_CORRUPT,
                         "%s: the header is longer than the file or 100 MB; the file is cut off "
                         "or not a safetensors file",
                         file->path);
    const int status = check_length(file, bytes, count, count, error);
    if (status) return status;
    const uint64_t length = header_length(bytes);
    file->bytes = bytes;
    file->header_end = 8 + (size_t)length;
    file->data = bytes + file->header_end;
    file->data_bytes = count - file->header_end;
    struct json_problem problem;
    const int parsed = json_read(&file->header, (const char *)bytes + 8, (size_t)length, true, &problem);
    if (parsed == SIMCLR_NO_MEMORY) return error_no_memory(error, "the header of a file of tensors", (size_t)length);
    if (parsed)
        return error_set(error, SIMCLR_CORRUPT,
                         "%s: the header is no valid JSON (%s%s%s at byte %zu); the file is damaged, use another copy",
                         file->path, problem.what, problem.name[0] ? ", " : "", problem.name, problem.at + 8);
    return read_tensors(file, error);
}

int safetensors_parse(struct safetensors **out, const uint8_t *bytes, size_t count, const char *name,
                      struct error *error)
{
    *out = NULL;
    struct safetensors *file = memory_allocate(sizeof *file);
    if (file) file->path_copy = memory_string(name);
    if (!file || !file->path_copy) {
        memory_free(file);
        return error_no_memory(error, "a safetensors file", sizeof *file);
    }
    file->path = file->path_copy;
    int status = read_header(file, bytes, count, error);
    if (status) safetensors_close(&file);
    *out = file;
    return status;
}

/* A file that does not begin like one of these is refused before its size is believed. */
static int check_start(const char *path, struct error *error)
{
    uint8_t *head;
    size_t count;
    const int status = file_read_start(path, SIGNATURE_BYTES, &head, &count, error);
    if (status) return status;
    struct safetensors file = {.path = path};
    const int64_t size = file_size(path);
    const int known =
        count < 8 ? error_set(error, SIMCLR_CORRUPT,
                              "%s: is only %zu bytes long; the file is cut off or not a safetensors file", path, count)
                  : check_length(&file, head, count, size < 0 ? 0 : (uint64_t)size, error);
    memory_free(head);
    return known;
}

/* Read, not mapped: a file that is cut while it is used (cp over it, rsync --inplace, a failing disk) would end the
 * program, or the host of the library, with SIGBUS. */
int safetensors_open(struct safetensors **out, const char *path, struct error *error)
{
    uint8_t *bytes = NULL;
    size_t count = 0;
    *out = NULL;
    int status = check_start(path, error);
    if (!status) status = file_read(path, SIZE_MAX / 2, &bytes, &count, error);
    if (!status) status = safetensors_parse(out, bytes, count, path, error);
    if (status)
        memory_free(bytes);
    else
        (*out)->owned = bytes;
    return status;
}

/* ---- tensors from elsewhere ---------------------------------------------------------------------------------- */
static int check_names(const struct safetensors *file, struct error *error)
{
    qsort(file->by_name, (size_t)file->count, sizeof(void *), by_name);
    for (int i = 1; i < file->count; i++)
        if (!strcmp(file->by_name[i - 1]->name, file->by_name[i]->name))
            return error_set(error, SIMCLR_CORRUPT, "%s: two tensors are called %.160s: save the state_dict alone",
                             file->path, file->by_name[i]->name);
    return SIMCLR_OK;
}

int safetensors_from(struct safetensors **out, const struct safetensors_entry *entries, int count,
                     const struct safetensors_source *source, const char *name, struct error *error)
{
    struct safetensors *file = memory_allocate(sizeof *file);
    *out = NULL;
    if (!file) {
        source->close(source->self);
        return error_no_memory(error, "a list of tensors", sizeof *file);
    }
    file->source = *source;
    file->path = file->path_copy = memory_string(name);
    file->entries = memory_array((size_t)count, sizeof *file->entries);
    file->by_name = memory_array((size_t)count, sizeof(void *));
    int status = SIMCLR_OK;
    if (!file->path || !file->entries || !file->by_name)
        status = error_no_memory(error, "a list of tensors", (size_t)count * sizeof *file->entries);
    for (int i = 0; !status && i < count; i++) {
        file->entries[i] = entries[i];
        file->by_name[i] = &file->entries[i];
        file->count++;
    }
    if (!status) status = check_names(file, error);
    if (status)
        safetensors_close(&file);
    else
        *out = file;
    return status;
}

int safetensors_load(const struct safetensors *file, const struct safetensors_entry *entry, struct error *error)
{
    void *data;
    if (entry->data || !file->source.load) return SIMCLR_OK;
    const int status = file->source.load(file->source.self, entry, &data, error);
    if (!status) file->entries[entry - file->entries].data = data;
    return status;
}

void safetensors_close(struct safetensors **file)
{
    if (!file || !*file) return;
    if ((*file)->source.load)
        for (int i = 0; i < (*file)->count; i++) memory_free((void *)(*file)->entries[i].data);
    if ((*file)->source.close) (*file)->source.close((*file)->source.self);
    memory_free((*file)->owned);
    json_free(&(*file)->header);
    memory_free((*file)->entries);
    memory_free((*file)->by_name);
    memory_free((*file)->pairs);
    memory_free((*file)->path_copy);
    memory_free(*file);
    *file = NULL;
}

/* ---- access ------------------------------------------------------------------------------------------------- */
int safetensors_count(const struct safetensors *file)
{
    return file->count;
}

const struct safetensors_entry *safetensors_at(const struct safetensors *file, int index)
{
    return &file->entries[index];
}

const struct safetensors_entry *safetensors_find(const struct safetensors *file, const char *name)
{
    const struct safetensors_entry key = {.name = name}, *pointer = &key;
    const struct safetensors_entry *const *found =
        bsearch(&pointer, file->by_name, (size_t)file->count, sizeof(void *), by_name);
    return found ? *found : NULL;
}

const char *safetensors_metadata(const struct safetensors *file, const char *key)
{
    for (int i = 0; i < file->pair_count; i++)
        if (!strcmp(file->pairs[i].key, key)) return file->pairs[i].value;
    return NULL;
}

int safetensors_metadata_count(const struct safetensors *file)
{
    return file->pair_count;
}

void safetensors_metadata_at(const struct safetensors *file, int index, const char **key, const char **value)
{
    *key = file->pairs[index].key;
    *value = file->pairs[index].value;
}

/* The checksum of the file with its own digits as zeros. False: the digits are not where the writer puts them. A string
 * in JSON cannot hold the text that is looked for, since its quotes would follow backslashes. */
static bool file_checksum(const struct safetensors *file, uint32_t *crc)
{
    static const char key[] = "\"" SAFETENSORS_CHECKSUM "\": \"";
    const uint8_t *found = memmem(file->bytes, file->header_end, key, sizeof key - 1);
    if (!found) return false;
    const size_t at = (size_t)(found - file->bytes) + sizeof key - 1;
    if (file->header_end - at < 8) return false;
    *crc = crc32c(file->bytes, at);
    *crc = crc32c_extend(*crc, "00000000", 8);
    *crc = crc32c_extend(*crc, file->bytes + at + 8, file->header_end - at - 8 + file->data_bytes);
    return true;
}

int safetensors_verify(const struct safetensors *file, struct error *error)
{
    const char *wanted = safetensors_metadata(file, SAFETENSORS_CHECKSUM);
    uint32_t crc = 0;
    bool found = true;
    if (wanted)
        found = file_checksum(file, &crc);
    else if ((wanted = safetensors_metadata(file, "crc32c")) != NULL)
        crc = crc32c(file->data, file->data_bytes);
    else
        return SIMCLR_OK;
    char digits[16];
    snprintf(digits, sizeof digits, "%08" PRIx32, crc);
    if (found && !strcmp(digits, wanted)) return SIMCLR_OK;
    return error_set(error, SIMCLR_CORRUPT,
                     "%s: its checksum is not the %.16s that was written; the file was damaged afterwards, use another "
                     "copy",
                     file->path, wanted);
}
