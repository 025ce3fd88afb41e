/* augment/blur.c -- the blur's weights, and the two passes over each channel. */
#include "augment/blur.h"

#include <math.h>
#include <string.h>

#include "augment/kernels.h"

const struct blur_kernels *blur_kernels_of(enum simd simd)
{
    return SIMD_CHOOSE(simd, &blur_kernels_avx512, &blur_kernels_avx2, &blur_kernels_portable);
}

int blur_weights(int radius, double sigma, float *weight)
{
    if (!(sigma > 0.0) || radius < 1) return 0;
    double sum = 0.0;
    int reach = 0; /* beyond it a float holds no weight */
    for (; reach <= radius; reach++) {
        const double value = exp(-0.5 * (reach / sigma) * (reach / sigma));
        if (value < 1e-30) break;
        weight[reach] = (float)value;
        sum += (reach ? 2.0 : 1.0) * value;
    }
    double kept = 0.0;
    int used = 0;
    for (int tap = 0; tap < reach && sum - kept > 4e-5 * sum; tap++) {
        kept += (tap ? 2.0 : 1.0) * (double)weight[tap];
        used = tap;
    }
    for (int tap = 0; tap <= used; tap++) weight[tap] = (float)((double)weight[tap] / kept);
    return used;
}

/* Scratch: a plane of padded rows, one of the result, a row with margins, the weights. */
size_t blur_scratch_bytes(int size, int radius)
{
    const size_t row = padded((size_t)size);
    return sizeof(float) * (2 * row * (size_t)size + row + 2 * blur_margin(radius) + padded((size_t)radius + 1));
}

void blur_gaussian(enum simd simd, float *view, int planes, int size, int radius, float sigma, void *scratch)
{
    const struct blur_kernels *kernels = blur_kernels_of(simd);
    const size_t pixels = (size_t)size * (size_t)size, row = padded((size_t)size);
    float *half = scratch, *whole = half + row * (size_t)size;
    float *line = whole + row * (size_t)size + blur_margin(radius);
    float *weight = line + row + blur_margin(radius);
    const int used = blur_weights(radius, (double)sigma, weight);
    if (used == 0) return;
    memset(line, 0, row * sizeof *line); /* whole vectors are read */
    for (int channel = 0; channel < planes; channel++) {
        float *plane = view + (size_t)channel * pixels;
        for (int y = 0; y < size; y++) {
            memcpy(line, plane + (size_t)y * (size_t)size, (size_t)size * sizeof *line);
            kernels->across(line, half + (size_t)y * row, size, used, weight);
        }
        const struct blur_down job = {
            .from = half, .to = whole, .from_stride = row, .to_stride = row, .size = size, .copies = 1};
        kernels->down(&job, used, weight);
        for (int y = 0; y < size; y++)
            memcpy(plane + (size_t)y * (size_t)size, whole + (size_t)y * row, (size_t)size * sizeof *line);
    }
}
