/* augment/blur_body.h -- the two passes of the blur, compiled once per instruction set: the including file defines
 * KERNELS (the table's name). Taps are symmetric: the two neighbours at a distance are added, then weighted. Radii up
 * to BLUR_RADIUS_FIXED have a body of their own, so that weights stay in registers. Blocking: a row in the L1 cache
 * across; down, the ROWS_AT_ONCE output rows of a column of vectors share their input rows.
 * Gray and blur take 21 of the 158 us of an average view at 224 with AVX-512 and VBMI on Zen 4, 39 of 247 with
 * AVX2 (bench_views). */
#include "augment/kernels.h"
#include "augment/put_body.h"
#include "simd/vec.h"

#define RADII(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11)

enum { ROWS_AT_ONCE = VEC_REGISTERS == 32 ? 4 : 2 };

/* Mirrors an index once at either end, without repeating the edge. */
static inline int reflect(int i, int size)
{
    const int positive = i < 0 ? -i : i;
    return positive < size ? positive : 2 * size - 2 - positive;
}

/* Fills the borders of a row: the margins hold whole vectors where the row is long enough to fill them so. */
ALWAYS_INLINE void fill_margins(float *row, int size, int radius)
{
    if (size > BLUR_MARGIN && radius <= BLUR_MARGIN) {
        for (int i = 0; i < radius; i += VEC_LANES) {
            vec_store(row - VEC_LANES - i, vec_reverse(vec_load(row + 1 + i)));
            vec_store(row + size + i, vec_reverse(vec_load(row + size - 1 - i - VEC_LANES)));
        }
        return;
    }
    for (int i = 1; i <= radius; i++) {
        row[-i] = row[i];
        row[size - 1 + i] = row[size - 1 - i];
    }
}

ALWAYS_INLINE void across_radius(const int radius, float *row, float *to, int size, const float *weight)
{
    vec spread[BLUR_RADIUS_FIXED + 1];
    for (int tap = 0; tap <= radius && tap <= BLUR_RADIUS_FIXED; tap++) spread[tap] = vec_set(weight[tap]);
    vec here = vec_load(row);
    for (int x = 0; x < size; x += VEC_LANES) {
        const vec next = vec_load(row + x + VEC_LANES);
        vec sum = here * spread[0];
#pragma GCC unroll 16
        for (int tap = 1; tap <= radius; tap++)
            sum = vec_fma(vec_load(row + x - tap) + vec_ahead(row + x, here, next, tap), spread[tap], sum);
        vec_store(to + x, sum);
        here = next;
    }
}

static void across_any(float *row, float *to, int size, int radius, const float *weight)
{
    for (int x = 0; x < size; x += VEC_LANES) {
        vec sum = vec_load(row + x) * vec_set(weight[0]);
        for (int tap = 1; tap <= radius; tap++)
            sum = vec_fma(vec_load(row + x - tap) + vec_load(row + x + tap), vec_set(weight[tap]), sum);
        vec_store(to + x, sum);
    }
}

/* Weights add up to 1 only within rounding. */
ALWAYS_INLINE vec at_most_one(vec x)
{
    return vec_min(x, vec_set(1.0f));
}

/* What is written at once of a row, to all its equal planes. */
ALWAYS_INLINE void put_copies(const struct blur_down *job, int y, int x, const vec *value, const enum put how)
{
    const size_t at = (size_t)y * job->to_stride + (size_t)x;
    for (int copy = 0; copy < job->copies; copy++) put(job->to, (size_t)copy * job->to_plane + at, value, how);
}

/* A vector of each of ROWS_AT_ONCE output rows, of which the source rows are given. */
ALWAYS_INLINE void sum_rows(const int radius, const float *const *source, int x, const float *weight, vec *sum)
{
    vec in[ROWS_AT_ONCE + 2 * BLUR_RADIUS_FIXED] = {{0}};
#pragma GCC unroll 32
    for (int i = 0; i < ROWS_AT_ONCE + 2 * radius; i++) in[i] = vec_load(source[i] + x);
#pragma GCC unroll 4
    for (int row = 0; row < ROWS_AT_ONCE; row++) sum[row] = in[row + radius] * vec_set(weight[0]);
#pragma GCC unroll 16
    for (int tap = 1; tap <= radius; tap++) {
        const vec w = vec_set(weight[tap]);
#pragma GCC unroll 4
        for (int row = 0; row < ROWS_AT_ONCE; row++)
            sum[row] = vec_fma(in[row + radius - tap] + in[row + radius + tap], w, sum[row]);
    }
}

/* ROWS_AT_ONCE output rows from y on. */
ALWAYS_INLINE void down_rows(const int radius, const enum put how, const struct blur_down *job, int y,
                             const float *weight)
{
    const float *source[ROWS_AT_ONCE + 2 * BLUR_RADIUS_FIXED];
    for (int i = 0; i < ROWS_AT_ONCE + 2 * radius; i++)
        source[i] = job->from + (size_t)reflect(y - radius + i, job->size) * job->from_stride;
    for (int x = 0; x < job->size; x += put_vectors(how) * VEC_LANES) {
        vec sum[2][ROWS_AT_ONCE];
        for (int j = 0; j < put_vectors(how); j++) sum_rows(radius, source, x + j * VEC_LANES, weight, sum[j]);
#pragma GCC unroll 4
        for (int row = 0; row < ROWS_AT_ONCE; row++) {
            const vec value[2] = {at_most_one(sum[0][row]),
                                  how == PUT_STREAM_BF16 ? at_most_one(sum[1][row]) : vec_zero()};
            put_copies(job, y + row, x, value, how);
        }
    }
}

/* A vector of any row, by any radius. */
ALWAYS_INLINE vec sum_row(const struct blur_down *job, int y, int x, int radius, const float *weight)
{
    vec sum = vec_load(job->from + (size_t)y * job->from_stride + x) * vec_set(weight[0]);
    for (int tap = 1; tap <= radius; tap++) {
        const float *above = job->from + (size_t)reflect(y - tap, job->size) * job->from_stride;
        const float *below = job->from + (size_t)reflect(y + tap, job->size) * job->from_stride;
        sum = vec_fma(vec_load(above + x) + vec_load(below + x), vec_set(weight[tap]), sum);
    }
    return at_most_one(sum);
}

static void down_row(const struct blur_down *job, int y, int radius, const float *weight)
{
    const int step = put_vectors(job->how) * VEC_LANES;
    for (int x = 0; x < job->size; x += step) {
        vec value[2] = {sum_row(job, y, x, radius, weight), vec_zero()};
        if (job->how == PUT_STREAM_BF16) value[1] = sum_row(job, y, x + VEC_LANES, radius, weight);
        put_copies(job, y, x, value, job->how);
    }
}

#define DEFINE_RADIUS(RADIUS)                                                                                          \
    static void across_##RADIUS(float *row, float *to, int size, const float *weight)                                  \
    {                                                                                                                  \
        across_radius(RADIUS, row, to, size, weight);                                                                  \
    }                                                                                                                  \
    static void down_##RADIUS(const struct blur_down *job, int y, const float *weight)                                 \
    {                                                                                                                  \
        if (job->how == PUT_STREAM_BF16)                                                                               \
            down_rows(RADIUS, PUT_STREAM_BF16, job, y, weight);                                                        \
        else if (job->how == PUT_STREAM)                                                                               \
            down_rows(RADIUS, PUT_STREAM, job, y, weight);                                                             \
        else                                                                                                           \
            down_rows(RADIUS, PUT_STORE, job, y, weight);                                                              \
    }
RADII(DEFINE_RADIUS)

#define NAME_ACROSS(RADIUS) [RADIUS] = across_##RADIUS,
#define NAME_DOWN(RADIUS) [RADIUS] = down_##RADIUS,
static void (*const across_fixed[])(float *, float *, int, const float *) = {RADII(NAME_ACROSS)};
static void (*const down_fixed[])(const struct blur_down *, int, const float *) = {RADII(NAME_DOWN)};

static void across(float *row, float *to, int size, int radius, const float *weight)
{
    fill_margins(row, size, radius);
    if (radius <= BLUR_RADIUS_FIXED)
        across_fixed[radius](row, to, size, weight);
    else
        across_any(row, to, size, radius, weight);
}

static void down(const struct blur_down *job, int radius, const float *weight)
{
    int y = 0;
    for (; radius <= BLUR_RADIUS_FIXED && y + ROWS_AT_ONCE <= job->size; y += ROWS_AT_ONCE)
        down_fixed[radius](job, y, weight);
    for (; y < job->size; y++) down_row(job, y, radius, weight);
}

const struct blur_kernels KERNELS = {across, down};
