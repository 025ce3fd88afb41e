/* backend/cpu/winograd/winograd_transforms_body.h -- the transforms of winograd_body.h: of vectors in one dimension, of
 * tiles and of weights. All are arithmetic on vectors of channels in float32. */

/* ---- transforms in one dimension: `step` vectors lie between two elements of an operand ------------------------ */

/* B^T d */
ALWAYS_INLINE void transform_input(vec v[6], const vec d[6])
{
    const vec p = plus(d[4], -2.0f, d[2]), q = plus(d[3], -2.0f, d[1]);
    const vec r = plus(d[4], -0.5f, d[2]), t = plus(d[3], -0.5f, d[1]);
    v[0] = d[0] + plus(d[4], -2.5f, d[2]);
    v[1] = plus(p, POINT_A, q);
    v[2] = plus(p, -POINT_A, q);
    v[3] = plus(r, POINT_B, t);
    v[4] = plus(r, -POINT_B, t);
    v[5] = d[1] + plus(d[5], -2.5f, d[3]);
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

/* ---- the same for stride 2: five points of F(4, 2), then four plain products ---------------------------------------
 */

/* F(4, 2) of t[0], t[2], t[4], t[6], t[8], if `step` is 2. */
ALWAYS_INLINE void transform_phase(vec v[5], const vec *t, const ptrdiff_t step)
{
    const vec p = plus(t[3 * step], -2.0f, t[step]), q = times(POINT_A, plus(t[2 * step], -2.0f, t[0]));
    const vec r = plus(t[3 * step], -0.5f, t[step]), s = times(POINT_B, plus(t[2 * step], -0.5f, t[0]));
    v[0] = q + p;
    v[1] = q - p;
    v[2] = s + r;
    v[3] = s - r;
    v[4] = t[0] + plus(t[4 * step], -2.5f, t[2 * step]);
}

ALWAYS_INLINE void transform_strided_input(vec v[9], const vec d[9])
{
    transform_phase(v, d, 2);
    UNROLL for (ptrdiff_t i = 0; i < 4; i++) v[5 + i] = d[1 + 2 * i];
}

ALWAYS_INLINE void transform_strided_data(vec v[9], const vec d[5])
{
    transform_phase(v, d, 1);
    UNROLL for (ptrdiff_t i = 0; i < 4; i++) v[5 + i] = d[i];
}

/* The outputs of F(4, 2). */
ALWAYS_INLINE void transform_phase_output(vec y[4], const vec m[5])
{
    const vec s1 = m[0] + m[1], d1 = m[0] - m[1], s2 = m[2] + m[3], d2 = m[2] - m[3];
    y[0] = s1 + s2;
    y[1] = plus(times(POINT_B, d2), POINT_A, d1);
    y[2] = plus(times(2.0f, s2), 0.5f, s1);
    y[3] = plus(plus(m[4], 2 * POINT_B, d2), 0.5f * POINT_A, d1);
}

ALWAYS_INLINE void transform_strided_output(vec y[4], const vec m[9])
{
    transform_phase_output(y, m);
    UNROLL for (ptrdiff_t i = 0; i < 4; i++) y[i] = y[i] + m[5 + i];
}

ALWAYS_INLINE void transform_strided_data_output(vec x[8], const vec m[9])
{
    vec odd[4];
    transform_phase_output(odd, m);
    UNROLL for (ptrdiff_t i = 0; i < 4; i++)
    {
        x[2 * i] = m[5 + i];
        x[2 * i + 1] = odd[i];
    }
}

ALWAYS_INLINE void transform_strided_gradient(vec w[9], const vec y[4])
{
    vec plain[6];
    transform_gradient(plain, y);
    UNROLL for (ptrdiff_t i = 0; i < 5; i++) w[i] = plain[1 + i];
    UNROLL for (ptrdiff_t i = 0; i < 4; i++) w[5 + i] = y[i];
}

ALWAYS_INLINE void transform_strided_weights(vec u[6], const vec g[3])
{
    const vec e = times(-2.0f / 3 * POINT_A, g[0]), o = times(-1.0f / 3, g[2]);
    const vec f = times(1.0f / 6 * POINT_B, g[0]), p = times(1.0f / 3, g[2]);
    u[0] = e + o;
    u[1] = e - o;
    u[2] = f + p;
    u[3] = f - p;
    u[4] = g[2];
    u[5] = g[1];
}

ALWAYS_INLINE void transform_strided_gradient_weights(vec g[3], const vec u[6])
{
    const vec s1 = u[0] + u[1], d1 = u[0] - u[1], s2 = u[2] + u[3], d2 = u[2] - u[3];
    g[0] = plus(times(1.0f / 6 * POINT_B, s2), -2.0f / 3 * POINT_A, s1);
    g[1] = u[5];
    g[2] = plus(plus(u[4], 1.0f / 3, d2), -1.0f / 3, d1);
}

/* Where point (i, j) of a tile lies among V's points, with `edge` points in a direction: for stride 2 those with the
 * same U together, the four plain products of a direction counting as one. */
ALWAYS_INLINE ptrdiff_t point_of(const int edge, ptrdiff_t i, ptrdiff_t j)
{
    if (edge == 6 || i < 5) return i * edge + j;
    return j < 5 ? 45 + 4 * j + (i - 5) : 65 + 4 * (i - 5) + (j - 5);
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
    UNROLL for (ptrdiff_t i = 0; i < count; i++) __builtin_prefetch(args->next[i] + element * (bf16 ? 2 : 4), 0, 2);
}

typedef void line_function(vec *out, const vec *in);

/* half[i][j] = the transform of column j of the cells, at element `at` of each. */
ALWAYS_INLINE void transform_columns(vec (*half)[9], const struct winograd_input *args, ptrdiff_t at, const int cells,
                                     const int edge, line_function *line, const bool bf16)
{
    UNROLL for (ptrdiff_t j = 0; j < cells; j++)
    {
        vec d[9], column[9];
        UNROLL for (ptrdiff_t i = 0; i < cells; i++) d[i] = load(args->cells[i * cells + j], at, bf16);
        line(column, d);
        UNROLL for (ptrdiff_t i = 0; i < edge; i++) half[i][j] = column[i];
    }
}

/* V or W: `cells` positions in a direction to `edge` points. */
ALWAYS_INLINE void input_tile(const struct winograd_input *args, const int cells, const int edge, line_function *line,
                              const bool bf16)
{
    for (ptrdiff_t n = 0; n < args->images; n++)
        for (ptrdiff_t c = 0; c < args->channels; c += VEC_LANES) {
            const ptrdiff_t at = n * args->block + c;
            vec half[9][9];
            if (args->next) fetch_next(args, at, cells * cells, bf16);
            transform_columns(half, args, at, cells, edge, line, bf16);
            float *out = (float *)args->out + at;
            UNROLL for (ptrdiff_t i = 0; i < edge; i++)
            {
                vec v[9];
                line(v, half[i]);
                UNROLL for (ptrdiff_t j = 0; j < edge; j++) vec_store(out + point_of(edge, i, j) * args->point, v[j]);
            }
        }
}

#define INPUT(NAME, CELLS, EDGE, LINE)                                                                                 \
    static void NAME(const struct winograd_input *args)                                                                \
    {                                                                                                                  \
        if (args->bf16)                                                                                                \
            input_tile(args, CELLS, EDGE, LINE, true);                                                                 \
        else                                                                                                           \
            input_tile(args, CELLS, EDGE, LINE, false);                                                                \
    }
INPUT(input, 6, 6, transform_input)
INPUT(gradient, 4, 6, transform_gradient)
INPUT(strided_input, 9, 9, transform_strided_input)
INPUT(strided_gradient, 4, 9, transform_strided_gradient)
INPUT(strided_data, 5, 9, transform_strided_data)
#undef INPUT

/* One vector of outputs of all images, and zeros in the `empty` vectors after it. whole: all positions of the tile are
 * inside the image. */
ALWAYS_INLINE void output_vector(const struct winograd_output *args, ptrdiff_t k, int images, ptrdiff_t empty,
                                 const int edge, const int out, line_function *line, const bool whole, const bool bf16)
{
    const vec bias = args->bias ? vec_load(args->bias + k) : vec_zero();
    vec sum = vec_zero(), square = vec_zero();
    for (ptrdiff_t n = 0; n < images; n++) {
        const ptrdiff_t at = n * args->block + k;
        vec half[8][9], m[9], y[8];
        UNROLL for (ptrdiff_t j = 0; j < edge; j++)
        {
            UNROLL for (ptrdiff_t i = 0; i < edge; i++) m[i] =
                vec_load(args->m + point_of(edge, i, j) * args->point + at);
            line(y, m);
            UNROLL for (ptrdiff_t i = 0; i < out; i++) half[i][j] = y[i];
        }
        const bool counts = args->statistics && n < args->images;
        UNROLL for (ptrdiff_t i = 0; i < out; i++)
        {
            if (!whole && i >= args->rows) break;
            line(y, half[i]);
            char *row = args->y + i * args->row;
            const char *addend = args->addend ? args->addend + i * args->row : NULL;
            UNROLL for (ptrdiff_t j = 0; j < out; j++)
            {
                if (!whole && j >= args->columns) break;
                vec value = y[j] + bias;
                if (addend) value = vec_add(value, load(addend + j * args->cell, at, bf16));
                if (args->relu) value = vec_positive(value);
                store(row + j * args->cell, at, value, bf16);
                if (empty > 0) store(row + j * args->cell, at + VEC_LANES, vec_zero(), bf16);
                for (ptrdiff_t e = 2; VEC_LANES < 16 && e <= empty; e++)
                    store(row + j * args->cell, at + e * VEC_LANES, vec_zero(), bf16);
                if (counts) {
                    sum = sum + value;
                    square = vec_fma(value, value, square);
                }
            }
        }
    }
    if (!args->statistics) return;
    vec_store(args->statistics + k, vec_load(args->statistics + k) + sum);
    vec_store(args->statistics + 32 + k, vec_load(args->statistics + 32 + k) + square);
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
#if VEC_LANES == 16
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
    return (outputs + 2 * VEC_LANES - 1) / (2 * VEC_LANES) * (2 * VEC_LANES);
}
#endif

ALWAYS_INLINE void output_tile(const struct winograd_output *args, const int edge, const int out, line_function *line,
                               const bool bf16)
{
    const int images = computed_images(args->images, args->places), outputs = computed_outputs(args->outputs);
    const bool whole = args->rows == out && args->columns == out;
    for (ptrdiff_t k = 0; k < outputs; k += VEC_LANES) {
        const ptrdiff_t empty = k + VEC_LANES < outputs ? 0 : (args->block - outputs) / VEC_LANES;
        if (whole)
            output_vector(args, k, images, empty, edge, out, line, true, bf16);
        else
            output_vector(args, k, images, empty, edge, out, line, false, bf16);
    }
    if (images < args->places) clear_images(args, images);
}

#define OUTPUT(NAME, EDGE, OUT, LINE)                                                                                  \
    static void NAME(const struct winograd_output *args)                                                               \
    {                                                                                                                  \
        if (args->bf16)                                                                                                \
            output_tile(args, EDGE, OUT, LINE, true);                                                                  \
        else                                                                                                           \
            output_tile(args, EDGE, OUT, LINE, false);                                                                 \
    }
OUTPUT(output, 6, 4, transform_output)
OUTPUT(strided_output, 9, 4, transform_strided_output)
OUTPUT(strided_data_output, 9, 8, transform_strided_data_output)
#undef OUTPUT

/* u[i * 6 + j] = G g G^T of one vector of outputs */
ALWAYS_INLINE void weights_vector(vec u[36], const vec g[9], line_function *line)
{
    vec half[6][3], v[6];
    UNROLL for (ptrdiff_t j = 0; j < 3; j++)
    {
        const vec column[3] = {g[j], g[3 + j], g[6 + j]};
        line(v, column);
        UNROLL for (ptrdiff_t i = 0; i < 6; i++) half[i][j] = v[i];
    }
    UNROLL for (ptrdiff_t i = 0; i < 6; i++) line(u + i * 6, half[i]);
}

#if !defined(WINOGRAD_PAIRS)
ALWAYS_INLINE void weights_tile(void *u, ptrdiff_t point, const void *taps, int channels, line_function *line)
{
    for (ptrdiff_t at = 0; at < channels * (ptrdiff_t)BLOCK_CHANNELS; at += VEC_LANES) {
        vec g[9], v[36];
        UNROLL for (ptrdiff_t i = 0; i < 9; i++) g[i] = vec_load((const float *)taps + i * 1024 + at);
        weights_vector(v, g, line);
        UNROLL for (ptrdiff_t i = 0; i < 36; i++) vec_store((float *)u + i * point + at, v[i]);
    }
}

static void weights(void *u, ptrdiff_t point, const void *taps, int channels)
{
    weights_tile(u, point, taps, channels, transform_weights);
}

static void strided_weights(void *u, ptrdiff_t point, const void *taps, int channels)
{
    weights_tile(u, point, taps, channels, transform_strided_weights);
}
#endif

ALWAYS_INLINE void gradient_weights_tile(float *taps, const float *du, ptrdiff_t point, int channels, bool add,
                                         line_function *line)
{
    for (ptrdiff_t at = 0; at < channels * (ptrdiff_t)BLOCK_CHANNELS; at += VEC_LANES) {
        vec half[3][6], u[6], g[3];
        UNROLL for (ptrdiff_t j = 0; j < 6; j++)
        {
            UNROLL for (ptrdiff_t i = 0; i < 6; i++) u[i] = vec_load(du + (i * 6 + j) * point + at);
            line(g, u);
            UNROLL for (ptrdiff_t i = 0; i < 3; i++) half[i][j] = g[i];
        }
        UNROLL for (ptrdiff_t i = 0; i < 3; i++)
        {
            line(g, half[i]);
            UNROLL for (ptrdiff_t j = 0; j < 3; j++)
            {
                float *out = taps + (i * 3 + j) * 1024 + at;
                vec_store(out, add ? vec_add(vec_load(out), g[j]) : g[j]);
            }
        }
    }
}

static void gradient_weights(float *taps, const float *du, ptrdiff_t point, int channels, bool add)
{
    gradient_weights_tile(taps, du, point, channels, add, transform_gradient_weights);
}

static void strided_gradient_weights(float *taps, const float *du, ptrdiff_t point, int channels, bool add)
{
    gradient_weights_tile(taps, du, point, channels, add, transform_strided_gradient_weights);
}
