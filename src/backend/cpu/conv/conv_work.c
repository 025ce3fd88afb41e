/* backend/cpu/conv/conv_work.c -- what a planned convolution computes in each pass, and what this machine could at
 * most. */
#include "backend/check.h"
#include "backend/cpu/conv/conv_plan.h"
#include "base/clock.h"
#include "base/pool.h"

/* The first layer's images come as padded strips, whose padding is multiplied too. */
static double direct_flops(const struct conv_plan *plan)
{
    const struct conv_desc *desc = &plan->desc;
    if (desc->input_layout != LAYOUT_IMAGES) return conv_inside_flops(desc);
    return 2.0 * desc->batch * desc->in_channels * desc->out_channels * desc->kernel * desc->kernel * plan->out_height *
           plan->out_width;
}

void cpu_conv_work(const struct conv_plan *plan, struct conv_work work[CONV_PASSES])
{
    const struct conv_desc *desc = &plan->desc;
    const struct winograd_plan *winograd = &plan->winograd;
    const struct winograd_pass *passes[CONV_PASSES] = {&winograd->forward, &winograd->data, &winograd->weights};
    const bool planned[CONV_PASSES] = {true, desc->training && desc->input_gradient, desc->training};
    for (int i = 0; i < CONV_PASSES; i++) {
        const struct winograd_pass *pass = passes[i];
        const bool pairs = pass->used ? pass->pairs : plan->kernels->pair == 2;
        work[i] = (struct conv_work){.operands = pairs ? DTYPE_BF16 : DTYPE_F32};
        if (!planned[i]) continue;
        work[i].algorithm = pass->used ? "winograd" : "direct";
        work[i].kernels = pass->used ? winograd->kernels->name : plan->kernels->name;
        work[i].flops = pass->used ? 2.0 * pass->form->points * pass->down * pass->across * desc->batch *
                                         desc->in_channels * desc->out_channels
                                   : direct_flops(plan);
    }
}

struct peak_job {
    struct cpu_backend *cpu;
    const struct conv_kernels *kernels;
    long rounds;
};

static void multiply_part(void *context, int thread, int threads)
{
    const struct peak_job *job = context;
    (void)threads;
    *(double *)cpu_scratch(job->cpu, thread) = job->kernels->multiply_registers(job->rounds);
}

double cpu_peak(struct backend *backend, enum dtype operands)
{
    const double enough = 5e-3; /* seconds of one measurement */
    const struct conv_desc desc = {.dtype = operands, .kernel = 3, .in_channels = BLOCK_CHANNELS};
    struct cpu_backend *cpu = cpu_backend_of(backend);
    struct peak_job job = {.cpu = cpu, .kernels = conv_choose_kernels(cpu, &desc), .rounds = 1000};
    if (operands != DTYPE_F32 && job.kernels->pair != 2) return 0; /* its products are of float32 */
    double best = 0;
    for (int measured = 0; measured < 5;) {
        const double start = clock_seconds();
        pool_split(backend->pool, multiply_part, &job);
        const double seconds = clock_seconds() - start;
        if (seconds < enough && job.rounds < 1L << 30) {
            job.rounds *= 2;
            continue;
        }
        double flops = 0;
        for (int thread = 0; thread < cpu->threads; thread++) flops += *(const double *)cpu_scratch(cpu, thread);
        if (flops / seconds > best) best = flops / seconds;
        measured++;
    }
    return best;
}
