/* unit/eval/logistic_fixture.h -- both backends on a pool that the including file's main makes, and a fit from zero
 * weights. */
#ifndef UNIT_EVAL_LOGISTIC_FIXTURE_H
#define UNIT_EVAL_LOGISTIC_FIXTURE_H

#include "support/run.h"

#include <math.h>

#include "base/memory.h"
#include "base/rng.h"
#include "eval/logistic.h"

static struct pool *pool;
static const char *const backend_names[] = {"ref", "cpu"};
enum { BACKENDS = 2 };

static struct backend *open_backend(int which)
{
    struct backend *backend = NULL;
    struct error error = {0};
    if (backend_create(backend_names[which], simd_machine(), pool, &backend, &error) != SIMCLR_OK)
        fail_msg("%s", error.text);
    return backend;
}

static struct lbfgs_result fit(struct backend *backend, const struct logistic_args *args)
{
    const size_t weights = (size_t)args->classes * (size_t)args->dim;
    double *weight = memory_array(weights, sizeof *weight), *bias = memory_array((size_t)args->classes, sizeof *bias);
    struct lbfgs_result result;
    assert_int_equal(logistic_fit(backend, args, weight, bias, &result, NULL), SIMCLR_OK);
    memory_free(weight);
    memory_free(bias);
    return result;
}

#endif
