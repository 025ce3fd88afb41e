/* image/resample_gather_body.h -- the resize by permutations that gather each output's taps, for the variants of
 * AVX-512. The including file
 *
 *  - defines KERNELS (the table's name), MOST_SCALE, MOST_TAPS and MOST_WEIGHT,
 *  - includes resample_fixed_body.h,
 *  - defines what its instruction set does with four neighbouring taps, a quad, of 16 outputs: struct window,
 *    load_window, index_of, next_channel, pack_weights, sum_taps, add_products.
 *
 * Across: a vector holds 16 outputs of one channel. Permutations gather their taps from 64 source bytes, whatever the
 * channel; weights of 15 bits make exact sums. The three channels share source bytes and weights, and planes come out
 * without any de-interleaving. Two source rows at a time become pairs of 16 bits. 7 of them are fraction; 128 is taken
 * off so that overshoot has room: nothing is clamped. Down: two rows of a ring of such pairs are multiplied and added
 * at once.
 *
 * Blocking: the ring holds the pairs that one output row needs (3 to 5 of 2.7 KB at 224). It is in the L1 cache with
 * the tables (one vector of indices, two of weights per quad for 16 outputs). */

enum {
    MOST_QUADS = MOST_TAPS / 4,
    SPREAD = 17,    /* columns of a window: 3 * 17 + 11 is the last element that a permutation of 64 reaches */
    ROWS_AHEAD = 8, /* source rows are fetched that early */
    SLACK = 64 + 12 * MOST_QUADS, /* bytes behind a row that may be read */
    FRACTION = 7
};

/* ---- tables ---- */

struct across {
    int groups, quads, windows, shift; /* windows: 1, 2 or 4 loads for 16 outputs */
    __m512i data[];                    /* indices [groups], weights [groups][quads][2], then offsets, below */
};

/* How many vectors are before the offsets. */
INLINE ptrdiff_t before_offsets(const struct across *table)
{
    return (ptrdiff_t)table->groups * (1 + 2 * table->quads);
}

static int quads_of(int input, int output, enum resample_filter filter)
{
    return (resample_most_taps(input, output, filter) + 3) /
           4; /* the spare one too: it is there where rounding makes it */
}

static size_t across_bytes(int input, int output)
{
    const int scaled = input / MOST_SCALE < output ? input : MOST_SCALE * output;
    const size_t groups = padded(output) / 16;
    return resample_round_up(sizeof(struct across) + 64 +
                             groups * (64 + 128 * (size_t)quads_of(scaled, output, RESAMPLE_BICUBIC) + 16));
}

/* Lowest and highest first column of the lanes from `lane` on. */
static void extremes(const int32_t *first, int lanes, int *low, int *high)
{
    *low = *high = first[0];
    for (int i = 1; i < lanes; i++) {
        *low = first[i] < *low ? first[i] : *low;
        *high = first[i] > *high ? first[i] : *high;
    }
}

/* How many loads a group of 16 outputs takes. First columns go up or down, so the ends are the extremes. */
static int windows_of(const struct making *m)
{
    for (int windows = 1; windows < 4; windows *= 2) {
        bool fits = true;
        for (int lane = 0; lane < (int)m->row; lane += 16 / windows)
            fits = fits && abs(m->first[lane + 16 / windows - 1] - m->first[lane]) <= SPREAD;
        if (fits) return windows;
    }
    return 4;
}

static void across_make(void *block, struct resample_span span, int output, enum resample_filter filter, bool flip,
                        void *work)
{
    struct across *table = block;
    struct making m = making_open(work, output);
    weigh(&m, span, output, filter, flip, MOST_WEIGHT);
    const int row = (int)m.row;
    table->groups = row / 16;
    table->quads = (m.taps + 3) / 4;
    table->shift = m.shift;
    table->windows = windows_of(&m);
    for (int tap = m.taps; tap < 4 * table->quads; tap++)
        memset(m.fixed + (ptrdiff_t)tap * row, 0, m.row * sizeof *m.fixed);
    int32_t *offset = (int32_t *)(void *)(table->data + before_offsets(table));
    const int lanes = 16 / table->windows;
    for (ptrdiff_t g = 0; g < table->groups; g++) {
        int32_t index[16];
        for (int lane = 0; lane < 16; lane += lanes) {
            int low, high;
            extremes(m.first + 16 * g + lane, lanes, &low, &high);
            offset[4 * g + lane / lanes] = 3 * low;
            for (int i = lane; i < lane + lanes; i++) index[i] = index_of(3 * (m.first[16 * g + i] - low));
        }
        table->data[g] = _mm512_loadu_si512(index);
        __m512i *weights = table->data + table->groups + 2 * g * table->quads;
        for (ptrdiff_t quad = 0; quad < table->quads; quad++)
            pack_weights(m.fixed + 4 * quad * row + 16 * g, row, weights + 2 * quad);
    }
}

/* ---- across ---- */

/* Two source rows to a pair: out[3][groups], a lane holding row a's value in its low half and row b's in its high. */
INLINE void take_pair(const ptrdiff_t quads, const int windows, const struct across *table, const uint8_t *a,
                      const uint8_t *b, __m512i *out)
{
    const int groups = table->groups, shift = table->shift;
    const __m512i *weights = table->data + groups;
    const int32_t *offset = (const int32_t *)(const void *)(table->data + before_offsets(table));
    const __m512i start = _mm512_set1_epi32((1 << (shift - FRACTION - 1)) - (1 << (shift + 7)));
    const __m512i right = _mm512_set1_epi32(shift - FRACTION), left = _mm512_set1_epi32(16 + FRACTION - shift);
    for (int g = 0; g < groups; g++, offset += 4, weights += 2 * quads) {
        struct window first[MOST_QUADS][4], second[MOST_QUADS][4];
        __m512i weight[MOST_QUADS][2];
        for (ptrdiff_t quad = 0; quad < quads; quad++) {
            weight[quad][0] =
                weights[2 * quad]; /* into registers: what is stored below might be them, for the compiler */
            weight[quad][1] = weights[2 * quad + 1];
            for (int window = 0; window < windows; window++) {
                first[quad][window] = load_window(a + offset[window] + 12 * quad);
                second[quad][window] = load_window(b + offset[window] + 12 * quad);
            }
        }
        __m512i index = table->data[g];
        for (int channel = 0; channel < 3; channel++) {
            const __m512i sum_a = sum_taps(quads, windows, index, first, weight, start);
            const __m512i sum_b = sum_taps(quads, windows, index, second, weight, start);
            out[channel * groups + g] =
                _mm512_mask_blend_epi16(0xAAAAAAAAu, _mm512_srav_epi32(sum_a, right), _mm512_sllv_epi32(sum_b, left));
            index = next_channel(index);
        }
    }
}

#define QUADS(X) X(1) X(2) X(3) X(4) X(5) X(6)
#define DEFINE_TAKE(QUADS)                                                                                             \
    static void take_##QUADS(const struct across *table, const uint8_t *a, const uint8_t *b, __m512i *out)             \
    {                                                                                                                  \
        if (table->windows == 1)                                                                                       \
            take_pair(QUADS, 1, table, a, b, out);                                                                     \
        else if (table->windows == 2)                                                                                  \
            take_pair(QUADS, 2, table, a, b, out);                                                                     \
        else                                                                                                           \
            take_pair(QUADS, 4, table, a, b, out);                                                                     \
    }
QUADS(DEFINE_TAKE)

#define NAME_TAKE(QUADS) [QUADS] = take_##QUADS,
static void (*const take[])(const struct across *, const uint8_t *, const uint8_t *, __m512i *) = {QUADS(NAME_TAKE)};

/* ---- down ---- */

/* One output row of three planes from `pairs` pairs of the ring. */
INLINE void make_row(const int pairs, const __m512i *const *ring, const int32_t *weight, int shift, int groups,
                     float *out, size_t plane)
{
    __m512i weights[MOST_PAIRS];
    weights[0] = _mm512_set1_epi32(weight[0]);
    for (int pair = 1; pair < pairs; pair++) weights[pair] = _mm512_set1_epi32(weight[pair]);
    const __m512 unit = _mm512_set1_ps(1.0f / 255.0f / (float)(1 << (shift + FRACTION)));
    const __m512 offset = _mm512_set1_ps(128.0f / 255.0f), zero = _mm512_setzero_ps(), one = _mm512_set1_ps(1.0f);
    for (int channel = 0, i = 0; channel < 3; channel++, out += plane)
        for (ptrdiff_t g = 0; g < groups; g++, i++) {
            __m512i sum = add_products(_mm512_setzero_si512(), ring[0][i], weights[0]);
            for (int pair = 1; pair < pairs; pair++) sum = add_products(sum, ring[pair][i], weights[pair]);
            const __m512 value = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum), unit, offset);
            _mm512_storeu_ps(out + 16 * g, _mm512_min_ps(_mm512_max_ps(value, zero), one));
        }
}

static void make_row_of(int pairs, const __m512i *const *ring, const int32_t *weight, int shift, int groups, float *out,
                        size_t plane)
{
    switch (pairs) {
    case 2:
        make_row(2, ring, weight, shift, groups, out, plane);
        break;
    case 3:
        make_row(3, ring, weight, shift, groups, out, plane);
        break;
    case 4:
        make_row(4, ring, weight, shift, groups, out, plane);
        break;
    case 5:
        make_row(5, ring, weight, shift, groups, out, plane);
        break;
    case 6:
        make_row(6, ring, weight, shift, groups, out, plane);
        break;
    default:
        make_row(pairs, ring, weight, shift, groups, out, plane);
    }
}

/* ---- both ---- */

static size_t line_bytes(int width)
{
    return resample_round_up((size_t)width * 3 + SLACK);
}

/* Work: the ring, two lines; while tables are made, those weights. */
static size_t work_bytes(int max_width, int max_height, int width, int height)
{
    (void)max_height;
    const size_t ring = (size_t)MOST_PAIRS * 3 * padded(width) * sizeof(int32_t);
    const size_t rows = ring + 2 * line_bytes(max_width), making = making_bytes(width > height ? width : height);
    return rows > making ? rows : making;
}

/* A source row behind which SLACK bytes may be read: the image's last ones are copied. */
static const uint8_t *source_row(const struct resampler *r, int y, uint8_t *line)
{
    const uint8_t *row = r->rows + (size_t)y * r->stride;
    const size_t bytes = (size_t)r->box.width * 3;
    if ((size_t)(r->end - row) >= bytes + SLACK) return row;
    memcpy(line, row, bytes);
    return line;
}

static void fetch(const struct resampler *r, int y)
{
    if (y >= r->box.height) return;
    const char *row = (const char *)r->rows + (size_t)y * r->stride;
    for (int i = 0; i < 3 * r->box.width; i += 64) _mm_prefetch(row + i, _MM_HINT_T0);
}

/* Where the ring keeps a pair of source rows. */
INLINE __m512i *slot(__m512i *ring, int pair, int slots, int groups)
{
    return ring + (ptrdiff_t)(pair % slots) * 3 * groups;
}

static void rows(struct resampler *r, int y, int count, float *out, size_t stride, size_t plane)
{
    const struct across *across = r->across;
    const struct down *down = r->down;
    const int groups = across->groups, pairs = down->pairs, slots = pairs;
    __m512i *ring = r->work;
    uint8_t *line = (uint8_t *)r->work + (size_t)MOST_PAIRS * 3 * padded(r->width) * sizeof(int32_t);
    for (int row = y; row < y + count; row++, out += stride) {
        const int first = down->data[row];
        const __m512i *window[MOST_PAIRS];
        for (; r->done < 2 * (first + pairs) && r->done < r->box.height; r->done += 2) {
            const int next = r->done + 1 < r->box.height ? r->done + 1 : r->done;
            fetch(r, r->done + ROWS_AHEAD);
            fetch(r, r->done + ROWS_AHEAD + 1);
            const uint8_t *upper = source_row(r, r->done, line);
            const uint8_t *lower = source_row(r, next, line + line_bytes(r->box.width));
            take[across->quads](across, upper, lower, slot(ring, r->done / 2, slots, groups));
        }
        window[0] = slot(ring, first, slots, groups); /* pairs are at least one */
        for (int pair = 1; pair < pairs; pair++) window[pair] = slot(ring, first + pair, slots, groups);
        const int32_t *weight = down->data + r->height + (ptrdiff_t)row * pairs;
        make_row_of(pairs, window, weight, down->shift, groups, out, plane);
    }
}

const struct resample_kernels KERNELS = {across_bytes, down_bytes, across_make, down_make,
                                         work_bytes,   rows,       MOST_SCALE};
