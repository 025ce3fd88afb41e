/* command/demo/demo.c -- watch a network learn without labels, in about three minutes: the built-in set, the table, the
 * picture. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "command/commands.h"
#include "command/demo/demo_budget.h"
#include "command/demo/demo_figures.h"
#include "command/demo/demo_picture.h"
#include "command/probe.h"
#include "command/table.h"
#include "eval/diagnostics.h"
#include "evaluate/protocols.h"
#include "report/report.h"
#include "train/pretrain.h"

/* The first steps of a process take up to twice as long: memory is new, the processor's clock still rises. */
enum { WARM_STEPS_MIN = 4, TIMED_STEPS_MIN = 5, TIMED_STEPS_MAX = 40 };
static const double warm_seconds = 1.5, timed_seconds = 2.5;
/* Steps of a whole epoch against the probe's median: metrics, norms, the odd slow one. */
static const double step_margin = 1.05;
/* Neighbours, map and pictures of the page, beside opening the images and their features once more. */
static const double report_seconds = 3;

/* A folder with this file in it was made by an earlier demo and may be made afresh. */
static const char marker_name[] = ".simclr-demo";

struct demo {
    struct session *session; /* of the demo command */
    struct session inner;    /* the same pool and backend, the settings of the part that runs */
    struct config *settings; /* owned: what inner.config points to */
    struct evaluation evaluation;
    struct score knn[SOURCE_COUNT], linear[SOURCE_COUNT];
    bool again;                                                      /* an earlier demo's folder, to be made afresh */
    double start;                                                    /* clock_seconds() */
    double open, features, knn_seconds, linear_seconds, diagnostics; /* measured on the untrained network */
};

/* The settings of `command` that the demo's own settings imply. */
static int demo_switch(struct demo *demo, enum command command, struct error *error)
{
    struct config *resolved = NULL;
    config_destroy(&demo->settings);
    int status = config_copy(&resolved, demo->session->config, error);
    if (status == SIMCLR_OK)
        status = config_resolve(resolved, "epochs", "1", error); /* "auto" is the demo's own word */
    if (status == SIMCLR_OK) status = config_derive(&demo->settings, resolved, command, error);
    config_destroy(&resolved);
    if (status == SIMCLR_OK) status = config_set(demo->settings, "data", "synthetic", 2, error);
    demo->inner = session_derive(demo->session, demo->settings, demo->session->log);
    demo->inner.traits = command_table[command].traits;
    return status;
}

/* Seconds of one step on this machine, views included: the median, after as many as it takes to warm up. */
static int time_steps(struct probe *probe, double *seconds, struct error *error)
{
    double times[TIMED_STEPS_MAX];
    const double start = clock_seconds();
    int count = 0;
    for (int warm = 0; warm < WARM_STEPS_MIN || clock_seconds() - start < warm_seconds; warm++) {
        probe_run(probe);
        if (pool_is_stopped(probe->step.backend->pool)) return stop_error(error, "timing a training step");
        if (probe->status != SIMCLR_OK) return error_set(error, probe->status, "a training step could not be timed");
    }
    const double timed = clock_seconds();
    while (count < TIMED_STEPS_MIN || (count < TIMED_STEPS_MAX && clock_seconds() - timed < timed_seconds)) {
        const double before = clock_seconds();
        probe_run(probe);
        if (pool_is_stopped(probe->step.backend->pool)) return stop_error(error, "timing a training step");
        if (probe->status != SIMCLR_OK) return error_set(error, probe->status, "a training step could not be timed");
        times[count++] = clock_seconds() - before;
    }
    *seconds = demo_budget_median(times, count);
    return SIMCLR_OK;
}

static int probe_step(struct session *session, double *seconds, int64_t *steps_per_epoch, struct error *error)
{
    struct probe probe;
    struct dataset *dataset = NULL;
    int status = probe_open(session, &probe, error);
    if (status != SIMCLR_OK) return status;
    status = probe_loader_open(session, session_view_type(session), &dataset, &probe.loader, error);
    if (status == SIMCLR_OK) {
        *steps_per_epoch = loader_steps_per_epoch(probe.loader);
        status = time_steps(&probe, seconds, error);
    }
    probe_close(&probe);
    dataset_close(&dataset);
    return status;
}

/* As many epochs as fit in the time aimed at, counted from the start of the command. The trained encoder will be judged
 * as the untrained one was, and so will every kNN between epochs. */
static int demo_choose_epochs(struct demo *demo, struct error *error)
{
    const struct config *config = demo->inner.config;
    struct budget_costs costs = {.knn = demo->features + demo->knn_seconds, .knn_every = config->knn_every};
    double seconds = 0;
    char text[32];
    if (!config_is_auto(demo->session->config, "epochs")) return SIMCLR_OK;
    const int status = probe_step(&demo->inner, &seconds, &costs.steps_per_epoch, error);
    if (status != SIMCLR_OK) return status;
    const double images = (double)(dataset_count(demo->evaluation.train) + dataset_count(demo->evaluation.test));
    costs.step = step_margin * seconds;
    /* Two random views of each image of the diagnostics, at most twice the cost of an evaluation view. */
    costs.after_epoch = demo->diagnostics + 4 * demo->features * (double)config->diagnostics_images / images;
    /* Pretraining opens the sets once more; a fit on better features may need more iterations. */
    costs.rest = demo->open + demo->features + demo->knn_seconds + 1.5 * demo->linear_seconds + 1 + report_seconds +
                 demo->open + demo->features;
    const double left = demo->session->config->seconds - (clock_seconds() - demo->start);
    const int64_t epochs = demo_budget_epochs(&costs, left);
    snprintf(text, sizeof text, "%lld", (long long)epochs);
    session_print(demo->session, "a step takes %.0f ms here: %s epochs of %lld steps, and all in about %.0f s\n",
                  1e3 * seconds, text, (long long)costs.steps_per_epoch,
                  clock_seconds() - demo->start + budget_seconds(&costs, epochs * costs.steps_per_epoch));
    return config_set(demo->settings, "epochs", text, 2, error);
}

/* May the demo's run be made here? In a new or empty folder, where an earlier demo left its mark, or where --overwrite
 * says so. Asked before anything is computed, and before the folder bears the mark. */
static int demo_claim_folder(struct demo *demo, struct error *error)
{
    const char *out = demo->session->config->out;
    struct file_list list = {0};
    char *marker = file_join(out, marker_name);
    if (marker == NULL) return error_no_memory(error, "a path", strlen(out));
    demo->again = file_exists(marker) || demo->session->config->overwrite;
    int status = SIMCLR_OK;
    if (!demo->again && file_is_folder(out)) status = file_list_folder(out, &list, error);
    if (status == SIMCLR_OK && list.count > 0)
        status = error_set(error, SIMCLR_INVALID,
                           "%s holds other things than a demo's: choose another --out, or --overwrite it", out);
    file_list_free(&list);
    if (status == SIMCLR_OK) status = file_make_folder(out, error);
    if (status == SIMCLR_OK) status = file_write_atomic(marker, "made by simclr demo\n", 20, error);
    memory_free(marker);
    return status;
}

static int demo_pretrain(struct demo *demo, struct error *error)
{
    int status = demo_switch(demo, COMMAND_PRETRAIN, error);
    if (status == SIMCLR_OK) status = config_set(demo->settings, "out", demo->session->config->out, 2, error);
    if (status == SIMCLR_OK && demo->again) status = config_set(demo->settings, "overwrite", "true", 2, error);
    if (status == SIMCLR_OK) status = demo_choose_epochs(demo, error);
    if (status == SIMCLR_OK) status = pretrain_run(&demo->inner, error);
    if (status == SIMCLR_INTERRUPTED) /* a demo has its time for all of it, so it does not go on with a part */
        return error_set(error, status, "stopped by request; the same command begins anew");
    return status;
}

/* What the diagnostics after each epoch will compute, on as many rows. */
static int time_diagnostics(struct demo *demo, const struct features *features, struct error *error)
{
    struct diagnostics ignored;
    const int64_t wanted = demo->session->config->diagnostics_images,
                  pairs = wanted < features->count / 2 ? wanted : features->count / 2;
    if (wanted < 2 || pairs < 1) return SIMCLR_OK;
    const double start = clock_seconds();
    const int status = diagnostics_run(&ignored, features->values, (int)pairs, features->dim, error);
    demo->diagnostics = clock_seconds() - start;
    return status;
}

/* One source judged both ways; how long that takes is kept for the budget, the trained encoder's test features for the
 * picture. */
static int demo_judge(struct demo *demo, enum evaluation_source source, struct features *kept, struct error *error)
{
    struct features train = {0}, test = {0};
    const double start = clock_seconds();
    int status = evaluation_features(&demo->evaluation, source, &train, &test, error);
    if (status != SIMCLR_OK) return status;
    demo->features = clock_seconds() - start;
    status = evaluation_knn(&demo->evaluation, source, &train, &test, &demo->knn[source], error);
    demo->knn_seconds = clock_seconds() - start - demo->features;
    if (status == SIMCLR_OK)
        status = evaluation_linear(&demo->evaluation, source, &train, &test, &demo->linear[source], error);
    demo->linear_seconds = clock_seconds() - start - demo->features - demo->knn_seconds;
    if (status == SIMCLR_OK && source == SOURCE_UNTRAINED) status = time_diagnostics(demo, &train, error);
    features_free(&train);
    if (status == SIMCLR_OK && source == SOURCE_TRAINED)
        *kept = test;
    else
        features_free(&test);
    return status;
}

static double percent(const struct score *score)
{
    return 100.0 * (double)score->top1 / (double)score->count;
}

static void demo_print_table(const struct demo *demo, struct text *table)
{
    text_add(table, "\ntop-1 on %lld test images that training never saw\n\n", (long long)demo->knn[0].count);
    text_add(table, "  features of              kNN     linear\n");
    static const char *const what[] = {"raw pixels", "untrained network", "SimCLR, no labels"};
    for (int source = 0; source <= SOURCE_TRAINED; source++)
        text_add(table, "  %-20s %6.1f %%   %6.1f %%\n", what[source], percent(&demo->knn[source]),
                 percent(&demo->linear[source]));
}

/* The controls come first: what they take is what the judgement of the trained encoder, and every kNN between epochs,
 * will take, so that the time for training is known and not guessed. */
static int demo_controls(struct demo *demo, struct error *error)
{
    int status = demo_switch(demo, COMMAND_PRETRAIN, error);
    const double start = clock_seconds();
    if (status == SIMCLR_OK) status = evaluation_open_untrained(&demo->inner, &demo->evaluation, error);
    demo->open = clock_seconds() - start;
    if (status == SIMCLR_OK) status = demo_switch(demo, COMMAND_LINEAR, error);
    if (status == SIMCLR_OK)
        session_print(demo->session, "judging the controls: raw pixels, and the network before training ...\n");
    for (int source = SOURCE_PIXELS; source <= SOURCE_UNTRAINED && status == SIMCLR_OK; source++)
        status = demo_judge(demo, source, NULL, error);
    return status;
}

static int demo_report(struct demo *demo, const struct features *kept, struct error *error)
{
    const char *out = demo->session->config->out;
    char *table_path = file_join(out, "demo.txt"), *picture_path = file_join(out, "demo.png");
    struct text table = {0};
    int status = SIMCLR_OK;
    if (table_path == NULL || picture_path == NULL) status = error_no_memory(error, "a path", strlen(out));
    if (status == SIMCLR_OK) {
        demo_print_table(demo, &table);
        status = table.failed ? error_no_memory(error, "the table", table.capacity)
                              : file_write_atomic(table_path, table.bytes, table.length, error);
    }
    if (status == SIMCLR_OK) status = demo_picture(&demo->inner, demo->evaluation.test, kept, picture_path, error);
    if (status == SIMCLR_OK) {
        session_write(demo->session, table.bytes, table.length);
        session_print(demo->session, "\npicture      %s  (views of the same image, and nearest neighbours)\n",
                      picture_path);
    }
    text_free(&table);
    memory_free(table_path);
    memory_free(picture_path);
    return status;
}

/* The page of the run: with the images, so that it has views, neighbours and the map. The settings of the judgement go
 * with it. */
static int demo_page(struct demo *demo, struct error *error)
{
    const char *out = demo->session->config->out;
    char *path = file_join(out, "report.html");
    if (!path) return error_no_memory(error, "a path", strlen(out));
    int status = config_set(demo->settings, "checkpoint", out, 2, error);
    if (!status) status = demo_figures_write(out, &demo->evaluation, demo->knn, demo->linear, error);
    if (!status) status = demo_switch(demo, COMMAND_REPORT, error);
    if (!status) status = config_set(demo->settings, "runs", out, 2, error);
    if (!status) status = config_set(demo->settings, "out", path, 2, error);
    if (!status) status = report_write(&demo->inner, error);
    memory_free(path);
    return status;
}

static int demo_evaluate(struct demo *demo, struct error *error)
{
    struct features kept = {0};
    int status = demo_switch(demo, COMMAND_LINEAR, error);
    if (status == SIMCLR_OK) status = evaluation_open_trained(&demo->evaluation, demo->session->config->out, error);
    if (status != SIMCLR_OK) return status;
    session_print(demo->session, "judging the trained encoder ...\n");
    status = demo_judge(demo, SOURCE_TRAINED, &kept, error);
    if (status == SIMCLR_OK) status = evaluation_check_frozen(&demo->evaluation, error);
    if (status == SIMCLR_OK) status = demo_report(demo, &kept, error);
    if (status == SIMCLR_OK) status = demo_page(demo, error);
    if (status == SIMCLR_OK)
        session_print(demo->session, "next         simclr pretrain --data PHOTOS --out runs/photos\n");
    features_free(&kept);
    return status;
}

int command_demo(struct session *session, struct error *error)
{
    struct demo demo = {.session = session, .start = clock_seconds()};
    session_print(session, "simclr demo: ten kinds of drawn shapes and textures in any colour, place, size and light; "
                           "no label is used in training\n");
    int status = demo_claim_folder(&demo, error);
    if (status == SIMCLR_OK) status = demo_controls(&demo, error);
    if (status == SIMCLR_OK) status = demo_pretrain(&demo, error);
    if (status == SIMCLR_OK) status = demo_evaluate(&demo, error);
    evaluation_close(&demo.evaluation);
    config_destroy(&demo.settings);
    return status;
}
