/* NT-Xent, optimisers, sums of squares and dense products: every variant of the cpu backend against ref, with 1, 2 and
 * 3 threads, each twice (bit-equal). Allowed: NT-Xent 1e-5 for its results, and for the gradient 1e-5 of its norm, or
 * of what the norm would be if terms did not cancel. Optimisers 1e-6 (float32 rounding of each step). Sum of squares
 * 1e-12. Products of K terms: 2e-6 sqrt(K) of the rms, as convolutions (ops_conv.h). */
#include "ops/ops.h"

/* ---- NT-Xent ----------------------------------------------------------------------------------------------------- */
static void nt_xent_execute(struct ops_target *target, const struct nt_xent_desc *desc, struct nt_xent_result *result,
                            float *d_z, const float *z, const struct ops_buffers *buffers)
{
    const struct backend_ops *ops = target->backend->ops;
    struct nt_xent_plan *plan;
    struct error error;
    if (ops->nt_xent_create(target->backend, desc, &plan, &error) != SIMCLR_OK) fail_msg("%s", error.text);
    memset(result, 0xff, sizeof *result);
    ops_nt_xent_run(target, plan, desc, result, d_z, z);
    ops_check(buffers, "nt_xent_run");
    ops->nt_xent_destroy(&plan);
}

static void nt_xent_compare(const char *label, const struct nt_xent_result *got, const struct nt_xent_result *want,
                            bool nearest)
{
    const double *a = &got->loss, *b = &want->loss;
    static const char *const NAMES[] = {"loss", "top1", "entropy", "positive similarity", "negative similarity"};
    for (int i = 0; i < 5; i++)
        if ((i != 1 || nearest) && !(fabs(a[i] - b[i]) <= 1e-5 * fmax(1, fabs(b[i]))))
            fail_msg("%s: %s is %.12g, should be %.12g", label, NAMES[i], a[i], b[i]);
}

/* kind 0: random rows; 1: all rows equal (collapsed: nothing is nearest, loss log(2N - 1)); 2: one row of zeros. */
static void nt_xent_check(struct ops_target *ref, struct ops_target *targets, int target_count,
                          struct nt_xent_desc desc, int kind)
{
    struct ops_buffers buffers = {0};
    const size_t dim = (size_t)desc.dim, count = 2 * (size_t)desc.images * dim;
    float *z = ops_random(&buffers, count, (uint32_t)(7000 + desc.images), -1, 1, false);
    for (size_t i = dim; kind == 1 && i < count; i++) z[i] = z[i - dim];
    for (size_t i = 0; kind == 2 && i < dim; i++) z[i] = 0;
    struct nt_xent_result want, got, again, plain;
    float *d_want = ops_floats(&buffers, count), *d_got = ops_floats(&buffers, count),
          *d_again = ops_floats(&buffers, count);
    nt_xent_execute(ref, &desc, &want, d_want, z, &buffers);
    if (kind == 1) assert_float_equal(want.loss, log(2.0 * desc.images - 1), 1e-9);
    /* One pair, one dimension or a collapse: the exact gradient is zero, and what is left is the rounding of its terms.
     */
    const double length = ops_rms(z, count) * sqrt((double)dim), rows = 2.0 * desc.images;
    const double uncancelled = 1 / (rows * (double)desc.temperature * length * sqrt((double)dim));
    const double scale = fmax(ops_rms(d_want, count), uncancelled);
    for (int i = 0; i < target_count; i++) {
        char label[200];
        snprintf(label, sizeof label, "%s, NT-Xent %d images of %d, temperature %g, kind %d", targets[i].label,
                 desc.images, desc.dim, (double)desc.temperature, kind);
        nt_xent_execute(&targets[i], &desc, &got, d_got, z, &buffers);
        nt_xent_execute(&targets[i], &desc, &again, d_again, z, &buffers);
        nt_xent_execute(&targets[i], &desc, &plain, NULL, z, &buffers);
        nt_xent_compare(label, &got, &want, kind != 1);
        nt_xent_compare(label, &plain, &want, kind != 1);
        double squares = 0;
        for (size_t j = 0; j < count; j++) squares += pow((double)d_got[j] - (double)d_want[j], 2);
        const double off = sqrt(squares / (double)count) / scale;
        if (!(off <= 1e-5)) fail_msg("%s: gradient off by %.3g of its rms %.3g", label, off, scale);
        assert_memory_equal(d_got, d_again, count * sizeof(float));
        assert_memory_equal(&got, &again, sizeof got);
    }
    ops_free(&buffers);
}

/* What one of several processes does: [first, first + count) of the images. z: canonical, of all. */
struct nt_part {
    struct nt_xent_desc desc;
    struct nt_xent_plan *plan;
    struct nt_xent_result result;
    struct tensor_desc shape;
    float *d_z;
};

/* Rows of part `p` among all rows, in the order of its tensor. */
static size_t nt_row(const struct nt_part *part, int r)
{
    const int count = part->desc.count;
    return (size_t)(r < count ? part->desc.first + r : part->desc.images + part->desc.first + r - count);
}

/* ref takes any range. Two and three processes that exchange unit rows and sums have the whole's gradient to the bit,
 * and their results add up to the whole's. (One block serves all parts: each writes its own rows, as a gather would.)
 */
static void nt_xent_ranges(void **state)
{
    enum { IMAGES = 7, DIM = 20, PARTS = 3 };
    static const int BOUNDS[][PARTS + 1] = {{0, 3, 7, 7}, {0, 1, 5, 7}, {0, 7, 7, 7}};
    struct ops_target *ref = &((struct ops_suite *)*state)->ref;
    const struct backend_ops *ops = ref->backend->ops;
    for (size_t b = 0; b < sizeof BOUNDS / sizeof BOUNDS[0]; b++) {
        struct ops_buffers buffers = {0};
        const size_t count = 2 * (size_t)IMAGES * DIM;
        float *z = ops_random(&buffers, count, 7900, -1, 1, false), *d_whole = ops_floats(&buffers, count);
        memset(z + 4 * DIM, 0, DIM * sizeof *z); /* a row of zeros */
        struct nt_xent_desc desc = {.images = IMAGES, .dim = DIM, .temperature = 0.1f, .training = true};
        struct nt_xent_result whole, sum = {0};
        nt_xent_execute(ref, &desc, &whole, d_whole, z, &buffers);
        struct nt_part parts[PARTS];
        struct ops_nt_xent blocks = {0};
        int used = 0;
        for (int p = 0; p < PARTS; p++) {
            struct nt_part *part = &parts[used];
            if (BOUNDS[b][p] == BOUNDS[b][p + 1]) continue;
            used++;
            *part = (struct nt_part){.desc = desc};
            part->desc.first = BOUNDS[b][p], part->desc.count = BOUNDS[b][p + 1] - BOUNDS[b][p];
            part->shape = ops_tensor(DTYPE_F32, 2 * part->desc.count, DIM, 1, 1);
            assert_int_equal(ops->nt_xent_create(ref->backend, &part->desc, &part->plan, NULL), SIMCLR_OK);
            if (!blocks.unit) blocks = ops_nt_xent_blocks(&buffers, ref, part->plan, IMAGES);
            float *own = ops_floats(&buffers, tensor_elements(&part->shape));
            for (int r = 0; r < 2 * part->desc.count; r++)
                memcpy(own + r * DIM, z + nt_row(part, r) * DIM, DIM * sizeof *own);
            ops->nt_xent_unit_rows(part->plan, blocks.unit, ops_upload(&buffers, ref, &part->shape, own));
        }
        for (int p = 0; p < used; p++) ops->nt_xent_log_sums(parts[p].plan, &parts[p].result, blocks.sums, blocks.unit);
        for (int p = 0; p < used; p++) {
            void *d_z = ops_upload(&buffers, ref, &parts[p].shape, NULL);
            ops->nt_xent_gradient(parts[p].plan, d_z, blocks.unit, blocks.sums);
            const float *got = ops_download(&buffers, ref, &parts[p].shape, d_z);
            for (int r = 0; r < 2 * parts[p].desc.count; r++)
                assert_memory_equal(got + r * DIM, d_whole + nt_row(&parts[p], r) * DIM, DIM * sizeof *got);
            const double *from = &parts[p].result.loss;
            for (int i = 0; i < 5; i++) (&sum.loss)[i] += from[i];
            ops->nt_xent_destroy(&parts[p].plan);
        }
        for (int i = 0; i < 5; i++) assert_true(fabs((&sum.loss)[i] - (&whole.loss)[i]) <= 1e-14);
        ops_free(&buffers);
    }
}

/* A range outside of the images is refused by all, with a sentence. What cpu makes of one inside: test_cpu_nt_xent. */
static void nt_xent_range_refusals(void **state)
{
    struct ops_suite *suite = *state;
    struct nt_xent_plan *plan;
    struct error error;
    struct nt_xent_desc desc = {.images = 8, .dim = 8, .temperature = 0.5f};
    struct ops_target *cpu = &suite->target[0];
    static const int BAD[][2] = {{-1, 4}, {5, 4}, {0, 9}, {0, -1}, {3, 0}};
    for (int i = 0; i < 5; i++)
        for (int j = 0; j < 2; j++) {
            struct ops_target *target = j ? cpu : &suite->ref;
            desc.first = BAD[i][0], desc.count = BAD[i][1];
            assert_int_equal(target->backend->ops->nt_xent_create(target->backend, &desc, &plan, &error),
                             SIMCLR_INVALID);
            assert_true(plan == NULL && strlen(error.text) > 20);
        }
}

/* ---- optimisers -------------------------------------------------------------------------------------------------- */
enum { SEGMENTS = 6, STEPS = 3 };
static const size_t SEGMENT_COUNTS[SEGMENTS] = {1, 7, 16, 1000, 65537, 33};

static void optimizer_execute(struct ops_target *target, struct ops_buffers *buffers, enum optimizer_kind kind,
                              float **state)
{
    struct optimizer_segment segments[SEGMENTS];
    for (int i = 0; i < SEGMENTS; i++) {
        const size_t count = SEGMENT_COUNTS[i];
        const uint32_t item = 8000 + (uint32_t)i * 4;
        float *weight = ops_random(buffers, count, item, -1, 1, false);
        float *state1 = ops_random(buffers, count, item + 1, -0.1f, 0.1f, false);
        float *state2 = ops_random(buffers, count, item + 2, 0.01f, 0.1f, false);
        float *gradient = ops_random(buffers, count, item + 3, -1, 1, false);
        if (i == 2) memset(weight, 0, count * sizeof *weight);     /* no norm: trust 1 */
        if (i == 5) memset(gradient, 0, count * sizeof *gradient); /* decay alone, or nothing at all */
        segments[i] = (struct optimizer_segment){weight, state1,     state2,           gradient,
                                                 count,  i % 2 == 0, i != 1 && i != 3, i == 3 ? 0.25f : 1};
        state[3 * i] = weight, state[3 * i + 1] = state1, state[3 * i + 2] = state2;
        if (kind != OPTIMIZER_ADAMW) segments[i].state2 = NULL;
    }
    const struct optimizer_desc desc = {.kind = kind,
                                        .momentum = 0.9f,
                                        .weight_decay = 0.05f,
                                        .trust = 0.001f,
                                        .beta2 = 0.99f,
                                        .epsilon = 1e-8f,
                                        .segments = segments,
                                        .count = SEGMENTS};
    const struct backend_ops *ops = target->backend->ops;
    struct optimizer_plan *plan;
    struct error error;
    struct step_inputs *inputs = ops_new(buffers, sizeof *inputs);
    if (ops->optimizer_create(target->backend, &desc, &plan, &error) != SIMCLR_OK) fail_msg("%s", error.text);
    memset(segments, 0xff, sizeof segments); /* the plan has its own */
    for (int i = 0; i < STEPS; i++) {
        *inputs = (struct step_inputs){.step = i + 1, .learning_rate = kind == OPTIMIZER_LARS ? 2.0f : 0.01f};
        ops->optimizer_run(plan, inputs);
        ops_check(buffers, "optimizer_run");
    }
    ops->optimizer_destroy(&plan);
}

static void optimizer_check(struct ops_target *ref, struct ops_target *targets, int target_count)
{
    for (int kind = OPTIMIZER_LARS; kind <= OPTIMIZER_ADAMW; kind++) {
        struct ops_buffers buffers = {0};
        float *want[3 * SEGMENTS], *got[3 * SEGMENTS], *again[3 * SEGMENTS];
        optimizer_execute(ref, &buffers, kind, want);
        for (int i = 0; i < target_count; i++) {
            struct ops_buffers run = {0};
            optimizer_execute(&targets[i], &run, kind, got);
            optimizer_execute(&targets[i], &run, kind, again);
            for (int j = 0; j < 3 * SEGMENTS; j++) {
                static const char *const NAMES[] = {"weight", "state1", "state2"};
                const size_t count = SEGMENT_COUNTS[j / 3];
                char label[200];
                snprintf(label, sizeof label, "%s, optimizer %d, segment %d, %s", targets[i].label, kind, j / 3,
                         NAMES[j % 3]);
                ops_near(label, got[j], want[j], count, 1e-6, 1e-6 * ops_rms(want[j], count));
                assert_memory_equal(got[j], again[j], count * sizeof(float));
            }
            ops_free(&run);
        }
        ops_free(&buffers);
    }
}

static void sum_squares_check(struct ops_target *ref, struct ops_target *targets, int target_count)
{
    static const size_t COUNTS[] = {0, 1, 15, 17, 1000, 100003};
    for (size_t i = 0; i < sizeof COUNTS / sizeof COUNTS[0]; i++)
        for (int kind = 0; kind < 3; kind++) {
            struct ops_buffers buffers = {0};
            const size_t count = COUNTS[i];
            float *values = ops_random(&buffers, count, 8500, -1, 1, false);
            if (kind == 1 && count > 0) values[count - 1] = 1e30f; /* its square is no float32 */
            if (kind == 2 && count > 0) values[count / 2] = i % 2 ? NAN : INFINITY;
            const double want = ops_sum_squares(ref, values, count);
            assert_true(isfinite(want) == (kind != 2 || count == 0));
            for (int j = 0; j < target_count; j++) {
                const double got = ops_sum_squares(&targets[j], values, count);
                if (isfinite(want) ? !(fabs(got - want) <= 1e-12 * want) : isfinite(got))
                    fail_msg("%s: sum of %zu squares is %.17g, should be %.17g", targets[j].label, count, got, want);
                const double again = ops_sum_squares(&targets[j], values, count);
                assert_memory_equal(&again, &got, sizeof got);
            }
            ops_free(&buffers);
        }
}

/* ---- dense products ---------------------------------------------------------------------------------------------- */
static void matmul_check(struct ops_suite *suite, int m, int n, int k, int flags)
{
    struct ops_buffers buffers = {0};
    struct matmul_args args = {.transpose_a = (flags & 1) != 0,
                               .transpose_b = (flags & 2) != 0,
                               .m = m,
                               .n = n,
                               .k = k,
                               .alpha = flags & 4 ? -1.5f : 1,
                               .beta = flags & 8 ? 0.5f : 0};
    const int gap = flags & 16 ? 5 : 0; /* rows longer than the matrix */
    const size_t a_rows = (size_t)(args.transpose_a ? k : m), b_rows = (size_t)(args.transpose_b ? n : k);
    args.lda = (args.transpose_a ? m : k) + gap;
    args.ldb = (args.transpose_b ? k : n) + gap;
    args.ldc = n + gap;
    /* The last row ends with the matrix, not with its leading dimension. */
    const size_t count = (size_t)m * (size_t)args.ldc - (size_t)gap;
    args.a = ops_random(&buffers, a_rows * (size_t)args.lda - (size_t)gap, 8601, -1, 1, false);
    args.b = ops_random(&buffers, b_rows * (size_t)args.ldb - (size_t)gap, 8602, -1, 1, false);
    float *start = ops_random(&buffers, count, 8603, -1, 1, false), *want = ops_floats(&buffers, count);
    if (args.beta == 0)
        for (size_t i = 0; i < count; i++)
            if (i % (size_t)args.ldc < (size_t)n) start[i] = NAN; /* must not be read */
    args.c = memcpy(want, start, count * sizeof *want);
    suite->ref.backend->ops->matmul(suite->ref.backend, &args);
    float *shared = ops_floats(&buffers, count);
    args.c = memcpy(shared, start, count * sizeof *shared);
    suite->ref_shared.backend->ops->matmul(suite->ref_shared.backend, &args);
    assert_memory_equal(want, shared, count * sizeof *want); /* ref's bits do not depend on threads */
    struct ops_target *targets = suite->target;
    for (int i = 0; i < suite->count; i++) {
        float *got = ops_floats(&buffers, count), *again = ops_floats(&buffers, count);
        char label[200];
        snprintf(label, sizeof label, "%s, product %d x %d x %d, flags %d", targets[i].label, m, n, k, flags);
        args.c = memcpy(got, start, count * sizeof *got);
        targets[i].backend->ops->matmul(targets[i].backend, &args);
        ops_check(&buffers, label);
        ops_near(label, got, want, count, 0, 2e-6 * sqrt(k) * ops_rms(want, count));
        for (size_t j = 0; j < count; j++)
            if (j % (size_t)args.ldc >= (size_t)n && got[j] != start[j]) fail_msg("%s: wrote between rows", label);
        args.c = memcpy(again, start, count * sizeof *again);
        targets[i].backend->ops->matmul(targets[i].backend, &args);
        assert_memory_equal(got, again, count * sizeof *got);
    }
    ops_free(&buffers);
}

/* ---- the program ------------------------------------------------------------------------------------------------- */
static void nt_xent(void **state)
{
    struct ops_suite *suite = *state;
    static const struct nt_xent_desc CASES[] = {{1, 4, 0.5f, true, 0, 0},     {3, 1, 0.5f, true, 0, 0},
                                                {2, 5, 0.1f, true, 0, 0},     {3, 128, 0.5f, true, 0, 0},
                                                {16, 16, 0.5f, true, 0, 0},   {17, 33, 0.1f, true, 0, 0},
                                                {48, 64, 0.1f, true, 0, 0},   {129, 96, 0.07f, true, 0, 0},
                                                {256, 128, 0.5f, true, 0, 0}, {300, 20, 0.05f, true, 0, 0}};
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++)
        for (int kind = 0; kind < 3; kind++) nt_xent_check(&suite->ref, suite->target, suite->count, CASES[i], kind);
}

static void optimizers(void **state)
{
    struct ops_suite *suite = *state;
    optimizer_check(&suite->ref, suite->target, suite->count);
}

static void sum_squares(void **state)
{
    struct ops_suite *suite = *state;
    sum_squares_check(&suite->ref, suite->target, suite->count);
}

static void matmul(void **state)
{
    struct ops_suite *suite = *state;
    static const int SIZES[][3] = {{1, 1, 1},    {3, 16, 17},  {17, 3, 1},    {16, 33, 100}, {64, 64, 64},
                                   {33, 130, 5}, {100, 1, 33}, {1, 128, 257}, {70, 90, 300}};
    for (size_t i = 0; i < sizeof SIZES / sizeof SIZES[0]; i++)
        for (int flags = 0; flags < 32; flags++) matmul_check(suite, SIZES[i][0], SIZES[i][1], SIZES[i][2], flags);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nt_xent),    cmocka_unit_test(nt_xent_ranges), cmocka_unit_test(nt_xent_range_refusals),
        cmocka_unit_test(optimizers), cmocka_unit_test(sum_squares),    cmocka_unit_test(matmul)};
    return run_cases(tests, ops_suite_open, ops_suite_close);
}
