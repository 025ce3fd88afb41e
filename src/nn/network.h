/* nn/network.h -- a network as a list of operations, planned once for a batch and a backend, then run.
 *
 * Building: the calls of nn/ops/ops.h append operations and return tensor numbers; shapes are inferred and checked.
 * Planning: network_plan creates every operation's plan and lays all activations and gradients out in one arena
 * by lifetime (a tensor's bytes are reused as soon as its last reader has run).
 * Running: network_forward, network_backward allocate nothing and cannot fail. */
#ifndef NN_NETWORK_H
#define NN_NETWORK_H

#include "backend/backend.h"
#include "comm/communicator.h"
#include "tensor/parameters.h"

struct network;

enum network_mode {
    NETWORK_TRAINING, /* batch statistics, the next running ones written, everything backward needs is kept */
    NETWORK_INFERENCE /* running statistics, tensors dropped as soon as they are used               */
};

/* parameters: the table that the network's parameters are added to. If it already holds a name (the model is
 * being planned a second time, for another batch or mode), the existing row is used and its shape checked. */
int network_create(struct network **out, struct parameters *parameters, enum network_mode mode, enum dtype dtype,
                   struct error *error);
void network_destroy(struct network **network);

/* Returns tensor number 0. The operations are in nn/ops/ops.h. */
int network_input(struct network *network, int batch, int channels, int height, int width); /* IMAGES */
void network_name(struct network *network, int tensor, const char *name); /* for info and tests: "h", "z", "layer1.0" */

/* Tensors to keep readable after forward (besides the last one), e.g. h. */
void network_keep(struct network *network, int tensor);

/* The first failure of the calls above, or SIMCLR_OK. */
int network_check(const struct network *network, struct error *error);

/* Whether the way back makes batch norms' outputs again instead of keeping them (recompute.c). AUTO: where the arena
 * would be larger than 1 GiB otherwise. */
enum recompute { RECOMPUTE_AUTO, RECOMPUTE_OFF, RECOMPUTE_ON };
struct network_options {
    enum convolution convolution;
    enum recompute recompute; /* of networks in training */
    /* A network whose arena this one uses too where it is large enough: they take turns, and the owner is destroyed
     * last. NULL: an arena of its own. */
    const struct network *arena_of;
    /* Batches are groups of a larger one, each with batch-norm statistics of its own: forward passes leave the next
     * running ones alone, which network_begin_statistics and network_end_statistics make. */
    bool grouped;
    struct communicator *batch_of; /* borrowed: ranks that have the other groups of the larger batch; NULL: none */
    /* The activations of so many batches are kept at once, fewer where those would take more than `memory` bytes, but
     * always of one. 0: one. memory 0: however many. */
    int arenas;
    size_t memory;
    size_t limit; /* bytes: SIMCLR_NO_MEMORY where the activations of one batch need more; 0: no limit */
    bool dry; /* plans and measures, but allocates no memory for activations and gradients: running it does nothing */
    float statistics_share; /* of a batch's statistics in the next running ones; 0: the usual 0.1 */
    /* Ranks whose batches share their batch-norm statistics (borrowed; NULL: this network has the whole batch), and the
     * images of all of them together, of the networks' batches. Both passes are then collective. */
    struct communicator *statistics_of;
    int statistics_batch;
    /* Called in a backward pass, once for each operation: the gradients of all weights from `from` on, as the slab has
     * them, are complete, or asked for where the backend computes later. `from` falls to 0. In the calling thread;
     * NULL: nobody is told. */
    void (*gradients_ready)(void *context, size_t from);
    void *gradients_context;
};
/* Needs the parameters' memory. After a failure the network can only be destroyed. The last tensor made is kept.
 * options: copied; NULL: all AUTO. */
int network_plan(struct network *network, struct backend *backend, const struct network_options *options,
                 struct error *error);

/* Packs the weights into the plans: after loading and after every optimiser step. */
void network_set_weights(struct network *network);

/* images: [batch][C][H][W] in the type that the backend likes best (network_tensor of the input tells it), in the
 * host's memory. They must stay as they are until network_backward has returned. Backends that cannot read them there
 * get a copy, always at the same place. */
void network_set_images(struct network *network, const void *images);
/* What dropout is drawn by in the forward passes that follow: other values for each step. Before the first call: seed
 * 0, step 0. Nothing happens where no operation draws. */
void network_set_draw(struct network *network, uint64_t seed, int64_t step);
/* images: the same; NULL: those of network_set_images. */
void network_forward(struct network *network, const void *images);
/* Whether a pass ends at its next operation once the backend's pool is stopped (base/pool.h). What is then in its
 * tensors and gradients is no result: network_is_cut says so, until the next forward pass. */
void network_let_stop(struct network *network, bool stops);
bool network_is_cut(const struct network *network);
/* Floats [batch][C][H][W] as network_forward takes them: images, of network_image_bytes. Once the network is planned.
 */
void network_write_images(const struct network *network, void *images, const float *canonical);
size_t network_image_bytes(const struct network *network);
/* Reads a kept tensor as canonical float32 [batch][C][H][W]. */
void network_read(struct network *network, int tensor, float *canonical);
/* Where a kept tensor's values and gradient lie, in the backend's memory; network_tensor says what they are. A gradient
 * may be written between the forward and the backward pass. NULL for tensor -1 or one without a gradient. */
const void *network_value(const struct network *network, int tensor);
void *network_gradient(const struct network *network, int tensor);
/* d_output: canonical float32 gradient of the loss with respect to tensor `output`; fills the gradient slab. NULL: it
 * is in network_gradient already. output: the last tensor, or a kept one on the only way to it (h before the head):
 * operations after it then get zero gradients. Once per forward pass, in training mode (otherwise nothing happens):
 * values are overwritten. */
void network_backward(struct network *network, int output, const float *d_output);

/* Of several batches whose activations are kept at once (network_options.arenas): which one the calls above work on.
 * Its images are set anew before its backward pass. 0 to network_arenas - 1; it starts with 0. */
void network_choose_arena(struct network *network, int arena);
int network_arenas(const struct network *network);
/* Where batches are groups. Forward passes between the two add the sums over their batch to those of the others. The
 * second makes the next running statistics of all of them, as one batch: `batches` were run, on all ranks together. It
 * is collective. A pass at another time changes no statistics. */
void network_begin_statistics(struct network *network);
void network_end_statistics(struct network *network, int batches);

/* For `info`, `bench` and the memory estimate. */
struct network_row {
    const char *kind, *name; /* "conv", "layer1.0.conv1"; both owned by the network */
    struct tensor_desc input, output;
    int kernel, stride, padding; /* of convolutions and pools */
    float epsilon;               /* of batch norms           */
    int64_t parameters;
    double flops; /* forward, one image, multiply and add counted as two */
    size_t bytes; /* activation */
    const char *algorithm;
    struct conv_work work[CONV_PASSES];       /* convolutions and dense layers, once planned */
    double forward_seconds, backward_seconds; /* of the last timed run */
    double weights_seconds;                   /* of the backward seconds: convolutions' backward weights */
    double again_seconds;                     /* of the backward seconds: outputs made again */
};
int network_rows(const struct network *network, const struct network_row **rows); /* count; rows owned by network */

/* The graph, for exporters. */
struct network_operation {
    const char *type, *name; /* "batch_norm", "layer1.0.bn1" */
    int x, residual, y;      /* tensors; 0: the images, residual -1: none */
    bool relu;               /* y = max(0, .) */
    /* Rows of the parameter table, -1: none. Convolutions and dense layers: weight, bias; batch norms: gamma, beta,
     * running mean, running variance. */
    int parameters[4];
    /* Once it has run backward, the gradients of all weights from here on are complete. Once the network is planned. */
    size_t gradients_from;
    const struct network_row *row;
};
/* The i-th in the order in which they run. False, and nothing written, when there is none. */
bool network_operation(const struct network *network, int i, struct network_operation *out);
void network_time(struct network *network, bool on);       /* record seconds per operation */
size_t network_arena_bytes(const struct network *network); /* of one */
/* What ranks send each other: the channels of each operation whose batch statistics they share, in a pass either way
 * (channels: [number of operations], or NULL; returns how many there are); and the doubles that
 * network_end_statistics sums. */
int network_norms(const struct network *network, int *channels);
size_t network_totals(const struct network *network);
size_t network_plan_bytes(const struct network *network); /* sum of conv_bytes over the convolutions */
const struct tensor_desc *network_tensor(const struct network *network, int tensor);

#endif
