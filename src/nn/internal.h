/* nn/internal.h -- the network's data, shared by the files of this room only. */
#ifndef NN_INTERNAL_H
#define NN_INTERNAL_H

#include "nn/arena.h"
#include "nn/network.h"
#include "nn/ops/operation.h"
#include "nn/watch.h"

#define NETWORK_NAME_LENGTH 80
enum { OPERATION_PARAMETERS = 4 };

/* How y comes back on the way back where it was dropped after the forward pass (recompute.c). Steps are lifetimes.c's;
 * -1: never. */
struct remake {
    int step;          /* y is made before this step, into a block of its own, for those that read it */
    int first, last;   /* the first and last step at which y is made for anybody, inline or not       */
    bool lends;        /* y is made once, when first wanted, and not inline (a choice of lifetimes.c) */
    int residual_from; /* the operation that makes the residual of this one inline; -1: it is there    */
    int block;         /* in the arena, of the y that was made again; -1: none                          */
    void *value;       /* its address                                                                   */
};

struct operation {
    const struct operation_type *type;
    char name[NETWORK_NAME_LENGTH];
    int x, y, residual;                   /* tensors; residual -1: none                                          */
    int parameters[OPERATION_PARAMETERS]; /* rows of the parameter table, in the type's own order; -1: none      */
    bool relu;                            /* y is what a ReLU let through                                        */
    void *own;                            /* the type's own struct: settings and plan                            */

    /* filled by network_plan */
    size_t gradients_from;          /* weights before it have operations that run backward after this one        */
    bool reached;                   /* the gradient of the last tensor flows through it                          */
    bool adds_d_x, adds_d_residual; /* another reader has written there before                                   */
    int absorbed;                   /* inference: the operation whose place it takes, and which runs for it; -1  */
    int absorbed_by;                /* the reverse of `absorbed`; -1: none                                       */
    struct remake remake;
    int statistics_block, sums_block, saved_block, mask_block; /* in the arena; -1: none                         */
    double *statistics, *sums; /* their addresses; struct operation_bytes says what they are */
    void *saved, *mask;
};

struct node { /* a tensor */
    struct tensor_desc desc;
    char name[NETWORK_NAME_LENGTH];
    int producer; /* operation; -1: the images                             */
    bool kept;
    int block, gradient_block; /* in the arena; -1: none                   */
    void *data, *gradient;
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
    struct network_options options;
    struct arena_block *blocks;
    int block_count, block_capacity;
    char **arenas; /* [arena_count] */
    char *arena;   /* of these the present one */
    int arena_count;
    bool arena_is_lent; /* they are another network's */
    size_t arena_bytes, plan_bytes;
    double *totals; /* sums over several batches: of each operation that asked for some in `plan` */
    size_t total_count;
    bool collects;  /* forward passes add to them */
    float *scratch; /* for the weights of one operation: of the largest that asked for it in `plan` */
    size_t scratch_count;

    struct dropout_draw *draw; /* the backend's memory; NULL: no operation draws */
    struct dropout_draw drawn; /* what was uploaded to it last */

    void *uploaded;     /* NULL: images are read where the caller has them */
    const void *images; /* of the forward pass under way */
    bool timed;
    bool stops, cut;          /* a pass ends early where the pool is stopped; the last one did */
    double start;             /* when the operation under way began, if timed */
    network_watcher *watcher; /* watch.h; NULL: none */
    void *watcher_context;
};

static inline bool network_trains(const struct network *network)
{
    return network->mode == NETWORK_TRAINING;
}

static inline struct network_row *network_row(const struct network *network, const struct operation *operation)
{
    return &network->rows[operation - network->operations];
}

/* plan.c: will an operation in training read the sums over tensor y? Then the operation that makes y writes them. */
bool network_wants_statistics(const struct network *network, int y);
/* The struct of `plan` needs `count` floats of network->scratch. */
void network_want_scratch(struct network *network, size_t count);
/* The operation needs `count` doubles of network->totals; returns where its own begin. */
size_t network_want_totals(struct network *network, size_t count);

/* ---- addresses, for operations that run (run.c); NULL for tensor or row -1 ---- */
const float *network_weights(const struct network *network, int row);
float *network_gradients(const struct network *network, int row);
/* What the way back reads: the value as it was made again, if it was. */
const void *network_value_back(const struct network *network, int tensor);
void *network_output(const struct network *network, const struct operation *operation);
/* The mask that forward writes; NULL: y is made again, and its mask with it. */
void *network_forward_mask(const struct operation *operation);
/* Called in a backward pass when the gradients of the weights are made: `bench` shows their time apart. */
void network_weights_done(struct network *network, const struct operation *operation);

/* ---- recompute.c ---- */
/* Decides every operation's remake but for blocks and addresses, as `lends` says; false: nothing is dropped. */
void network_choose_remakes(struct network *network, bool recompute);
/* Is it made again, and does nothing that is made again add its y? */
bool network_ends_chain(const struct network *network, const struct operation *operation);
/* Sets `lends` for all that are residuals of residuals of `last`. */
void network_chain_lends(struct network *network, const struct operation *last, bool lends);

/* ---- lifetimes.c ---- */
/* The step at which an operation runs backward. */
int network_backward_step(const struct network *network, int operation);
/* The arena, once all operations are planned. */
int network_place(struct network *network, struct error *error);
/* Addresses of everything, in the present arena. */
void network_set_addresses(struct network *network);

#endif
