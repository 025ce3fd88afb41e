/* image/resample_body.h -- the horizontal pass of a resize, compiled once per instruction set.
 *
 * It works on vectors of output rows, whatever its taps. The vertical pass comes first and leaves a block of
 * VEC_LANES rows turned (columns[element][row], element = 3 * x + channel). The results are turned back when they
 * are stored. */
#include "image/resample_kernels.h"
#include "simd/vec.h"

enum { PIXEL = 3 * VEC_LANES };

#if defined(__AVX2__)
#define INTERLEAVE_LOW(a, b) __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define INTERLEAVE_HIGH(a, b) __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
#else
#define INTERLEAVE_LOW(a, b) __builtin_shufflevector(a, b, 0, 4, 1, 5)
#define INTERLEAVE_HIGH(a, b) __builtin_shufflevector(a, b, 2, 6, 3, 7)
#endif

/* Transposes a VEC_LANES x VEC_LANES matrix: log2(VEC_LANES) rounds of interleaving row i with row i + VEC_LANES / 2.
 */
ALWAYS_INLINE void transpose(vec *rows)
{
    vec next[VEC_LANES];
    for (int round = 1; round < VEC_LANES; round *= 2) {
        for (size_t i = 0; i < VEC_LANES / 2; i++) {
            next[2 * i] = INTERLEAVE_LOW(rows[i], rows[i + VEC_LANES / 2]);
            next[2 * i + 1] = INTERLEAVE_HIGH(rows[i], rows[i + VEC_LANES / 2]);
        }
        for (size_t i = 0; i < VEC_LANES; i++) rows[i] = next[i];
    }
}

/* VEC_LANES outputs of `rows` rows, turned back and clamped. */
ALWAYS_INLINE void store_block(vec *block, int rows, float *out, size_t stride)
{
    transpose(block);
    for (int row = 0; row < rows; row++) vec_store(out + (size_t)row * stride, vec_clamp(block[row]));
}

/* `count` <= VEC_LANES rows of three planes; weights sum to 1/255. */
static void horizontal(const float *columns, const struct resample_axis *axis, int count, int width, float *out,
                       size_t stride, size_t plane)
{
    const int whole = (width + 15) / 16 * 16;
    for (int x = 0; x < whole; x += VEC_LANES) {
        const int outputs = width - x < VEC_LANES ? width - x : VEC_LANES;
        vec red[VEC_LANES] = {{0}}, green[VEC_LANES] = {{0}}, blue[VEC_LANES] = {{0}};
        for (int i = 0; i < outputs; i++) {
            const float *weight = axis->weight + (size_t)(x + i) * (size_t)axis->taps;
            const float *source = columns + (size_t)axis->first[x + i] * PIXEL;
            vec r = vec_zero(), g = r, b = r;
            for (int tap = 0; tap < axis->count[x + i]; tap++, source += PIXEL) {
                const vec w = vec_set(weight[tap]);
                r = vec_fma(w, vec_load(source), r);
                g = vec_fma(w, vec_load(source + VEC_LANES), g);
                b = vec_fma(w, vec_load(source + VEC_LANES + VEC_LANES), b);
            }
            red[i] = r;
            green[i] = g;
            blue[i] = b;
        }
        store_block(red, count, out + x, stride);
        store_block(green, count, out + plane + x, stride);
        store_block(blue, count, out + 2 * plane + x, stride);
    }
}

/* The table of the horizontal pass is a resample_axis and what it points to. */
static size_t float_axis_bytes(int input, int output)
{
    return resample_round_up(sizeof(struct resample_axis)) + resample_axis_bytes(input, output);
}

static void float_across_make(void *table, struct resample_span span, int output, enum resample_filter filter,
                              bool flip, void *work)
{
    (void)work;
    char *block = (char *)table + resample_round_up(sizeof(struct resample_axis));
    *(struct resample_axis *)table = resample_axis_make(span, output, filter, flip, 1.0 / 255.0, block);
}
