/* explore/choice.c -- see choice.h. */
#include "explore/choice.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "data/sampler.h"
#include "eval/kmeans.h"
#include "explore/margins.h"

enum { TILE = 512, ROUNDS = 50 /* of k-means */ };

static const char *const words[] = {"auto", "typical", "diverse", "uncertain", "random"};

const char *choice_word(enum choice_strategy strategy)
{
    return words[strategy];
}

enum choice_strategy choice_of_word(const char *word)
{
    for (int i = CHOICE_AUTO; i <= CHOICE_RANDOM; i++)
        if (strcmp(words[i], word) == 0) return (enum choice_strategy)i;
    return CHOICE_AUTO;
}

void choice_free(struct choice *choice)
{
    memory_free(choice->rows);
    *choice = (struct choice){0};
}

/* What all strategies see. */
struct choosing {
    const struct collection *collection;
    const struct labelled *labelled;
    uint64_t seed;
    int64_t count; /* to choose */
    int64_t *out;  /* [count] */
    const double *untypical;
};

static bool is_free(const struct choosing *c, int64_t row)
{
    return c->labelled->label[row] == -1;
}

/* ---- by cluster ------------------------------------------------------------------------------------------------ */

/* Unlabelled rows of each cluster in the order in which they are taken. */
struct clusters {
    int count;
    int32_t *of_row; /* [rows] */
    double *value;   /* [rows]: the least first */
    int64_t *rows;   /* by cluster */
    int64_t *begin;  /* [count + 1] */
    int64_t *next;   /* [count]: of the one that is taken next */
    int64_t *size;   /* [count]: rows, labelled ones too */
    int64_t *labels; /* [count]: rows that are labelled or taken */
};

static void clusters_free(struct clusters *clusters)
{
    memory_free(clusters->of_row);
    memory_free(clusters->value);
    memory_free(clusters->rows);
    memory_free(clusters->begin);
    memory_free(clusters->next);
    memory_free(clusters->size);
    memory_free(clusters->labels);
}

static int find_clusters(struct clusters *clusters, float *centres, const struct choosing *c, struct error *error)
{
    const struct collection *set = c->collection;
    struct kmeans result;
    const struct kmeans_args args = {.rows = set->values,
                                     .count = collection_count(set),
                                     .dim = set->dim,
                                     .clusters = clusters->count,
                                     .starts = 1,
                                     .iterations = ROUNDS,
                                     .seed = c->seed};
    return kmeans_run(set->session->backend, &result, clusters->of_row, centres, &args, error);
}

/* |x / |x| - centre|^2: how untypical a row is of its cluster. */
static void measure(double *value, const struct collection *set, const int32_t *of_row, const float *centres)
{
    const int dim = set->dim;
    for (int64_t i = 0; i < collection_count(set); i++) {
        const float *row = set->values + i * dim, *centre = centres + (int64_t)of_row[i] * dim;
        double square = 0, sum = 0;
        for (int d = 0; d < dim; d++) square += (double)row[d] * (double)row[d];
        const double scale = square > 0 ? 1 / sqrt(square) : 0;
        for (int d = 0; d < dim; d++) {
            const double off = (double)row[d] * scale - (double)centre[d];
            sum += off * off;
        }
        value[i] = sum;
    }
}

struct ranked {
    double value;
    int64_t row;
};

static int by_value(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (x->value != y->value) return x->value < y->value ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

/* rows, begin: by value within each cluster. */
static int rank_rows(struct clusters *clusters, const struct choosing *c, struct error *error)
{
    const int64_t rows = collection_count(c->collection);
    struct ranked *ranked = memory_array((size_t)rows, sizeof *ranked);
    int64_t free_rows = 0;
    if (!ranked) return error_no_memory(error, "rows by cluster", (size_t)rows * sizeof *ranked);
    for (int64_t i = 0; i < rows; i++) {
        clusters->size[clusters->of_row[i]]++;
        clusters->labels[clusters->of_row[i]] += !is_free(c, i);
        if (is_free(c, i)) ranked[free_rows++] = (struct ranked){clusters->value[i], i};
    }
    qsort(ranked, (size_t)free_rows, sizeof *ranked, by_value);
    for (int64_t i = 0; i < free_rows; i++) clusters->begin[clusters->of_row[ranked[i].row] + 1]++;
    for (int k = 0; k < clusters->count; k++) clusters->begin[k + 1] += clusters->begin[k];
    for (int k = 0; k < clusters->count; k++) clusters->next[k] = clusters->begin[k];
    for (int64_t i = 0; i < free_rows; i++)
        clusters->rows[clusters->next[clusters->of_row[ranked[i].row]]++] = ranked[i].row;
    for (int k = 0; k < clusters->count; k++) clusters->next[k] = clusters->begin[k];
    memory_free(ranked);
    return SIMCLR_OK;
}

static bool comes_before(const struct clusters *clusters, int a, int b)
{
    if (clusters->labels[a] != clusters->labels[b]) return clusters->labels[a] < clusters->labels[b];
    return clusters->size[a] > clusters->size[b];
}

static void take_by_cluster(struct clusters *clusters, const struct choosing *c)
{
    for (int64_t i = 0; i < c->count; i++) {
        int best = -1;
        for (int k = 0; k < clusters->count; k++) {
            if (clusters->next[k] == clusters->begin[k + 1]) continue;
            if (best < 0 || comes_before(clusters, k, best)) best = k;
        }
        c->out[i] = clusters->rows[clusters->next[best]++];
        clusters->labels[best]++;
    }
}

static int clusters_open(struct clusters *clusters, const struct choosing *c, struct error *error)
{
    const int64_t rows = collection_count(c->collection);
    int64_t count = c->labelled->count + c->count;
    if (count > CHOICE_CLUSTERS_MOST) count = CHOICE_CLUSTERS_MOST;
    const size_t room = (size_t)count + 1;
    *clusters = (struct clusters){.count = (int)count,
                                  .of_row = memory_array((size_t)rows, sizeof *clusters->of_row),
                                  .value = memory_array((size_t)rows, sizeof *clusters->value),
                                  .rows = memory_array((size_t)rows, sizeof *clusters->rows),
                                  .begin = memory_array(room, sizeof *clusters->begin),
                                  .next = memory_array(room, sizeof *clusters->next),
                                  .size = memory_array(room, sizeof *clusters->size),
                                  .labels = memory_array(room, sizeof *clusters->labels)};
    if (clusters->of_row && clusters->value && clusters->rows && clusters->begin && clusters->next && clusters->size &&
        clusters->labels)
        return SIMCLR_OK;
    return error_no_memory(error, "clusters", (size_t)rows * 20);
}

/* value: [rows], the least of a cluster first; NULL: the squared distance to its centre. */
static int choose_by_cluster(const struct choosing *c, const double *value, struct error *error)
{
    const struct collection *set = c->collection;
    struct clusters clusters;
    float *centres = NULL;
    int status = clusters_open(&clusters, c, error);
    if (!status) {
        centres = memory_array((size_t)clusters.count * (size_t)set->dim, sizeof *centres);
        status =
            centres ? find_clusters(&clusters, centres, c, error) : error_no_memory(error, "centres", (size_t)set->dim);
    }
    if (!status && value) memcpy(clusters.value, value, (size_t)collection_count(set) * sizeof *value);
    if (!status && !value) measure(clusters.value, set, clusters.of_row, centres);
    if (!status) status = rank_rows(&clusters, c, error);
    if (!status) take_by_cluster(&clusters, c);
    memory_free(centres);
    clusters_free(&clusters);
    return status;
}

static int choose_uncertain(const struct choosing *c, struct error *error)
{
    const int64_t rows = collection_count(c->collection);
    double *margins = memory_array((size_t)rows, sizeof *margins);
    if (!margins) return error_no_memory(error, "margins", (size_t)rows * sizeof *margins);
    int status = margins_find(margins, c->collection, c->labelled, error);
    if (!status) status = choose_by_cluster(c, margins, error);
    memory_free(margins);
    return status;
}

/* ---- the farthest --------------------------------------------------------------------------------------------------
 */

struct spread {
    const struct collection *set;
    float *unit;        /* [rows][dim], of length 1 */
    double *distance;   /* [rows]: to the nearest that is labelled or chosen; cosine distance */
    const double *from; /* [dim]: the newest of them */
};

static void approach(void *context, int64_t tile, int thread)
{
    const struct spread *spread = context;
    (void)thread;
    const int dim = spread->set->dim;
    const int64_t rows = collection_count(spread->set), end = (tile + 1) * TILE < rows ? (tile + 1) * TILE : rows;
    for (int64_t i = tile * TILE; i < end; i++) {
        const float *row = spread->unit + i * dim;
        double sum = 0;
        for (int d = 0; d < dim; d++) sum += (double)row[d] * spread->from[d];
        spread->distance[i] = fmin(spread->distance[i], 1 - sum);
    }
}

static void add_to_spread(struct spread *spread, double *from, int64_t row)
{
    const int dim = spread->set->dim;
    const int64_t rows = collection_count(spread->set);
    for (int d = 0; d < dim; d++) from[d] = (double)spread->unit[row * dim + d];
    spread->from = from;
    pool_run(spread->set->session->pool, (rows + TILE - 1) / TILE, approach, spread);
}

static void make_unit(float *out, const struct collection *set)
{
    const int dim = set->dim;
    for (int64_t i = 0; i < collection_count(set); i++) {
        double square = 0;
        for (int d = 0; d < dim; d++) square += (double)set->values[i * dim + d] * (double)set->values[i * dim + d];
        const double scale = square > 0 ? 1 / sqrt(square) : 0;
        for (int d = 0; d < dim; d++) out[i * dim + d] = (float)((double)set->values[i * dim + d] * scale);
    }
}

/* The row nearest to the mean, for a beginning. */
static int64_t central(const struct spread *spread, double *mean)
{
    const int dim = spread->set->dim;
    const int64_t rows = collection_count(spread->set);
    int64_t best = 0;
    double most = -INFINITY;
    for (int d = 0; d < dim; d++) mean[d] = 0;
    for (int64_t i = 0; i < rows; i++)
        for (int d = 0; d < dim; d++) mean[d] += (double)spread->unit[i * dim + d];
    for (int64_t i = 0; i < rows; i++) {
        double sum = 0;
        for (int d = 0; d < dim; d++) sum += (double)spread->unit[i * dim + d] * mean[d];
        if (sum > most) most = sum, best = i;
    }
    return best;
}

static int64_t farthest(const struct spread *spread)
{
    int64_t best = 0;
    for (int64_t i = 1; i < collection_count(spread->set); i++)
        if (spread->distance[i] > spread->distance[best]) best = i;
    return best;
}

static int choose_farthest(const struct choosing *c, struct spread *spread, double *from, struct error *error)
{
    const struct collection *set = c->collection;
    const int64_t rows = collection_count(set);
    make_unit(spread->unit, set);
    for (int64_t i = 0; i < rows; i++) spread->distance[i] = INFINITY;
    for (int64_t i = 0; i < rows; i++) {
        if (is_free(c, i)) continue;
        if (session_is_interrupted(set->session)) return stop_error(error, "select");
        add_to_spread(spread, from, i);
    }
    for (int64_t i = 0; i < rows; i++)
        if (!is_free(c, i)) spread->distance[i] = -INFINITY;
    for (int64_t i = 0; i < c->count; i++) {
        if (session_is_interrupted(set->session)) return stop_error(error, "select");
        const int64_t row = i == 0 && c->labelled->count == 0 ? central(spread, from) : farthest(spread);
        c->out[i] = row;
        add_to_spread(spread, from, row);
        spread->distance[row] = -INFINITY;
    }
    return SIMCLR_OK;
}

static int choose_diverse(const struct choosing *c, struct error *error)
{
    const struct collection *set = c->collection;
    const size_t rows = (size_t)collection_count(set), dim = (size_t)set->dim;
    struct spread spread = {.set = set,
                            .unit = memory_array(rows * dim, sizeof *spread.unit),
                            .distance = memory_array(rows, sizeof *spread.distance)};
    double *from = memory_array(dim, sizeof *from);
    const int status = spread.unit && spread.distance && from
                           ? choose_farthest(c, &spread, from, error)
                           : error_no_memory(error, "rows of length 1", rows * dim * sizeof *spread.unit);
    memory_free(spread.unit);
    memory_free(spread.distance);
    memory_free(from);
    return status;
}

/* ---- all of them ------------------------------------------------------------------------------------------------- */

static int choose_randomly(const struct choosing *c, struct error *error)
{
    uint32_t *order;
    const int64_t rows = collection_count(c->collection);
    const int status = sampler_sample(c->seed, (uint32_t)rows, &order, error);
    if (status) return status;
    for (int64_t i = 0, taken = 0; taken < c->count && i < rows; i++)
        if (is_free(c, order[i])) c->out[taken++] = order[i];
    memory_free(order);
    return SIMCLR_OK;
}

/* Uncertainty needs images of two classes at least: a name in the list may have no class, or all may have one. */
static enum choice_strategy decide(const struct collection *collection, const struct labelled *labelled)
{
    int64_t known = 0;
    int32_t first = -1;
    bool several = false;
    for (int64_t i = 0; labelled->count > 0 && i < collection_count(collection); i++) {
        const int32_t label = labelled->label[i];
        if (label < 0) continue;
        known++;
        if (first < 0) first = label;
        several |= label != first;
    }
    return several && known / labelled->classes >= CHOICE_FEW_LABELS ? CHOICE_UNCERTAIN : CHOICE_TYPICAL;
}

int choice_make(struct choice *out, const struct collection *collection, const struct labelled *labelled,
                const struct choice_args *args, struct error *error)
{
    const int64_t unlabelled = collection_count(collection) - labelled->count;
    if (unlabelled == 0)
        return error_set(error, SIMCLR_DATA, "all %lld images are labelled: there is nothing to choose",
                         (long long)labelled->count);
    *out = (struct choice){.strategy = args->strategy == CHOICE_AUTO ? decide(collection, labelled) : args->strategy,
                           .count = args->count < unlabelled ? args->count : unlabelled};
    out->rows = memory_array((size_t)out->count, sizeof *out->rows);
    if (!out->rows) return error_no_memory(error, "a choice", (size_t)out->count * sizeof *out->rows);
    const struct choosing choosing = {collection, labelled, args->seed, out->count, out->rows, args->untypical};
    int status = SIMCLR_OK;
    switch (out->strategy) {
    case CHOICE_AUTO:
    case CHOICE_TYPICAL:
        status = choose_by_cluster(&choosing, choosing.untypical, error);
        break;
    case CHOICE_DIVERSE:
        status = choose_diverse(&choosing, error);
        break;
    case CHOICE_UNCERTAIN:
        status = choose_uncertain(&choosing, error);
        break;
    case CHOICE_RANDOM:
        status = choose_randomly(&choosing, error);
        break;
    }
    if (status) choice_free(out);
    return status;
}
