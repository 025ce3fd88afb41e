/* backend/ref/ref.h -- the oracle: plain C, every operation, double accumulators.
 *
 * Private layout: canonical NCHW in the tensor's own type (float32, bf16 or float64), without padding. Every
 * operation loads its operands into doubles, computes in doubles and rounds once, when it stores. float64
 * activations make finite-difference gradient checks possible; parameters stay float32 whatever the activations.
 * With bf16 activations the weights (and float32 IMAGES) are rounded to bf16 first, for that is what a bf16
 * convolution multiplies.
 *
 * The pool shares out what is independent: channels, planes, rows, anchors. The terms of a sum are added by one thread
 * in one order, so results have the same bits with any number of threads.
 *
 * Loops are ordered so that the innermost one runs over contiguous memory without a reduction (the compiler then
 * vectorises it without leave to reorder sums): fast enough to train tiny networks in tests. */
#ifndef BACKEND_REF_REF_H
#define BACKEND_REF_REF_H

#include "backend/backend.h"

/* SIMCLR_NO_MEMORY or SIMCLR_OK. pool: borrowed, must outlive the backend. Released by backend_destroy. */
int ref_backend_create(struct pool *pool, struct backend **out, struct error *error);

/* ---- elements: memory.c ------------------------------------------------------------------------------------ */
/* out[i] = tensor[offset + i] and the reverse, for i in [0, count); storing rounds to nearest even. */
void ref_load(double *out, enum dtype dtype, const void *tensor, size_t offset, size_t count);
void ref_store(void *tensor, enum dtype dtype, size_t offset, size_t count, const double *values);
/* The same with the value in double after rounding to `dtype`. */
double ref_round(enum dtype dtype, double value);

size_t ref_tensor_bytes(const struct backend *backend, const struct tensor_desc *desc);
size_t ref_statistics_bytes(const struct backend *backend, int channels);
void ref_tensor_read(struct backend *backend, const struct tensor_desc *desc, float *canonical, const void *tensor);
void ref_tensor_write(struct backend *backend, const struct tensor_desc *desc, void *tensor, const float *canonical);

/* ---- operations: contracts in backend.h --------------------------------------------------------------------- */
int ref_conv_create(struct backend *backend, const struct conv_desc *desc, struct conv_plan **out, struct error *error);
void ref_conv_destroy(struct conv_plan **plan);
size_t ref_conv_bytes(const struct conv_plan *plan);
const char *ref_conv_algorithm(const struct conv_plan *plan);
void ref_conv_work(const struct conv_plan *plan, struct conv_work work[CONV_PASSES]);
void ref_conv_set_weights(struct conv_plan *plan, const float *weight);
void ref_conv_set_folded_weights(struct conv_plan *plan, const struct conv_folding *folding);
void ref_conv_forward(struct conv_plan *plan, void *y, double *statistics, const void *x, const float *bias);
void ref_conv_inference(struct conv_plan *plan, void *y, const void *x, const void *residual, const float *bias);
void ref_conv_backward_data(struct conv_plan *plan, void *d_x, const void *d_y);
void ref_conv_backward_weights(struct conv_plan *plan, float *d_weight, float *d_bias, const void *d_y, const void *x);

int ref_batch_norm_create(struct backend *backend, const struct batch_norm_desc *desc, struct batch_norm_plan **out,
                          struct error *error);
void ref_batch_norm_destroy(struct batch_norm_plan **plan);
size_t ref_batch_norm_mask_bytes(const struct batch_norm_plan *plan);
size_t ref_batch_norm_saved_bytes(const struct batch_norm_plan *plan);
void ref_batch_norm_forward(struct batch_norm_plan *plan, const struct batch_norm_forward_args *args);
void ref_batch_norm_running(struct batch_norm_plan *plan, const struct batch_norm_running_args *args);
void ref_batch_norm_again(struct batch_norm_plan *plan, const struct batch_norm_again_args *args);
void ref_batch_norm_inference(struct batch_norm_plan *plan, const struct batch_norm_inference_args *args);
void ref_batch_norm_backward_sums(struct batch_norm_plan *plan, const struct batch_norm_sums_args *args);
void ref_batch_norm_backward(struct batch_norm_plan *plan, const struct batch_norm_backward_args *args);

int ref_max_pool_create(struct backend *backend, const struct max_pool_desc *desc, struct max_pool_plan **out,
                        struct error *error);
void ref_max_pool_destroy(struct max_pool_plan **plan);
size_t ref_max_pool_saved_bytes(const struct max_pool_plan *plan);
void ref_max_pool_forward(struct max_pool_plan *plan, void *y, void *saved, const void *x);
void ref_max_pool_backward(struct max_pool_plan *plan, void *d_x, const void *d_y, const void *saved);

int ref_global_pool_create(struct backend *backend, const struct global_pool_desc *desc, struct global_pool_plan **out,
                           struct error *error);
void ref_global_pool_destroy(struct global_pool_plan **plan);
void ref_global_pool_forward(struct global_pool_plan *plan, void *y, const void *x);
void ref_global_pool_backward(struct global_pool_plan *plan, void *d_x, const void *d_y);

int ref_average_pool_create(struct backend *backend, const struct average_pool_desc *desc,
                            struct average_pool_plan **out, struct error *error);
void ref_average_pool_destroy(struct average_pool_plan **plan);
void ref_average_pool_forward(struct average_pool_plan *plan, void *y, const void *x);
void ref_average_pool_backward(struct average_pool_plan *plan, void *d_x, const void *d_y);

int ref_relu_create(struct backend *backend, const struct relu_desc *desc, struct relu_plan **out, struct error *error);
void ref_relu_destroy(struct relu_plan **plan);
void ref_relu_forward(struct relu_plan *plan, void *y, const void *x);
void ref_relu_backward(struct relu_plan *plan, void *d_x, const void *d_y, const void *y);

int ref_dropout_create(struct backend *backend, const struct dropout_desc *desc, struct dropout_plan **out,
                       struct error *error);
void ref_dropout_destroy(struct dropout_plan **plan);
void ref_dropout_forward(struct dropout_plan *plan, void *y, void *mask, const void *x,
                         const struct dropout_draw *draw);
void ref_dropout_backward(struct dropout_plan *plan, void *d_x, const void *d_y, const void *mask);

int ref_nt_xent_create(struct backend *backend, const struct nt_xent_desc *desc, struct nt_xent_plan **out,
                       struct error *error);
void ref_nt_xent_destroy(struct nt_xent_plan **plan);
void ref_nt_xent_sizes(const struct nt_xent_plan *plan, struct nt_xent_sizes *out);
void ref_nt_xent_unit_rows(struct nt_xent_plan *plan, void *unit, const void *z);
void ref_nt_xent_log_sums(struct nt_xent_plan *plan, struct nt_xent_result *result, void *sums, const void *unit);
void ref_nt_xent_gradient(struct nt_xent_plan *plan, void *d_z, const void *unit, const void *sums);

int ref_optimizer_create(struct backend *backend, const struct optimizer_desc *desc, struct optimizer_plan **out,
                         struct error *error);
void ref_optimizer_destroy(struct optimizer_plan **plan);
void ref_optimizer_run(struct optimizer_plan *plan, const struct step_inputs *inputs);
void ref_sum_squares(struct backend *backend, double *out, const float *values, size_t count);
void ref_matmul(struct backend *backend, const struct matmul_args *args);

#endif
