/* base/wire.c -- see wire.h. A field is a tag (number << 3 | kind), then its value. */
#include "base/wire.h"

#include <string.h>

/* ---- writing ---- */
static void add_varint(struct text *out, uint64_t value)
{
    do {
        const char byte = (char)((value & 0x7F) | (value > 0x7F ? 0x80 : 0));
        text_add_bytes(out, &byte, 1);
        value >>= 7;
    } while (value != 0);
}

static void add_tag(struct text *out, unsigned field, enum wire kind)
{
    add_varint(out, field << 3 | (unsigned)kind);
}

void wire_add_little_endian(struct text *out, uint64_t bits, int bytes)
{
    for (int i = 0; i < bytes; i++) {
        const char byte = (char)(bits >> 8 * i);
        text_add_bytes(out, &byte, 1);
    }
}

void wire_add_integer(struct text *out, unsigned field, int64_t value)
{
    add_tag(out, field, WIRE_VARINT);
    add_varint(out, (uint64_t)value);
}

void wire_add_double(struct text *out, unsigned field, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    add_tag(out, field, WIRE_FIXED64);
    wire_add_little_endian(out, bits, 8);
}

void wire_add_float(struct text *out, unsigned field, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    add_tag(out, field, WIRE_FIXED32);
    wire_add_little_endian(out, bits, 4);
}

void wire_add_head(struct text *out, unsigned field, uint64_t count)
{
    add_tag(out, field, WIRE_BYTES);
    add_varint(out, count);
}

void wire_add_bytes(struct text *out, unsigned field, const char *bytes, size_t count)
{
    wire_add_head(out, field, count);
    text_add_bytes(out, bytes, count);
}

void wire_add_text(struct text *out, unsigned field, const char *value)
{
    wire_add_bytes(out, field, value, strlen(value));
}

void wire_add_message(struct text *out, unsigned field, struct text *message)
{
    wire_add_bytes(out, field, message->bytes, message->length);
    out->failed |= message->failed;
    message->length = 0;
}

/* ---- reading ---- */
static bool read_varint(struct wire_reader *reader, uint64_t *out)
{
    *out = 0;
    for (int shift = 0; shift < 64 && reader->at < reader->end; shift += 7) {
        const uint8_t byte = *reader->at++;
        if (shift == 63 && byte > 1) return false; /* beyond 64 bits */
        *out |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) return true;
    }
    return false;
}

static bool read_fixed(struct wire_reader *reader, int bytes, uint64_t *out)
{
    *out = 0;
    if (reader->end - reader->at < bytes) return false;
    for (int i = 0; i < bytes; i++) *out |= (uint64_t)*reader->at++ << 8 * i;
    return true;
}

static bool read_value(struct wire_reader *reader, struct wire_field *field)
{
    if (field->kind == WIRE_VARINT) return read_varint(reader, &field->value);
    if (field->kind == WIRE_FIXED64) return read_fixed(reader, 8, &field->value);
    if (field->kind == WIRE_FIXED32) return read_fixed(reader, 4, &field->value);
    uint64_t count;
    if (field->kind != WIRE_BYTES || !read_varint(reader, &count) || count > (uint64_t)(reader->end - reader->at))
        return false;
    field->bytes = reader->at;
    field->count = (size_t)count;
    reader->at += count;
    return true;
}

enum wire_next wire_next(struct wire_reader *reader, struct wire_field *field)
{
    uint64_t tag;
    *field = (struct wire_field){0};
    if (reader->at == reader->end) return WIRE_END;
    if (!read_varint(reader, &tag) || tag >> 3 == 0 || tag >> 3 > 0x1FFFFFFF) return WIRE_DAMAGED;
    field->number = (unsigned)(tag >> 3);
    field->kind = (enum wire)(tag & 7);
    return read_value(reader, field) ? WIRE_FIELD : WIRE_DAMAGED;
}
