/* Max pooling and global average pooling. */
#include <math.h>

#include "backend/check.h"
#include "backend/ref/ref.h"
#include "base/memory.h"

/* ---- max pooling ----------------------------------------------------------------------------------------------- */
struct max_pool_plan {
    struct max_pool_desc desc;
    int out_height, out_width;
    size_t in_pixels, out_pixels, planes;
    double *in, *out; /* one plane each */
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
    plan->desc = *desc;
    plan->out_height = conv_out(desc->in_height, desc->kernel, desc->stride, desc->padding);
    plan->out_width = conv_out(desc->in_width, desc->kernel, desc->stride, desc->padding);
    plan->in_pixels = (size_t)desc->in_height * (size_t)desc->in_width;
    plan->out_pixels = (size_t)plan->out_height * (size_t)plan->out_width;
    plan->planes = (size_t)desc->batch * (size_t)desc->channels;
    plan->in = memory_array(plan->in_pixels, sizeof(double));
    plan->out = memory_array(plan->out_pixels, sizeof(double));
    if (!plan->in || !plan->out) {
        size_t bytes = (plan->in_pixels + plan->out_pixels) * sizeof(double);
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
static int window_maximum(const struct max_pool_plan *plan, int oy, int ox)
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
            if (best < 0 || plan->in[index] > plan->in[best] || isnan(plan->in[index])) best = index;
        }
    }
    return best;
}

void ref_max_pool_forward(struct max_pool_plan *plan, void *y, void *saved, const void *x)
{
    int32_t *origin = saved;
    for (size_t plane = 0; plane < plan->planes; plane++) {
        ref_load(plan->in, plan->desc.dtype, x, plane * plan->in_pixels, plan->in_pixels);
        for (int oy = 0; oy < plan->out_height; oy++)
            for (int ox = 0; ox < plan->out_width; ox++) {
                const size_t index = (size_t)oy * (size_t)plan->out_width + (size_t)ox;
                const int best = window_maximum(plan, oy, ox);
                plan->out[index] = plan->in[best];
                if (origin) origin[plane * plan->out_pixels + index] = best;
            }
        ref_store(y, plan->desc.dtype, plane * plan->out_pixels, plan->out_pixels, plan->out);
    }
}

void ref_max_pool_backward(struct max_pool_plan *plan, void *d_x, const void *d_y, const void *saved)
{
    const int32_t *origin = saved;
    for (size_t plane = 0; plane < plan->planes; plane++) {
        ref_load(plan->out, plan->desc.dtype, d_y, plane * plan->out_pixels, plan->out_pixels);
        memset(plan->in, 0, plan->in_pixels * sizeof *plan->in);
        for (size_t i = 0; i < plan->out_pixels; i++) plan->in[origin[plane * plan->out_pixels + i]] += plan->out[i];
        ref_store(d_x, plan->desc.dtype, plane * plan->in_pixels, plan->in_pixels, plan->in);
    }
}

/* ---- global average pooling -------------------------------------------------------------------------------------- */
struct global_pool_plan {
    struct global_pool_desc desc;
    size_t pixels, planes;
    double *plane;
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
    plan->desc = *desc;
    plan->pixels = (size_t)desc->height * (size_t)desc->width;
    plan->planes = (size_t)desc->batch * (size_t)desc->channels;
    plan->plane = memory_array(plan->pixels, sizeof(double));
    if (!plan->plane) {
        size_t bytes = plan->pixels * sizeof(double);
        ref_global_pool_destroy(&plan);
        return error_no_memory(error, "a global pool of the ref backend", bytes);
    }
    *out = plan;
    return SIMCLR_OK;
}

void ref_global_pool_forward(struct global_pool_plan *plan, void *y, const void *x)
{
    float *means = y;
    for (size_t plane = 0; plane < plan->planes; plane++) {
        double sum = 0;
        ref_load(plan->plane, plan->desc.dtype, x, plane * plan->pixels, plan->pixels);
        for (size_t i = 0; i < plan->pixels; i++) sum += plan->plane[i];
        means[plane] = (float)(sum / (double)plan->pixels);
    }
}

void ref_global_pool_backward(struct global_pool_plan *plan, void *d_x, const void *d_y)
{
    const float *d_means = d_y;
    for (size_t plane = 0; plane < plan->planes; plane++) {
        for (size_t i = 0; i < plan->pixels; i++) plan->plane[i] = (double)d_means[plane] / (double)plan->pixels;
        ref_store(d_x, plan->desc.dtype, plane * plan->pixels, plan->pixels, plan->plane);
    }
}
