/* augment/kernels.h -- the tables that the compiled variants of this room define. Private to the room. */
#ifndef AUGMENT_KERNELS_H
#define AUGMENT_KERNELS_H

#include <stddef.h>

#include "augment/color.h"

/* One pass each of the separable blur over a plane [size][size]; weight[0] is the centre's, radius < size. */
struct blur_kernels {
    /* line: scratch of blur_line_floats floats, 64-byte aligned. to and from do not overlap. */
    void (*across)(const float *from, float *to, int size, int radius, const float *weight, float *line);
    void (*down)(const float *from, float *to, int size, int radius, const float *weight);
};

extern const struct color_kernels color_kernels_portable, color_kernels_avx2, color_kernels_avx512;
extern const struct blur_kernels blur_kernels_portable, blur_kernels_avx2, blur_kernels_avx512;

enum { BLUR_LANES_MAX = 16 };

/* A row with its reflected borders, and room for whole vectors at its end. */
static inline size_t blur_line_floats(int size, int radius)
{
    return ((size_t)size + 2 * (size_t)radius + BLUR_LANES_MAX + 15) / 16 * 16;
}

#endif
