/* support/onnx_run.c -- see onnx_run.h. */
#include "support/onnx_run.h"

#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void end(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
static void end(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "onnx_run: ");
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n");
    va_end(arguments);
    abort();
}

static void *room(size_t count, size_t size)
{
    void *block = calloc(count ? count : 1, size);
    if (!block) end("no memory");
    return block;
}

/* ---- protocol buffers ---- */
struct span {
    const uint8_t *at, *end;
};
struct field {
    int number, kind;
    uint64_t value;
    struct span bytes;
};

static uint64_t varint(struct span *span)
{
    uint64_t value = 0;
    for (int i = 0; i < 10; i++) {
        if (span->at >= span->end) end("cut in a number");
        const uint8_t byte = *span->at++;
        value |= (uint64_t)(byte & 127) << 7 * i;
        if (!(byte & 128)) return value;
    }
    end("a number of more than ten bytes");
}

static bool next(struct span *span, struct field *field)
{
    *field = (struct field){0};
    if (span->at == span->end) return false;
    const uint64_t tag = varint(span);
    field->number = (int)(tag / 8);
    field->kind = (int)(tag % 8);
    if (field->kind == 0) {
        field->value = varint(span);
    } else if (field->kind == 5) {
        if (span->end - span->at < 4) end("cut in a float");
        field->value = (uint64_t)span->at[0] | (uint64_t)span->at[1] << 8 | (uint64_t)span->at[2] << 16 |
                       (uint64_t)span->at[3] << 24;
        span->at += 4;
    } else if (field->kind == 2) {
        const uint64_t length = varint(span);
        if (length > (uint64_t)(span->end - span->at)) end("field %d is longer than its message", field->number);
        field->bytes = (struct span){span->at, span->at + length};
        span->at += length;
    } else
        end("field %d of kind %d", field->number, field->kind);
    return true;
}

static void text(const struct field *field, char *out, size_t capacity)
{
    const size_t length = (size_t)(field->bytes.end - field->bytes.at);
    if (field->kind != 2 || length >= capacity) end("a text of %zu bytes", length);
    memcpy(out, field->bytes.at, length);
    out[length] = '\0';
}

static char *long_text(const struct field *field)
{
    const size_t length = (size_t)(field->bytes.end - field->bytes.at);
    char *out = room(length + 1, 1);
    text(field, out, length + 1);
    return out;
}

static double bits_to_float(uint64_t bits)
{
    const uint32_t word = (uint32_t)bits;
    float value;
    memcpy(&value, &word, sizeof value);
    return (double)value;
}

/* ---- messages ---- */
static void read_attribute(struct span span, struct onnx_run_node *node)
{
    struct field field;
    const int index = node->attributes++;
    if (index == 8) end("%s has too many attributes", node->name);
    while (next(&span, &field)) {
        if (field.number == 1) text(&field, node->attribute[index].name, sizeof node->attribute[index].name);
        if (field.number == 2) node->attribute[index].number = bits_to_float(field.value);
        if (field.number == 3 || field.number == 8) {
            if (node->attribute[index].count == 8) end("%s: a list is too long", node->name);
            node->attribute[index].integers[node->attribute[index].count++] = (int64_t)field.value;
        }
        if (field.number == 20) node->attribute[index].kind = (int)field.value;
        if (field.number != 1 && field.number != 2 && field.number != 3 && field.number != 8 && field.number != 20)
            end("%s: an attribute has a field %d", node->name, field.number);
    }
}

static void read_node(struct span span, struct onnx_run_node *node)
{
    struct field field;
    while (next(&span, &field)) {
        if (field.number == 1) {
            if (node->inputs == 6) end("a node has too many inputs");
            text(&field, node->input[node->inputs++], ONNX_RUN_NAME);
        } else if (field.number == 2) {
            node->outputs++;
            text(&field, node->output, ONNX_RUN_NAME);
        } else if (field.number == 3)
            text(&field, node->name, sizeof node->name);
        else if (field.number == 4)
            text(&field, node->type, sizeof node->type);
        else if (field.number == 5)
            read_attribute(field.bytes, node);
        else
            end("a node has a field %d", field.number);
    }
    if (node->outputs != 1) end("%s makes %d values", node->name, node->outputs);
}

static size_t count_of(const struct onnx_array *array)
{
    size_t count = 1;
    for (int i = 0; i < array->rank; i++) count *= (size_t)array->dims[i];
    return count;
}

static void read_tensor(struct span span, struct onnx_array *tensor)
{
    struct field field;
    struct span data = {0};
    while (next(&span, &field)) {
        if (field.number == 1)
            tensor->dims[tensor->rank++] = (int64_t)field.value;
        else if (field.number == 2)
            tensor->type = (int)field.value;
        else if (field.number == 8)
            text(&field, tensor->name, sizeof tensor->name);
        else if (field.number == 9)
            data = field.bytes;
        else
            end("a tensor has a field %d", field.number);
        if (tensor->rank > 4) end("a tensor of rank %d", tensor->rank);
    }
    const size_t count = count_of(tensor);
    if (tensor->type != 1 || (size_t)(data.end - data.at) != 4 * count) end("%s: not its numbers", tensor->name);
    tensor->values = room(count, sizeof *tensor->values);
    for (size_t i = 0; i < count; i++) {
        const uint8_t *at = data.at + 4 * i;
        tensor->values[i] =
            bits_to_float((uint64_t)at[0] | (uint64_t)at[1] << 8 | (uint64_t)at[2] << 16 | (uint64_t)at[3] << 24);
    }
}

static struct span only(struct span span, int number)
{
    struct field field;
    if (!next(&span, &field) || field.number != number || field.kind != 2 || span.at != span.end)
        end("field %d should be the only one", number);
    return field.bytes;
}

static void read_dimension(struct span span, struct onnx_array *value)
{
    struct field field;
    if (value->rank == 4 || !next(&span, &field)) end("%s: a dimension", value->name);
    value->dims[value->rank++] = field.number == 1 ? (int64_t)field.value : -1;
    if (field.number == 2) text(&field, value->symbol, sizeof value->symbol);
}

static void read_value(struct span span, struct onnx_array *value)
{
    struct field field, inner;
    while (next(&span, &field)) {
        if (field.number == 1) text(&field, value->name, sizeof value->name);
        if (field.number != 2) continue;
        struct span type = only(field.bytes, 1);
        while (next(&type, &inner)) {
            struct field dimension;
            if (inner.number == 1) value->type = (int)inner.value;
            if (inner.number != 2) continue;
            while (next(&inner.bytes, &dimension)) read_dimension(dimension.bytes, value);
        }
    }
}

static void read_graph(struct span span, struct onnx_model *model)
{
    struct field field;
    struct span again = span;
    while (next(&again, &field)) {
        model->node_count += field.number == 1;
        model->tensor_count += field.number == 5;
    }
    model->nodes = room((size_t)model->node_count, sizeof *model->nodes);
    model->tensors = room((size_t)model->tensor_count, sizeof *model->tensors);
    int nodes = 0, tensors = 0;
    while (next(&span, &field)) {
        if (field.number == 1)
            read_node(field.bytes, &model->nodes[nodes++]);
        else if (field.number == 5)
            read_tensor(field.bytes, &model->tensors[tensors++]);
        else if (field.number == 11) {
            model->input_count++;
            read_value(field.bytes, &model->input);
        } else if (field.number == 12) {
            if (model->output_count == 4) end("too many outputs");
            read_value(field.bytes, &model->outputs[model->output_count++]);
        } else if (field.number != 2)
            end("the graph has a field %d", field.number);
    }
}

static void read_pair(struct span span, struct onnx_model *model)
{
    struct field field;
    while (next(&span, &field)) {
        if (field.number == 1) text(&field, model->metadata_key, sizeof model->metadata_key);
        if (field.number == 2) model->metadata = long_text(&field);
    }
}

struct onnx_model *onnx_model_read(const uint8_t *bytes, size_t count)
{
    struct onnx_model *model = room(1, sizeof *model);
    struct span span = {bytes, bytes + count};
    struct field field, inner;
    while (next(&span, &field)) {
        if (field.number == 1) model->ir_version = (int64_t)field.value;
        if (field.number == 2) text(&field, model->producer, sizeof model->producer);
        if (field.number == 6) model->description = long_text(&field);
        if (field.number == 7) read_graph(field.bytes, model);
        if (field.number == 14) read_pair(field.bytes, model);
        while (field.number == 8 && next(&field.bytes, &inner))
            if (inner.number == 2) model->opset = (int64_t)inner.value;
    }
    return model;
}

void onnx_model_free(struct onnx_model *model)
{
    for (int i = 0; i < model->tensor_count; i++) free(model->tensors[i].values);
    free(model->tensors);
    free(model->nodes);
    free(model->description);
    free(model->metadata);
    free(model);
}

int onnx_model_count(const struct onnx_model *model, const char *type)
{
    int count = 0;
    for (int i = 0; i < model->node_count; i++) count += !strcmp(model->nodes[i].type, type);
    return count;
}

static bool is_tensor(const struct onnx_model *model, const char *name)
{
    for (int i = 0; i < model->tensor_count; i++)
        if (!strcmp(model->tensors[i].name, name)) return true;
    return false;
}

void onnx_model_check(const struct onnx_model *model)
{
    if (model->input_count != 1) end("%d inputs", model->input_count);
    if (is_tensor(model, model->input.name)) end("the input is a tensor too");
    for (int i = 0; i < model->tensor_count; i++)
        for (int j = 0; j < i; j++)
            if (!strcmp(model->tensors[i].name, model->tensors[j].name)) end("two tensors %s", model->tensors[i].name);
    for (int i = 0; i < model->node_count; i++) {
        const struct onnx_run_node *node = &model->nodes[i];
        for (int k = 0; k < node->inputs; k++) {
            bool made = is_tensor(model, node->input[k]) || !strcmp(node->input[k], model->input.name);
            for (int j = 0; j < i; j++) made |= !strcmp(model->nodes[j].output, node->input[k]);
            if (!made) end("%s reads %s, which nothing makes before", node->name, node->input[k]);
        }
        for (int j = 0; j < i; j++)
            if (!strcmp(model->nodes[j].name, node->name) || !strcmp(model->nodes[j].output, node->output))
                end("two nodes %s", node->name);
        if (is_tensor(model, node->output)) end("%s is made and is a tensor", node->output);
    }
    for (int i = 0; i < model->output_count; i++) {
        bool made = false;
        for (int j = 0; j < model->node_count; j++) made |= !strcmp(model->nodes[j].output, model->outputs[i].name);
        if (!made) end("nothing makes the output %s", model->outputs[i].name);
    }
}

/* ---- running: the values made so far ---- */
struct run {
    const struct onnx_model *model;
    struct onnx_array *made;
    int count;
};

static const struct onnx_array *value_of(const struct run *run, const char *name)
{
    for (int i = 0; i < run->count; i++)
        if (!strcmp(run->made[i].name, name)) return &run->made[i];
    for (int i = 0; i < run->model->tensor_count; i++)
        if (!strcmp(run->model->tensors[i].name, name)) return &run->model->tensors[i];
    end("there is no value %s", name);
}

static const int64_t *integers(const struct onnx_run_node *node, const char *name, int count)
{
    for (int i = 0; i < node->attributes; i++)
        if (!strcmp(node->attribute[i].name, name) && node->attribute[i].count == count)
            return node->attribute[i].integers;
    end("%s: no %s of %d numbers", node->name, name, count);
}

static struct onnx_array array(int rank, const int64_t *dims)
{
    struct onnx_array out = {.rank = rank};
    memcpy(out.dims, dims, (size_t)rank * sizeof *dims);
    out.values = room(count_of(&out), sizeof *out.values);
    return out;
}

/* Which pixel a window begins at, and how many there are of the output. */
static int64_t windows(int64_t in, int64_t kernel, int64_t stride, int64_t pads)
{
    return (in + pads - kernel) / stride + 1;
}

static struct onnx_array run_conv(const struct run *run, const struct onnx_run_node *node)
{
    const struct onnx_array *x = value_of(run, node->input[0]), *w = value_of(run, node->input[1]),
                            *b = node->inputs > 2 ? value_of(run, node->input[2]) : NULL;
    const int64_t *pads = integers(node, "pads", 4), *strides = integers(node, "strides", 2),
                  *kernel = integers(node, "kernel_shape", 2);
    if (integers(node, "dilations", 2)[0] != 1 || integers(node, "group", 1)[0] != 1 || w->dims[1] != x->dims[1] ||
        w->dims[2] != kernel[0] || w->dims[3] != kernel[1])
        end("%s: shapes", node->name);
    const int64_t height = windows(x->dims[2], kernel[0], strides[0], pads[0] + pads[2]),
                  width = windows(x->dims[3], kernel[1], strides[1], pads[1] + pads[3]);
    struct onnx_array y = array(4, (const int64_t[]){x->dims[0], w->dims[0], height, width});
    double *out = y.values;
    for (int64_t n = 0; n < x->dims[0]; n++)
        for (int64_t o = 0; o < w->dims[0]; o++)
            for (int64_t i = 0; i < height; i++)
                for (int64_t j = 0; j < width; j++) {
                    double sum = b ? b->values[o] : 0;
                    for (int64_t c = 0; c < x->dims[1]; c++)
                        for (int64_t u = 0; u < kernel[0]; u++)
                            for (int64_t v = 0; v < kernel[1]; v++) {
                                const int64_t row = i * strides[0] + u - pads[0], column = j * strides[1] + v - pads[1];
                                if (row < 0 || row >= x->dims[2] || column < 0 || column >= x->dims[3]) continue;
                                sum += x->values[((n * x->dims[1] + c) * x->dims[2] + row) * x->dims[3] + column] *
                                       w->values[((o * w->dims[1] + c) * kernel[0] + u) * kernel[1] + v];
                            }
                    *out++ = sum;
                }
    return y;
}

static struct onnx_array run_max_pool(const struct run *run, const struct onnx_run_node *node)
{
    const struct onnx_array *x = value_of(run, node->input[0]);
    const int64_t *pads = integers(node, "pads", 4), *strides = integers(node, "strides", 2),
                  *kernel = integers(node, "kernel_shape", 2);
    const int64_t height = windows(x->dims[2], kernel[0], strides[0], pads[0] + pads[2]),
                  width = windows(x->dims[3], kernel[1], strides[1], pads[1] + pads[3]);
    struct onnx_array y = array(4, (const int64_t[]){x->dims[0], x->dims[1], height, width});
    double *out = y.values;
    for (int64_t plane = 0; plane < x->dims[0] * x->dims[1]; plane++)
        for (int64_t i = 0; i < height; i++)
            for (int64_t j = 0; j < width; j++, out++) {
                *out = -INFINITY;
                for (int64_t u = 0; u < kernel[0]; u++)
                    for (int64_t v = 0; v < kernel[1]; v++) {
                        const int64_t row = i * strides[0] + u - pads[0], column = j * strides[1] + v - pads[1];
                        if (row < 0 || row >= x->dims[2] || column < 0 || column >= x->dims[3]) continue;
                        *out = fmax(*out, x->values[(plane * x->dims[2] + row) * x->dims[3] + column]);
                    }
            }
    return y;
}

static struct onnx_array run_batch_norm(const struct run *run, const struct onnx_run_node *node)
{
    const struct onnx_array *x = value_of(run, node->input[0]), *scale = value_of(run, node->input[1]),
                            *shift = value_of(run, node->input[2]), *mean = value_of(run, node->input[3]),
                            *variance = value_of(run, node->input[4]);
    double epsilon = 1e-5;
    for (int i = 0; i < node->attributes; i++)
        if (!strcmp(node->attribute[i].name, "epsilon")) epsilon = node->attribute[i].number;
    struct onnx_array y = array(x->rank, x->dims);
    const size_t count = count_of(x), pixels = count / (size_t)(x->dims[0] * x->dims[1]);
    for (size_t i = 0; i < count; i++) {
        const size_t c = i / pixels % (size_t)x->dims[1];
        y.values[i] = (x->values[i] - mean->values[c]) / sqrt(variance->values[c] + epsilon) * scale->values[c] +
                      shift->values[c];
    }
    return y;
}

/* The right side has the left's shape, or ones where it is repeated. */
static struct onnx_array run_arithmetic(const struct run *run, const struct onnx_run_node *node)
{
    const struct onnx_array *a = value_of(run, node->input[0]), *b = value_of(run, node->input[1]);
    struct onnx_array y = array(a->rank, a->dims);
    for (size_t i = 0; i < count_of(a); i++) {
        size_t index = 0, step = 1, rest = i;
        for (int d = 0; d < a->rank; d++) {
            const int at = a->rank - 1 - d, other = b->rank - 1 - d;
            const size_t place = rest % (size_t)a->dims[at];
            rest /= (size_t)a->dims[at];
            if (other < 0) continue;
            if (b->dims[other] != 1 && b->dims[other] != a->dims[at]) end("%s: shapes", node->name);
            index += b->dims[other] == 1 ? 0 : place * step;
            step *= (size_t)b->dims[other];
        }
        const double left = a->values[i], right = b->values[index];
        y.values[i] = node->type[0] == 'A'   ? left + right
                      : node->type[0] == 'S' ? left - right
                      : node->type[0] == 'M' ? left * right
                                             : left / right;
    }
    return y;
}

static struct onnx_array run_gemm(const struct run *run, const struct onnx_run_node *node)
{
    const struct onnx_array *a = value_of(run, node->input[0]), *b = value_of(run, node->input[1]),
                            *c = node->inputs > 2 ? value_of(run, node->input[2]) : NULL;
    if (a->rank != 2 || b->rank != 2 || integers(node, "transB", 1)[0] != 1 || a->dims[1] != b->dims[1])
        end("%s: shapes", node->name);
    struct onnx_array y = array(2, (const int64_t[]){a->dims[0], b->dims[0]});
    for (int64_t i = 0; i < a->dims[0]; i++)
        for (int64_t j = 0; j < b->dims[0]; j++) {
            double sum = c ? c->values[j] : 0;
            for (int64_t k = 0; k < a->dims[1]; k++)
                sum += a->values[i * a->dims[1] + k] * b->values[j * a->dims[1] + k];
            y.values[i * b->dims[0] + j] = sum;
        }
    return y;
}

/* One side has two dimensions and is repeated for every matrix of the other. */
static struct onnx_array run_mat_mul(const struct run *run, const struct onnx_run_node *node)
{
    const struct onnx_array *a = value_of(run, node->input[0]), *b = value_of(run, node->input[1]);
    const struct onnx_array *many = a->rank > b->rank ? a : b;
    const int64_t rows = a->dims[a->rank - 2], inner = a->dims[a->rank - 1], columns = b->dims[b->rank - 1];
    if ((a->rank != 2 && b->rank != 2) || b->dims[b->rank - 2] != inner) end("%s: shapes", node->name);
    struct onnx_array y = *many;
    y.dims[y.rank - 2] = rows;
    y.dims[y.rank - 1] = columns;
    y = array(y.rank, y.dims);
    for (size_t m = 0; m < count_of(&y) / (size_t)(rows * columns); m++) {
        const double *left = a->values + (a == many ? m * (size_t)(rows * inner) : 0),
                     *right = b->values + (b == many ? m * (size_t)(inner * columns) : 0);
        for (int64_t i = 0; i < rows; i++)
            for (int64_t j = 0; j < columns; j++) {
                double sum = 0;
                for (int64_t k = 0; k < inner; k++) sum += left[i * inner + k] * right[k * columns + j];
                y.values[m * (size_t)(rows * columns) + (size_t)(i * columns + j)] = sum;
            }
    }
    return y;
}

static struct onnx_array run_transpose(const struct run *run, const struct onnx_run_node *node)
{
    const struct onnx_array *x = value_of(run, node->input[0]);
    const int64_t *order = integers(node, "perm", 4);
    int64_t dims[4], step[4],
        strides[4] = {x->dims[1] * x->dims[2] * x->dims[3], x->dims[2] * x->dims[3], x->dims[3], 1};
    for (int i = 0; i < 4; i++) dims[i] = x->dims[order[i]];
    for (int i = 0; i < 4; i++) step[i] = strides[order[i]];
    struct onnx_array y = array(4, dims);
    double *out = y.values;
    for (int64_t a = 0; a < dims[0]; a++)
        for (int64_t b = 0; b < dims[1]; b++)
            for (int64_t c = 0; c < dims[2]; c++)
                for (int64_t d = 0; d < dims[3]; d++)
                    *out++ = x->values[a * step[0] + b * step[1] + c * step[2] + d * step[3]];
    return y;
}

static struct onnx_array run_softmax(const struct run *run, const struct onnx_run_node *node)
{
    const struct onnx_array *x = value_of(run, node->input[0]);
    if (x->rank != 2 || integers(node, "axis", 1)[0] != 1) end("%s: shapes", node->name);
    struct onnx_array y = array(2, x->dims);
    for (int64_t n = 0; n < x->dims[0]; n++) {
        const double *from = x->values + n * x->dims[1];
        double most = from[0], sum = 0;
        for (int64_t i = 0; i < x->dims[1]; i++) most = fmax(most, from[i]);
        for (int64_t i = 0; i < x->dims[1]; i++) sum += exp(from[i] - most);
        for (int64_t i = 0; i < x->dims[1]; i++) y.values[n * x->dims[1] + i] = exp(from[i] - most) / sum;
    }
    return y;
}

static struct onnx_array run_global_pool(const struct run *run, const struct onnx_run_node *node)
{
    const struct onnx_array *x = value_of(run, node->input[0]);
    const int64_t pixels = x->dims[2] * x->dims[3];
    struct onnx_array y = array(4, (const int64_t[]){x->dims[0], x->dims[1], 1, 1});
    for (int64_t plane = 0; plane < x->dims[0] * x->dims[1]; plane++)
        for (int64_t i = 0; i < pixels; i++) y.values[plane] += x->values[plane * pixels + i] / (double)pixels;
    return y;
}

static struct onnx_array run_same(const struct run *run, const struct onnx_run_node *node)
{
    const struct onnx_array *x = value_of(run, node->input[0]);
    struct onnx_array y = array(x->rank, x->dims);
    for (size_t i = 0; i < count_of(x); i++)
        y.values[i] = !strcmp(node->type, "Relu") ? fmax(x->values[i], 0) : x->values[i];
    if (!strcmp(node->type, "Cast") && integers(node, "to", 1)[0] != 1) end("%s: not to float", node->name);
    if (strcmp(node->type, "Flatten") != 0) return y;
    if (integers(node, "axis", 1)[0] != 1) end("%s: axis", node->name);
    y.rank = 2;
    y.dims[1] = (int64_t)(count_of(x) / (size_t)x->dims[0]);
    return y;
}

static struct onnx_array run_node(const struct run *run, const struct onnx_run_node *node)
{
    static const struct {
        const char *type;
        struct onnx_array (*run)(const struct run *run, const struct onnx_run_node *node);
    } known[] = {{"Conv", run_conv},           {"MaxPool", run_max_pool}, {"BatchNormalization", run_batch_norm},
                 {"Add", run_arithmetic},      {"Sub", run_arithmetic},   {"Mul", run_arithmetic},
                 {"Div", run_arithmetic},      {"Gemm", run_gemm},        {"MatMul", run_mat_mul},
                 {"Transpose", run_transpose}, {"Softmax", run_softmax},  {"GlobalAveragePool", run_global_pool},
                 {"Relu", run_same},           {"Flatten", run_same},     {"Cast", run_same}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(node->type, known[i].type)) return known[i].run(run, node);
    end("the operator %s is not known", node->type);
}

double *onnx_model_run(const struct onnx_model *model, const double *images, int batch, const char *output,
                       size_t *count)
{
    struct run run = {.model = model, .made = room((size_t)model->node_count + 1, sizeof *run.made)};
    int64_t dims[4];
    memcpy(dims, model->input.dims, sizeof dims);
    if (model->input.rank != 4 || dims[0] != -1) end("the input's shape");
    dims[0] = batch;
    struct onnx_array *made = &run.made[run.count++];
    *made = array(4, dims);
    memcpy(made->name, model->input.name, sizeof made->name);
    memcpy(made->values, images, count_of(made) * sizeof *images);
    for (int i = 0; i < model->node_count; i++) {
        struct onnx_array y = run_node(&run, &model->nodes[i]);
        memcpy(y.name, model->nodes[i].output, sizeof y.name);
        run.made[run.count++] = y;
    }
    const struct onnx_array *wanted = value_of(&run, output);
    *count = count_of(wanted);
    double *out = room(*count, sizeof *out);
    memcpy(out, wanted->values, *count * sizeof *out);
    for (int i = 0; i < run.count; i++) free(run.made[i].values);
    free(run.made);
    return out;
}
