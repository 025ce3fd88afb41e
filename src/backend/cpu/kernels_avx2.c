/* The kernels of kernels.h for AVX2 with FMA. */
#if defined(__x86_64__)
#define CPU_KERNELS cpu_kernels_avx2
#include "backend/cpu/kernels_body.h"
#else
typedef int cpu_kernels_avx2_absent; /* a file must declare something */
#endif
