/* The messages that are predicted are those that a run sends, to the byte, for each rank. The ranks of a real step are
 * threads, which count what they are given. step_traffic has a step that one process has planned and never run. */
#include "support/ranks_training.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "train/step_traffic.h"

struct outcome {
    struct ranks_setting setting;
    struct comm_threads_count counted[COMM_THREADS_MAX];
    char wrong[200];
};

/* communicator NULL: planned as one of so many ranks. */
static int open_step(struct step *step, struct model **model, const struct ranks_setting *setting,
                     struct backend *backend, struct communicator *communicator, struct error *error)
{
    const struct model_config config = ranks_model(setting->depth);
    struct step_config training = ranks_step(setting, communicator);
    training.planning.dry = !communicator;
    training.ranks = communicator ? 0 : setting->ranks;
    int status = model_create(model, &config, backend, 1, error);
    if (!status) status = step_open_network(step, &training, backend, *model, error);
    if (!status) status = step_open_loss(step, &training, error);
    if (!status && communicator) status = step_open_optimizer(step, &training, error);
    return status;
}

/* What a rank is given between the top of a step and its end. */
static void take_step(struct outcome *outcome, struct step *step, struct communicator *communicator, int images)
{
    const size_t values = 2 * (size_t)images * 3 * RANKS_SIZE * RANKS_SIZE;
    const int groups = step->groups.count;
    float *canonical = malloc(values * sizeof *canonical);
    char *views = memory_allocate((size_t)groups * network_image_bytes(step->network));
    struct error error = {0};
    struct step_report report;
    for (size_t i = 0; i < values; i++) canonical[i] = (float)(i * 2654435761U >> 8 & 0xffff) / 65536;
    for (int g = 0; g < groups; g++)
        network_write_images(step->network, views + (size_t)g * network_image_bytes(step->network),
                             canonical + values / (size_t)groups * (size_t)g);
    const struct batch batch = {.count = images, .views = views};
    const struct comm_threads_count before = comm_threads_counted(communicator);
    int status = communicator_agree_status(communicator, SIMCLR_OK, &error); /* as at the top of pretrain's loop */
    if (!status) status = step_run(step, &batch, &report, &error);
    const struct comm_threads_count after = comm_threads_counted(communicator);
    outcome->counted[communicator->rank] =
        (struct comm_threads_count){after.messages - before.messages, after.bytes - before.bytes};
    if (status) snprintf(outcome->wrong, sizeof outcome->wrong, "%.190s", error.text);
    memory_free(views);
    free(canonical);
}

static void rank_body(struct communicator *communicator, void *context)
{
    struct outcome *outcome = context;
    struct pool *pool = NULL;
    struct backend *backend = NULL;
    struct model *model = NULL;
    struct step step = {0};
    struct error error = {0};
    const struct shares shares = ranks_shares(&outcome->setting);
    int status = ranks_open_backend(outcome->setting.backend, &pool, &backend, &error);
    if (!status) status = open_step(&step, &model, &outcome->setting, backend, communicator, &error);
    if (!status)
        take_step(outcome, &step, communicator, shares_of(&shares, communicator->rank).count);
    else
        snprintf(outcome->wrong, sizeof outcome->wrong, "%.190s", error.text);
    step_close(&step);
    model_destroy(&model);
    backend_destroy(&backend);
    pool_destroy(&pool);
}

static void check(const struct ranks_setting *setting, const struct outcome *outcome)
{
    struct pool *pool = NULL;
    struct backend *backend = NULL;
    struct model *model = NULL;
    struct step step = {0};
    struct error error = {0};
    const struct shares shares = ranks_shares(setting);
    if (ranks_open_backend(setting->backend, &pool, &backend, &error) ||
        open_step(&step, &model, setting, backend, NULL, &error))
        fail_msg("%s", error.text);
    for (int r = 0; r < setting->ranks; r++) {
        struct traffic traffic;
        assert_int_equal(step_traffic(&traffic, &step, &shares, r, &error), SIMCLR_OK);
        const struct traffic_item all = traffic_total(&traffic);
        if (all.messages != outcome->counted[r].messages || all.bytes != outcome->counted[r].bytes)
            fail_msg("%s, ResNet-%d, %d images in groups of %d, rank %d of %d: %lld messages of %.0f bytes predicted, "
                     "%lld of %.0f were sent",
                     setting->backend, setting->depth, setting->images, setting->group, r, setting->ranks,
                     (long long)all.messages, all.bytes, (long long)outcome->counted[r].messages,
                     outcome->counted[r].bytes);
    }
    step_close(&step);
    model_destroy(&model);
    backend_destroy(&backend);
    pool_destroy(&pool);
}

static void predicted_bytes_are_those_of_a_run(void **state)
{
    (void)state;
    static const struct ranks_setting settings[] = {
        {"auto", DTYPE_F32, 18, 24, 2, 1, 0},  {"auto", DTYPE_F32, 18, 26, 3, 1, 0},
        {"auto", DTYPE_F32, 50, 26, 4, 1, 0},  {"ref", DTYPE_F32, 18, 8, 3, 1, 0},
        {"auto", DTYPE_F32, 18, 24, 2, 1, 6},  {"auto", DTYPE_F32, 18, 24, 4, 1, 6},
        {"auto", DTYPE_F32, 18, 24, 4, 1, 12}, {"ref", DTYPE_F32, 18, 8, 4, 1, 4},
    };
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        struct outcome outcome = {.setting = settings[i]};
        comm_threads_run(settings[i].ranks, rank_body, &outcome);
        if (outcome.wrong[0]) fail_msg("%s", outcome.wrong);
        check(&settings[i], &outcome);
    }
}

/* Batch norms are counted in the network: 53 of ResNet-50 and two of its head, each gathered once a pass, where ranks
 * and channels are few. */
static void batch_norms_are_counted(void **state)
{
    (void)state;
    const struct ranks_setting setting = {"auto", DTYPE_F32, 50, 8, 2, 1, 0};
    struct pool *pool = NULL;
    struct backend *backend = NULL;
    struct model *model = NULL;
    struct step step = {0};
    struct error error = {0};
    struct traffic traffic;
    const struct shares shares = ranks_shares(&setting);
    assert_int_equal(ranks_open_backend("auto", &pool, &backend, &error), SIMCLR_OK);
    assert_int_equal(open_step(&step, &model, &setting, backend, NULL, &error), SIMCLR_OK);
    assert_int_equal(step_traffic(&traffic, &step, &shares, 0, &error), SIMCLR_OK);
    assert_int_equal(network_norms(step.network, NULL), 55);
    assert_int_equal(traffic.parts[TRAFFIC_NORMS_FORWARD].messages, 55);
    assert_int_equal(traffic.parts[TRAFFIC_NORMS_BACKWARD].messages, 55);
    /* Gradients: all wait at first, two stretches of which the second goes early, the first with the last operation. */
    assert_true(traffic.waiting[0] == 1);
    for (int i = 0; i < TRAFFIC_POINTS; i++) assert_true(traffic.waiting[i + 1] <= traffic.waiting[i]);
    const double first = (double)overlapped_sum_stretch(2, 0) / (double)model->parameters.weight_count;
    assert_true(first > 0.5 && first < 1 && traffic.waiting[TRAFFIC_POINTS] == first);
    step_close(&step);
    model_destroy(&model);
    backend_destroy(&backend);
    pool_destroy(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(predicted_bytes_are_those_of_a_run),
        cmocka_unit_test(batch_norms_are_counted),
    };
    return run_cases(tests, NULL, NULL);
}
