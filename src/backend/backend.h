/* backend/backend.h -- THE contract between the method and the machine.
 *
 * A backend is one table of functions plus private state. `ref` (plain C, double accumulators) is the oracle of
 * every other; `cpu` is the fast one. Nothing above this line of rooms knows an instruction set.
 *
 * Rules
 *  - Two phases. *_create validates, chooses algorithms, allocates, and may fail. Executing a plan allocates
 *    nothing and cannot fail; a device fault is sticky and read by `sync`.
 *  - Memory. What operations read and write is the backend's memory (`allocate`), which the host does not touch: it
 *    uploads, downloads, copies and clears. Descs, argument structs and names are the host's. cpu and ref use plain
 *    memory for all. Exceptions are said: tensor_read and tensor_write convert from and to the host's floats, and
 *    matmul is a service of the host.
 *  - Layout is the backend's private matter. Activation tensors are blocks of tensor_bytes(desc) bytes, 64-byte
 *    aligned, in the backend's memory; `tensor_read` and `tensor_write` convert from and to canonical NCHW.
 *  - An operation writes its whole output, padding included: padding channels zero; padding images (a batch
 *    that is no multiple of the tile) any finite value in activations and zero in gradients. So buffers can be
 *    reused without clearing.
 *  - Parameters, their gradients and statistics are canonical float32 (convolutions OIHW), gradients are
 *    overwritten, not accumulated.
 *  - Argument order: plan, outputs, saved state, inputs, parameters. Gradients are called d_<name>.
 *  - Results are bit-equal between runs with equal thread counts.
 *  - Outputs never alias inputs, unless said. */
#ifndef BACKEND_BACKEND_H
#define BACKEND_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/pool.h"
#include "simd/simd.h"
#include "tensor/memory.h"
#include "tensor/tensor.h"

struct backend;

/* ---- convolution (a dense layer is a 1x1 convolution of a 1x1 image) ------------------------------------- */
/* What conv_create chooses from where a backend has more than one algorithm; AUTO: by measured cost. A wish: where the
 * algorithm cannot do the case, the backend takes the other. */
enum convolution { CONVOLUTION_AUTO, CONVOLUTION_DIRECT, CONVOLUTION_WINOGRAD };
struct conv_desc {
    enum dtype dtype; /* of x and y (PRIVATE); x of the first layer may be IMAGES */
    enum tensor_layout input_layout;
    enum dtype image_type; /* of IMAGES: float32, which a bf16 convolution rounds, or bf16 for such a one */
    int batch, in_channels, out_channels;
    int in_height, in_width;
    int kernel, stride, padding; /* square kernel; out = (in + 2 padding - kernel) / stride + 1 */
    bool bias;
    bool training;       /* backward passes will be run                             */
    bool input_gradient; /* conv_backward_data will be run (never for IMAGES input) */
    bool accumulate;     /* backward_data adds into d_x instead of overwriting it   */
    bool statistics;     /* forward also fills statistics for the batch norm after it */
    bool relu, residual; /* conv_inference only: what comes with a batch norm that is folded into the weights */
    enum convolution algorithm;
};
static inline int conv_out(int in, int kernel, int stride, int padding)
{
    return (in + 2 * padding - kernel) / stride + 1;
}
struct conv_plan;

/* A batch norm in inference as part of the convolution before it: scale = gamma / sqrt(variance + epsilon),
 * shift = (conv_bias - mean) scale + beta. All in the backend's memory, [K] where nothing is said. */
struct conv_folding {
    float *bias;                                             /* out: shift, for conv_inference */
    float *scratch;                                          /* [K][C][R][S], of no meaning afterwards */
    const float *weight;                                     /* [K][C][R][S] */
    const float *conv_bias, *gamma, *beta, *mean, *variance; /* conv_bias, beta: NULL for none */
    float epsilon;
};

/* What a pass of a planned convolution computes, for `bench` and `info`. */
enum conv_pass_kind { CONV_FORWARD, CONV_BACKWARD_DATA, CONV_BACKWARD_WEIGHTS, CONV_PASSES };
struct conv_work {
    const char *algorithm; /* "direct", "winograd"; NULL: the pass is not planned                             */
    const char *kernels;   /* "avx512-bf16": which table's                                                   */
    enum dtype operands;   /* of the products: float32, or bf16 in pairs or tiles                             */
    double flops;          /* multiplications and additions of its products over the batch: taps in the
                            * padding are left out where the algorithm leaves them out, transforms not counted */
};

/* ---- batch norm, with the ReLU and residual addition that follow it --------------------------------------- */
/* training: mean, var over batch x height x width (the real images only; biased variance normalises, the running
 * variance takes the unbiased one, as PyTorch):
 *   y = gamma (x - mean) / sqrt(var + epsilon) + beta [+ residual], then max(0, .) if relu
 *   next = (1 - momentum) running + momentum batch statistic
 * (Ioffe and Szegedy, arXiv:1502.03167.) */
struct batch_norm_desc {
    enum dtype dtype;
    int batch, channels, height, width;
    bool relu, residual;
    bool training;
    bool accumulate_residual; /* backward adds into d_residual instead of overwriting it */
    float epsilon, momentum;  /* 1e-5, 0.1 */
};
/* What its passes take. Every pointer is to the backend's memory. Tensors are as the desc says; gamma, beta, means
 * and variances are float32 [C]; beta is NULL where there is none; residual is NULL unless desc.residual.
 * count: the values of a channel over which statistics run: batch x height x width, of all processes whose batches
 * share their statistics. */
struct batch_norm_forward_args {
    void *y;
    void *mask;                  /* out, batch_norm_mask_bytes: where y > 0; NULL: not kept */
    void *saved;                 /* out, batch_norm_saved_bytes: float mean [C], float 1/sqrt(var + epsilon) [C], and
                                  * what else the backend wants to find again */
    float *next_mean, *next_var; /* out: the running statistics after this batch; NULL: not wanted. They may be
                                  * running_mean and running_var themselves */
    const void *x, *residual;
    const double *statistics; /* statistics_bytes: as conv_forward gave them, or their sum over several processes;
                               * NULL: taken from x, which then holds all `count` values */
    int64_t count;
    const float *gamma, *beta;
    const float *running_mean, *running_var; /* read only for next_mean, next_var */
};
/* y and mask (NULL: not kept) as batch_norm_forward gave them for the same x, residual, gamma and beta, bit for bit.
 * y may be the residual. */
struct batch_norm_again_args {
    void *y, *mask;
    const void *x, *residual;
    const void *saved; /* of that forward pass */
    const float *gamma, *beta;
};
/* The next running statistics after a batch whose statistics are known by parts, none of which has met the others:
 * the values that batch_norm_forward writes for all of it. All pointers: the backend's memory. */
struct batch_norm_running_args {
    float *next_mean, *next_var; /* out */
    const double *statistics;    /* statistics_bytes: the sum over the parts, as conv_forward gave each */
    int64_t count;               /* values of a channel in all parts */
    const float *running_mean, *running_var;
};
struct batch_norm_inference_args {
    void *y;
    const void *x, *residual;
    const float *gamma, *beta, *running_mean, *running_var;
};
/* Backward, first half. With g = d_y where the mask lets through and n = (x - mean) / sqrt(var + epsilon):
 *   sums = sum of g [C], sum of g n [C], over this process's own images;  d_beta, d_gamma = the same in float32. */
struct batch_norm_sums_args {
    double *sums;            /* out, statistics_bytes */
    float *d_gamma, *d_beta; /* out, [C]; NULL: not wanted */
    const void *d_y, *x;
    const void *mask, *saved; /* of the forward pass; mask only if desc.relu */
};
/* Backward, second half, with the sums of all processes that share statistics (of one: its own):
 *   d_x = gamma / sqrt(var + epsilon) (g - sum of g / count - n (sum of g n) / count);  d_residual = g, or += g.
 * d_x may be d_y. Zero for padding images. */
struct batch_norm_backward_args {
    void *d_x, *d_residual; /* out; d_residual NULL: not wanted */
    const double *sums;
    int64_t count;
    const void *d_y, *x;
    const void *mask, *saved;
    const float *gamma;
};
struct batch_norm_plan;

/* ---- pooling ----------------------------------------------------------------------------------------------- */
struct max_pool_desc {
    enum dtype dtype;
    int batch, channels, in_height, in_width, kernel, stride, padding;
    bool training;
};
struct max_pool_plan;
struct global_pool_desc {
    enum dtype dtype; /* of x; y: F32 PRIVATE [N][C][1][1] */
    int batch, channels, height, width;
};
struct global_pool_plan;

/* Averages over windows, axis by axis: y[i][j] = (sum of x over range i of the rows and j of the columns) times the
 * shares of both. */
enum average_windows {
    AVERAGE_INSIDE, /* kernel x kernel, from (i stride, j stride) on; the mean of the values that lie inside the image
                     */
    AVERAGE_WHOLE,  /* the same windows; what lies outside, beyond the last row and column, counts as zeros           */
    AVERAGE_ADAPTIVE /* bin i of out covers floor(i in / out) to ceil((i + 1) in / out) - 1: bins may overlap */
};
struct average_pool_desc {
    enum dtype dtype; /* of x and y */
    int batch, channels, in_height, in_width, out_height, out_width;
    enum average_windows windows;
    int kernel, stride; /* of windows, not read for bins; the last window must begin inside the image */
    bool accumulate;    /* backward adds into d_x instead of overwriting it */
};
struct average_range {
    int first, end; /* of the input, end not included; at least one */
    double share;
};
/* Range `index` of an axis of `in` values that become `out`. */
static inline struct average_range average_pool_range(const struct average_pool_desc *desc, int in, int out, int index)
{
    if (desc->windows == AVERAGE_ADAPTIVE) {
        const int first = (int)((int64_t)index * in / out), end = (int)((((int64_t)index + 1) * in + out - 1) / out);
        return (struct average_range){first, end, 1.0 / (end - first)};
    }
    const int first = index * desc->stride, end = in - first < desc->kernel ? in : first + desc->kernel;
    return (struct average_range){first, end, 1.0 / (desc->windows == AVERAGE_WHOLE ? desc->kernel : end - first)};
}
struct average_pool_plan;

/* ---- ReLU, where no batch norm comes before it -------------------------------------------------------------- */
/* y = max(0, x), and a NaN stays one. Backward: d_x = d_y, but 0 where y is 0. */
struct relu_desc {
    enum dtype dtype;
    int batch, channels, height, width;
};
struct relu_plan;

/* ---- dropout (Hinton et al. 2012, arXiv:1207.0580), in training alone ----------------------------------------- */
/* y = x / (1 - rate) where a value is kept, else 0. Which values are kept is a function of dropout_draw and of their
 * place alone (backend/dropout.h). So it depends neither on the backend nor on its threads, and a resumed run draws the
 * same. */
struct dropout_desc {
    enum dtype dtype;
    int batch, channels, height, width;
    float rate; /* that is dropped: 0 and more, below 1 */
    int layer;  /* of the network's layers with dropout this one: 0, 1 ... below 2^24 */
};
/* What the draws of a step follow from. Uploaded before a step's forward pass; a recorded one reads it anew each time
 * it is replayed. */
struct dropout_draw {
    uint64_t seed;
    uint32_t step;
};
struct dropout_plan;

/* ---- NT-Xent (paper eq. 1; method.md section 4) ------------------------------------------------------------ */
/* A process has the images [first, first + count) of all `images`; count 0: all. Its rows, of z and d_z alike, are
 * first those of view A, then those of view B: row r is row first + r of all where r < count, else
 * images + first + r - count. z, d_z: PRIVATE float32 tensors [2 count][dim][1][1], as a network gives and takes them.
 *
 * A loss has three phases. Processes that share a loss exchange, after each, what it has written.
 * - unit rows: unit vectors of the own rows, into their places in `unit`, a block of 2 images x unit_row bytes. Then
 *   all rows are gathered.
 * - log sums: of the own anchors, over all rows. What the softmax of a row needs goes into its place in `sums`, a block
 *   of 2 images x sum_row bytes. Then these are gathered. `result` has the own anchors' share of each number; the
 *   shares of all processes add up.
 * - gradient: d_z of the own rows, from all unit rows and all sums (p_ki needs only row k's sum). It is that of the
 *   whole loss: nothing is divided by the number of processes.
 * There is never a 2N x 2N matrix in memory. */
struct nt_xent_desc {
    int images, dim; /* rows = 2 images; row i pairs with i + images; a row of zeros has u = 0 and no gradient */
    float temperature;
    bool training; /* the gradient will be asked for */
    int first, count;
};
/* Bytes of a row; 0: the plan keeps them itself, since it has all images. The block is then NULL. */
struct nt_xent_sizes {
    size_t unit_row, sum_row;
};
struct nt_xent_result {
    double loss;                /* mean over all 2N anchors                                        */
    double top1;                /* share of anchors whose positive is nearer than every other (a tie does not count) */
    double entropy;             /* mean entropy (nats) of softmax over the 2N - 1 others           */
    double positive_similarity; /* mean cosine of positive pairs                                   */
    double negative_similarity; /* mean cosine over all other pairs; 0 when there are none        */
};
struct nt_xent_plan;

/* ---- softmax cross entropy ----------------------------------------------------------------------------------- */
/* Mean over the rows whose label lies in [0, classes); the others are left out and get no gradient. All 0 if no row is
 * left. */
struct cross_entropy_desc {
    int rows, classes;
};
struct cross_entropy_plan;
struct cross_entropy_result {
    double loss;
    double top1, top5; /* shares of rows whose label is among the 1 or 5 largest logits; of equal ones the lower class
                        * comes first, and a NaN is never right */
};

/* ---- optimisers: one segment per parameter tensor (method.md section 5) ------------------------------------- */
struct optimizer_segment {           /* [count] each, in the backend's memory */
    float *weight, *state1, *state2; /* state1: momentum (Adam: m), state2: Adam's v or NULL */
    const float *gradient;
    size_t count;
    bool decay, adapt; /* weight decay applies; LARS's trust ratio applies */
    float rate;        /* of this segment, as a multiple of the step's learning rate: 1, or less for early layers */
};
enum optimizer_kind { OPTIMIZER_LARS, OPTIMIZER_SGD, OPTIMIZER_ADAMW };
struct optimizer_desc {
    enum optimizer_kind kind;
    float momentum; /* AdamW: beta1 */
    float weight_decay;
    float trust;                              /* LARS eta, 0.001 */
    float beta2, epsilon;                     /* AdamW */
    const struct optimizer_segment *segments; /* on the host; copied */
    int count;                                /* of segments, 0 and more */
};
struct optimizer_plan;

/* ---- what a step reads and what it leaves: both in the backend's memory --------------------------------------- */
/* Uploaded before a step's update. A recorded update reads it anew each time it is replayed. */
struct step_inputs {
    int64_t step; /* 1-based, for Adam's bias correction */
    float learning_rate;
};
/* Written by the step's operations, read by one download. */
struct step_numbers {
    struct nt_xent_result nt_xent;
    struct cross_entropy_result cross_entropy;
    double gradient_squares;   /* sum over all gradients */
    double statistics_squares; /* sum over the next running statistics */
};

/* ---- dense products ---------------------------------------------------------------------------------------- */
/* A service of the host, for the closed-form parts of an evaluation: a, b and c are the host's memory.
 * C[m][n] = alpha op(A) op(B) + beta C, row-major float32; op transposes when the flag is set. beta 0: C is not read.
 */
struct matmul_args {
    bool transpose_a, transpose_b;
    int m, n, k;
    float alpha, beta;
    const float *a;
    int lda;
    const float *b;
    int ldb;
    float *c;
    int ldc;
};

struct recording; /* the backend's own */

struct backend_ops {
    const char *name;

    void (*destroy)(struct backend *backend);
    /* One line for the log: "cpu, 2 threads, avx512-bf16 (bf16), avx512 (float32)". */
    const char *(*description)(const struct backend *backend);
    bool (*supports)(const struct backend *backend, enum dtype dtype);
    enum dtype (*preferred)(const struct backend *backend); /* what --precision auto means here */
    /* The type in which the first convolution of a network of this precision likes its IMAGES best. (Their layout is
     * planar for every backend: docs/views.md says why.) Convolutions of every precision take float32 too. */
    enum dtype (*image_type)(const struct backend *backend, enum dtype precision);
    int (*sync)(struct backend *backend, struct error *error);

    /* ---- memory ---- */
    /* The backend's memory: 64-byte aligned, zeroed; NULL: failed, and the error says of how many bytes. Released by
     * `release` (NULL: nothing happens). */
    void *(*allocate)(struct backend *backend, size_t bytes, struct error *error);
    void (*release)(struct backend *backend, void *block);
    /* The host's memory, for what is uploaded often (a loader's batches): of the kind that the backend reads fastest.
     * Zeroed, 64-byte aligned. */
    void *(*allocate_host)(struct backend *backend, size_t bytes, struct error *error);
    void (*release_host)(struct backend *backend, void *block);
    /* May operations read the host's memory? Then what they only read (images, labels) need not be uploaded. */
    bool (*reads_host)(const struct backend *backend);
    /* In order with all operations. What `upload` reads may be changed once the next `sync` has returned, and what
     * `download` writes is there then. Neither may be part of a recording. */
    void (*upload)(struct backend *backend, void *to, const void *from_host, size_t bytes);
    void (*download)(struct backend *backend, void *to_host, const void *from, size_t bytes);
    void (*copy)(struct backend *backend, void *to, const void *from, size_t bytes);
    void (*clear)(struct backend *backend, void *to, size_t bytes);
    void (*add)(struct backend *backend, float *to, const float *from, size_t count);        /* to += from */
    void (*add_sums)(struct backend *backend, double *to, const double *from, size_t count); /* the same in double */
    /* to = keep to + (1 - keep) from, computed as to + (1 - keep) (from - to): equal values stay as they are, bit for
     * bit. keep: in the backend's memory, read anew each time a recording is replayed. */
    void (*average)(struct backend *backend, float *to, const float *from, size_t count, const float *keep);

    /* ---- recording ---- */
    /* A step does the same with the same addresses each time, so a backend may take it down once and repeat it as a
     * whole. A recording belongs to the caller, who may have any number of them. The caller's part:
     *     ops->recording_create(backend, &recording, error);  ... once; then each time:
     *     if (!ops->replay(backend, recording)) {
     *         ops->record_begin(backend, recording, error);  ... the operations ...  ops->record_end(backend, error);
     *     }
     * recording_create: *out is NULL where the backend does not record. Such a backend runs the operations at once.
     * replay: false: nothing is recorded there, and nothing was done. For NULL it is always false.
     * One recording is under way at a time.
     * Between begin and end operations are taken down with their arguments by value. They have run, once, when what is
     * called after record_end runs. The host may not look at results in between, and calls neither upload, download,
     * tensor_read, tensor_write, sync nor any *_create or *_destroy. What changes from one step to the next lies in the
     * backend's memory (struct step_inputs, the images).
     * A backend that records does not read the host's memory (reads_host is false): images lie elsewhere in each step,
     * and a recording would keep the address of the first ones. step_open refuses a backend that does both.
     * recording_destroy: before a plan or a block that it uses is destroyed or released. *recording may be NULL. */
    int (*recording_create)(struct backend *backend, struct recording **out, struct error *error);
    void (*recording_destroy)(struct backend *backend, struct recording **recording);
    bool (*replay)(struct backend *backend, struct recording *recording);
    int (*record_begin)(struct backend *backend, struct recording *recording, struct error *error);
    int (*record_end)(struct backend *backend, struct error *error);

    /* ---- activation tensors ---- */
    size_t (*tensor_bytes)(const struct backend *backend, const struct tensor_desc *desc);
    /* Of a block of two sums per channel: double [2][channels]. Blocks of several processes are joined by adding their
     * doubles. */
    size_t (*statistics_bytes)(const struct backend *backend, int channels);
    void (*tensor_read)(struct backend *backend, const struct tensor_desc *desc, float *canonical, const void *tensor);
    void (*tensor_write)(struct backend *backend, const struct tensor_desc *desc, void *tensor, const float *canonical);

    /* conv_bytes: what the plan itself holds (packed weights, tap lists) plus the scratch it will use; for the
     * memory estimate. Scratch is owned by the backend and shared by all plans (its size is their maximum). */
    int (*conv_create)(struct backend *backend, const struct conv_desc *desc, struct conv_plan **out,
                       struct error *error);
    void (*conv_destroy)(struct conv_plan **plan);
    size_t (*conv_bytes)(const struct conv_plan *plan);
    const char *(*conv_algorithm)(const struct conv_plan *plan); /* "direct avx512-bf16 8x2", for `bench` and `info` */
    void (*conv_work)(const struct conv_plan *plan, struct conv_work work[CONV_PASSES]);
    /* flop/s of products of this type that the multiply units of all threads reach on registers, measured now (under a
     * tenth of a second); 0: not known. */
    double (*peak)(struct backend *backend, enum dtype operands);
    /* Packs the master weights [K][C][R][S]; to be called again after each change of them. */
    void (*conv_set_weights)(struct conv_plan *plan, const float *weight);
    /* statistics (if desc.statistics; NULL: not wanted): statistics_bytes of out_channels: sum and sum of squares of y
     * over the real images, of the values before they are rounded to y's dtype. bias: [K] or NULL. */
    void (*conv_forward)(struct conv_plan *plan, void *y, double *statistics, const void *x, const float *bias);
    /* The same with a batch norm in inference folded in: packs weight x scale, and gives the bias that belongs to it.
     */
    void (*conv_set_folded_weights)(struct conv_plan *plan, const struct conv_folding *folding);
    /* y = conv(x) + bias [+ residual], then max(0, .) if desc.relu: a convolution and its folded batch norm. For plans
     * without gradients and statistics. residual: a tensor like y, NULL unless desc.residual. bias: [K] or NULL. */
    void (*conv_inference)(struct conv_plan *plan, void *y, const void *x, const void *residual, const float *bias);
    void (*conv_backward_data)(struct conv_plan *plan, void *d_x, const void *d_y);
    void (*conv_backward_weights)(struct conv_plan *plan, float *d_weight, float *d_bias, const void *d_y,
                                  const void *x);

    int (*batch_norm_create)(struct backend *backend, const struct batch_norm_desc *desc, struct batch_norm_plan **out,
                             struct error *error);
    void (*batch_norm_destroy)(struct batch_norm_plan **plan);
    size_t (*batch_norm_mask_bytes)(const struct batch_norm_plan *plan); /* 0 without ReLU */
    size_t (*batch_norm_saved_bytes)(const struct batch_norm_plan *plan);
    void (*batch_norm_forward)(struct batch_norm_plan *plan, const struct batch_norm_forward_args *args);
    void (*batch_norm_running)(struct batch_norm_plan *plan, const struct batch_norm_running_args *args);
    void (*batch_norm_again)(struct batch_norm_plan *plan, const struct batch_norm_again_args *args);
    void (*batch_norm_inference)(struct batch_norm_plan *plan, const struct batch_norm_inference_args *args);
    void (*batch_norm_backward_sums)(struct batch_norm_plan *plan, const struct batch_norm_sums_args *args);
    void (*batch_norm_backward)(struct batch_norm_plan *plan, const struct batch_norm_backward_args *args);

    int (*max_pool_create)(struct backend *backend, const struct max_pool_desc *desc, struct max_pool_plan **out,
                           struct error *error);
    void (*max_pool_destroy)(struct max_pool_plan **plan);
    size_t (*max_pool_saved_bytes)(const struct max_pool_plan *plan);
    /* saved: where each maximum came from (the first in row-major order wins a tie, as PyTorch); NULL in inference. */
    void (*max_pool_forward)(struct max_pool_plan *plan, void *y, void *saved, const void *x);
    void (*max_pool_backward)(struct max_pool_plan *plan, void *d_x, const void *d_y, const void *saved);

    int (*global_pool_create)(struct backend *backend, const struct global_pool_desc *desc,
                              struct global_pool_plan **out, struct error *error);
    void (*global_pool_destroy)(struct global_pool_plan **plan);
    void (*global_pool_forward)(struct global_pool_plan *plan, void *y, const void *x);
    void (*global_pool_backward)(struct global_pool_plan *plan, void *d_x, const void *d_y);

    int (*average_pool_create)(struct backend *backend, const struct average_pool_desc *desc,
                               struct average_pool_plan **out, struct error *error);
    void (*average_pool_destroy)(struct average_pool_plan **plan);
    void (*average_pool_forward)(struct average_pool_plan *plan, void *y, const void *x);
    void (*average_pool_backward)(struct average_pool_plan *plan, void *d_x, const void *d_y);

    int (*relu_create)(struct backend *backend, const struct relu_desc *desc, struct relu_plan **out,
                       struct error *error);
    void (*relu_destroy)(struct relu_plan **plan);
    void (*relu_forward)(struct relu_plan *plan, void *y, const void *x);
    /* d_x may be d_y. */
    void (*relu_backward)(struct relu_plan *plan, void *d_x, const void *d_y, const void *y);

    int (*dropout_create)(struct backend *backend, const struct dropout_desc *desc, struct dropout_plan **out,
                          struct error *error);
    void (*dropout_destroy)(struct dropout_plan **plan);
    /* mask: a float32 tensor of x's shape, by which backward multiplies: 1 / (1 - rate) where a value is kept, else 0.
     * NULL: not kept. draw: the backend's memory. */
    void (*dropout_forward)(struct dropout_plan *plan, void *y, void *mask, const void *x,
                            const struct dropout_draw *draw);
    /* d_x may be d_y. */
    void (*dropout_backward)(struct dropout_plan *plan, void *d_x, const void *d_y, const void *mask);

    int (*nt_xent_create)(struct backend *backend, const struct nt_xent_desc *desc, struct nt_xent_plan **out,
                          struct error *error);
    void (*nt_xent_destroy)(struct nt_xent_plan **plan);
    void (*nt_xent_sizes)(const struct nt_xent_plan *plan, struct nt_xent_sizes *out);
    /* In this order, each once per loss. All pointers: the backend's memory. */
    void (*nt_xent_unit_rows)(struct nt_xent_plan *plan, void *unit, const void *z);
    void (*nt_xent_log_sums)(struct nt_xent_plan *plan, struct nt_xent_result *result, void *sums, const void *unit);
    void (*nt_xent_gradient)(struct nt_xent_plan *plan, void *d_z, const void *unit, const void *sums);

    /* An operation of the backend, though it is small: a recorded step then needs no look of the host at the logits.
     * logits, d_logits: PRIVATE float32 tensors [rows][classes][1][1]; d_logits NULL: loss only. labels: [rows]. All in
     * the backend's memory. Exponentials and sums in double. */
    int (*cross_entropy_create)(struct backend *backend, const struct cross_entropy_desc *desc,
                                struct cross_entropy_plan **out, struct error *error);
    void (*cross_entropy_destroy)(struct cross_entropy_plan **plan);
    void (*cross_entropy_run)(struct cross_entropy_plan *plan, struct cross_entropy_result *result, void *d_logits,
                              const void *logits, const int32_t *labels);

    int (*optimizer_create)(struct backend *backend, const struct optimizer_desc *desc, struct optimizer_plan **out,
                            struct error *error);
    void (*optimizer_destroy)(struct optimizer_plan **plan);
    /* One update of all segments: method.md section 5. Norms in double. inputs: the backend's memory. */
    void (*optimizer_run)(struct optimizer_plan *plan, const struct step_inputs *inputs);
    /* *out = the sum of squares in double, in an order that depends only on count: its finiteness tells a gradient's.
     * out, values: the backend's memory. */
    void (*sum_squares)(struct backend *backend, double *out, const float *values, size_t count);
    void (*matmul)(struct backend *backend, const struct matmul_args *args);
};

struct backend {
    const struct backend_ops *ops;
    struct pool *pool; /* borrowed */
};

/* backend/registry.c: "ref", "cpu", or "auto" (= cpu). simd: the instructions that the kernels of cpu may use
 * (simd_choose); ref uses none. SIMCLR_INVALID for an unknown name, SIMCLR_NO_MEMORY. */
int backend_create(const char *name, enum simd simd, struct pool *pool, struct backend **out, struct error *error);
void backend_destroy(struct backend **backend);
/* The backend's memory for rooms that do not know it: uploads and downloads are over when they return. */
struct tensor_memory backend_memory(struct backend *backend);

#endif
