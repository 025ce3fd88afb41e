/* backend/cpu/tiles/tile_pack.h -- operands of backward weights for tiles: 32 images at a time, as four octets
 * [8 images][32 or 16 channels] of bf16, each NULL standing for zeros. An octet is half a cell of sixteen images, or a
 * cell of eight; so that the 32 are those of two groups at one position, or of one small group at four positions.
 *
 *   x: rows, one per channel, of 32 images (64 bytes), `pitch` bytes apart: rows of left operands. Images may lie
 *      further apart than 64 bytes: `image`;
 *   y: [even, odd channels][16 image pairs][16 channels][2 images], right operands, 2 KiB; of 16
 *      channels [16 image pairs][16 channels][2 images], 1 KiB. Even and odd channels lie
 *      in tiles of their own because that takes shifts and blends only, no shuffles.
 * The two implementations give the same bytes. */
#ifndef BACKEND_CPU_TILE_PACK_H
#define BACKEND_CPU_TILE_PACK_H

#include <stddef.h>

void tile_pack_x(void *out, ptrdiff_t pitch, const void *const octets[4], ptrdiff_t image, int channels);
void tile_pack_y(void *out, const void *const octets[4], int channels);
#if defined(__x86_64__)
void tile_pack_x_avx512(void *out, ptrdiff_t pitch, const void *const octets[4], ptrdiff_t image, int channels);
void tile_pack_y_avx512(void *out, const void *const octets[4], int channels);
#endif

#endif
