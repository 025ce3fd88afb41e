/* Any bytes as a raw pack, with its checksums put right: refused with a sentence, or every image lies inside, and is
 * read or refused with one. */
#include <string.h>

#include "base/checksum.h"
#include "base/memory.h"
#include "data/sets/pack.h"
#include "fuzz.h"

long fuzz_accepted;

enum {
    INDEX_AT = 24,
    NAMES_AT = 32,
    IMAGES_AT = 16,
    INDEX_CRC_AT = 60,
    HEADER_CRC_AT = 124,
    PIXELS_MOST = 1 << 16,
    SHOWN = 16
};

static uint64_t get(const uint8_t *bytes, int count)
{
    uint64_t value = 0;
    for (int i = count - 1; i >= 0; i--) value = value << 8 | bytes[i];
    return value;
}

static void put_crc(uint8_t *to, const uint8_t *bytes, size_t count)
{
    const uint32_t crc = crc32c(bytes, count);
    for (int i = 0; i < 4; i++) to[i] = (uint8_t)(crc >> 8 * i);
}

/* Images whose checksum begins with 0xEE keep it: those that are damaged. */
static void repair_images(uint8_t *bytes, size_t count, uint64_t index, uint64_t images)
{
    for (uint64_t i = 0; i < images && i < SHOWN && count - index >= (i + 1) * PACK_ENTRY_BYTES; i++) {
        uint8_t *entry = bytes + index + i * PACK_ENTRY_BYTES;
        const uint64_t at = get(entry, 8), size = 3 * get(entry + 8, 4) * get(entry + 12, 4);
        if (at <= index && size <= index - at && size <= PIXELS_MOST && entry[20] != 0xEE)
            put_crc(entry + 20, bytes + at, (size_t)size);
    }
}

static void repair(uint8_t *bytes, size_t count)
{
    if (count < PACK_HEADER_BYTES) return;
    const uint64_t index = get(bytes + INDEX_AT, 8);
    if (index <= count) {
        repair_images(bytes, count, index, get(bytes + IMAGES_AT, 8));
        put_crc(bytes + INDEX_CRC_AT, bytes + index, count - (size_t)index); /* the index and the names, to the end */
    }
    put_crc(bytes + HEADER_CRC_AT, bytes, HEADER_CRC_AT);
}

static void read_images(struct source *source, const struct catalog *catalog)
{
    struct image image = {0};
    for (int64_t i = 0; i < catalog->count; i++) {
        struct error error = {0};
        int width = 0, height = 0;
        FUZZ_CHECK(catalog->label[i] >= -1 && catalog->label[i] < catalog->classes);
        const int status = source->size(source->self, catalog, i, &width, &height, &error);
        FUZZ_CHECK(status == SIMCLR_OK ? width > 0 && height > 0 : error.text[0] != '\0');
        if (status != SIMCLR_OK || i >= SHOWN || (int64_t)width * height > PIXELS_MOST / 3) continue;
        const int read = source->read(source->self, catalog, i, &image, &error);
        FUZZ_CHECK(read == SIMCLR_OK || (read == SIMCLR_CORRUPT && error.text[0] != '\0'));
        fuzz_accepted += read == SIMCLR_OK;
    }
    image_free(&image);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    struct image_limits limits = image_limits_default();
    struct source source = {0};
    struct catalog catalog = {0};
    struct error error = {0};
    uint8_t *copy = memory_allocate(count);
    memcpy(copy, bytes, count);
    repair(copy, count);
    limits.max_pixels = 1 << 20;
    struct blob blob = blob_of_memory(copy, count);
    const int status = pack_open_blob(&source, &catalog, &blob, "fuzz", &limits, &error);
    if (status == SIMCLR_OK)
        read_images(&source, &catalog);
    else
        FUZZ_CHECK(error.text[0] != '\0');
    if (source.close != NULL) source.close(source.self);
    catalog_free(&catalog);
    memory_free(copy);
    return 0;
}
