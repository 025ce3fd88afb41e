/* A step whose batch falls into groups (train/step_passes.h), held to its definition. That is an independent forward
 * pass of each group, one loss over all rows, a backward pass of each group, and the sum of the gradients. */
#include "support/images.h"
#include "support/network_check.h" /* cmocka, before those that assert */

#include "base/memory.h"
#include "loader/loader.h"
#include "support/random.h"
#include "train/step.h"

enum { IMAGES = 12, SIZE = 16, DIM = 16, STEPS = 2, PLANE = 3 * SIZE * SIZE };
static const double TEMPERATURE = 0.2, MOMENTUM = 0.1; /* MOMENTUM: of the running statistics */

static const struct model_config MODEL = {.resnet.depth = 18,
                                          .resnet.width = 0.125,
                                          .resnet.stem = STEM_CIFAR,
                                          .image_size = SIZE,
                                          .head_layers = 2,
                                          .head_dim = DIM};

/* ---- a step, and its batches -------------------------------------------------------------------------------- */

struct kind {
    const char *variant;
    enum dtype dtype;
    struct grouping grouping;
    enum recompute recompute;
    int kept; /* groups; 0: all */
    bool averaged;
};

struct run {
    struct bench_backend bench;
    struct model *model, *average;
    struct step step;
    float *canonical; /* [2 IMAGES][PLANE], in the order of the loss */
    void *views;      /* the same for the network, by groups */
};

/* Random views of step `number`; `spoiled`: one of its images, or -1. */
static void fill_views(struct run *run, int number, int spoiled)
{
    const struct grouping *grouping = &run->step.groups.grouping;
    float *by_groups = memory_array(2 * IMAGES * PLANE, sizeof(float));
    assert_non_null(by_groups);
    random_normals(run->canonical, 2 * IMAGES * PLANE, (uint32_t)(100 + number));
    if (spoiled >= 0) run->canonical[(size_t)spoiled * PLANE + 7] = NAN;
    for (int view = 0; view < 2; view++)
        for (int image = 0; image < IMAGES; image++)
            memcpy(by_groups + (size_t)grouping_row(grouping, view, image) * PLANE,
                   run->canonical + (size_t)(view * IMAGES + image) * PLANE, PLANE * sizeof(float));
    const size_t group_values = 2 * (size_t)grouping_size(grouping) * PLANE;
    for (int group = 0; group < grouping_count(grouping); group++)
        network_write_images(run->step.network,
                             (char *)run->views + (size_t)group * network_image_bytes(run->step.network),
                             by_groups + (size_t)group * group_values);
    memory_free(by_groups);
}

/* Bytes of the activations of one group. */
static size_t arena_of(const struct kind *kind, const struct run *run, const struct step_config *config)
{
    struct step dry;
    struct error error = {0};
    struct step_config measured = *config;
    measured.planning.dry = true;
    CHECK_OK(step_open_network(&dry, &measured, run->bench.backend, run->model, &error), error);
    const size_t bytes = network_arena_bytes(dry.network);
    step_close(&dry);
    return (size_t)kind->kept * bytes;
}

static struct run open_run(const struct kind *kind)
{
    struct error error = {0};
    struct run run = {.bench = open_backend(kind->variant)};
    CHECK_OK(model_create(&run.model, &MODEL, run.bench.backend, 3, &error), error);
    if (kind->averaged) CHECK_OK(model_create(&run.average, &MODEL, run.bench.backend, 3, &error), error);
    struct step_config config = {.loss = &step_nt_xent,
                                 .images = IMAGES,
                                 .group = kind->grouping.group,
                                 .group_shuffle = kind->grouping.shuffled,
                                 .temperature = TEMPERATURE,
                                 .dtype = kind->dtype,
                                 .planning = run.bench.options,
                                 .optimizer = step_optimizer_usual(OPTIMIZER_LARS),
                                 .schedule = step_schedule_constant(0.3),
                                 .average = run.average,
                                 .average_decay = 0.9};
    config.planning.recompute = kind->recompute;
    config.memory = arena_of(kind, &run, &config);
    CHECK_OK(step_open(&run.step, &config, run.bench.backend, run.model, &error), error);
    if (kind->kept > 0) assert_int_equal(step_groups_kept(&run.step), kind->kept);
    run.canonical = memory_array(2 * IMAGES * PLANE, sizeof(float));
    run.views = memory_allocate((size_t)run.step.groups.count * network_image_bytes(run.step.network));
    assert_non_null(run.canonical);
    assert_non_null(run.views);
    return run;
}

static void close_run(struct run *run)
{
    memory_free(run->canonical);
    memory_free(run->views);
    step_close(&run->step);
    model_destroy(&run->model);
    model_destroy(&run->average);
    close_backend(&run->bench);
}

static struct batch batch_of(const struct run *run)
{
    return (struct batch){.count = IMAGES, .views = run->views};
}

/* ---- the definition ------------------------------------------------------------------------------------------ */

/* L and its gradient with respect to z, from equation 1 of the paper, in double. */
static double plain_loss(double *d_z, const float *z)
{
    enum { ROWS = 2 * IMAGES };
    static double u[ROWS][DIM], length[ROWS], p[ROWS][ROWS];
    double loss = 0;
    for (int i = 0; i < ROWS; i++) {
        double squares = 0;
        for (int k = 0; k < DIM; k++) squares += (double)z[i * DIM + k] * z[i * DIM + k];
        length[i] = sqrt(squares);
        for (int k = 0; k < DIM; k++) u[i][k] = z[i * DIM + k] / length[i];
    }
    for (int i = 0; i < ROWS; i++) {
        double sum = 0;
        for (int j = 0; j < ROWS; j++) {
            double similarity = 0;
            for (int k = 0; k < DIM; k++) similarity += u[i][k] * u[j][k];
            p[i][j] = i == j ? 0 : exp(similarity / TEMPERATURE);
            sum += p[i][j];
        }
        loss -= log(p[i][(i + IMAGES) % ROWS] / sum) / ROWS;
        for (int j = 0; j < ROWS; j++) p[i][j] /= sum;
    }
    for (int i = 0; i < ROWS; i++) {
        double d_u[DIM] = {0}, along = 0;
        for (int j = 0; j < ROWS; j++) {
            const double weight = p[i][j] + p[j][i] - (j == (i + IMAGES) % ROWS ? 2 : 0);
            for (int k = 0; k < DIM; k++) d_u[k] += weight / (TEMPERATURE * ROWS) * u[j][k];
        }
        for (int k = 0; k < DIM; k++) along += d_u[k] * u[i][k];
        for (int k = 0; k < DIM; k++) d_z[i * DIM + k] = (d_u[k] - along * u[i][k]) / length[i];
    }
    return loss;
}

/* What independent networks over the same weights make of the groups: z in the order of the loss, the sum of their
 * gradients of the weights (the last group's first), and the next running statistics of the whole batch. */
struct definition {
    float *z, *gradients, *statistics;
};

/* Values of a channel that a batch norm's statistics run over, by the name of its running mean. */
static int64_t values_of(const struct network *network, const char *running_mean)
{
    struct network_operation operation;
    for (int i = 0; network_operation(network, i, &operation); i++) {
        const size_t length = strlen(operation.name);
        if (strncmp(running_mean, operation.name, length) == 0 && strcmp(running_mean + length, ".running_mean") == 0)
            return (int64_t)operation.row->output.batch * operation.row->output.height * operation.row->output.width;
    }
    fail_msg("no batch norm has %s", running_mean);
    return 0;
}

/* From mean and unbiased variance of each group to those of all their values; mean, squares: sums over the groups of
 * the mean and of the mean square. */
static void join_statistics(const struct run *run, const struct network *network, const struct parameters *parameters,
                            const double *means, const double *squares, float *out)
{
    const int groups = run->step.groups.count;
    for (int i = 0; i < parameters->count; i++) {
        const struct parameter *mean = &parameters->items[i];
        if (!strstr(mean->name, ".running_mean")) continue;
        const struct parameter *variance = mean + 1;
        assert_non_null(strstr(variance->name, ".running_var"));
        const double count = (double)values_of(network, mean->name) * groups;
        for (size_t c = 0; c < mean->count; c++) {
            const double all = means[mean->offset + c] / groups;
            const double biased = squares[mean->offset + c] / groups - all * all;
            const float *before = run->model->parameters.buffers;
            out[mean->offset + c] = (float)((1 - MOMENTUM) * before[mean->offset + c] + MOMENTUM * all);
            out[variance->offset + c] =
                (float)((1 - MOMENTUM) * before[variance->offset + c] + MOMENTUM * biased * count / (count - 1));
        }
    }
}

static void add_statistics(const struct network *network, const struct parameters *parameters, double *means,
                           double *squares)
{
    for (int i = 0; i < parameters->count; i++) {
        const struct parameter *mean = &parameters->items[i];
        if (!strstr(mean->name, ".running_mean")) continue;
        const double count = (double)values_of(network, mean->name);
        const float *m = parameters->buffers_next + mean->offset, *v = parameters->buffers_next + mean[1].offset;
        for (size_t c = 0; c < mean->count; c++) {
            means[mean->offset + c] += m[c];
            squares[mean->offset + c] += (double)v[c] * (count - 1) / count + (double)m[c] * m[c];
        }
    }
}

/* d_z: [2 IMAGES][DIM], where the backward passes start from. */
static struct definition define(struct run *run, const struct kind *kind, const float *d_z)
{
    struct error error = {0};
    struct model *model;
    struct network *network;
    struct model_tensors tensors;
    const struct grouping *grouping = &run->step.groups.grouping;
    const int size = grouping_size(grouping), groups = grouping_count(grouping);
    CHECK_OK(model_create(&model, &MODEL, run->bench.backend, 3, &error), error);
    struct parameters *ours = &model->parameters;
    memcpy(ours->weights, run->model->parameters.weights, ours->weight_count * sizeof(float));
    struct model_plan_args args = {.backend = run->bench.backend,
                                   .mode = NETWORK_TRAINING,
                                   .dtype = kind->dtype,
                                   .batch = 2 * size,
                                   .options = run->bench.options};
    args.options.recompute = RECOMPUTE_OFF;
    args.options.statistics_share = 1; /* so that the next running ones are the batch's */
    CHECK_OK(model_plan(model, &args, &network, &tensors, &error), error);
    struct definition out = {memory_array(2 * IMAGES * DIM, sizeof(float)),
                             memory_array(ours->weight_count, sizeof(float)),
                             memory_array(ours->buffer_count, sizeof(float))};
    double *means = memory_array(ours->buffer_count, sizeof *means), *squares = memory_array(ours->buffer_count, 8);
    float *images = memory_array(2 * (size_t)size * PLANE, sizeof(float)),
          *rows = memory_array(2 * (size_t)size * DIM, 4);
    for (int group = groups - 1; group >= 0; group--) {
        for (int row = 0; row < 2 * size; row++) {
            const int of = row / size * IMAGES + grouping_image(grouping, group, row / size, row % size);
            memcpy(images + (size_t)row * PLANE, run->canonical + (size_t)of * PLANE, PLANE * sizeof(float));
        }
        void *input = images_of(network, images);
        network_forward(network, input);
        network_read(network, tensors.z, rows);
        add_statistics(network, ours, means, squares);
        for (int row = 0; row < 2 * size; row++) {
            const int of = row / size * IMAGES + grouping_image(grouping, group, row / size, row % size);
            memcpy(out.z + (size_t)of * DIM, rows + (size_t)row * DIM, DIM * sizeof(float));
            memcpy(rows + (size_t)row * DIM, d_z + (size_t)of * DIM, DIM * sizeof(float));
        }
        network_backward(network, tensors.z, rows);
        for (size_t i = 0; i < ours->weight_count; i++)
            out.gradients[i] = group == groups - 1 ? ours->gradients[i] : out.gradients[i] + ours->gradients[i];
        memory_free(input);
    }
    join_statistics(run, network, ours, means, squares, out.statistics);
    network_destroy(&network);
    model_destroy(&model);
    memory_free(means);
    memory_free(squares);
    memory_free(images);
    memory_free(rows);
    return out;
}

static void free_definition(struct definition *definition)
{
    memory_free(definition->z);
    memory_free(definition->gradients);
    memory_free(definition->statistics);
}

/* z of the groups and, from the same gradient of z, the sum of their gradients: bit for bit. Loss and gradient of z,
 * and the running statistics, which are sums in another order: to rounding. */
static void check_definition(const struct kind *kind)
{
    struct error error = {0};
    struct step_report report;
    struct run run = open_run(kind);
    double d_z[2 * IMAGES * DIM];
    float rounded[2 * IMAGES * DIM];
    for (int number = 0; number < STEPS; number++) {
        fill_views(&run, number, -1);
        const struct batch batch = batch_of(&run);
        step_forward(&run.step, &batch);
        step_loss(&run.step);
        step_backward(&run.step);
        struct definition definition = define(&run, kind, run.step.groups.all_d_z);
        assert_memory_equal(run.step.groups.all_z, definition.z, sizeof rounded);
        const struct parameters *parameters = &run.model->parameters;
        assert_memory_equal(parameters->gradients, definition.gradients, parameters->weight_count * sizeof(float));
        CHECK_WITHIN(relative(parameters->buffers_next, definition.statistics, parameters->buffer_count), 1e-6,
                     "running statistics of the whole batch");
        const double loss = plain_loss(d_z, definition.z);
        for (int i = 0; i < 2 * IMAGES * DIM; i++) rounded[i] = (float)d_z[i];
        CHECK_WITHIN(relative(run.step.groups.all_d_z, rounded, 2 * IMAGES * DIM), 1e-6, "gradient of z");
        CHECK_OK(step_update(&run.step, &report, &error), error);
        assert_false(report.skipped);
        CHECK_WITHIN(fabs(report.loss - loss), 1e-6 * loss, "loss");
        assert_memory_equal(parameters->buffers, parameters->buffers_next, parameters->buffer_count * sizeof(float));
        free_definition(&definition);
    }
    close_run(&run);
}

static void groups_are_what_they_are_by_definition(void **state)
{
    (void)state;
    for (int shuffled = 0; shuffled < 2; shuffled++)
        for (int group = 4; group >= 2; group -= 2) {
            const struct grouping grouping = {IMAGES, group, shuffled};
            check_definition(&(struct kind){.variant = "ref", .dtype = DTYPE_F64, .grouping = grouping, .kept = 1});
            check_definition(&(struct kind){.variant = "ref", .dtype = DTYPE_F32, .grouping = grouping, .kept = 2});
            for (const char *const *variant = simd_words(); *variant; variant++) {
                if (!simd_runs(*variant) || group == 2) continue;
                check_definition(
                    &(struct kind){.variant = *variant, .dtype = DTYPE_F32, .grouping = grouping, .kept = 1});
                check_definition(
                    &(struct kind){.variant = *variant, .dtype = DTYPE_BF16, .grouping = grouping, .kept = 2});
            }
        }
}

/* ---- what is kept, what is made again -------------------------------------------------------------------------- */

/* Everything that steps change: weights, gradients, statistics, momentum, averages. */
static float *state_after(const struct kind *kind, int spoiled, size_t *count)
{
    struct error error = {0};
    struct run run = open_run(kind);
    struct step_report report;
    for (int number = 0; number < STEPS; number++) {
        fill_views(&run, number, number == 0 ? spoiled : -1);
        const struct batch batch = batch_of(&run);
        CHECK_OK(step_run(&run.step, &batch, &report, &error), error);
        assert_int_equal(report.skipped, number == 0 && spoiled >= 0);
    }
    assert_int_equal(run.step.number, STEPS);
    const struct parameters *parameters = &run.model->parameters,
                            *averages = run.average ? &run.average->parameters : NULL;
    const float *slabs[] = {parameters->weights,
                            parameters->gradients,
                            parameters->buffers,
                            run.step.optimizer->state1,
                            averages ? averages->weights : NULL,
                            averages ? averages->buffers : NULL};
    const size_t weights = parameters->weight_count, buffers = parameters->buffer_count;
    const size_t counts[] = {weights, weights, buffers, weights, averages ? weights : 0, averages ? buffers : 0};
    *count = 0;
    for (int i = 0; i < 6; i++) *count += counts[i];
    float *state = memory_array(*count, sizeof *state), *at = state;
    assert_non_null(state);
    for (int i = 0; i < 6; i++) {
        if (counts[i] > 0) memcpy(at, slabs[i], counts[i] * sizeof *at);
        at += counts[i];
    }
    close_run(&run);
    return state;
}

static void check_keeping(struct kind kind, int spoiled)
{
    size_t count, others;
    kind.kept = 1;
    kind.averaged = true;
    float *one = state_after(&kind, spoiled, &count);
    for (kind.kept = 2; kind.kept <= 3; kind.kept++) {
        kind.recompute = kind.kept == 2 ? RECOMPUTE_ON : RECOMPUTE_OFF;
        float *more = state_after(&kind, spoiled, &others);
        assert_int_equal(count, others);
        assert_memory_equal(one, more, count * sizeof *one);
        memory_free(more);
    }
    memory_free(one);
}

static void kept_and_made_again_are_the_same_bits(void **state)
{
    (void)state;
    const struct grouping grouping = {IMAGES, 4, false};
    check_keeping((struct kind){.variant = "ref", .dtype = DTYPE_F32, .grouping = grouping}, -1);
    for (const char *const *variant = simd_words(); *variant; variant++) {
        if (!simd_runs(*variant)) continue;
        check_keeping((struct kind){.variant = *variant, .dtype = DTYPE_F32, .grouping = grouping}, -1);
        check_keeping((struct kind){.variant = *variant, .dtype = DTYPE_BF16, .grouping = grouping}, -1);
    }
}

/* A NaN in a view of one group: the whole step is skipped, and leaves no trace. */
static void a_step_with_a_group_that_is_not_finite_is_skipped(void **state)
{
    (void)state;
    for (int spoiled = 0; spoiled < IMAGES; spoiled += 7) {
        const struct grouping grouping = {IMAGES, 4, false};
        check_keeping((struct kind){.variant = "ref", .dtype = DTYPE_F32, .grouping = grouping}, spoiled);
        check_keeping((struct kind){.variant = "auto", .dtype = DTYPE_F32, .grouping = grouping}, spoiled);
    }
}

/* ---- the second pass --------------------------------------------------------------------------------------------- */

/* Whoever times steps takes batches that the count of steps does not number. */
enum { BATCH_AHEAD = 40 };

/* Hands the views out a group at a time. */
struct parts {
    struct run *run;
    int taken;         /* calls */
    int spoil;         /* the part whose views are others than the first time; -1: none */
    int fail;          /* the part that cannot be read; -1: none */
    float *other;      /* room for one group */
    struct batch part; /* the one handed out */
};

static int next_part(void *owner, int64_t step, int part, const struct batch **out, struct error *error)
{
    struct parts *parts = owner;
    const struct step *of = &parts->run->step;
    const int groups = of->groups.count, group = part < groups ? part : 2 * groups - 2 - part;
    const size_t bytes = network_image_bytes(of->network);
    assert_int_equal(step, BATCH_AHEAD + of->number);
    assert_int_equal(part, parts->taken % (2 * groups - 2) + 1); /* part 0 is given to step_forward */
    parts->taken++;
    if (part == parts->fail) return error_set(error, SIMCLR_IO, "part %d cannot be read", part);
    memcpy(parts->other, (char *)parts->run->views + (size_t)group * bytes, bytes);
    if (part == parts->spoil) parts->other[bytes / sizeof(float) / 2] += 0.5f;
    parts->part = (struct batch){.count = grouping_size(&of->groups.grouping), .views = parts->other, .step = step};
    *out = &parts->part;
    return SIMCLR_OK;
}

static int step_by_parts(struct run *run, struct parts *parts, struct step_report *report, struct error *error)
{
    parts->run = run;
    parts->taken = 0;
    run->step.groups.views = (struct step_views){parts, next_part};
    const struct batch first = {.count = grouping_size(&run->step.groups.grouping),
                                .views = run->views,
                                .step = BATCH_AHEAD + run->step.number};
    return step_run(&run->step, &first, report, error);
}

/* Views by parts are those of the whole batch. Views of the second pass that are others than those of the first, or
 * that cannot be read, end the step with a sentence; the model stays as it was. */
static void views_of_the_second_pass_are_those_of_the_first(void **state)
{
    (void)state;
    struct error error = {0};
    struct step_report report;
    const struct kind kind = {.variant = "auto", .dtype = DTYPE_F32, .grouping = {IMAGES, 4, false}, .kept = 1};
    struct run whole = open_run(&kind), run = open_run(&kind);
    struct parts parts = {.spoil = -1, .fail = -1, .other = memory_allocate(network_image_bytes(run.step.network))};
    const struct parameters *ours = &run.model->parameters;
    const size_t bytes = ours->weight_count * sizeof(float);
    float *before = memory_allocate(bytes);
    fill_views(&whole, 0, -1);
    fill_views(&run, 0, -1);
    const struct batch batch = batch_of(&whole);
    CHECK_OK(step_run(&whole.step, &batch, &report, &error), error);
    CHECK_OK(step_by_parts(&run, &parts, &report, &error), error);
    assert_int_equal(parts.taken, 4); /* of groups 1, 2, then 1, 0: group 2 is at hand */
    assert_memory_equal(ours->weights, whole.model->parameters.weights, bytes);
    memcpy(before, ours->weights, bytes);
    for (parts.spoil = 3; parts.spoil <= 4; parts.spoil++) {
        assert_int_equal(step_by_parts(&run, &parts, &report, &error), SIMCLR_DEVICE);
        assert_non_null(strstr(error.text, parts.spoil == 3 ? "step 2: the second forward pass of group 2 of 3"
                                                            : "step 2: the second forward pass of group 1 of 3"));
        assert_memory_equal(ours->weights, before, bytes);
        assert_int_equal(run.step.number, 1);
    }
    parts.spoil = -1;
    for (parts.fail = 1; parts.fail <= 4; parts.fail++) {
        assert_int_equal(step_by_parts(&run, &parts, &report, &error), SIMCLR_IO);
        assert_non_null(strstr(error.text, "cannot be read"));
        assert_memory_equal(ours->weights, before, bytes);
        assert_int_equal(run.step.number, 1);
    }
    parts.fail = -1;
    fill_views(&whole, 1, -1);
    fill_views(&run, 1, -1);
    CHECK_OK(step_run(&whole.step, &batch, &report, &error), error);
    CHECK_OK(step_by_parts(&run, &parts, &report, &error), error);
    assert_memory_equal(ours->weights, whole.model->parameters.weights, bytes);
    assert_memory_equal(ours->buffers, whole.model->parameters.buffers, ours->buffer_count * sizeof(float));
    const struct batch wrong = {.count = 5, .views = run.views};
    assert_int_equal(step_run(&run.step, &wrong, &report, &error), SIMCLR_INVALID);
    memory_free(before);
    memory_free(parts.other);
    close_run(&whole);
    close_run(&run);
}

/* ---- groups that are one ------------------------------------------------------------------------------------------
 */

/* A group of all images is the plain step: the same bits, and nothing of groups is there. */
static void one_group_is_the_plain_step(void **state)
{
    (void)state;
    size_t count, others;
    const struct kind plain = {.variant = "auto", .dtype = DTYPE_F32, .grouping = {IMAGES, 0, false}};
    const struct kind one = {.variant = "auto", .dtype = DTYPE_F32, .grouping = {IMAGES, IMAGES, true}};
    float *expected = state_after(&plain, -1, &count), *got = state_after(&one, -1, &others);
    assert_int_equal(count, others);
    assert_memory_equal(expected, got, count * sizeof *got);
    memory_free(expected);
    memory_free(got);
    struct run run = open_run(&one);
    assert_int_equal(run.step.groups.count, 1);
    assert_null(run.step.groups.sum);
    close_run(&run);
}

/* What groups change is another function, not rounding: otherwise these tests would see nothing. */
static void groups_change_the_result(void **state)
{
    (void)state;
    size_t count, others;
    const struct kind plain = {.variant = "auto", .dtype = DTYPE_F32, .grouping = {IMAGES, 0, false}};
    const struct kind groups = {.variant = "auto", .dtype = DTYPE_F32, .grouping = {IMAGES, 4, false}};
    const struct kind spread = {.variant = "auto", .dtype = DTYPE_F32, .grouping = {IMAGES, 4, true}};
    float *a = state_after(&plain, -1, &count), *b = state_after(&groups, -1, &others),
          *c = state_after(&spread, -1, &others);
    assert_true(relative(b, a, count) > 1e-3);
    assert_true(relative(c, a, count) > 1e-3);
    assert_true(relative(c, b, count) > 1e-3);
    memory_free(a);
    memory_free(b);
    memory_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(groups_are_what_they_are_by_definition),
        cmocka_unit_test(kept_and_made_again_are_the_same_bits),
        cmocka_unit_test(a_step_with_a_group_that_is_not_finite_is_skipped),
        cmocka_unit_test(views_of_the_second_pass_are_those_of_the_first),
        cmocka_unit_test(one_group_is_the_plain_step),
        cmocka_unit_test(groups_change_the_result),
    };
    return run_cases(tests, NULL, NULL);
}
