/* The kernels of kernels.h for AVX-512 with the conversions of AVX512-BF16. */
#define CPU_KERNELS cpu_kernels_avx512bf16
#include "backend/cpu/kernels_body.h"
