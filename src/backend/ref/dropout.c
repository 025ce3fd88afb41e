/* backend/ref/dropout.c -- values dropped by chance, plane by plane, a task of the pool each. */
#include "backend/dropout.h"
#include "backend/check.h"
#include "backend/ref/ref.h"
#include "base/memory.h"
#include "base/pool.h"

struct dropout_plan {
    struct pool *pool;
    struct dropout_desc desc;
    uint32_t bound;
    float scale;
    size_t pixels, planes;
    double *values, *mask; /* [threads] planes each */
};

void ref_dropout_destroy(struct dropout_plan **plan)
{
    if (!*plan) return;
    memory_free((*plan)->values);
    memory_free((*plan)->mask);
    memory_free(*plan);
    *plan = NULL;
}

int ref_dropout_create(struct backend *backend, const struct dropout_desc *desc, struct dropout_plan **out,
                       struct error *error)
{
    *out = NULL;
    const int status = check_dropout(backend, desc, error);
    if (status) return status;
    struct dropout_plan *plan = memory_allocate(sizeof *plan);
    if (!plan) return error_no_memory(error, "a dropout plan", sizeof *plan);
    plan->pool = backend->pool;
    plan->desc = *desc;
    plan->bound = dropout_bound(desc);
    plan->scale = 1 / (1 - desc->rate);
    plan->pixels = (size_t)desc->height * (size_t)desc->width;
    plan->planes = (size_t)desc->batch * (size_t)desc->channels;
    const size_t count = (size_t)pool_threads(plan->pool) * plan->pixels;
    plan->values = memory_array(count, sizeof(double));
    plan->mask = memory_array(count, sizeof(double));
    if (!plan->values || !plan->mask) {
        ref_dropout_destroy(&plan);
        return error_no_memory(error, "dropout of the ref backend", 2 * count * sizeof(double));
    }
    *out = plan;
    return SIMCLR_OK;
}

struct dropout_job {
    const struct dropout_plan *plan;
    void *to, *mask;              /* mask: written on the way forward, NULL for none */
    const void *from, *mask_read; /* mask_read: of the way back */
    const struct dropout_draw *draw;
};

static void forward_plane(void *context, int64_t index, int thread)
{
    const struct dropout_job *job = context;
    const struct dropout_plan *plan = job->plan;
    const struct dropout_desc *desc = &plan->desc;
    const size_t pixels = plan->pixels, at = (size_t)index * pixels;
    const uint32_t image = (uint32_t)(index / desc->channels), channel = (uint32_t)(index % desc->channels);
    double *values = plan->values + (size_t)thread * pixels, *mask = plan->mask + (size_t)thread * pixels;
    ref_load(values, desc->dtype, job->from, at, pixels);
    for (size_t i = 0; i < pixels; i++) {
        const struct philox_block words = dropout_words(desc, job->draw, image, (uint32_t)i, channel / 4);
        mask[i] = words.word[channel % 4] < plan->bound ? 0 : (double)plan->scale;
        values[i] *= mask[i];
    }
    ref_store(job->to, desc->dtype, at, pixels, values);
    if (job->mask) ref_store(job->mask, DTYPE_F32, at, pixels, mask);
}

void ref_dropout_forward(struct dropout_plan *plan, void *y, void *mask, const void *x, const struct dropout_draw *draw)
{
    struct dropout_job job = {.plan = plan, .to = y, .mask = mask, .from = x, .draw = draw};
    pool_run(plan->pool, (int64_t)plan->planes, forward_plane, &job);
}

static void backward_plane(void *context, int64_t index, int thread)
{
    const struct dropout_job *job = context;
    const struct dropout_plan *plan = job->plan;
    const size_t pixels = plan->pixels, at = (size_t)index * pixels;
    double *values = plan->values + (size_t)thread * pixels, *mask = plan->mask + (size_t)thread * pixels;
    ref_load(values, plan->desc.dtype, job->from, at, pixels);
    ref_load(mask, DTYPE_F32, job->mask_read, at, pixels);
    for (size_t i = 0; i < pixels; i++) values[i] *= mask[i];
    ref_store(job->to, plan->desc.dtype, at, pixels, values);
}

void ref_dropout_backward(struct dropout_plan *plan, void *d_x, const void *d_y, const void *mask)
{
    struct dropout_job job = {.plan = plan, .to = d_x, .from = d_y, .mask_read = mask};
    pool_run(plan->pool, (int64_t)plan->planes, backward_plane, &job);
}
