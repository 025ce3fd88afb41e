/* image/image.c -- pictures in memory and from files. */
#include "image/image.h"

#include "base/file.h"
#include "base/memory.h"
#include "image/decode.h"

struct image_limits image_limits_default(void)
{
    return (struct image_limits){.max_pixels = (int64_t)1 << 27, .max_scans = 100, .max_bytes = (size_t)256 << 20};
}

int image_check_size(int64_t width, int64_t height, const struct image_limits *limits, const char *name,
                     struct error *error)
{
    const bool sides = width >= 1 && height >= 1 && width <= IMAGE_SIDE_MAX && height <= IMAGE_SIDE_MAX;
    if (sides && width * height <= limits->max_pixels) return SIMCLR_OK;
    if (!sides)
        return error_set(error, SIMCLR_UNSUPPORTED,
                         "%s: %lld x %lld pixels: a side must have 1 to %d: cut it into pieces or remove it", name,
                         (long long)width, (long long)height, (int)IMAGE_SIDE_MAX);
    return error_set(error, SIMCLR_UNSUPPORTED,
                     "%s: %lld x %lld pixels are more than the %lld that are accepted: make it smaller "
                     "(ImageMagick: convert IN -resize 50%% OUT) or remove it",
                     name, (long long)width, (long long)height, (long long)limits->max_pixels);
}

int image_check_box(struct box box, int width, int height, const char *name, struct error *error)
{
    if (box.x >= 0 && box.y >= 0 && box.width >= 1 && box.height >= 1 && box.width <= width - box.x &&
        box.height <= height - box.y)
        return SIMCLR_OK;
    return error_set(error, SIMCLR_INVALID, "%s: the box %d x %d at (%d, %d) does not lie in a picture of %d x %d",
                     name, box.width, box.height, box.x, box.y, width, height);
}

int image_create(int width, int height, struct image *out, struct error *error)
{
    *out = (struct image){0};
    if (width < 1 || height < 1)
        return error_set(error, SIMCLR_INVALID, "a picture of %d x %d pixels cannot be made; give it at least 1 x 1",
                         width, height);
    const size_t row = (size_t)width * 3;
    uint8_t *rgb = memory_array((size_t)height, row);
    if (rgb == NULL) return error_no_memory(error, "a picture", (size_t)height * row);
    *out = (struct image){width, height, rgb};
    return SIMCLR_OK;
}

void image_free(struct image *image)
{
    memory_free(image->rgb);
    *image = (struct image){0};
}

int image_store_reserve(struct image_store *store, int width, int height, struct error *error)
{
    if (width > 0 && height > 0 && (size_t)width * (size_t)height * 3 <= store->bytes) {
        store->image.width = width;
        store->image.height = height;
        return SIMCLR_OK;
    }
    image_store_free(store);
    const int status = image_create(width, height, &store->image, error);
    store->bytes = status == SIMCLR_OK ? (size_t)width * (size_t)height * 3 : 0;
    return status;
}

void image_store_free(struct image_store *store)
{
    image_free(&store->image);
    store->bytes = 0;
}

int image_load(const char *path, const struct image_limits *limits, struct image *out, struct error *error)
{
    *out = (struct image){0};
    uint8_t *bytes = NULL;
    size_t count = 0;
    const int status = file_read(path, limits->max_bytes, &bytes, &count, error);
    if (status != SIMCLR_OK) return status;
    const int decoded = image_decode(bytes, count, limits, path, out, error);
    memory_free(bytes);
    return decoded;
}
