/* nn/ops/ops.h -- the operations that a network is built of.
 *
 * Each call appends one and returns the number of the tensor that it makes. A failure is a negative status, which every
 * later call passes on. So a builder can check once, at network_plan, whose error tells the first failure. */
#ifndef NN_OPS_OPS_H
#define NN_OPS_OPS_H

#include "nn/network.h"

/* ---- conv.c: a square kernel, images or activations ------------------------------------------------------- */
struct network_conv {
    int out_channels, kernel, stride, padding;
    bool bias;
    unsigned flags;
    enum parameter_init init;
};
/* <name>.weight [out][in][kernel][kernel] and, if wanted, <name>.bias [out]: it starts at 0, or as INIT_UNIFORM where
 * the weight does. */
int network_conv(struct network *network, const char *name, int x, struct network_conv conv);

/* ---- dense.c ------------------------------------------------------------------------------------------------- */
/* <name>.weight [out][in] and, if wanted, <name>.bias [out]; x: [batch][channels][n][n], whose values in that order are
 * the `in`: channels n n of them. */
int network_dense(struct network *network, const char *name, int x, int out, bool bias, unsigned flags,
                  enum parameter_init init);

/* ---- batch_norm.c ---------------------------------------------------------------------------------------------- */
struct network_batch_norm {
    bool relu;
    int residual; /* tensor number or -1 */
    bool zero_gamma, no_beta;
    unsigned flags;
};
/* <name>.weight .bias .running_mean .running_var, each [channels]; y = relu(bn(x) + residual) as far as wanted. */
int network_batch_norm(struct network *network, const char *name, int x, struct network_batch_norm norm);

/* ---- average_pool.c ---------------------------------------------------------------------------------------------- */
struct network_average_pool {
    int kernel,
        stride; /* windows begin at every stride-th pixel and end at the image's edge: TensorFlow's SAME for 2 x 2 */
    bool whole; /* divide by kernel^2: what lies beyond the edge counts as zeros. Else by what lies inside */
    int bins;   /* > 0: in place of windows, bins x bins that share the image out (AlexNet: 6) */
};
int network_average_pool(struct network *network, const char *name, int x, struct network_average_pool pool);

/* ---- relu.c, dropout.c ------------------------------------------------------------------------------------------- */
int network_relu(struct network *network, const char *name, int x);
/* rate: of the values that are dropped, 0 and more, below 1. In inference it is x itself: nothing is appended. The
 * draws are those of network_set_draw. */
int network_dropout(struct network *network, const char *name, int x, double rate);

/* ---- max_pool.c, global_pool.c ---------------------------------------------------------------------------------- */
int network_max_pool(struct network *network, int x, int kernel, int stride, int padding);
int network_global_pool(struct network *network, int x); /* mean over the map; float32 from here on */
/* Features [batch][C][1][1] as float32 from here on: x itself where it is that already. */
int network_to_float32(struct network *network, const char *name, int x);

#endif
