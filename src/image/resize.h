/* image/resize.h -- a whole picture at another size, in bytes. */
#ifndef IMAGE_RESIZE_H
#define IMAGE_RESIZE_H

#include "image/image.h"
#include "simd/simd.h"

/* By the antialiased bicubic filter of resample.h, rounded to bytes; *out is a new picture. SIMCLR_NO_MEMORY. */
int image_resize(enum simd simd, const struct image *picture, int width, int height, struct image *out,
                 struct error *error);

#endif
