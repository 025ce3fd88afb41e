/* nn/ops/operation.h -- what the network must know of a kind of operation: one table each, in nn/ops/NAME.c.
 *
 * The rest of the room (build, plan, lifetimes, recompute, run) works from these tables and knows no operation by name.
 * A new operation is a file here, a builder in ops.h, and its functions in the backends. */
#ifndef NN_OPS_OPERATION_H
#define NN_OPS_OPERATION_H

#include "nn/network.h"

struct operation;

/* What an operation in inference is, where it only maps each channel by numbers that it keeps:
 *   y = gamma (x - mean) / sqrt(variance + epsilon) + beta [+ residual], then max(0, .) if relu.
 * Each pointer: one value per channel, of the parameters' memory; beta NULL: zeros. */
struct affine_map {
    const float *gamma, *beta, *mean, *variance;
    float epsilon;
};

/* Bytes that an operation keeps in training besides its output; 0: none. */
struct operation_bytes {
    size_t statistics; /* sums over y for the operation after it: from forward until that has run forward        */
    size_t saved;      /* from forward to backward                                                              */
    size_t mask;       /* as saved, but written anew where y is made again: only the last counts                */
    size_t sums;       /* of the backward pass alone                                                            */
};

struct operation_type {
    const char *name; /* "conv", as `info` shows it */
    size_t own_bytes; /* of the struct behind operation->own: the settings first, what is planned after them */

    /* ---- facts, true of all operations of this type ---- */
    bool reads_x_back;      /* backward reads the values of x, so they are kept until then or made again  */
    bool reads_y_back;      /* backward reads the values of y                                             */
    bool adds_d_x;          /* backward can add to d_x (operation->adds_d_x), as a second reader of x must */
    bool adds_d_residual;   /* the same for d_residual                                                    */
    bool d_x_over_d_y;      /* d_x may take the place of d_y                                              */
    bool reads_statistics;  /* in training, forward reads the sums that the operation before it made      */
    bool absorbs;           /* in inference, an affine map of its outputs can go into its weights          */
    bool draws;             /* forward reads network->draw: what dropout is drawn by                       */
    bool again_in_residual; /* `again` may write y over its residual, and is cheap enough to run once per reader */

    /* Fills the row's window and flops, and what planning decided once there is a plan. NULL: neither. */
    void (*describe)(const struct network *network, const struct operation *operation, struct network_row *row);
    /* Makes the backend's plan. */
    int (*plan)(struct network *network, struct operation *operation, struct error *error);
    /* After planning, in training. NULL: nothing. */
    void (*bytes)(const struct network *network, const struct operation *operation, struct operation_bytes *bytes);
    /* Inference: the map that this operation is. NULL: it is none. */
    void (*affine)(const struct network *network, const struct operation *operation, struct affine_map *map);
    /* After each change of the parameters. NULL: nothing to do. */
    void (*set_weights)(struct network *network, struct operation *operation);

    void (*forward)(struct network *network, const struct operation *operation);
    /* Where batches are groups (network_options.grouped): writes the next running statistics from the sums over
     * `batches` of them. NULL: it has none. */
    void (*end_statistics)(struct network *network, const struct operation *operation, int batches);
    /* With the map of `norm` absorbed: writes norm's y, from this operation's x and norm's residual. */
    void (*forward_absorbed)(struct network *network, const struct operation *operation, const struct operation *norm);
    /* May y be dropped and made again? NULL: where there is `again`, yes. */
    bool (*can_again)(const struct operation *operation);
    /* Writes y's values to `out`, bit for bit as forward did, and the mask if that is not NULL. residual: its values,
     * `out` itself if again_in_residual. NULL: y is never dropped. */
    void (*again)(struct network *network, const struct operation *operation, void *out, void *mask,
                  const void *residual);
    void (*backward)(struct network *network, const struct operation *operation);
    /* Frees what `plan` made; also after half of it. */
    void (*close)(struct network *network, struct operation *operation);
};

/* ---- for builders (build.c) ---------------------------------------------------------------------------------- */
/* Records the first failure; later calls return it again. */
int network_fail(struct network *network, const struct error *error);
#define NETWORK_FAIL(network, status, ...)                                                                             \
    do {                                                                                                               \
        struct error failure = {0};                                                                                    \
        error_set(&failure, (status), __VA_ARGS__);                                                                    \
        return network_fail((network), &failure);                                                                      \
    } while (0)

/* Checks what every operation needs: no earlier failure, an input that exists, a name that fits, not yet planned. */
int network_begin(struct network *network, int x, const char *name);
/* For those that read activations: the images' layout is for convolutions alone. */
int network_refuse_images(struct network *network, int x, const char *name);
/* Output size of a window over an axis, or 0 where it does not fit. */
int network_window(int in, int kernel, int stride, int padding);

/* The row of the parameter table called <name>.<part>: declared now, or found and its shape checked. Negative: the
 * network's failure. */
int network_declare(struct network *network, const char *name, const char *part, const struct parameter_form *form);

/* What a builder gives to network_append. */
struct new_operation {
    const struct operation_type *type;
    const char *name;
    int x, residual; /* tensors; residual -1: none */
    bool relu;
    int parameters[4]; /* rows of the table, in the type's own order; -1: none */
    const void *own;   /* the start of the type's own struct (its settings), of own_bytes */
};
#define NO_PARAMETERS                                                                                                  \
    {                                                                                                                  \
        -1, -1, -1, -1                                                                                                 \
    }
/* Returns the number of the tensor y, shaped as `output`. */
int network_append(struct network *network, const struct new_operation *operation, const struct tensor_desc *output);

#endif
