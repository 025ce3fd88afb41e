/* augment/color.c -- the colour operations, and which variant does them. */
#include "augment/color.h"

#include "augment/kernels.h"

const struct color_kernels *color_kernels_of(enum simd simd)
{
    return SIMD_CHOOSE(simd, &color_kernels_avx512, &color_kernels_avx2, &color_kernels_portable);
}

void color_brightness(float *view, int pixels, float factor)
{
    color_kernels_portable.brightness(view, pixels, factor);
}

void color_contrast(float *view, int pixels, float factor)
{
    color_kernels_portable.contrast(view, pixels, factor);
}

void color_saturation(float *view, int pixels, float factor)
{
    color_kernels_portable.saturation(view, pixels, factor);
}

void color_hue(float *view, int pixels, float shift)
{
    color_kernels_portable.hue(view, pixels, shift);
}

void color_gray(float *view, int pixels)
{
    color_kernels_portable.gray(view, pixels);
}
