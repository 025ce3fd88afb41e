/* NT-Xent of the cpu backend, for every variant that this CPU runs:
 *  - results against `ref` in doubles;
 *  - rows of zeros and of NaN, ties;
 *  - bits that change neither from run to run nor with the number of threads. */
#include "unit/backend/targets.h"

#include "backend/cpu/cpu.h"
#include "backend/cpu/kernels.h"

struct nt_case {
    int images, dim;
    float temperature, scale, noise; /* of z; noise: how far positives lie from each other */
};

static void make_pairs(float *z, const struct nt_case *c)
{
    const size_t half = (size_t)c->images * (size_t)c->dim;
    ops_fill(z, 2 * half, 11, -1, 1, false);
    for (size_t i = 0; i < half; i++) {
        z[half + i] = c->scale * (z[i] + c->noise * z[half + i]);
        z[i] *= c->scale;
    }
}

static void run_nt(struct ops_target *target, const struct nt_case *c, struct nt_xent_result *result, float *d_z,
                   const float *z)
{
    const struct backend_ops *ops = target->backend->ops;
    const struct nt_xent_desc desc = {c->images, c->dim, c->temperature, true, 0, 0};
    struct nt_xent_plan *plan;
    struct error error;
    if (ops->nt_xent_create(target->backend, &desc, &plan, &error) != SIMCLR_OK) fail_msg("%s", error.text);
    struct nt_xent_result loss_only;
    ops_nt_xent_run(target, plan, &desc, &loss_only, NULL, z);
    ops_nt_xent_run(target, plan, &desc, result, d_z, z);
    assert_memory_equal(&loss_only, result, sizeof loss_only); /* and the second run finds no trace of the first */
    ops->nt_xent_destroy(&plan);
}

/* Float32 cosines of dimension D carry about sqrt(D) roundings, divided by tau in the exponent. */
static void check_one_nt(struct ops_target *target, struct ops_target *ref, const struct nt_case *c)
{
    struct ops_buffers buffers = {0};
    const size_t count = 2 * (size_t)c->images * (size_t)c->dim;
    float *z = ops_floats(&buffers, count), *got = ops_floats(&buffers, count), *want = ops_floats(&buffers, count);
    struct nt_xent_result result, expected;
    make_pairs(z, c);
    run_nt(target, c, &result, got, z);
    run_nt(ref, c, &expected, want, z);
    ops_check(&buffers, "NT-Xent");
    const double logit = 4e-7 / (double)c->temperature;
    assert_true(fabs(result.loss - expected.loss) <= 3e-6 * expected.loss + logit * 0.5);
    assert_true(fabs(result.entropy - expected.entropy) <= 3e-6 * expected.entropy + 2 * logit);
    assert_true(fabs(result.positive_similarity - expected.positive_similarity) < 1e-6);
    assert_true(fabs(result.negative_similarity - expected.negative_similarity) < 1e-6);
    assert_true(fabs(result.top1 - expected.top1) < 1e-9);
    const double distance = ops_distance(got, want, count);
    if (!(distance < 1e-5 + 10 * logit))
        fail_msg("%s: %d images of %d at %g: gradient off by %g", target->label, c->images, c->dim,
                 (double)c->temperature, distance);
    ops_free(&buffers);
}

static void check_nt_xent(struct ops_target *target, struct ops_target *ref)
{
    const struct nt_case cases[] = {
        {1, 8, 0.5f, 1, 1},       {2, 1, 0.5f, 1, 1},         {5, 3, 0.1f, 1, 0.3f},    {32, 128, 0.5f, 1, 0.5f},
        {33, 100, 0.1f, 1, 0.3f}, {100, 64, 0.5f, 1e-12f, 1}, {64, 31, 0.1f, 1e18f, 1}, {160, 33, 0.07f, 1, 0.5f},
        {70, 20, 0.01f, 1, 0.5f}, {40, 20, 0.002f, 1, 1.0f},  {300, 65, 0.2f, 1, 0.1f}, {50, 16, 20, 1, 0.5f},
        {70, 80, 0.01f, 1, 3},    {90, 200, 0.03f, 1, 0.5f},  {530, 70, 0.1f, 1, 0.3f}, /* blocks of several tiles */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) check_one_nt(target, ref, &cases[i]);
}

/* ---- some of the anchors ---------------------------------------------------------------------------------------- */
enum { PARTS_MAX = 4 };

/* What processes do that share a loss, one after another: a block serves them all, as gathers would fill it. Results
 * are added up. d_z: canonical, of all rows. */
static void run_parts(struct ops_target *target, const struct nt_case *c, int parts, struct nt_xent_result *sum,
                      float *d_z, const float *z)
{
    const struct backend_ops *ops = target->backend->ops;
    struct ops_buffers buffers = {0};
    struct nt_xent_plan *plans[PARTS_MAX];
    struct tensor_desc shapes[PARTS_MAX];
    struct ops_nt_xent blocks = {0};
    const size_t dim = (size_t)c->dim, row = dim * sizeof *z, images = (size_t)c->images;
    size_t first[PARTS_MAX + 1];
    memset(sum, 0, sizeof *sum);
    for (int p = 0; p <= parts; p++) first[p] = images * (size_t)p / (size_t)parts;
    for (int p = 0; p < parts; p++) {
        const size_t count = first[p + 1] - first[p];
        const struct nt_xent_desc desc = {c->images, c->dim, c->temperature, true, (int)first[p], (int)count};
        struct error error;
        if (ops->nt_xent_create(target->backend, &desc, &plans[p], &error) != SIMCLR_OK) fail_msg("%s", error.text);
        if (p == 0) blocks = ops_nt_xent_blocks(&buffers, target, plans[p], c->images);
        shapes[p] = ops_tensor(DTYPE_F32, 2 * (int)count, c->dim, 1, 1);
        float *own = ops_floats(&buffers, 2 * count * dim);
        memcpy(own, z + first[p] * dim, count * row);
        memcpy(own + count * dim, z + (images + first[p]) * dim, count * row);
        ops->nt_xent_unit_rows(plans[p], blocks.unit, ops_upload(&buffers, target, &shapes[p], own));
    }
    for (int p = 0; p < parts; p++) {
        struct nt_xent_result result;
        ops->nt_xent_log_sums(plans[p], &result, blocks.sums, blocks.unit);
        for (int i = 0; i < 5; i++) (&sum->loss)[i] += (&result.loss)[i];
    }
    for (int p = 0; p < parts; p++) {
        const size_t count = first[p + 1] - first[p];
        void *tensor = ops_upload(&buffers, target, &shapes[p], NULL);
        ops->nt_xent_gradient(plans[p], tensor, blocks.unit, blocks.sums);
        const float *own = ops_download(&buffers, target, &shapes[p], tensor);
        memcpy(d_z + first[p] * dim, own, count * row);
        memcpy(d_z + (images + first[p]) * dim, own + count * dim, count * row);
        ops->nt_xent_destroy(&plans[p]);
    }
    ops_check(&buffers, "NT-Xent in parts");
    ops_free(&buffers);
}

/* The limits are those of the whole. Another division, another number of threads and a second run have the same bits:
 * an anchor meets all rows in their order. */
static void check_one_in_parts(struct ops_target *target, struct ops_target *ref, const struct nt_case *c)
{
    struct ops_buffers buffers = {0};
    const size_t count = 2 * (size_t)c->images * (size_t)c->dim;
    float *z = ops_floats(&buffers, count), *got[PARTS_MAX + 1], *want = ops_floats(&buffers, count);
    struct nt_xent_result result[PARTS_MAX + 1], expected;
    const double logit = 4e-7 / (double)c->temperature;
    make_pairs(z, c);
    run_nt(ref, c, &expected, want, z);
    for (int parts = 2; parts <= PARTS_MAX && parts <= c->images; parts++) {
        const struct nt_xent_result *sum = &result[parts];
        got[parts] = ops_floats(&buffers, count);
        run_parts(target, c, parts, &result[parts], got[parts], z);
        assert_true(fabs(sum->loss - expected.loss) <= 3e-6 * expected.loss + logit * 0.5);
        assert_true(fabs(sum->entropy - expected.entropy) <= 3e-6 * expected.entropy + 2 * logit);
        assert_true(fabs(sum->positive_similarity - expected.positive_similarity) < 1e-6);
        assert_true(fabs(sum->negative_similarity - expected.negative_similarity) < 1e-6);
        assert_true(fabs(sum->top1 - expected.top1) < 1e-9);
        const double distance = ops_distance(got[parts], want, count);
        if (!(distance < 1e-5 + 10 * logit))
            fail_msg("%s: %d images of %d at %g in %d parts: gradient off by %g", target->label, c->images, c->dim,
                     (double)c->temperature, parts, distance);
        assert_memory_equal(got[parts], got[2], count * sizeof(float));
    }
    ops_free(&buffers);
}

static void check_parts(struct ops_target *target, struct ops_target *ref)
{
    const struct nt_case cases[] = {
        {2, 1, 0.5f, 1, 1},       {5, 3, 0.1f, 1, 0.3f},    {33, 100, 0.1f, 1, 0.3f},  {64, 128, 0.5f, 1, 0.5f},
        {64, 31, 0.1f, 1e18f, 1}, {70, 20, 0.01f, 1, 0.5f}, {40, 20, 0.002f, 1, 1.0f}, {300, 65, 0.2f, 1, 0.1f},
        {70, 80, 0.01f, 1, 3},    {530, 70, 0.1f, 1, 0.3f},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) check_one_in_parts(target, ref, &cases[i]);
}

static void test_parts(void **state)
{
    (void)state;
    each_target(check_parts);
}

/* One part's rows have the bits of another number of threads. */
static void test_parts_threads(void **state)
{
    (void)state;
    const struct nt_case c = {530, 72, 0.1f, 1, 0.5f};
    const size_t count = 2 * 530 * 72;
    struct ops_buffers buffers = {0};
    float *z = ops_floats(&buffers, count), *d_z[2];
    struct nt_xent_result result[2];
    make_pairs(z, &c);
    for (int i = 0; i < 2; i++) {
        struct ops_target target;
        d_z[i] = ops_floats(&buffers, count);
        ops_open(&target, "cpu", NULL, 1 + 3 * i);
        run_parts(&target, &c, 3, &result[i], d_z[i], z);
        ops_close(&target);
    }
    assert_memory_equal(&result[0], &result[1], sizeof result[0]);
    assert_memory_equal(d_z[0], d_z[1], count * sizeof(float));
    ops_free(&buffers);
}

/* Equal rows tie in parts too, a row of zeros gets no gradient, and a NaN of another part is seen in the loss. */
static void check_odd_parts(struct ops_target *target, struct ops_target *ref)
{
    (void)ref;
    enum { IMAGES = 40, DIM = 72 };
    const struct nt_case c = {IMAGES, DIM, 0.5f, 1, 0.5f};
    static float z[2 * IMAGES * DIM], d_z[2 * IMAGES * DIM];
    struct nt_xent_result result;
    make_pairs(z, &c);
    memset(z + 7 * DIM, 0, DIM * sizeof(float));
    run_parts(target, &c, 3, &result, d_z, z);
    assert_true(isfinite(result.loss));
    for (int i = 0; i < 2 * IMAGES * DIM; i++) assert_true(isfinite(d_z[i]));
    for (int d = 0; d < DIM; d++) assert_true(d_z[7 * DIM + d] == 0);
    z[3] = NAN;
    run_parts(target, &c, 3, &result, d_z, z);
    assert_true(isnan(result.loss));
    assert_true(isnan(d_z[39 * DIM]));
    for (int groups = 1; groups <= 2; groups++) {
        make_pairs(z, &c);
        for (int row = 1; row < 2 * IMAGES; row++)
            memcpy(z + row * DIM, z + row / IMAGES * (groups - 1) * IMAGES * DIM, DIM * sizeof(float));
        run_parts(target, &c, 3, &result, d_z, z);
        assert_true(result.top1 == 0);
    }
}

static void test_odd_parts(void **state)
{
    (void)state;
    each_target(check_odd_parts);
}

/* ---- all of them ------------------------------------------------------------------------------------------------- */
static void test_nt_xent(void **state)
{
    (void)state;
    each_target(check_nt_xent);
}

/* A row of zeros: a finite loss, no gradient to itself. A NaN: seen in the loss. */
static void check_odd_rows(struct ops_target *target, struct ops_target *ref)
{
    (void)ref;
    enum { IMAGES = 40, DIM = 72 };
    const struct nt_case c = {IMAGES, DIM, 0.5f, 1, 0.5f};
    static float z[2 * IMAGES * DIM], d_z[2 * IMAGES * DIM];
    struct nt_xent_result result;
    make_pairs(z, &c);
    memset(z + 7 * DIM, 0, DIM * sizeof(float));
    run_nt(target, &c, &result, d_z, z);
    assert_true(isfinite(result.loss));
    for (int i = 0; i < 2 * IMAGES * DIM; i++) assert_true(isfinite(d_z[i]));
    for (int d = 0; d < DIM; d++) assert_true(d_z[7 * DIM + d] == 0);
    z[3] = NAN;
    const struct backend_ops *ops = target->backend->ops;
    const struct nt_xent_desc desc = {IMAGES, DIM, 0.5f, true, 0, 0};
    struct nt_xent_plan *plan;
    assert_int_equal(ops->nt_xent_create(target->backend, &desc, &plan, NULL), SIMCLR_OK);
    ops_nt_xent_run(target, plan, &desc, &result, d_z, z);
    assert_true(isnan(result.loss));
    assert_true(isnan(d_z[DIM]));
    ops->nt_xent_destroy(&plan);
}

static void test_nt_xent_odd_rows(void **state)
{
    (void)state;
    each_target(check_odd_rows);
}

/* The order of every row's sum is fixed by the tournament, not by threads. */
static void test_nt_xent_threads(void **state)
{
    (void)state;
    const struct nt_case c = {200, 72, 0.1f, 1, 0.5f};
    const size_t count = 2 * 200 * 72;
    struct ops_buffers buffers = {0};
    float *z = ops_floats(&buffers, count), *d_z[3];
    struct nt_xent_result result[3];
    make_pairs(z, &c);
    for (int i = 0; i < 3; i++) {
        struct ops_target target;
        d_z[i] = ops_floats(&buffers, count);
        ops_open(&target, "cpu", NULL, i == 0 ? 2 : 2 + i);
        if (i == 2) { /* the first again */
            ops_close(&target);
            ops_open(&target, "cpu", NULL, 2);
        }
        run_nt(&target, &c, &result[i], d_z[i], z);
        ops_close(&target);
    }
    assert_memory_equal(&result[0], &result[2], sizeof result[0]);
    assert_memory_equal(d_z[0], d_z[2], count * sizeof(float));
    assert_true(fabs(result[0].loss - result[1].loss) < 1e-12);
    assert_memory_equal(d_z[0], d_z[1], count * sizeof(float));
    ops_free(&buffers);
}

/* The rows of a collapsed network are all alike: no positive is nearer than the others. Half of one: two groups of
 * equal rows, with positives in the other group. */
static void check_ties(struct ops_target *target, struct ops_target *ref)
{
    (void)ref;
    enum { IMAGES = 40, DIM = 72 };
    const struct nt_case c = {IMAGES, DIM, 0.5f, 1, 0.5f};
    static float z[2 * IMAGES * DIM], d_z[2 * IMAGES * DIM];
    struct nt_xent_result result;
    for (int groups = 1; groups <= 2; groups++) {
        make_pairs(z, &c);
        for (int row = 1; row < 2 * IMAGES; row++)
            memcpy(z + row * DIM, z + row / IMAGES * (groups - 1) * IMAGES * DIM, DIM * sizeof(float));
        run_nt(target, &c, &result, d_z, z);
        assert_true(result.top1 == 0);
    }
}

static void test_nt_xent_ties(void **state)
{
    (void)state;
    each_target(check_ties);
}

/* The stated accuracy of the power of two, over the exponents that occur. */
static void check_powers(struct ops_target *target, struct ops_target *ref)
{
    (void)ref;
    enum { COUNT = 1 << 16 };
    static float values[COUNT], arguments[COUNT];
    double worst = 0;
    for (int i = 0; i < COUNT; i++) values[i] = arguments[i] = -125.9f + 126.0f * (float)i / COUNT;
    cpu_backend_of(target->backend)->kernels->powers(values, COUNT);
    for (int i = 0; i < COUNT; i++) {
        const double exact = exp2((double)arguments[i]);
        worst = fmax(worst, fabs((double)values[i] - exact) / exact);
    }
    if (!(worst < 1.5e-7)) fail_msg("%s: 2^x is off by %g", target->label, worst);
    for (int i = 0; i < 16; i++) values[i] = -1e6f * (float)(1 + i * i);
    cpu_backend_of(target->backend)->kernels->powers(values, 16);
    for (int i = 0; i < 16; i++) assert_true(values[i] == 0);
}

static void test_powers(void **state)
{
    (void)state;
    each_target(check_powers);
}

int main(void)
{
    ops_report_variants();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_powers),           cmocka_unit_test(test_nt_xent),
        cmocka_unit_test(test_nt_xent_odd_rows), cmocka_unit_test(test_nt_xent_threads),
        cmocka_unit_test(test_nt_xent_ties),     cmocka_unit_test(test_parts),
        cmocka_unit_test(test_parts_threads),    cmocka_unit_test(test_odd_parts),
    };
    return run_cases(tests, NULL, NULL);
}
