/* evaluate/suite_quality.c -- what can be said of features without labels: of views of the test images, and of their
 * features as they are. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/format.h"
#include "base/memory.h"
#include "data/sampler.h"
#include "eval/diagnostics.h"
#include "eval/neighbours.h"
#include "eval/quality.h"
#include "evaluate/suite.h"
#include "run/settings.h"

enum { IMAGES = 1000, VIEWS = 50, AT_ONCE = 2 /* views of a batch */, BATCH = 64, GRAPH_ROWS = 10000 };
enum { SPECTRUM_DIM_MAX = 2048 /* an eigenvalue takes dim^2 operations */ };

static int add(const struct suite_task *task, enum metric metric, double value, const char *detail, struct error *error)
{
    struct figure figure = {.metric = metric, .value = value};
    if (isnan(value)) return SIMCLR_OK;
    snprintf(figure.detail, sizeof figure.detail, "%s", detail);
    return suite_add(task, &figure, error);
}

static const char *looked_at(const struct suite_task *task)
{
    return task->suite->evaluation->has_no_test ? "training" : "test";
}

/* ---- views ----------------------------------------------------------------------------------------------------- */

struct views {
    const struct suite_task *task;
    int64_t images;
    int dim, batch;
    uint32_t *order; /* test images that are looked at */
    struct loader *loader;
    struct feature_rows *rows;
    float *values; /* [images][VIEWS][dim] */
    float *some;   /* [AT_ONCE x batch][dim] */
};

static void views_close(struct views *views)
{
    loader_close(&views->loader);
    feature_rows_close(&views->rows);
    memory_free(views->order);
    memory_free(views->values);
    memory_free(views->some);
}

static int views_open(struct views *views, const struct suite_task *task, struct error *error)
{
    struct evaluation *evaluation = task->suite->evaluation;
    struct session *session = evaluation->session;
    const struct evaluation_encoder *encoder = &evaluation->encoders[task->source];
    const int64_t count = dataset_count(evaluation->test);
    *views = (struct views){.task = task, .images = count < IMAGES ? count : IMAGES};
    views->batch = (int)(views->images < BATCH ? views->images : BATCH);
    int status = sampler_sample(task->seed, (uint32_t)count, &views->order, error);
    if (status) return status;
    const struct feature_rows_config rows = {.kind = evaluation_kind(evaluation, task->source),
                                             .model = encoder->model,
                                             .layer = evaluation->layer,
                                             .size = encoder->policy.size,
                                             .batch = AT_ONCE * views->batch};
    status = feature_rows_open(&views->rows, session, &rows, error);
    if (status) return status;
    views->dim = feature_rows_dim(views->rows);
    views->values = memory_array((size_t)views->images * VIEWS, (size_t)views->dim * sizeof *views->values);
    views->some = memory_array(AT_ONCE * (size_t)views->batch, (size_t)views->dim * sizeof *views->some);
    if (!views->values || !views->some)
        return error_no_memory(error, "features of views",
                               (size_t)views->images * VIEWS * (size_t)views->dim * sizeof *views->values);
    struct view_policy policy = view_policy_as(view_policy_default(encoder->policy.size), &encoder->policy);
    policy.type = feature_rows_type(views->rows);
    const struct loader_config config = {.policy = policy,
                                         .purpose = RNG_VIEW,
                                         .seed = task->seed,
                                         .batch = views->batch,
                                         .views = AT_ONCE,
                                         .keep_last = true,
                                         .subset = views->order,
                                         .subset_count = (uint32_t)views->images,
                                         .workers = session_workers(session),
                                         .pin = session_pin(session),
                                         .memory = session_batch_memory(session)};
    return loader_open(&views->loader, &config, evaluation->test, session->pool, error);
}

static void tell(const struct views *views, int64_t step, int64_t steps, double seconds)
{
    struct progress progress = progress_at("quality", step, steps);
    progress.views_per_second = AT_ONCE * views->batch * (double)step / seconds;
    progress.eta_seconds = seconds / (double)step * (double)(steps - step);
    session_tell(views->task->suite->evaluation->session, &progress);
}

/* An epoch of the loader gives two further views of every image. */
static int views_run(struct views *views, struct error *error)
{
    const struct session *session = views->task->suite->evaluation->session;
    const int64_t per_epoch = loader_steps_per_epoch(views->loader), steps = per_epoch * VIEWS / AT_ONCE;
    const size_t dim = (size_t)views->dim;
    const double start = clock_seconds();
    for (int64_t step = 0; step < steps; step++) {
        const struct batch *batch;
        if (session_is_interrupted(session)) return stop_error(error, "quality");
        int status = loader_next(views->loader, step, &batch, error);
        if (!status) status = feature_rows_run(views->rows, batch->views, AT_ONCE * batch->count, views->some, error);
        if (status) return status;
        const int64_t first = step % per_epoch * views->batch, view = step / per_epoch * AT_ONCE;
        for (int v = 0; v < AT_ONCE; v++)
            for (int i = 0; i < batch->count; i++)
                memcpy(views->values + ((size_t)(first + i) * VIEWS + (size_t)(view + v)) * dim,
                       views->some + (size_t)(v * batch->count + i) * dim, dim * sizeof *views->values);
        tell(views, step + 1, steps, clock_seconds() - start);
    }
    return SIMCLR_OK;
}

/* The first two views of each image: all first ones, then all second ones. */
static int add_pairs(const struct views *views, struct error *error)
{
    const struct suite_task *task = views->task;
    const size_t dim = (size_t)views->dim, images = (size_t)views->images;
    struct diagnostics diagnostics;
    double consistency;
    char detail[80];
    float *pairs = memory_array(2 * images * dim, sizeof *pairs);
    if (!pairs) return error_no_memory(error, "pairs of views", 2 * images * dim * sizeof *pairs);
    for (size_t v = 0; v < 2; v++)
        for (size_t i = 0; i < images; i++)
            memcpy(pairs + (v * images + i) * dim, views->values + (i * VIEWS + v) * dim, dim * sizeof *pairs);
    snprintf(detail, sizeof detail, "%" PRId64 " %s images, two views of each", views->images, looked_at(views->task));
    int status = diagnostics_run(&diagnostics, pairs, (int)images, views->dim, error);
    if (!status) status = add(task, METRIC_ALIGNMENT, diagnostics.alignment, detail, error);
    if (!status) status = add(task, METRIC_UNIFORMITY, diagnostics.uniformity, detail, error);
    if (!status) status = add(task, METRIC_RANKME, diagnostics.rankme, detail, error);
    if (!status)
        status = quality_consistency(&consistency, task->suite->evaluation->session->backend, pairs,
                                     pairs + images * dim, views->images, views->dim, error);
    if (!status) status = add(task, METRIC_CONSISTENCY, consistency, detail, error);
    memory_free(pairs);
    return status;
}

static int of_views(const struct suite_task *task, struct error *error)
{
    struct views views;
    double lidar;
    char detail[80];
    int status = views_open(&views, task, error);
    if (!status) status = views_run(&views, error);
    if (!status) status = add_pairs(&views, error);
    const struct quality_views args = {views.values, views.images, VIEWS, views.dim};
    if (!status && views.images > 1) {
        snprintf(detail, sizeof detail, "%" PRId64 " %s images, %d views of each", views.images, looked_at(task),
                 VIEWS);
        status = quality_lidar(&lidar, task->suite->evaluation->session->pool, &args, error);
        if (!status) status = add(task, METRIC_LIDAR, lidar, detail, error);
    }
    views_close(&views);
    return status;
}

/* ---- features as they are -------------------------------------------------------------------------------------- */

/* Rows of the test part in any order: `count` of them, of which a set sorted by classes would have but some among its
 * first ones. The seed of the command draws them, so that they are the same for all sources. */
struct drawn {
    int64_t count;
    const float *values; /* [count][dim] */
    float *owned;        /* NULL: all rows, where they are */
};

static int draw(struct drawn *out, const struct suite_task *task, int64_t most, struct error *error)
{
    const struct features *test = task->test;
    const size_t dim = (size_t)test->dim;
    uint32_t *order;
    *out = (struct drawn){.count = test->count, .values = test->values};
    if (test->count <= most) return SIMCLR_OK;
    const uint64_t seed = (uint64_t)task->suite->evaluation->session->config->seed;
    const int status = sampler_sample(seed, (uint32_t)test->count, &order, error);
    if (status) return status;
    out->owned = memory_array((size_t)most * dim, sizeof *out->owned);
    for (int64_t i = 0; out->owned && i < most; i++)
        memcpy(out->owned + (size_t)i * dim, test->values + order[i] * dim, dim * sizeof *out->owned);
    memory_free(order);
    if (!out->owned) return error_no_memory(error, "rows of features", (size_t)most * dim * sizeof *out->owned);
    out->count = most;
    out->values = out->owned;
    return SIMCLR_OK;
}

static int judge_graph(const struct suite_task *task, const struct drawn *drawn, struct error *error)
{
    const int64_t rows = drawn->count;
    const int dim = task->test->dim;
    struct backend *backend = task->suite->evaluation->session->backend;
    int32_t *list = memory_array((size_t)rows * QUALITY_HUBNESS_K, sizeof *list);
    if (!list) return error_no_memory(error, "lists of neighbours", (size_t)rows * QUALITY_HUBNESS_K * sizeof *list);
    const struct neighbours_args args = {.rows = drawn->values,
                                         .query = drawn->values,
                                         .count = rows,
                                         .query_count = rows,
                                         .dim = dim,
                                         .k = QUALITY_HUBNESS_K,
                                         .leave_out_self = true};
    const struct quality_graph graph = {list, rows, QUALITY_HUBNESS_K};
    struct quality_dimension dimension = {0};
    double hubness = 0;
    char detail[80];
    snprintf(detail, sizeof detail, "%" PRId64 "%s %s images", rows, drawn->owned ? " drawn" : "", looked_at(task));
    int status = neighbours_find(backend, list, NULL, &args, error);
    if (!status) status = quality_hubness(&hubness, &graph, error);
    if (!status) status = add(task, METRIC_HUBNESS, hubness, detail, error);
    if (!status) status = quality_dimension(&dimension, &graph, drawn->values, dim, error);
    if (!status) status = add(task, METRIC_DIMENSION, dimension.dimension, detail, error);
    memory_free(list);
    return status;
}

static int of_graph(const struct suite_task *task, struct error *error)
{
    struct drawn drawn;
    if (task->test->count <= QUALITY_HUBNESS_K) return SIMCLR_OK;
    int status = draw(&drawn, task, GRAPH_ROWS, error);
    if (!status) status = judge_graph(task, &drawn, error);
    memory_free(drawn.owned);
    return status;
}

static int of_spectrum(const struct suite_task *task, struct error *error)
{
    const struct features *test = task->test;
    struct quality_alpha alpha;
    char detail[100];
    if (test->count < 2 || test->dim > SPECTRUM_DIM_MAX) return SIMCLR_OK;
    const int status =
        quality_alpha(&alpha, task->suite->evaluation->session->pool, test->values, test->count, test->dim, error);
    if (status) return status;
    format_write(detail, sizeof detail, "%lld %s images, ranks %d to %d, R2 %.4f", (long long)test->count,
                 looked_at(task), alpha.first, alpha.last, alpha.r2);
    return add(task, METRIC_ALPHA, alpha.alpha, detail, error);
}

/* A table has no views: its rows are taken two by two, of which only what knows no pairs is kept. */
static int of_rows(const struct suite_task *task, struct error *error)
{
    struct diagnostics diagnostics;
    struct drawn drawn;
    char detail[80];
    if (task->test->count < 2) return SIMCLR_OK;
    int status = draw(&drawn, task, (int64_t)2 * IMAGES, error);
    const int pairs = (int)(drawn.count / 2);
    snprintf(detail, sizeof detail, "%d%s test rows", 2 * pairs, drawn.owned ? " drawn" : "");
    if (!status) status = diagnostics_run(&diagnostics, drawn.values, pairs, task->test->dim, error);
    if (!status) status = add(task, METRIC_UNIFORMITY, diagnostics.uniformity, detail, error);
    if (!status) status = add(task, METRIC_RANKME, diagnostics.rankme, detail, error);
    memory_free(drawn.owned);
    return status;
}

int suite_quality(const struct suite_task *task, struct error *error)
{
    int status = SIMCLR_OK;
    const bool table = evaluation_is_of_tables(task->suite->evaluation);
    if (table && task->test->dim <= SPECTRUM_DIM_MAX)
        status = of_rows(task, error);
    else if (!table && task->source != SOURCE_PIXELS)
        status = of_views(task, error);
    if (!status) status = of_spectrum(task, error);
    return status ? status : of_graph(task, error);
}
