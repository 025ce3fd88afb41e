/* eval/retrieval.c -- see retrieval.h. */
#include "eval/retrieval.h"

#include <math.h>

#include "base/memory.h"

const int retrieval_cuts[RETRIEVAL_CUTS] = {1, 5, 10};

/* sizes: [classes], zeroed. */
static int count_classes(int64_t *sizes, const struct retrieval_args *args, struct error *error)
{
    int64_t largest = 0;
    for (int64_t i = 0; i < args->rows; i++) {
        const int32_t label = args->labels[i];
        if (label >= args->classes)
            return error_set(error, SIMCLR_DATA, "retrieval: row %lld has no label below %d", (long long)i,
                             args->classes);
        if (label >= 0 && ++sizes[label] > largest) largest = sizes[label];
    }
    int64_t needed =
        largest - 1 > retrieval_cuts[RETRIEVAL_CUTS - 1] ? largest - 1 : retrieval_cuts[RETRIEVAL_CUTS - 1];
    if (needed > args->rows - 1) needed = args->rows - 1;
    if (args->k < needed)
        return error_set(error, SIMCLR_INVALID, "retrieval needs the %lld nearest of each row, not %d",
                         (long long)needed, args->k);
    return SIMCLR_OK;
}

/* What one query adds. R: how many there are to be found, at least 1. */
static int measure_query(struct retrieval *sum, double *average_precision, const struct retrieval_args *args,
                         int64_t query, int64_t R, struct error *error)
{
    const int32_t *list = args->neighbours + query * args->k;
    int64_t found = 0, first = -1;
    double precisions = 0;
    for (int i = 0; i < args->k && list[i] >= 0; i++) {
        if (list[i] >= args->rows || list[i] == query)
            return error_set(error, SIMCLR_INVALID, "retrieval: row %lld has row %d among its neighbours",
                             (long long)query, list[i]);
        if (args->labels[list[i]] != args->labels[query]) continue;
        if (first < 0) first = i;
        found++;
        if (i < R) precisions += (double)found / (i + 1);
    }
    *average_precision = precisions / (double)R;
    for (int c = 0; c < RETRIEVAL_CUTS; c++) sum->recall[c] += first >= 0 && first < retrieval_cuts[c];
    sum->map_r += *average_precision;
    sum->queries++;
    return SIMCLR_OK;
}

static void divide(struct retrieval *sum)
{
    const double queries = sum->queries > 0 ? (double)sum->queries : NAN;
    for (int c = 0; c < RETRIEVAL_CUTS; c++) sum->recall[c] /= queries;
    sum->map_r /= queries;
}

int retrieval_measure(struct retrieval *out, struct retrieval *per_class, double *per_query,
                      const struct retrieval_args *args, struct error *error)
{
    *out = (struct retrieval){0};
    if (args->rows < 1 || args->k < 0 || args->classes < 1)
        return error_set(error, SIMCLR_INVALID, "retrieval needs rows with labels");
    int64_t *sizes = memory_array((size_t)args->classes, sizeof *sizes);
    struct retrieval *sums = memory_array((size_t)args->classes, sizeof *sums);
    int status = SIMCLR_OK;
    if (!sizes || !sums) status = error_no_memory(error, "retrieval", (size_t)args->classes * sizeof *sums);
    if (!status) status = count_classes(sizes, args, error);
    for (int64_t i = 0; !status && i < args->rows; i++) {
        const int32_t label = args->labels[i];
        double average_precision = NAN;
        if (label >= 0 && sizes[label] == 1) sums[label].lone = 1;
        if (label >= 0 && sizes[label] > 1)
            status = measure_query(&sums[label], &average_precision, args, i, sizes[label] - 1, error);
        if (per_query) per_query[i] = average_precision;
    }
    for (int c = 0; !status && c < args->classes; c++) {
        for (int i = 0; i < RETRIEVAL_CUTS; i++) out->recall[i] += sums[c].recall[i];
        out->map_r += sums[c].map_r;
        out->queries += sums[c].queries;
        out->lone += sums[c].lone;
        divide(&sums[c]);
        if (per_class) per_class[c] = sums[c];
    }
    divide(out);
    memory_free(sizes);
    memory_free(sums);
    return status;
}
