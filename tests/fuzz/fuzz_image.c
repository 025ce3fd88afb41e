/* Any bytes: decoding must end with an image or one sentence, and nothing read or written out of bounds. */
#include <string.h>

#include "base/memory.h"
#include "fuzz.h"
#include "image/image.h"

long fuzz_accepted;
/* A box of what can be decoded can be decoded by itself, to the same pixels: one that the bytes choose. */
static void check_part(const uint8_t *bytes, size_t count, const struct image_limits *limits, const struct image *whole)
{
    const int x = bytes[count / 2] * (whole->width - 1) / 255, y = bytes[count / 3] * (whole->height - 1) / 255;
    const struct box box = {x, y, 1 + bytes[count / 4] * (whole->width - x - 1) / 255,
                            1 + bytes[count / 5] * (whole->height - y - 1) / 255};
    struct image_store store = {.bytes = 0};
    struct image_part part;
    struct error error = {0};
    struct image_encoded encoded;
    FUZZ_CHECK(image_open(&encoded, bytes, count, limits, "fuzz", &error) == SIMCLR_OK);
    int status = image_decode_box(&encoded, box, 1, &store, &part, &error);
    const struct box place = part.place;
    FUZZ_CHECK(status == SIMCLR_OK && part.width == whole->width && part.height == whole->height &&
               part.reduction == 1);
    FUZZ_CHECK(place.width == store.image.width && place.height == store.image.height);
    for (int row = y; row < y + box.height; row++)
        FUZZ_CHECK(memcmp(whole->rgb + ((size_t)row * (size_t)part.width + (size_t)x) * 3,
                          store.image.rgb + ((size_t)(row - place.y) * (size_t)place.width + (size_t)(x - place.x)) * 3,
                          (size_t)box.width * 3) == 0);
    const int wished = 2 << bytes[count / 6] % 3;
    status = image_decode_box(&encoded, box, wished, &store, &part, &error);
    FUZZ_CHECK(status == SIMCLR_OK && (part.reduction == wished || part.reduction == 1));
    FUZZ_CHECK(part.place.width == store.image.width * part.reduction && part.place.x <= x && part.place.y <= y);
    FUZZ_CHECK(part.place.x + part.place.width >= x + box.width && part.place.y + part.place.height >= y + box.height);
    image_store_free(&store);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    struct image_limits limits = image_limits_default();
    struct image image;
    struct error error = {0};
    int width = 0, height = 0;
    limits.max_pixels = 1 << 20; /* speed: larger ones are refused by the same check */
    const int probe = image_probe(bytes, count, "fuzz", &width, &height, &error);
    const int status = image_decode(bytes, count, &limits, "fuzz", &image, &error);
    if (status == SIMCLR_OK) {
        fuzz_accepted++;
        volatile unsigned sum = 0; /* volatile: every pixel really is read */
        for (size_t i = 0; i < (size_t)image.width * (size_t)image.height * 3; i++) sum = sum + image.rgb[i];
        FUZZ_CHECK(probe == SIMCLR_OK && image.width == width && image.height == height);
        check_part(bytes, count, &limits, &image);
        image_free(&image);
    } else {
        FUZZ_CHECK(image.rgb == NULL && error.text[0] != '\0' && status < 0);
    }
    return 0;
}
