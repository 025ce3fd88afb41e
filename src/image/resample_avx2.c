/* image/resample_avx2.c -- the resize for AVX2: rows are filtered as pairs of 16-bit numbers (vpmaddwd, exact sums of
 * bytes by weights of 15 bits), then columns in float32.
 *
 * Blocking: 8 output rows and CHUNK bytes of the source rows that they need at a time, in the L1 cache.
 * A view at 224 takes 247 us on Zen 4, 167 of them here and in writing it (bench_views). */
enum { MOST_SCALE = 16, MOST_TAPS = 68 };

#include "image/resample_body.h"
#include "image/resample_fixed_body.h"

enum { CHUNK = 32, MOST_SPAN = MOST_PAIRS + VEC_LANES * MOST_SCALE / 2 + 1, ROWS_AHEAD = 12 };

/* Bytes a[i], b[i] become the 16-bit pair (a[i], b[i]), 8 pairs a vector. */
ALWAYS_INLINE void interleave(const uint8_t *a, const uint8_t *b, __m256i *pairs)
{
    for (size_t half = 0; half < 2; half++) {
        const __m128i upper = _mm_loadu_si128((const __m128i *)(const void *)(a + 16 * half));
        const __m128i lower = _mm_loadu_si128((const __m128i *)(const void *)(b + 16 * half));
        pairs[2 * half] = _mm256_cvtepu8_epi16(_mm_unpacklo_epi8(upper, lower));
        pairs[2 * half + 1] = _mm256_cvtepu8_epi16(_mm_unpackhi_epi8(upper, lower));
    }
}

/* The pairs of source rows first .. first + span - 1, CHUNK bytes of them from `start` on. */
static void take_pairs(const struct resampler *r, int first, int span, int start, __m256i (*pairs)[4])
{
    const int last = r->box.height - 1;
    for (int pair = 0; pair < span; pair++) {
        const int row = 2 * (first + pair), upper = row < last ? row : last, lower = upper < last ? upper + 1 : last;
        const uint8_t *a = r->rows + (size_t)upper * r->stride + start;
        const uint8_t *b = r->rows + (size_t)lower * r->stride + start;
        if (upper + ROWS_AHEAD < last) {
            _mm_prefetch((const char *)a + ROWS_AHEAD * r->stride, _MM_HINT_T0);
            _mm_prefetch((const char *)b + ROWS_AHEAD * r->stride, _MM_HINT_T0);
        }
        if (r->end - b >= CHUNK) { /* what lies behind the box is filtered too, and not used */
            interleave(a, b, pairs[pair]);
        } else { /* not a byte behind the picture */
            uint8_t line[2][CHUNK] = {{0}};
            const size_t bytes = (size_t)(3 * r->box.width - start);
            memcpy(line[0], a, bytes < CHUNK ? bytes : CHUNK);
            memcpy(line[1], b, bytes < CHUNK ? bytes : CHUNK);
            interleave(line[0], line[1], pairs[pair]);
        }
    }
}

/* One output row of a chunk. */
ALWAYS_INLINE void filter_row(const int pairs, const __m256i (*source)[4], const int32_t *weight, vec unit, float *out)
{
    __m256i sum[4] = {_mm256_setzero_si256(), _mm256_setzero_si256(), _mm256_setzero_si256(), _mm256_setzero_si256()};
    for (int pair = 0; pair < pairs; pair++) {
        const __m256i w = _mm256_set1_epi32(weight[pair]);
        for (int i = 0; i < 4; i++) sum[i] = _mm256_add_epi32(sum[i], _mm256_madd_epi16(source[pair][i], w));
    }
    for (ptrdiff_t i = 0; i < 4; i++) vec_store(out + VEC_LANES * i, _mm256_cvtepi32_ps(sum[i]) * unit);
}

static void vertical(const struct resampler *r, const struct down *table, int y, int count, float *columns)
{
    __m256i pairs[MOST_SPAN][4];
    _Alignas(32) float tile[VEC_LANES][CHUNK];
    const int32_t *first = table->data + y, *weights = table->data + r->height + (ptrdiff_t)y * table->pairs;
    const int span = first[count - 1] + table->pairs - first[0];
    const vec unit = vec_set(1.0f / (float)(1 << table->shift));
    memset(tile, 0, count < VEC_LANES ? sizeof tile : 0); /* lanes that nobody fills */
    for (int start = 0; start < 3 * r->box.width; start += CHUNK) {
        take_pairs(r, first[0], span, start, pairs);
        for (int row = 0; row < count; row++) {
            const __m256i(*source)[4] = (const __m256i(*)[4])pairs + (first[row] - first[0]);
            const int32_t *weight = weights + (ptrdiff_t)row * table->pairs;
            if (table->pairs == 3)
                filter_row(3, source, weight, unit, tile[row]);
            else if (table->pairs == 4)
                filter_row(4, source, weight, unit, tile[row]);
            else
                filter_row(table->pairs, source, weight, unit, tile[row]);
        }
        for (int element = 0; element < CHUNK; element += VEC_LANES) {
            vec turned[VEC_LANES];
            for (int row = 0; row < VEC_LANES; row++) turned[row] = vec_load(&tile[row][element]);
            transpose(turned);
            for (int i = 0; i < VEC_LANES; i++)
                vec_store(columns + (size_t)(start + element + i) * VEC_LANES, turned[i]);
        }
    }
}

static size_t work_bytes(int max_width, int max_height, int width, int height)
{
    (void)max_height;
    const size_t columns = ((size_t)max_width * 3 + CHUNK) * VEC_LANES * sizeof(float);
    const size_t making = making_bytes(width > height ? width : height);
    return resample_round_up(columns > making ? columns : making);
}

static void rows(struct resampler *r, int y, int count, float *out, size_t stride, size_t plane)
{
    for (int done = 0; done < count; done += VEC_LANES) {
        const int some = count - done < VEC_LANES ? count - done : VEC_LANES;
        vertical(r, r->down, y + done, some, r->work);
        horizontal(r->work, r->across, some, r->width, out + (size_t)done * stride, stride, plane);
    }
}

const struct resample_kernels resample_kernels_avx2 = {float_axis_bytes, down_bytes, float_across_make, down_make,
                                                       work_bytes,       rows,       MOST_SCALE};
