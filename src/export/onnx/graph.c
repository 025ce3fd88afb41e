/* export/onnx/graph.c -- see graph.h. */
#include "export/onnx/graph.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"

void onnx_graph_free(struct onnx_graph *graph)
{
    for (int i = 0; i < graph->tensor_count; i++) {
        const struct onnx_tensor *tensor = &graph->tensors[i];
        memory_free(tensor->own);
        memory_free(tensor->factors);
    }
    memory_free(graph->nodes);
    memory_free(graph->tensors);
    *graph = (struct onnx_graph){0};
}

/* One more item in an array, zeroed; NULL without memory. */
static void *add(struct onnx_graph *graph, void *items, int *count, int *capacity, size_t size)
{
    void **array = items;
    if (graph->failed) return NULL;
    if (*count == *capacity) {
        const int more = *capacity ? 2 * *capacity : 64;
        void *grown = memory_grow(*array, (size_t)*capacity, (size_t)more, size);
        if (!grown) {
            graph->failed = true;
            return NULL;
        }
        *array = grown;
        *capacity = more;
    }
    void *item = (char *)*array + (size_t)(*count)++ * size;
    memset(item, 0, size);
    return item;
}

/* ---- nodes ---- */
struct onnx_node *onnx_add_node(struct onnx_graph *graph, const char *type, const char *output,
                                const char *const *inputs)
{
    struct onnx_node *node = add(graph, &graph->nodes, &graph->node_count, &graph->node_capacity, sizeof *graph->nodes);
    if (!node) return NULL;
    node->type = type;
    snprintf(node->output, sizeof node->output, "%s", output);
    snprintf(node->name, sizeof node->name, "%.100s/%s", output, type);
    while (inputs[node->inputs] && node->inputs < ONNX_INPUTS) {
        snprintf(node->input[node->inputs], ONNX_NAME, "%s", inputs[node->inputs]);
        node->inputs++;
    }
    return node;
}

static struct onnx_attribute *add_attribute(struct onnx_node *node, const char *name, enum onnx_attribute_kind kind)
{
    struct onnx_attribute *attribute = &node->attribute[node->attributes++];
    attribute->name = name;
    attribute->kind = kind;
    return attribute;
}

void onnx_set_integer(struct onnx_node *node, const char *name, int64_t value)
{
    if (!node) return;
    struct onnx_attribute *attribute = add_attribute(node, name, ONNX_INT);
    attribute->count = 1;
    attribute->integers[0] = value;
}

void onnx_set_float(struct onnx_node *node, const char *name, float value)
{
    if (node) add_attribute(node, name, ONNX_FLOAT)->number = value;
}

void onnx_set_integers(struct onnx_node *node, const char *name, int64_t value, int count)
{
    const int64_t values[ONNX_RANK] = {value, value, value, value};
    onnx_set_order(node, name, values, count);
}

void onnx_set_order(struct onnx_node *node, const char *name, const int64_t *values, int count)
{
    if (!node) return;
    struct onnx_attribute *attribute = add_attribute(node, name, ONNX_INTS);
    attribute->count = count;
    memcpy(attribute->integers, values, (size_t)count * sizeof *values);
}

/* ---- tensors ---- */
static struct onnx_tensor *add_tensor(struct onnx_graph *graph, const char *name, int rank)
{
    struct onnx_tensor *tensor =
        add(graph, &graph->tensors, &graph->tensor_count, &graph->tensor_capacity, sizeof *graph->tensors);
    if (!tensor) return NULL;
    snprintf(tensor->name, sizeof tensor->name, "%s", name);
    tensor->rank = rank;
    tensor->count = 1;
    return tensor;
}

float *onnx_add_tensor(struct onnx_graph *graph, const char *name, int rank, const int64_t *dims)
{
    struct onnx_tensor *tensor = add_tensor(graph, name, rank);
    if (!tensor) return NULL;
    for (int i = 0; i < rank; i++) tensor->count *= (size_t)(tensor->dims[i] = dims[i]);
    float *values = memory_array(tensor->count, sizeof *values);
    tensor->own = values;
    tensor->values = values;
    graph->failed |= !values;
    return values;
}

void onnx_add_parameter(struct onnx_graph *graph, const char *name, const struct parameters *parameters, int row,
                        double *factors)
{
    const struct parameter *item = &parameters->items[row];
    struct onnx_tensor *tensor = add_tensor(graph, name, item->rank);
    if (!tensor) {
        memory_free(factors);
        return;
    }
    for (int i = 0; i < item->rank; i++) tensor->dims[i] = item->dims[i];
    tensor->count = item->count;
    tensor->parameters = parameters;
    tensor->values = parameter_weights(parameters, row);
    tensor->factors = factors;
}

void onnx_tensor_values(const struct onnx_tensor *tensor, float *out)
{
    const float *values =
        tensor->parameters ? parameters_look(tensor->parameters, tensor->values, tensor->count) : tensor->values;
    if (!tensor->factors) {
        memcpy(out, values, tensor->count * sizeof *out);
        return;
    }
    const size_t each = tensor->count / (size_t)tensor->dims[0];
    for (size_t i = 0; i < tensor->count; i++) out[i] = (float)((double)values[i] * tensor->factors[i / each]);
}

struct onnx_value onnx_value(const char *name, enum onnx_type type, int rank, const int64_t *dims)
{
    struct onnx_value value = {.type = type, .rank = rank};
    snprintf(value.name, sizeof value.name, "%s", name);
    memcpy(value.dims, dims, (size_t)rank * sizeof *dims);
    return value;
}
