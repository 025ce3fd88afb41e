/* augment/color_portable.c -- the colour loops compiled for any CPU. */
#include "augment/kernels.h"

#define KERNELS color_kernels_portable
#include "augment/color_body.h"
