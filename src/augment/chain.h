/* augment/chain.h -- the colour operations of a view in two fused passes. Private to the room.
 *
 * Contrast needs the mean gray of all that precedes it, so a chain of jitter falls into two passes:
 *  - What comes before contrast runs while the resampled rows are in the L1 cache, and sums the gray.
 *  - What comes after runs when the mean is known, and goes on into gray and the output.
 * Each order of the operations has a body of its own, so that a pixel stays in registers from load to store. */
#ifndef AUGMENT_CHAIN_H
#define AUGMENT_CHAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "augment/kernels.h"
#include "augment/views.h"

/* The ordered subsets of brightness, saturation and hue: X(number, code). A code has the operations as digits of base
 * 4, the first one lowest: 1 brightness, 2 saturation, 3 hue. */
/* clang-format off */
#define CHAIN_SEQUENCES(X)                                                                                              \
    X(0, 0)                                                                                                            \
    X(1, 1) X(2, 2) X(3, 3)                                                                                            \
    X(4, 1 + 4 * 2) X(5, 1 + 4 * 3) X(6, 2 + 4 * 1) X(7, 2 + 4 * 3) X(8, 3 + 4 * 1) X(9, 3 + 4 * 2)                    \
    X(10, 1 + 4 * 2 + 16 * 3) X(11, 1 + 4 * 3 + 16 * 2) X(12, 2 + 4 * 1 + 16 * 3)                                      \
    X(13, 2 + 4 * 3 + 16 * 1) X(14, 3 + 4 * 1 + 16 * 2) X(15, 3 + 4 * 2 + 16 * 1)
/* clang-format on */
enum { CHAIN_SEQUENCE_COUNT = 16 };

struct chain {
    bool jitter, gray;
    int before, after; /* which sequence (an index of the tables below) comes before contrast, which after */
    float brightness, contrast, saturation;
    /* hue = turn + 2 thirds, in sixths of the circle. turn (-1 to 1) is computed; thirds (0, 1, 2) only renames
     * channels: red -> green -> blue. */
    float turn;
    int thirds;
};

struct chain chain_of(const struct view_draw *draw);

struct chain_kernels {
    /* What precedes contrast, in place, on `rows` rows of `width` pixels that lie `stride` apart in three planes that
     * lie `plane` apart (stride a multiple of 16; what is between width and stride must be finite and is changed too).
     * Returns the sum of gray of the rows * width pixels. */
    double (*begin[CHAIN_SEQUENCE_COUNT])(const struct chain *chain, float *view, size_t plane, int rows, int width,
                                          size_t stride);
    /* Contrast (shift = (1 - factor) * mean), what follows it, and, [1], gray; `count` pixels (a multiple of 16) of
     * each plane. A gray result is written once where to_plane is 0, else three times. from may be to. */
    void (*finish[2][CHAIN_SEQUENCE_COUNT])(const struct chain *chain, float shift, const float *from,
                                            size_t from_plane, void *to, size_t to_plane, size_t count, enum put how);
    /* The same for a view without jitter: [0] a copy, [1] gray. */
    void (*plain[2])(const struct chain *chain, float shift, const float *from, size_t from_plane, void *to,
                     size_t to_plane, size_t count, enum put how);
    /* Values become bf16, past the caches where `to` is aligned to 64 bytes. from is padded to whole vectors of 16. */
    void (*to_bf16)(const float *from, uint16_t *to, size_t count);
    void (*stream_end)(void); /* before another thread may read what was streamed */
};

const struct chain_kernels *chain_kernels_of(enum simd simd);
extern const struct chain_kernels chain_kernels_portable, chain_kernels_avx2, chain_kernels_avx512;

#endif
