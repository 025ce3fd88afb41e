/* backend/cpu/conv/conv_work.c -- what a planned convolution computes in each pass, and what this machine could at
 * most. */
#include "backend/cpu/conv/conv_plan.h"
#include "base/clock.h"
#include "base/pool.h"

void cpu_conv_work(const struct conv_plan *plan, struct conv_work work[CONV_PASSES])
{
    for (int i = 0; i < CONV_PASSES; i++) {
        const struct conv_way *way = &plan->ways[i];
        work[i] = (struct conv_work){.operands = plan->kernels->pair == 2 ? DTYPE_BF16 : DTYPE_F32};
        if (!way->algorithm) continue;
        work[i].algorithm = way->algorithm->name;
        way->algorithm->work(&work[i], plan, way->state);
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
