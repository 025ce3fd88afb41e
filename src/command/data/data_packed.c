/* command/data/data_packed.c -- one image decoded, reduced and encoded for a pack. */
#include <string.h>

#include "base/memory.h"
#include "command/data/data_pack.h"
#include "image/resize.h"

/* The pixels of an image, upright, as a picture of its own; its file's bytes stay in `packed` where it has one. */
static int load(struct packed *packed, struct dataset *set, int64_t index, struct image_header *header)
{
    const struct image_limits limits = image_limits_default();
    struct error *error = &packed->error;
    int64_t total;
    *header = (struct image_header){.format = IMAGE_OTHER, .orientation = 1};
    int status = dataset_encoded(set, index, SIZE_MAX, &packed->bytes, &packed->count, &total, error);
    if (status == SIMCLR_OK) {
        status = image_read_header(packed->bytes, packed->count, dataset_name(set, index), header, error);
        if (status != SIMCLR_OK) return status;
        return image_decode(packed->bytes, packed->count, &limits, dataset_name(set, index), &packed->image, error);
    }
    if (status != SIMCLR_UNSUPPORTED) return status;
    *error = (struct error){0};
    const struct image *image;
    struct image storage = {0};
    status = dataset_image(set, index, &storage, &image, error);
    if (status == SIMCLR_OK) status = image_create(image->width, image->height, &packed->image, error);
    if (status == SIMCLR_OK) memcpy(packed->image.rgb, image->rgb, 3 * (size_t)image->width * (size_t)image->height);
    image_free(&storage);
    return status;
}

/* Larger pictures only: nothing is gained by enlarging. */
static int reduce(struct packed *packed, enum simd simd, int64_t side, bool *reduced)
{
    const struct image *image = &packed->image;
    const int shorter = image->width < image->height ? image->width : image->height;
    *reduced = side > 0 && shorter > side;
    if (!*reduced) return SIMCLR_OK;
    const int width = (int)(((int64_t)image->width * side + shorter / 2) / shorter);
    const int height = (int)(((int64_t)image->height * side + shorter / 2) / shorter);
    struct image smaller;
    const int status = image_resize(simd, image, width, height, &smaller, &packed->error);
    if (status != SIMCLR_OK) return status;
    image_free(&packed->image);
    packed->image = smaller;
    return SIMCLR_OK;
}

/* The ending of a format that a shard takes as it is; NULL: the image is encoded again. */
static const char *ending_of(enum image_format format)
{
    switch (format) {
    case IMAGE_JPEG:
        return "jpg";
    case IMAGE_PNG:
        return "png";
    case IMAGE_WEBP:
        return "webp";
    default:
        return NULL;
    }
}

static int encode(struct packed *packed, const struct config *config, const struct image_header *header, bool changed)
{
    const bool automatic = strcmp(config->codec, "auto") == 0;
    packed->ending = ending_of(header->format);
    if (automatic && !changed && packed->ending) return SIMCLR_OK; /* as it is */
    memory_free(packed->bytes);
    packed->bytes = NULL;
    const bool jpeg =
        automatic ? header->format == IMAGE_JPEG || header->format == IMAGE_WEBP : strcmp(config->codec, "jpeg") == 0;
    packed->ending = ending_of(jpeg ? IMAGE_JPEG : IMAGE_PNG);
    return jpeg
               ? image_encode_jpeg(&packed->image, (int)config->quality, &packed->bytes, &packed->count, &packed->error)
               : image_encode_png(&packed->image, &packed->bytes, &packed->count, &packed->error);
}

void packed_make(struct packed *packed, struct dataset *set, int64_t index, const struct config *config, enum simd simd)
{
    struct image_header header;
    bool reduced = false;
    *packed = (struct packed){0};
    int status = load(packed, set, index, &header);
    if (status == SIMCLR_OK) status = reduce(packed, simd, config->shorter_side, &reduced);
    if (status == SIMCLR_OK && strcmp(config->format, "tar") == 0) {
        status = encode(packed, config, &header, reduced || header.orientation > 1);
        image_free(&packed->image);
    }
    packed->error.status = status;
}

void packed_free(struct packed *packed)
{
    image_free(&packed->image);
    memory_free(packed->bytes);
    *packed = (struct packed){0};
}
