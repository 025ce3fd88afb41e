/* explore/margins.c -- see margins.h. */
#include "explore/margins.h"

#include <math.h>

#include "base/memory.h"
#include "eval/logistic.h"

enum { SCALE = 10, ITERATIONS = 300 };
static const double PENALTY = 1e-3;

struct teaching {
    const struct collection *set;
    int64_t rows;    /* that are taught */
    int classes;     /* of them, numbered without gaps */
    int32_t *number; /* [labelled->classes]: of a class, -1: none of it is labelled */
    float *x;        /* [rows][dim] */
    int32_t *labels; /* [rows] */
    double *weight, *bias;
    double *margins;
};

static void teaching_free(struct teaching *t)
{
    memory_free(t->number);
    memory_free(t->x);
    memory_free(t->labels);
    memory_free(t->weight);
    memory_free(t->bias);
}

static double scale_of(const float *row, int dim)
{
    double square = 0;
    for (int d = 0; d < dim; d++) square += (double)row[d] * (double)row[d];
    return square > 0 ? SCALE / sqrt(square) : 0;
}

static int number_classes(struct teaching *t, const struct labelled *labelled, struct error *error)
{
    t->number = memory_array((size_t)labelled->classes + 1, sizeof *t->number);
    if (!t->number) return error_no_memory(error, "classes", (size_t)labelled->classes);
    for (int c = 0; c < labelled->classes; c++) t->number[c] = -1;
    for (int64_t i = 0; i < collection_count(t->set); i++) {
        const int32_t label = labelled->label[i];
        if (label < 0) continue;
        t->rows++;
        if (t->number[label] < 0) t->number[label] = t->classes++;
    }
    if (t->classes >= 2) return SIMCLR_OK;
    return error_set(error, SIMCLR_INVALID,
                     "--strategy uncertain needs labels of two classes at least: give --labelled FILE with them, or "
                     "another strategy");
}

static int gather(struct teaching *t, const struct labelled *labelled, struct error *error)
{
    const size_t dim = (size_t)t->set->dim;
    t->x = memory_array((size_t)t->rows * dim, sizeof *t->x);
    t->labels = memory_array((size_t)t->rows, sizeof *t->labels);
    t->weight = memory_array((size_t)t->classes * dim, sizeof *t->weight);
    t->bias = memory_array((size_t)t->classes, sizeof *t->bias);
    if (!t->x || !t->labels || !t->weight || !t->bias)
        return error_no_memory(error, "labelled rows", (size_t)t->rows * dim * sizeof *t->x);
    int64_t at = 0;
    for (int64_t i = 0; i < collection_count(t->set); i++) {
        if (labelled->label[i] < 0) continue;
        const float *row = t->set->values + (size_t)i * dim;
        const double scale = scale_of(row, t->set->dim);
        for (size_t d = 0; d < dim; d++) t->x[(size_t)at * dim + d] = (float)((double)row[d] * scale);
        t->labels[at++] = t->number[labelled->label[i]];
    }
    return SIMCLR_OK;
}

static void find_margin(void *context, int64_t i, int thread)
{
    const struct teaching *t = context;
    const int dim = t->set->dim;
    const float *row = t->set->values + i * dim;
    const double scale = scale_of(row, dim);
    double first = -INFINITY, second = -INFINITY, sum = 0;
    (void)thread;
    for (int c = 0; c < t->classes; c++) {
        const double *weight = t->weight + (int64_t)c * dim;
        double logit = t->bias[c];
        for (int d = 0; d < dim; d++) logit += weight[d] * (double)row[d] * scale;
        /* the sum of exp(logit - first), as first grows */
        if (logit > first) {
            sum = (first > -INFINITY ? sum * exp(first - logit) : 0) + 1;
            second = first, first = logit;
        } else {
            sum += exp(logit - first);
            second = fmax(second, logit);
        }
    }
    t->margins[i] = (1 - exp(second - first)) / sum;
}

int margins_find(double *margins, const struct collection *collection, const struct labelled *labelled,
                 struct error *error)
{
    const struct session *session = collection->session;
    struct teaching t = {.set = collection, .margins = margins};
    struct lbfgs_result result;
    int status = number_classes(&t, labelled, error);
    if (!status) status = gather(&t, labelled, error);
    const struct logistic_args args = {.x = t.x,
                                       .labels = t.labels,
                                       .rows = t.rows,
                                       .dim = collection->dim,
                                       .classes = t.classes,
                                       .max_iterations = ITERATIONS,
                                       .l2 = PENALTY};
    if (!status) status = logistic_fit(session->backend, &args, t.weight, t.bias, &result, error);
    if (!status) pool_run(session->pool, collection_count(collection), find_margin, &t);
    teaching_free(&t);
    return status;
}
