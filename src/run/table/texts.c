/* run/table/texts.c -- see texts.h. */
#include "run/table/texts.h"

#include <inttypes.h>
#include <string.h>

#include "base/escape.h"
#include "base/lines.h"

/* ---- lines ---- */

/* The line at `at`, without its end; *next: where the one after it begins. */
static size_t line_length(const struct texts *texts, size_t at, size_t *next)
{
    const uint8_t *line = texts->bytes + at, *end = memchr(line, '\n', texts->count - at);
    size_t length = end ? (size_t)(end - line) : texts->count - at;
    *next = at + length + (end ? 1 : 0);
    if (length > 0 && line[length - 1] == '\r') length--;
    return length;
}

static void open_lines(struct texts *texts)
{
    const char *text = (const char *)texts->bytes;
    texts->at = lines_byte_order_length(text, texts->count);
    const size_t mark = lines_mark_length(text + texts->at, texts->count - texts->at);
    texts->escaped |= mark > 0;
    texts->at += mark;
}

static bool next_line(struct texts *texts, struct text *out)
{
    const uint8_t *line = texts->bytes + texts->at;
    const size_t length = line_length(texts, texts->at, &texts->at);
    if (memchr(line, '\0', length)) return false;
    text_add_bytes(out, (const char *)line, length);
    if (!texts->escaped || out->failed) return true;
    const size_t left = escape_undo(out->bytes, out->length);
    if (left == (size_t)-1 || memchr(out->bytes, '\0', left)) return false;
    out->length = left;
    out->bytes[left] = '\0';
    return true;
}

/* ---- items ---- */

static uint64_t little(const uint8_t *bytes, int count)
{
    uint64_t value = 0;
    for (int i = 0; i < count; i++) value |= (uint64_t)bytes[i] << 8 * i;
    return value;
}

static void add_whole(struct text *out, const uint8_t *bytes, int size, bool with_sign)
{
    const uint64_t value = little(bytes, size), sign = (uint64_t)1 << (8 * size - 1);
    if (with_sign && value & sign)
        text_add(out, "%" PRId64, (int64_t)(value | ~(sign - 1)));
    else
        text_add(out, "%" PRIu64, value);
}

/* False for what is no character. */
static bool add_character(struct text *out, uint32_t code)
{
    char bytes[4];
    if (code >= 0xDC80 && code <= 0xDCFF) {
        bytes[0] = (char)(code - 0xDC00);
        text_add_bytes(out, bytes, 1);
        return true;
    }
    if (code == 0 || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) return false;
    const int more = code < 0x80 ? 0 : code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    static const uint8_t first[] = {0, 0xC0, 0xE0, 0xF0};
    bytes[0] = (char)(first[more] | code >> 6 * more);
    for (int i = 1; i <= more; i++) bytes[i] = (char)(0x80 | (code >> 6 * (more - i) & 0x3F));
    text_add_bytes(out, bytes, (size_t)more + 1);
    return true;
}

/* Zeros at the end fill an item up. */
static bool next_item(struct texts *texts, struct text *out)
{
    const struct npy_array *array = &texts->array;
    const uint8_t *item = texts->bytes + texts->at;
    const size_t width = (size_t)array->item, unit = array->type == 'U' ? 4 : 1;
    size_t used = width;
    texts->at += width;
    if (array->type == 'i' || array->type == 'u') {
        add_whole(out, item, array->item, array->type == 'i');
        return true;
    }
    while (used > 0 && little(item + used - unit, (int)unit) == 0) used -= unit;
    if (array->type == 'S') {
        text_add_bytes(out, (const char *)item, used);
        return !memchr(item, '\0', used);
    }
    for (size_t i = 0; i < used; i += unit)
        if (!add_character(out, (uint32_t)little(item + i, (int)unit))) return false;
    return true;
}

/* ---- all forms ---- */

int texts_open(struct texts *texts, const char *name, struct error *error)
{
    const struct npy_array *array = &texts->array;
    char type[32];
    texts->at = 0;
    if (texts->form == TEXTS_LINES) open_lines(texts);
    if (texts->form != TEXTS_ITEMS) return SIMCLR_OK;
    const bool whole = (array->type == 'i' || array->type == 'u') &&
                       (array->item == 1 || array->item == 2 || array->item == 4 || array->item == 8);
    if ((!whole && array->type != 'U' && array->type != 'S') || array->big_endian)
        return error_set(error, SIMCLR_DATA, "%s: is of %s: save whole numbers (int64) or texts", name,
                         npy_type(array, type, sizeof type));
    if (array->rank != 1)
        return error_set(error, SIMCLR_DATA, "%s: has %d axes and must have one, with an item for each row", name,
                         array->rank);
    return SIMCLR_OK;
}

int64_t texts_count(const struct texts *texts)
{
    int64_t count = 0;
    switch (texts->form) {
    case TEXTS_NONE:
        return 0;
    case TEXTS_ITEMS:
        return texts->array.dims[0];
    case TEXTS_INT64:
        return (int64_t)(texts->count / 8);
    case TEXTS_ENDED:
        for (size_t i = 0; i < texts->count; i++) count += texts->bytes[i] == '\0';
        return count + (texts->count > 0 && texts->bytes[texts->count - 1] != '\0');
    case TEXTS_LINES:
        for (size_t at = texts->at; at < texts->count; count++) line_length(texts, at, &at);
        return count;
    }
    return 0;
}

int texts_next(struct texts *texts, struct text *out, int64_t row, const char *name, struct error *error)
{
    bool fine = texts->form == TEXTS_ITEMS || texts->at < texts->count;
    out->length = 0;
    text_add_bytes(out, "", 0); /* never NULL */
    if (fine && texts->form == TEXTS_LINES)
        fine = next_line(texts, out);
    else if (fine && texts->form == TEXTS_ITEMS)
        fine = next_item(texts, out);
    else if (fine && texts->form == TEXTS_INT64) {
        add_whole(out, texts->bytes + texts->at, 8, true);
        texts->at += 8;
    } else if (fine) {
        const uint8_t *from = texts->bytes + texts->at, *end = memchr(from, '\0', texts->count - texts->at);
        fine = end != NULL;
        if (fine) text_add_bytes(out, (const char *)from, (size_t)(end - from));
        if (fine) texts->at += (size_t)(end - from) + 1;
    }
    if (out->failed) return error_no_memory(error, name, out->capacity);
    if (!fine) return error_set(error, SIMCLR_CORRUPT, "%s: item %" PRId64 " is no text", name, row);
    return SIMCLR_OK;
}
