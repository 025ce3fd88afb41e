/* A batch norm whose statistics two processes share. Each has its part of the images, and they add up what the
 * contract's first halves give. Both together give what one process gives of the whole batch, on every target. */
#include "ops/ops.h"

enum { GROUP_CHANNELS = 20, GROUP_SIDE = 3, GROUP_IMAGES = 5, GROUP_FIRST = 2 };

/* What one process makes of its images, [first, first + batch) of the whole. */
struct group_part {
    int first, batch;
    struct batch_norm_plan *plan;
    struct tensor_desc shape;
    void *x, *y, *d_y, *mask, *saved;
    double *sums, *back_sums;
    float *next_mean, *next_var, *d_gamma, *d_beta;
};

struct group_data {
    float *x, *d_y, *gamma, *beta, *running;
};

static void group_open(struct ops_buffers *buffers, struct ops_target *target, const struct group_data *data,
                       struct group_part *part)
{
    const struct backend_ops *ops = target->backend->ops;
    const struct batch_norm_desc desc = {.batch = part->batch,
                                         .channels = GROUP_CHANNELS,
                                         .height = GROUP_SIDE,
                                         .width = GROUP_SIDE,
                                         .relu = true,
                                         .training = true,
                                         .epsilon = 1e-5f,
                                         .momentum = 0.1f};
    const size_t pixels = GROUP_SIDE * GROUP_SIDE, image = GROUP_CHANNELS * pixels;
    const float *x = data->x + (size_t)part->first * image;
    if (ops->batch_norm_create(target->backend, &desc, &part->plan, NULL) != SIMCLR_OK) fail_msg("%s", target->label);
    part->shape = ops_tensor(DTYPE_F32, part->batch, GROUP_CHANNELS, GROUP_SIDE, GROUP_SIDE);
    part->x = ops_upload(buffers, target, &part->shape, x);
    part->d_y = ops_upload(buffers, target, &part->shape, data->d_y + (size_t)part->first * image);
    part->y = ops_upload(buffers, target, &part->shape, NULL);
    part->mask = ops_new(buffers, ops->batch_norm_mask_bytes(part->plan));
    part->saved = ops_new(buffers, ops->batch_norm_saved_bytes(part->plan));
    part->sums = ops_statistics(buffers, target, GROUP_CHANNELS);
    part->back_sums = ops_statistics(buffers, target, GROUP_CHANNELS);
    float **floats[] = {&part->next_mean, &part->next_var, &part->d_gamma, &part->d_beta};
    for (int i = 0; i < 4; i++) *floats[i] = ops_floats(buffers, GROUP_CHANNELS);
    memset(part->sums, 0, 2 * GROUP_CHANNELS * sizeof *part->sums);
    for (size_t i = 0; i < (size_t)part->batch * image; i++) {
        part->sums[i / pixels % GROUP_CHANNELS] += (double)x[i];
        part->sums[GROUP_CHANNELS + i / pixels % GROUP_CHANNELS] += (double)x[i] * (double)x[i];
    }
}

static void group_forward(struct ops_target *target, const struct group_data *data, struct group_part *part,
                          const double *statistics)
{
    target->backend->ops->batch_norm_forward(
        part->plan, &(struct batch_norm_forward_args){.y = part->y,
                                                      .mask = part->mask,
                                                      .saved = part->saved,
                                                      .next_mean = part->next_mean,
                                                      .next_var = part->next_var,
                                                      .x = part->x,
                                                      .statistics = statistics,
                                                      .count = GROUP_IMAGES * GROUP_SIDE * GROUP_SIDE,
                                                      .gamma = data->gamma,
                                                      .beta = data->beta,
                                                      .running_mean = data->running,
                                                      .running_var = data->running});
}

static void group_sums(struct ops_target *target, struct group_part *part)
{
    target->backend->ops->batch_norm_backward_sums(part->plan, &(struct batch_norm_sums_args){.sums = part->back_sums,
                                                                                              .d_gamma = part->d_gamma,
                                                                                              .d_beta = part->d_beta,
                                                                                              .d_y = part->d_y,
                                                                                              .x = part->x,
                                                                                              .mask = part->mask,
                                                                                              .saved = part->saved});
}

static void group_backward(struct ops_target *target, const struct group_data *data, struct group_part *part,
                           const double *sums)
{
    target->backend->ops->batch_norm_backward(
        part->plan, &(struct batch_norm_backward_args){.d_x = part->d_y,
                                                       .sums = sums,
                                                       .count = GROUP_IMAGES * GROUP_SIDE * GROUP_SIDE,
                                                       .d_y = part->d_y,
                                                       .x = part->x,
                                                       .mask = part->mask,
                                                       .saved = part->saved,
                                                       .gamma = data->gamma});
}

/* The sums of both, as a group of processes would exchange them. */
static const double *group_join(struct ops_buffers *buffers, const struct ops_target *target, const double *a,
                                const double *b)
{
    double *sums = ops_statistics(buffers, target, GROUP_CHANNELS);
    for (int i = 0; i < 2 * GROUP_CHANNELS; i++) sums[i] = a[i] + b[i];
    return sums;
}

/* The next running statistics from the sums alone are those of a forward pass that had them, bit for bit. */
static void group_check_running(struct ops_buffers *buffers, struct ops_target *target, const struct group_data *data,
                                const struct group_part *part, const double *statistics)
{
    float *mean = ops_floats(buffers, GROUP_CHANNELS), *variance = ops_floats(buffers, GROUP_CHANNELS);
    double *sums = ops_statistics(buffers, target, GROUP_CHANNELS);
    memset(sums, 0, 2 * GROUP_CHANNELS * sizeof *sums);
    target->backend->ops->add_sums(target->backend, sums, statistics, 2 * GROUP_CHANNELS);
    target->backend->ops->batch_norm_running(
        part->plan, &(struct batch_norm_running_args){.next_mean = mean,
                                                      .next_var = variance,
                                                      .statistics = sums,
                                                      .count = GROUP_IMAGES * GROUP_SIDE * GROUP_SIDE,
                                                      .running_mean = data->running,
                                                      .running_var = data->running});
    assert_memory_equal(mean, part->next_mean, GROUP_CHANNELS * sizeof *mean);
    assert_memory_equal(variance, part->next_var, GROUP_CHANNELS * sizeof *variance);
}

/* Two processes with two and three images and the sums of both are one with five; a gradient of gamma or beta is the
 * sum of theirs. Sums in another order, and float32 sums of another number of terms: 1e-5. */
static void group_check(struct ops_target *target)
{
    struct ops_buffers buffers = {0};
    const size_t image = GROUP_CHANNELS * GROUP_SIDE * GROUP_SIDE, count = GROUP_IMAGES * image;
    const struct group_data data = {.x = ops_random(&buffers, count, 801, -1, 3, false),
                                    .d_y = ops_random(&buffers, count, 802, -1, 1, false),
                                    .gamma = ops_random(&buffers, GROUP_CHANNELS, 803, 0.5f, 1.5f, false),
                                    .beta = ops_random(&buffers, GROUP_CHANNELS, 804, -1, 1, false),
                                    .running = ops_random(&buffers, GROUP_CHANNELS, 805, 0.5f, 1, false)};
    struct group_part whole = {.batch = GROUP_IMAGES},
                      part[2] = {{.batch = GROUP_FIRST}, {.first = GROUP_FIRST, .batch = GROUP_IMAGES - GROUP_FIRST}};
    group_open(&buffers, target, &data, &whole);
    group_forward(target, &data, &whole, whole.sums);
    group_sums(target, &whole);
    group_backward(target, &data, &whole, whole.back_sums);
    for (int i = 0; i < 2; i++) group_open(&buffers, target, &data, &part[i]);
    const double *statistics = group_join(&buffers, target, part[0].sums, part[1].sums);
    for (int i = 0; i < 2; i++) group_forward(target, &data, &part[i], statistics);
    for (int i = 0; i < 2; i++) group_check_running(&buffers, target, &data, &part[i], statistics);
    for (int i = 0; i < 2; i++) group_sums(target, &part[i]);
    const double *sums = group_join(&buffers, target, part[0].back_sums, part[1].back_sums);
    for (int i = 0; i < 2; i++) group_backward(target, &data, &part[i], sums);
    ops_check(&buffers, "a group's batch norm");

    const float *y = ops_download(&buffers, target, &whole.shape, whole.y);
    const float *d_x = ops_download(&buffers, target, &whole.shape, whole.d_y);
    for (int i = 0; i < 2; i++) {
        const size_t first = (size_t)part[i].first * image, values = (size_t)part[i].batch * image;
        ops_near("a group's y", ops_download(&buffers, target, &part[i].shape, part[i].y), y + first, values, 1e-5,
                 1e-6);
        ops_near("a group's d_x", ops_download(&buffers, target, &part[i].shape, part[i].d_y), d_x + first, values,
                 1e-5, 1e-5);
        ops_near("a group's mean", part[i].next_mean, whole.next_mean, GROUP_CHANNELS, 1e-6, 1e-7);
        ops_near("a group's variance", part[i].next_var, whole.next_var, GROUP_CHANNELS, 1e-6, 1e-7);
        target->backend->ops->batch_norm_destroy(&part[i].plan);
    }
    for (int c = 0; c < GROUP_CHANNELS; c++) {
        part[0].d_gamma[c] += part[1].d_gamma[c];
        part[0].d_beta[c] += part[1].d_beta[c];
    }
    ops_near("a group's d_gamma", part[0].d_gamma, whole.d_gamma, GROUP_CHANNELS, 1e-5, 1e-5);
    ops_near("a group's d_beta", part[0].d_beta, whole.d_beta, GROUP_CHANNELS, 1e-5, 1e-5);
    target->backend->ops->batch_norm_destroy(&whole.plan);
    ops_free(&buffers);
}

static void batch_norm_group(void **state)
{
    struct ops_suite *suite = *state;
    group_check(&suite->ref);
    for (int i = 0; i < suite->count; i++) group_check(&suite->target[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(batch_norm_group)};
    return run_cases(tests, ops_suite_open, ops_suite_close);
}
