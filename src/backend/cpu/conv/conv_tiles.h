/* backend/cpu/conv/conv_tiles.h -- convolution kernels on matrix tiles (tile.h), bf16 only. */
#ifndef BACKEND_CPU_CONV_TILES_H
#define BACKEND_CPU_CONV_TILES_H

#include "backend/cpu/conv/conv_kernels.h"

/* Of images a tile contracts at most 32 values of one kernel row; wider kernels take the vector kernels. */
enum { CONV_TILE_IMAGE_VALUES = 32 };

/* images: for a first layer that reads images. NULL where this build does not have it. */
#if defined(__x86_64__)
const struct conv_kernels *conv_kernels_amx(bool images);
#else /* their files are left out of the build */
static inline const struct conv_kernels *conv_kernels_amx(bool images)
{
    (void)images;
    return NULL;
}
#endif
const struct conv_kernels *conv_kernels_amx_emulated(bool images);

#endif
