/* augment/blur_avx2.c -- the passes of the blur in vectors of 8 floats. */
#define LANES 8
#define KERNELS blur_kernels_avx2
#include "augment/blur_body.h"
