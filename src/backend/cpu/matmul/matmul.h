/* backend/cpu/matmul/matmul.h -- dense products of the cpu backend. */
#ifndef BACKEND_CPU_MATMUL_H
#define BACKEND_CPU_MATMUL_H

#include "backend/backend.h"

/* Threaded over the backend's pool, on the backend's scratch: not from inside a pool task. The backend reserves
 * cpu_matmul_scratch() bytes per thread when it is created. */
void cpu_matmul(struct backend *backend, const struct matmul_args *args);
size_t cpu_matmul_scratch(void);

#endif
