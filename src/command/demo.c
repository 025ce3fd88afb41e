/* command/demo.c -- watch a network learn without labels, in about three minutes: the built-in set, the table, the picture. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "command/demo_picture.h"
#include "command/evaluation.h"
#include "command/step.h"
#include "train/commands.h"

enum { EPOCHS_MIN = 2, EPOCHS_MAX = 400, TIMED_STEPS = 3 };

/* A folder with this file in it was made by an earlier demo and may be made afresh. */
static const char marker_name[] = ".simclr-demo";

struct demo {
    struct session *session;     /* of the demo command */
    struct session inner;        /* the same pool and backend, the settings of the part that runs */
    struct config *settings;     /* owned: what inner.config points to */
    struct score knn[SOURCE_COUNT], linear[SOURCE_COUNT];
};

/* The settings of `command` that the demo's own settings imply. */
static int demo_switch(struct demo *demo, enum command command, struct error *error)
{
    struct config *resolved = NULL;
    config_destroy(&demo->settings);
    int status = config_copy(&resolved, demo->session->config, error);
    if (status == SIMCLR_OK) status = config_resolve(resolved, "epochs", "1", error); /* "auto" is the demo's own word */
    char *yaml = status == SIMCLR_OK ? config_to_yaml(resolved) : NULL;
    config_destroy(&resolved);
    if (status == SIMCLR_OK && yaml == NULL) status = error_no_memory(error, "settings", 0);
    if (status == SIMCLR_OK) status = config_create(&demo->settings, command, error);
    if (status == SIMCLR_OK) status = config_parse_recipe(demo->settings, yaml, strlen(yaml), "demo", 1, error);
    if (status == SIMCLR_OK) status = config_set(demo->settings, "data", "synthetic", 2, error);
    memory_free(yaml);
    demo->inner = *demo->session;
    demo->inner.config = demo->inner.settings = demo->settings;
    return status;
}

/* Seconds of one step on this machine, views included. */
static int demo_step_seconds(struct session *session, double *seconds, int64_t *steps_per_epoch, struct error *error)
{
    struct training_step step;
    struct dataset *dataset = NULL;
    int status = training_step_open(session, &step, error);
    if (status != SIMCLR_OK) return status;
    status = training_loader_open(session, &dataset, &step.loader, error);
    if (status == SIMCLR_OK) {
        *steps_per_epoch = loader_steps_per_epoch(step.loader);
        training_step_run(&step); /* warms caches and page tables */
        const double start = clock_seconds();
        for (int i = 0; i < TIMED_STEPS; i++) training_step_run(&step);
        *seconds = (clock_seconds() - start) / TIMED_STEPS;
        status = step.status;
    }
    training_step_close(&step);
    dataset_close(&dataset);
    return status;
}

/* As many epochs as fit in the time aimed at, less what the evaluations will take. */
static int demo_choose_epochs(struct demo *demo, struct error *error)
{
    double seconds;
    int64_t steps;
    char text[32];
    if (!config_is_auto(demo->session->config, "epochs")) return SIMCLR_OK;
    const int status = demo_step_seconds(&demo->inner, &seconds, &steps, error);
    if (status != SIMCLR_OK) return status;
    const double epochs = floor(0.8 * demo->session->config->seconds / (seconds * (double)steps));
    snprintf(text, sizeof text, "%.0f", fmin(fmax(epochs, EPOCHS_MIN), EPOCHS_MAX));
    session_print(demo->session, "a step takes %.0f ms here: %s epochs of %lld steps fit in the time\n", 1e3 * seconds, text, (long long)steps);
    return config_set(demo->settings, "epochs", text, 2, error);
}

/* The run's folder; one that holds somebody's run is left alone. */
static int demo_prepare_folder(struct demo *demo, struct error *error)
{
    const char *out = demo->session->config->out;
    char *marker = file_join(out, marker_name);
    if (marker == NULL) return error_no_memory(error, "a path", strlen(out));
    int status = SIMCLR_OK;
    if (file_exists(marker)) status = config_set(demo->settings, "overwrite", "true", 2, error);
    else status = file_make_folder(out, error);
    if (status == SIMCLR_OK) status = file_write_atomic(marker, "made by simclr demo\n", 20, error);
    memory_free(marker);
    return status;
}

static int demo_pretrain(struct demo *demo, struct error *error)
{
    int status = demo_switch(demo, COMMAND_PRETRAIN, error);
    if (status == SIMCLR_OK) status = config_set(demo->settings, "out", demo->session->config->out, 2, error);
    if (status == SIMCLR_OK) status = demo_prepare_folder(demo, error);
    if (status == SIMCLR_OK) status = demo_choose_epochs(demo, error);
    if (status == SIMCLR_OK) status = command_pretrain(&demo->inner, error);
    return status;
}

/* One source judged both ways; the trained encoder's test features are kept for the picture. */
static int demo_judge(struct demo *demo, struct evaluation *evaluation, enum evaluation_source source, struct features *kept,
                      struct error *error)
{
    struct features train = {0}, test = {0};
    int status = evaluation_features(evaluation, source, &train, &test, error);
    if (status != SIMCLR_OK) return status;
    status = evaluation_knn(evaluation, &train, &test, &demo->knn[source], error);
    if (status == SIMCLR_OK) status = evaluation_linear(evaluation, &train, &test, &demo->linear[source], error);
    features_free(&train);
    if (status == SIMCLR_OK && source == SOURCE_TRAINED) *kept = test;
    else features_free(&test);
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
    static const char *const what[SOURCE_COUNT] = {"raw pixels", "untrained network", "SimCLR, no labels"};
    for (int source = 0; source < SOURCE_COUNT; source++)
        text_add(table, "  %-20s %6.1f %%   %6.1f %%\n", what[source], percent(&demo->knn[source]), percent(&demo->linear[source]));
}

static int demo_evaluate(struct demo *demo, struct error *error)
{
    struct evaluation evaluation;
    struct features kept = {0};
    const char *out = demo->session->config->out;
    int status = demo_switch(demo, COMMAND_LINEAR, error);
    if (status == SIMCLR_OK) status = config_set(demo->settings, "checkpoint", out, 2, error);
    if (status == SIMCLR_OK) status = evaluation_open(&demo->inner, &evaluation, error);
    if (status != SIMCLR_OK) return status;
    session_print(demo->session, "judging the encoder beside its controls ...\n");
    for (int source = 0; source < SOURCE_COUNT && status == SIMCLR_OK; source++)
        status = demo_judge(demo, &evaluation, source, &kept, error);
    if (status == SIMCLR_OK) status = evaluation_check_frozen(&evaluation, error);
    char *table_path = file_join(out, "demo.txt"), *picture_path = file_join(out, "demo.png");
    struct text table = {0};
    if (status == SIMCLR_OK && (table_path == NULL || picture_path == NULL)) status = error_no_memory(error, "a path", strlen(out));
    if (status == SIMCLR_OK) {
        demo_print_table(demo, &table);
        status = table.failed ? error_no_memory(error, "the table", table.capacity) : file_write_atomic(table_path, table.bytes, table.length, error);
    }
    if (status == SIMCLR_OK) status = demo_picture(&demo->inner, evaluation.test, &kept, picture_path, error);
    if (status == SIMCLR_OK) {
        session_print(demo->session, "%s\npicture      %s  (views of the same image, and nearest neighbours)\n", table.bytes, picture_path);
        session_print(demo->session, "next         simclr pretrain --data PHOTOS --out runs/photos\n");
    }
    text_free(&table);
    memory_free(table_path);
    memory_free(picture_path);
    features_free(&kept);
    evaluation_close(&evaluation);
    return status;
}

int command_demo(struct session *session, struct error *error)
{
    struct demo demo = {.session = session};
    session_print(session, "simclr demo: ten kinds of drawn shapes and textures in any colour, place, size and light; no label is used in training\n");
    int status = demo_pretrain(&demo, error);
    if (status == SIMCLR_OK) status = demo_evaluate(&demo, error);
    config_destroy(&demo.settings);
    return status;
}
