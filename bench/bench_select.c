/* bench/bench_select.c -- what the choice of images to label is worth: accuracy of a classifier of the chosen ones, and
 * classes among them, strategy by strategy, over seeds.
 *
 *   bench_select CHECKPOINT DATA [SEEDS [COUNT...]]     DATA: what --data takes, with labels and a test part
 *
 * SEEDS: 10. COUNT: numbers of labels that rise, 10 20 50 100.
 *
 * From no label at all. `typical` and `typiclust` choose each number anew: the nearest to the centre of its cluster, or
 * the densest there (the mean distance to 20 neighbours, Hacohen, Dekel & Weinshall 2022). `uncertain` begins with the
 * first number of `typical` and goes on from there with the labels of those before. The classifier is evaluate's
 * fewshot: logistic regression on unit rows x 10, penalty 1e-3; it is judged on all test images. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "eval/logistic.h"
#include "eval/statistics.h"
#include "explore/choice.h"

enum { SEEDS_MOST = 100, COUNTS = 8, MOST = 1000, SCALE = 10, DENSE = 20, ITERATIONS = 300 };
static const int usual[] = {10, 20, 50, 100};
static const double PENALTY = 1e-3;

enum way { RANDOM, TYPICAL, TYPICLUST, DIVERSE, UNCERTAIN, WAYS };
static const char *const way_names[WAYS] = {"random", "typical", "typiclust", "diverse", "uncertain"};
static const enum choice_strategy strategies[WAYS] = {CHOICE_RANDOM, CHOICE_TYPICAL, CHOICE_TYPICAL, CHOICE_DIVERSE,
                                                      CHOICE_UNCERTAIN};

struct bench {
    struct collection all, train; /* train: the rows of the training part, borrowed from all */
    double *untypical;            /* [train rows] */
    int counts[COUNTS], count;    /* of labels */
    double accuracy[WAYS][COUNTS][SEEDS_MOST], covered[WAYS][COUNTS][SEEDS_MOST];
};

static void keep_log(void *cookie, enum log_level level, const char *line)
{
    (void)cookie;
    if (level >= LOG_WARNING) fprintf(stderr, "%s\n", line);
}

/* ---- the classifier -------------------------------------------------------------------------------------------- */

static void put_unit(double *out, const float *row, int dim)
{
    double square = 0;
    for (int d = 0; d < dim; d++) square += (double)row[d] * (double)row[d];
    for (int d = 0; d < dim; d++) out[d] = square > 0 ? (double)row[d] * SCALE / sqrt(square) : 0;
}

struct judging {
    const struct bench *bench;
    const double *weight, *bias;
    const int32_t *class_of; /* [classes]: of the classifier's numbers */
    int classes;
    atomic_long right;
};

static void judge_row(void *context, int64_t index, int thread)
{
    struct judging *j = context;
    const struct collection *all = &j->bench->all;
    const int64_t row = all->begin[1] + index;
    double unit[4096], best = -INFINITY;
    int32_t label = -1;
    (void)thread;
    put_unit(unit, all->values + row * all->dim, all->dim);
    for (int c = 0; c < j->classes; c++) {
        double logit = j->bias[c];
        for (int d = 0; d < all->dim; d++) logit += j->weight[(int64_t)c * all->dim + d] * unit[d];
        if (logit > best) best = logit, label = j->class_of[c];
    }
    if (label == all->labels[row]) atomic_fetch_add(&j->right, 1);
}

static int judge(struct bench *bench, const int64_t *rows, int count, double *accuracy, double *covered,
                 struct error *error)
{
    const struct collection *all = &bench->all;
    const int dim = all->dim, known = collection_classes(all);
    int32_t labels[MOST], number[1000], class_of[1000];
    int classes = 0, status = SIMCLR_OK;
    float *x = memory_array((size_t)count * (size_t)dim, sizeof *x);
    double *unit = memory_array((size_t)dim, sizeof *unit);
    for (int c = 0; c < known; c++) number[c] = -1;
    for (int i = 0; i < count; i++) {
        const int32_t label = all->labels[rows[i]];
        if (number[label] < 0) class_of[number[label] = classes++] = label;
        labels[i] = number[label];
        put_unit(unit, all->values + rows[i] * dim, dim);
        for (int d = 0; d < dim; d++) x[(int64_t)i * dim + d] = (float)unit[d];
    }
    double *weight = memory_array((size_t)classes * (size_t)dim, sizeof *weight);
    double *bias = memory_array((size_t)classes, sizeof *bias);
    struct lbfgs_result result;
    const struct logistic_args args = {.x = x,
                                       .labels = labels,
                                       .rows = count,
                                       .dim = dim,
                                       .classes = classes,
                                       .max_iterations = ITERATIONS,
                                       .l2 = PENALTY};
    if (classes > 1) status = logistic_fit(all->session->backend, &args, weight, bias, &result, error);
    struct judging judging = {bench, weight, bias, class_of, classes, 0};
    const int64_t tests = all->begin[2] - all->begin[1];
    if (!status) pool_run(all->session->pool, tests, judge_row, &judging);
    *accuracy = 100 * (double)atomic_load(&judging.right) / (double)tests;
    *covered = classes;
    memory_free(x);
    memory_free(unit);
    memory_free(weight);
    memory_free(bias);
    return status;
}

/* ---- the choices ----------------------------------------------------------------------------------------------- */

static int choose(struct bench *bench, enum way way, struct labelled *labelled, int count, uint64_t seed, int64_t *rows,
                  struct error *error)
{
    struct choice choice;
    const struct choice_args args = {.count = count,
                                     .strategy = strategies[way],
                                     .seed = seed,
                                     .untypical = way == TYPICLUST ? bench->untypical : NULL};
    const int status = choice_make(&choice, &bench->train, labelled, &args, error);
    if (status) return status;
    memcpy(rows, choice.rows, (size_t)count * sizeof *rows);
    choice_free(&choice);
    return SIMCLR_OK;
}

static int run(struct bench *bench, enum way way, int seed, struct error *error)
{
    struct labelled labelled;
    int64_t rows[MOST];
    int before = 0, status = labelled_read(&labelled, &bench->train, "", error);
    for (int n = 0; !status && n < bench->count; n++) {
        if (way == UNCERTAIN) { /* what was chosen before has labels now */
            status = choose(bench, n == 0 ? TYPICAL : way, &labelled, bench->counts[n] - before, (uint64_t)seed,
                            rows + before, error);
            for (int i = before; !status && i < bench->counts[n]; i++) {
                labelled.label[rows[i]] = bench->train.labels[rows[i]];
                labelled.count++;
            }
            before = bench->counts[n];
        } else {
            status = choose(bench, way, &labelled, bench->counts[n], (uint64_t)seed, rows, error);
        }
        if (!status)
            status = judge(bench, rows, bench->counts[n], &bench->accuracy[way][n][seed - 1],
                           &bench->covered[way][n][seed - 1], error);
    }
    labelled_free(&labelled);
    return status;
}

/* 1 less the mean similarity to 20 neighbours: what TypiClust calls typical is the inverse of such a distance. */
static int find_density(struct bench *bench, struct error *error)
{
    const struct neighbour *graph;
    double recall;
    const int64_t rows = collection_count(&bench->train);
    bench->untypical = memory_array((size_t)rows, sizeof *bench->untypical);
    if (!bench->untypical) return error_no_memory(error, "densities", (size_t)rows);
    const int status = collection_graph(&bench->train, &graph, &recall, error);
    for (int64_t i = 0; !status && i < rows; i++)
        for (int k = 0; k < DENSE; k++)
            bench->untypical[i] +=
                sqrt(fmax(0, 2 - 2 * (double)graph[i * COLLECTION_NEIGHBOURS + k].similarity)) / DENSE;
    return status;
}

static void print(const struct bench *bench, int seeds)
{
    printf("| labels | strategy | accuracy, %% | 95 %% over seeds | above random | 95 %% | classes |\n"
           "|---|---|---|---|---|---|---|\n");
    for (int n = 0; n < bench->count; n++)
        for (int way = 0; way < WAYS; way++) {
            double mean, above, covered, difference[SEEDS_MOST];
            struct interval interval, beyond, classes;
            for (int s = 0; s < seeds; s++) difference[s] = bench->accuracy[way][n][s] - bench->accuracy[RANDOM][n][s];
            statistics_over_seeds(&mean, &interval, bench->accuracy[way][n], seeds);
            statistics_over_seeds(&above, &beyond, difference, seeds);
            statistics_over_seeds(&covered, &classes, bench->covered[way][n], seeds);
            printf("| %d | %s | %.1f | [%.1f, %.1f] | %+.1f | [%+.1f, %+.1f] | %.1f |\n", bench->counts[n],
                   way_names[way], mean, interval.low, interval.high, above, beyond.low, beyond.high, covered);
        }
}

static int measure(struct bench *bench, struct session *session, int seeds, struct error *error)
{
    int status = collection_open(&bench->all, session, error);
    if (status) return status;
    bench->train = bench->all;
    bench->train.begin[1] = bench->train.begin[2] = bench->all.begin[1];
    if (bench->all.begin[1] == bench->all.begin[2] || collection_classes(&bench->all) > 1000 || bench->all.dim > 4096)
        status = error_set(error, SIMCLR_DATA, "give a set with a test part, at most 1000 classes and 4096 features");
    for (int64_t i = 0; !status && i < collection_count(&bench->all); i++)
        if (bench->all.labels[i] < 0) status = error_set(error, SIMCLR_DATA, "every image must have a label");
    if (!status) status = find_density(bench, error);
    for (int seed = 1; !status && seed <= seeds; seed++)
        for (int way = 0; !status && way < WAYS; way++) status = run(bench, (enum way)way, seed, error);
    if (!status) print(bench, seeds);
    memory_free(bench->untypical);
    memory_free(bench->train.graph);
    collection_close(&bench->all);
    return status;
}

/* False: they don't rise, or are too many. */
static bool read_counts(struct bench *bench, int words, char **word)
{
    for (int i = 0; i < 4; i++) bench->counts[i] = usual[i];
    bench->count = words > 0 ? words : 4;
    for (int i = 0; i < words && i < COUNTS; i++) bench->counts[i] = atoi(word[i]);
    for (int i = 0; i < bench->count && i < COUNTS; i++)
        if (bench->counts[i] <= (i > 0 ? bench->counts[i - 1] : 1) || bench->counts[i] > MOST) return false;
    return bench->count <= COUNTS;
}

int main(int count, char **words)
{
    struct error error = {0};
    struct config *config = NULL;
    struct bench *bench = memory_allocate(sizeof *bench);
    const int seeds = count > 3 ? atoi(words[3]) : 10;
    if (count < 3 || seeds < 2 || seeds > SEEDS_MOST || !bench || !read_counts(bench, count - 4, words + 4)) {
        fprintf(stderr, "bench_select CHECKPOINT DATA [SEEDS [COUNT...]]\n");
        memory_free(bench);
        return 2;
    }
    int status = config_create(&config, COMMAND_SELECT, &error);
    if (!status) status = config_set(config, "checkpoint", words[1], 2, &error);
    if (!status) status = config_set(config, "data", words[2], 2, &error);
    if (!status) status = config_set(config, "part", "all", 2, &error);
    struct session session = {
        .config = config, .log = {keep_log, NULL}, .traits = {.batch_is_of_features = true, .keeps_features = true}};
    if (!status) status = session_start(&session, &error);
    if (!status) {
        status = measure(bench, &session, seeds, &error);
        session_stop(&session);
    }
    config_destroy(&config);
    memory_free(bench);
    if (status) fprintf(stderr, "bench_select: %s\n", error.text);
    return status ? 1 : 0;
}
