/* backend/cpu/conv/conv_amx.c -- convolution on AMX tiles. */
#include "backend/cpu/conv/conv_tiles.h"

#define TILE_NATIVE
#define TILES_TITLE "amx 3x2"
#define TILES_PACK_X tile_pack_x_avx512
#define TILES_PACK_Y tile_pack_y_avx512
#define TILES_PACK_BLOCK conv_pack_tiles
#define TILES_VECTORS conv_kernels_avx512bf16(DTYPE_BF16)
#include "backend/cpu/conv/body/conv_tiles_body.h"

const struct conv_kernels *conv_kernels_amx(bool images)
{
    return images ? &image_table : &tiles_table;
}
