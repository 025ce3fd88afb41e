/* augment/chain_portable.c -- the fused colour passes compiled for any CPU. */
#define KERNELS chain_kernels_portable
#include "augment/chain_body.h"
