/* augment/blur.h -- separable Gaussian blur with reflected borders (method.md section 1, step 5). */
#ifndef AUGMENT_BLUR_H
#define AUGMENT_BLUR_H

#include <stddef.h>

/* view: planar [3][size][size], in place. 2 * radius + 1 taps, weights exp(-x^2 / (2 sigma^2)) normalised;
 * borders reflected without repeating the edge. radius < size. scratch: blur_scratch_bytes. */
void blur_gaussian(float *view, int size, int radius, float sigma, void *scratch);
size_t blur_scratch_bytes(int size, int radius);

#endif
