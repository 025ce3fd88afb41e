/* backend/cpu/conv/conv.h -- convolution of the cpu backend: the slots of struct backend_ops.
 * See backend/backend.h for the meaning of each function. */
#ifndef BACKEND_CPU_CONV_H
#define BACKEND_CPU_CONV_H

#include "backend/backend.h"
#include "backend/cpu/cpu.h"

int cpu_conv_create(struct backend *backend, const struct conv_desc *desc, struct conv_plan **out, struct error *error);
void cpu_conv_destroy(struct conv_plan **plan);
size_t cpu_conv_bytes(const struct conv_plan *plan);
const char *cpu_conv_algorithm(const struct conv_plan *plan);
void cpu_conv_work(const struct conv_plan *plan, struct conv_work work[CONV_PASSES]); /* conv_work.c */
double cpu_peak(struct backend *backend, enum dtype operands);
void cpu_conv_set_weights(struct conv_plan *plan, const float *weight);
void cpu_conv_set_folded_weights(struct conv_plan *plan, const struct conv_folding *folding);
void cpu_conv_forward(struct conv_plan *plan, void *y, double *statistics, const void *x, const float *bias);
void cpu_conv_inference(struct conv_plan *plan, void *y, const void *x, const void *residual, const float *bias);
void cpu_conv_backward_data(struct conv_plan *plan, void *d_x, const void *d_y);
void cpu_conv_backward_weights(struct conv_plan *plan, float *d_weight, float *d_bias, const void *d_y, const void *x);

#endif
