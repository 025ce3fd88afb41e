/* image/resample.h -- antialiased resize of a box, as Pillow's filters define it (method.md section 1). */
#ifndef IMAGE_RESAMPLE_H
#define IMAGE_RESAMPLE_H

#include <stdbool.h>
#include <stddef.h>

#include "image/image.h"
#include "image/simd.h"

enum resample_filter { RESAMPLE_BICUBIC, RESAMPLE_BILINEAR }; /* bicubic: a = -0.5 */

struct box { int x, y, width, height; };

/* Cuts `box` out of `image` (it must lie inside and hold at least one pixel) and resizes it to width x height with
 * the filter's support scaled by the reduction factor; no rounding or clamping between the two passes, one clamp to
 * [0,1] at the end; mirrored left-right when `flip`. No byte outside the image is read.
 * out: planar float [3][height][width] in [0, 1]. scratch: resample_scratch_bytes, 64-byte aligned. */
void resample(const struct image *image, struct box box, enum resample_filter filter, bool flip, int width,
              int height, float *out, void *scratch);

/* The same by a given variant of the loops (SIMD_BEST: resample); every variant gives the same bits. */
void resample_by(enum simd level, const struct image *image, struct box box, enum resample_filter filter, bool flip,
                 int width, int height, float *out, void *scratch);

/* Enough scratch for any box of an image of at most max_width x max_height resized to width x height. */
size_t resample_scratch_bytes(int max_width, int max_height, int width, int height);

#endif
