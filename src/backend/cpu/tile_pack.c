#include "backend/cpu/tile_pack.h"

#include <stdint.h>

#include "backend/cpu/layout.h"

enum { PACKED = 2 * CELL_ELEMENTS }; /* elements of a packed cell */

static uint16_t element(const void *group0, const void *group1, size_t cell, int image, int channel)
{
    const uint16_t *group = image < GROUP_IMAGES ? group0 : group1;
    if (!group) return 0;
    return group[cell * CELL_ELEMENTS + (size_t)(image % GROUP_IMAGES * BLOCK_CHANNELS + channel)];
}

void tile_pack_x(void *out, const void *group0, const void *group1, size_t cells)
{
    uint16_t *to = out;
    for (size_t cell = 0; cell < cells; cell++, to += PACKED)
        for (int channel = 0; channel < BLOCK_CHANNELS; channel++)
            for (int image = 0; image < 2 * GROUP_IMAGES; image++)
                to[channel * 2 * GROUP_IMAGES + image] = element(group0, group1, cell, image, channel);
}

void tile_pack_y(void *out, const void *group0, const void *group1, size_t cells)
{
    uint16_t *to = out;
    for (size_t cell = 0; cell < cells; cell++, to += PACKED)
        for (int image = 0; image < 2 * GROUP_IMAGES; image++)
            for (int channel = 0; channel < BLOCK_CHANNELS; channel++)
                to[channel % 2 * CELL_ELEMENTS + image / 2 * BLOCK_CHANNELS + channel / 2 * 2 + image % 2] =
                    element(group0, group1, cell, image, channel);
}
