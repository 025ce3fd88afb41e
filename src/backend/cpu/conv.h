/* backend/cpu/conv.h -- convolution and dense products of the cpu backend: the slots of struct backend_ops, and
 * the kernel tables they run on. See backend/backend.h for the meaning of each function. */
#ifndef BACKEND_CPU_CONV_H
#define BACKEND_CPU_CONV_H

#include "backend/backend.h"
#include "backend/cpu/core.h"

int cpu_conv_create(struct backend *backend, const struct conv_desc *desc, struct conv_plan **out, struct error *error);
void cpu_conv_destroy(struct conv_plan **plan);
size_t cpu_conv_bytes(const struct conv_plan *plan);
const char *cpu_conv_algorithm(const struct conv_plan *plan);
void cpu_conv_set_weights(struct conv_plan *plan, const float *weight);
void cpu_conv_forward(struct conv_plan *plan, void *y, double *statistics, const void *x, const float *bias);
void cpu_conv_backward_data(struct conv_plan *plan, void *d_x, const void *d_y);
void cpu_conv_backward_weights(struct conv_plan *plan, float *d_weight, float *d_bias, const void *d_y, const void *x);

/* Threaded over the backend's pool, on core->scratch: not from inside a pool task. The backend reserves
 * cpu_matmul_scratch(threads) bytes when it is created. */
void cpu_matmul(struct backend *backend, const struct matmul_args *args);
size_t cpu_matmul_scratch(int threads);
/* The same product on the calling thread only, for use inside a pool task: scratch is cpu_matmul_scratch(1)
 * bytes, 64-byte aligned, the caller's own. */
void matmul_serial(const struct matmul_kernels *kernels, const struct matmul_args *args, void *scratch);

/* Kernel tables, one per instruction set; NULL where this build does not have it or has nothing for the dtype.
 * Whether the CPU can run a table is the caller's business.
 *   portable: plain C, both dtypes.          avx2, avx512: both dtypes (bf16: storage only, float32 arithmetic).
 *   avx512bf16: bf16 only, products of pairs by dpbf16ps (float32 comes from avx512). */
const struct conv_kernels *conv_kernels_portable(enum dtype dtype);
const struct conv_kernels *conv_kernels_avx2(enum dtype dtype);
const struct conv_kernels *conv_kernels_avx512(enum dtype dtype);
const struct conv_kernels *conv_kernels_avx512bf16(enum dtype dtype);
const struct matmul_kernels *matmul_kernels_portable(void);
const struct matmul_kernels *matmul_kernels_avx2(void);
const struct matmul_kernels *matmul_kernels_avx512(void);

#endif
