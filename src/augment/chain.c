/* augment/chain.c -- a draw's colour operations as the two halves of a chain. */
#include "augment/chain.h"

#include <math.h>

const struct chain_kernels *chain_kernels_of(enum simd simd)
{
    return SIMD_CHOOSE(simd, &chain_kernels_avx512, &chain_kernels_avx2, &chain_kernels_portable);
}

/* The number of a sequence of `count` operations: 0 brightness, 2 saturation, 3 hue, each at most once. It is looked up
 * by its code, twice a view: a search shows where a view takes 1.5 us (32 pixels). */
static int sequence_number(const int *operation, int count)
{
#define NUMBER(number, code) [code] = (number),
    static const unsigned char numbers[64] = {CHAIN_SEQUENCES(NUMBER)};
#undef NUMBER
    static const int digit[4] = {1, 0, 2, 3};
    int code = 0;
    for (int i = count - 1; i >= 0; i--) code = 4 * code + digit[operation[i]];
    return numbers[code];
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
