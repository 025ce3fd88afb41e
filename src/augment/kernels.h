/* augment/kernels.h -- the tables that the compiled variants of this room define. Private to the room. */
#ifndef AUGMENT_KERNELS_H
#define AUGMENT_KERNELS_H

#include <stdbool.h>
#include <stddef.h>

#include "augment/color.h"

enum {
    BLUR_RADIUS_FIXED = 11, /* larger ones are not unrolled */
    BLUR_MARGIN = 16        /* floats beside a row that the borders of whole vectors take */
};

/* How a pass writes what it makes. Past the caches go whole lines: `to` is aligned to 64 bytes, and what is counted
 * from there (planes, rows, their lengths) are multiples of 64 bytes too. */
enum put {
    PUT_STORE,      /* floats, to stay in the caches */
    PUT_STREAM,     /* floats, past the caches       */
    PUT_STREAM_BF16 /* bf16, past the caches         */
};

/* The second pass over one plane. Rows are padded: whole vectors of 16 may be read and written past their end. */
struct blur_down {
    const float *from;
    void *to;
    size_t from_stride, to_stride, to_plane; /* in values */
    int size;
    int copies; /* equal planes to write, to_plane apart: three of a gray view */
    enum put how;
};

/* One pass each of the separable blur; weight[0] is the centre's, 1 <= radius < size. */
struct blur_kernels {
    /* Filters one row into `to` (padded). row has blur_margin floats before it and after its end, which are filled
     * with the reflected border. */
    void (*across)(float *row, float *to, int size, int radius, const float *weight);
    void (*down)(const struct blur_down *job, int radius, const float *weight);
};

extern const struct color_kernels color_kernels_portable, color_kernels_avx2, color_kernels_avx512;
extern const struct blur_kernels blur_kernels_portable, blur_kernels_avx2, blur_kernels_avx512;

const struct blur_kernels *blur_kernels_of(enum simd simd);

/* Rows of a view in the making are padded to whole vectors of any variant. */
static inline size_t padded(size_t floats)
{
    return (floats + 15) / 16 * 16;
}

/* Floats beside a row of blur_kernels.across, a multiple of 16. */
static inline size_t blur_margin(int radius)
{
    return padded((size_t)radius) + BLUR_MARGIN;
}

/* Fills weight[0 .. radius] (0 is the centre's) and returns the radius that matters: 0 where nothing changes. Outer
 * taps that together are below 4e-5 of the sum are left out: less than 8e-5 of a view of two passes, a fiftieth of
 * 1/255. */
int blur_weights(int radius, double sigma, float *weight);

#endif
