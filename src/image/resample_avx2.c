/* image/resample_avx2.c -- the passes of a resize in vectors of 8 floats. */
#define LANES 8
#define KERNELS resample_kernels_avx2
#include "image/resample_body.h"
