/* base/wire.h -- the wire format of protocol buffers: fields with a number and one of four kinds of value, written and
 * read. TensorBoard's events and ONNX's files are made of it. Values are little-endian. */
#ifndef BASE_WIRE_H
#define BASE_WIRE_H

#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

enum wire { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

/* ---- writing: each call adds one field; out->failed where memory runs out ---- */
void wire_add_integer(struct text *out, unsigned field, int64_t value);
void wire_add_double(struct text *out, unsigned field, double value);
void wire_add_float(struct text *out, unsigned field, float value);
void wire_add_bytes(struct text *out, unsigned field, const char *bytes, size_t count);
void wire_add_text(struct text *out, unsigned field, const char *value);
/* A message that was written to a text of its own, which is emptied; it fails with it. */
void wire_add_message(struct text *out, unsigned field, struct text *message);
/* What stands before `count` bytes of a field that the caller adds himself. */
void wire_add_head(struct text *out, unsigned field, uint64_t count);
void wire_add_little_endian(struct text *out, uint64_t bits, int bytes);

/* ---- reading: nothing is allocated, and no byte behind the end is looked at ---- */
struct wire_reader {
    const uint8_t *at, *end;
};
struct wire_field {
    unsigned number;
    enum wire kind;
    uint64_t value;       /* of WIRE_VARINT; the bits of WIRE_FIXED64 and WIRE_FIXED32 */
    const uint8_t *bytes; /* of WIRE_BYTES: `count` of them, in what is read */
    size_t count;
};
enum wire_next { WIRE_FIELD, WIRE_END, WIRE_DAMAGED };
enum wire_next wire_next(struct wire_reader *reader, struct wire_field *field);
/* A reader of the message that a field of WIRE_BYTES holds. */
static inline struct wire_reader wire_open(const struct wire_field *field)
{
    return (struct wire_reader){field->bytes, field->bytes + field->count};
}

#endif
