/* augment/blur_portable.c -- the passes of the blur in vectors of 4 floats. */
#define LANES 4
#define KERNELS blur_kernels_portable
#include "augment/blur_body.h"
