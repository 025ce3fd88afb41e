/* augment/chain_avx512.c -- the fused colour passes compiled for AVX-512. */
#define KERNELS chain_kernels_avx512
#include "augment/chain_body.h"
