/* augment/blur.c -- the blur's weights, and the two passes over each channel. */
#include "augment/blur.h"

#include <math.h>

#include "augment/kernels.h"

static const struct blur_kernels *kernels_of(enum simd level)
{
    switch (simd_resolve(level)) {
    case SIMD_AVX512:
        return &blur_kernels_avx512;
    case SIMD_AVX2:
        return &blur_kernels_avx2;
    default:
        return &blur_kernels_portable;
    }
}

static size_t round_up(size_t floats)
{
    return (floats + 15) / 16 * 16;
}

size_t blur_scratch_bytes(int size, int radius)
{
    return sizeof(float) * (round_up((size_t)size * (size_t)size) + blur_line_floats(size, radius) +
                            round_up((size_t)radius + 1));
}

/* Fills weight[0 .. radius] (0 is the centre's) and returns the radius that matters: outer taps that together are
 * below a millionth of the sum are left out, which no float output can show. */
static int make_weights(int radius, double sigma, float *weight)
{
    double sum = 0.0;
    for (int tap = 0; tap <= radius; tap++)
        sum += (tap ? 2.0 : 1.0) * exp(-0.5 * (tap / sigma) * (tap / sigma));
    double kept = 0.0;
    int used = 0;
    for (int tap = 0; tap <= radius && sum - kept > 1e-6 * sum; tap++) {
        kept += (tap ? 2.0 : 1.0) * exp(-0.5 * (tap / sigma) * (tap / sigma));
        used = tap;
    }
    for (int tap = 0; tap <= used; tap++)
        weight[tap] = (float)(exp(-0.5 * (tap / sigma) * (tap / sigma)) / kept);
    return used;
}

void blur_gaussian_by(enum simd level, float *view, int planes, int size, int radius, float sigma, void *scratch)
{
    if (!(sigma > 0.0f) || radius < 1)
        return;
    const struct blur_kernels *kernels = kernels_of(level);
    const size_t pixels = (size_t)size * (size_t)size;
    float *half = scratch;
    float *line = half + round_up(pixels);
    float *weight = line + blur_line_floats(size, radius);
    const int used = make_weights(radius, (double)sigma, weight);
    if (used == 0)
        return; /* a sigma so small that only the centre weighs: nothing changes */
    for (int channel = 0; channel < planes; channel++) {
        float *plane = view + (size_t)channel * pixels;
        kernels->across(plane, half, size, used, weight, line);
        kernels->down(half, plane, size, used, weight);
    }
}

void blur_gaussian(float *view, int size, int radius, float sigma, void *scratch)
{
    blur_gaussian_by(SIMD_BEST, view, 3, size, radius, sigma, scratch);
}
