/* Any bytes: decoding must end with an image or one sentence, and nothing read or written out of bounds. */
#include "base/memory.h"
#include "fuzz.h"
#include "image/image.h"

long fuzz_accepted;

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
        image_free(&image);
    } else {
        FUZZ_CHECK(image.rgb == NULL && error.text[0] != '\0' && status < 0);
    }
    return 0;
}
