/* augment/chain.c -- a draw's colour operations as the two halves of a chain. */
#include "augment/chain.h"

#include <math.h>

const struct chain_kernels *chain_kernels_of(enum simd simd)
{
    return SIMD_CHOOSE(simd, &chain_kernels_avx512, &chain_kernels_avx2, &chain_kernels_portable);
}

/* Sequences are numbered as chain_body.h lists them: none; B, S, H; BS, BH, SB, SH, HB, HS; BSH, BHS, SBH, SHB, HBS,
 * HSB. operation: 0 brightness, 2 saturation, 3 hue, -1 none. */
static int sequence_number(const int *operation, int count)
{
    static const int rank[4] = {0, -1, 1, 2};
    if (count == 0) return 0;
    const int first = rank[operation[0]];
    if (count == 1) return 1 + first;
    const int second = rank[operation[1]] - (rank[operation[1]] > first);
    return (count == 2 ? 4 : 10) + 2 * first + second;
}

/* The hue's turn in (-3, 3] sixths is -1 to 1 sixths and an exchange of channels, which is a third of a turn. */
static void set_hue(struct chain *chain, double shift)
{
    double sixths = 6.0 * (shift - rint(shift));
    chain->thirds = 0;
    if (sixths > 1.0) {
        chain->thirds = 1;
        sixths -= 2.0;
    } else if (sixths < -1.0) {
        chain->thirds = 2;
        sixths += 2.0;
    }
    chain->turn = (float)sixths;
}

struct chain chain_of(const struct view_draw *draw)
{
    struct chain chain = {.jitter = draw->jitter,
                          .gray = draw->gray,
                          .brightness = (float)draw->factor[0],
                          .contrast = (float)draw->factor[1],
                          .saturation = (float)draw->factor[2]};
    int split = 0;
    while (split < 3 && draw->order[split] != 1) split++;
    chain.before = sequence_number(draw->order, split);
    chain.after = sequence_number(draw->order + split + 1, 3 - split);
    set_hue(&chain, draw->factor[3]);
    return chain;
}
