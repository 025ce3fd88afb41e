/* backend/cpu/conv/conv_amx_emulated.c -- the kernels of conv_amx.c in plain C, for tests on machines without AMX. */
#define TILES_TITLE "amx-emulated 3x2"
#define TILES_PACK_X tile_pack_x
#define TILES_PACK_Y tile_pack_y
#define TILES_PACK_BLOCK NULL
#define TILES_VECTORS conv_kernels_portable(DTYPE_BF16)
#include "backend/cpu/conv/body/conv_tiles_body.h"

const struct conv_kernels *conv_kernels_amx_emulated(bool images)
{
    return images ? &image_table : &tiles_table;
}
