/* image/resample_body.h -- the two passes of a resize, compiled once per instruction set: the including file defines
 * LANES (floats in a vector: 4, 8 or 16) and KERNELS (the table's name). Each output is the sum of its taps in
 * order, multiplied and added separately, so that every variant gives the same bits. */
#include <string.h>

#include "image/resample_kernels.h"

enum { CHUNK = 256 }; /* elements filtered vertically at a time: a block of 16 rows of them stays in the L1 cache */

typedef float vector __attribute__((vector_size(4 * LANES)));

#if LANES == 4
#define INTERLEAVE_LOW(a, b) __builtin_shufflevector(a, b, 0, 4, 1, 5)
#define INTERLEAVE_HIGH(a, b) __builtin_shufflevector(a, b, 2, 6, 3, 7)
#elif LANES == 8
#define INTERLEAVE_LOW(a, b) __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define INTERLEAVE_HIGH(a, b) __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
#else
#define INTERLEAVE_LOW(a, b) \
    __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define INTERLEAVE_HIGH(a, b) \
    __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
#endif

/* Transposes a LANES x LANES matrix: log2(LANES) rounds of interleaving row i with row i + LANES / 2. */
static inline void transpose(vector *rows)
{
    vector next[LANES];
    for (int round = 1; round < LANES; round *= 2) {
        for (size_t i = 0; i < LANES / 2; i++) {
            next[2 * i] = INTERLEAVE_LOW(rows[i], rows[i + LANES / 2]);
            next[2 * i + 1] = INTERLEAVE_HIGH(rows[i], rows[i + LANES / 2]);
        }
        for (size_t i = 0; i < LANES; i++)
            rows[i] = next[i];
    }
}

/* out[i] = w[0] * a[i] + ..., over 1 to 4 rows of bytes that lie `stride` apart. */
static inline void blend_first(const uint8_t *a, size_t stride, const float *restrict w, int rows, int count,
                               float *restrict out)
{
    const uint8_t *b = rows > 1 ? a + stride : a, *c = rows > 2 ? b + stride : a, *d = rows > 3 ? c + stride : a;
    if (rows >= 4)
        for (int i = 0; i < count; i++)
            out[i] = w[0] * (float)a[i] + w[1] * (float)b[i] + w[2] * (float)c[i] + w[3] * (float)d[i];
    else if (rows == 3)
        for (int i = 0; i < count; i++)
            out[i] = w[0] * (float)a[i] + w[1] * (float)b[i] + w[2] * (float)c[i];
    else if (rows == 2)
        for (int i = 0; i < count; i++)
            out[i] = w[0] * (float)a[i] + w[1] * (float)b[i];
    else
        for (int i = 0; i < count; i++)
            out[i] = w[0] * (float)a[i];
}

/* The same, added to what is in `out`. */
static inline void blend_more(const uint8_t *a, size_t stride, const float *restrict w, int rows, int count,
                              float *restrict out)
{
    const uint8_t *b = rows > 1 ? a + stride : a, *c = rows > 2 ? b + stride : a, *d = rows > 3 ? c + stride : a;
    if (rows >= 4)
        for (int i = 0; i < count; i++)
            out[i] = out[i] + w[0] * (float)a[i] + w[1] * (float)b[i] + w[2] * (float)c[i] + w[3] * (float)d[i];
    else if (rows == 3)
        for (int i = 0; i < count; i++)
            out[i] = out[i] + w[0] * (float)a[i] + w[1] * (float)b[i] + w[2] * (float)c[i];
    else if (rows == 2)
        for (int i = 0; i < count; i++)
            out[i] = out[i] + w[0] * (float)a[i] + w[1] * (float)b[i];
    else
        for (int i = 0; i < count; i++)
            out[i] = out[i] + w[0] * (float)a[i];
}

static void vertical(const uint8_t *rows, size_t stride, int elements, const struct resample_axis *axis, int y,
                     int count, float *columns)
{
    _Alignas(64) float tile[LANES][CHUNK];
    memset(tile, 0, elements < CHUNK || count < LANES ? sizeof tile : 0); /* lanes and columns nobody fills */
    for (int start = 0; start < elements; start += CHUNK) {
        const int width = elements - start < CHUNK ? elements - start : CHUNK;
        for (int row = 0; row < count; row++) {
            const float *weight = axis->weight + (size_t)(y + row) * (size_t)axis->taps;
            const int taps = axis->count[y + row];
            const uint8_t *source = rows + (size_t)axis->first[y + row] * stride + start;
            blend_first(source, stride, weight, taps, width, tile[row]);
            for (int tap = 4; tap < taps; tap += 4)
                blend_more(source + (size_t)tap * stride, stride, weight + tap, taps - tap, width, tile[row]);
        }
        for (int element = 0; element < width; element += LANES) {
            vector turned[LANES];
            for (int row = 0; row < LANES; row++)
                memcpy(&turned[row], &tile[row][element], sizeof(vector));
            transpose(turned);
            const int left = width - element < LANES ? width - element : LANES;
            float *to = columns + (size_t)(start + element) * LANES;
            if (left == LANES)
                memcpy(to, turned, sizeof turned);
            else
                memcpy(to, turned, (size_t)left * sizeof(vector));
        }
    }
}

static inline float clamp(float x)
{
    const float positive = x > 0.0f ? x : 0.0f;
    return positive < 1.0f ? positive : 1.0f;
}

/* LANES outputs of LANES rows, turned back and clamped; the last block of a row or of the picture is cut. */
static inline void store(vector *block, int rows, int columns, int width, float *out)
{
    transpose(block);
    for (int row = 0; row < rows; row++) {
        float line[LANES];
        memcpy(line, &block[row], sizeof line);
        float *to = out + (size_t)row * (size_t)width;
        if (columns == LANES)
            for (int i = 0; i < LANES; i++)
                to[i] = clamp(line[i]);
        else
            for (int i = 0; i < columns; i++)
                to[i] = clamp(line[i]);
    }
}

static void horizontal(const float *columns, const struct resample_axis *axis, int y, int count, int width, int height,
                       float *out)
{
    const size_t plane = (size_t)width * (size_t)height;
    float *rows = out + (size_t)y * (size_t)width;
    for (int x = 0; x < width; x += LANES) {
        const int outputs = width - x < LANES ? width - x : LANES;
        vector red[LANES] = {{0}}, green[LANES] = {{0}}, blue[LANES] = {{0}};
        for (int i = 0; i < outputs; i++) {
            const float *weight = axis->weight + (size_t)(x + i) * (size_t)axis->taps;
            const vector *source = (const vector *)(const void *)columns + 3 * (size_t)axis->first[x + i];
            vector r = weight[0] * source[0], g = weight[0] * source[1], b = weight[0] * source[2];
            for (int tap = 1; tap < axis->count[x + i]; tap++) {
                source += 3;
                r += weight[tap] * source[0];
                g += weight[tap] * source[1];
                b += weight[tap] * source[2];
            }
            red[i] = r;
            green[i] = g;
            blue[i] = b;
        }
        store(red, count, outputs, width, rows + x);
        store(green, count, outputs, width, rows + plane + x);
        store(blue, count, outputs, width, rows + 2 * plane + x);
    }
}

const struct resample_kernels KERNELS = {LANES, vertical, horizontal};
