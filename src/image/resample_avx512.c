/* image/resample_avx512.c -- the passes of a resize in vectors of 16 floats. */
#define LANES 16
#define KERNELS resample_kernels_avx512
#include "image/resample_body.h"
