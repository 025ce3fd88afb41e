/* bench/bench_ranks.c -- a step of W ranks with one thread each against the step of one rank with W threads, over the
 * same number of images. Both run by turns in one process: ranks are threads of it (tests/support/comm_threads.h), so
 * messages are copies in memory. Views are random and stay the same; loading is not in it. Each thread is bound to a
 * processor, on both sides.
 *
 * usage: bench_ranks [--images N] [--size S] [--depth D] [--width W] [--ranks W] [--precision float32|bf16] [--runs R]
 * N: images of a step, of all ranks together. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "support/comm_threads.h"

#include "median.h"
#include "random_views.h"
#include "rank_step.h"

enum { RUNS_MAX = 100 };
static const double PATIENCE = 3600; /* for the step of one rank, in which the others wait */

struct options {
    int images, size, depth, ranks, runs;
    double width;
    enum dtype dtype;
};

struct run {
    const struct options *options;
    struct affinity processors;
    double shared[RUNS_MAX], whole[RUNS_MAX]; /* seconds of a step: of W ranks, of one */
    char wrong[200];
};

/* What one step needs, of a rank with so many threads. */
struct training {
    struct pool *pool;
    struct backend *backend;
    struct model *model;
    struct step step;
    void *views;
};

static int open_training(struct training *training, const struct options *options, int threads,
                         struct communicator *communicator, struct error *error)
{
    const struct rank_step of = {.depth = options->depth,
                                 .size = options->size,
                                 .images = options->images,
                                 .width = options->width,
                                 .dtype = options->dtype,
                                 .communicator = communicator};
    enum simd simd;
    int status = pool_create(&training->pool, threads, error);
    if (!status) status = simd_choose(NULL, "bench_ranks", &simd, error);
    if (!status) status = backend_create("cpu", simd, training->pool, &training->backend, error);
    if (!status) status = rank_step_open(&training->step, &training->model, &of, training->backend, error);
    if (status) return status;
    training->views = random_views(training->step.network, 1, communicator_rank(communicator));
    return training->views ? SIMCLR_OK : error_no_memory(error, "views", network_image_bytes(training->step.network));
}

static void close_training(struct training *training)
{
    memory_free(training->views);
    step_close(&training->step);
    model_destroy(&training->model);
    backend_destroy(&training->backend);
    pool_destroy(&training->pool);
}

/* Every step begins with an agreement, as in a run. seconds: from there to its end. */
static int take_step(struct training *training, struct communicator *communicator, double *seconds, struct error *error)
{
    const struct batch batch = {.count = network_tensor(training->step.network, 0)->batch / 2,
                                .views = training->views};
    struct step_report report;
    int status = communicator_agree_status(communicator, SIMCLR_OK, error);
    const double start = clock_seconds();
    if (!status) status = communicator_agree_status(communicator, SIMCLR_OK, error);
    if (!status) status = step_run(&training->step, &batch, &report, error);
    *seconds = clock_seconds() - start;
    return status;
}

static void bind_thread(void *context, int thread, int threads)
{
    const struct run *run = context;
    (void)threads;
    rank_step_bind(&run->processors, thread);
}

/* Rank 0 has the step of one rank too. The others wait for it in the first agreement of the next. */
static void body(struct communicator *communicator, void *context)
{
    struct run *run = context;
    const bool leads = communicator_leads(communicator);
    struct training part = {0}, whole = {0};
    struct error error = {0};
    communicator_set_patience(communicator, PATIENCE);
    rank_step_bind(&run->processors, communicator_rank(communicator));
    int status = open_training(&part, run->options, 1, communicator, &error);
    if (!status && leads) status = open_training(&whole, run->options, run->options->ranks, NULL, &error);
    if (!status && leads) pool_split(whole.pool, bind_thread, run);
    status = communicator_agree_status(communicator, status, &error);
    for (int r = -1; !status && r < run->options->runs; r++) { /* the first touches memory */
        double shared, alone = 0;
        status = take_step(&part, communicator, &shared, &error);
        if (!status && leads) status = take_step(&whole, NULL, &alone, &error);
        status = communicator_agree_status(communicator, status, &error);
        if (r < 0 || !leads) continue;
        run->shared[r] = shared;
        run->whole[r] = alone;
    }
    if (status && leads) snprintf(run->wrong, sizeof run->wrong, "%.190s", error.text);
    close_training(&whole);
    close_training(&part);
}

static int stop(const char *text)
{
    fprintf(stderr, "bench_ranks: %s\n", text);
    return 1;
}

int main(int argc, char **argv)
{
    static struct run run;
    struct options options = {
        .images = 512, .size = 32, .depth = 18, .ranks = 2, .runs = 5, .width = 1, .dtype = DTYPE_BF16};
    for (int i = 1; i + 1 < argc; i += 2) {
        const int number = atoi(argv[i + 1]);
        if (!strcmp(argv[i], "--images")) options.images = number;
        if (!strcmp(argv[i], "--size")) options.size = number;
        if (!strcmp(argv[i], "--depth")) options.depth = number;
        if (!strcmp(argv[i], "--width")) options.width = atof(argv[i + 1]);
        if (!strcmp(argv[i], "--ranks")) options.ranks = number;
        if (!strcmp(argv[i], "--runs")) options.runs = number;
        if (!strcmp(argv[i], "--precision")) options.dtype = strcmp(argv[i + 1], "bf16") ? DTYPE_F32 : DTYPE_BF16;
    }
    if (options.ranks < 2 || options.ranks > COMM_THREADS_MAX || options.images < 2 * options.ranks ||
        options.runs < 1 || options.runs > RUNS_MAX)
        return stop("2 to 8 ranks, two images for each, 1 to 100 runs");
    run.options = &options;
    run.processors = affinity_now();
    if (affinity_count(&run.processors) < options.ranks) return stop("fewer processors than ranks");
    comm_threads_run(options.ranks, body, &run);
    if (run.wrong[0]) return stop(run.wrong);
    double ratios[RUNS_MAX];
    for (int r = 0; r < options.runs; r++) ratios[r] = run.whole[r] / run.shared[r];
    const double shared = median(run.shared, options.runs), whole = median(run.whole, options.runs);
    const double ratio = median(ratios, options.runs);
    printf("ResNet-%d, width %g, %d pixels, %s, batch of %d, medians of %d: %d ranks of one thread %.3f s a step, "
           "%.1f views/s; one rank of %d threads %.3f s, %.1f views/s; rates %.3f (%.3f to %.3f)\n",
           options.depth, options.width, options.size, dtype_name(options.dtype), options.images, options.runs,
           options.ranks, shared, 2 * options.images / shared, options.ranks, whole, 2 * options.images / whole, ratio,
           ratios[0], ratios[options.runs - 1]);
    return 0;
}
