/* image/resample_fixed_body.h -- weights of 15 bits, for the variants that multiply integers. The including file
 * defines MOST_SCALE, MOST_TAPS (outputs per input and taps that it can do) before. Private to the room. */
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
    size_t row;             /* padded outputs */
    int32_t *first, *count; /* [row] */
    float *distance;        /* [row] */
    float *weight;          /* [MOST_TAPS][row] */
    int32_t *fixed;         /* [MOST_TAPS][row] */
};

static size_t making_bytes(int output)
{
    return padded(output) * sizeof(float) * (3 + 2 * MOST_TAPS);
}

/* ---- outputs as lanes of the compiler's vectors: what it does not find by itself in these loops ---- */

#if defined(__AVX512F__)
enum { OUTPUTS = 16 };
#else
enum { OUTPUTS = 8 };
#endif
typedef float floats __attribute__((vector_size(4 * OUTPUTS)));
typedef int32_t ints __attribute__((vector_size(4 * OUTPUTS)));
typedef double doubles __attribute__((vector_size(8 * OUTPUTS)));

INLINE ints load_ints(const int32_t *from)
{
    ints value;
    memcpy(&value, from, sizeof value);
    return value;
}

INLINE floats load_floats(const float *from)
{
    floats value;
    memcpy(&value, from, sizeof value);
    return value;
}

INLINE ints select_ints(ints mask, ints yes, ints no)
{
    return (yes & mask) | (no & ~mask);
}

INLINE floats select_floats(ints mask, floats yes, floats no)
{
    return (floats)select_ints(mask, (ints)yes, (ints)no);
}

INLINE floats magnitude(floats x)
{
    return (floats)((ints)x & 0x7FFFFFFF);
}

INLINE floats cubic(floats x)
{
    const floats d = magnitude(x);
    const floats near = (1.5f * d - 2.5f) * d * d + 1.0f;
    const floats far = ((-0.5f * d + 2.5f) * d - 4.0f) * d + 2.0f;
    return select_floats(d < 1.0f, near, (floats)((ints)far & (d < 2.0f)));
}

INLINE floats triangle(floats x)
{
    const floats d = 1.0f - magnitude(x);
    return (floats)((ints)d & (d > 0.0f));
}

/* gcc 12 without optimisation has no instruction for sixteen integers in memory that become doubles, and stops. */
#if defined(__GNUC__) && !defined(__clang__) && !defined(__OPTIMIZE__)
#define OPTIMISED __attribute__((optimize("O1")))
#else
#define OPTIMISED
#endif

/* Which inputs each output takes; the padding does as the last output does. */
static OPTIMISED void place(struct making *m, struct resample_span span, int output, enum resample_filter filter,
                            bool flip)
{
    const double scale = span.length / output, stretch = scale > 1.0 ? scale : 1.0, inverse = 1.0 / stretch;
    const double support = resample_half_width(filter) * stretch;
    ints order = {0};
    for (int i = 0; i < OUTPUTS; i++) order[i] = i;
    for (int x = 0; x < (int)m->row; x += OUTPUTS) {
        const ints all = order + x, mine = select_ints(all < output, all, order * 0 + (output - 1));
        const ints index = flip ? output - 1 - mine : mine;
        const doubles centre = span.begin + (__builtin_convertvector(index, doubles) + 0.5) * scale;
        const ints low = __builtin_convertvector(centre - support + 0.5, ints);
        const ints high = __builtin_convertvector(centre + support + 0.5, ints);
        const ints first = low & (low > 0),
                   count = select_ints(high < span.input, high, order * 0 + span.input) - first;
        const doubles distance = (__builtin_convertvector(first, doubles) - centre + 0.5) * inverse;
        const floats rounded = __builtin_convertvector(distance, floats);
        memcpy(m->first + x, &first, sizeof first);
        memcpy(m->count + x, &count, sizeof count);
        memcpy(m->distance + x, &rounded, sizeof rounded);
    }
}

static int most_of(const int32_t *values, int count)
{
    int most = 0;
    for (int i = 0; i < count; i++) most = values[i] > most ? values[i] : most;
    return most;
}

/* Weights that sum to one, as floats; returns the largest. */
INLINE float normalize(struct making *m, float step, const bool bicubic)
{
    const int row = (int)m->row;
    floats most = {0.0f};
    for (int x = 0; x < row; x += OUTPUTS) {
        const floats distance = load_floats(m->distance + x);
        const ints count = load_ints(m->count + x);
        float *weight = m->weight + x;
        floats sum = {0.0f};
        for (int tap = 0; tap < m->taps; tap++) {
            const floats at = distance + (float)tap * step;
            const floats value = (floats)((ints)(bicubic ? cubic(at) : triangle(at)) & (tap < count));
            memcpy(weight + (ptrdiff_t)tap * row, &value, sizeof value);
            sum = sum + value;
        }
        sum = 1.0f / sum;
        for (int tap = 0; tap < m->taps; tap++) {
            const floats value = load_floats(weight + (ptrdiff_t)tap * row) * sum;
            memcpy(weight + (ptrdiff_t)tap * row, &value, sizeof value);
            most = select_floats(value > most, value, most);
        }
    }
    float largest = 0.0f;
    for (int i = 0; i < OUTPUTS; i++) largest = most[i] > largest ? most[i] : largest;
    return largest;
}

/* Weights of `m->shift` bits, of which none is over `limit`; each output's sum to 1 << shift exactly. */
static void weigh(struct making *m, struct resample_span span, int output, enum resample_filter filter, bool flip,
                  int limit)
{
    const int row = (int)m->row;
    place(m, span, output, filter, flip);
    m->taps = most_of(m->count, row);
    const float step = (float)(span.length > output ? output / span.length : 1.0);
    const float most = filter == RESAMPLE_BICUBIC ? normalize(m, step, true) : normalize(m, step, false);
    m->shift = most * 32768.0f < (float)(limit - MOST_TAPS) ? 15 : 14; /* room for the correction below */
    const float one = (float)(1 << m->shift);
    for (int x = 0; x < row; x += OUTPUTS) {
        ints rest = {0}, best = {0}, largest = {0};
        for (int tap = 0; tap < m->taps; tap++) {
            const floats value = load_floats(m->weight + (ptrdiff_t)tap * row + x) * one + 65536.5f;
            const ints fixed = __builtin_convertvector(value, ints) - 65536;
            const ints larger = fixed > largest;
            memcpy(m->fixed + (ptrdiff_t)tap * row + x, &fixed, sizeof fixed);
            rest = rest - fixed;
            best = select_ints(larger, best * 0 + tap, best);
            largest = select_ints(larger, fixed, largest);
        }
        for (int i = 0; i < OUTPUTS; i++) /* what rounding left over goes to the largest */
            m->fixed[best[i] * row + x + i] += rest[i] + (1 << m->shift);
    }
}

static struct making making_open(void *work, int output)
{
    struct making m = {.row = padded(output), .first = work};
    m.count = m.first + m.row;
    m.distance = (float *)(void *)(m.count + m.row);
    m.weight = m.distance + m.row;
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
            if (place < 2 * pairs) weight[place] = (int16_t)m.fixed[tap * row + y];
        }
    }
}
