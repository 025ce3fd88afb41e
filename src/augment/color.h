/* augment/color.h -- colour operations on planar float views [3][pixels] in [0, 1]; each clamps to [0, 1].
 * Formulas are torchvision's for float images; gray = 0.2989 R + 0.587 G + 0.114 B (method.md section 1). */
#ifndef AUGMENT_COLOR_H
#define AUGMENT_COLOR_H

void color_brightness(float *view, int pixels, float factor); /* factor * x */
void color_contrast(float *view, int pixels, float factor);   /* factor * x + (1 - factor) * mean(gray(view)) */
void color_saturation(float *view, int pixels, float factor); /* factor * x + (1 - factor) * gray(x) */
void color_hue(float *view, int pixels, float shift);         /* HSV rotation by `shift` of the circle, [-0.5, 0.5] */
void color_gray(float *view, int pixels);                     /* all three channels := gray(x) */

#endif
