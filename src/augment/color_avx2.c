/* augment/color_avx2.c -- the colour loops compiled for AVX2. */
#include "augment/kernels.h"

#define KERNELS color_kernels_avx2
#include "augment/color_body.h"
