/* augment/blur_portable.c -- the passes of the blur compiled for any CPU. */
#define KERNELS blur_kernels_portable
#include "augment/blur_body.h"
