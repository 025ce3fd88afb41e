/* backend/cpu/detect.h -- what this machine can run. */
#ifndef BACKEND_CPU_DETECT_H
#define BACKEND_CPU_DETECT_H

#include <stdbool.h>
#include <stddef.h>

#include "backend/cpu/cpu.h"

/* The highest level of vector kernels that the CPU and the operating system support. */
enum cpu_level cpu_detect_level(void);

/* Whether AMX-bf16 tiles exist and Linux grants them. Asking for the permission is part of the answer; it holds
 * for the whole process from then on. */
bool cpu_detect_tiles(void);

/* Bytes of the last cache level, or a guess of 32 MiB when the system does not say. */
size_t cpu_detect_cache_bytes(void);

#endif
