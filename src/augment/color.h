/* augment/color.h -- colour operations on planar float views [3][pixels] in [0, 1]; each clamps to [0, 1].
 * Formulas are torchvision's for float images; gray = 0.2989 R + 0.587 G + 0.114 B (method.md section 1). */
#ifndef AUGMENT_COLOR_H
#define AUGMENT_COLOR_H

#include "simd/simd.h"

/* By plain C. All variants give these bits. */
void color_brightness(float *view, int pixels, float factor); /* factor * x */
void color_contrast(float *view, int pixels, float factor);   /* factor * x + (1 - factor) * mean(gray(view)) */
void color_saturation(float *view, int pixels, float factor); /* factor * x + (1 - factor) * gray(x) */
void color_hue(float *view, int pixels, float shift);         /* HSV rotation by `shift` of the circle, |shift| < 1e6 */
void color_gray(float *view, int pixels);                     /* all three channels := gray(x) */

/* The same operations of one compiled variant, and those that need no header of their own. */
struct color_kernels {
    void (*brightness)(float *view, int pixels, float factor);
    void (*contrast)(float *view, int pixels, float factor);
    void (*saturation)(float *view, int pixels, float factor);
    void (*hue)(float *view, int pixels, float shift);
    void (*gray)(float *view, int pixels);
    void (*solarize)(float *view, int pixels);                                /* x > 1/2 becomes 1 - x */
    void (*normalize)(float *plane, int pixels, float mean, float deviation); /* (x - mean) / deviation, one channel */
};

const struct color_kernels *color_kernels_of(enum simd simd);

#endif
