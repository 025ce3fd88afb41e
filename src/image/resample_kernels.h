/* image/resample_kernels.h -- what a variant of the resize consists of, and the weights that all share. Private to
 * the room. */
#ifndef IMAGE_RESAMPLE_KERNELS_H
#define IMAGE_RESAMPLE_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#include "image/resample.h"

/* What of one axis is resized: `length` pixels from `begin` on, of `input` pixels that may be read. */
struct resample_span {
    int input;
    double begin, length;
};

static inline struct resample_span resample_whole(int input)
{
    return (struct resample_span){input, 0.0, input};
}

/* A variant: tables of each axis's weights, then blocks of rows. Sizes are multiples of 64 bytes. */
struct resample_kernels {
    /* Of one axis's table for a box of at most `input`. */
    size_t (*across_bytes)(int input, int output);
    size_t (*down_bytes)(int input, int output);
    void (*across_make)(void *table, struct resample_span span, int output, enum resample_filter filter, bool flip,
                        void *work);
    void (*down_make)(void *table, struct resample_span span, int output, enum resample_filter filter, void *work);
    /* Scratch of the making of tables and of the rows. */
    size_t (*work_bytes)(int max_width, int max_height, int width, int height);
    void (*rows)(struct resampler *resampler, int y, int count, float *out, size_t stride, size_t plane);
    int most_scale; /* a box that many times larger than the output on either axis is left to the portable variant */
};

extern const struct resample_kernels resample_kernels_portable;
extern const struct resample_kernels resample_kernels_avx2;
extern const struct resample_kernels resample_kernels_avx512;
extern const struct resample_kernels resample_kernels_avx512vbmi;

static inline size_t resample_round_up(size_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

static inline double resample_half_width(enum resample_filter filter)
{
    return filter == RESAMPLE_BICUBIC ? 2.0 : 1.0;
}

/* No output has more taps: an interval of length 2 * support holds at most that many pixels, plus one. */
int resample_most_taps(int input, int output, enum resample_filter filter);

/* The filter along one axis as floats: output i is the sum over t < count[i] of weight[i * taps + t] *
 * input[first[i] + t]. */
struct resample_axis {
    int taps; /* room for one output's weights */
    int *first, *count;
    float *weight;
};
size_t resample_axis_bytes(int input, int output);

/* Fills the tables of one axis in `block` (resample_axis_bytes); the weights of an output sum to `total`. */
struct resample_axis resample_axis_make(struct resample_span span, int output, enum resample_filter filter, bool flip,
                                        double total, void *block);

#endif
