/* backend/ref/average_pool.c -- averages over windows, plane by plane; backward scatters what forward gathered. */
#include "backend/check.h"
#include "backend/ref/ref.h"
#include "base/memory.h"

struct average_pool_plan {
    struct average_pool_desc desc;
    size_t in_pixels, out_pixels, planes;
    double *in, *out; /* one plane each */
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
    plan->desc = *desc;
    plan->in_pixels = (size_t)desc->in_height * (size_t)desc->in_width;
    plan->out_pixels = (size_t)desc->out_height * (size_t)desc->out_width;
    plan->planes = (size_t)desc->batch * (size_t)desc->channels;
    plan->in = memory_array(plan->in_pixels, sizeof(double));
    plan->out = memory_array(plan->out_pixels, sizeof(double));
    if (!plan->in || !plan->out) {
        const size_t bytes = (plan->in_pixels + plan->out_pixels) * sizeof(double);
        ref_average_pool_destroy(&plan);
        return error_no_memory(error, "an average pool of the ref backend", bytes);
    }
    *out = plan;
    return SIMCLR_OK;
}

void ref_average_pool_forward(struct average_pool_plan *plan, void *y, const void *x)
{
    const struct average_pool_desc *desc = &plan->desc;
    for (size_t plane = 0; plane < plan->planes; plane++) {
        double *out = plan->out;
        ref_load(plan->in, desc->dtype, x, plane * plan->in_pixels, plan->in_pixels);
        for (int i = 0; i < desc->out_height; i++) {
            const struct average_range rows = average_pool_range(desc, desc->in_height, desc->out_height, i);
            for (int j = 0; j < desc->out_width; j++) {
                const struct average_range columns = average_pool_range(desc, desc->in_width, desc->out_width, j);
                double sum = 0;
                for (int h = rows.first; h < rows.end; h++)
                    for (int w = columns.first; w < columns.end; w++) sum += plan->in[h * desc->in_width + w];
                *out++ = sum * rows.share * columns.share;
            }
        }
        ref_store(y, desc->dtype, plane * plan->out_pixels, plan->out_pixels, plan->out);
    }
}

void ref_average_pool_backward(struct average_pool_plan *plan, void *d_x, const void *d_y)
{
    const struct average_pool_desc *desc = &plan->desc;
    for (size_t plane = 0; plane < plan->planes; plane++) {
        const double *out = plan->out;
        ref_load(plan->out, desc->dtype, d_y, plane * plan->out_pixels, plan->out_pixels);
        memset(plan->in, 0, plan->in_pixels * sizeof *plan->in);
        if (desc->accumulate) ref_load(plan->in, desc->dtype, d_x, plane * plan->in_pixels, plan->in_pixels);
        for (int i = 0; i < desc->out_height; i++) {
            const struct average_range rows = average_pool_range(desc, desc->in_height, desc->out_height, i);
            for (int j = 0; j < desc->out_width; j++) {
                const struct average_range columns = average_pool_range(desc, desc->in_width, desc->out_width, j);
                const double share = *out++ * rows.share * columns.share;
                for (int h = rows.first; h < rows.end; h++)
                    for (int w = columns.first; w < columns.end; w++) plan->in[h * desc->in_width + w] += share;
            }
        }
        ref_store(d_x, desc->dtype, plane * plan->in_pixels, plan->in_pixels, plan->in);
    }
}
