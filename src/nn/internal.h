/* nn/internal.h -- the network's data, shared by the files of this room only. */
#ifndef NN_INTERNAL_H
#define NN_INTERNAL_H

#include "nn/arena.h"
#include "nn/network.h"

#define NETWORK_NAME_LENGTH 80
#define BATCH_NORM_EPSILON 1e-5f
#define BATCH_NORM_MOMENTUM 0.1f

enum operation_kind {
    OPERATION_CONV,
    OPERATION_DENSE,
    OPERATION_BATCH_NORM,
    OPERATION_MAX_POOL,
    OPERATION_GLOBAL_POOL
};

struct operation {
    enum operation_kind kind;
    char name[NETWORK_NAME_LENGTH];
    int x, y, residual; /* tensors; residual -1: none                            */
    int weight, bias;   /* rows of the parameter table; bias (beta) -1: none     */
    int running_mean, running_var;
    int kernel, stride, padding; /* of convolutions and pools                             */
    bool relu;

    /* filled by network_plan */
    bool reached;       /* the gradient of the last tensor flows through it      */
    bool accumulate;    /* adds into d_x (batch norm: into d_residual)           */
    int folded;         /* batch norm in inference: the convolution that it is folded into and runs; -1: none */
    bool deferred;      /* convolution: the batch norm after it runs it       */
    float *folded_bias; /* of such a convolution: [K]                         */
    struct conv_plan *conv;
    struct batch_norm_plan *batch_norm;
    struct max_pool_plan *max_pool;
    struct global_pool_plan *global_pool;
    int redo_step; /* y is made again before this step of the way back, for its own readers; -1: it is not */
    int first_made, last_made; /* so for any reader: the same, or in the place of what it is added to; -1: never  */
    bool lends;                /* y is made once, when it is first added to something, and kept from then on      */
    int statistics_block, saved_block, mask_block;
    double *statistics; /* convolution: [2][K] sums for the batch norm after it  */
    void *saved;        /* batch norm: float [2][C]; max-pool: its choices       */
    void *mask;         /* batch norm: where its ReLU let through                */
};

struct node { /* a tensor */
    struct tensor_desc desc;
    char name[NETWORK_NAME_LENGTH];
    int producer; /* operation; -1: the images                             */
    bool kept;
    int block, again_block, gradient_block; /* in the arena; -1: none                   */
    void *data, *gradient;
    void *again; /* what the way back reads where the value was dropped and made again */
};

struct network {
    struct parameters *parameters; /* borrowed */
    enum network_mode mode;
    enum dtype dtype;
    struct error error; /* the first failure while building */

    struct node *tensors;
    int tensor_count, tensor_capacity;
    struct operation *operations;
    struct network_row *rows; /* parallel to operations */
    int operation_count, operation_capacity;

    struct backend *backend; /* borrowed; NULL until planned */
    struct arena_block *blocks;
    int block_count, block_capacity;
    char *arena;
    size_t arena_bytes, plan_bytes;
    float *folding; /* weights of one convolution times the scale of its batch norm */

    const void *images; /* of the forward pass under way */
    bool timed;
    /* Tests only: called after each step (operations forward, then backward), to look at what is alive then, or to
     * spoil what must not be read again. */
    void (*after_step)(struct network *network, int step);
    void *observer; /* theirs */
};

/* plan.c: does a batch norm in training read tensor y? Then the convolution that makes y sums its statistics on the
 * way. */
bool network_wants_statistics(const struct network *network, int y);
/* recompute.c */
bool network_reads_back(const struct operation *operation);
void network_choose_recomputed(struct network *network, bool recompute); /* as `lends` says */
struct operation *network_residual_maker(const struct network *network, const struct operation *operation);
bool network_ends_chain(const struct network *network, const struct operation *operation);
void network_chain_lends(struct network *network, const struct operation *last, bool lends);
/* lifetimes.c: the step at which an operation runs backward. */
int network_backward_step(const struct network *network, int operation);
/* lifetimes.c: the arena, once all operations are planned. */
int network_place(struct network *network, struct error *error);

#endif
