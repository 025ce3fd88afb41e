/* backend/cpu/nt_xent/nt_xent_amx_emulated.c -- the kernels of nt_xent_amx.c in plain C, for tests on machines without
 * AMX. */
#include "backend/cpu/nt_xent/nt_xent_tiles_body.h"

const struct nt_kernels *nt_kernels_amx_emulated(void)
{
    return &tiles_table;
}
