/* evaluate/suite_knn.c -- weighted kNN with the usual settings, and with k and temperature chosen on training images.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/format.h"
#include "base/memory.h"
#include "data/sampler.h"
#include "eval/knn.h"
#include "evaluate/suite.h"

/* One search serves all of them. */
enum { MOST = 200, QUERIES = 10000 };
static const int sweep_k[] = {1, 5, 10, 20, 50, 100, 200};
static const double sweep_temperature[] = {0.05, 0.07, 0.1, 0.2, INFINITY};
enum { KS = sizeof sweep_k / sizeof *sweep_k, TEMPERATURES = sizeof sweep_temperature / sizeof *sweep_temperature };

struct neighbourhood {
    struct neighbour *list; /* [queries][k] */
    int64_t queries;
    int k;
};

static int find(struct neighbourhood *out, const struct suite_task *task, const float *query, int64_t queries, int k,
                struct error *error)
{
    const struct features *train = task->train;
    *out = (struct neighbourhood){.queries = queries, .k = k < train->count ? k : (int)train->count};
    out->list = memory_array((size_t)queries * (size_t)out->k, sizeof *out->list);
    if (!out->list)
        return error_no_memory(error, "lists of neighbours", (size_t)queries * (size_t)out->k * sizeof *out->list);
    const struct neighbours_args args = {.rows = train->values,
                                         .query = query,
                                         .count = train->count,
                                         .query_count = queries,
                                         .dim = train->dim,
                                         .k = out->k};
    return neighbours_search(task->suite->evaluation->session->backend, out->list, &args, error);
}

static struct knn_args votes_of(const struct suite_task *task, int64_t queries, int k, double temperature)
{
    return (struct knn_args){.train_labels = task->train->labels,
                             .train_count = task->train->count,
                             .query_count = queries,
                             .classes = evaluation_classes(task->suite->evaluation),
                             .k = k,
                             .temperature = temperature};
}

/* ---- the choice ------------------------------------------------------------------------------------------------ */

/* Of a list that was searched with one neighbour more, the query itself goes; where it is not there (rows that equal it
 * came first), the last does. */
static void leave_out_self(struct neighbourhood *found, const uint32_t *order)
{
    for (int64_t q = 0; q < found->queries; q++) {
        struct neighbour *list = found->list + q * found->k;
        int at = 0;
        while (at < found->k - 1 && list[at].row != (int32_t)order[q]) at++;
        memmove(list + at, list + at + 1, (size_t)(found->k - 1 - at) * sizeof *list);
        list[found->k - 1].row = -1;
    }
}

/* Of equally good ones the smaller k, then the lower temperature. */
static int sweep(struct knn_choice *best, const struct suite_task *task, const struct neighbourhood *found,
                 const uint32_t *order, struct error *error)
{
    int32_t *predicted = memory_array((size_t)found->queries, sizeof *predicted);
    int status =
        predicted ? SIMCLR_OK : error_no_memory(error, "kNN results", (size_t)found->queries * sizeof(int32_t));
    for (int i = 0; i < KS; i++) {
        if (i > 0 && sweep_k[i - 1] >= found->k - 1) break; /* as many vote as with the one before */
        for (int t = 0; !status && t < TEMPERATURES; t++) {
            struct knn_args args = votes_of(task, found->queries, sweep_k[i], sweep_temperature[t]);
            args.predicted = predicted;
            status = knn_vote(&args, found->list, found->k, error);
            int64_t right = 0;
            for (int64_t q = 0; !status && q < found->queries; q++)
                right += predicted[q] == task->train->labels[order[q]];
            if (status || right <= best->right) continue;
            best->right = right;
            best->k = sweep_k[i];
            best->temperature = sweep_temperature[t];
        }
    }
    memory_free(predicted);
    return status;
}

int suite_knn_choose(struct knn_choice *best, const struct suite_task *task, struct error *error)
{
    const struct features *train = task->train;
    const size_t dim = (size_t)train->dim;
    struct neighbourhood found = {0};
    uint32_t *order = NULL;
    *best = (struct knn_choice){.queries = train->count < QUERIES ? train->count : QUERIES, .right = -1};
    int status = sampler_sample(task->seed, (uint32_t)train->count, &order, error);
    float *query = memory_array((size_t)best->queries * dim, sizeof *query);
    if (!status && !query)
        status = error_no_memory(error, "training features", (size_t)best->queries * dim * sizeof *query);
    for (int64_t q = 0; !status && q < best->queries; q++)
        memcpy(query + (size_t)q * dim, train->values + (size_t)order[q] * dim, dim * sizeof *query);
    if (!status) status = find(&found, task, query, best->queries, MOST + 1, error);
    if (!status) leave_out_self(&found, order);
    if (!status) status = sweep(best, task, &found, order, error);
    memory_free(found.list);
    memory_free(query);
    memory_free(order);
    return status;
}

/* ---- the figures ----------------------------------------------------------------------------------------------- */

static int add(const struct suite_task *task, const struct neighbourhood *found, const struct knn_choice *choice,
               const struct figure *like, struct error *error)
{
    const struct features *test = task->test;
    int32_t *top5 = memory_array((size_t)test->count * 5, sizeof *top5);
    int32_t *ranks = memory_array((size_t)test->count, sizeof *ranks);
    int status =
        top5 && ranks ? SIMCLR_OK : error_no_memory(error, "kNN results", (size_t)test->count * 6 * sizeof *top5);
    struct knn_args args = votes_of(task, test->count, choice->k, choice->temperature);
    args.top5 = top5;
    if (!status) status = knn_vote(&args, found->list, found->k, error);
    for (int64_t i = 0; !status && i < test->count; i++)
        while (ranks[i] < 5 && top5[i * 5 + ranks[i]] != test->labels[i]) ranks[i]++;
    if (!status)
        status = suite_add_ranks(task, like, ranks, choice->queries > 0, error); /* per class: of what was chosen */
    memory_free(top5);
    memory_free(ranks);
    return status;
}

static int add_usual(const struct suite_task *task, const struct neighbourhood *found, int k, double temperature,
                     struct error *error)
{
    struct figure like = {.labelled = task->train->count};
    format_write(like.setting, sizeof like.setting, "k %d, temperature %g", k, temperature);
    if (k > found->k) snprintf(like.detail, sizeof like.detail, "all %d training images vote", found->k);
    return add(task, found, &(struct knn_choice){.k = k, .temperature = temperature}, &like, error);
}

int suite_knn(const struct suite_task *task, struct error *error)
{
    struct neighbourhood found;
    struct knn_choice choice;
    int status = find(&found, task, task->test->values, task->test->count, MOST, error);
    const bool again = task->run == 0 || task->source == SOURCE_UNTRAINED; /* other weights */
    if (!status && again) status = add_usual(task, &found, 200, 0.1, error);
    if (!status && again) status = add_usual(task, &found, 20, 0.07, error);
    /* With few training images another seed chooses by the same ones. */
    const bool chooses = again || task->train->count > QUERIES;
    if (!status && task->train->count > 1 && chooses) {
        struct figure like = {.setting = "chosen", .labelled = task->train->count};
        status = suite_knn_choose(&choice, task, error);
        if (!status && isinf(choice.temperature))
            snprintf(like.detail, sizeof like.detail, "k %d, equal votes, by leaving out each of %lld", choice.k,
                     (long long)choice.queries);
        else if (!status)
            format_write(like.detail, sizeof like.detail, "k %d, temperature %g, by leaving out each of %lld", choice.k,
                         choice.temperature, (long long)choice.queries);
        if (!status) status = add(task, &found, &choice, &like, error);
    }
    memory_free(found.list);
    return status;
}
