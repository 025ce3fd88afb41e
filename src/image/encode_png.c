/* image/encode_png.c -- a PNG file, whole or absent. */
#include <png.h>

#include "base/file.h"
#include "image/image.h"

int image_write_png(const char *path, const struct image *image, struct error *error)
{
    struct file_writer *writer = NULL;
    const int status = file_writer_open(&writer, path, error);
    if (status != SIMCLR_OK)
        return status;
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
