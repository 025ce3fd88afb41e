/* augment/operations.h -- the operations of the paper's study of compositions (its Figures 4 and 5) that are not part
 * of SimCLR's own views. All work in place on a square view, planar float [3][size][size] in [0, 1], allocate nothing
 * and give the same bits on every processor. Where the paper gives no number the definition is the one named here. */
#ifndef AUGMENT_OPERATIONS_H
#define AUGMENT_OPERATIONS_H

#include <stdint.h>

#include "image/resample.h"

/* Rotation by `quarters` times 90 degrees, counter-clockwise as numpy.rot90 and torch.rot90 (Figure 4 f: 90, 180, 270).
 * 0 <= quarters < 4; 0 leaves the view as it is. */
void view_rotate(float *view, int size, int quarters);

/* Cutout (DeVries and Taylor 2017): every pixel of `hole`, which lies inside the view, becomes fill[channel]. */
void view_cutout(float *view, int size, struct box hole, const float fill[3]);

/* Gaussian noise: x + sigma * n, clamped to [0, 1]; n is N(0, 1), each value its own. Values 4 b to 4 b + 3 of the view
 * (in memory order) come from Philox block (key, b, 0, 0, 0) by Box and Muller: with u = (word >> 8) * 2^-24,
 * sqrt(-2 ln(1 - u0)) times cos, then sin, of 2 pi u1; u2 and u3 give the other two. */
void view_noise(float *view, int size, uint64_t key, float sigma);

/* Sobel filtering: all three channels become strength / 4 * sqrt(gx^2 + gy^2) of gray(x), at most 1; gx and gy by the
 * 3 x 3 kernels (1 2 1) x (-1 0 1), borders reflected without repeating the edge. A step from black to white has 1. */
void view_sobel(enum simd simd, float *view, int size, float strength);

#endif
