/* Global average pooling: a plane of cells becomes one float32 cell, and its gradient is spread back. */
#include "backend/check.h"
#include "backend/cpu/cpu.h"
#include "backend/cpu/kernels.h"
#include "backend/cpu/layout.h"
#include "backend/cpu/ops.h"
#include "base/memory.h"

struct global_pool_plan {
    struct cpu_backend *cpu;
    struct activation_layout layout; /* of x */
    bool bf16;
    size_t element; /* bytes of x */
};

int cpu_global_pool_create(struct backend *backend, const struct global_pool_desc *desc, struct global_pool_plan **out,
                           struct error *error)
{
    *out = NULL;
    int status = check_global_pool(backend, desc, error);
    if (status != SIMCLR_OK) return status;
    struct global_pool_plan *plan = memory_allocate(sizeof *plan);
    if (!plan) return error_no_memory(error, "a global pool plan", sizeof *plan);
    plan->cpu = cpu_backend_of(backend);
    plan->layout = activation_layout(desc->batch, desc->channels, desc->height, desc->width);
    plan->bf16 = desc->dtype == DTYPE_BF16;
    plan->element = dtype_bytes(desc->dtype);
    *out = plan;
    return SIMCLR_OK;
}

void cpu_global_pool_destroy(struct global_pool_plan **plan)
{
    memory_free(*plan);
    *plan = NULL;
}

struct global_pool_job {
    const struct global_pool_plan *plan;
    float *y;
    const float *d_y;
    char *d_x;
    const char *x;
};

static ptrdiff_t plane_cells(const struct global_pool_plan *plan)
{
    return (ptrdiff_t)(plan->layout.block / plan->layout.cell);
}

static void forward_plane(void *context, int64_t plane, int thread)
{
    (void)thread;
    const struct global_pool_job *job = context;
    const struct global_pool_plan *plan = job->plan;
    plan->cpu->kernels->global_pool(job->y + (size_t)plane * plan->layout.cell,
                                    job->x + (size_t)plane * plan->layout.block * plan->element, plane_cells(plan),
                                    activation_cell_rows(&plan->layout), plan->bf16);
}

static void backward_plane(void *context, int64_t plane, int thread)
{
    (void)thread;
    const struct global_pool_job *job = context;
    const struct global_pool_plan *plan = job->plan;
    const int rows = activation_group_rows(&plan->layout, (int)(plane / plan->layout.blocks));
    plan->cpu->kernels->global_pool_gradient(job->d_x + (size_t)plane * plan->layout.block * plan->element,
                                             job->d_y + (size_t)plane * plan->layout.cell, plane_cells(plan),
                                             activation_cell_rows(&plan->layout), rows, plan->bf16);
}

void cpu_global_pool_forward(struct global_pool_plan *plan, void *y, const void *x)
{
    struct global_pool_job job = {.plan = plan, .y = y, .x = x};
    pool_run(plan->cpu->base.pool, (int64_t)plan->layout.groups * plan->layout.blocks, forward_plane, &job);
}

void cpu_global_pool_backward(struct global_pool_plan *plan, void *d_x, const void *d_y)
{
    struct global_pool_job job = {.plan = plan, .d_x = d_x, .d_y = d_y};
    pool_run(plan->cpu->base.pool, (int64_t)plan->layout.groups * plan->layout.blocks, backward_plane, &job);
}
