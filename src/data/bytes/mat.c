/* data/bytes/mat.c -- see mat.h. */
#include "data/bytes/mat.h"

#include <string.h>

#include <zlib.h>

#include "base/memory.h"

enum { HEADER = 128, VERSION_AT = 124, ENDIAN_AT = 126, TAG = 8 };

/* Types of elements. */
enum {
    INT8 = 1,
    UINT8 = 2,
    INT16 = 3,
    UINT16 = 4,
    INT32 = 5,
    UINT32 = 6,
    SINGLE = 7,
    DOUBLE = 9,
    MATRIX = 14,
    COMPRESSED = 15,
    UTF8 = 16,
    UTF16 = 17
};

/* Classes of arrays. */
enum { CLASS_STRUCT = 2, CLASS_CHAR = 4, CLASS_DOUBLE = 6, CLASS_UINT32 = 13 };

struct element {
    uint32_t type;
    struct mat_bytes data;
};

static uint32_t word_of(const uint8_t *at)
{
    return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

/* Takes the next element: a tag of eight bytes (type, size), contents, and zeros up to a multiple of eight; small ones
 * have size and contents within the tag. */
static bool take(struct mat_bytes *bytes, struct element *out)
{
    if (bytes->left < TAG) return false;
    const uint32_t first = word_of(bytes->at);
    if (first >> 16 != 0) {
        *out = (struct element){first & 0xFFFF, {bytes->at + 4, first >> 16}};
        if (out->data.left > 4) return false;
        *bytes = (struct mat_bytes){bytes->at + TAG, bytes->left - TAG};
        return true;
    }
    const size_t count = word_of(bytes->at + 4), left = bytes->left - TAG;
    if (count > left) return false;
    *out = (struct element){first, {bytes->at + TAG, count}};
    const size_t padding = first == COMPRESSED ? 0 : (8 - count % 8) % 8;
    const size_t used = count + (padding < left - count ? padding : left - count); /* the last one's may be missing */
    *bytes = (struct mat_bytes){bytes->at + TAG + used, left - used};
    return true;
}

static bool take_typed(struct mat_bytes *bytes, uint32_t type, struct element *out)
{
    return take(bytes, out) && out->type == type;
}

/* ---- files ---- */

int mat_open(struct mat_file *out, const uint8_t *bytes, size_t count, const char *path, struct error *error)
{
    *out = (struct mat_file){.rest = {bytes, count}};
    if (count >= 8 && memcmp(bytes, "\x89HDF\r\n\x1A\n", 8) == 0)
        return error_set(error, SIMCLR_UNSUPPORTED, "%s: is a MAT-file of version 7.3: save it as version 7 or 6",
                         path);
    if (count < HEADER || (memcmp(bytes + ENDIAN_AT, "IM", 2) != 0 && memcmp(bytes + ENDIAN_AT, "MI", 2) != 0))
        return error_set(error, SIMCLR_CORRUPT, "%s: is no MAT-file of level 5: copy or download it again", path);
    if (memcmp(bytes + ENDIAN_AT, "IM", 2) != 0 || bytes[VERSION_AT + 1] != 1)
        return error_set(
            error, SIMCLR_UNSUPPORTED,
            "%s: is a MAT-file that is big-endian or of another version: save it on a PC as version 7 or 6", path);
    out->rest = (struct mat_bytes){bytes + HEADER, count - HEADER};
    return SIMCLR_OK;
}

void mat_close(struct mat_file *file)
{
    memory_free(file->unpacked);
    *file = (struct mat_file){.unpacked = NULL};
}

static int damaged(const char *path, struct error *error)
{
    return error_set(error, SIMCLR_CORRUPT, "%s: is damaged: copy or download it again", path);
}

/* Fills `to`, or fails: SIMCLR_CORRUPT, SIMCLR_NO_MEMORY, without a sentence. */
static int inflate_exactly(z_stream *stream, uint8_t *to, size_t count)
{
    stream->next_out = to;
    stream->avail_out = (uInt)count;
    while (stream->avail_out > 0) {
        const uInt before_in = stream->avail_in, before_out = stream->avail_out;
        const int result = inflate(stream, Z_NO_FLUSH);
        if (result == Z_STREAM_END) break;
        if (result == Z_MEM_ERROR) return SIMCLR_NO_MEMORY;
        if (result != Z_OK || (stream->avail_in == before_in && stream->avail_out == before_out)) return SIMCLR_CORRUPT;
    }
    return stream->avail_out == 0 ? SIMCLR_OK : SIMCLR_CORRUPT;
}

/* The one element in a packed one. Its own tag says how large it is. */
static int unpack(struct mat_file *file, const struct mat_bytes *packed, struct element *out, const char *path,
                  struct error *error)
{
    uint8_t tag[TAG];
    z_stream stream = {.next_in = (Bytef *)packed->at, .avail_in = (uInt)packed->left};
    if (inflateInit(&stream) != Z_OK) return error_no_memory(error, "unpacking a MAT-file", 1 << 15);
    int status = inflate_exactly(&stream, tag, TAG);
    if (status == SIMCLR_OK && word_of(tag) != MATRIX) status = SIMCLR_CORRUPT;
    const size_t count = status == SIMCLR_OK ? word_of(tag + 4) : 0;
    bool said = status == SIMCLR_OK && count > MAT_MAX;
    if (said)
        status = error_set(error, SIMCLR_UNSUPPORTED, "%s: an array has %zu bytes, more than the %d that are accepted",
                           path, count, MAT_MAX);
    if (status == SIMCLR_OK) {
        file->unpacked = memory_allocate(count);
        status = file->unpacked == NULL ? SIMCLR_NO_MEMORY : inflate_exactly(&stream, file->unpacked, count);
    }
    inflateEnd(&stream);
    if (status == SIMCLR_NO_MEMORY) error_no_memory(error, "unpacking a MAT-file", count);
    if (status == SIMCLR_CORRUPT && !said) damaged(path, error);
    *out = (struct element){MATRIX, {file->unpacked, count}};
    return status;
}

/* What is in an element that is an array: flags, dimensions, name, and the data. */
static bool array_of(const struct element *element, struct mat_array *out)
{
    struct mat_bytes rest = element->data;
    struct element flags, dimensions, name;
    *out = (struct mat_array){.class = 0};
    if (element->type != MATRIX) return false;
    if (rest.left == 0) return true;
    if (!take_typed(&rest, UINT32, &flags) || flags.data.left != 8) return false;
    if (!take_typed(&rest, INT32, &dimensions) || dimensions.data.left < 8 || dimensions.data.left % 4 != 0)
        return false;
    if (!take_typed(&rest, INT8, &name)) return false;
    out->elements = 1;
    for (size_t i = 0; i < dimensions.data.left; i += 4) {
        const uint32_t length = word_of(dimensions.data.at + i);
        if (length > INT32_MAX || (length > 0 && out->elements > INT32_MAX / (int64_t)length)) return false;
        out->elements *= length;
    }
    out->class = flags.data.at[0];
    const size_t length = name.data.left < MAT_NAME_MAX ? name.data.left : MAT_NAME_MAX - 1;
    memcpy(out->name, name.data.at, length);
    out->data = rest;
    return true;
}

int mat_next(struct mat_file *file, struct mat_array *out, bool *end, const char *path, struct error *error)
{
    struct element element;
    memory_free(file->unpacked);
    file->unpacked = NULL;
    *end = file->rest.left == 0;
    if (*end) return SIMCLR_OK;
    if (!take(&file->rest, &element)) return damaged(path, error);
    int status = SIMCLR_OK;
    if (element.type == COMPRESSED) {
        const struct mat_bytes packed = element.data;
        status = unpack(file, &packed, &element, path, error);
    }
    if (status == SIMCLR_OK && !array_of(&element, out)) status = damaged(path, error);
    return status;
}

/* ---- arrays ---- */

bool mat_fields(const struct mat_array *structs, struct mat_fields *out, struct mat_bytes *values)
{
    struct element width, names;
    *values = structs->data;
    out->count = 0;
    if (structs->class != CLASS_STRUCT) return false;
    if (!take_typed(values, INT32, &width) || width.data.left != 4 || !take_typed(values, INT8, &names)) return false;
    const size_t each = word_of(width.data.at);
    if (each == 0 || each > MAT_NAME_MAX || names.data.left % each != 0 || names.data.left / each > MAT_FIELDS_MAX)
        return false;
    for (size_t at = 0; at < names.data.left; at += each) {
        const size_t length = strnlen((const char *)names.data.at + at, each);
        char *name = out->name[out->count++];
        if (length == MAT_NAME_MAX) return false;
        memcpy(name, names.data.at + at, length);
        name[length] = '\0';
    }
    return true;
}

bool mat_field(struct mat_bytes *values, struct mat_array *out)
{
    struct element element;
    return take(values, &element) && array_of(&element, out);
}

/* Numbers are stored in the smallest type that holds them, whatever their class. */
bool mat_whole_number(const struct mat_array *array, int64_t *out)
{
    struct mat_bytes data = array->data;
    struct element value;
    double real = 0;
    if (array->class < CLASS_DOUBLE || array->class > CLASS_UINT32 || array->elements != 1 || !take(&data, &value))
        return false;
    const uint8_t *at = value.data.at;
    const size_t count = value.data.left;
    if (value.type == UINT8 && count == 1) return *out = at[0], true;
    if (value.type == INT8 && count == 1) return *out = at[0] < 128 ? at[0] : at[0] - 256, true;
    if (value.type == UINT16 && count == 2) return *out = at[0] | at[1] << 8, true;
    if (value.type == INT16 && count == 2) return *out = (int16_t)(at[0] | at[1] << 8), true;
    if (value.type == UINT32 && count == 4) return *out = word_of(at), true;
    if (value.type == INT32 && count == 4) return *out = (int32_t)word_of(at), true;
    if (value.type != DOUBLE || count != 8) return false;
    memcpy(&real, at, sizeof real);
    if (!(real >= -1e9 && real <= 1e9)) return false;
    *out = (int64_t)real;
    return (double)*out == real;
}

bool mat_text(const struct mat_array *array, char *out, size_t room)
{
    struct mat_bytes data = array->data;
    struct element text;
    if (array->class != CLASS_CHAR || array->elements <= 0 || array->elements >= (int64_t)room || !take(&data, &text))
        return false;
    const size_t width = text.type == UINT16 || text.type == UTF16 ? 2 : 1;
    const bool known = width == 2 || text.type == INT8 || text.type == UINT8 || text.type == UTF8;
    const size_t length = (size_t)array->elements;
    if (!known || text.data.left != width * length) return false;
    for (size_t i = 0; i < length; i++) {
        const uint8_t *at = text.data.at + width * i;
        if (at[0] < ' ' || at[0] > '~' || (width == 2 && at[1] != 0)) return false;
        out[i] = (char)at[0];
    }
    out[length] = '\0';
    return true;
}
