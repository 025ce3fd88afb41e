/* eval/logistic_few.c -- one fit of few rows of many features, in the rows' own space (row_space.h). */
#include <string.h>

#include "base/memory.h"
#include "eval/logistic.h"
#include "eval/row_space.h"

static int fit_within(const struct row_space *space, struct backend *backend, const struct logistic_args *args,
                      double *within, double *bias, struct lbfgs_result *result, struct error *error)
{
    struct logistic_args few = *args;
    few.x = space->coordinates;
    few.dim = space->rank;
    few.columns = NULL;
    few.preconditioner = preconditioner_create(backend, few.x, few.rows, few.dim);
    if (!few.preconditioner)
        return error_no_memory(error, "the preconditioner of a linear fit", (size_t)few.dim * (size_t)few.dim * 8);
    const int status = logistic_fit(backend, &few, within, bias, result, error);
    preconditioner_destroy(&few.preconditioner);
    return status;
}

int logistic_fit_few_rows(struct backend *backend, const struct logistic_args *args, double *weight, double *bias,
                          struct lbfgs_result *result, struct error *error)
{
    struct row_space space = {0};
    int status = logistic_check(args, error);
    if (!status) status = row_space_find(&space, backend, args->x, args->rows, args->dim, error);
    if (status) return status;
    const size_t count = (size_t)args->classes * (size_t)space.rank;
    double *within = memory_array(count, sizeof *within);
    if (!within) status = error_no_memory(error, "linear classifier", count * sizeof *within);
    memset(bias, 0, (size_t)args->classes * sizeof *bias);
    if (!status) status = fit_within(&space, backend, args, within, bias, result, error);
    if (!status) row_space_expand(&space, backend->pool, weight, within, args->classes);
    memory_free(within);
    row_space_free(&space);
    return status;
}
