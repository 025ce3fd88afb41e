/* backend/cpu/winograd_body.h -- the kernels of winograd.h, written once; a file per instruction set includes this
 * after defining WINOGRAD_TABLE and WINOGRAD_TITLE.
 *
 * Register block of the products: 8 images x 2 vectors of 16 outputs (AVX-512), 6 + 5 + 5 or 4 + 4 images x 2 vectors
 * elsewhere; a step loads two vectors of U and broadcasts one number of V per image. Backward weights: 8 channels (or
 * 6 and 4) x 2 vectors of outputs over all images of the chunk's tiles.
 *
 * Measured on one core with AVX-512 (peak 240 GF/s, 2 MB of L2), float32, 128 images; GF/s as if the sum were direct,
 * all transforms included, forward / backward data / backward weights, and the direct kernels beside them:
 *   64 channels at 32x32    570 / 580 / 500    170 / 175 / 180
 *   128 at 16x16            540 / 540 / 490    195 / 190 / 190
 *   256 at 8x8              540 / 550 / 530    210 / 210 / 215
 *   512 at 4x4              560 / 560 / 530    250 / 250 / 255
 * That is 55 to 60 % of the peak of the 36 products, which alone run at 70 to 90 %. Cells of y are fetched before they
 * are written, during the products: without that the last transform waits for memory, a fifth of the layer at 64
 * channels. The like for x and d_y in backward weights gained nothing. */
#include "backend/cpu/conv_vector.h"
#include "backend/cpu/winograd.h"

static const float POINT_A = 0.70710678118654752440f, POINT_B = 1.41421356237309504880f;

ALWAYS_INLINE vec constant(float value)
{
    return vec_broadcast(&value);
}
/* a + factor b */
ALWAYS_INLINE vec plus(vec a, float factor, vec b)
{
    return vec_fma(constant(factor), b, a);
}
ALWAYS_INLINE vec times(float factor, vec a)
{
    return vec_mul(constant(factor), a);
}

/* ---- transforms in one dimension: `step` vectors lie between two elements of an operand ------------------------ */

/* B^T d */
ALWAYS_INLINE void transform_input(vec v[6], const vec d[6])
{
    const vec p = plus(d[4], -2.0f, d[2]), q = plus(d[3], -2.0f, d[1]);
    const vec r = plus(d[4], -0.5f, d[2]), t = plus(d[3], -0.5f, d[1]);
    v[0] = vec_add(d[0], plus(d[4], -2.5f, d[2]));
    v[1] = plus(p, POINT_A, q);
    v[2] = plus(p, -POINT_A, q);
    v[3] = plus(r, POINT_B, t);
    v[4] = plus(r, -POINT_B, t);
    v[5] = vec_add(d[1], plus(d[5], -2.5f, d[3]));
}

/* A^T m */
ALWAYS_INLINE void transform_output(vec y[4], const vec m[6])
{
    const vec s1 = m[1] + m[2], d1 = m[1] - m[2], s2 = m[3] + m[4], d2 = m[3] - m[4];
    y[0] = m[0] + (s1 + s2);
    y[1] = plus(times(POINT_B, d2), POINT_A, d1);
    y[2] = plus(times(2.0f, s2), 0.5f, s1);
    y[3] = plus(plus(m[5], 2 * POINT_B, d2), 0.5f * POINT_A, d1);
}

/* A d_y */
ALWAYS_INLINE void transform_gradient(vec w[6], const vec y[4])
{
    const vec e = plus(y[0], 0.5f, y[2]), o = times(POINT_A, plus(y[1], 0.5f, y[3]));
    const vec f = plus(y[0], 2.0f, y[2]), g = times(POINT_B, plus(y[1], 2.0f, y[3]));
    w[0] = y[0];
    w[1] = e + o;
    w[2] = e - o;
    w[3] = f + g;
    w[4] = f - g;
    w[5] = y[3];
}

/* G g */
ALWAYS_INLINE void transform_weights(vec u[6], const vec g[3])
{
    const vec e = times(-2.0f / 3, plus(g[0], 0.5f, g[2])), o = times(-2.0f / 3 * POINT_A, g[1]);
    const vec f = times(1.0f / 6, plus(g[0], 2.0f, g[2])), p = times(1.0f / 6 * POINT_B, g[1]);
    u[0] = g[0];
    u[1] = e + o;
    u[2] = e - o;
    u[3] = f + p;
    u[4] = f - p;
    u[5] = g[2];
}

/* G^T dU */
ALWAYS_INLINE void transform_gradient_weights(vec g[3], const vec u[6])
{
    const vec s1 = times(-2.0f / 3, u[1] + u[2]), d1 = times(-2.0f / 3 * POINT_A, u[1] - u[2]);
    const vec s2 = times(1.0f / 6, u[3] + u[4]), d2 = times(1.0f / 6 * POINT_B, u[3] - u[4]);
    g[0] = u[0] + (s1 + s2);
    g[1] = d1 + d2;
    g[2] = plus(plus(u[5], 2.0f, s2), 0.5f, s1);
}

/* ---- transforms of tiles ---------------------------------------------------------------------------------------- */

ALWAYS_INLINE vec load(const char *cell, ptrdiff_t element, const bool bf16)
{
    return bf16 ? vec_load_bf16(cell + element * 2) : vec_load(cell + element * 4);
}

ALWAYS_INLINE void store(char *cell, ptrdiff_t element, vec v, const bool bf16)
{
    if (bf16)
        vec_store_bf16(cell + element * 2, v);
    else
        vec_store(cell + element * 4, v);
}

ALWAYS_INLINE void fetch_next(const struct winograd_input *args, ptrdiff_t element, const int count, const bool bf16)
{
    UNROLL for (ptrdiff_t i = 0; i < count; i++)
        __builtin_prefetch(args->next[i] + element * (bf16 ? 2 : 4), 0, 2);
}

ALWAYS_INLINE void input_tile(const struct winograd_input *args, const bool bf16)
{
    for (ptrdiff_t n = 0; n < args->images; n++)
        for (ptrdiff_t c = 0; c < args->channels; c += LANES) {
            const ptrdiff_t at = n * args->block + c;
            vec half[6][6], d[6], v[6];
            if (args->next) fetch_next(args, at, 36, bf16);
            UNROLL for (ptrdiff_t j = 0; j < 6; j++)
            {
                UNROLL for (ptrdiff_t i = 0; i < 6; i++) d[i] = load(args->cells[i * 6 + j], at, bf16);
                transform_input(v, d);
                UNROLL for (ptrdiff_t i = 0; i < 6; i++) half[i][j] = v[i];
            }
            float *out = (float *)args->out + at;
            UNROLL for (ptrdiff_t i = 0; i < 6; i++)
            {
                transform_input(v, half[i]);
                UNROLL for (ptrdiff_t j = 0; j < 6; j++) vec_store(out + (i * 6 + j) * args->point, v[j]);
            }
        }
}

static void input(const struct winograd_input *args)
{
    if (args->bf16)
        input_tile(args, true);
    else
        input_tile(args, false);
}

ALWAYS_INLINE void gradient_tile(const struct winograd_input *args, const bool bf16)
{
    for (ptrdiff_t n = 0; n < args->images; n++)
        for (ptrdiff_t c = 0; c < args->channels; c += LANES) {
            const ptrdiff_t at = n * args->block + c;
            vec half[6][4], y[4], w[6];
            if (args->next) fetch_next(args, at, 16, bf16);
            UNROLL for (ptrdiff_t j = 0; j < 4; j++)
            {
                UNROLL for (ptrdiff_t i = 0; i < 4; i++) y[i] = load(args->cells[i * 4 + j], at, bf16);
                transform_gradient(w, y);
                UNROLL for (ptrdiff_t i = 0; i < 6; i++) half[i][j] = w[i];
            }
            float *out = (float *)args->out + at;
            UNROLL for (ptrdiff_t i = 0; i < 6; i++)
            {
                transform_gradient(w, half[i]);
                UNROLL for (ptrdiff_t j = 0; j < 6; j++) vec_store(out + (i * 6 + j) * args->point, w[j]);
            }
        }
}

static void gradient(const struct winograd_input *args)
{
    if (args->bf16)
        gradient_tile(args, true);
    else
        gradient_tile(args, false);
}

/* One vector of outputs of all images, and zeros in the `empty` vectors after it. whole: all 4 x 4 positions are inside
 * the image. */
ALWAYS_INLINE void output_vector(const struct winograd_output *args, ptrdiff_t k, int images, ptrdiff_t empty,
                                 const bool whole, const bool bf16)
{
    const vec bias = args->bias ? vec_load(args->bias + k) : vec_zero();
    vec sum = vec_zero(), square = vec_zero();
    for (ptrdiff_t n = 0; n < images; n++) {
        const ptrdiff_t at = n * args->block + k;
        vec half[4][6], m[6], y[4];
        UNROLL for (ptrdiff_t j = 0; j < 6; j++)
        {
            UNROLL for (ptrdiff_t i = 0; i < 6; i++) m[i] = vec_load(args->m + (i * 6 + j) * args->point + at);
            transform_output(y, m);
            UNROLL for (ptrdiff_t i = 0; i < 4; i++) half[i][j] = y[i];
        }
        const bool counts = args->statistics && n < args->images;
        UNROLL for (ptrdiff_t i = 0; i < 4; i++)
        {
            if (!whole && i >= args->rows) break;
            transform_output(y, half[i]);
            char *row = args->y + i * args->row;
            UNROLL for (ptrdiff_t j = 0; j < 4; j++)
            {
                if (!whole && j >= args->columns) break;
                vec value = vec_add(y[j], bias);
                if (args->accumulate) value = vec_add(value, load(row + j * args->cell, at, bf16));
                store(row + j * args->cell, at, value, bf16);
                if (empty > 0) store(row + j * args->cell, at + LANES, vec_zero(), bf16);
                for (ptrdiff_t e = 2; LANES < 16 && e <= empty; e++)
                    store(row + j * args->cell, at + e * LANES, vec_zero(), bf16);
                if (counts) {
                    sum = vec_add(sum, value);
                    square = vec_fma(value, value, square);
                }
            }
        }
    }
    if (!args->statistics) return;
    vec_store(args->statistics + k, vec_add(vec_load(args->statistics + k), sum));
    vec_store(args->statistics + 32 + k, vec_add(vec_load(args->statistics + 32 + k), square));
}

/* What the products leave out: images past `images` are zero. */
static void clear_images(const struct winograd_output *args, ptrdiff_t images)
{
    const ptrdiff_t row = (ptrdiff_t)args->block * (args->bf16 ? 2 : 4);
    for (ptrdiff_t i = 0; i < args->rows; i++)
        for (ptrdiff_t j = 0; j < args->columns; j++)
            memset(args->y + i * args->row + j * args->cell + images * row, 0, (size_t)((args->places - images) * row));
}

/* Images and outputs that the products compute for `images` and `outputs` real ones. */
#if defined(__AVX512F__)
static int computed_images(int images, int places)
{
    (void)places;
    return images > 8 ? 16 : 8;
}
ALWAYS_INLINE int computed_outputs(int outputs)
{
    return outputs > 16 ? 32 : 16;
}
#else
static int computed_images(int images, int places)
{
    if (places == 8) return images > 4 ? 8 : 4;
    return images > 11 ? 16 : images > 6 ? 11 : 6;
}
ALWAYS_INLINE int computed_outputs(int outputs)
{
    return (outputs + 2 * LANES - 1) / (2 * LANES) * (2 * LANES);
}
#endif

ALWAYS_INLINE void output_tile(const struct winograd_output *args, const bool bf16)
{
    const int images = computed_images(args->images, args->places), outputs = computed_outputs(args->outputs);
    const bool whole = args->rows == 4 && args->columns == 4;
    for (ptrdiff_t k = 0; k < outputs; k += LANES) {
        const ptrdiff_t empty = k + LANES < outputs ? 0 : (args->block - outputs) / LANES;
        if (whole)
            output_vector(args, k, images, empty, true, bf16);
        else
            output_vector(args, k, images, empty, false, bf16);
    }
    if (images < args->places) clear_images(args, images);
}

static void output(const struct winograd_output *args)
{
    if (args->bf16)
        output_tile(args, true);
    else
        output_tile(args, false);
}

/* u[i * 6 + j] = G g G^T of one vector of outputs */
ALWAYS_INLINE void weights_vector(vec u[36], const vec g[9])
{
    vec half[6][3], v[6];
    UNROLL for (ptrdiff_t j = 0; j < 3; j++)
    {
        const vec column[3] = {g[j], g[3 + j], g[6 + j]};
        transform_weights(v, column);
        UNROLL for (ptrdiff_t i = 0; i < 6; i++) half[i][j] = v[i];
    }
    UNROLL for (ptrdiff_t i = 0; i < 6; i++) transform_weights(u + i * 6, half[i]);
}

#if !defined(WINOGRAD_PAIRS)
static void weights(void *u, ptrdiff_t point, const void *taps, int channels)
{
    for (ptrdiff_t at = 0; at < channels * (ptrdiff_t)BLOCK_CHANNELS; at += LANES) {
        vec g[9], v[36];
        UNROLL for (ptrdiff_t i = 0; i < 9; i++) g[i] = vec_load((const float *)taps + i * 1024 + at);
        weights_vector(v, g);
        UNROLL for (ptrdiff_t i = 0; i < 36; i++) vec_store((float *)u + i * point + at, v[i]);
    }
}
#endif

static void gradient_weights(float *taps, const float *du, ptrdiff_t point, int channels, bool add)
{
    for (ptrdiff_t at = 0; at < channels * (ptrdiff_t)BLOCK_CHANNELS; at += LANES) {
        vec half[3][6], u[6], g[3];
        UNROLL for (ptrdiff_t j = 0; j < 6; j++)
        {
            UNROLL for (ptrdiff_t i = 0; i < 6; i++) u[i] = vec_load(du + (i * 6 + j) * point + at);
            transform_gradient_weights(g, u);
            UNROLL for (ptrdiff_t i = 0; i < 3; i++) half[i][j] = g[i];
        }
        UNROLL for (ptrdiff_t i = 0; i < 3; i++)
        {
            transform_gradient_weights(g, half[i]);
            UNROLL for (ptrdiff_t j = 0; j < 3; j++)
            {
                float *out = taps + (i * 3 + j) * 1024 + at;
                vec_store(out, add ? vec_add(vec_load(out), g[j]) : g[j]);
            }
        }
    }
}

/* ---- products --------------------------------------------------------------------------------------------------- */

/* Rounding grows with the length of a chain of additions: after CHAIN_BLOCKS channel blocks an accumulator joins a sum
 * of chains and starts again. */
enum { CHAIN_BLOCKS = 2 };

/* The accumulators join what m holds, if it holds anything, and are zero again. */
ALWAYS_INLINE void add_chain(const int rows, const int vectors, const int block, float *m, vec (*acc)[2], bool first)
{
    UNROLL for (ptrdiff_t i = 0; i < rows; i++) UNROLL for (ptrdiff_t j = 0; j < vectors; j++)
    {
        float *sum = m + i * block + j * LANES;
        vec_store(sum, first ? acc[i][j] : vec_add(vec_load(sum), acc[i][j]));
        acc[i][j] = vec_zero();
    }
}

/* What a product fetches meanwhile: U and V of the products that follow into the first level of cache, activations for
 * the next transform into the second. A line each per step of 32 x 32 weights, or per two steps. */
struct ahead {
    const char *u, *v, *x;
    ptrdiff_t x_block;
};

/* m[image][output] = sum over channels of v[image][channel] u[channel][output], cells being of `block` channels. */
ALWAYS_INLINE void product_tile(const int rows, const int vectors, const int block, const float *v, ptrdiff_t v_block,
                                const float *u, float *m, int channels, const struct ahead *ahead)
{
    const char *next_u = ahead->u, *next_v = ahead->v, *next_x = ahead->x;
    vec acc[16][2];
    UNROLL for (ptrdiff_t i = 0; i < rows; i++) UNROLL for (ptrdiff_t j = 0; j < vectors; j++) acc[i][j] = vec_zero();
    ptrdiff_t chain = 0;
    bool first = true;
    for (; channels > 0; channels -= BLOCK_CHANNELS, v += v_block, u += (ptrdiff_t)BLOCK_CHANNELS * 32,
                         next_u += 2048, next_v += v_block * 4, next_x += ahead->x_block) {
        if (chain++ == CHAIN_BLOCKS) {
            add_chain(rows, vectors, block, m, acc, first);
            first = false;
            chain = 1;
        }
        const ptrdiff_t steps = channels < BLOCK_CHANNELS ? channels : BLOCK_CHANNELS;
        UNROLL_BY(2)
        for (ptrdiff_t s = 0; s < steps; s++) {
            __builtin_prefetch(next_u + s * 64, 0, 3);
            if (s % 2 == 0)
                __builtin_prefetch(next_x + s * 32, 0, 2);
            else
                __builtin_prefetch(next_v + s * 32, 0, 3);
            vec w[2];
            UNROLL for (ptrdiff_t j = 0; j < vectors; j++) w[j] = vec_load(u + s * 32 + j * LANES);
            UNROLL for (ptrdiff_t i = 0; i < rows; i++)
            {
                const vec value = vec_broadcast(v + i * block + s);
                UNROLL for (ptrdiff_t j = 0; j < vectors; j++) acc[i][j] = vec_fma(w[j], value, acc[i][j]);
            }
        }
    }
    add_chain(rows, vectors, block, m, acc, first);
}

typedef void product_function(const void *v, ptrdiff_t v_block, const void *u, float *m, int channels,
                              const struct ahead *ahead);
#define PRODUCT(NAME, ROWS, VECTORS, BLOCK)                                                                            \
    NEVER_INLINE void NAME(const void *v, ptrdiff_t v_block, const void *u, float *m, int channels,                    \
                           const struct ahead *ahead)                                                                  \
    {                                                                                                                  \
        product_tile(ROWS, VECTORS, BLOCK, v, v_block, u, m, channels, ahead);                                         \
    }
#if defined(__AVX512F__)
PRODUCT(product_8x2, 8, 2, 32)
PRODUCT(product_8x1, 8, 1, 32)
PRODUCT(product_16x1, 16, 1, 32)
PRODUCT(product_narrow_8x1, 8, 1, 16)
PRODUCT(product_narrow_16x1, 16, 1, 16)
#else
PRODUCT(product_6x2, 6, 2, 32)
PRODUCT(product_5x2, 5, 2, 32)
PRODUCT(product_4x2, 4, 2, 32)
PRODUCT(product_narrow_6x2, 6, 2, 16)
PRODUCT(product_narrow_5x2, 5, 2, 16)
PRODUCT(product_narrow_4x2, 4, 2, 16)
#endif
#undef PRODUCT

/* Fetches step `step` of `steps` of a list of cells. */
ALWAYS_INLINE void fetch_cells(const struct winograd_fetch *fetch, int64_t step, int64_t steps)
{
    if (fetch->count == 0) return;
    const int64_t lines = fetch->bytes / 64, all = fetch->count * lines;
    int64_t line = all * step / steps;
    const int64_t end = all * (step + 1) / steps;
    while (line < end) {
        const char *cell = fetch->cells[line / lines];
        const int64_t first = line % lines, left = end - line, stop = first + left < lines ? first + left : lines;
        for (int64_t i = first; i < stop; i++) __builtin_prefetch(cell + i * 64, 0, 2);
        line += stop - first;
    }
}

/* What one call after the other fetches: 16 lines of each of the next tile's cells; the next point's U, while the first
 * tile meets this one; the next V. */
struct fetch {
    const char *cell, *u, *v;
    ptrdiff_t left, block, u_left;
};

/* size: bytes of an element of v; an output takes four of u. */
ALWAYS_INLINE void run_product(product_function *product, ptrdiff_t image, ptrdiff_t output, const ptrdiff_t size,
                               const struct winograd_products *args, const char *v, const char *u, float *m,
                               struct fetch *fetch)
{
    const bool any = fetch->left > 0;
    const ptrdiff_t at = image * args->block;
    const struct ahead ahead = {
        .u = fetch->u_left > 0 ? fetch->u : u,
        .v = fetch->v + at * size,
        .x = any ? fetch->cell : u,
        .x_block = any ? fetch->block : 0,
    };
    product(v + at * size, (ptrdiff_t)args->places * args->block, u + output * 4, m + at + output, args->channels,
            &ahead);
    fetch->cell += 1024;
    fetch->left -= 1024;
    fetch->u += args->channels * size * 16;
    fetch->u_left -= args->channels * size * 16;
}

/* One point of one tile and panel. */
ALWAYS_INLINE void product_cell(const struct winograd_products *args, int images, int outputs, const char *v,
                                const char *u, float *m, struct fetch *fetch)
{
    const bool narrow = args->block == NARROW_CHANNELS;
#if defined(__AVX512F__)
    if (narrow) {
        run_product(images > 8 ? product_narrow_16x1 : product_narrow_8x1, 0, 0, 4, args, v, u, m, fetch);
    } else if (outputs > LANES) {
        run_product(product_8x2, 0, 0, 4, args, v, u, m, fetch);
        if (images > 8) run_product(product_8x2, 8, 0, 4, args, v, u, m, fetch);
    } else {
        run_product(images > 8 ? product_16x1 : product_8x1, 0, 0, 4, args, v, u, m, fetch);
    }
#else
    for (ptrdiff_t k = 0; k < outputs; k += (ptrdiff_t)2 * LANES) {
        if (args->places == 8) {
            run_product(narrow ? product_narrow_4x2 : product_4x2, 0, k, 4, args, v, u, m, fetch);
            if (images > 4) run_product(narrow ? product_narrow_4x2 : product_4x2, 4, k, 4, args, v, u, m, fetch);
            continue;
        }
        run_product(narrow ? product_narrow_6x2 : product_6x2, 0, k, 4, args, v, u, m, fetch);
        if (images > 6) run_product(narrow ? product_narrow_5x2 : product_5x2, 6, k, 4, args, v, u, m, fetch);
        if (images > 11) run_product(narrow ? product_narrow_5x2 : product_5x2, 11, k, 4, args, v, u, m, fetch);
    }
#endif
}

typedef void product_cell_function(const struct winograd_products *args, int images, int outputs, const char *v,
                                   const char *u, float *m, struct fetch *fetch);

/* All points, panels and tiles; size: bytes of an element of V and U. */
ALWAYS_INLINE void all_products(const struct winograd_products *args, const ptrdiff_t size,
                                product_cell_function *product)
{
    const ptrdiff_t cell = (ptrdiff_t)args->places * args->block, v_tile = args->v_tile * size;
    for (ptrdiff_t point = 0; point < WINOGRAD_POINTS; point++)
        for (ptrdiff_t panel = 0; panel < args->panels; panel++) {
            const char *u = (const char *)args->u + (point * args->u_point + panel * args->u_panel) * size;
            const bool last = panel == args->panels - 1;
            const ptrdiff_t next_point = last && point < WINOGRAD_POINTS - 1 ? point + 1 : point;
            const char *next_u = last ? (const char *)args->u + next_point * args->u_point * size
                                      : u + args->u_panel * size;
            const char *next_v = (const char *)args->v + next_point * args->v_point * size;
            const int outputs = last ? args->last_outputs : BLOCK_CHANNELS;
            for (ptrdiff_t t = 0; t < args->tiles; t++) {
                const char *v = (const char *)args->v + point * args->v_point * size + t * v_tile;
                float *m = args->m + point * args->m_point + t * args->m_tile + panel * cell;
                struct fetch fetch = {.u = next_u, .v = t + 1 < args->tiles ? v + v_tile : next_v};
                fetch.u_left = t == 0 ? args->channels * size * 32 : 0;
                fetch_cells(&args->outputs, (point * args->panels + panel) * args->tiles + t,
                            (int64_t)WINOGRAD_POINTS * args->panels * args->tiles);
                if (panel == 0 && args->next) {
                    fetch.cell = args->next[t * WINOGRAD_POINTS + point];
                    fetch.left = fetch.cell ? args->next_bytes : 0;
                    fetch.block = args->next_block;
                }
                product(args, args->images[t], outputs, v, u, m, &fetch);
            }
        }
}

static void products(const struct winograd_products *args)
{
    all_products(args, 4, product_cell);
}

/* du[channel][output] = sum over tiles and images of v[image][channel] w[image][output] */
ALWAYS_INLINE void gradient_product_tile(const int rows, const int vectors, const int block,
                                         const struct winograd_gradient *args, const float *v, const float *w,
                                         float *du)
{
    vec acc[16][2];
    UNROLL for (ptrdiff_t i = 0; i < rows; i++) UNROLL for (ptrdiff_t j = 0; j < vectors; j++) acc[i][j] = vec_zero();
    for (ptrdiff_t t = 0; t < args->tiles; t++, v += args->v_tile, w += args->w_tile) {
        const ptrdiff_t images = args->images[t];
        UNROLL_BY(2)
        for (ptrdiff_t n = 0; n < images; n++) {
            vec y[2];
            UNROLL for (ptrdiff_t j = 0; j < vectors; j++) y[j] = vec_load(w + n * block + j * LANES);
            UNROLL for (ptrdiff_t i = 0; i < rows; i++)
            {
                const vec value = vec_broadcast(v + n * block + i);
                UNROLL for (ptrdiff_t j = 0; j < vectors; j++) acc[i][j] = vec_fma(y[j], value, acc[i][j]);
            }
        }
    }
    UNROLL for (ptrdiff_t i = 0; i < rows; i++) UNROLL for (ptrdiff_t j = 0; j < vectors; j++)
        vec_store(du + i * 32 + j * LANES, acc[i][j]);
}

#define GRADIENT(NAME, ROWS, VECTORS, BLOCK)                                                                           \
    NEVER_INLINE void NAME(const struct winograd_gradient *args, const void *v, const void *w, float *du)              \
    {                                                                                                                  \
        gradient_product_tile(ROWS, VECTORS, BLOCK, args, v, w, du);                                                   \
    }
#if defined(__AVX512F__)
GRADIENT(gradient_8x2, 8, 2, 32)
GRADIENT(gradient_16x1, 16, 1, 32)
GRADIENT(gradient_8x1, 8, 1, 32)
GRADIENT(gradient_narrow_16x1, 16, 1, 16)
GRADIENT(gradient_narrow_8x1, 8, 1, 16)
#else
GRADIENT(gradient_6x2, 6, 2, 32)
GRADIENT(gradient_4x2, 4, 2, 32)
GRADIENT(gradient_narrow_6x2, 6, 2, 16)
GRADIENT(gradient_narrow_4x2, 4, 2, 16)
#endif
#undef GRADIENT

/* One point of one 32 x 32 block. */
ALWAYS_INLINE void gradient_block(const struct winograd_gradient *args, int channels, const char *v, const char *w,
                                  float *du)
{
    const bool narrow = args->block == NARROW_CHANNELS;
    ptrdiff_t c = 0;
#if defined(__AVX512F__)
    if (narrow) {
        for (; c + 8 < channels; c += 16) gradient_narrow_16x1(args, v + c * 4, w, du + c * 32);
        for (; c < channels; c += 8) gradient_narrow_8x1(args, v + c * 4, w, du + c * 32);
    } else if (args->outputs > LANES) {
        for (; c < channels; c += 8) gradient_8x2(args, v + c * 4, w, du + c * 32);
    } else {
        for (; c + 8 < channels; c += 16) gradient_16x1(args, v + c * 4, w, du + c * 32);
        for (; c < channels; c += 8) gradient_8x1(args, v + c * 4, w, du + c * 32);
    }
#else
    const int rows = (channels + 3) / 4 * 4; /* fours until sixes fill the rest: never past 32 */
    for (ptrdiff_t k = 0; k < args->outputs; k += (ptrdiff_t)2 * LANES) {
        float *out = du + k;
        for (c = 0; (rows - c) % 6 != 0; c += 4)
            (narrow ? gradient_narrow_4x2 : gradient_4x2)(args, v + c * 4, w + k * 4, out + c * 32);
        for (; c < rows; c += 6)
            (narrow ? gradient_narrow_6x2 : gradient_6x2)(args, v + c * 4, w + k * 4, out + c * 32);
    }
#endif
}

typedef void gradient_block_function(const struct winograd_gradient *args, int channels, const char *v, const char *w,
                                     float *du);

ALWAYS_INLINE void all_gradient_products(const struct winograd_gradient *args, const ptrdiff_t size,
                                         gradient_block_function *product)
{
    const ptrdiff_t cell = (ptrdiff_t)args->places * args->block;
    for (ptrdiff_t point = 0; point < WINOGRAD_POINTS; point++) {
        const char *v = (const char *)args->v + point * args->v_point * size;
        const char *w = (const char *)args->w + point * args->w_point * size;
        float *du = args->du + point * args->du_point;
        for (int c = 0; c < args->channels; c += BLOCK_CHANNELS, v += cell * size, du += 1024) {
            const int left = args->channels - c;
            product(args, left < BLOCK_CHANNELS ? left : BLOCK_CHANNELS, v, w, du);
        }
    }
}

static void gradient_products(const struct winograd_gradient *args)
{
    all_gradient_products(args, 4, gradient_block);
}

#if defined(WINOGRAD_PAIRS)
#include "backend/cpu/winograd_pairs_body.h"
#endif

static const struct winograd_kernels WINOGRAD_TABLE = {
    .name = WINOGRAD_TITLE,
    .computed_images = computed_images,
    .input = input,
    .gradient = gradient,
    .output = output,
    .products = products,
    .gradient_products = gradient_products,
    .weights = weights,
    .gradient_weights = gradient_weights,
#if defined(WINOGRAD_PAIRS)
    .input_pairs = input_pairs,
    .products_pairs = products_pairs,
    .weights_pairs = weights_pairs,
    .input_images = input_images,
    .gradient_images = gradient_images,
    .gradient_products_pairs = gradient_products_pairs,
#endif
};
