/* augment/blur_avx512.c -- the passes of the blur in vectors of 16 floats. */
#define LANES 16
#define KERNELS blur_kernels_avx512
#include "augment/blur_body.h"
