/* ReLU, value by value: planes of whole rows, which threads take as they come. */
#include "backend/check.h"
#include "backend/cpu/cpu.h"
#include "backend/cpu/kernels.h"
#include "backend/cpu/layout.h"
#include "backend/cpu/ops.h"
#include "base/memory.h"

struct relu_plan {
    struct cpu_backend *cpu;
    struct activation_layout layout;
    bool bf16;
    size_t plane_bytes;
};

int cpu_relu_create(struct backend *backend, const struct relu_desc *desc, struct relu_plan **out, struct error *error)
{
    *out = NULL;
    const int status = check_relu(backend, desc, error);
    if (status) return status;
    struct relu_plan *plan = memory_allocate(sizeof *plan);
    if (!plan) return error_no_memory(error, "a ReLU plan", sizeof *plan);
    plan->cpu = cpu_backend_of(backend);
    plan->layout = activation_layout(desc->batch, desc->channels, desc->height, desc->width);
    plan->bf16 = desc->dtype == DTYPE_BF16;
    plan->plane_bytes = plan->layout.block * dtype_bytes(desc->dtype);
    *out = plan;
    return SIMCLR_OK;
}

void cpu_relu_destroy(struct relu_plan **plan)
{
    memory_free(*plan);
    *plan = NULL;
}

struct relu_job {
    const struct relu_plan *plan;
    char *to;
    const char *from, *y;
};

static void run_planes(struct relu_plan *plan, pool_task *task, struct relu_job *job)
{
    pool_run(plan->cpu->base.pool, (int64_t)plan->layout.groups * plan->layout.blocks, task, job);
}

static void forward_plane(void *context, int64_t plane, int thread)
{
    (void)thread;
    const struct relu_job *job = context;
    const struct relu_plan *plan = job->plan;
    const size_t at = (size_t)plane * plan->plane_bytes;
    const struct relu_args args = {.y = job->to + at,
                                   .x = job->from + at,
                                   .rows = (ptrdiff_t)(plan->layout.block / ROW_ELEMENTS),
                                   .bf16 = plan->bf16};
    plan->cpu->kernels->relu(&args);
}

void cpu_relu_forward(struct relu_plan *plan, void *y, const void *x)
{
    struct relu_job job = {plan, y, x, NULL};
    run_planes(plan, forward_plane, &job);
}

static void backward_plane(void *context, int64_t plane, int thread)
{
    (void)thread;
    const struct relu_job *job = context;
    const struct relu_plan *plan = job->plan;
    const size_t at = (size_t)plane * plan->plane_bytes;
    const struct relu_gradient_args args = {.d_x = job->to + at,
                                            .d_y = job->from + at,
                                            .y = job->y + at,
                                            .rows = (ptrdiff_t)(plan->layout.block / ROW_ELEMENTS),
                                            .bf16 = plan->bf16};
    plan->cpu->kernels->relu_gradient(&args);
}

void cpu_relu_backward(struct relu_plan *plan, void *d_x, const void *d_y, const void *y)
{
    struct relu_job job = {plan, d_x, d_y, y};
    run_planes(plan, backward_plane, &job);
}
