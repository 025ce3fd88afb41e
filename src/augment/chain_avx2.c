/* augment/chain_avx2.c -- the fused colour passes compiled for AVX2. */
#define KERNELS chain_kernels_avx2
#include "augment/chain_body.h"
