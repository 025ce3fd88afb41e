/* image/resample_kernels.h -- the two passes of a resize, one table per instruction set. Private to the room. */
#ifndef IMAGE_RESAMPLE_KERNELS_H
#define IMAGE_RESAMPLE_KERNELS_H

#include <stddef.h>
#include <stdint.h>

enum { RESAMPLE_LANES_MAX = 16 };

/* The filter along one axis: output i is the sum over t < count[i] of weight[i * taps + t] * input[first[i] + t]. */
struct resample_axis {
    int taps; /* room for one output's weights */
    int *first, *count;
    float *weight;
};

/* A resize goes over blocks of `lanes` output rows: the vertical pass filters bytes into a block and leaves it
 * turned (columns[element][lane], element = 3 * x + channel, lane = row in the block), so that the horizontal pass
 * works on whole vectors of rows, whatever its taps; the result is turned back when it is stored. */
struct resample_kernels {
    int lanes;
    /* rows: the box's first byte; elements = 3 * box width. Fills columns [elements][lanes] for output rows
     * y .. y + count - 1, count <= lanes; lanes from count on are left as they were or zero. */
    void (*vertical)(const uint8_t *rows, size_t stride, int elements, const struct resample_axis *axis, int y,
                     int count, float *columns);
    /* Writes rows y .. y + count - 1 of out [3][height][width], clamped to [0, 1]. */
    void (*horizontal)(const float *columns, const struct resample_axis *axis, int y, int count, int width,
                       int height, float *out);
};

extern const struct resample_kernels resample_kernels_portable;
extern const struct resample_kernels resample_kernels_avx2;
extern const struct resample_kernels resample_kernels_avx512;

#endif
