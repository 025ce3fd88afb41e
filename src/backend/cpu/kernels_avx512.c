/* The kernels of kernels.h for AVX-512 (F, BW, DQ, VL). */
#define CPU_KERNELS cpu_kernels_avx512
#include "backend/cpu/kernels_body.h"
