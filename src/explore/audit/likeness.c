/* explore/audit/likeness.c -- see likeness.h. */
#include "explore/audit/likeness.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

enum { SIDE = LIKENESS_SIDE, VALUES = LIKENESS_VALUES, REACH = 3, FRAME = 3, LANES = 16 };

static const double shares[LIKENESS_SHARES] = {0.95, 0.90};
static const float LEAST = 1.0f; /* of 255, root mean square of what is left without the means */
static const float SOFT = 8.0f;  /* of 255: differences below are noise, and are not enlarged to those of edges */

/* ---- crops ----------------------------------------------------------------------------------------------------- */

/* Keys' cubic convolution kernel with a = -0.5. */
static double cubic(double x)
{
    x = fabs(x);
    if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
    return x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0;
}

static void make_axis(struct likeness_axis *axis, double share, int place)
{
    const double free = SIDE * (1 - share), start = free * place / (LIKENESS_PLACES - 1);
    for (int i = 0; i < SIDE; i++) {
        const double at = start + (i + 0.5) * share - 0.5;
        const int first = (int)floor(at) - 1;
        for (int k = 0; k < 4; k++) {
            const int index = first + k;
            axis->index[i][k] = (int16_t)(index < 0 ? 0 : index >= SIDE ? SIDE - 1 : index);
            axis->weight[i][k] = (float)cubic(at - index);
        }
    }
}

void likeness_tables_make(struct likeness_tables *tables)
{
    for (int s = 0; s < LIKENESS_SHARES; s++)
        for (int p = 0; p < LIKENESS_PLACES; p++) make_axis(&tables->axis[s][p], shares[s], p);
}

static void crop_across(float *out, const float *in, const struct likeness_axis *axis)
{
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++) {
            const float *weight = axis->weight[x], *row = in + (int64_t)y * SIDE;
            const int16_t *index = axis->index[x];
            out[y * SIDE + x] = weight[0] * row[index[0]] + weight[1] * row[index[1]] + weight[2] * row[index[2]] +
                                weight[3] * row[index[3]];
        }
}

static void crop_down(float *out, const float *in, const struct likeness_axis *axis)
{
    for (int y = 0; y < SIDE; y++) {
        const float *weight = axis->weight[y];
        const float *row[4];
        for (int k = 0; k < 4; k++) row[k] = in + (int64_t)axis->index[y][k] * SIDE;
        for (int x = 0; x < SIDE; x++)
            out[y * SIDE + x] =
                weight[0] * row[0][x] + weight[1] * row[1][x] + weight[2] * row[2][x] + weight[3] * row[3][x];
    }
}

/* ---- the filter ------------------------------------------------------------------------------------------------ */

/* Means of the 7 pixels around each along rows; fewer at the borders. */
static void mean_across(float *out, const float *in)
{
    for (int y = 0; y < SIDE; y++) {
        const float *row = in + (int64_t)y * SIDE;
        for (int x = 0; x < SIDE; x++) {
            const int first = x < REACH ? 0 : x - REACH, last = x + REACH >= SIDE ? SIDE - 1 : x + REACH;
            float sum = 0;
            for (int k = first; k <= last; k++) sum += row[k];
            out[y * SIDE + x] = sum / (float)(last - first + 1);
        }
    }
}

/* Of those the means down columns: the mean of the 7 x 7 pixels around each. */
static void mean_down(float *out, const float *across)
{
    for (int y = 0; y < SIDE; y++) {
        const int first = y < REACH ? 0 : y - REACH, last = y + REACH >= SIDE ? SIDE - 1 : y + REACH;
        const float share = 1.0f / (float)(last - first + 1);
        float sum[SIDE] = {0};
        for (int k = first; k <= last; k++)
            for (int x = 0; x < SIDE; x++) sum[x] += across[k * SIDE + x];
        for (int x = 0; x < SIDE; x++) out[y * SIDE + x] = sum[x] * share;
    }
}

static void mean_around(float *out, const float *in)
{
    float across[VALUES];
    mean_across(across, in);
    mean_down(out, across);
}

static float dot(const float *a, const float *b)
{
    float lane[LANES] = {0};
    for (int i = 0; i < VALUES; i += LANES)
        for (int k = 0; k < LANES; k++) lane[k] += a[i + k] * b[i + k];
    for (int half = LANES / 2; half > 0; half /= 2)
        for (int k = 0; k < half; k++) lane[k] += lane[k + half];
    return lane[0];
}

/* Whether a pixel counts: what lies at the border may be a frame, which other pictures have too. */
static bool is_inner(int i)
{
    const int x = i % SIDE, y = i / SIDE;
    return x >= FRAME && x < SIDE - FRAME && y >= FRAME && y < SIDE - FRAME;
}

/* Less the mean around each pixel, then by the root mean square around it: a hard edge (a horizon, the bars of a film)
 * counts no more than the rest. */
static void filter(float *picture)
{
    float around[VALUES], squares[VALUES], mean = 0;
    mean_around(around, picture);
    for (int i = 0; i < VALUES; i++) picture[i] -= around[i];
    const float square = dot(picture, picture);
    for (int i = 0; i < VALUES; i++) squares[i] = picture[i] * picture[i];
    mean_around(around, squares);
    for (int i = 0; i < VALUES; i++) picture[i] /= sqrtf(around[i] + SOFT * SOFT);
    for (int i = 0; i < VALUES; i++) mean += is_inner(i) ? picture[i] : 0;
    mean /= (SIDE - 2 * FRAME) * (SIDE - 2 * FRAME);
    for (int i = 0; i < VALUES; i++) picture[i] = is_inner(i) ? picture[i] - mean : 0;
    const float rest = dot(picture, picture);
    const float scale = square < LEAST * LEAST * VALUES || rest <= 0 ? 0 : 1 / sqrtf(rest);
    for (int i = 0; i < VALUES; i++) picture[i] *= scale;
}

static void mirror(float *out, const float *in)
{
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++) out[y * SIDE + x] = in[y * SIDE + SIDE - 1 - x];
}

/* ---- both ------------------------------------------------------------------------------------------------------ */

static void take(float *out, const uint8_t *thumbnail)
{
    for (int i = 0; i < VALUES; i++) out[i] = thumbnail[i];
}

void likeness_plain(float out[LIKENESS_VALUES], const uint8_t thumbnail[LIKENESS_VALUES])
{
    take(out, thumbnail);
    filter(out);
}

void likeness_views(float *out, const struct likeness_tables *tables, const uint8_t thumbnail[LIKENESS_VALUES])
{
    float whole[VALUES], across[VALUES];
    take(whole, thumbnail);
    memcpy(out, whole, sizeof whole);
    float *next = out + VALUES;
    for (int s = 0; s < LIKENESS_SHARES; s++)
        for (int x = 0; x < LIKENESS_PLACES; x++) {
            crop_across(across, whole, &tables->axis[s][x]);
            for (int y = 0; y < LIKENESS_PLACES; y++, next += VALUES) crop_down(next, across, &tables->axis[s][y]);
        }
    for (int i = 0; i < LIKENESS_CROPS; i++) {
        float *view = out + (int64_t)i * VALUES;
        filter(view);
        mirror(view + (int64_t)LIKENESS_CROPS * VALUES, view);
    }
}

float likeness(const float *views, const float plain[LIKENESS_VALUES])
{
    float best = dot(views, plain);
    for (int i = 1; i < LIKENESS_VIEWS; i++) {
        const float one = dot(views + (int64_t)i * VALUES, plain);
        best = one > best ? one : best;
    }
    return best;
}
