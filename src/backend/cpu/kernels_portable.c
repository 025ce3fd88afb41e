/* The kernels of kernels.h for plain C, with the compiler's 128-bit vectors. */
#define CPU_KERNELS cpu_kernels_portable
#include "backend/cpu/kernels_body.h"
