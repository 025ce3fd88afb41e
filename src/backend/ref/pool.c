/* Max pooling and global average pooling: a plane is one task of the pool. */
#include <math.h>

#include "backend/check.h"
#include "backend/ref/ref.h"
#include "base/memory.h"
#include "base/pool.h"

struct plane_job {
    const void *plan; /* of the operation */
    void *to;         /* y or d_x */
    const void *from;
    void *saved;         /* forward, or NULL */
    const void *origins; /* backward: what was saved */
};

/* ---- max pooling ----------------------------------------------------------------------------------------------- */
struct max_pool_plan {
    struct pool *pool;
    struct max_pool_desc desc;
    int out_height, out_width;
    size_t in_pixels, out_pixels, planes;
    double *in, *out; /* [threads] planes each */
};

void ref_max_pool_destroy(struct max_pool_plan **plan)
{
    if (!*plan) return;
    memory_free((*plan)->in);
    memory_free((*plan)->out);
    memory_free(*plan);
    *plan = NULL;
}

int ref_max_pool_create(struct backend *backend, const struct max_pool_desc *desc, struct max_pool_plan **out,
                        struct error *error)
{
    *out = NULL;
    int status = check_max_pool(backend, desc, error);
    if (status != SIMCLR_OK) return status;
    struct max_pool_plan *plan = memory_allocate(sizeof *plan);
    if (!plan) return error_no_memory(error, "a max pool plan", sizeof *plan);
    plan->pool = backend->pool;
    plan->desc = *desc;
    plan->out_height = conv_out(desc->in_height, desc->kernel, desc->stride, desc->padding);
    plan->out_width = conv_out(desc->in_width, desc->kernel, desc->stride, desc->padding);
    plan->in_pixels = (size_t)desc->in_height * (size_t)desc->in_width;
    plan->out_pixels = (size_t)plan->out_height * (size_t)plan->out_width;
    plan->planes = (size_t)desc->batch * (size_t)desc->channels;
    const size_t threads = (size_t)pool_threads(plan->pool);
    plan->in = memory_array(threads * plan->in_pixels, sizeof(double));
    plan->out = memory_array(threads * plan->out_pixels, sizeof(double));
    if (!plan->in || !plan->out) {
        size_t bytes = threads * (plan->in_pixels + plan->out_pixels) * sizeof(double);
        ref_max_pool_destroy(&plan);
        return error_no_memory(error, "a max pool of the ref backend", bytes);
    }
    *out = plan;
    return SIMCLR_OK;
}

/* One int32 per output: the index of its maximum within the input plane. */
size_t ref_max_pool_saved_bytes(const struct max_pool_plan *plan)
{
    return plan->planes * plan->out_pixels * sizeof(int32_t);
}

/* The first of equal values wins; a NaN wins over every number, as in PyTorch. */
static int window_maximum(const struct max_pool_plan *plan, const double *in, int oy, int ox)
{
    const struct max_pool_desc *desc = &plan->desc;
    int best = -1;
    for (int r = 0; r < desc->kernel; r++) {
        int iy = oy * desc->stride - desc->padding + r;
        if (iy < 0 || iy >= desc->in_height) continue;
        for (int s = 0; s < desc->kernel; s++) {
            int ix = ox * desc->stride - desc->padding + s;
            if (ix < 0 || ix >= desc->in_width) continue;
            int index = iy * desc->in_width + ix;
            if (best < 0 || in[index] > in[best] || isnan(in[index])) best = index;
        }
    }
    return best;
}

static void max_forward_plane(void *context, int64_t number, int thread)
{
    const struct plane_job *job = context;
    const struct max_pool_plan *plan = job->plan;
    const size_t plane = (size_t)number;
    double *in = plan->in + (size_t)thread * plan->in_pixels, *out = plan->out + (size_t)thread * plan->out_pixels;
    int32_t *origin = job->saved;
    ref_load(in, plan->desc.dtype, job->from, plane * plan->in_pixels, plan->in_pixels);
    for (int oy = 0; oy < plan->out_height; oy++)
        for (int ox = 0; ox < plan->out_width; ox++) {
            const size_t index = (size_t)oy * (size_t)plan->out_width + (size_t)ox;
            const int best = window_maximum(plan, in, oy, ox);
            out[index] = in[best];
            if (origin) origin[plane * plan->out_pixels + index] = best;
        }
    ref_store(job->to, plan->desc.dtype, plane * plan->out_pixels, plan->out_pixels, out);
}

void ref_max_pool_forward(struct max_pool_plan *plan, void *y, void *saved, const void *x)
{
    struct plane_job job = {.plan = plan, .to = y, .from = x, .saved = saved};
    pool_run(plan->pool, (int64_t)plan->planes, max_forward_plane, &job);
}

static void max_backward_plane(void *context, int64_t number, int thread)
{
    const struct plane_job *job = context;
    const struct max_pool_plan *plan = job->plan;
    const size_t plane = (size_t)number;
    double *in = plan->in + (size_t)thread * plan->in_pixels, *out = plan->out + (size_t)thread * plan->out_pixels;
    const int32_t *origin = (const int32_t *)job->origins + plane * plan->out_pixels;
    ref_load(out, plan->desc.dtype, job->from, plane * plan->out_pixels, plan->out_pixels);
    memset(in, 0, plan->in_pixels * sizeof *in);
    for (size_t i = 0; i < plan->out_pixels; i++) in[origin[i]] += out[i];
    ref_store(job->to, plan->desc.dtype, plane * plan->in_pixels, plan->in_pixels, in);
}

void ref_max_pool_backward(struct max_pool_plan *plan, void *d_x, const void *d_y, const void *saved)
{
    struct plane_job job = {.plan = plan, .to = d_x, .from = d_y, .origins = saved};
    pool_run(plan->pool, (int64_t)plan->planes, max_backward_plane, &job);
}

/* ---- global average pooling -------------------------------------------------------------------------------------- */
struct global_pool_plan {
    struct pool *pool;
    struct global_pool_desc desc;
    size_t pixels, planes;
    double *plane; /* [threads] planes */
};

void ref_global_pool_destroy(struct global_pool_plan **plan)
{
    if (!*plan) return;
    memory_free((*plan)->plane);
    memory_free(*plan);
    *plan = NULL;
}

int ref_global_pool_create(struct backend *backend, const struct global_pool_desc *desc, struct global_pool_plan **out,
                           struct error *error)
{
    *out = NULL;
    int status = check_global_pool(backend, desc, error);
    if (status != SIMCLR_OK) return status;
    struct global_pool_plan *plan = memory_allocate(sizeof *plan);
    if (!plan) return error_no_memory(error, "a global pool plan", sizeof *plan);
    plan->pool = backend->pool;
    plan->desc = *desc;
    plan->pixels = (size_t)desc->height * (size_t)desc->width;
    plan->planes = (size_t)desc->batch * (size_t)desc->channels;
    const size_t values = (size_t)pool_threads(plan->pool) * plan->pixels;
    plan->plane = memory_array(values, sizeof(double));
    if (!plan->plane) {
        size_t bytes = values * sizeof(double);
        ref_global_pool_destroy(&plan);
        return error_no_memory(error, "a global pool of the ref backend", bytes);
    }
    *out = plan;
    return SIMCLR_OK;
}

static void global_forward_plane(void *context, int64_t number, int thread)
{
    const struct plane_job *job = context;
    const struct global_pool_plan *plan = job->plan;
    double *values = plan->plane + (size_t)thread * plan->pixels, sum = 0;
    ref_load(values, plan->desc.dtype, job->from, (size_t)number * plan->pixels, plan->pixels);
    for (size_t i = 0; i < plan->pixels; i++) sum += values[i];
    ((float *)job->to)[number] = (float)(sum / (double)plan->pixels);
}

void ref_global_pool_forward(struct global_pool_plan *plan, void *y, const void *x)
{
    struct plane_job job = {.plan = plan, .to = y, .from = x};
    pool_run(plan->pool, (int64_t)plan->planes, global_forward_plane, &job);
}

static void global_backward_plane(void *context, int64_t number, int thread)
{
    const struct plane_job *job = context;
    const struct global_pool_plan *plan = job->plan;
    double *values = plan->plane + (size_t)thread * plan->pixels;
    const double value = (double)((const float *)job->from)[number] / (double)plan->pixels;
    for (size_t i = 0; i < plan->pixels; i++) values[i] = value;
    ref_store(job->to, plan->desc.dtype, (size_t)number * plan->pixels, plan->pixels, values);
}

void ref_global_pool_backward(struct global_pool_plan *plan, void *d_x, const void *d_y)
{
    struct plane_job job = {.plan = plan, .to = d_x, .from = d_y};
    pool_run(plan->pool, (int64_t)plan->planes, global_backward_plane, &job);
}
