/* bench/bench_graph.c -- the graph of a large set by cells: seconds, memory and recall.
 *
 *   bench_graph CHECKPOINT DATA COPIES     rows: the features of so many random views of each training image
 *   bench_graph noise ROWS DIM             rows: normal values, without any structure
 *
 * The views are those of pretraining's preset for the encoder's image size. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/rng.h"
#include "eval/cells.h"
#include "explore/collection.h"
#include "loader/loader.h"
#include "run/feature_rows.h"
#include "run/model_open.h"
#include "run/settings.h"

enum { BATCH = 128, SMALL = 64 };

static void keep_log(void *cookie, enum log_level level, const char *line)
{
    (void)cookie, (void)level;
    fprintf(stderr, "%s\n", line);
}

static int search(struct session *session, const float *rows, int64_t count, int dim, struct error *error)
{
    const struct cells_args args = {.rows = rows, .count = count, .dim = dim, .k = COLLECTION_NEIGHBOURS};
    struct neighbour *list = memory_array((size_t)count * COLLECTION_NEIGHBOURS, sizeof *list);
    double recall;
    if (!list) return error_no_memory(error, "the graph", (size_t)count * COLLECTION_NEIGHBOURS * sizeof *list);
    const double start = clock_seconds();
    const int status = cells_search(session->backend, list, &recall, &args, error);
    if (!status)
        printf("%" PRId64 " rows of %d: graph in %.1f s with the recall, recall@10 %.4f, %.0f MiB in memory at most\n",
               count, dim, clock_seconds() - start, recall, (double)memory_peak_resident() / 1048576);
    memory_free(list);
    return status;
}

static int fill_noise(struct session *session, int64_t count, int dim, struct error *error)
{
    float *rows = memory_array((size_t)count * (size_t)dim, sizeof *rows);
    if (!rows) return error_no_memory(error, "rows", (size_t)count * (size_t)dim * sizeof *rows);
    for (int64_t i = 0; i < count; i++) {
        struct rng rng = rng_open(1, RNG_TEST, 0, (uint32_t)i, 0);
        for (int d = 0; d < dim; d++) rows[i * dim + d] = (float)rng_normal(&rng);
    }
    const int status = search(session, rows, count, dim, error);
    memory_free(rows);
    return status;
}

/* Rows of all views, copy after copy. */
static int fill(float *rows, struct loader *loader, struct feature_rows *features, int64_t copies, int dim,
                struct error *error)
{
    const int64_t steps = copies * loader_steps_per_epoch(loader);
    int64_t at = 0;
    for (int64_t step = 0; step < steps; step++) {
        const struct batch *batch;
        int status = loader_next(loader, step, &batch, error);
        if (!status) status = feature_rows_run(features, batch->views, batch->count, rows + at * dim, error);
        if (status) return status;
        at += batch->count;
    }
    return SIMCLR_OK;
}

struct views {
    struct model *model;
    struct dataset *set;
    struct feature_rows *features;
    struct loader *loader;
    float *rows;
};

static int open_views(struct views *views, struct session *session, struct error *error)
{
    struct view_policy own;
    int status = model_open(session, session->config->checkpoint, &views->model, &own, error);
    if (!status) status = session_open_dataset(session, session->config->data, DATASET_TRAIN, &views->set, error);
    if (status) return status;
    struct view_policy policy = own.size <= SMALL ? view_policy_cifar(own.size) : view_policy_imagenet(own.size);
    policy.simd = own.simd;
    policy.normalize = own.normalize;
    memcpy(policy.mean, own.mean, sizeof own.mean);
    memcpy(policy.std, own.std, sizeof own.std);
    const struct feature_rows_config config = {
        .kind = FEATURES_H, .model = views->model, .size = own.size, .batch = BATCH};
    status = feature_rows_open(&views->features, session, &config, error);
    if (status) return status;
    policy.type = feature_rows_type(views->features);
    const struct loader_config loading = {.policy = policy,
                                          .purpose = RNG_VIEW,
                                          .seed = 1,
                                          .batch = BATCH,
                                          .views = 1,
                                          .keep_last = true,
                                          .memory = session_batch_memory(session)};
    return loader_open(&views->loader, &loading, views->set, session->pool, error);
}

static int fill_views(struct session *session, int64_t copies, struct error *error)
{
    struct views views = {0};
    int status = open_views(&views, session, error);
    if (!status) {
        const int64_t count = copies * dataset_count(views.set);
        const int dim = feature_rows_dim(views.features);
        const double start = clock_seconds();
        views.rows = memory_array((size_t)count * (size_t)dim, sizeof *views.rows);
        status = views.rows ? fill(views.rows, views.loader, views.features, copies, dim, error)
                            : error_no_memory(error, "rows", (size_t)count * (size_t)dim * sizeof *views.rows);
        if (!status) printf("%" PRId64 " views in %.1f s\n", count, clock_seconds() - start);
        if (!status) status = search(session, views.rows, count, dim, error);
    }
    loader_close(&views.loader);
    feature_rows_close(&views.features);
    dataset_close(&views.set);
    model_destroy(&views.model);
    memory_free(views.rows);
    return status;
}

int main(int count, char **words)
{
    struct error error = {0};
    struct config *config = NULL;
    const bool noise = count > 1 && strcmp(words[1], "noise") == 0;
    if (count < 4 || atoll(words[noise ? 2 : 3]) < 1 || (noise && atoi(words[3]) < 1)) {
        fprintf(stderr, "bench_graph CHECKPOINT DATA COPIES, or bench_graph noise ROWS DIM\n");
        return 2;
    }
    int status = config_create(&config, COMMAND_NEIGHBOURS, &error);
    if (!status && !noise) status = config_set(config, "checkpoint", words[1], 2, &error);
    if (!status && !noise) status = config_set(config, "data", words[2], 2, &error);
    struct session session = {.config = config, .log = {keep_log, NULL}, .traits = {.batch_is_of_features = true}};
    if (!status) status = session_start(&session, &error);
    if (!status) {
        status = noise ? fill_noise(&session, atoll(words[2]), atoi(words[3]), &error)
                       : fill_views(&session, atoll(words[3]), &error);
        session_stop(&session);
    }
    config_destroy(&config);
    if (status) fprintf(stderr, "bench_graph: %s\n", error.text);
    return status ? 1 : 0;
}
