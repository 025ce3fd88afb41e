/* backend/cpu/rows/average_pool.c -- averages over windows. Either pass gathers: each output cell is a sum of input
 * cells, along both axes by lists of taps that are made once. Nothing needs clearing, and rows of planes are
 * independent. The padding images of a gradient are zero because those of the gradient that they are made from are. */
#include "backend/check.h"
#include "backend/cpu/cpu.h"
#include "backend/cpu/kernels.h"
#include "backend/cpu/layout.h"
#include "backend/cpu/ops.h"
#include "base/memory.h"

/* For position i of an axis, the taps [start[i], start[i + 1]). */
struct axis {
    int *start;
    struct average_tap *taps;
};

/* Where a pass reads and writes, and how its positions hang together. */
struct average_pass {
    struct activation_layout from, to;
    struct axis rows, columns;
    bool add;
};

struct average_pool_plan {
    struct cpu_backend *cpu;
    bool bf16;
    size_t element; /* bytes */
    struct average_pass forward, backward;
};

static void free_pass(struct average_pass *pass)
{
    memory_free(pass->rows.start);
    memory_free(pass->rows.taps);
    memory_free(pass->columns.start);
    memory_free(pass->columns.taps);
}

void cpu_average_pool_destroy(struct average_pool_plan **plan)
{
    if (!*plan) return;
    free_pass(&(*plan)->forward);
    free_pass(&(*plan)->backward);
    memory_free(*plan);
    *plan = NULL;
}

static int count_taps(const struct average_pool_desc *desc, int in, int out)
{
    int count = 0;
    for (int o = 0; o < out; o++) {
        const struct average_range range = average_pool_range(desc, in, out, o);
        count += range.end - range.first;
    }
    return count;
}

/* forward: the inputs of each output; backward: the outputs that each input went into. */
static int make_axes(const struct average_pool_desc *desc, int in, int out, struct axis *forward, struct axis *backward,
                     struct error *error)
{
    const size_t count = (size_t)count_taps(desc, in, out);
    forward->start = memory_array((size_t)out + 1, sizeof *forward->start);
    forward->taps = memory_array(count, sizeof *forward->taps);
    backward->start = memory_array((size_t)in + 1, sizeof *backward->start);
    backward->taps = memory_array(count, sizeof *backward->taps);
    if (!forward->start || !forward->taps || !backward->start || !backward->taps)
        return error_no_memory(error, "an average pool's taps", 2 * count * sizeof *forward->taps);
    int next = 0;
    for (int o = 0; o < out; o++) {
        const struct average_range range = average_pool_range(desc, in, out, o);
        for (int i = range.first; i < range.end; i++) {
            forward->taps[next++] = (struct average_tap){i, (float)range.share};
            backward->start[i + 1]++;
        }
        forward->start[o + 1] = next;
    }
    for (int i = 0; i < in; i++) backward->start[i + 1] += backward->start[i];
    for (int i = 0; i < in; i++) { /* ranges only move forward, so the outputs of an input are neighbours */
        int o = 0;
        while (average_pool_range(desc, in, out, o).end <= i) o++;
        for (next = backward->start[i]; next < backward->start[i + 1]; next++, o++)
            backward->taps[next] = (struct average_tap){o, (float)average_pool_range(desc, in, out, o).share};
    }
    return SIMCLR_OK;
}

int cpu_average_pool_create(struct backend *backend, const struct average_pool_desc *desc,
                            struct average_pool_plan **out, struct error *error)
{
    *out = NULL;
    int status = check_average_pool(backend, desc, error);
    if (status) return status;
    struct average_pool_plan *plan = memory_allocate(sizeof *plan);
    if (!plan) return error_no_memory(error, "an average pool plan", sizeof *plan);
    plan->cpu = cpu_backend_of(backend);
    plan->bf16 = desc->dtype == DTYPE_BF16;
    plan->element = dtype_bytes(desc->dtype);
    struct average_pass *forward = &plan->forward, *backward = &plan->backward;
    forward->from = activation_layout(desc->batch, desc->channels, desc->in_height, desc->in_width);
    forward->to = activation_layout(desc->batch, desc->channels, desc->out_height, desc->out_width);
    backward->from = forward->to;
    backward->to = forward->from;
    backward->add = desc->accumulate;
    status = make_axes(desc, desc->in_height, desc->out_height, &forward->rows, &backward->rows, error);
    if (!status)
        status = make_axes(desc, desc->in_width, desc->out_width, &forward->columns, &backward->columns, error);
    if (status) {
        cpu_average_pool_destroy(&plan);
        return status;
    }
    *out = plan;
    return SIMCLR_OK;
}

struct average_job {
    const struct average_pool_plan *plan;
    const struct average_pass *pass;
    char *to;
    const char *from;
};

static void average_row(void *context, int64_t index, int thread)
{
    (void)thread;
    const struct average_job *job = context;
    const struct average_pass *pass = job->pass;
    const size_t element = job->plan->element;
    const size_t plane = (size_t)(index / pass->to.height), row = (size_t)(index % pass->to.height);
    const struct axis *rows = &pass->rows;
    const struct average_pool_args args = {.to = job->to + (plane * pass->to.block + row * pass->to.row) * element,
                                           .from = job->from + plane * pass->from.block * element,
                                           .bf16 = job->plan->bf16,
                                           .add = pass->add,
                                           .cell_rows = activation_cell_rows(&pass->to),
                                           .from_width = pass->from.width,
                                           .to_width = pass->to.width,
                                           .rows = rows->taps + rows->start[row],
                                           .row_count = rows->start[row + 1] - rows->start[row],
                                           .columns = pass->columns.taps,
                                           .column_start = pass->columns.start};
    job->plan->cpu->kernels->average_pool_row(&args);
}

static void run_pass(const struct average_pool_plan *plan, const struct average_pass *pass, void *to, const void *from)
{
    struct average_job job = {plan, pass, to, from};
    const int64_t rows = (int64_t)pass->to.groups * pass->to.blocks * pass->to.height;
    pool_run(plan->cpu->base.pool, rows, average_row, &job);
}

void cpu_average_pool_forward(struct average_pool_plan *plan, void *y, const void *x)
{
    run_pass(plan, &plan->forward, y, x);
}

void cpu_average_pool_backward(struct average_pool_plan *plan, void *d_x, const void *d_y)
{
    run_pass(plan, &plan->backward, d_x, d_y);
}
