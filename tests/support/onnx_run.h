/* support/onnx_run.h -- tests only: ONNX files decoded and run, from their description alone (onnx.proto, Operators.md)
 * and without a line of the writer's: a mistake there is not made twice. Everything is float64. What a file may not
 * have, or this reader does not know, ends the program with a sentence. */
#ifndef SUPPORT_ONNX_RUN_H
#define SUPPORT_ONNX_RUN_H

#include <stddef.h>
#include <stdint.h>

enum { ONNX_RUN_NAME = 128 };

struct onnx_array {
    char name[ONNX_RUN_NAME];
    int type; /* TensorProto.DataType: 1 float, 2 uint8 */
    int rank;
    int64_t dims[4]; /* of an input or output: -1 where it has a name, which is `symbol` */
    char symbol[16];
    double *values;
};

struct onnx_run_node {
    char type[32], name[ONNX_RUN_NAME], input[6][ONNX_RUN_NAME], output[ONNX_RUN_NAME];
    int inputs, outputs;
    struct {
        char name[32];
        int kind; /* AttributeProto.AttributeType */
        double number;
        int64_t integers[8];
        int count;
    } attribute[8];
    int attributes;
};

struct onnx_model {
    int64_t ir_version, opset;
    char *description, *metadata, metadata_key[32], producer[32];
    struct onnx_run_node *nodes;
    struct onnx_array *tensors, input, outputs[4];
    int node_count, tensor_count, input_count, output_count;
};

struct onnx_model *onnx_model_read(const uint8_t *bytes, size_t count);
void onnx_model_free(struct onnx_model *model);
int onnx_model_count(const struct onnx_model *model, const char *type); /* nodes of this type */
/* Names are unique, each node follows those that it reads, tensors are no inputs, all outputs are made. */
void onnx_model_check(const struct onnx_model *model);
/* The value `output` for `batch` images of the input's shape; returns a new block (free) of *count numbers. */
double *onnx_model_run(const struct onnx_model *model, const double *images, int batch, const char *output,
                       size_t *count);

#endif
