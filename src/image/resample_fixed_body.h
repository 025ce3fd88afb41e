/* image/resample_fixed_body.h -- weights of 15 bits, for the variants that multiply integers. The including file defines
 * MOST_SCALE, MOST_TAPS (outputs per input and taps that it can do) before. Private to the room. */
#include <math.h>
#include <string.h>

#include "image/resample_kernels.h"

#define INLINE static inline __attribute__((always_inline))

enum { MOST_PAIRS = MOST_TAPS / 2 + 1 };

/* Weights of the vertical pass, by pairs of source rows. */
struct down {
    int pairs, shift;
    int32_t data[]; /* first pair [height], weights [height][pairs]: two of 16 bits each */
};

static size_t padded(int count)
{
    return ((size_t)count + 15) / 16 * 16;
}

static int pairs_of(int input, int output, enum resample_filter filter)
{
    return resample_most_taps(input, output, filter) / 2 + 1; /* an odd first row costs one */
}

static size_t down_bytes(int input, int output)
{
    const int scaled = input / MOST_SCALE < output ? input : MOST_SCALE * output;
    const size_t entry = 1 + (size_t)pairs_of(scaled, output, RESAMPLE_BICUBIC);
    return resample_round_up(sizeof(struct down) + (size_t)output * sizeof(int32_t) * entry);
}

/* The making of a table: outputs are lanes, taps are rows. */
struct making {
    int taps, shift;
    size_t row;                 /* padded outputs */
    int32_t *first, *count;     /* [row] */
    int32_t *rest;              /* [row]: of the sum, which rounding leaves over */
    float *distance, *sum;      /* [row] */
    float *weight;              /* [MOST_TAPS][row] */
    int32_t *fixed;             /* [MOST_TAPS][row] */
};

static size_t making_bytes(int output)
{
    return padded(output) * sizeof(float) * (5 + 2 * MOST_TAPS);
}

INLINE float cubic(float x)
{
    const float d = fabsf(x);
    const float near = (1.5f * d - 2.5f) * d * d + 1.0f;
    const float far = ((-0.5f * d + 2.5f) * d - 4.0f) * d + 2.0f;
    return d < 1.0f ? near : d < 2.0f ? far : 0.0f;
}

INLINE float triangle(float x)
{
    const float d = 1.0f - fabsf(x);
    return d > 0.0f ? d : 0.0f;
}

static void place(struct making *m, struct resample_span span, int output, enum resample_filter filter, bool flip)
{
    const int input = span.input;
    const double scale = span.length / output, stretch = scale > 1.0 ? scale : 1.0, inverse = 1.0 / stretch;
    const double support = resample_half_width(filter) * stretch;
    for (int x = 0; x < (int)m->row; x++) {
        const int i = x < output ? x : output - 1; /* the padding does as the last output does */
        const double centre = span.begin + ((flip ? output - 1 - i : i) + 0.5) * scale;
        const double low = centre - support + 0.5, high = centre + support + 0.5;
        const int first = low > 0.0 ? (int)low : 0;
        const int end = high < input ? (int)high : input;
        m->first[x] = first;
        m->count[x] = end - first;
        m->distance[x] = (float)((first - centre + 0.5) * inverse);
    }
}

/* Weights of `m->shift` bits, of which none is over `limit`; each output's sum to 1 << shift exactly. */
static void weigh(struct making *m, struct resample_span span, int output, enum resample_filter filter, bool flip,
                  int limit)
{
    const int row = (int)m->row;
    place(m, span, output, filter, flip);
    m->taps = 0;
    for (int x = 0; x < row; x++) {
        m->taps = m->count[x] > m->taps ? m->count[x] : m->taps;
        m->sum[x] = 0.0f;
    }
    const float step = (float)(span.length > output ? output / span.length : 1.0);
    for (int tap = 0; tap < m->taps; tap++) {
        float *restrict weight = m->weight + (ptrdiff_t)tap * row, *restrict sum = m->sum;
        const float ahead = (float)tap * step;
        for (int x = 0; x < row; x++) {
            const float value = filter == RESAMPLE_BICUBIC ? cubic(m->distance[x] + ahead)
                                                           : triangle(m->distance[x] + ahead);
            weight[x] = tap < m->count[x] ? value : 0.0f;
            sum[x] += weight[x];
        }
    }
    float most = 0.0f;
    for (int x = 0; x < row; x++)
        m->sum[x] = 1.0f / m->sum[x];
    for (int tap = 0; tap < m->taps; tap++)
        for (int x = 0; x < row; x++) {
            const float value = m->weight[tap * row + x] * m->sum[x];
            most = value > most ? value : most;
        }
    m->shift = most * 32768.0f < (float)(limit - MOST_TAPS) ? 15 : 14; /* room for the correction below */
    const float one = (float)(1 << m->shift);
    int32_t *restrict rest = m->rest, *restrict best = m->count; /* counts are no longer needed */
    for (int x = 0; x < row; x++) {
        rest[x] = 1 << m->shift;
        best[x] = 0;
    }
    for (int tap = 0; tap < m->taps; tap++) {
        int32_t *restrict fixed = m->fixed + (ptrdiff_t)tap * row;
        for (int x = 0; x < row; x++) {
            fixed[x] = (int)(m->weight[tap * row + x] * m->sum[x] * one + 65536.5f) - 65536;
            rest[x] -= fixed[x];
            best[x] = fixed[x] > m->fixed[best[x] * row + x] ? tap : best[x];
        }
    }
    for (int x = 0; x < row; x++) /* what rounding left over goes to the largest */
        m->fixed[best[x] * row + x] += rest[x];
}

static struct making making_open(void *work, int output)
{
    struct making m = {.row = padded(output), .first = work};
    m.count = m.first + m.row;
    m.rest = m.count + m.row;
    m.distance = (float *)(void *)(m.rest + m.row);
    m.sum = m.distance + m.row;
    m.weight = m.sum + m.row;
    m.fixed = (int32_t *)(void *)(m.weight + MOST_TAPS * m.row);
    return m;
}

static void down_make(void *block, struct resample_span span, int output, enum resample_filter filter, void *work)
{
    struct down *table = block;
    struct making m = making_open(work, output);
    weigh(&m, span, output, filter, false, 32767);
    const int row = (int)m.row, pairs = (m.taps + 2) / 2;
    int32_t *first = table->data;
    int16_t *weight = (int16_t *)(void *)(first + output);
    table->pairs = pairs;
    table->shift = m.shift;
    memset(weight, 0, (size_t)output * (size_t)pairs * sizeof(int32_t));
    for (int y = 0; y < output; y++, weight += (ptrdiff_t)2 * pairs) {
        first[y] = m.first[y] / 2;
        for (int tap = 0; tap < m.taps; tap++) {
            const int place = tap + m.first[y] % 2;
            if (place < 2 * pairs)
                weight[place] = (int16_t)m.fixed[tap * row + y];
        }
    }
}
