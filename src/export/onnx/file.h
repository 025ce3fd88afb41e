/* export/onnx/file.h -- an ONNX graph as a file: a ModelProto of protocol buffers (onnx.proto3 of onnx 1.8). */
#ifndef EXPORT_ONNX_FILE_H
#define EXPORT_ONNX_FILE_H

#include "export/onnx/graph.h"

/* What a file takes, in bytes. */
uint64_t onnx_file_bytes(const struct onnx_graph *graph);

/* Writes the file, whole or not at all. SIMCLR_UNSUPPORTED where it would take 2 GiB or more, which no reader of
 * protocol buffers takes. SIMCLR_IO, SIMCLR_NO_MEMORY. */
int onnx_write(const char *path, const struct onnx_graph *graph, struct error *error);

/* Reads the file back and compares everything in it with the graph: texts, nodes, attributes, every value of every
 * tensor. SIMCLR_CORRUPT, with what differs first. SIMCLR_IO, SIMCLR_NO_MEMORY. */
int onnx_compare(const char *path, const struct onnx_graph *graph, struct error *error);
/* The same of bytes in memory. `name` is for sentences. */
int onnx_compare_bytes(const uint8_t *bytes, size_t count, const char *name, const struct onnx_graph *graph,
                       struct error *error);

/* Numbers of fields. */
enum onnx_model_field {
    ONNX_MODEL_IR_VERSION = 1,
    ONNX_MODEL_PRODUCER = 2,
    ONNX_MODEL_PRODUCER_VERSION = 3,
    ONNX_MODEL_DESCRIPTION = 6,
    ONNX_MODEL_GRAPH = 7,
    ONNX_MODEL_OPSET = 8,
    ONNX_MODEL_METADATA = 14
};
enum onnx_graph_field {
    ONNX_GRAPH_NODE = 1,
    ONNX_GRAPH_NAME = 2,
    ONNX_GRAPH_TENSOR = 5,
    ONNX_GRAPH_INPUT = 11,
    ONNX_GRAPH_OUTPUT = 12
};
enum onnx_node_field {
    ONNX_NODE_INPUT = 1,
    ONNX_NODE_OUTPUT = 2,
    ONNX_NODE_NAME = 3,
    ONNX_NODE_TYPE = 4,
    ONNX_NODE_ATTRIBUTE = 5
};
enum onnx_attribute_field {
    ONNX_ATTRIBUTE_NAME = 1,
    ONNX_ATTRIBUTE_FLOAT = 2,
    ONNX_ATTRIBUTE_INT = 3,
    ONNX_ATTRIBUTE_INTS = 8,
    ONNX_ATTRIBUTE_KIND = 20
};
enum onnx_tensor_field { ONNX_TENSOR_DIMS = 1, ONNX_TENSOR_TYPE = 2, ONNX_TENSOR_NAME = 8, ONNX_TENSOR_DATA = 9 };
/* ValueInfoProto, its TypeProto, Tensor, TensorShapeProto and Dimension. */
enum onnx_value_field {
    ONNX_VALUE_NAME = 1,
    ONNX_VALUE_TYPE = 2,
    ONNX_TYPE_TENSOR = 1,
    ONNX_TENSOR_ELEMENT = 1,
    ONNX_TENSOR_SHAPE = 2,
    ONNX_SHAPE_DIMENSION = 1,
    ONNX_DIMENSION_VALUE = 1,
    ONNX_DIMENSION_NAME = 2
};
#define ONNX_PRODUCER "simclr"
#define ONNX_METADATA_KEY "simclr"
#define ONNX_BATCH "N"

#endif
