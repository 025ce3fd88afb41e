/* evaluate/suite_groups.c -- the test images among themselves: retrieval, and clusters against classes. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "data/sampler.h"
#include "eval/clustering.h"
#include "eval/kmeans.h"
#include "eval/neighbours.h"
#include "eval/retrieval.h"
#include "evaluate/suite.h"

enum { CLASSES_MAX = 1 << 14 /* that clustering_compare matches with clusters */ };
enum { QUERIES = 10000 /* test images at most that look for each other: lists have a place for each of a class */ };

/* ---- retrieval ------------------------------------------------------------------------------------------------- */

/* Test images that take part. */
struct retrieved {
    const struct suite_task *task;
    int64_t rows;
    int k;
    uint32_t *order;        /* [rows]: which test images they are */
    float *values;          /* [rows][dim] */
    int32_t *labels, *list; /* [rows], [rows][k] */
    double *precision;      /* [rows]: the summand of MAP@R, NaN: no query */
};

static void retrieved_close(struct retrieved *r)
{
    memory_free(r->order);
    memory_free(r->values);
    memory_free(r->labels);
    memory_free(r->list);
    memory_free(r->precision);
}

static int largest_class(const struct retrieved *r, int64_t *out, struct error *error)
{
    const int classes = evaluation_classes(r->task->suite->evaluation);
    int64_t *sizes = memory_array((size_t)classes, sizeof *sizes);
    if (!sizes) return error_no_memory(error, "the sizes of classes", (size_t)classes * sizeof *sizes);
    *out = 0;
    for (int64_t i = 0; i < r->rows; i++)
        if (++sizes[r->labels[i]] > *out) *out = sizes[r->labels[i]];
    memory_free(sizes);
    return SIMCLR_OK;
}

static int choose_rows(struct retrieved *r, struct error *error)
{
    const struct features *test = r->task->test;
    const size_t dim = (size_t)test->dim;
    r->rows = test->count < QUERIES ? test->count : QUERIES;
    const int status = sampler_sample(r->task->seed, (uint32_t)test->count, &r->order, error);
    if (status) return status;
    r->values = memory_array((size_t)r->rows * dim, sizeof *r->values);
    r->labels = memory_array((size_t)r->rows, sizeof *r->labels);
    r->precision = memory_array((size_t)r->rows, sizeof *r->precision);
    if (!r->values || !r->labels || !r->precision)
        return error_no_memory(error, "test features", (size_t)r->rows * dim * sizeof *r->values);
    for (int64_t i = 0; i < r->rows; i++) {
        const uint32_t from = test->count > QUERIES ? r->order[i] : (uint32_t)i;
        r->order[i] = from;
        r->labels[i] = test->labels[from];
        for (size_t d = 0; d < dim; d++) r->values[(size_t)i * dim + d] = test->values[(size_t)from * dim + d];
    }
    return SIMCLR_OK;
}

static int search(struct retrieved *r, struct error *error)
{
    int64_t most;
    int status = largest_class(r, &most, error);
    if (status) return status;
    const int64_t needed =
        most - 1 > retrieval_cuts[RETRIEVAL_CUTS - 1] ? most - 1 : retrieval_cuts[RETRIEVAL_CUTS - 1];
    r->k = (int)(needed < r->rows - 1 ? needed : r->rows - 1);
    r->list = memory_array((size_t)r->rows * (size_t)r->k, sizeof *r->list);
    if (!r->list)
        return error_no_memory(error, "lists of neighbours", (size_t)r->rows * (size_t)r->k * sizeof *r->list);
    const struct neighbours_args args = {.rows = r->values,
                                         .query = r->values,
                                         .count = r->rows,
                                         .query_count = r->rows,
                                         .dim = r->task->test->dim,
                                         .k = r->k,
                                         .leave_out_self = true};
    return neighbours_find(r->task->suite->evaluation->session->backend, r->list, NULL, &args, error);
}

static bool is_found(const struct retrieved *r, int64_t i, int cut)
{
    for (int j = 0; j < cut && j < r->k && r->list[i * r->k + j] >= 0; j++)
        if (r->labels[r->list[i * r->k + j]] == r->labels[i]) return true;
    return false;
}

/* cut 0: MAP@R. */
static int add(const struct retrieved *r, enum metric metric, int cut, int64_t lone, struct error *error)
{
    struct figure figure = {
        .metric = metric, .kind = cut ? FIGURE_SHARE : FIGURE_MEAN, .per_image = suite_images(r->task, true)};
    if (r->rows < r->task->test->count)
        snprintf(figure.detail, sizeof figure.detail, "%d of the test images, drawn by the seed", QUERIES);
    else if (lone > 0)
        snprintf(figure.detail, sizeof figure.detail, "%" PRId64 " images are the only one of their class", lone);
    for (int64_t i = 0; figure.per_image && i < r->rows; i++) {
        if (isnan(r->precision[i])) continue;
        figure.per_image[r->order[i]] = cut ? is_found(r, i, cut) : r->precision[i];
    }
    return suite_add(r->task, &figure, error);
}

int suite_retrieval(const struct suite_task *task, struct error *error)
{
    static const enum metric recalls[RETRIEVAL_CUTS] = {METRIC_RECALL_1, METRIC_RECALL_5, METRIC_RECALL_10};
    struct retrieved r = {.task = task};
    struct retrieval found = {0};
    int status = task->test->count > 1 ? choose_rows(&r, error) : SIMCLR_OK;
    if (!status && r.rows > 1) status = search(&r, error);
    const struct retrieval_args args = {.neighbours = r.list,
                                        .labels = r.labels,
                                        .rows = r.rows,
                                        .k = r.k,
                                        .classes = evaluation_classes(task->suite->evaluation)};
    if (!status && r.rows > 1) status = retrieval_measure(&found, NULL, r.precision, &args, error);
    if (!status && found.queries == 0 && !task->suite->alone_is_said)
        log_warning(&task->suite->evaluation->session->log,
                    "retrieval is left out: no class has two test images, so nothing can be found");
    if (found.queries == 0) task->suite->alone_is_said = true;
    for (int i = 0; !status && found.queries > 0 && i < RETRIEVAL_CUTS; i++)
        status = add(&r, recalls[i], retrieval_cuts[i], found.lone, error);
    if (!status && found.queries > 0) status = add(&r, METRIC_MAP_R, 0, found.lone, error);
    retrieved_close(&r);
    return status;
}

/* ---- clusters -------------------------------------------------------------------------------------------------- */

static int classes_of(const struct features *test, int classes, struct error *error)
{
    uint8_t *seen = memory_array((size_t)classes, 1);
    int present = 0;
    if (!seen) return error_no_memory(error, "the classes", (size_t)classes);
    for (int64_t i = 0; i < test->count; i++) {
        present += !seen[test->labels[i]];
        seen[test->labels[i]] = 1;
    }
    memory_free(seen);
    return present;
}

/* The clusters as they were found, without test images that are training images too. NaN: there are none, or nothing is
 * left. */
static int compare_without_leaks(struct clustering *out, const struct suite_task *task,
                                 const struct clustering_args *args, struct error *error)
{
    const struct suite *suite = task->suite;
    struct clustering_args kept = *args;
    *out = (struct clustering){.nmi = NAN, .ari = NAN};
    if (suite->leaks == 0 || suite->leaks == args->rows) return SIMCLR_OK;
    int32_t *label = memory_array((size_t)args->rows, sizeof *label);
    if (!label) return error_no_memory(error, "the classes of images", (size_t)args->rows * sizeof *label);
    for (int64_t i = 0; i < args->rows; i++) label[i] = suite->leaked[i] ? -1 : args->label[i];
    kept.label = label;
    const int status = clustering_compare(out, NULL, &kept, error);
    memory_free(label);
    return status;
}

/* The table of clusters and classes is made again of each resample: the figure gets a copy of both. */
static int add_number(const struct suite_task *task, struct figure figure, const struct clustering_args *args,
                      struct error *error)
{
    figure.images = args->rows;
    figure.without_is_given = task->suite->leaks > 0;
    figure.basic = figure.metric == METRIC_NMI;
    figure.resampled = figure.basic ? clustering_resampled_nmi : clustering_resampled_ari;
    if (figure.basic && args->rows < (int64_t)CLUSTERING_ROWS * args->clusters * args->classes) figure.resampled = NULL;
    const size_t rows = (size_t)args->rows;
    struct clustering_args *copy = memory_allocate(sizeof *copy + 2 * rows * sizeof(int32_t));
    if (!copy) return error_no_memory(error, "clusters", 2 * rows * sizeof(int32_t));
    int32_t *cluster = (int32_t *)(void *)(copy + 1), *label = cluster + rows;
    memcpy(cluster, args->cluster, rows * sizeof *cluster);
    memcpy(label, args->label, rows * sizeof *label);
    *copy = *args;
    copy->cluster = cluster;
    copy->label = label;
    figure.context = copy;
    return suite_add(task, &figure, error);
}

static int add_clusters(const struct suite_task *task, const int32_t *cluster, const struct clustering_args *args,
                        const char *detail, struct error *error)
{
    const struct features *test = task->test;
    struct clustering compared = {0}, without = {0};
    struct figure figure = {0};
    int32_t *match = memory_array((size_t)args->clusters, sizeof *match);
    if (!match) return error_no_memory(error, "a matching of clusters", (size_t)args->clusters * sizeof *match);
    snprintf(figure.detail, sizeof figure.detail, "%s", detail);
    int status = clustering_compare(&compared, match, args, error);
    if (!status) status = compare_without_leaks(&without, task, args, error);
    if (!status) {
        figure.metric = METRIC_NMI, figure.value = compared.nmi, figure.without_leaks = without.nmi;
        status = add_number(task, figure, args, error);
    }
    if (!status) {
        figure.metric = METRIC_ARI, figure.value = compared.ari, figure.without_leaks = without.ari;
        status = add_number(task, figure, args, error);
    }
    if (!status) {
        figure.metric = METRIC_MATCHED, figure.kind = FIGURE_SHARE;
        figure.per_image = suite_images(task, false);
        for (int64_t i = 0; figure.per_image && i < test->count; i++)
            figure.per_image[i] = match[cluster[i]] == test->labels[i];
        status = suite_add(task, &figure, error);
    }
    memory_free(match);
    return status;
}

int suite_cluster(const struct suite_task *task, struct error *error)
{
    const struct features *test = task->test;
    const struct session *session = task->suite->evaluation->session;
    const int classes = evaluation_classes(task->suite->evaluation);
    const int present = classes_of(test, classes, error);
    struct kmeans found;
    char detail[64];
    if (present < 0) return present;
    if (present < 2 || classes > CLASSES_MAX) {
        log_warning(&session->log, "cluster is left out: the test images are of %d class%s", present,
                    present == 1 ? "" : "es, more than are matched with clusters");
        return SIMCLR_OK;
    }
    int32_t *cluster = memory_array((size_t)test->count, sizeof *cluster);
    if (!cluster) return error_no_memory(error, "clusters", (size_t)test->count * sizeof *cluster);
    const struct kmeans_args args = {.rows = test->values,
                                     .count = test->count,
                                     .dim = test->dim,
                                     .clusters = present,
                                     .starts = KMEANS_STARTS,
                                     .iterations = KMEANS_ITERATIONS,
                                     .seed = task->seed};
    int status = kmeans_run(session->backend, &found, cluster, NULL, &args, error);
    const struct clustering_args compare = {
        .cluster = cluster, .label = test->labels, .rows = test->count, .clusters = present, .classes = classes};
    snprintf(detail, sizeof detail, "%d clusters, best of %d starts", present, KMEANS_STARTS);
    if (!status) status = add_clusters(task, cluster, &compare, detail, error);
    memory_free(cluster);
    return status;
}
