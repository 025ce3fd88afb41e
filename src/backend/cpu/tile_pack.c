#include "backend/cpu/tile_pack.h"

#include <stdint.h>

#include "backend/cpu/layout.h"

enum { IMAGES = 4 * OCTET_IMAGES };

static uint16_t element(const void *const octets[4], int image, int channel)
{
    const uint16_t *octet = octets[image / OCTET_IMAGES];
    return octet ? octet[image % OCTET_IMAGES * BLOCK_CHANNELS + channel] : 0;
}

void tile_pack_x(void *out, ptrdiff_t pitch, const void *const octets[4])
{
    for (int channel = 0; channel < BLOCK_CHANNELS; channel++) {
        uint16_t *row = (uint16_t *)(void *)((char *)out + channel * pitch);
        for (int image = 0; image < IMAGES; image++) row[image] = element(octets, image, channel);
    }
}

void tile_pack_y(void *out, const void *const octets[4])
{
    uint16_t *to = out;
    for (int image = 0; image < IMAGES; image++)
        for (int channel = 0; channel < BLOCK_CHANNELS; channel++)
            to[channel % 2 * (IMAGES * BLOCK_CHANNELS / 2) + image / 2 * BLOCK_CHANNELS + channel / 2 * 2 + image % 2] =
                element(octets, image, channel);
}
