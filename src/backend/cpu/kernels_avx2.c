/* The kernels of kernels.h for AVX2 with FMA. */
#define CPU_KERNELS cpu_kernels_avx2
#include "backend/cpu/kernels_body.h"
