/* export/onnx/graph.h -- an ONNX graph in memory: nodes, the tensors that they start from, inputs and outputs. All that
 * a ResNet or an AlexNet needs of ONNX (onnx.proto3 and Operators.md of onnx 1.8: IR version 7, operator set 13), and
 * nothing else.
 *
 * Values have names. A node makes one value of others; a tensor is a value that the file holds. Nodes stand in an order
 * in which each follows those that it reads. */
#ifndef EXPORT_ONNX_GRAPH_H
#define EXPORT_ONNX_GRAPH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/text.h"
#include "tensor/parameters.h"

enum { ONNX_NAME = 128, ONNX_INPUTS = 5, ONNX_ATTRIBUTES = 5, ONNX_RANK = 4, ONNX_OUTPUTS = 3 };
enum { ONNX_IR_VERSION = 7, ONNX_OPSET = 13 };
enum onnx_type { ONNX_FLOAT32 = 1, ONNX_UINT8 = 2 }; /* TensorProto.DataType */

enum onnx_attribute_kind { ONNX_FLOAT = 1, ONNX_INT = 2, ONNX_INTS = 7 }; /* AttributeProto.AttributeType */
struct onnx_attribute {
    const char *name; /* a constant */
    enum onnx_attribute_kind kind;
    float number;
    int count; /* of integers */
    int64_t integers[ONNX_RANK];
};

struct onnx_node {
    const char *type; /* "Conv": a constant */
    char name[ONNX_NAME];
    int inputs, attributes;
    char input[ONNX_INPUTS][ONNX_NAME];
    char output[ONNX_NAME];
    struct onnx_attribute attribute[ONNX_ATTRIBUTES];
};

/* float32. Its values are `values`, each multiplied in double by the factor of its first index where there are any. */
struct onnx_tensor {
    char name[ONNX_NAME];
    int rank;
    int64_t dims[ONNX_RANK];
    size_t count;
    float *own;                          /* NULL: values are a parameter's */
    const float *values;                 /* own, or in the memory of `parameters` */
    const struct parameters *parameters; /* NULL: values are `own` */
    double *factors;                     /* [dims[0]], owned; NULL: none */
};

/* An input or an output. A dimension of 0 is the batch: N, any number. */
struct onnx_value {
    char name[ONNX_NAME];
    enum onnx_type type;
    int rank;
    int64_t dims[ONNX_RANK];
};

/* Start from {0}; release with onnx_graph_free. A call that finds no memory sets `failed`, and later ones do nothing.
 */
struct onnx_graph {
    const char *name;        /* borrowed, as the next three: UTF-8 */
    const char *description; /* for people: the model's doc_string */
    const char *metadata;    /* JSON, under the key "simclr" of the model's metadata */
    const char *version;     /* of who made it */
    struct onnx_node *nodes;
    struct onnx_tensor *tensors;
    int node_count, node_capacity, tensor_count, tensor_capacity;
    struct onnx_value input, output[ONNX_OUTPUTS];
    int outputs;
    bool failed;
};
void onnx_graph_free(struct onnx_graph *graph);

/* Appends a node of `type` that makes `output` of the inputs, with NULL behind the last of them: READS("a", "b"). Its
 * name is that of the output and the type. Valid until the next one is added; NULL after a failure, which the calls
 * below let pass. */
#define READS(...) ((const char *const[]){__VA_ARGS__, NULL})
struct onnx_node *onnx_add_node(struct onnx_graph *graph, const char *type, const char *output,
                                const char *const *inputs);
void onnx_set_integer(struct onnx_node *node, const char *name, int64_t value);
void onnx_set_float(struct onnx_node *node, const char *name, float value);
/* `count` times the same, at most ONNX_RANK. */
void onnx_set_integers(struct onnx_node *node, const char *name, int64_t value, int count);
void onnx_set_order(struct onnx_node *node, const char *name, const int64_t *values, int count);

/* A tensor of the graph's own with room for its values, zeros at first; NULL after a failure. */
float *onnx_add_tensor(struct onnx_graph *graph, const char *name, int rank, const int64_t *dims);
/* One that is a row of the table, which must stay as it is. factors: [first dimension], taken over, or NULL. */
void onnx_add_parameter(struct onnx_graph *graph, const char *name, const struct parameters *parameters, int row,
                        double *factors);
/* Writes the values of a tensor to out [count]. */
void onnx_tensor_values(const struct onnx_tensor *tensor, float *out);

struct onnx_value onnx_value(const char *name, enum onnx_type type, int rank, const int64_t *dims);

#endif
