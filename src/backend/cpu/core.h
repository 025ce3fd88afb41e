/* backend/cpu/core.h -- the part of the cpu backend that plans and kernels need: the threads, the kernel tables
 * that were chosen for this CPU, and the scratch that all plans share. It is the first member of struct
 * cpu_backend, so that a `struct backend *` of the cpu backend is also a `struct cpu_core *`. */
#ifndef BACKEND_CPU_CORE_H
#define BACKEND_CPU_CORE_H

#include <stddef.h>

#include "backend/backend.h"

struct conv_kernels;
struct matmul_kernels;

struct cpu_core {
    struct backend base;
    const struct conv_kernels *conv[2];    /* by dtype: DTYPE_F32, DTYPE_BF16 */
    const struct matmul_kernels *matmul;
    void *scratch;                         /* 64-byte aligned; contents do not survive an operation */
    size_t scratch_bytes;
};

static inline struct cpu_core *cpu_core(struct backend *backend)
{
    return (struct cpu_core *)backend;
}

/* Planning only: afterwards core->scratch has at least `bytes` bytes (shared by all threads and all plans; an
 * operation divides it among its threads itself). It may move, so plans read core->scratch when they run. */
int cpu_reserve_scratch(struct cpu_core *core, size_t bytes, struct error *error);
void cpu_release_scratch(struct cpu_core *core);

#endif
