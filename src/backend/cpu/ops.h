/* backend/cpu/ops.h -- this backend's operations other than convolution: the slots of struct backend_ops, whose
 * meaning is in backend/backend.h. */
#ifndef BACKEND_CPU_OPS_H
#define BACKEND_CPU_OPS_H

#include "backend/backend.h"

/* tensor_io.c */
size_t cpu_tensor_bytes(const struct backend *backend, const struct tensor_desc *desc);
size_t cpu_statistics_bytes(const struct backend *backend, int channels);
void cpu_tensor_read(struct backend *backend, const struct tensor_desc *desc, float *canonical, const void *tensor);
void cpu_tensor_write(struct backend *backend, const struct tensor_desc *desc, void *tensor, const float *canonical);

/* batch_norm.c */
int cpu_batch_norm_create(struct backend *backend, const struct batch_norm_desc *desc, struct batch_norm_plan **out,
                          struct error *error);
void cpu_batch_norm_destroy(struct batch_norm_plan **plan);
size_t cpu_batch_norm_mask_bytes(const struct batch_norm_plan *plan);
size_t cpu_batch_norm_saved_bytes(const struct batch_norm_plan *plan);
void cpu_batch_norm_forward(struct batch_norm_plan *plan, const struct batch_norm_forward_args *args);
void cpu_batch_norm_running(struct batch_norm_plan *plan, const struct batch_norm_running_args *args);
void cpu_batch_norm_again(struct batch_norm_plan *plan, const struct batch_norm_again_args *args);
void cpu_batch_norm_inference(struct batch_norm_plan *plan, const struct batch_norm_inference_args *args);
void cpu_batch_norm_backward_sums(struct batch_norm_plan *plan, const struct batch_norm_sums_args *args);
void cpu_batch_norm_backward(struct batch_norm_plan *plan, const struct batch_norm_backward_args *args);

/* max_pool.c */
int cpu_max_pool_create(struct backend *backend, const struct max_pool_desc *desc, struct max_pool_plan **out,
                        struct error *error);
void cpu_max_pool_destroy(struct max_pool_plan **plan);
size_t cpu_max_pool_saved_bytes(const struct max_pool_plan *plan);
void cpu_max_pool_forward(struct max_pool_plan *plan, void *y, void *saved, const void *x);
void cpu_max_pool_backward(struct max_pool_plan *plan, void *d_x, const void *d_y, const void *saved);

/* global_pool.c */
int cpu_global_pool_create(struct backend *backend, const struct global_pool_desc *desc, struct global_pool_plan **out,
                           struct error *error);
void cpu_global_pool_destroy(struct global_pool_plan **plan);
void cpu_global_pool_forward(struct global_pool_plan *plan, void *y, const void *x);
void cpu_global_pool_backward(struct global_pool_plan *plan, void *d_x, const void *d_y);

/* average_pool.c */
int cpu_average_pool_create(struct backend *backend, const struct average_pool_desc *desc,
                            struct average_pool_plan **out, struct error *error);
void cpu_average_pool_destroy(struct average_pool_plan **plan);
void cpu_average_pool_forward(struct average_pool_plan *plan, void *y, const void *x);
void cpu_average_pool_backward(struct average_pool_plan *plan, void *d_x, const void *d_y);

/* relu.c */
int cpu_relu_create(struct backend *backend, const struct relu_desc *desc, struct relu_plan **out, struct error *error);
void cpu_relu_destroy(struct relu_plan **plan);
void cpu_relu_forward(struct relu_plan *plan, void *y, const void *x);
void cpu_relu_backward(struct relu_plan *plan, void *d_x, const void *d_y, const void *y);

/* dropout.c */
int cpu_dropout_create(struct backend *backend, const struct dropout_desc *desc, struct dropout_plan **out,
                       struct error *error);
void cpu_dropout_destroy(struct dropout_plan **plan);
void cpu_dropout_forward(struct dropout_plan *plan, void *y, void *mask, const void *x,
                         const struct dropout_draw *draw);
void cpu_dropout_backward(struct dropout_plan *plan, void *d_x, const void *d_y, const void *mask);

/* nt_xent.c */
int cpu_nt_xent_create(struct backend *backend, const struct nt_xent_desc *desc, struct nt_xent_plan **out,
                       struct error *error);
void cpu_nt_xent_destroy(struct nt_xent_plan **plan);
void cpu_nt_xent_sizes(const struct nt_xent_plan *plan, struct nt_xent_sizes *out);
void cpu_nt_xent_unit_rows(struct nt_xent_plan *plan, void *unit, const void *z);
void cpu_nt_xent_log_sums(struct nt_xent_plan *plan, struct nt_xent_result *result, void *sums, const void *unit);
void cpu_nt_xent_gradient(struct nt_xent_plan *plan, void *d_z, const void *unit, const void *sums);

/* optimizer.c */
int cpu_optimizer_create(struct backend *backend, const struct optimizer_desc *desc, struct optimizer_plan **out,
                         struct error *error);
void cpu_optimizer_destroy(struct optimizer_plan **plan);
void cpu_optimizer_run(struct optimizer_plan *plan, const struct step_inputs *inputs);
void cpu_sum_squares(struct backend *backend, double *out, const float *values, size_t count);

#endif
