/* augment/blur_avx512.c -- the passes of the blur compiled for AVX-512. */
#define KERNELS blur_kernels_avx512
#include "augment/blur_body.h"
