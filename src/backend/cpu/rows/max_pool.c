/* Max pooling with the position of each maximum kept in a byte. Rows of planes are independent, so threads take them
 * as they come. The gradient is gathered (each input asks the windows over it), so nothing needs clearing. */
#include "backend/check.h"
#include "backend/cpu/cpu.h"
#include "backend/cpu/kernels.h"
#include "backend/cpu/layout.h"
#include "backend/cpu/ops.h"
#include "base/memory.h"

enum { MAX_KERNEL = 16 }; /* its 256 taps fill a byte */

struct max_pool_plan {
    struct cpu_backend *cpu;
    struct activation_layout in, out;
    struct pool_window window;
    bool bf16;
    size_t element; /* bytes */
};

int cpu_max_pool_create(struct backend *backend, const struct max_pool_desc *desc, struct max_pool_plan **out,
                        struct error *error)
{
    *out = NULL;
    int status = check_max_pool(backend, desc, error);
    if (status != SIMCLR_OK) return status;
    if (desc->kernel > MAX_KERNEL)
        return error_set(error, SIMCLR_UNSUPPORTED, "max pool: kernel %d; the cpu backend goes up to %d", desc->kernel,
                         MAX_KERNEL);
    struct max_pool_plan *plan = memory_allocate(sizeof *plan);
    if (!plan) return error_no_memory(error, "a max pool plan", sizeof *plan);
    const int height = conv_out(desc->in_height, desc->kernel, desc->stride, desc->padding);
    const int width = conv_out(desc->in_width, desc->kernel, desc->stride, desc->padding);
    plan->cpu = cpu_backend_of(backend);
    plan->in = activation_layout(desc->batch, desc->channels, desc->in_height, desc->in_width);
    plan->out = activation_layout(desc->batch, desc->channels, height, width);
    plan->window =
        (struct pool_window){desc->in_height, desc->in_width, height, width, desc->kernel, desc->stride, desc->padding};
    plan->bf16 = desc->dtype == DTYPE_BF16;
    plan->element = dtype_bytes(desc->dtype);
    *out = plan;
    return SIMCLR_OK;
}

void cpu_max_pool_destroy(struct max_pool_plan **plan)
{
    memory_free(*plan);
    *plan = NULL;
}

size_t cpu_max_pool_saved_bytes(const struct max_pool_plan *plan)
{
    return plan->out.elements;
}

struct max_pool_job {
    const struct max_pool_plan *plan;
    char *to;
    const char *from;
    uint8_t *saved;
    const uint8_t *saved_before;
};

static void forward_row(void *context, int64_t index, int thread)
{
    (void)thread;
    const struct max_pool_job *job = context;
    const struct max_pool_plan *plan = job->plan;
    const size_t plane = (size_t)(index / plan->out.height), row = (size_t)(index % plan->out.height);
    const size_t start = plane * plan->out.block + row * plan->out.row;
    struct max_pool_args args = {.window = &plan->window,
                                 .bf16 = plan->bf16,
                                 .cell_rows = activation_cell_rows(&plan->in),
                                 .row = (int)row,
                                 .y = job->to + start * plan->element,
                                 .x = job->from + plane * plan->in.block * plan->element,
                                 .saved = job->saved ? job->saved + start : NULL};
    plan->cpu->kernels->max_pool_row(&args);
}

static void backward_row(void *context, int64_t index, int thread)
{
    (void)thread;
    const struct max_pool_job *job = context;
    const struct max_pool_plan *plan = job->plan;
    const size_t plane = (size_t)(index / plan->in.height), row = (size_t)(index % plan->in.height);
    struct max_pool_args args = {.window = &plan->window,
                                 .bf16 = plan->bf16,
                                 .cell_rows = activation_cell_rows(&plan->in),
                                 .row = (int)row,
                                 .y = job->to + (plane * plan->in.block + row * plan->in.row) * plan->element,
                                 .x = job->from + plane * plan->out.block * plan->element,
                                 .saved_plane = job->saved_before + plane * plan->out.block};
    plan->cpu->kernels->max_pool_gradient_row(&args);
}

static int64_t row_count(const struct activation_layout *layout)
{
    return (int64_t)layout->groups * layout->blocks * layout->height;
}

void cpu_max_pool_forward(struct max_pool_plan *plan, void *y, void *saved, const void *x)
{
    struct max_pool_job job = {.plan = plan, .to = y, .from = x, .saved = saved};
    pool_run(plan->cpu->base.pool, row_count(&plan->out), forward_row, &job);
}

void cpu_max_pool_backward(struct max_pool_plan *plan, void *d_x, const void *d_y, const void *saved)
{
    struct max_pool_job job = {.plan = plan, .to = d_x, .from = d_y, .saved_before = saved};
    pool_run(plan->cpu->base.pool, row_count(&plan->in), backward_row, &job);
}
