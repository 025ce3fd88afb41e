/* augment/put_body.h -- how the compiled loops write vectors of a result. Part of chain_body.h and blur_body.h. */
#ifndef AUGMENT_PUT_BODY_H
#define AUGMENT_PUT_BODY_H

#include "augment/kernels.h"
#include "simd/vec.h"

/* Vectors that are written at once. */
ALWAYS_INLINE int put_vectors(const enum put how)
{
    return how == PUT_STREAM_BF16 ? 2 : 1;
}

/* That many vectors to values `at` and following of `to`. */
ALWAYS_INLINE void put(void *to, size_t at, const vec *value, const enum put how)
{
    if (how == PUT_STREAM_BF16)
        vec_stream_number_bf16((uint16_t *)to + at, value[0], value[1]);
    else if (how == PUT_STREAM)
        vec_stream((float *)to + at, value[0]);
    else
        vec_store((float *)to + at, value[0]);
}

#endif
