/* Optimisers and norms. Every array is cut into slices that depend on its length alone, and sums of slices are joined
 * in their order, so results do not even depend on the number of threads. LARS takes the norms of a segment and
 * updates it right after, while it is still in the cache. */
#include <math.h>
#include <string.h>

#include "backend/check.h"
#include "backend/cpu/cpu.h"
#include "backend/cpu/kernels.h"
#include "backend/cpu/ops.h"
#include "base/memory.h"

enum { SLICES = CPU_SLICES, SLICE_MIN = 4096, SLICE_GRAIN = 64 };

static size_t slice_length(size_t count)
{
    size_t length = (count + SLICES - 1) / SLICES;
    length = (length + SLICE_GRAIN - 1) / SLICE_GRAIN * SLICE_GRAIN;
    return length < SLICE_MIN ? SLICE_MIN : length;
}

static int slice_count(size_t count)
{
    const size_t length = slice_length(count);
    return (int)((count + length - 1) / length);
}

/* The elements [*begin, *end) of the slices that belong to a thread; slices may be handed out one by one too. */
static void slice_range(size_t count, int64_t first, int64_t last, size_t *begin, size_t *end)
{
    const size_t length = slice_length(count);
    *begin = (size_t)first * length;
    *end = (size_t)last * length < count ? (size_t)last * length : count;
}

struct optimizer_plan {
    struct cpu_backend *cpu;
    struct optimizer_desc desc;
    struct optimizer_segment *segments;
};

void cpu_optimizer_destroy(struct optimizer_plan **plan)
{
    if (!*plan) return;
    memory_free((*plan)->segments);
    memory_free(*plan);
    *plan = NULL;
}

int cpu_optimizer_create(struct backend *backend, const struct optimizer_desc *desc, struct optimizer_plan **out,
                         struct error *error)
{
    *out = NULL;
    const int status = check_optimizer(desc, error);
    if (status) return status;
    struct optimizer_plan *plan = memory_allocate(sizeof *plan);
    if (!plan) return error_no_memory(error, "an optimiser plan", sizeof *plan);
    const size_t count = (size_t)desc->count;
    plan->cpu = cpu_backend_of(backend);
    plan->desc = *desc;
    plan->segments = memory_array(count, sizeof *plan->segments);
    if (!plan->segments) {
        cpu_optimizer_destroy(&plan);
        return error_no_memory(error, "an optimiser plan", count * sizeof *plan->segments);
    }
    if (count > 0) memcpy(plan->segments, desc->segments, count * sizeof *plan->segments);
    *out = plan;
    return SIMCLR_OK;
}

struct optimizer_job {
    struct cpu_backend *cpu;
    const struct optimizer_plan *plan;
    const struct step_inputs *inputs;
};

/* Norms of one segment into `partials` [2][SLICES], by all threads. */
static void norms_part(const struct optimizer_job *job, const struct optimizer_segment *segment, double *partials,
                       int thread, int threads)
{
    const float decay = segment->decay ? job->plan->desc.weight_decay : 0;
    int64_t first, last;
    pool_share(slice_count(segment->count), thread, threads, &first, &last);
    for (int64_t slice = first; slice < last; slice++) {
        size_t begin, end;
        slice_range(segment->count, slice, slice + 1, &begin, &end);
        job->cpu->kernels->lars_norms(&partials[slice], &partials[SLICES + slice], segment->weight + begin,
                                      segment->gradient + begin, end - begin, decay);
    }
}

static double joined(const double *partials, int slices)
{
    double sum = 0;
    for (int i = 0; i < slices; i++) sum += partials[i];
    return sum;
}

/* eta |w| / |g'|, or 1 where a norm is 0. */
static double trust_ratio(const struct optimizer_job *job, const struct optimizer_segment *segment,
                          const double *partials)
{
    const int slices = slice_count(segment->count);
    const double weight = sqrt(joined(partials, slices)), gradient = sqrt(joined(partials + SLICES, slices));
    return weight > 0 && gradient > 0 ? (double)job->plan->desc.trust * weight / gradient : 1;
}

static void update_range(const struct optimizer_job *job, const struct optimizer_segment *segment, double trust,
                         size_t begin, size_t end)
{
    const struct optimizer_desc *desc = &job->plan->desc;
    const struct step_inputs *inputs = job->inputs;
    const struct cpu_kernels *kernels = job->cpu->kernels;
    const float decay = segment->decay ? desc->weight_decay : 0;
    const float learning_rate = inputs->learning_rate * segment->rate;
    float *weight = segment->weight + begin, *state = segment->state1 + begin;
    const float *gradient = segment->gradient + begin;
    if (desc->kind == OPTIMIZER_LARS) {
        const float rate = (float)((double)learning_rate * trust);
        kernels->lars_update(weight, state, gradient, end - begin, rate, desc->momentum, decay);
    } else if (desc->kind == OPTIMIZER_SGD) {
        kernels->sgd_update(weight, state, gradient, end - begin, learning_rate, desc->momentum, decay);
    } else {
        const double first = 1 - pow(desc->momentum, (double)inputs->step);
        const double second = 1 - pow(desc->beta2, (double)inputs->step);
        struct adam_args args = {.weight = weight,
                                 .first = state,
                                 .second = segment->state2 + begin,
                                 .gradient = gradient,
                                 .count = end - begin,
                                 .beta1 = desc->momentum,
                                 .beta2 = desc->beta2,
                                 .keep = (float)(1 - (double)learning_rate * (double)decay),
                                 .rate = (float)(learning_rate / first),
                                 .root = (float)(1 / sqrt(second)),
                                 .epsilon = desc->epsilon};
        kernels->adam_update(&args);
    }
}

static void optimizer_part(void *context, int thread, int threads)
{
    const struct optimizer_job *job = context;
    int adapted = 0;
    for (int i = 0; i < job->plan->desc.count; i++) {
        const struct optimizer_segment *segment = &job->plan->segments[i];
        double trust = 1;
        if (job->plan->desc.kind == OPTIMIZER_LARS && segment->adapt) {
            /* Two sets of partials in turn: a thread may be one barrier ahead of another, never two. */
            double *partials = job->cpu->partials[adapted++ % 2];
            norms_part(job, segment, partials, thread, threads);
            pool_barrier(job->cpu->base.pool);
            trust = trust_ratio(job, segment, partials);
        }
        int64_t first, last;
        size_t begin, end;
        pool_share(slice_count(segment->count), thread, threads, &first, &last);
        slice_range(segment->count, first, last, &begin, &end);
        if (begin < end) update_range(job, segment, trust, begin, end);
    }
}

void cpu_optimizer_run(struct optimizer_plan *plan, const struct step_inputs *inputs)
{
    struct optimizer_job job = {.cpu = plan->cpu, .plan = plan, .inputs = inputs};
    pool_split(plan->cpu->base.pool, optimizer_part, &job);
}

struct square_job {
    struct cpu_backend *cpu;
    const float *values;
    size_t count;
};

static void square_slice(void *context, int64_t slice, int thread)
{
    (void)thread;
    const struct square_job *job = context;
    size_t begin, end;
    slice_range(job->count, slice, slice + 1, &begin, &end);
    job->cpu->partials[0][slice] = job->cpu->kernels->sum_squares(job->values + begin, end - begin);
}

void cpu_sum_squares(struct backend *backend, double *out, const float *values, size_t count)
{
    struct square_job job = {.cpu = cpu_backend_of(backend), .values = values, .count = count};
    pool_run(backend->pool, slice_count(count), square_slice, &job);
    *out = joined(job.cpu->partials[0], slice_count(count));
}
