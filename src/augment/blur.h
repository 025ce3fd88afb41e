/* augment/blur.h -- separable Gaussian blur with reflected borders (method.md section 1, step 5). */
#ifndef AUGMENT_BLUR_H
#define AUGMENT_BLUR_H

#include <stddef.h>

#include "simd/simd.h"

/* view: planar [planes][size][size], in place. 2 * radius + 1 taps, weights exp(-x^2 / (2 sigma^2)) normalised;
 * borders reflected without repeating the edge. 0 <= radius < size. sigma <= 0 leaves the view as it is.
 * Outer taps that together are below 4e-5 of the sum are left out. Variants differ by rounding (1e-6).
 * scratch: blur_scratch_bytes, 64-byte aligned. */
void blur_gaussian(enum simd simd, float *view, int planes, int size, int radius, float sigma, void *scratch);

size_t blur_scratch_bytes(int size, int radius);

#endif
