/* image/decode.c -- which codec? By the first bytes, never by the name. */
#include "image/decode.h"

#include <stdbool.h>
#include <string.h>

#include "base/signature.h"
#include "image/exif.h"

/* The codecs, in the order of enum image_format. */
static const struct codec {
    const char *name, *magic;
    size_t offset, length;
    int (*decode)(const uint8_t *bytes, size_t count, const struct image_limits *limits, const char *name,
                  struct image *out, struct error *error);
    int (*probe)(const uint8_t *bytes, size_t count, const char *name, int *width, int *height, struct error *error);
    struct metadata (*metadata)(const uint8_t *bytes, size_t count);
} codecs[] = {
    [IMAGE_OTHER] = {.name = "other"},
    [IMAGE_JPEG] = {"JPEG", "\xFF\xD8\xFF", 0, 3, jpeg_decode, jpeg_probe, jpeg_metadata},
    [IMAGE_PNG] = {"PNG", "\x89PNG\r\n\x1A\n", 0, 8, png_decode, png_probe, png_metadata},
    [IMAGE_WEBP] = {"WebP", "WEBP", 8, 4, webp_decode, webp_probe, webp_metadata},
    [IMAGE_TIFF] = {"TIFF", "", 0, 0, tiff_decode, tiff_probe, tiff_metadata}, /* four magics: tiff_is */
};

static bool starts_with(const uint8_t *bytes, size_t count, const char *magic, size_t offset, size_t length)
{
    return count >= offset + length && memcmp(bytes + offset, magic, length) == 0;
}

/* A sentence for what no codec is for. */
static int refuse(const uint8_t *bytes, size_t count, const char *name, struct error *error)
{
    if (count == 0) return error_set(error, SIMCLR_CORRUPT, "%s: the file is empty; copy it again or remove it", name);
    const struct signature *found = signature_find(bytes, count);
    if (found)
        return error_set(error, found->picture ? SIMCLR_UNSUPPORTED : SIMCLR_CORRUPT, "%s: this is %s%s: %s", name,
                         found->what, found->picture ? "" : ", not a picture", found->as_picture);
    return error_set(error, SIMCLR_CORRUPT, "%s: no JPEG, PNG, WebP or TIFF picture; copy it again or remove it", name);
}

static enum image_format sniff(const uint8_t *bytes, size_t count)
{
    for (int i = IMAGE_JPEG; i <= IMAGE_WEBP; i++)
        if (starts_with(bytes, count, codecs[i].magic, codecs[i].offset, codecs[i].length)) return (enum image_format)i;
    return tiff_is(bytes, count) ? IMAGE_TIFF : IMAGE_OTHER;
}

const char *image_format_name(enum image_format format)
{
    return codecs[format].name;
}

int image_decode(const uint8_t *bytes, size_t count, const struct image_limits *limits, const char *name,
                 struct image *out, struct error *error)
{
    *out = (struct image){0};
    if (count > limits->max_bytes)
        return error_set(error, SIMCLR_UNSUPPORTED, "%s: %zu bytes are over the limit of %zu; make it smaller", name,
                         count, limits->max_bytes);
    const enum image_format format = sniff(bytes, count);
    if (format == IMAGE_OTHER) return refuse(bytes, count, name, error);
    int status = codecs[format].decode(bytes, count, limits, name, out, error);
    if (status == SIMCLR_OK) status = image_orient(out, codecs[format].metadata(bytes, count).orientation, error);
    if (status != SIMCLR_OK) image_free(out);
    return status;
}

int image_read_header(const uint8_t *bytes, size_t count, const char *name, struct image_header *out,
                      struct error *error)
{
    const enum image_format format = sniff(bytes, count);
    *out = (struct image_header){.format = format};
    if (format == IMAGE_OTHER) return refuse(bytes, count, name, error);
    int width = 0, height = 0;
    const int status = codecs[format].probe(bytes, count, name, &width, &height, error);
    if (status != SIMCLR_OK) return status;
    const struct metadata metadata = codecs[format].metadata(bytes, count);
    if (!metadata.whole)
        return error_set(error, SIMCLR_CORRUPT, "%s: the %s ends before its pixels; copy it again or remove it", name,
                         codecs[format].name);
    const bool turned = image_is_turned(metadata.orientation);
    out->stored_width = width;
    out->stored_height = height;
    out->width = turned ? height : width;
    out->height = turned ? width : height;
    out->orientation = metadata.orientation;
    out->profile = metadata.profile;
    out->sheet = metadata.sheet;
    out->depth = metadata.depth > 8 ? metadata.depth : 8;
    return SIMCLR_OK;
}

int image_open(struct image_encoded *out, const uint8_t *bytes, size_t count, const struct image_limits *limits,
               const char *name, struct error *error)
{
    *out = (struct image_encoded){.bytes = bytes, .count = count, .limits = limits, .name = name};
    const int status = image_read_header(bytes, count, name, &out->header, error);
    return status ? status : image_check_size(out->header.width, out->header.height, limits, name, error);
}

/* A part of a JPEG: its box is looked for in the stored picture, and what is found there turned. */
static int decode_turned_box(const struct image_encoded *encoded, struct box box, int reduction,
                             struct image_store *store, struct image_part *part, struct error *error)
{
    const struct image_header *header = &encoded->header;
    const int across = header->stored_width, down = header->stored_height;
    int status = image_check_box(box, header->width, header->height, encoded->name, error);
    if (status) return status;
    box = image_box_stored(box, header->orientation, across, down);
    status = jpeg_decode_box(encoded->bytes, encoded->count, encoded->limits, encoded->name, box, reduction, store,
                             part, error);
    if (status) return status;
    part->place = image_box_upright(part->place, header->orientation, across, down);
    part->width = header->width;
    part->height = header->height;
    status = image_orient(&store->image, header->orientation, error);
    if (status == SIMCLR_OK) /* in new memory */
        store->bytes = (size_t)store->image.width * (size_t)store->image.height * 3;
    return status;
}

int image_decode_box(const struct image_encoded *encoded, struct box box, int reduction, struct image_store *store,
                     struct image_part *part, struct error *error)
{
    const uint8_t *bytes = encoded->bytes;
    const size_t count = encoded->count;
    const struct image_limits *limits = encoded->limits;
    const char *name = encoded->name;
    if (box.width >= 1 && encoded->header.format == IMAGE_JPEG && count <= limits->max_bytes)
        return encoded->header.orientation <= 1
                   ? jpeg_decode_box(bytes, count, limits, name, box, reduction, store, part, error)
                   : decode_turned_box(encoded, box, reduction, store, part, error);
    struct image whole;
    const int status = image_decode(bytes, count, limits, name, &whole, error);
    if (status != SIMCLR_OK) return status;
    image_store_free(store);
    *store = (struct image_store){whole, (size_t)whole.width * (size_t)whole.height * 3};
    *part = (struct image_part){{0, 0, whole.width, whole.height}, 1, whole.width, whole.height};
    return image_check_box(box, whole.width, whole.height, name, error);
}

int image_probe(const uint8_t *bytes, size_t count, const char *name, int *width, int *height, struct error *error)
{
    struct image_header header;
    const int status = image_read_header(bytes, count, name, &header, error);
    *width = header.width;
    *height = header.height;
    return status;
}
