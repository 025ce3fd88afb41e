/* augment/color_avx512.c -- the colour loops compiled for AVX-512. */
#include "augment/kernels.h"

#define KERNELS color_kernels_avx512
#include "augment/color_body.h"
