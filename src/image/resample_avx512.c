/* image/resample_avx512.c -- the resize for AVX-512 without byte permutations: source bytes become words, one
 * permutation of words gathers two taps for 16 outputs, and one vpmaddwd multiplies and adds them. The rest stands in
 * resample_gather_body.h. */
#include <immintrin.h>

#define KERNELS resample_kernels_avx512
enum { MOST_SCALE = 5, MOST_TAPS = 24 }; /* 4 * MOST_SCALE + 1, in quads */
enum { MOST_WEIGHT = 32767 };

#include "image/resample_fixed_body.h"

struct window {
    __m512i low, high; /* 64 bytes as words */
};

INLINE struct window load_window(const uint8_t *from)
{
    const __m256i *bytes = (const __m256i *)(const void *)from;
    return (struct window){_mm512_cvtepu8_epi16(_mm256_loadu_si256(bytes)),
                           _mm512_cvtepu8_epi16(_mm256_loadu_si256(bytes + 1))};
}

/* The first two words of one lane: taps are three words apart. */
INLINE int32_t index_of(int first)
{
    return first * 0x00010001 + 0x00030000;
}

INLINE __m512i next_channel(__m512i index)
{
    return _mm512_add_epi16(index, _mm512_set1_epi16(1));
}

/* Of a quad's weights, one tap a row, to[0] gets the first two and to[1] the others. */
static void pack_weights(const int32_t *fixed, int row, __m512i *to)
{
    for (ptrdiff_t half = 0; half < 2; half++) {
        const __m512i even = _mm512_loadu_si512(fixed + 2 * half * row);
        const __m512i odd = _mm512_loadu_si512(fixed + (2 * half + 1) * row);
        to[half] = _mm512_mask_blend_epi16(0xAAAAAAAAu, even, _mm512_slli_epi32(odd, 16));
    }
}

/* Two taps of each lane. */
INLINE __m512i gather(const int windows, __m512i index, const struct window *window)
{
    __m512i taps = _mm512_permutex2var_epi16(window[0].low, index, window[0].high);
    if (windows == 2)
        taps = _mm512_mask_blend_epi32(0xFF00u, taps, _mm512_permutex2var_epi16(window[1].low, index, window[1].high));
    if (windows == 4)
        for (int i = 1; i < 4; i++)
            taps = _mm512_mask_blend_epi32((__mmask16)(0xFu << (4 * i)), taps,
                                           _mm512_permutex2var_epi16(window[i].low, index, window[i].high));
    return taps;
}

/* sum + the products of both halves of each lane */
INLINE __m512i add_products(__m512i sum, __m512i pairs, __m512i weights)
{
    return _mm512_add_epi32(sum, _mm512_madd_epi16(pairs, weights));
}

INLINE __m512i sum_taps(const ptrdiff_t quads, const int windows, __m512i index, struct window (*window)[4],
                        __m512i (*weight)[2], __m512i start)
{
    const __m512i others = _mm512_add_epi16(index, _mm512_set1_epi16(6));
    __m512i sum = start;
    for (ptrdiff_t quad = 0; quad < quads; quad++) {
        sum = add_products(sum, gather(windows, index, window[quad]), weight[quad][0]);
        sum = add_products(sum, gather(windows, others, window[quad]), weight[quad][1]);
    }
    return sum;
}

#include "image/resample_gather_body.h"
