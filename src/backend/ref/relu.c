/* backend/ref/relu.c -- max(0, x), plane by plane, a task of the pool each. */
#include "backend/check.h"
#include "backend/ref/ref.h"
#include "base/memory.h"
#include "base/pool.h"

struct relu_plan {
    struct pool *pool;
    struct relu_desc desc;
    size_t pixels, planes;
    double *values, *outputs; /* [threads] planes each */
};

void ref_relu_destroy(struct relu_plan **plan)
{
    if (!*plan) return;
    memory_free((*plan)->values);
    memory_free((*plan)->outputs);
    memory_free(*plan);
    *plan = NULL;
}

int ref_relu_create(struct backend *backend, const struct relu_desc *desc, struct relu_plan **out, struct error *error)
{
    *out = NULL;
    const int status = check_relu(backend, desc, error);
    if (status) return status;
    struct relu_plan *plan = memory_allocate(sizeof *plan);
    if (!plan) return error_no_memory(error, "a ReLU plan", sizeof *plan);
    plan->pool = backend->pool;
    plan->desc = *desc;
    plan->pixels = (size_t)desc->height * (size_t)desc->width;
    plan->planes = (size_t)desc->batch * (size_t)desc->channels;
    const size_t count = (size_t)pool_threads(plan->pool) * plan->pixels;
    plan->values = memory_array(count, sizeof(double));
    plan->outputs = memory_array(count, sizeof(double));
    if (!plan->values || !plan->outputs) {
        ref_relu_destroy(&plan);
        return error_no_memory(error, "a ReLU of the ref backend", 2 * count * sizeof(double));
    }
    *out = plan;
    return SIMCLR_OK;
}

struct relu_job {
    const struct relu_plan *plan;
    void *to;
    const void *from, *y; /* y: of the way back */
};

static void forward_plane(void *context, int64_t plane, int thread)
{
    const struct relu_job *job = context;
    const size_t pixels = job->plan->pixels, at = (size_t)plane * pixels;
    double *values = job->plan->values + (size_t)thread * pixels;
    ref_load(values, job->plan->desc.dtype, job->from, at, pixels);
    for (size_t i = 0; i < pixels; i++)
        if (values[i] <= 0) values[i] = 0;
    ref_store(job->to, job->plan->desc.dtype, at, pixels, values);
}

void ref_relu_forward(struct relu_plan *plan, void *y, const void *x)
{
    struct relu_job job = {plan, y, x, NULL};
    pool_run(plan->pool, (int64_t)plan->planes, forward_plane, &job);
}

static void backward_plane(void *context, int64_t plane, int thread)
{
    const struct relu_job *job = context;
    const size_t pixels = job->plan->pixels, at = (size_t)plane * pixels;
    double *values = job->plan->values + (size_t)thread * pixels, *y = job->plan->outputs + (size_t)thread * pixels;
    ref_load(values, job->plan->desc.dtype, job->from, at, pixels);
    ref_load(y, job->plan->desc.dtype, job->y, at, pixels);
    for (size_t i = 0; i < pixels; i++)
        if (y[i] <= 0) values[i] = 0;
    ref_store(job->to, job->plan->desc.dtype, at, pixels, values);
}

void ref_relu_backward(struct relu_plan *plan, void *d_x, const void *d_y, const void *y)
{
    struct relu_job job = {plan, d_x, d_y, y};
    pool_run(plan->pool, (int64_t)plan->planes, backward_plane, &job);
}
