#include "backend/cpu/tiles/tile_pack.h"

#include <immintrin.h>
#include <stdint.h>

#include "backend/cpu/layout.h"

enum { IMAGE = 2 * BLOCK_CHANNELS }; /* bytes */

/* Eight channels of 32 images, transposed: eight rows of 32 images. Image j of octet q comes in lane q of register j,
 * so that three rounds of unpacking within lanes turn the whole. */
static inline void turn_eight(char *out, ptrdiff_t pitch, const void *const octets[4], ptrdiff_t image,
                              ptrdiff_t channel)
{
    __m512i r[8], t[8];
    for (ptrdiff_t j = 0; j < 8; j++) {
        __m128i lane[4];
        for (int q = 0; q < 4; q++) {
            const char *from = octets[q];
            lane[q] = from ? _mm_loadu_si128((const __m128i *)(const void *)(from + channel * 2 + j * image))
                           : _mm_setzero_si128();
        }
        __m512i row = _mm512_inserti32x4(_mm512_castsi128_si512(lane[0]), lane[1], 1);
        row = _mm512_inserti32x4(row, lane[2], 2);
        r[j] = _mm512_inserti32x4(row, lane[3], 3);
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
        _mm512_storeu_si512((void *)(out + (2 * j) * pitch), _mm512_unpacklo_epi64(r[j], r[j + 4]));
        _mm512_storeu_si512((void *)(out + (2 * j + 1) * pitch), _mm512_unpackhi_epi64(r[j], r[j + 4]));
    }
}

void tile_pack_x_avx512(void *out, ptrdiff_t pitch, const void *const octets[4], ptrdiff_t image, int channels)
{
    for (ptrdiff_t channel = 0; channel < channels; channel += 8)
        turn_eight((char *)out + channel * pitch, pitch, octets, image, channel);
}

/* Two images -> one row of even channels and one of odd ones, sixteen pairs each. */
static void pack_wide(char *to, const void *const octets[4])
{
    const __mmask32 high = 0xaaaaaaaau;
    for (int q = 0; q < 4; q++) {
        const char *from = octets[q];
        for (ptrdiff_t pair = 0; pair < 4; pair++, to += 64) {
            __m512i first = _mm512_setzero_si512(), second = first;
            if (from) {
                first = _mm512_loadu_si512(from + pair * 2 * IMAGE);
                second = _mm512_loadu_si512(from + (pair * 2 + 1) * IMAGE);
            }
            _mm512_storeu_si512((void *)to, _mm512_mask_mov_epi16(first, high, _mm512_slli_epi32(second, 16)));
            _mm512_storeu_si512((void *)(to + 1024), _mm512_mask_mov_epi16(_mm512_srli_epi32(first, 16), high, second));
        }
    }
}

/* Two images of sixteen channels side by side -> sixteen pairs. */
static void pack_narrow(char *to, const void *const octets[4])
{
    uint16_t order[32];
    for (int i = 0; i < 32; i++) order[i] = (uint16_t)(i / 2 + i % 2 * 16);
    const __m512i pairs = _mm512_loadu_si512(order);
    for (int q = 0; q < 4; q++) {
        const char *from = octets[q];
        for (ptrdiff_t pair = 0; pair < 4; pair++, to += 64) {
            const __m512i both = from ? _mm512_loadu_si512(from + pair * IMAGE) : _mm512_setzero_si512();
            _mm512_storeu_si512((void *)to, _mm512_permutexvar_epi16(pairs, both));
        }
    }
}

void tile_pack_y_avx512(void *out, const void *const octets[4], int channels)
{
    if (channels == BLOCK_CHANNELS)
        pack_wide(out, octets);
    else
        pack_narrow(out, octets);
}
