/* image/encode_jpeg.c -- a JPEG into memory, for tools and tests. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "image/image.h"
#include "image/jpeg_errors.h"

#include <jerror.h>

struct writer {
    struct jpeg_compress_struct cinfo;
    struct jpeg_errors errors;
    unsigned char *bytes; /* libjpeg's, from malloc */
    unsigned long count;
};

/* The only place where libjpeg can jump out while pixels are written. */
static int write_pixels(struct writer *writer, const struct image *image, int quality, struct error *error)
{
    struct jpeg_compress_struct *cinfo = &writer->cinfo;
    if (setjmp(writer->errors.jump)) {
        if (writer->errors.code == JERR_OUT_OF_MEMORY)
            return error_no_memory(error, "encoding a JPEG picture", 3 * (size_t)image->width * (size_t)image->height);
        return error_set(error, SIMCLR_INVALID, "a picture of %d x %d pixels cannot be written as JPEG (%s)",
                         image->width, image->height, writer->errors.text);
    }
    jpeg_create_compress(cinfo);
    jpeg_mem_dest(cinfo, &writer->bytes, &writer->count);
    cinfo->image_width = (JDIMENSION)image->width;
    cinfo->image_height = (JDIMENSION)image->height;
    cinfo->input_components = 3;
    cinfo->in_color_space = JCS_RGB;
    jpeg_set_defaults(cinfo);
    jpeg_set_quality(cinfo, quality, TRUE);
    jpeg_start_compress(cinfo, TRUE);
    while (cinfo->next_scanline < cinfo->image_height) {
        JSAMPROW row = image->rgb + (size_t)cinfo->next_scanline * (size_t)image->width * 3;
        jpeg_write_scanlines(cinfo, &row, 1);
    }
    jpeg_finish_compress(cinfo);
    return SIMCLR_OK;
}

int image_encode_jpeg(const struct image *image, int quality, uint8_t **out, size_t *count, struct error *error)
{
    *out = NULL;
    *count = 0;
    struct writer writer = {.bytes = NULL};
    writer.cinfo.err = jpeg_errors_open(&writer.errors);
    int status = write_pixels(&writer, image, quality, error);
    if (status == SIMCLR_OK) {
        *out = memory_allocate(writer.count);
        if (*out == NULL) {
            status = error_no_memory(error, "an encoded JPEG picture", writer.count);
        } else {
            memcpy(*out, writer.bytes, writer.count);
            *count = writer.count;
        }
    }
    jpeg_destroy_compress(&writer.cinfo);
    free(writer.bytes);
    return status;
}
