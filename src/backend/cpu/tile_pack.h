/* backend/cpu/tile_pack.h -- operands of backward weights for tiles: 32 images (two groups) at one position.
 *
 * From cells [16 images][32 channels] of bf16, group1 NULL standing for zeros:
 *   x: [2 halves of the channels][16 channels][32 images], left operands whose rows are channels;
 *   y: [even, odd channels][16 image pairs][16 channels][2 images], right operands. Even and odd channels lie in
 *      tiles of their own because that takes shifts and blends only, no shuffles.
 * 2 KiB per cell each. The two implementations give the same bytes. */
#ifndef BACKEND_CPU_TILE_PACK_H
#define BACKEND_CPU_TILE_PACK_H

#include <stddef.h>

void tile_pack_x(void *out, const void *group0, const void *group1, size_t cells);
void tile_pack_y(void *out, const void *group0, const void *group1, size_t cells);
#if defined(__x86_64__)
void tile_pack_x_avx512(void *out, const void *group0, const void *group1, size_t cells);
void tile_pack_y_avx512(void *out, const void *group0, const void *group1, size_t cells);
#endif

#endif
