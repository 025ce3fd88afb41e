/* The kernels of kernels.h for AVX-512 (F, BW, DQ, VL). */
#if defined(__x86_64__)
#define CPU_KERNELS cpu_kernels_avx512
#include "backend/cpu/kernels_body.h"
#else
typedef int cpu_kernels_avx512_absent; /* a file must declare something */
#endif
