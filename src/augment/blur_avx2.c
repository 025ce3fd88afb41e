/* augment/blur_avx2.c -- the passes of the blur compiled for AVX2. */
#define KERNELS blur_kernels_avx2
#include "augment/blur_body.h"
