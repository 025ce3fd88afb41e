/* backend/cpu/conv/conv_pack_avx512bf16.c -- weights into pairs of bf16, 32 outputs x 32 inputs x all taps at a time.
 *
 * Two turns of 16 x 16 words do it all. A word is (output j, output j + 16) of one element (c, t) of a row: sixteen
 * elements of 32 rows make a register per j, which turned is a register per element. Pairs of registers per element
 * (c, c + 1) give forward's operands, pairs of registers per output (j, j + 1) backward data's, by shifts and blends.
 */
#include "backend/cpu/conv/conv_kernels.h"

#include "simd/vec.h"

enum { WORDS = 16, MOST_TAPS = CONV_PACK_MOST_TAPS };

/* Of a packed tile: bytes from columns 0..15 to 16..31, and from one pair to the next. */
struct pair_order {
    ptrdiff_t half, pair;
};

/* The low halves of a's and b's words, side by side. */
ALWAYS_INLINE __m512i low_halves(__m512i a, __m512i b)
{
    return _mm512_mask_mov_epi16(a, 0xaaaaaaaau, _mm512_slli_epi32(b, 16));
}

ALWAYS_INLINE __m512i high_halves(__m512i a, __m512i b)
{
    return _mm512_mask_mov_epi16(_mm512_srli_epi32(a, 16), 0xaaaaaaaau, b);
}

ALWAYS_INLINE void turn(__m512i words[WORDS])
{
    vec rows[WORDS];
    UNROLL for (int i = 0; i < WORDS; i++) rows[i] = _mm512_castsi512_ps(words[i]);
    vec_transpose(rows);
    UNROLL for (int i = 0; i < WORDS; i++) words[i] = _mm512_castps_si512(rows[i]);
}

/* Elements [e, e + 16) of the block's rows: words[j] = outputs j and j + 16. Zeros outside. */
ALWAYS_INLINE void load_words(__m512i words[WORDS], const struct conv_pack_block *block, ptrdiff_t e)
{
    const ptrdiff_t left = (ptrdiff_t)block->inputs * block->taps - e;
    const __mmask16 inside = left >= WORDS ? 0xffff : left > 0 ? (__mmask16)((1u << left) - 1) : 0;
    const __m512i count = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    const __m512i order = _mm512_or_si512(count, _mm512_slli_epi32(_mm512_add_epi32(count, _mm512_set1_epi32(16)), 16));
    UNROLL for (ptrdiff_t j = 0; j < WORDS; j++)
    {
        const float *low = block->weight + (size_t)j * block->row + e, *high = low + 16 * block->row;
        const __m512 a = _mm512_maskz_loadu_ps(j < block->outputs ? inside : 0, low);
        const __m512 b = _mm512_maskz_loadu_ps(j + 16 < block->outputs ? inside : 0, high);
        words[j] = _mm512_permutexvar_epi16(order, (__m512i)_mm512_cvtne2ps_pbh(b, a));
    }
}

ALWAYS_INLINE void stream(char *to, __m512i value)
{
    _mm512_stream_si512((void *)to, value);
}

/* Sixteen elements of one tap, inputs [c, c + 16): a register per input. */
ALWAYS_INLINE void store_forward(char *tile, const __m512i inputs[WORDS], ptrdiff_t c, const struct pair_order order)
{
    char *to = tile + c / 2 * order.pair;
    UNROLL for (ptrdiff_t i = 0; i < WORDS; i += 2, to += order.pair)
    {
        stream(to, low_halves(inputs[i], inputs[i + 1]));
        stream(to + order.half, high_halves(inputs[i], inputs[i + 1]));
    }
}

/* The same from a register per pair of outputs j, j + 16. */
ALWAYS_INLINE void store_data(char *tile, const __m512i outputs[WORDS], ptrdiff_t c, const struct pair_order order)
{
    char *to = tile + c / 16 * order.half;
    UNROLL for (ptrdiff_t j = 0; j < WORDS; j += 2, to += order.pair)
    {
        stream(to, low_halves(outputs[j], outputs[j + 1]));
        stream(to + 8 * order.pair, high_halves(outputs[j], outputs[j + 1]));
    }
}

ALWAYS_INLINE void pack_point(const struct conv_pack_block *block, const struct pair_order order)
{
    for (ptrdiff_t c = 0; c < 32; c += 16) {
        __m512i words[WORDS];
        load_words(words, block, c);
        if (block->data) store_data(block->data, words, c, order);
        turn(words);
        store_forward(block->forward, words, c, order);
    }
}

ALWAYS_INLINE void pack_taps(const struct conv_pack_block *block, const struct pair_order order)
{
    const ptrdiff_t taps = block->taps, tile = 2048;
    __m512i elements[32 * MOST_TAPS];
    for (ptrdiff_t e = 0; e < 32 * taps; e += WORDS) {
        __m512i words[WORDS];
        load_words(words, block, e);
        turn(words);
        UNROLL for (ptrdiff_t i = 0; i < WORDS; i++) elements[e + i] = words[i];
    }
    for (ptrdiff_t t = 0; t < taps; t++)
        for (ptrdiff_t c = 0; c < 32; c += 16) {
            __m512i words[WORDS];
            UNROLL for (ptrdiff_t i = 0; i < WORDS; i++) words[i] = elements[(c + i) * taps + t];
            store_forward(block->forward + t * tile, words, c, order);
            if (!block->data) continue;
            turn(words);
            store_data(block->data + (taps - 1 - t) * tile, words, c, order);
        }
}

void conv_pack_tiles(const struct conv_pack_block *block)
{
    const struct pair_order order = {.half = 1024, .pair = 64};
    if (block->taps == 1)
        pack_point(block, order);
    else
        pack_taps(block, order);
}

void conv_pack_pairs(const struct conv_pack_block *block)
{
    const struct pair_order order = {.half = 64, .pair = 128};
    if (block->taps == 1)
        pack_point(block, order);
    else
        pack_taps(block, order);
}
