/* image/resample.h -- antialiased resize of a box, as Pillow's filters define it (method.md section 1). */
#ifndef IMAGE_RESAMPLE_H
#define IMAGE_RESAMPLE_H

#include <stdbool.h>
#include <stddef.h>

#include "image/image.h"
#include "simd/simd.h"

enum resample_filter { RESAMPLE_BICUBIC, RESAMPLE_BILINEAR }; /* bicubic: a = -0.5 */

/* How a box is resized, and by which variant. */
struct resample_to {
    enum simd simd;
    enum resample_filter filter;
    int width, height; /* of the result */
    bool flip;         /* mirrored left-right */
};

/* Cuts `box` out of `image` (it must lie inside and hold at least one pixel) and resizes it to width x height with
 * the filter's support scaled by the reduction factor; no rounding to 8 bits and no clamping between the two passes,
 * one clamp to [0,1] at the end. No byte outside the image is read.
 * out: planar float [3][height][width] in [0, 1]. scratch: resample_scratch_bytes, 64-byte aligned.
 *
 * Variants differ: the portable one works in float32 throughout, the others have weights of 15 bits, and that of
 * SIMD_AVX512_VBMI 7 fraction bits between the passes: within 0.1/255 of the portable one. */
void resample(const struct resample_to *to, const struct image *image, struct box box, float *out, void *scratch);

/* Enough scratch for any box of an image of at most max_width x max_height resized to width x height. */
size_t resample_scratch_bytes(enum simd simd, int max_width, int max_height, int width, int height);

/* ---- the same by blocks of rows, so that what follows finds them in the cache ---- */

struct resample_kernels;

/* A resize under way. The fields are the variants'. */
struct resampler {
    const struct resample_kernels *kernels;
    const uint8_t *rows, *end; /* the box's first byte; behind the image's last */
    size_t stride;             /* bytes from row to row */
    struct box box;
    int width, height;
    const void *across, *down; /* tables of weights */
    void *work;
    int done; /* source rows that have been taken in so far */
};

/* Tables of weights for every size of box that images of at most max_width x max_height can have, made once for views
 * whose tables would cost more than their pixels. It pays where resample_cache_bytes is not 0. */
struct resample_cache {
    enum resample_filter filter;
    int max_width, max_height, width, height;
    size_t across_bytes, down_bytes; /* of one table */
    char *tables;                    /* [2][max_width], then [max_height] */
};
size_t resample_cache_bytes(enum simd simd, int max_width, int max_height, int width, int height);
/* Tables for both values of `flip`. block: resample_cache_bytes, 64-byte aligned, borrowed by the cache. */
void resample_cache_make(struct resample_cache *cache, const struct resample_to *to, int max_width, int max_height,
                         void *block);

/* cache: NULL, or made with the same mask, filter, width and height. */
void resample_open(struct resampler *resampler, const struct resample_to *to, const struct image *image, struct box box,
                   const struct resample_cache *cache, void *scratch);

/* A part of an image that need not begin and end between pixels. */
struct resample_area {
    double x, y, width, height;
};

/* resample_open for such a part, which must lie inside the image up to rounding. Pixels that lie in it in part only are
 * read whole. */
void resample_open_area(struct resampler *resampler, const struct resample_to *to, const struct image *image,
                        struct resample_area area, void *scratch);

/* Rows y .. y + count - 1: calls go from 0 up, a multiple of RESAMPLE_BLOCK rows at a time, the last cut. out: row y of
 * a plane whose rows are `stride` floats apart, a multiple of 16; what lies between width and the next multiple of 16
 * is set to some number of [0, 1]. Planes are `plane` floats apart. */
enum { RESAMPLE_BLOCK = 8 };
void resample_rows(struct resampler *resampler, int y, int count, float *out, size_t stride, size_t plane);

#endif
