/* export/onnx/write.c -- the file is written in one pass: the sizes of all tensors are known before, so a message's
 * length can stand before its contents without a copy of them. */
#include <inttypes.h>
#include <limits.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/wire.h"
#include "export/onnx/file.h"

static void add_attribute(struct text *out, struct text *work, const struct onnx_attribute *attribute)
{
    work->length = 0;
    wire_add_text(work, ONNX_ATTRIBUTE_NAME, attribute->name);
    if (attribute->kind == ONNX_FLOAT) wire_add_float(work, ONNX_ATTRIBUTE_FLOAT, attribute->number);
    if (attribute->kind == ONNX_INT) wire_add_integer(work, ONNX_ATTRIBUTE_INT, attribute->integers[0]);
    for (int i = 0; attribute->kind == ONNX_INTS && i < attribute->count; i++)
        wire_add_integer(work, ONNX_ATTRIBUTE_INTS, attribute->integers[i]);
    wire_add_integer(work, ONNX_ATTRIBUTE_KIND, attribute->kind);
    wire_add_message(out, ONNX_NODE_ATTRIBUTE, work);
}

static void add_node(struct text *out, struct text work[2], const struct onnx_node *node)
{
    struct text *message = &work[0];
    for (int i = 0; i < node->inputs; i++) wire_add_text(message, ONNX_NODE_INPUT, node->input[i]);
    wire_add_text(message, ONNX_NODE_OUTPUT, node->output);
    wire_add_text(message, ONNX_NODE_NAME, node->name);
    wire_add_text(message, ONNX_NODE_TYPE, node->type);
    for (int i = 0; i < node->attributes; i++) add_attribute(message, &work[1], &node->attribute[i]);
    wire_add_message(out, ONNX_GRAPH_NODE, message);
}

/* All of a tensor but its values. */
static void add_tensor_head(struct text *out, const struct onnx_tensor *tensor)
{
    for (int i = 0; i < tensor->rank; i++) wire_add_integer(out, ONNX_TENSOR_DIMS, tensor->dims[i]);
    wire_add_integer(out, ONNX_TENSOR_TYPE, ONNX_FLOAT32);
    wire_add_text(out, ONNX_TENSOR_NAME, tensor->name);
    wire_add_head(out, ONNX_TENSOR_DATA, tensor->count * sizeof(float));
}

/* The tag and length of the message, and what of it comes before the values. */
static void add_tensor(struct text *out, struct text *work, const struct onnx_tensor *tensor)
{
    work->length = 0;
    add_tensor_head(work, tensor);
    wire_add_head(out, ONNX_GRAPH_TENSOR, work->length + tensor->count * sizeof(float));
    text_add_bytes(out, work->bytes, work->length);
    out->failed |= work->failed;
}

/* `work`: three texts, one for each level. */
static void add_value(struct text *out, struct text work[3], unsigned field, const struct onnx_value *value)
{
    struct text *dimension = &work[0], *shape = &work[1], *type = &work[2];
    for (int i = 0; i < value->rank; i++) {
        if (value->dims[i] > 0)
            wire_add_integer(dimension, ONNX_DIMENSION_VALUE, value->dims[i]);
        else
            wire_add_text(dimension, ONNX_DIMENSION_NAME, ONNX_BATCH);
        wire_add_message(shape, ONNX_SHAPE_DIMENSION, dimension);
    }
    wire_add_integer(type, ONNX_TENSOR_ELEMENT, value->type);
    wire_add_message(type, ONNX_TENSOR_SHAPE, shape);
    wire_add_message(dimension, ONNX_TYPE_TENSOR, type); /* TypeProto around it */
    wire_add_text(type, ONNX_VALUE_NAME, value->name);
    wire_add_message(type, ONNX_VALUE_TYPE, dimension);
    wire_add_message(out, field, type);
}

/* The parts of a file in their order; the tensors, each with its values, stand between `nodes` and `values`. */
struct parts {
    struct text head, nodes, values, tail;
    uint64_t tensors; /* bytes of them all */
    bool failed;
};

static void parts_free(struct parts *parts)
{
    text_free(&parts->head);
    text_free(&parts->nodes);
    text_free(&parts->values);
    text_free(&parts->tail);
}

static void add_tail(struct text *out, struct text *work, const struct onnx_graph *graph)
{
    wire_add_text(work, 1, ""); /* OperatorSetIdProto: domain, version */
    wire_add_integer(work, 2, ONNX_OPSET);
    wire_add_message(out, ONNX_MODEL_OPSET, work);
    wire_add_text(work, 1, ONNX_METADATA_KEY); /* StringStringEntryProto: key, value */
    wire_add_text(work, 2, graph->metadata);
    wire_add_message(out, ONNX_MODEL_METADATA, work);
}

static struct parts make_parts(const struct onnx_graph *graph)
{
    struct parts parts = {0};
    struct text work[3] = {{0}}, tensor = {0};
    for (int i = 0; i < graph->node_count; i++) add_node(&parts.nodes, work, &graph->nodes[i]);
    wire_add_text(&parts.nodes, ONNX_GRAPH_NAME, graph->name);
    for (int i = 0; i < graph->tensor_count; i++) {
        tensor.length = 0;
        add_tensor(&tensor, &work[0], &graph->tensors[i]);
        parts.tensors += tensor.length + graph->tensors[i].count * sizeof(float);
        parts.failed |= tensor.failed;
    }
    work[0].length = 0;
    add_value(&parts.values, work, ONNX_GRAPH_INPUT, &graph->input);
    for (int i = 0; i < graph->outputs; i++) add_value(&parts.values, work, ONNX_GRAPH_OUTPUT, &graph->output[i]);
    wire_add_integer(&parts.head, ONNX_MODEL_IR_VERSION, ONNX_IR_VERSION);
    wire_add_text(&parts.head, ONNX_MODEL_PRODUCER, ONNX_PRODUCER);
    wire_add_text(&parts.head, ONNX_MODEL_PRODUCER_VERSION, graph->version);
    wire_add_text(&parts.head, ONNX_MODEL_DESCRIPTION, graph->description);
    wire_add_head(&parts.head, ONNX_MODEL_GRAPH, parts.nodes.length + parts.tensors + parts.values.length);
    add_tail(&parts.tail, &work[0], graph);
    parts.failed |= parts.head.failed || parts.nodes.failed || parts.values.failed || parts.tail.failed;
    for (int i = 0; i < 3; i++) text_free(&work[i]);
    text_free(&tensor);
    return parts;
}

static uint64_t bytes_of(const struct parts *parts)
{
    return parts->head.length + parts->nodes.length + parts->tensors + parts->values.length + parts->tail.length;
}

uint64_t onnx_file_bytes(const struct onnx_graph *graph)
{
    struct parts parts = make_parts(graph);
    const uint64_t bytes = bytes_of(&parts);
    parts_free(&parts);
    return bytes;
}

static int write_tensors(struct file_writer *writer, const struct onnx_graph *graph, struct error *error)
{
    struct text head = {0}, work = {0};
    size_t most = 0;
    for (int i = 0; i < graph->tensor_count; i++)
        if (graph->tensors[i].count > most) most = graph->tensors[i].count;
    float *values = memory_array(most, sizeof *values);
    bool failed = !values;
    for (int i = 0; !failed && i < graph->tensor_count; i++) {
        const struct onnx_tensor *tensor = &graph->tensors[i];
        head.length = 0;
        add_tensor(&head, &work, tensor);
        failed = head.failed;
        if (failed) break;
        onnx_tensor_values(tensor, values);
        file_writer_write(writer, head.bytes, head.length);
        file_writer_write(writer, values, tensor->count * sizeof *values);
    }
    memory_free(values);
    text_free(&head);
    text_free(&work);
    return failed ? error_no_memory(error, "the largest tensor of an ONNX file", most * sizeof *values) : SIMCLR_OK;
}

static int write_parts(const char *path, const struct parts *parts, const struct onnx_graph *graph, struct error *error)
{
    struct file_writer *writer;
    int status = file_writer_open(&writer, path, error);
    if (status) return status;
    file_writer_write(writer, parts->head.bytes, parts->head.length);
    file_writer_write(writer, parts->nodes.bytes, parts->nodes.length);
    status = write_tensors(writer, graph, error);
    file_writer_write(writer, parts->values.bytes, parts->values.length);
    file_writer_write(writer, parts->tail.bytes, parts->tail.length);
    if (!status) return file_writer_commit(&writer, error);
    file_writer_abort(&writer);
    return status;
}

int onnx_write(const char *path, const struct onnx_graph *graph, struct error *error)
{
    struct parts parts = make_parts(graph);
    int status = SIMCLR_OK;
    if (parts.failed)
        status = error_no_memory(error, "an ONNX file", parts.nodes.capacity);
    else if (bytes_of(&parts) > INT32_MAX)
        status = error_set(error, SIMCLR_UNSUPPORTED,
                           "an ONNX file holds less than 2 GiB, and this network takes %.1f: --format pytorch has no "
                           "such limit",
                           (double)bytes_of(&parts) / 1073741824.0);
    else
        status = write_parts(path, &parts, graph, error);
    parts_free(&parts);
    return status;
}
