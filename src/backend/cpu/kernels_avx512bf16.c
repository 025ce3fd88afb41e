/* The kernels of kernels.h for AVX-512 with the conversions of AVX512-BF16. */
#if defined(__x86_64__)
#define CPU_KERNELS cpu_kernels_avx512bf16
#include "backend/cpu/kernels_body.h"
#else
typedef int cpu_kernels_avx512bf16_absent; /* a file must declare something */
#endif
