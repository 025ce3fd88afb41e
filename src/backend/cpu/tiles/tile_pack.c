#include "backend/cpu/tiles/tile_pack.h"

#include <stdint.h>
#include <string.h>

#include "backend/cpu/layout.h"

enum { IMAGES = 4 * OCTET_IMAGES };

static uint16_t element(const void *const octets[4], ptrdiff_t stride, int image, int channel)
{
    const char *octet = octets[image / OCTET_IMAGES];
    uint16_t value = 0;
    if (octet) memcpy(&value, octet + image % OCTET_IMAGES * stride + (ptrdiff_t)channel * 2, sizeof value);
    return value;
}

void tile_pack_x(void *out, ptrdiff_t pitch, const void *const octets[4], ptrdiff_t stride, int channels)
{
    for (int channel = 0; channel < channels; channel++) {
        uint16_t *row = (uint16_t *)(void *)((char *)out + channel * pitch);
        for (int image = 0; image < IMAGES; image++) row[image] = element(octets, stride, image, channel);
    }
}

void tile_pack_y(void *out, const void *const octets[4], int channels)
{
    uint16_t *to = out;
    for (int image = 0; image < IMAGES; image++)
        for (int channel = 0; channel < channels; channel++) {
            const int tile = channels == BLOCK_CHANNELS ? channel % 2 : 0;
            const int column = channels == BLOCK_CHANNELS ? channel / 2 : channel;
            to[tile * (IMAGES * NARROW_CHANNELS) + image / 2 * BLOCK_CHANNELS + column * 2 + image % 2] =
                element(octets, 2 * (ptrdiff_t)channels, image, channel);
        }
}
