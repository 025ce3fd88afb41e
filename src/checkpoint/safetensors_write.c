/* checkpoint/safetensors_write.c -- the writer. */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checksum.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "checkpoint/safetensors.h"

static size_t element_bytes(enum safetensors_dtype dtype)
{
    switch (dtype) {
    case ST_F64:
    case ST_I64:
        return 8;
    case ST_F32:
        return 4;
    case ST_BF16:
    case ST_F16:
        return 2;
    case ST_U8:
        return 1;
    case ST_OTHER:
        break;
    }
    return 0;
}

static const char *type_name(enum safetensors_dtype dtype)
{
    static const char *const NAMES[] = {[ST_F32] = "F32",   [ST_F64] = "F64", [ST_I64] = "I64", [ST_U8] = "U8",
                                        [ST_BF16] = "BF16", [ST_F16] = "F16", [ST_OTHER] = "?"};
    return NAMES[dtype];
}

/* As the reference writer: wider elements first, then by name. */
static int in_file_order(const void *left, const void *right)
{
    const struct safetensors_entry *const *a = left, *const *b = right;
    size_t wide_a = element_bytes((*a)->dtype), wide_b = element_bytes((*b)->dtype);
    if (wide_a != wide_b) return wide_a > wide_b ? -1 : 1;
    return strcmp((*a)->name, (*b)->name);
}

static int by_name(const void *left, const void *right)
{
    const struct safetensors_entry *const *a = left, *const *b = right;
    return strcmp((*a)->name, (*b)->name);
}

static int check(const struct safetensors_entry **order, int count, const char *path, struct error *error)
{
    for (int i = 0; i < count; i++) {
        const struct safetensors_entry *entry = order[i];
        uint64_t size = element_bytes(entry->dtype);
        bool fits = size > 0 && entry->rank >= 0 && entry->rank <= 8;
        for (int d = 0; fits && d < entry->rank; d++)
            fits = entry->dims[d] >= 0 && !__builtin_mul_overflow(size, (uint64_t)entry->dims[d], &size);
        if (!fits || size != entry->bytes)
            return error_set(error, SIMCLR_INVALID, "%s: tensor %s: its bytes are not those of its shape and type",
                             path, entry->name);
    }
    qsort(order, (size_t)count, sizeof(void *), by_name);
    for (int i = 1; i < count; i++)
        if (!strcmp(order[i]->name, order[i - 1]->name))
            return error_set(error, SIMCLR_INVALID, "%s: two tensors are called %s", path, order[i]->name);
    return SIMCLR_OK;
}

static void add_header(struct text *text, const struct safetensors_entry **order, int count,
                       const struct safetensors_pair *metadata, int pairs)
{
    text_json_open_object(text, NULL);
    text_json_open_object(text, "__metadata__");
    text_json_string(text, SAFETENSORS_CHECKSUM, "00000000"); /* until sign() */
    for (int i = 0; i < pairs; i++) text_json_exact(text, metadata[i].key, metadata[i].value);
    text_json_close_object(text);
    int64_t offset = 0;
    for (int i = 0; i < count; i++) {
        text_json_open_object(text, order[i]->name);
        text_json_string(text, "dtype", type_name(order[i]->dtype));
        text_json_open_array(text, "shape");
        for (int d = 0; d < order[i]->rank; d++) text_json_integer(text, NULL, order[i]->dims[d]);
        text_json_close_array(text);
        text_json_open_array(text, "data_offsets");
        text_json_integer(text, NULL, offset);
        offset += (int64_t)order[i]->bytes;
        text_json_integer(text, NULL, offset);
        text_json_close_array(text);
        text_json_close_object(text);
    }
    text_json_close_object(text);
    while (text->length % 8 && !text->failed) text_add_bytes(text, " ", 1);
}

static void length_bytes(const struct text *header, uint8_t bytes[8])
{
    for (int i = 0; i < 8; i++) bytes[i] = (uint8_t)((uint64_t)header->length >> 8 * i);
}

static const void *bytes_of(const struct safetensors_entry *entry)
{
    return entry->look ? entry->look(entry->owner, entry->data, entry->bytes) : entry->data;
}

/* Puts the checksum of the file in the place of its zeros, the first of the metadata. */
static void sign(struct text *header, const struct safetensors_entry **order, int count)
{
    uint8_t length[8];
    length_bytes(header, length);
    uint32_t crc = crc32c(length, sizeof length);
    crc = crc32c_extend(crc, header->bytes, header->length);
    for (int i = 0; i < count; i++) crc = crc32c_extend(crc, bytes_of(order[i]), order[i]->bytes);
    char digits[16];
    snprintf(digits, sizeof digits, "%08" PRIx32, crc);
    memcpy(strstr(header->bytes, "00000000"), digits, 8);
}

static int write_file(const char *path, const struct text *header, const struct safetensors_entry **order, int count,
                      struct error *error)
{
    struct file_writer *writer;
    int status = file_writer_open(&writer, path, error);
    if (status) return status;
    uint8_t length[8];
    length_bytes(header, length);
    file_writer_write(writer, length, sizeof length);
    file_writer_write(writer, header->bytes, header->length);
    for (int i = 0; i < count; i++) file_writer_write(writer, bytes_of(order[i]), order[i]->bytes);
    return file_writer_commit(&writer, error);
}

int safetensors_write(const char *path, const struct safetensors_entry *entries, int count,
                      const struct safetensors_pair *metadata, int pairs, struct error *error)
{
    const struct safetensors_entry **order = memory_array((size_t)count, sizeof(void *));
    if (!order) return error_no_memory(error, "the list of tensors to write", (size_t)count * sizeof(void *));
    for (int i = 0; i < count; i++) order[i] = &entries[i];
    int status = check(order, count, path, error);
    if (!status) {
        struct text header = {0};
        qsort(order, (size_t)count, sizeof(void *), in_file_order);
        add_header(&header, order, count, metadata, pairs);
        if (!header.failed) sign(&header, order, count);
        status = header.failed ? error_no_memory(error, "a file's header", header.length)
                               : write_file(path, &header, order, count, error);
        text_free(&header);
    }
    memory_free(order);
    return status;
}
