/* backend/cpu/winograd/winograd_portable.c -- the kernels of winograd_body.h in plain C: vectors of four floats. */
#define WINOGRAD_TABLE table
#define WINOGRAD_TITLE "portable 6x2"
#include "backend/cpu/winograd/winograd_body.h"

const struct winograd_kernels *winograd_kernels_portable(void)
{
    return &table;
}
