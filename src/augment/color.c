/* augment/color.c -- the colour operations by the best variant. */
#include "augment/color.h"

#include "augment/kernels.h"

const struct color_kernels *color_kernels_of(enum simd level)
{
    switch (simd_resolve(level)) {
    case SIMD_AVX512_VBMI:
    case SIMD_AVX512:
        return &color_kernels_avx512;
    case SIMD_AVX2:
        return &color_kernels_avx2;
    default:
        return &color_kernels_portable;
    }
}

void color_brightness(float *view, int pixels, float factor)
{
    color_kernels_of(SIMD_BEST)->brightness(view, pixels, factor);
}

void color_contrast(float *view, int pixels, float factor)
{
    color_kernels_of(SIMD_BEST)->contrast(view, pixels, factor);
}

void color_saturation(float *view, int pixels, float factor)
{
    color_kernels_of(SIMD_BEST)->saturation(view, pixels, factor);
}

void color_hue(float *view, int pixels, float shift)
{
    color_kernels_of(SIMD_BEST)->hue(view, pixels, shift);
}

void color_gray(float *view, int pixels)
{
    color_kernels_of(SIMD_BEST)->gray(view, pixels);
}
