/* backend/cpu/winograd/winograd_body.h -- the kernels of winograd.h, written once; a file per instruction set includes
 * this after defining WINOGRAD_TABLE and WINOGRAD_TITLE.
 *
 * Register block of the products: 8 images x 2 vectors of 16 outputs with AVX-512, 6 + 5 + 5 or 4 + 4 images x 2
 * vectors elsewhere. A step loads two vectors of U and broadcasts one number of V per image. Backward weights: 8
 * channels (or 6 and 4) x 2 vectors of outputs over all images of the chunk's tiles.
 *
 * Cells of y are fetched before they are written, during the products: without that the last transform waits for
 * memory, a fifth of the layer at 64 channels. The like for x and d_y in backward weights gained nothing.
 * docs/notes/training.md has what was measured. */
#include "backend/cpu/vector/octets.h"
#include "backend/cpu/winograd/winograd.h"
#include "simd/vec.h"

static const float POINT_A = 0.70710678118654752440f, POINT_B = 1.41421356237309504880f;

/* a + factor b */
ALWAYS_INLINE vec plus(vec a, float factor, vec b)
{
    return vec_fma(vec_set(factor), b, a);
}
ALWAYS_INLINE vec times(float factor, vec a)
{
    return vec_set(factor) * a;
}

#include "backend/cpu/winograd/winograd_transforms_body.h"

/* ---- products --------------------------------------------------------------------------------------------------- */

/* Rounding grows with the length of a chain of additions: after CHAIN_BLOCKS channel blocks an accumulator joins a sum
 * of chains and starts again. */
enum { CHAIN_BLOCKS = 2 };

/* The accumulators join what m holds, if it holds anything, and are zero again. Rows from `split` on count from
 * `other`. */
ALWAYS_INLINE void add_chain(const int rows, const int split, const int vectors, const int block, float *m,
                             float *other, vec (*acc)[2], bool first)
{
    UNROLL for (ptrdiff_t i = 0; i < rows; i++) UNROLL for (ptrdiff_t j = 0; j < vectors; j++)
    {
        float *sum = (i < split ? m : other) + i * block + j * VEC_LANES;
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

/* m[image][output] = sum over channels of v[image][channel] u[channel][output], cells being of `block` channels. Rows
 * from `split` on are the first images of the next tile. */
ALWAYS_INLINE void product_tile(const int rows, const int split, const int vectors, const int block,
                                const struct winograd_products *args, const float *v, const float *u, float *m,
                                const struct ahead *ahead)
{
    const ptrdiff_t cell = (ptrdiff_t)args->places * block;
    const float *v_other = v + args->v_tile - cell;
    float *m_other = m + args->m_tile - cell;
    int channels = args->channels;
    const char *next_u = ahead->u, *next_v = ahead->v, *next_x = ahead->x;
    vec acc[16][2];
    UNROLL for (ptrdiff_t i = 0; i < rows; i++) UNROLL for (ptrdiff_t j = 0; j < vectors; j++) acc[i][j] = vec_zero();
    ptrdiff_t chain = 0;
    bool first = true;
    for (; channels > 0; channels -= BLOCK_CHANNELS, v += cell, v_other += cell, u += (ptrdiff_t)BLOCK_CHANNELS * 32,
                         next_u += 2048, next_v += cell * 4, next_x += ahead->x_block) {
        if (chain++ == CHAIN_BLOCKS) {
            add_chain(rows, split, vectors, block, m, m_other, acc, first);
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
            UNROLL for (ptrdiff_t j = 0; j < vectors; j++) w[j] = vec_load(u + s * 32 + j * VEC_LANES);
            UNROLL for (ptrdiff_t i = 0; i < rows; i++)
            {
                const vec value = vec_broadcast((i < split ? v : v_other) + i * block + s);
                UNROLL for (ptrdiff_t j = 0; j < vectors; j++) acc[i][j] = vec_fma(w[j], value, acc[i][j]);
            }
        }
    }
    add_chain(rows, split, vectors, block, m, m_other, acc, first);
}

typedef void product_function(const struct winograd_products *args, const void *v, const void *u, float *m,
                              const struct ahead *ahead);
#define PRODUCT(NAME, ROWS, SPLIT, VECTORS, BLOCK)                                                                     \
    NEVER_INLINE void NAME(const struct winograd_products *args, const void *v, const void *u, float *m,               \
                           const struct ahead *ahead)                                                                  \
    {                                                                                                                  \
        product_tile(ROWS, SPLIT, VECTORS, BLOCK, args, v, u, m, ahead);                                               \
    }
#if VEC_LANES == 16
PRODUCT(product_8x2, 8, 8, 2, 32)
PRODUCT(product_8x1, 8, 8, 1, 32)
PRODUCT(product_16x1, 16, 16, 1, 32)
PRODUCT(product_narrow_8x1, 8, 8, 1, 16)
PRODUCT(product_narrow_16x1, 16, 16, 1, 16)
#else
PRODUCT(product_6x2, 6, 6, 2, 32)
PRODUCT(product_5x2, 5, 5, 2, 32)
PRODUCT(product_4x2, 4, 4, 2, 32)
PRODUCT(product_2_4x2, 6, 2, 2, 32)
PRODUCT(product_4_2x2, 6, 4, 2, 32)
PRODUCT(product_2_3x2, 5, 2, 2, 32)
PRODUCT(product_narrow_6x2, 6, 6, 2, 16)
PRODUCT(product_narrow_5x2, 5, 5, 2, 16)
PRODUCT(product_narrow_4x2, 4, 4, 2, 16)
PRODUCT(product_narrow_2_4x2, 6, 2, 2, 16)
PRODUCT(product_narrow_4_2x2, 6, 4, 2, 16)
PRODUCT(product_narrow_2_3x2, 5, 2, 2, 16)
#endif
#undef PRODUCT

/* Fetches steps [step, after) of `steps` of a list of cells. */
ALWAYS_INLINE void fetch_cells(const struct winograd_fetch *fetch, int64_t step, int64_t after, int64_t steps)
{
    if (fetch->count == 0) return;
    const int64_t lines = fetch->bytes / 64, all = fetch->count * lines;
    int64_t line = all * step / steps;
    const int64_t end = all * after / steps;
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
    product(args, v + at * size, u + output * 4, m + at + output, &ahead);
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
#if VEC_LANES == 16
    if (narrow) {
        run_product(images > 8 ? product_narrow_16x1 : product_narrow_8x1, 0, 0, 4, args, v, u, m, fetch);
    } else if (outputs > VEC_LANES) {
        run_product(product_8x2, 0, 0, 4, args, v, u, m, fetch);
        if (images > 8) run_product(product_8x2, 8, 0, 4, args, v, u, m, fetch);
    } else {
        run_product(images > 8 ? product_16x1 : product_8x1, 0, 0, 4, args, v, u, m, fetch);
    }
#else
    for (ptrdiff_t k = 0; k < outputs; k += (ptrdiff_t)2 * VEC_LANES) {
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

/* How many tiles from t on share their register tiles. */
static int tiles_together(const struct winograd_products *args, ptrdiff_t t)
{
#if VEC_LANES == 16
    (void)args, (void)t;
    return 1;
#else
    int full = 0;
    if (args->places != OCTET_IMAGES) return 1;
    while (t + full < args->tiles && args->images[t + full] == OCTET_IMAGES) full++;
    return full > 1 ? octets_together(full, MOST_OCTETS) : 1;
#endif
}

#if VEC_LANES != 16
/* The same for two or three tiles of eight images each. next: what `fetch` has of the first of them, of all. */
static void product_octets(const struct winograd_products *args, int octets, int outputs, const char *v, const char *u,
                           float *m, struct fetch *fetch, const char *const *next)
{
    static product_function *const products[2][OCTET_TILES] = {
        {product_6x2, product_5x2, product_2_4x2, product_4_2x2, product_2_3x2},
        {product_narrow_6x2, product_narrow_5x2, product_narrow_2_4x2, product_narrow_4_2x2, product_narrow_2_3x2}};
    int count;
    const struct octet_part *parts = octet_parts(octets, &count);
    for (ptrdiff_t k = 0; k < outputs; k += (ptrdiff_t)2 * VEC_LANES)
        for (int i = 0; i < count; i++) {
            const struct octet_part *part = &parts[i];
            if (k == 0 && i < octets && next) {
                fetch->cell = next[(ptrdiff_t)i * args->form->points];
                fetch->left = fetch->cell ? args->next_bytes : 0;
            }
            run_product(products[args->block == NARROW_CHANNELS][part->tile], part->image, k, 4, args,
                        v + part->octet * args->v_tile * 4, u, m + part->octet * args->m_tile, fetch);
        }
}
#endif

typedef void product_cell_function(const struct winograd_products *args, int images, int outputs, const char *v,
                                   const char *u, float *m, struct fetch *fetch);

/* All points, panels and tiles; size: bytes of an element of V and U. Points that share U follow one another. */
ALWAYS_INLINE void all_products(const struct winograd_products *args, const ptrdiff_t size,
                                product_cell_function *product)
{
    const ptrdiff_t cell = (ptrdiff_t)args->places * args->block, v_tile = args->v_tile * size;
    const uint8_t *first = args->form->first;
    const int64_t steps = (int64_t)args->form->points * args->panels * args->tiles;
    int64_t step = 0;
    for (ptrdiff_t shared = 0; shared < WINOGRAD_WEIGHTS; shared++)
        for (ptrdiff_t panel = 0; panel < args->panels; panel++) {
            const char *u = (const char *)args->u + (shared * args->u_point + panel * args->u_panel) * size;
            const bool last = panel == args->panels - 1;
            const ptrdiff_t next_shared = last && shared < WINOGRAD_WEIGHTS - 1 ? shared + 1 : shared;
            const char *next_u =
                last ? (const char *)args->u + next_shared * args->u_point * size : u + args->u_panel * size;
            const int outputs = last ? args->last_outputs : BLOCK_CHANNELS;
            for (ptrdiff_t point = first[shared]; point < first[shared + 1]; point++) {
                const ptrdiff_t next_point = point + 1 < first[shared + 1] ? point + 1 : first[next_shared];
                const char *next_v = (const char *)args->v + next_point * args->v_point * size;
                for (ptrdiff_t t = 0, together; t < args->tiles; t += together, step += together) {
                    together = tiles_together(args, t);
                    const char *v = (const char *)args->v + point * args->v_point * size + t * v_tile;
                    float *m = args->m + point * args->m_point + t * args->m_tile + panel * cell;
                    const char *const *next =
                        panel == 0 && args->next ? args->next + t * args->form->points + point : NULL;
                    struct fetch fetch = {.u = next_u,
                                          .v = t + together < args->tiles ? v + together * v_tile : next_v};
                    fetch.u_left = t == 0 && point == first[shared] ? args->channels * size * 32 : 0;
                    fetch_cells(&args->outputs, step, step + together, steps);
                    if (next) {
                        fetch.cell = *next;
                        fetch.left = fetch.cell ? args->next_bytes : 0;
                        fetch.block = args->next_block;
                    }
#if VEC_LANES != 16
                    if (together > 1) {
                        product_octets(args, (int)together, outputs, v, u, m, &fetch, next);
                        continue;
                    }
#endif
                    product(args, args->images[t], outputs, v, u, m, &fetch);
                }
            }
        }
}

static void products(const struct winograd_products *args)
{
    all_products(args, 4, product_cell);
}

/* du[channel][output] = sum over points, tiles and images of v[image][channel] w[image][output] */
ALWAYS_INLINE void gradient_product_tile(const int rows, const int vectors, const int block,
                                         const struct winograd_gradient *args, ptrdiff_t points, const float *v,
                                         const float *w, float *du)
{
    const ptrdiff_t next = (ptrdiff_t)args->places * block; /* the next channel block of V */
    vec acc[16][2];
    UNROLL for (ptrdiff_t i = 0; i < rows; i++) UNROLL for (ptrdiff_t j = 0; j < vectors; j++) acc[i][j] = vec_zero();
    for (; points > 0; points--, v += args->v_point, w += args->w_point)
        for (ptrdiff_t t = 0; t < args->tiles; t++) {
            const ptrdiff_t images = args->images[t];
            const float *x = v + t * args->v_tile, *d_y = w + t * args->w_tile;
            UNROLL_BY(2)
            for (ptrdiff_t n = 0; n < images; n++) {
                __builtin_prefetch(x + next + n * block, 0, 3);
                vec y[2];
                UNROLL for (ptrdiff_t j = 0; j < vectors; j++) y[j] = vec_load(d_y + n * block + j * VEC_LANES);
                UNROLL for (ptrdiff_t i = 0; i < rows; i++)
                {
                    const vec value = vec_broadcast(x + n * block + i);
                    UNROLL for (ptrdiff_t j = 0; j < vectors; j++) acc[i][j] = vec_fma(y[j], value, acc[i][j]);
                }
            }
        }
    UNROLL for (ptrdiff_t i = 0; i < rows; i++) UNROLL for (ptrdiff_t j = 0; j < vectors; j++)
        vec_store(du + i * 32 + j * VEC_LANES, acc[i][j]);
}

#define GRADIENT(NAME, ROWS, VECTORS, BLOCK)                                                                           \
    NEVER_INLINE void NAME(const struct winograd_gradient *args, ptrdiff_t points, const void *v, const void *w,       \
                           float *du)                                                                                  \
    {                                                                                                                  \
        gradient_product_tile(ROWS, VECTORS, BLOCK, args, points, v, w, du);                                           \
    }
#if VEC_LANES == 16
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

/* One point of dU of one 32 x 32 block, from `points` of V and W. */
ALWAYS_INLINE void gradient_block(const struct winograd_gradient *args, int channels, ptrdiff_t points, const char *v,
                                  const char *w, float *du)
{
    const bool narrow = args->block == NARROW_CHANNELS;
    ptrdiff_t c = 0;
#if VEC_LANES == 16
    if (narrow) {
        for (; c + 8 < channels; c += 16) gradient_narrow_16x1(args, points, v + c * 4, w, du + c * 32);
        for (; c < channels; c += 8) gradient_narrow_8x1(args, points, v + c * 4, w, du + c * 32);
    } else if (args->outputs > VEC_LANES) {
        for (; c < channels; c += 8) gradient_8x2(args, points, v + c * 4, w, du + c * 32);
    } else {
        for (; c + 8 < channels; c += 16) gradient_16x1(args, points, v + c * 4, w, du + c * 32);
        for (; c < channels; c += 8) gradient_8x1(args, points, v + c * 4, w, du + c * 32);
    }
#else
    const int rows = (channels + 3) / 4 * 4; /* fours until sixes fill the rest: never past 32 */
    for (ptrdiff_t k = 0; k < args->outputs; k += (ptrdiff_t)2 * VEC_LANES) {
        float *out = du + k;
        for (c = 0; (rows - c) % 6 != 0; c += 4)
            (narrow ? gradient_narrow_4x2 : gradient_4x2)(args, points, v + c * 4, w + k * 4, out + c * 32);
        for (; c < rows; c += 6)
            (narrow ? gradient_narrow_6x2 : gradient_6x2)(args, points, v + c * 4, w + k * 4, out + c * 32);
    }
#endif
}

typedef void gradient_block_function(const struct winograd_gradient *args, int channels, ptrdiff_t points,
                                     const char *v, const char *w, float *du);

ALWAYS_INLINE void all_gradient_products(const struct winograd_gradient *args, const ptrdiff_t size,
                                         gradient_block_function *product)
{
    const ptrdiff_t cell = (ptrdiff_t)args->places * args->block;
    const uint8_t *first = args->form->first;
    for (ptrdiff_t shared = 0; shared < WINOGRAD_WEIGHTS; shared++) {
        const char *v = (const char *)args->v + first[shared] * args->v_point * size;
        const char *w = (const char *)args->w + first[shared] * args->w_point * size;
        float *du = args->du + shared * args->du_point;
        for (int c = 0; c < args->channels; c += BLOCK_CHANNELS, v += cell * size, du += 1024) {
            const int left = args->channels - c;
            product(args, left < BLOCK_CHANNELS ? left : BLOCK_CHANNELS, first[shared + 1] - first[shared], v, w, du);
        }
    }
}

static void gradient_products(const struct winograd_gradient *args)
{
    all_gradient_products(args, 4, gradient_block);
}

#if defined(WINOGRAD_PAIRS)
#include "backend/cpu/winograd/winograd_pairs_body.h"
#endif

static const struct winograd_kernels WINOGRAD_TABLE = {
    .name = WINOGRAD_TITLE,
    .computed_images = computed_images,
    .transforms =
        {
            [WINOGRAD_PLAIN] =
                {
                    .input = input,
                    .gradient = gradient,
                    .output = output,
                    .weights = weights,
                    .gradient_weights = gradient_weights,
#if defined(WINOGRAD_PAIRS)
                    .input_pairs = input_pairs,
                    .weights_pairs = weights_pairs,
                    .input_images = input_images,
                    .gradient_images = gradient_images,
#endif
                },
            [WINOGRAD_STRIDED] =
                {
                    .input = strided_input,
                    .gradient = strided_gradient,
                    .output = strided_output,
                    .weights = strided_weights,
                    .gradient_weights = strided_gradient_weights,
#if defined(WINOGRAD_PAIRS)
                    .input_images = strided_input_images,
                    .gradient_images = strided_gradient_images,
#endif
                },
            [WINOGRAD_STRIDED_DATA] =
                {
                    .input = strided_data,
                    .output = strided_data_output,
                    .weights = strided_weights,
#if defined(WINOGRAD_PAIRS)
                    .input_pairs = strided_data_pairs,
                    .weights_pairs = strided_weights_pairs,
#endif
                },
        },
    .products = products,
    .gradient_products = gradient_products,
#if defined(WINOGRAD_PAIRS)
    .products_pairs = products_pairs,
    .gradient_products_pairs = gradient_products_pairs,
#endif
};
