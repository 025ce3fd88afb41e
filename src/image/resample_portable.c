/* image/resample_portable.c -- the passes of a resize in vectors of 4 floats. */
#define LANES 4
#define KERNELS resample_kernels_portable
#include "image/resample_body.h"
