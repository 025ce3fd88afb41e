/* image/resize.c -- see resize.h. */
#include "image/resize.h"

#include "base/memory.h"
#include "image/canvas.h"
#include "image/resample.h"

int image_resize(enum simd simd, const struct image *picture, int width, int height, struct image *out,
                 struct error *error)
{
    int status = image_create(width, height, out, error);
    if (status != SIMCLR_OK) return status;
    const size_t plane = (size_t)width * (size_t)height;
    float *planar = memory_array(3 * plane, sizeof *planar);
    void *scratch = memory_allocate(resample_scratch_bytes(simd, picture->width, picture->height, width, height));
    if (planar != NULL && scratch != NULL) {
        const struct resample_to to = {simd, RESAMPLE_BICUBIC, width, height, false};
        resample(&to, picture, (struct box){0, 0, picture->width, picture->height}, planar, scratch);
        for (size_t channel = 0; channel < 3; channel++)
            for (size_t i = 0; i < plane; i++) out->rgb[3 * i + channel] = canvas_byte(planar[channel * plane + i]);
    } else {
        status = error_no_memory(error, "a resized picture", 3 * plane * sizeof *planar);
        image_free(out);
    }
    memory_free(planar);
    memory_free(scratch);
    return status;
}
