/* image/encode_png.c -- a PNG into a file, whole or absent, or into memory. */
#include <png.h>

#include "base/file.h"
#include "base/memory.h"
#include "image/image.h"

int image_write_png(const char *path, const struct image *image, struct error *error)
{
    struct file_writer *writer = NULL;
    const int status = file_writer_open(&writer, path, error);
    if (status != SIMCLR_OK) return status;
    png_image header = {.version = PNG_IMAGE_VERSION,
                        .width = (png_uint_32)image->width,
                        .height = (png_uint_32)image->height,
                        .format = PNG_FORMAT_RGB};
    if (!png_image_write_to_stdio(&header, file_writer_stream(writer), 0, image->rgb, 0, NULL)) {
        file_writer_abort(&writer);
        return error_set(error, SIMCLR_IO, "%s: cannot write the PNG (%s); check the disk's space", path,
                         header.message);
    }
    return file_writer_commit(&writer, error);
}

int image_encode_png(const struct image *image, uint8_t **out, size_t *count, struct error *error)
{
    png_image header = {.version = PNG_IMAGE_VERSION,
                        .width = (png_uint_32)image->width,
                        .height = (png_uint_32)image->height,
                        .format = PNG_FORMAT_RGB};
    png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(header);
    *count = 0;
    *out = memory_allocate(size);
    if (*out == NULL) return error_no_memory(error, "an encoded PNG picture", size);
    if (!png_image_write_to_memory(&header, *out, &size, 0, image->rgb, 0, NULL)) {
        memory_free(*out);
        *out = NULL;
        return error_set(error, SIMCLR_INVALID, "a picture of %d x %d pixels cannot be written as PNG (%s)",
                         image->width, image->height, header.message);
    }
    *count = size;
    return SIMCLR_OK;
}
