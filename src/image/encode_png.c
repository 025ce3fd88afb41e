/* image/encode_png.c -- a PNG into a file, whole or absent, or into memory. */
#include <stdio.h>

#include "base/file.h"
#include "base/memory.h"
#include "image/exif.h"
#include "image/image.h"
#include "image/png_calls.h"

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

/* ---- sheets: the simple interface writes no text, so libpng's own is used ---- */

struct sheet_writer {
    png_structp png;
    png_infop info;
    struct file_writer *file; /* which remembers its first failure */
    struct png_calls calls;
};

static void put_bytes(png_structp png, png_bytep bytes, size_t count)
{
    struct sheet_writer *writer = png_get_io_ptr(png);
    file_writer_write(writer->file, bytes, count);
}

static void flush_nothing(png_structp png)
{
    (void)png;
}

/* The only place where libpng can jump out. */
static bool write_sheet(struct sheet_writer *writer, const struct image *image)
{
    char keyword[] = SHEET_KEYWORD, words[] = SHEET_WORDS;
    const png_text text = {
        .compression = PNG_TEXT_COMPRESSION_NONE, .key = keyword, .text = words, .text_length = sizeof words - 1};
    if (setjmp(writer->calls.jump)) return false;
    writer->png =
        png_create_write_struct_2(PNG_LIBPNG_VER_STRING, &writer->calls, png_calls_leave, png_calls_ignore_warning,
                                  &writer->calls, png_calls_allocate, png_calls_release);
    writer->info = writer->png ? png_create_info_struct(writer->png) : NULL;
    if (!writer->info) return false;
    png_set_write_fn(writer->png, writer, put_bytes, flush_nothing);
    png_set_IHDR(writer->png, writer->info, (png_uint_32)image->width, (png_uint_32)image->height, 8,
                 PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_set_text(writer->png, writer->info, &text, 1);
    png_write_info(writer->png, writer->info);
    for (int y = 0; y < image->height; y++)
        png_write_row(writer->png, image->rgb + (size_t)y * (size_t)image->width * 3);
    png_write_end(writer->png, NULL);
    return true;
}

int image_write_sheet(const char *path, const struct image *image, struct error *error)
{
    struct file_writer *file = NULL;
    const int status = file_writer_open(&file, path, error);
    if (status != SIMCLR_OK) return status;
    struct sheet_writer writer = {.file = file};
    const bool written = write_sheet(&writer, image);
    if (writer.png) png_destroy_write_struct(&writer.png, writer.info ? &writer.info : NULL);
    if (written) return file_writer_commit(&file, error);
    file_writer_abort(&file);
    if (writer.calls.no_memory || writer.calls.text[0] == '\0')
        return error_no_memory(error, "writing a PNG picture", (size_t)image->width * 3);
    return error_set(error, SIMCLR_IO, "%s: cannot write the PNG (%s); check the disk's space", path,
                     writer.calls.text);
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
