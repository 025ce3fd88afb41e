/* Every convolution kernel of the cpu backend that this CPU can run, against ref in float64: forward with
 * bias and statistics, backward data with and without accumulation, backward weights, first layers on images.
 * Buffers carry guard bytes, outputs start as NaN, padding is checked, repeated runs must be bit-equal. In inference
 * they must be so in any batch, too. */
#include "unit/backend/conv_oracle.h"

#include "backend/cpu/conv/conv.h"
#include "backend/cpu/layout.h"

static const size_t GUARD = 256;

/* ---- a tensor in the private layout, with guards ------------------------------------------------------------- */
struct tensor {
    struct activation_layout layout;
    enum dtype dtype;
    size_t bytes;
    unsigned char *block, *data;
};

static struct tensor tensor_new(enum dtype dtype, int batch, int channels, int height, int width)
{
    struct tensor t = {.layout = activation_layout(batch, channels, height, width), .dtype = dtype};
    t.bytes = t.layout.elements * dtype_bytes(dtype);
    t.block = memory_allocate(t.bytes + 2 * GUARD);
    assert_non_null(t.block);
    t.data = t.block + GUARD;
    memset(t.block, 0xff, t.bytes + 2 * GUARD); /* NaN in both types */
    return t;
}

static void tensor_free(struct tensor *t)
{
    for (size_t i = 0; i < GUARD; i++) {
        assert_int_equal(t->block[i], 0xff);
        assert_int_equal(t->data[t->bytes + i], 0xff);
    }
    memory_free(t->block);
}

static float get(const struct tensor *t, size_t i)
{
    return t->dtype == DTYPE_F32 ? ((const float *)(const void *)t->data)[i]
                                 : bf16_to_float(((const uint16_t *)(const void *)t->data)[i]);
}

static void set(struct tensor *t, size_t i, float value)
{
    if (t->dtype == DTYPE_F32)
        ((float *)(void *)t->data)[i] = value;
    else
        ((uint16_t *)(void *)t->data)[i] = bf16_from_float(value);
}

/* Real values from canonical NCHW; padding channels zero; padding images `rest`. */
static void tensor_fill(struct tensor *t, const float *canonical, float rest)
{
    const struct activation_layout *l = &t->layout;
    for (int n = 0; n < l->groups * l->group_images; n++)
        for (int c = 0; c < l->blocks * l->block_channels; c++)
            for (int h = 0; h < l->height; h++)
                for (int w = 0; w < l->width; w++) {
                    float value = c >= l->channels ? 0.0f : rest;
                    if (n < l->batch && c < l->channels)
                        value = canonical[((n * l->channels + c) * l->height + h) * l->width + w];
                    set(t, activation_index(l, n, c, h, w), value);
                }
}

/* What an element may be off, per unit of its bound (the sum of the sizes of its terms). Winograd spreads the rounding
 * of a tile over all its outputs, so that those with few terms err like the average one. */
static const double TOLERANCE = 1e-6;

static double spread(const double *bound, size_t count, enum convolution convolution)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++) sum += bound[i];
    return convolution == CONVOLUTION_WINOGRAD ? TOLERANCE * sum / (double)count : 0;
}

/* The backward passes of bf16 by Winograd may round their transformed operands to bf16: then each element may be off by
 * SIGMAS standard deviations more, which support/winograd_error.h derives from the data; all together by one. */
static const double SIGMAS = 6;

static double mean(const double *values, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++) sum += values[i];
    return sum / (double)count;
}

static bool multiplies_pairs(const struct conv_plan *plan)
{
    const char *algorithm = cpu_conv_algorithm(plan);
    return strstr(algorithm, "winograd") && strstr(algorithm, "bf16");
}

/* squares: the sum of those of the errors; rounded: of results in bf16, whose own rounding counts too. */
static void check_pairs_rms(double squares, const double *variance, const double *want, size_t count, bool rounded)
{
    double results = 0;
    for (size_t i = 0; i < count && rounded; i++) results += want[i] * want[i];
    const double error = sqrt(squares / (double)count);
    const double allowed = sqrt(mean(variance, count) + results / (double)count * WINOGRAD_ROUNDING / 2);
    if (!(error <= allowed)) fail_msg("products of pairs: error of %.3g, at most %.3g", error, allowed);
}

/* Compares real elements with `want` within TOLERANCE * bound + `more` + SIGMAS sqrt(variance), if there is one, +
 * rounding of the type; padding channels must be zero, padding images finite, or zero if `gradient`. Returns the sum of
 * squared differences. */
static double tensor_check(const struct tensor *t, const double *want, const double *bound, double more,
                           const double *variance, bool gradient)
{
    const struct activation_layout *l = &t->layout;
    const double rounding = ops_half_unit(t->dtype);
    double squares = 0;
    for (int n = 0; n < l->groups * l->group_images; n++)
        for (int c = 0; c < l->blocks * l->block_channels; c++)
            for (int h = 0; h < l->height; h++)
                for (int w = 0; w < l->width; w++) {
                    const double value = (double)get(t, activation_index(l, n, c, h, w));
                    if (n < l->batch && c < l->channels) {
                        const size_t i = (size_t)((n * l->channels + c) * l->height + h) * (size_t)l->width + (size_t)w;
                        const double allowed = TOLERANCE * bound[i] + more + rounding * fabs(want[i]) + 1e-12;
                        if (!(fabs(value - want[i]) <= allowed + (variance ? SIGMAS * sqrt(variance[i]) : 0)))
                            fail_msg("image %d channel %d row %d column %d: %.9g, should be %.9g", n, c, h, w, value,
                                     want[i]);
                        squares += (value - want[i]) * (value - want[i]);
                    } else if (c >= l->channels || gradient) {
                        if (value != 0.0)
                            fail_msg("padding: image %d channel %d row %d column %d: %g", n, c, h, w, value);
                    } else if (!isfinite(value)) {
                        fail_msg("padding image %d channel %d is %g", n, c, value);
                    }
                }
    return squares;
}

/* ---- one shape on one variant ---------------------------------------------------------------------------------- */
static void check_statistics(const struct oracle *o, const struct shape *s, const double *statistics)
{
    const size_t plane = (size_t)o->out_height * (size_t)o->out_width;
    for (int k = 0; k < s->out; k++) {
        double sum = 0, squares = 0, size = 0;
        for (int n = 0; n < s->batch; n++)
            for (size_t i = 0; i < plane; i++) {
                const size_t at = (size_t)(n * s->out + k) * plane + i;
                sum += o->y[at];
                squares += o->y[at] * o->y[at];
                size += o->y_bound[at];
            }
        if (!(fabs(statistics[k] - sum) <= 1e-6 * size))
            fail_msg("sum of channel %d: %.9g, should be %.9g", k, statistics[k], sum);
        if (!(fabs(statistics[s->out + k] - squares) <= 2e-6 * squares + 1e-6 * size))
            fail_msg("squares of channel %d: %.9g, should be %.9g", k, statistics[s->out + k], squares);
    }
}

static void check_forward(struct conv_plan *plan, const struct shape *s, const struct oracle *o, enum dtype dtype,
                          enum convolution convolution, const void *x)
{
    struct tensor y = tensor_new(dtype, s->batch, s->out, o->out_height, o->out_width);
    struct tensor again = tensor_new(dtype, s->batch, s->out, o->out_height, o->out_width);
    double *statistics = zeros((size_t)s->out * 4);
    cpu_conv_forward(plan, y.data, statistics, x, s->bias ? o->bias : NULL);
    tensor_check(&y, o->y, o->y_bound, spread(o->y_bound, o->y_count, convolution), NULL, false);
    if (s->statistics) check_statistics(o, s, statistics);
    cpu_conv_forward(plan, again.data, statistics + (ptrdiff_t)2 * s->out, x, s->bias ? o->bias : NULL);
    assert_memory_equal(y.data, again.data, y.bytes);
    assert_memory_equal(statistics, statistics + (ptrdiff_t)2 * s->out, (size_t)s->out * 2 * sizeof *statistics);
    memory_free(statistics);
    tensor_free(&y);
    tensor_free(&again);
}

static void check_backward_data(struct conv_plan *plan, const struct shape *s, const struct oracle *o, enum dtype dtype,
                                enum convolution convolution, const struct tensor *d_y)
{
    struct tensor d_x = tensor_new(dtype, s->batch, s->in, s->height, s->width);
    if (s->accumulate) tensor_fill(&d_x, o->d_x_before, 0.0f);
    cpu_conv_backward_data(plan, d_x.data, d_y->data);
    const bool pairs = multiplies_pairs(plan);
    const double squares = tensor_check(&d_x, o->d_x, o->d_x_bound, spread(o->d_x_bound, o->x_count, convolution),
                                        pairs ? o->d_x_variance : NULL, true);
    if (pairs) check_pairs_rms(squares, o->d_x_variance, o->d_x, o->x_count, true);
    tensor_free(&d_x);
}

static void check_backward_weights(struct conv_plan *plan, const struct shape *s, const struct oracle *o,
                                   enum convolution convolution, const struct tensor *d_y, const void *x)
{
    const bool pairs = multiplies_pairs(plan);
    const double more = spread(o->d_weight_bound, o->w_count, convolution);
    double squares = 0;
    float *d_weight = memory_array(2 * o->w_count + 64, sizeof(float)),
          *d_bias = memory_array((size_t)s->out + 1, sizeof(float));
    assert_true(d_weight && d_bias);
    memset(d_weight, 0xff, (2 * o->w_count + 64) * sizeof(float));
    d_bias[s->out] = 77.0f;
    cpu_conv_backward_weights(plan, d_weight, s->bias ? d_bias : NULL, d_y->data, x);
    for (size_t i = 0; i < o->w_count; i++) {
        const double off = (double)d_weight[i] - o->d_weight[i];
        const double allowed = TOLERANCE * o->d_weight_bound[i] + more + 1e-12;
        if (!(fabs(off) <= allowed + (pairs ? SIGMAS * sqrt(o->d_weight_variance[i]) : 0)))
            fail_msg("d_weight %zu: %.9g, should be %.9g", i, (double)d_weight[i], o->d_weight[i]);
        squares += off * off;
    }
    if (pairs) check_pairs_rms(squares, o->d_weight_variance, o->d_weight, o->w_count, false);
    assert_true(isnan(d_weight[o->w_count]));
    cpu_conv_backward_weights(plan, d_weight + o->w_count, NULL, d_y->data, x);
    assert_memory_equal(d_weight, d_weight + o->w_count, o->w_count * sizeof(float));
    for (int i = 0; i < 64; i++) assert_true(isnan(d_weight[2 * o->w_count + (size_t)i]));
    const size_t plane = (size_t)o->out_height * (size_t)o->out_width;
    for (int k = 0; k < s->out && s->bias; k++) {
        double sum = 0;
        for (int n = 0; n < s->batch; n++)
            for (size_t i = 0; i < plane; i++) sum += (double)o->d_y[(size_t)(n * s->out + k) * plane + i];
        assert_true(fabs((double)d_bias[k] - sum) <= 1e-6 * fabs(sum) + 1e-5);
    }
    assert_true(d_bias[s->out] == 77.0f);
    memory_free(d_weight);
    memory_free(d_bias);
}

static void check_shape(struct backend *backend, enum convolution convolution, const struct shape *s,
                        const struct oracle *o, enum dtype dtype)
{
    struct conv_desc desc = shape_desc(s, dtype);
    desc.input_layout = s->images ? LAYOUT_IMAGES : LAYOUT_PRIVATE;
    desc.accumulate = s->accumulate;
    desc.statistics = s->statistics;
    desc.algorithm = convolution;
    struct conv_plan *plan;
    struct error error;
    if (cpu_conv_create(backend, &desc, &plan, &error) != SIMCLR_OK) fail_msg("%s", error.text);
    const bool winograd = strncmp(cpu_conv_algorithm(plan), "winograd", 8) == 0;
    const bool uneven = s->batch % 2 == 0 && (s->in <= NARROW_CHANNELS) != (s->out <= NARROW_CHANNELS);
    const bool tiles = dtype == DTYPE_BF16 && strstr(cpu_conv_algorithm(plan), "amx"); /* these two are always direct */
    assert_true(convolution == CONVOLUTION_AUTO ||
                winograd == (convolution == CONVOLUTION_WINOGRAD && !uneven && !tiles));
    assert_true(cpu_conv_bytes(plan) > o->w_count * dtype_bytes(dtype));
    cpu_conv_set_weights(plan, o->weight);
    struct tensor x = tensor_new(dtype, s->batch, s->in, s->height, s->width);
    struct tensor d_y = tensor_new(dtype, s->batch, s->out, o->out_height, o->out_width);
    tensor_fill(&x, o->x, 3.0f);
    tensor_fill(&d_y, o->d_y, 0.0f);
    const void *input = s->images ? (const void *)o->x : x.data;
    check_forward(plan, s, o, dtype, convolution, input);
    if (!s->images) check_backward_data(plan, s, o, dtype, convolution, &d_y);
    check_backward_weights(plan, s, o, convolution, &d_y, input);
    tensor_free(&x);
    tensor_free(&d_y);
    cpu_conv_destroy(&plan);
    assert_null(plan);
}

static const struct shape SHAPES[] = {
    /* batch in out  h  w  k s p  images bias stats accumulate */
    {1, 3, 8, 5, 7, 3, 1, 1, false, false, true, false},      {3, 16, 20, 7, 5, 3, 2, 1, false, true, true, true},
    {16, 33, 48, 4, 4, 3, 1, 1, false, false, true, false},   {17, 20, 33, 6, 5, 3, 1, 1, false, true, true, true},
    {17, 64, 96, 4, 4, 1, 2, 0, false, false, true, true},    {17, 64, 96, 5, 4, 1, 2, 0, false, false, true, false},
    {5, 48, 64, 9, 9, 7, 2, 3, false, false, false, false},   {33, 8, 16, 3, 3, 3, 2, 1, false, false, true, false},
    {7, 96, 16, 8, 8, 1, 1, 0, false, false, true, false},    {20, 70, 100, 1, 1, 1, 1, 0, false, true, false, false},
    {2, 10, 12, 11, 13, 5, 3, 2, false, false, true, true},   {9, 32, 32, 8, 8, 3, 1, 1, false, false, true, false},
    {48, 160, 130, 2, 2, 3, 1, 1, false, false, true, false}, {4, 17, 18, 6, 6, 3, 1, 0, false, true, true, false},
    {1, 3, 16, 9, 9, 7, 2, 3, true, false, true, false},      {17, 3, 64, 12, 10, 3, 1, 1, true, false, true, false},
    {3, 1, 40, 8, 8, 3, 1, 1, true, true, true, false},       {2, 4, 20, 15, 17, 7, 2, 3, true, false, false, false},
    {16, 3, 24, 33, 31, 7, 2, 3, true, false, true, false},   {5, 2, 8, 7, 7, 1, 1, 0, true, true, true, false},
    {2, 4, 8, 16, 16, 11, 4, 2, true, false, false, false},   {11, 40, 72, 6, 7, 3, 1, 1, false, true, true, true},
    {29, 64, 33, 5, 9, 3, 2, 1, false, false, true, true},    {13, 3, 64, 14, 14, 3, 1, 1, true, true, true, false},
    {8, 64, 96, 14, 14, 1, 1, 0, false, false, true, true},   {24, 33, 40, 7, 7, 3, 1, 1, false, false, true, true},
    {6, 40, 64, 8, 12, 3, 3, 0, false, false, true, false},   {8, 32, 32, 9, 10, 2, 3, 1, false, false, true, false},
    {4, 16, 40, 3, 15, 5, 2, 2, false, true, true, true},     {8, 32, 64, 6, 6, 1, 2, 0, false, false, true, true},
    {16, 16, 16, 6, 7, 3, 1, 1, false, true, true, true},     {32, 13, 9, 5, 4, 3, 2, 1, false, true, true, false},
    {6, 16, 12, 7, 7, 3, 1, 1, false, false, true, true},     {48, 16, 40, 6, 6, 1, 2, 0, false, false, true, true},
    {16, 40, 16, 4, 6, 1, 1, 0, false, true, true, true},     {18, 64, 7, 5, 5, 3, 1, 1, false, false, true, false},
    {34, 3, 16, 9, 8, 3, 1, 1, true, true, true, false},      {8, 3, 11, 14, 14, 7, 2, 3, true, false, true, false},
    {40, 16, 72, 1, 1, 1, 1, 0, false, true, true, false},    {8, 7, 16, 9, 6, 3, 1, 1, false, true, true, false},
    {36, 13, 9, 5, 8, 3, 1, 1, false, false, true, true},     {18, 40, 33, 8, 10, 3, 2, 1, false, true, true, true},
    {16, 32, 64, 16, 17, 3, 2, 1, false, false, true, false}, {6, 48, 40, 1, 2, 3, 2, 1, false, false, true, true},
};

enum { SHAPE_COUNT = sizeof SHAPES / sizeof SHAPES[0] };

static void check_variant(const char *variant, const struct oracle *oracles, enum dtype dtype)
{
    for (int threads = 1; threads <= 3; threads += 2) {
        struct pool *pool;
        struct backend *backend;
        struct error error;
        if (pool_create(&pool, threads, &error) != SIMCLR_OK) fail_msg("%s", error.text);
        enum simd simd;
        if (simd_choose(variant, variant, &simd, &error) != SIMCLR_OK ||
            cpu_backend_create(simd, pool, &backend, &error) != SIMCLR_OK)
            fail_msg("%s", error.text);
        for (size_t i = 0; i < SHAPE_COUNT; i++) {
            const struct shape *s = &SHAPES[i];
            print_message("%s %s, %d threads: %d x %d->%d, %dx%d, kernel %d/%d\n", variant, dtype_name(dtype), threads,
                          s->batch, s->in, s->out, s->height, s->width, s->kernel, s->stride);
            check_shape(backend, CONVOLUTION_DIRECT, s, &oracles[i], dtype);
            if (suits_winograd(s)) check_shape(backend, CONVOLUTION_WINOGRAD, s, &oracles[i], dtype);
        }
        backend->ops->destroy(backend);
        pool_destroy(&pool);
    }
}

static void test_variants(void **state)
{
    (void)state;
    int ran = 0;
    struct oracle oracles[SHAPE_COUNT]; /* the same for all variants, and slower than any of them */
    struct ops_target ref;
    ops_open(&ref, "ref", NULL, 2);
    for (size_t i = 0; i < SHAPE_COUNT; i++) oracles[i] = oracle_new(&SHAPES[i], &ref, (uint32_t)i);
    ops_close(&ref);
    for (const char *const *variant = simd_words(); *variant; variant++) {
        if (!simd_runs(*variant)) {
            skip_part("this CPU lacks %s", *variant);
            continue;
        }
        check_variant(*variant, oracles, DTYPE_F32);
        check_variant(*variant, oracles, DTYPE_BF16);
        ran++;
    }
    for (size_t i = 0; i < SHAPE_COUNT; i++) oracle_free(&oracles[i]);
    assert_true(ran > 0);
}

/* Results of the forward and backward data passes do not depend on the number of threads. */
static void check_threads(enum convolution convolution)
{
    const struct conv_desc desc = {
        .dtype = DTYPE_F32,
        .batch = 20,
        .in_channels = 40,
        .out_channels = 70,
        .in_height = 6,
        .in_width = 6,
        .kernel = 3,
        .stride = 1,
        .padding = 1,
        .training = true,
        .input_gradient = true,
        .algorithm = convolution,
    };
    float *weight = draw_array((size_t)70 * 40 * 9, 9000), *canonical = draw_array((size_t)20 * 70 * 36, 9001);
    struct tensor results[4];
    for (size_t i = 0; i < 2; i++) {
        struct pool *pool;
        struct backend *backend;
        struct conv_plan *plan;
        assert_int_equal(pool_create(&pool, i == 0 ? 1 : 4, NULL), SIMCLR_OK);
        assert_int_equal(cpu_backend_create(simd_machine(), pool, &backend, NULL), SIMCLR_OK);
        assert_int_equal(cpu_conv_create(backend, &desc, &plan, NULL), SIMCLR_OK);
        cpu_conv_set_weights(plan, weight);
        results[2 * i] = tensor_new(DTYPE_F32, 20, 40, 6, 6);
        results[2 * i + 1] = tensor_new(DTYPE_F32, 20, 70, 6, 6);
        struct tensor d_y = tensor_new(DTYPE_F32, 20, 70, 6, 6);
        tensor_fill(&d_y, canonical, 0.0f);
        cpu_conv_backward_data(plan, results[2 * i].data, d_y.data);
        cpu_conv_forward(plan, results[2 * i + 1].data, NULL, results[2 * i].data, NULL);
        tensor_free(&d_y);
        cpu_conv_destroy(&plan);
        backend->ops->destroy(backend);
        pool_destroy(&pool);
    }
    assert_memory_equal(results[0].data, results[2].data, results[0].bytes);
    assert_memory_equal(results[1].data, results[3].data, results[1].bytes);
    for (int i = 0; i < 4; i++) tensor_free(&results[i]);
    memory_free(weight);
    memory_free(canonical);
}

static void test_threads(void **state)
{
    (void)state;
    check_threads(CONVOLUTION_DIRECT);
    check_threads(CONVOLUTION_WINOGRAD);
}

/* In inference what is made of an image has the same bits in any batch and with any number of threads, whatever
 * algorithm is best for so many: features do not depend on what stands beside an image. */
enum { COMPANY = 33 }; /* images of the largest batch */

static void check_company(enum dtype dtype, const struct shape *s)
{
    static const int batches[] = {COMPANY, 1, 2, 3, 8, 17, 20, 32};
    const int height = conv_out(s->height, s->kernel, s->stride, s->padding),
              width = conv_out(s->width, s->kernel, s->stride, s->padding);
    const size_t of_image = (size_t)(s->out * height * width);
    float *x = draw_array((size_t)(COMPANY * s->in * s->height * s->width), 9100);
    float *weight = draw_array((size_t)(s->out * s->in * s->kernel * s->kernel), 9101);
    float *first = memory_array(COMPANY * of_image, sizeof *first);
    for (size_t i = 0; i < 2 * sizeof batches / sizeof *batches; i++) {
        const int batch = batches[i / 2];
        struct conv_desc desc = shape_desc(s, dtype);
        struct pool *pool;
        struct backend *backend;
        struct conv_plan *plan;
        desc.batch = batch;
        desc.training = desc.input_gradient = false;
        assert_int_equal(pool_create(&pool, i % 2 ? 3 : 1, NULL), SIMCLR_OK);
        assert_int_equal(cpu_backend_create(simd_machine(), pool, &backend, NULL), SIMCLR_OK);
        assert_int_equal(cpu_conv_create(backend, &desc, &plan, NULL), SIMCLR_OK);
        cpu_conv_set_weights(plan, weight);
        struct tensor in = tensor_new(dtype, batch, s->in, s->height, s->width);
        struct tensor out = tensor_new(dtype, batch, s->out, height, width);
        tensor_fill(&in, x, 7);
        cpu_conv_forward(plan, out.data, NULL, in.data, NULL);
        for (int n = 0; n < batch; n++)
            for (size_t k = 0; k < of_image; k++) {
                const int c = (int)k / (height * width), at = (int)k % (height * width);
                const float got = get(&out, activation_index(&out.layout, n, c, at / width, at % width));
                float *want = &first[(size_t)n * of_image + k];
                if (i == 0) *want = got;
                if (got != *want)
                    fail_msg("%d x %d, %d to %d channels, stride %d: image %d of %d by %s: %.9g, and %.9g of %d",
                             s->height, s->width, s->in, s->out, s->stride, n, batch, cpu_conv_algorithm(plan),
                             (double)got, (double)*want, COMPANY);
            }
        tensor_free(&in);
        tensor_free(&out);
        cpu_conv_destroy(&plan);
        backend->ops->destroy(backend);
        pool_destroy(&pool);
    }
    memory_free(x);
    memory_free(weight);
    memory_free(first);
}

static void test_company(void **state)
{
    (void)state;
    static const struct shape shapes[] = {
        {.in = 16, .out = 16, .height = 12, .width = 12, .kernel = 3, .stride = 1, .padding = 1},
        {.in = 64, .out = 64, .height = 8, .width = 8, .kernel = 3, .stride = 1, .padding = 1},
        {.in = 64, .out = 128, .height = 8, .width = 8, .kernel = 3, .stride = 2, .padding = 1},
        {.in = 256, .out = 256, .height = 4, .width = 4, .kernel = 3, .stride = 1, .padding = 1},
        {.in = 16, .out = 40, .height = 9, .width = 7, .kernel = 3, .stride = 1, .padding = 1},
        {.in = 40, .out = 64, .height = 6, .width = 6, .kernel = 1, .stride = 2, .padding = 0},
    };
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        check_company(DTYPE_F32, &shapes[i]);
        check_company(DTYPE_BF16, &shapes[i]);
    }
}

/* What cannot be planned is refused with a sentence. */
static void test_refusals(void **state)
{
    (void)state;
    struct pool *pool;
    struct backend *backend;
    assert_int_equal(pool_create(&pool, 1, NULL), SIMCLR_OK);
    assert_int_equal(cpu_backend_create(simd_machine(), pool, &backend, NULL), SIMCLR_OK);
    struct conv_desc good = {.dtype = DTYPE_F32,
                             .batch = 2,
                             .in_channels = 4,
                             .out_channels = 4,
                             .in_height = 8,
                             .in_width = 8,
                             .kernel = 3,
                             .stride = 1,
                             .padding = 1};
    struct conv_desc bad[8];
    for (int i = 0; i < 8; i++) bad[i] = good;
    bad[0].batch = 0;
    bad[1].kernel = 16;
    bad[2].stride = 0;
    bad[3].padding = 3;
    bad[4].in_height = 0;
    bad[5].input_layout = LAYOUT_IMAGES;
    bad[5].in_channels = 5;
    bad[6].dtype = DTYPE_F64;
    bad[7].padding = 0;
    bad[7].in_width = 2;
    for (int i = 0; i < 8; i++) {
        struct conv_plan *plan = (struct conv_plan *)&bad;
        struct error error = {0};
        assert_true(cpu_conv_create(backend, &bad[i], &plan, &error) < 0);
        assert_null(plan);
        assert_true(strlen(error.text) > 20);
    }
    good.algorithm = CONVOLUTION_WINOGRAD;
    for (int n = 1; n < 12; n++) { /* every allocation may fail */
        struct conv_plan *plan;
        struct error error;
        memory_fail_after(n);
        const int status = cpu_conv_create(backend, &good, &plan, &error);
        memory_fail_after(0);
        if (status == SIMCLR_OK)
            cpu_conv_destroy(&plan);
        else
            assert_int_equal(status, SIMCLR_NO_MEMORY);
    }
    backend->ops->destroy(backend);
    pool_destroy(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_variants),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_company),
        cmocka_unit_test(test_refusals),
    };
    return run_cases(tests, NULL, NULL);
}
