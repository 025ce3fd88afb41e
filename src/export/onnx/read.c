/* export/onnx/read.c -- the file read back, field by field, and held to the graph that it was written from. Nothing in
 * it is trusted: a field that is missing, repeated, unknown or of another kind is a difference. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/format.h"
#include "base/memory.h"
#include "base/wire.h"
#include "export/onnx/file.h"

enum { FILE_MOST = INT32_MAX, FIELDS = 64 };

/* What is being compared: the first difference, as a text. */
struct comparison {
    const struct onnx_graph *graph;
    float *values; /* of the largest tensor */
    char what[160];
    bool differs;
};

static bool differs(struct comparison *comparison, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool differs(struct comparison *comparison, const char *format, ...)
{
    va_list arguments;
    if (comparison->differs) return false;
    comparison->differs = true;
    va_start(arguments, format);
    format_plain(comparison->what, sizeof comparison->what, format, arguments);
    va_end(arguments);
    return false;
}

static bool is_text(const struct wire_field *field, const char *text)
{
    const size_t length = strlen(text);
    return field->kind == WIRE_BYTES && field->count == length && memcmp(field->bytes, text, length) == 0;
}

static bool is_integer(const struct wire_field *field, int64_t value)
{
    return field->kind == WIRE_VARINT && field->value == (uint64_t)value;
}

/* How often each number has come, for messages whose fields are all below FIELDS. */
struct tally {
    int seen[FIELDS];
};

/* The next field of a message, counted; false at its end, and where it is damaged, which is a difference. */
static bool next(struct comparison *comparison, struct wire_reader *reader, struct wire_field *field,
                 struct tally *tally, const char *where)
{
    const enum wire_next result = wire_next(reader, field);
    if (result == WIRE_END) return false;
    if (result == WIRE_DAMAGED || field->number >= FIELDS) return differs(comparison, "%s: damaged", where);
    tally->seen[field->number]++;
    return true;
}

/* ---- nodes ---- */
static bool same_attribute(struct comparison *comparison, const struct wire_field *message,
                           const struct onnx_attribute *attribute)
{
    struct wire_reader reader = wire_open(message);
    struct wire_field field;
    struct tally tally = {{0}};
    uint32_t bits;
    memcpy(&bits, &attribute->number, sizeof bits);
    bool same = true;
    while (same && next(comparison, &reader, &field, &tally, "an attribute")) {
        const int at = tally.seen[ONNX_ATTRIBUTE_INTS] - 1;
        if (field.number == ONNX_ATTRIBUTE_NAME)
            same = is_text(&field, attribute->name);
        else if (field.number == ONNX_ATTRIBUTE_KIND)
            same = is_integer(&field, attribute->kind);
        else if (field.number == ONNX_ATTRIBUTE_FLOAT)
            same = field.kind == WIRE_FIXED32 && field.value == bits;
        else if (field.number == ONNX_ATTRIBUTE_INT)
            same = is_integer(&field, attribute->integers[0]);
        else
            same = field.number == ONNX_ATTRIBUTE_INTS && at < attribute->count &&
                   is_integer(&field, attribute->integers[at]);
    }
    return same && !comparison->differs && tally.seen[ONNX_ATTRIBUTE_NAME] == 1 &&
           tally.seen[ONNX_ATTRIBUTE_KIND] == 1 &&
           tally.seen[ONNX_ATTRIBUTE_FLOAT] == (attribute->kind == ONNX_FLOAT) &&
           tally.seen[ONNX_ATTRIBUTE_INT] == (attribute->kind == ONNX_INT) &&
           tally.seen[ONNX_ATTRIBUTE_INTS] == (attribute->kind == ONNX_INTS ? attribute->count : 0);
}

static bool same_node(struct comparison *comparison, const struct wire_field *message, const struct onnx_node *node)
{
    struct wire_reader reader = wire_open(message);
    struct wire_field field;
    struct tally tally = {{0}};
    bool same = true;
    while (same && next(comparison, &reader, &field, &tally, node->name)) {
        const int input = tally.seen[ONNX_NODE_INPUT] - 1, attribute = tally.seen[ONNX_NODE_ATTRIBUTE] - 1;
        if (field.number == ONNX_NODE_INPUT)
            same = input < node->inputs && is_text(&field, node->input[input]);
        else if (field.number == ONNX_NODE_OUTPUT)
            same = is_text(&field, node->output);
        else if (field.number == ONNX_NODE_NAME)
            same = is_text(&field, node->name);
        else if (field.number == ONNX_NODE_TYPE)
            same = is_text(&field, node->type);
        else
            same = field.number == ONNX_NODE_ATTRIBUTE && field.kind == WIRE_BYTES && attribute < node->attributes &&
                   same_attribute(comparison, &field, &node->attribute[attribute]);
    }
    same = same && tally.seen[ONNX_NODE_INPUT] == node->inputs && tally.seen[ONNX_NODE_OUTPUT] == 1 &&
           tally.seen[ONNX_NODE_NAME] == 1 && tally.seen[ONNX_NODE_TYPE] == 1 &&
           tally.seen[ONNX_NODE_ATTRIBUTE] == node->attributes;
    return same || differs(comparison, "the node %s", node->name);
}

/* ---- tensors ---- */
static bool same_values(struct comparison *comparison, const struct wire_field *field, const struct onnx_tensor *tensor)
{
    if (field->kind != WIRE_BYTES || field->count != tensor->count * sizeof(float)) return false;
    onnx_tensor_values(tensor, comparison->values);
    return memcmp(field->bytes, comparison->values, field->count) == 0;
}

static bool same_tensor(struct comparison *comparison, const struct wire_field *message,
                        const struct onnx_tensor *tensor)
{
    struct wire_reader reader = wire_open(message);
    struct wire_field field;
    struct tally tally = {{0}};
    bool same = true;
    while (same && next(comparison, &reader, &field, &tally, tensor->name)) {
        const int dim = tally.seen[ONNX_TENSOR_DIMS] - 1;
        if (field.number == ONNX_TENSOR_DIMS)
            same = dim < tensor->rank && is_integer(&field, tensor->dims[dim]);
        else if (field.number == ONNX_TENSOR_TYPE)
            same = is_integer(&field, ONNX_FLOAT32);
        else if (field.number == ONNX_TENSOR_NAME)
            same = is_text(&field, tensor->name);
        else
            same = field.number == ONNX_TENSOR_DATA && same_values(comparison, &field, tensor);
    }
    same = same && tally.seen[ONNX_TENSOR_DIMS] == tensor->rank && tally.seen[ONNX_TENSOR_TYPE] == 1 &&
           tally.seen[ONNX_TENSOR_NAME] == 1 && tally.seen[ONNX_TENSOR_DATA] == 1;
    return same || differs(comparison, "the tensor %s", tensor->name);
}

/* ---- inputs and outputs ---- */

/* The only field of a message, and it is a message itself. */
static bool open_only(const struct wire_field *message, unsigned number, struct wire_field *out)
{
    struct wire_reader reader = wire_open(message);
    return wire_next(&reader, out) == WIRE_FIELD && out->number == number && out->kind == WIRE_BYTES &&
           reader.at == reader.end;
}

static bool same_dimension(const struct wire_field *message, int64_t size)
{
    struct wire_reader reader = wire_open(message);
    struct wire_field field;
    if (wire_next(&reader, &field) != WIRE_FIELD || reader.at != reader.end) return false;
    if (size > 0) return field.number == ONNX_DIMENSION_VALUE && is_integer(&field, size);
    return field.number == ONNX_DIMENSION_NAME && is_text(&field, ONNX_BATCH);
}

static bool same_shape(const struct wire_field *message, const struct onnx_value *value)
{
    struct wire_reader reader = wire_open(message);
    struct wire_field field;
    int dim = 0;
    for (enum wire_next result; (result = wire_next(&reader, &field)) != WIRE_END; dim++)
        if (result == WIRE_DAMAGED || field.number != ONNX_SHAPE_DIMENSION || field.kind != WIRE_BYTES ||
            dim >= value->rank || !same_dimension(&field, value->dims[dim]))
            return false;
    return dim == value->rank;
}

static bool same_type(const struct wire_field *message, const struct onnx_value *value)
{
    struct wire_field tensor, element, shape;
    if (!open_only(message, ONNX_TYPE_TENSOR, &tensor)) return false;
    struct wire_reader reader = wire_open(&tensor);
    return wire_next(&reader, &element) == WIRE_FIELD && element.number == ONNX_TENSOR_ELEMENT &&
           is_integer(&element, value->type) && wire_next(&reader, &shape) == WIRE_FIELD &&
           shape.number == ONNX_TENSOR_SHAPE && shape.kind == WIRE_BYTES && reader.at == reader.end &&
           same_shape(&shape, value);
}

static bool same_value(struct comparison *comparison, const struct wire_field *message, const struct onnx_value *value)
{
    struct wire_reader reader = wire_open(message);
    struct wire_field name, type;
    const bool same = wire_next(&reader, &name) == WIRE_FIELD && name.number == ONNX_VALUE_NAME &&
                      is_text(&name, value->name) && wire_next(&reader, &type) == WIRE_FIELD &&
                      type.number == ONNX_VALUE_TYPE && type.kind == WIRE_BYTES && reader.at == reader.end &&
                      same_type(&type, value);
    return same || differs(comparison, "%s", value->name);
}

/* ---- the whole ---- */
static bool same_graph_field(struct comparison *comparison, const struct wire_field *field, const struct tally *tally)
{
    const struct onnx_graph *graph = comparison->graph;
    const int at = tally->seen[field->number] - 1;
    if (field->kind != WIRE_BYTES) return differs(comparison, "the graph");
    if (field->number == ONNX_GRAPH_NODE && at < graph->node_count)
        return same_node(comparison, field, &graph->nodes[at]);
    if (field->number == ONNX_GRAPH_TENSOR && at < graph->tensor_count)
        return same_tensor(comparison, field, &graph->tensors[at]);
    if (field->number == ONNX_GRAPH_INPUT && at < 1) return same_value(comparison, field, &graph->input);
    if (field->number == ONNX_GRAPH_OUTPUT && at < graph->outputs)
        return same_value(comparison, field, &graph->output[at]);
    if (field->number == ONNX_GRAPH_NAME && is_text(field, graph->name)) return true;
    return differs(comparison, "the graph");
}

static bool same_graph(struct comparison *comparison, const struct wire_field *message)
{
    const struct onnx_graph *graph = comparison->graph;
    struct wire_reader reader = wire_open(message);
    struct wire_field field;
    struct tally tally = {{0}};
    while (next(comparison, &reader, &field, &tally, "the graph"))
        if (!same_graph_field(comparison, &field, &tally)) return false;
    return (tally.seen[ONNX_GRAPH_NODE] == graph->node_count && tally.seen[ONNX_GRAPH_TENSOR] == graph->tensor_count &&
            tally.seen[ONNX_GRAPH_INPUT] == 1 && tally.seen[ONNX_GRAPH_OUTPUT] == graph->outputs &&
            tally.seen[ONNX_GRAPH_NAME] == 1) ||
           differs(comparison, "the graph");
}

/* A message of two fields: a text, then a text or (NULL) a number. */
static bool same_pair(const struct wire_field *message, const char *first, const char *second, int64_t number)
{
    struct wire_reader reader = wire_open(message);
    struct wire_field a, b;
    return message->kind == WIRE_BYTES && wire_next(&reader, &a) == WIRE_FIELD && a.number == 1 && is_text(&a, first) &&
           wire_next(&reader, &b) == WIRE_FIELD && b.number == 2 && reader.at == reader.end &&
           (second ? is_text(&b, second) : is_integer(&b, number));
}

static bool same_model_field(struct comparison *comparison, const struct wire_field *field)
{
    const struct onnx_graph *graph = comparison->graph;
    switch (field->number) {
    case ONNX_MODEL_IR_VERSION:
        return is_integer(field, ONNX_IR_VERSION);
    case ONNX_MODEL_PRODUCER:
        return is_text(field, ONNX_PRODUCER);
    case ONNX_MODEL_PRODUCER_VERSION:
        return is_text(field, graph->version);
    case ONNX_MODEL_DESCRIPTION:
        return is_text(field, graph->description);
    case ONNX_MODEL_OPSET:
        return same_pair(field, "", NULL, ONNX_OPSET);
    case ONNX_MODEL_METADATA:
        return same_pair(field, ONNX_METADATA_KEY, graph->metadata, 0);
    case ONNX_MODEL_GRAPH:
        return field->kind == WIRE_BYTES && same_graph(comparison, field);
    default:
        return false;
    }
}

static bool same_model(struct comparison *comparison, const uint8_t *bytes, size_t count)
{
    static const int once[] = {ONNX_MODEL_IR_VERSION,  ONNX_MODEL_PRODUCER, ONNX_MODEL_PRODUCER_VERSION,
                               ONNX_MODEL_DESCRIPTION, ONNX_MODEL_GRAPH,    ONNX_MODEL_OPSET,
                               ONNX_MODEL_METADATA};
    struct wire_reader reader = {bytes, bytes + count};
    struct wire_field field;
    struct tally tally = {{0}};
    while (next(comparison, &reader, &field, &tally, "the file"))
        if (!same_model_field(comparison, &field)) return differs(comparison, "field %u of the file", field.number);
    for (size_t i = 0; i < sizeof once / sizeof *once; i++)
        if (tally.seen[once[i]] != 1) return differs(comparison, "field %d of the file", once[i]);
    return !comparison->differs;
}

int onnx_compare_bytes(const uint8_t *bytes, size_t count, const char *name, const struct onnx_graph *graph,
                       struct error *error)
{
    struct comparison comparison = {.graph = graph};
    size_t most = 1;
    for (int i = 0; i < graph->tensor_count; i++)
        if (graph->tensors[i].count > most) most = graph->tensors[i].count;
    comparison.values = memory_array(most, sizeof *comparison.values);
    if (!comparison.values) return error_no_memory(error, "the largest tensor", most * sizeof *comparison.values);
    const bool same = same_model(&comparison, bytes, count);
    memory_free(comparison.values);
    if (same) return SIMCLR_OK;
    return error_set(error, SIMCLR_CORRUPT,
                     "%s: reads back otherwise than it was written (%s): the disk or the memory may be faulty", name,
                     comparison.what);
}

int onnx_compare(const char *path, const struct onnx_graph *graph, struct error *error)
{
    uint8_t *bytes;
    size_t count;
    int status = file_read(path, FILE_MOST, &bytes, &count, error);
    if (status) return status;
    status = onnx_compare_bytes(bytes, count, path, graph, error);
    memory_free(bytes);
    return status;
}
