/* Dropout: refusals, the share and the scale, gradients with the mask fixed. Which values are dropped is asked of the
 * generator's own blocks. Every variant of the cpu backend, with 1, 2 and 3 threads, has the mask of `ref` bit for bit,
 * and products of one rounding. */
#include "ops/ops.h"

static struct dropout_plan *make(struct ops_target *target, const struct dropout_desc *desc)
{
    struct dropout_plan *plan;
    struct error error;
    if (target->backend->ops->dropout_create(target->backend, desc, &plan, &error) != SIMCLR_OK)
        fail_msg("%s: %s", target->label, error.text);
    return plan;
}

static struct tensor_desc tensor_of(const struct dropout_desc *desc)
{
    return ops_tensor(desc->dtype, desc->batch, desc->channels, desc->height, desc->width);
}

static struct tensor_desc mask_of(const struct dropout_desc *desc)
{
    return ops_tensor(DTYPE_F32, desc->batch, desc->channels, desc->height, desc->width);
}

struct results {
    float *mask, *y, *without, *d_x, *in_place; /* without: y where the mask is not kept */
};

static struct results execute(struct ops_buffers *buffers, struct ops_target *target, const struct dropout_desc *desc,
                              struct dropout_draw draw, const float *x, const float *d_y)
{
    const struct backend_ops *ops = target->backend->ops;
    const struct tensor_desc shape = tensor_of(desc), of_mask = mask_of(desc);
    struct dropout_plan *plan = make(target, desc);
    void *y = ops_upload(buffers, target, &shape, NULL), *without = ops_upload(buffers, target, &shape, NULL);
    void *d_x = ops_upload(buffers, target, &shape, NULL), *mask = ops_upload(buffers, target, &of_mask, NULL);
    void *input = ops_upload(buffers, target, &shape, x), *given = ops_upload(buffers, target, &shape, d_y);
    ops->dropout_forward(plan, y, mask, input, &draw);
    ops_check(buffers, "dropout_forward");
    ops_check_written(target, &shape, y);
    ops_check_written(target, &of_mask, mask);
    ops->dropout_forward(plan, without, NULL, input, &draw);
    ops_check(buffers, "dropout_forward without a mask");
    ops->dropout_backward(plan, d_x, given, mask);
    ops_check(buffers, "dropout_backward");
    ops_check_written(target, &shape, d_x);
    ops->dropout_backward(plan, given, given, mask);
    ops_check(buffers, "dropout_backward in place");
    const struct results results = {.mask = ops_download(buffers, target, &of_mask, mask),
                                    .y = ops_download(buffers, target, &shape, y),
                                    .without = ops_download(buffers, target, &shape, without),
                                    .d_x = ops_download(buffers, target, &shape, d_x),
                                    .in_place = ops_download(buffers, target, &shape, given)};
    ops->dropout_destroy(&plan);
    assert_null(plan);
    return results;
}

/* ---- refusals ---------------------------------------------------------------------------------------------------- */
static void refuse(struct ops_target *target, struct dropout_desc desc, int status)
{
    struct dropout_plan *plan = NULL;
    struct error error = {0};
    assert_int_equal(target->backend->ops->dropout_create(target->backend, &desc, &plan, &error), status);
    assert_null(plan);
    assert_true(error.status == status && strlen(error.text) > 0);
}

static void refusals(void **state)
{
    struct ops_suite *suite = *state;
    for (int i = -1; i < 1; i++) {
        struct ops_target *target = i < 0 ? &suite->ref : &suite->target[0];
        const struct dropout_desc good = {DTYPE_F32, 2, 5, 3, 4, 0.5f, 0};
        struct dropout_desc desc = good;
        desc.channels = 0, refuse(target, desc, SIMCLR_INVALID), desc = good;
        desc.rate = 1, refuse(target, desc, SIMCLR_INVALID), desc = good;
        desc.rate = -0.1f, refuse(target, desc, SIMCLR_INVALID), desc = good;
        desc.rate = NAN, refuse(target, desc, SIMCLR_INVALID), desc = good;
        desc.layer = -1, refuse(target, desc, SIMCLR_INVALID), desc = good;
        desc.layer = 1 << 24, refuse(target, desc, SIMCLR_INVALID), desc = good;
        desc.batch = 1, desc.height = desc.width = 1 << 17, refuse(target, desc, SIMCLR_INVALID), desc = good;
        desc.dtype = DTYPE_F64;
        if (i >= 0) refuse(target, desc, SIMCLR_UNSUPPORTED);
    }
}

static void no_memory(void **state)
{
    struct ops_suite *suite = *state;
    for (int i = -1; i < 1; i++) {
        struct ops_target *target = i < 0 ? &suite->ref : &suite->target[0];
        const struct dropout_desc desc = {DTYPE_F32, 2, 5, 3, 4, 0.5f, 0};
        int status = SIMCLR_NO_MEMORY, failures = 0;
        for (long n = 1; status != SIMCLR_OK; n++) {
            struct dropout_plan *plan = NULL;
            memory_fail_after(n);
            status = target->backend->ops->dropout_create(target->backend, &desc, &plan, NULL);
            memory_fail_after(0);
            if (!status) target->backend->ops->dropout_destroy(&plan);
            if (status) assert_true(status == SIMCLR_NO_MEMORY && !plan && ++failures > 0);
        }
        assert_true(failures >= 1);
    }
}

/* ---- what is dropped --------------------------------------------------------------------------------------------- */
/* By the generator's block function: key the seed, counter {position quads + quad, purpose and layer, image, step}. */
static void draws(void **state)
{
    struct ops_suite *suite = *state;
    struct ops_buffers buffers = {0};
    const struct dropout_desc desc = {DTYPE_F32, 3, 10, 2, 3, 0.25f, 5};
    const struct dropout_draw draw = {0x123456789abcdefu, 77};
    const size_t count = 3 * 10 * 2 * 3;
    const float *x = ops_random(&buffers, count, 7800, 1, 2, false);
    const struct results got = execute(&buffers, &suite->ref, &desc, draw, x, x);
    size_t i = 0;
    for (uint32_t n = 0; n < 3; n++)
        for (uint32_t c = 0; c < 10; c++)
            for (uint32_t position = 0; position < 6; position++, i++) {
                const struct philox_block words = philox(draw.seed, position * 3 + c / 4, 13u << 24 | 5, n, 77);
                const bool dropped = words.word[c % 4] < 1u << 30;
                assert_true(got.mask[i] == (dropped ? 0 : 1 / 0.75f));
                assert_true(got.y[i] == (dropped ? 0 : x[i] * (1 / 0.75f)));
            }
    ops_free(&buffers);
}

static const float *mask_by(struct ops_buffers *buffers, struct ops_target *ref, struct dropout_desc desc,
                            struct dropout_draw draw, const float *x)
{
    return execute(buffers, ref, &desc, draw, x, x).mask;
}

/* Kept: 1 - rate of them, within five deviations of as many tosses. Another seed, step or layer, and another image, are
 * other tosses: two masks of rate r differ in 2 r (1 - r) of their values. */
static void shares(void **state)
{
    enum { BATCH = 8, CHANNELS = 1000, COUNT = BATCH * CHANNELS };
    static const float RATES[] = {0.5f, 0.1f, 0.9f, 0};
    struct ops_suite *suite = *state;
    for (int i = 0; i < 4; i++) {
        struct ops_buffers buffers = {0};
        const struct dropout_desc desc = {DTYPE_F32, BATCH, CHANNELS, 1, 1, RATES[i], 0};
        const double rate = (double)RATES[i], scale = 1 / (1 - rate);
        const float *x = ops_random(&buffers, COUNT, 7810, -1, 1, false);
        const struct dropout_draw draw = {1, 0}, other_seed = {2, 0}, other_step = {1, 1};
        const float *mask = mask_by(&buffers, &suite->ref, desc, draw, x);
        int kept = 0;
        for (int j = 0; j < COUNT; j++) {
            kept += mask[j] > 0;
            assert_true(!(mask[j] > 0) || fabs((double)mask[j] - scale) <= 1e-6 * scale);
        }
        assert_true(fabs(kept - COUNT * (1 - rate)) <= 5 * sqrt(COUNT * rate * (1 - rate)));
        struct dropout_desc other_layer = desc;
        other_layer.layer = 1;
        const float *others[] = {mask_by(&buffers, &suite->ref, desc, other_seed, x),
                                 mask_by(&buffers, &suite->ref, desc, other_step, x),
                                 mask_by(&buffers, &suite->ref, other_layer, draw, x), mask + CHANNELS};
        for (int k = 0; k < 4; k++) {
            const int size = k < 3 ? COUNT : COUNT - CHANNELS;
            const double share = 2 * rate * (1 - rate);
            int different = 0;
            for (int j = 0; j < size; j++) different += (mask[j] > 0) != (others[k][j] > 0);
            assert_true(fabs(different - size * share) <= 6 * sqrt(size * share * (1 - share)));
        }
        ops_free(&buffers);
    }
}

/* ---- gradients --------------------------------------------------------------------------------------------------- */
/* With its mask fixed y is linear in x: L = sum(r y) has an exact difference quotient. */
static void differences(void **state)
{
    struct ops_suite *suite = *state;
    struct ops_buffers buffers = {0};
    const struct dropout_desc desc = {DTYPE_F64, 2, 6, 2, 2, 0.25f, 1};
    const struct dropout_draw draw = {9, 4};
    const struct tensor_desc of_mask = mask_of(&desc);
    const size_t count = 2 * 6 * 4;
    const struct backend_ops *ops = suite->ref.backend->ops;
    const float *values = ops_random(&buffers, 2 * count, 7820, -1, 1, false);
    double *x = ops_new(&buffers, count * sizeof *x), *y = ops_new(&buffers, count * sizeof *y);
    double *r = ops_new(&buffers, count * sizeof *r), *d_x = ops_new(&buffers, count * sizeof *d_x);
    void *mask = ops_upload(&buffers, &suite->ref, &of_mask, NULL);
    for (size_t i = 0; i < count; i++) x[i] = values[i], r[i] = values[count + i];
    struct dropout_plan *plan = make(&suite->ref, &desc);
    ops->dropout_forward(plan, y, mask, x, &draw);
    ops->dropout_backward(plan, d_x, r, mask);
    int through = 0;
    for (size_t i = 0; i < count; i++) {
        double loss[2] = {0, 0};
        for (int side = 0; side < 2; side++) {
            x[i] += side ? 1 : -0.5;
            ops->dropout_forward(plan, y, NULL, x, &draw);
            for (size_t o = 0; o < count; o++) loss[side] += r[o] * y[o];
        }
        x[i] -= 0.5;
        if (!(fabs(loss[1] - loss[0] - d_x[i]) <= 1e-12))
            fail_msg("value %zu: slope %.15g, gradient %.15g", i, loss[1] - loss[0], d_x[i]);
        through += fabs(d_x[i]) > 0;
    }
    assert_true(through > 0 && through < (int)count);
    ops_check(&buffers, "dropout of ref");
    ops->dropout_destroy(&plan);
    ops_free(&buffers);
}

/* ---- the other backends ------------------------------------------------------------------------------------------ */
static void compare(struct ops_suite *suite, struct dropout_desc desc, uint32_t item)
{
    struct ops_buffers buffers = {0};
    const enum dtype dtype = desc.dtype;
    const struct tensor_desc shape = tensor_of(&desc);
    const size_t count = tensor_elements(&shape), bytes = count * sizeof(float);
    const float *x = ops_random(&buffers, count, item, -2, 2, dtype == DTYPE_BF16);
    const float *d_y = ops_random(&buffers, count, item + 1, -1, 1, dtype == DTYPE_BF16);
    const struct dropout_draw draw = {item, item + 3};
    desc.dtype = DTYPE_F32;
    const struct results want = execute(&buffers, &suite->ref, &desc, draw, x, d_y);
    const struct results shared = execute(&buffers, &suite->ref_shared, &desc, draw, x, d_y);
    assert_memory_equal(want.mask, shared.mask, bytes);
    assert_memory_equal(want.y, shared.y, bytes);
    assert_memory_equal(want.d_x, shared.d_x, bytes);
    desc.dtype = dtype;
    for (int i = 0; i < suite->count; i++) {
        struct ops_buffers run = {0};
        const struct results got = execute(&run, &suite->target[i], &desc, draw, x, d_y);
        char label[200];
        snprintf(label, sizeof label, "%s, %s, dropout %g of %d x %d x %d x %d", suite->target[i].label,
                 dtype_name(dtype), (double)desc.rate, desc.batch, desc.channels, desc.height, desc.width);
        assert_memory_equal(got.mask, want.mask, bytes);
        ops_near(label, got.y, want.y, count, ops_half_unit(dtype) + 1e-7, 0);
        ops_near(label, got.d_x, want.d_x, count, ops_half_unit(dtype) + 1e-7, 0);
        assert_memory_equal(got.without, got.y, bytes);
        assert_memory_equal(got.in_place, got.d_x, bytes);
        ops_free(&run);
    }
    ops_free(&buffers);
}

/* Batches and channels that fill blocks of each layout (layout.h) and that do not; AlexNet's, a quarter as wide. */
static void variants(void **state)
{
    static const int SHAPES[][4] = {{2, 5, 4, 3},  {16, 32, 3, 5}, {18, 70, 2, 2},
                                    {3, 16, 1, 7}, {33, 8, 4, 1},  {5, 64, 6, 6}};
    uint32_t item = 7900;
    for (size_t s = 0; s < sizeof SHAPES / sizeof *SHAPES; s++)
        for (int variety = 0; variety < 4; variety++, item += 3)
            compare(*state,
                    (struct dropout_desc){.dtype = variety % 2 ? DTYPE_BF16 : DTYPE_F32,
                                          .batch = SHAPES[s][0],
                                          .channels = SHAPES[s][1],
                                          .height = SHAPES[s][2],
                                          .width = SHAPES[s][3],
                                          .rate = variety / 2 ? 0.5f : 0.2f,
                                          .layer = variety},
                    item);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refusals), cmocka_unit_test(no_memory),   cmocka_unit_test(draws),
        cmocka_unit_test(shares),   cmocka_unit_test(differences), cmocka_unit_test(variants),
    };
    return run_cases(tests, ops_suite_open, ops_suite_close);
}
