/* image/resample_avx512vbmi.c -- the resize by byte permutations (VBMI) and products of small integers (VNNI): one
 * permutation gathers the four taps of a quad for 16 outputs, and one vpdpbusd multiplies and adds them. Weights are a
 * high and a low byte. The rest stands in resample_gather_body.h. A view at 224 takes 158 us on Zen 4, 108 of them here
 * and in writing it (bench_views); across takes twice as long as down. */
#include <immintrin.h>

#define KERNELS resample_kernels_avx512vbmi
enum { MOST_SCALE = 5, MOST_TAPS = 24 }; /* 4 * MOST_SCALE + 1, in quads */
enum { MOST_WEIGHT = 127 * 256 + 127 };  /* the high byte is signed too */

#include "image/resample_fixed_body.h"

struct window {
    __m512i bytes;
};

INLINE struct window load_window(const uint8_t *from)
{
    return (struct window){_mm512_loadu_si512(from)};
}

/* The four bytes of one lane: taps are three bytes apart. */
INLINE int32_t index_of(int first)
{
    return first * 0x01010101 + 0x09060300;
}

INLINE __m512i next_channel(__m512i index)
{
    return _mm512_add_epi8(index, _mm512_set1_epi8(1));
}

/* Of a quad's weights, one tap a row, to[0] gets the high bytes and to[1] the low ones. */
static void pack_weights(const int32_t *fixed, int row, __m512i *to)
{
    const __m512i byte = _mm512_set1_epi32(255), half = _mm512_set1_epi32(128);
    to[0] = to[1] = _mm512_setzero_si512();
    for (ptrdiff_t tap = 0; tap < 4; tap++) {
        const __m512i weight = _mm512_loadu_si512(fixed + tap * row);
        const __m512i upper = _mm512_srai_epi32(_mm512_add_epi32(weight, half), 8);
        const __m128i by = _mm_cvtsi32_si128(8 * (int)tap);
        to[0] = _mm512_or_si512(to[0], _mm512_sll_epi32(_mm512_and_si512(upper, byte), by));
        to[1] = _mm512_or_si512(to[1], _mm512_sll_epi32(_mm512_and_si512(weight, byte), by));
    }
}

/* Four taps of each lane. */
INLINE __m512i gather(const int windows, __m512i index, const struct window *window)
{
    __m512i taps = _mm512_permutexvar_epi8(index, window[0].bytes);
    if (windows == 2) taps = _mm512_mask_permutexvar_epi8(taps, 0xFFFFFFFF00000000u, index, window[1].bytes);
    if (windows == 4) {
        taps = _mm512_mask_permutexvar_epi8(taps, 0x00000000FFFF0000u, index, window[1].bytes);
        taps = _mm512_mask_permutexvar_epi8(taps, 0x0000FFFF00000000u, index, window[2].bytes);
        taps = _mm512_mask_permutexvar_epi8(taps, 0xFFFF000000000000u, index, window[3].bytes);
    }
    return taps;
}

INLINE __m512i sum_taps(const ptrdiff_t quads, const int windows, __m512i index, struct window (*window)[4],
                        __m512i (*weight)[2], __m512i start)
{
    __m512i high = _mm512_setzero_si512(), low = start;
    for (ptrdiff_t quad = 0; quad < quads; quad++) {
        const __m512i taps = gather(windows, index, window[quad]);
        high = _mm512_dpbusd_epi32(high, taps, weight[quad][0]);
        low = _mm512_dpbusd_epi32(low, taps, weight[quad][1]);
    }
    return _mm512_add_epi32(_mm512_slli_epi32(high, 8), low);
}

/* sum + the products of both halves of each lane */
INLINE __m512i add_products(__m512i sum, __m512i pairs, __m512i weights)
{
    return _mm512_dpwssd_epi32(sum, pairs, weights);
}

#include "image/resample_gather_body.h"
