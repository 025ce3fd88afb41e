/* backend/cpu/nt_xent/nt_xent_amx.c -- NT-Xent on AMX tiles. */
#include "backend/cpu/nt_xent/nt_xent.h"

#define TILE_NATIVE
#include "backend/cpu/nt_xent/nt_xent_tiles_body.h"

const struct nt_kernels *nt_kernels_amx(void)
{
    return &tiles_table;
}
