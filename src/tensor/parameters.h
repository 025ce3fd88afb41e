/* tensor/parameters.h -- all parameters of a model: one table of named views into slabs.
 *
 * Trainable tensors live in three parallel slabs with the same offsets: weights, gradients, and optimiser states. So
 * the optimiser, the norms and the checkpoint are flat loops over one table.
 *
 * Buffers (batch-norm running statistics) live in a slab of their own, beside one of equal form for the next ones. A
 * forward pass in training writes these. Only an update of the weights makes them the present ones.
 *
 * The slabs lie in memory that a backend owns (tensor/memory.h). Addresses of weights, gradients and buffers are for
 * the backend. The host looks at values with parameters_look and changes them with parameters_put.
 *
 * Canonical layout: torchvision's (convolutions OIHW, dense [out][in]), float32, row-major. */
#ifndef TENSOR_PARAMETERS_H
#define TENSOR_PARAMETERS_H

#include <stdint.h>

#include "base/error.h"
#include "tensor/memory.h"
#include "tensor/tensor.h"

enum parameter_flag {
    PARAMETER_DECAY = 1u << 0,     /* weight decay applies                                       */
    PARAMETER_ADAPT = 1u << 1,     /* LARS trust ratio applies                                   */
    PARAMETER_BUFFER = 1u << 2,    /* not trained: lives in the buffer slab                      */
    PARAMETER_HEAD = 1u << 3,      /* belongs to the projection head or the classifier           */
    PARAMETER_FROZEN = 1u << 4,    /* in the weight slab, but the optimiser leaves it alone      */
    PARAMETER_CLASSIFIER = 1u << 5 /* of the HEAD: the classifier, which training with labels always begins anew */
};

enum parameter_init {
    INIT_ZERO,
    INIT_ONE,
    INIT_TRUNCATED_NORMAL, /* variance 1 / fan_in, truncated at two standard deviations (before truncation:
                              std = sqrt(1 / fan_in) / .87962566103423978, as TensorFlow's VarianceScaling) */
    INIT_NORMAL_001,       /* N(0, 0.01^2) */
    INIT_UNIFORM           /* U(-1 / sqrt(fan_in), 1 / sqrt(fan_in)): PyTorch's convolutions and dense layers */
};

struct parameter {
    char name[96]; /* "layer1.0.conv1.weight", "head.fcs.0.weight" */
    int rank, dims[4];
    size_t count;  /* elements */
    size_t offset; /* in floats, into the weight (gradient, state) slab or the buffer slab; 16-aligned */
    unsigned flags;
    enum parameter_init init;
    int fan_in;
    float rate; /* what the learning rate is multiplied by: 1 unless a training sets it before it plans its optimiser */
};

/* Filled by parameters_add, then laid out once by parameters_allocate. */
struct parameters {
    struct parameter *items;
    int count, capacity;
    size_t weight_count, buffer_count;                   /* slab lengths in floats, padding (zeros) included */
    float *weights, *gradients, *buffers, *buffers_next; /* in `memory` */
    struct tensor_memory memory;
    float *staging; /* of the largest tensor: the host's */
};

struct parameter_form {
    int rank, dims[4];
    unsigned flags;
    enum parameter_init init;
    int fan_in; /* of INIT_TRUNCATED_NORMAL and INIT_UNIFORM */
};

/* Adds a row; returns its index or a negative status. */
int parameters_add(struct parameters *parameters, const char *name, const struct parameter_form *form,
                   struct error *error);
/* memory: where the slabs are to lie; it must outlive them. NULL: plain memory of the host. */
int parameters_allocate(struct parameters *parameters, const struct tensor_memory *memory, struct error *error);
void parameters_free(struct parameters *parameters);

int parameters_find(const struct parameters *parameters, const char *name); /* -1: none */
float *parameter_weights(const struct parameters *parameters, int index);   /* buffers give the buffer slab */
float *parameter_gradients(const struct parameters *parameters, int index); /* NULL for buffers */
float *parameter_next(const struct parameters *parameters, int index);      /* of a buffer: its next value */

/* Values of the slabs (of an optimiser's states too, which lie in the same memory), at most as many as the largest
 * tensor has, for the host to read. Valid until the next call. */
const float *parameters_look(const struct parameters *parameters, const float *values, size_t count);
/* Overwrites such values. */
void parameters_put(const struct parameters *parameters, float *to, const void *from_host, size_t count);

/* Initialises every tensor from (seed, its name). */
void parameters_initialize(struct parameters *parameters, uint64_t seed);

/* Hash over the encoder's (not HEAD) weights and buffers: proof that an evaluation left it frozen. */
uint64_t parameters_encoder_hash(const struct parameters *parameters);

#endif
