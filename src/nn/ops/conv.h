/* nn/ops/conv.h -- a convolution, for conv.c and dense.c: to the backends a dense layer is a 1x1 convolution. */
#ifndef NN_OPS_CONV_H
#define NN_OPS_CONV_H

#include "nn/internal.h"
#include "nn/ops/ops.h"

struct conv_operation {
    int kernel, stride, padding;
    struct conv_plan *plan;
    float *absorbed_bias; /* [K]: of the batch norm that the weights have absorbed */
};

/* Appends one of this type, after network_begin; weight_rank 4: [K][C][kernel][kernel], 2: [K][C kernel kernel]. */
int conv_append(struct network *network, const struct operation_type *type, int weight_rank, const char *name, int x,
                const struct network_conv *conv);

/* Entries of both tables. */
void conv_describe(const struct network *network, const struct operation *operation, struct network_row *row);
int conv_plan(struct network *network, struct operation *operation, struct error *error);
void conv_bytes(const struct network *network, const struct operation *operation, struct operation_bytes *bytes);
void conv_set_weights(struct network *network, struct operation *operation);
void conv_forward(struct network *network, const struct operation *operation);
void conv_forward_absorbed(struct network *network, const struct operation *operation, const struct operation *norm);
void conv_backward(struct network *network, const struct operation *operation);
void conv_close(struct network *network, struct operation *operation);

#endif
