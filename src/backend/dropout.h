/* backend/dropout.h -- which values dropout drops: the rule that all backends follow. */
#ifndef BACKEND_DROPOUT_H
#define BACKEND_DROPOUT_H

#include "backend/backend.h"
#include "base/rng.h"

/* Words for channels 4 quad ... 4 quad + 3 at a position (row width + column) of an image: a value is dropped where its
 * word is below dropout_bound. */
static inline struct philox_block dropout_words(const struct dropout_desc *desc, const struct dropout_draw *draw,
                                                uint32_t image, uint32_t position, uint32_t quad)
{
    const uint32_t quads = ((uint32_t)desc->channels + 3) / 4;
    return philox(draw->seed, position * quads + quad, (uint32_t)RNG_DROPOUT << 24 | (uint32_t)desc->layer, image,
                  draw->step);
}
static inline uint32_t dropout_bound(const struct dropout_desc *desc)
{
    return (uint32_t)((double)desc->rate * 0x1p32);
}

#endif
