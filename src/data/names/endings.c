/* data/names/endings.c -- the endings of pictures: see endings.h and source_is_image_name. */
#include "data/names/endings.h"

#include <stddef.h>
#include <string.h>

#include "base/letters.h"
#include "data/names/source.h"
#include "image/image.h"

static const char *const read[] = {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp"};
static const char *const tiff[] = {".tif", ".tiff"}; /* read where libtiff was there when this was built */

/* What people have in their folders beside those: photos, scans, textures, raw files of cameras, medical pictures. */
static const char *const unread[] = {
    ".gif", ".bmp", ".heic", ".heif", ".avif", ".jxl", ".jp2",   ".j2k", ".jpx", ".jpf",  ".jxr", ".svg", ".psd",
    ".ico", ".tga", ".dds",  ".exr",  ".hdr",  ".ppm", ".pgm",   ".pbm", ".pnm", ".pam",  ".dng", ".nef", ".cr2",
    ".cr3", ".arw", ".orf",  ".rw2",  ".raf",  ".dcm", ".dicom", ".xcf", ".qoi", ".apng", ".emf", ".wmf", ".pcx",
};

bool ending_is(const char *text, const char *ending)
{
    for (; *ending != '\0'; text++, ending++) {
        if (letter_small(*text) != *ending) return false;
    }
    return *text == '\0';
}

static const char *find(const char *name, const char *const *endings, size_t count)
{
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && i < count; i++)
        if (ending_is(dot, endings[i])) return endings[i];
    return NULL;
}

bool source_is_image_name(const char *name)
{
    return find(name, read, sizeof read / sizeof *read) ||
           (image_reads_tiff() && find(name, tiff, sizeof tiff / sizeof *tiff));
}

const char *ending_of_unread(const char *name)
{
    const char *found = find(name, unread, sizeof unread / sizeof *unread);
    return found || image_reads_tiff() ? found : find(name, tiff, sizeof tiff / sizeof *tiff);
}

const char *endings_read(void)
{
    return image_reads_tiff() ? ".jpg, .jpeg, .png, .webp or .tif" : ".jpg, .jpeg, .png or .webp";
}
