/* backend/ref/average_pool.c -- averages over windows, plane by plane, a task of the pool each; backward scatters
 * what forward gathered. */
#include "backend/check.h"
#include "backend/ref/ref.h"
#include "base/memory.h"
#include "base/pool.h"

struct average_pool_plan {
    struct pool *pool;
    struct average_pool_desc desc;
    size_t in_pixels, out_pixels, planes;
    double *in, *out; /* [threads] planes each */
};

void ref_average_pool_destroy(struct average_pool_plan **plan)
{
    if (!*plan) return;
    memory_free((*plan)->in);
    memory_free((*plan)->out);
    memory_free(*plan);
    *plan = NULL;
}

int ref_average_pool_create(struct backend *backend, const struct average_pool_desc *desc,
                            struct average_pool_plan **out, struct error *error)
{
    *out = NULL;
    const int status = check_average_pool(backend, desc, error);
    if (status) return status;
    struct average_pool_plan *plan = memory_allocate(sizeof *plan);
    if (!plan) return error_no_memory(error, "an average pool plan", sizeof *plan);
    plan->pool = backend->pool;
    plan->desc = *desc;
    plan->in_pixels = (size_t)desc->in_height * (size_t)desc->in_width;
    plan->out_pixels = (size_t)desc->out_height * (size_t)desc->out_width;
    plan->planes = (size_t)desc->batch * (size_t)desc->channels;
    const size_t threads = (size_t)pool_threads(plan->pool);
    plan->in = memory_array(threads * plan->in_pixels, sizeof(double));
    plan->out = memory_array(threads * plan->out_pixels, sizeof(double));
    if (!plan->in || !plan->out) {
        const size_t bytes = threads * (plan->in_pixels + plan->out_pixels) * sizeof(double);
        ref_average_pool_destroy(&plan);
        return error_no_memory(error, "an average pool of the ref backend", bytes);
    }
    *out = plan;
    return SIMCLR_OK;
}

struct average_job {
    const struct average_pool_plan *plan;
    void *to; /* y or d_x */
    const void *from;
};

static void forward_plane(void *context, int64_t index, int thread)
{
    const struct average_job *job = context;
    const struct average_pool_plan *plan = job->plan;
    const struct average_pool_desc *desc = &plan->desc;
    const size_t plane = (size_t)index;
    double *in = plan->in + (size_t)thread * plan->in_pixels, *out = plan->out + (size_t)thread * plan->out_pixels;
    double *next = out;
    ref_load(in, desc->dtype, job->from, plane * plan->in_pixels, plan->in_pixels);
    for (int i = 0; i < desc->out_height; i++) {
        const struct average_range rows = average_pool_range(desc, desc->in_height, desc->out_height, i);
        for (int j = 0; j < desc->out_width; j++) {
            const struct average_range columns = average_pool_range(desc, desc->in_width, desc->out_width, j);
            double sum = 0;
            for (int h = rows.first; h < rows.end; h++)
                for (int w = columns.first; w < columns.end; w++) sum += in[h * desc->in_width + w];
            *next++ = sum * rows.share * columns.share;
        }
    }
    ref_store(job->to, desc->dtype, plane * plan->out_pixels, plan->out_pixels, out);
}

void ref_average_pool_forward(struct average_pool_plan *plan, void *y, const void *x)
{
    struct average_job job = {plan, y, x};
    pool_run(plan->pool, (int64_t)plan->planes, forward_plane, &job);
}

static void backward_plane(void *context, int64_t index, int thread)
{
    const struct average_job *job = context;
    const struct average_pool_plan *plan = job->plan;
    const struct average_pool_desc *desc = &plan->desc;
    const size_t plane = (size_t)index;
    double *in = plan->in + (size_t)thread * plan->in_pixels, *out = plan->out + (size_t)thread * plan->out_pixels;
    const double *next = out;
    ref_load(out, desc->dtype, job->from, plane * plan->out_pixels, plan->out_pixels);
    memset(in, 0, plan->in_pixels * sizeof *in);
    if (desc->accumulate) ref_load(in, desc->dtype, job->to, plane * plan->in_pixels, plan->in_pixels);
    for (int i = 0; i < desc->out_height; i++) {
        const struct average_range rows = average_pool_range(desc, desc->in_height, desc->out_height, i);
        for (int j = 0; j < desc->out_width; j++) {
            const struct average_range columns = average_pool_range(desc, desc->in_width, desc->out_width, j);
            const double share = *next++ * rows.share * columns.share;
            for (int h = rows.first; h < rows.end; h++)
                for (int w = columns.first; w < columns.end; w++) in[h * desc->in_width + w] += share;
        }
    }
    ref_store(job->to, desc->dtype, plane * plan->in_pixels, plan->in_pixels, in);
}

void ref_average_pool_backward(struct average_pool_plan *plan, void *d_x, const void *d_y)
{
    struct average_job job = {plan, d_x, d_y};
    pool_run(plan->pool, (int64_t)plan->planes, backward_plane, &job);
}
