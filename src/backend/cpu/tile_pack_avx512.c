#include "backend/cpu/tile_pack.h"

#if defined(__AVX512BW__)
#include <immintrin.h>

#include "backend/cpu/layout.h"

enum { CELL = 2 * CELL_ELEMENTS, IMAGE = 2 * BLOCK_CHANNELS, PACKED = 2 * CELL }; /* bytes */

static inline __m128i eight_channels(const char *image)
{
    return _mm_loadu_si128((const __m128i *)(const void *)image);
}

/* Eight channels of 32 images, transposed: eight rows of 32 images. Image j + 8q comes in lane q of register j, so
 * that three rounds of unpacking within lanes turn the whole. */
static inline void turn_eight(char *out, const char *group0, const char *group1, ptrdiff_t channel)
{
    __m512i r[8], t[8];
    const char *from0 = group0 + channel * 2, *from1 = group1 ? group1 + channel * 2 : NULL;
    const __m128i zero = _mm_setzero_si128();
    for (ptrdiff_t j = 0; j < 8; j++) {
        const __m128i low = eight_channels(from0 + j * IMAGE), high = eight_channels(from0 + (j + 8) * IMAGE);
        __m512i row = _mm512_inserti32x4(_mm512_castsi128_si512(low), high, 1);
        row = _mm512_inserti32x4(row, from1 ? eight_channels(from1 + j * IMAGE) : zero, 2);
        r[j] = _mm512_inserti32x4(row, from1 ? eight_channels(from1 + (j + 8) * IMAGE) : zero, 3);
    }
    for (int j = 0; j < 8; j += 2) {
        t[j] = _mm512_unpacklo_epi16(r[j], r[j + 1]);     /* channels 0-3 of images j, j + 1 */
        t[j + 1] = _mm512_unpackhi_epi16(r[j], r[j + 1]); /* channels 4-7 */
    }
    for (ptrdiff_t half = 0; half < 2; half++) {
        r[half * 4 + 0] = _mm512_unpacklo_epi32(t[half * 4], t[half * 4 + 2]); /* channels 0, 1; images 4 half .. */
        r[half * 4 + 1] = _mm512_unpackhi_epi32(t[half * 4], t[half * 4 + 2]);
        r[half * 4 + 2] = _mm512_unpacklo_epi32(t[half * 4 + 1], t[half * 4 + 3]);
        r[half * 4 + 3] = _mm512_unpackhi_epi32(t[half * 4 + 1], t[half * 4 + 3]);
    }
    for (ptrdiff_t j = 0; j < 4; j++) {
        _mm512_storeu_si512((void *)(out + (2 * j) * 64), _mm512_unpacklo_epi64(r[j], r[j + 4]));
        _mm512_storeu_si512((void *)(out + (2 * j + 1) * 64), _mm512_unpackhi_epi64(r[j], r[j + 4]));
    }
}

void tile_pack_x_avx512(void *out, const void *group0, const void *group1, size_t cells)
{
    char *to = out;
    const char *from0 = group0, *from1 = group1;
    for (size_t cell = 0; cell < cells; cell++, to += PACKED, from0 += CELL) {
        for (ptrdiff_t channel = 0; channel < BLOCK_CHANNELS; channel += 8)
            turn_eight(to + channel * 64, from0, from1, channel);
        if (from1) from1 += CELL;
    }
}

/* Two images -> one row of even channels and one of odd ones, sixteen pairs each. */
static inline void pair_rows(char *out, __m512i first, __m512i second)
{
    const __mmask32 high = 0xaaaaaaaau;
    _mm512_storeu_si512((void *)out, _mm512_mask_mov_epi16(first, high, _mm512_slli_epi32(second, 16)));
    _mm512_storeu_si512((void *)(out + CELL), _mm512_mask_mov_epi16(_mm512_srli_epi32(first, 16), high, second));
}

void tile_pack_y_avx512(void *out, const void *group0, const void *group1, size_t cells)
{
    char *to = out;
    const char *from0 = group0, *from1 = group1;
    const __m512i zero = _mm512_setzero_si512();
    for (size_t cell = 0; cell < cells; cell++, to += PACKED, from0 += CELL) {
        for (ptrdiff_t pair = 0; pair < 8; pair++) {
            const char *at0 = from0 + pair * 2 * IMAGE, *at1 = from1 ? from1 + pair * 2 * IMAGE : NULL;
            pair_rows(to + pair * 64, _mm512_loadu_si512(at0), _mm512_loadu_si512(at0 + IMAGE));
            pair_rows(to + (pair + 8) * 64, at1 ? _mm512_loadu_si512(at1) : zero,
                      at1 ? _mm512_loadu_si512(at1 + IMAGE) : zero);
        }
        if (from1) from1 += CELL;
    }
}
#else
typedef int tile_pack_avx512_absent; /* a file must declare something */
#endif
