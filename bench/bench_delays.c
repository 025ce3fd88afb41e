/* bench/bench_delays.c -- steps over ranks whose messages come late, against the prediction of `info --ranks`. Ranks
 * are threads of this process, with one thread each (tests/support/comm_threads.h): no MPI, no rights, no real network.
 *
 * Ranks are bound to the processors by turns. The prediction starts from a rank that is alone. Its seconds count as
 * often as there are ranks on the fullest processor: after every layer all wait for those that share it.
 *
 * usage: bench_delays [--images N] [--size S] [--depth D] [--width W] [--steps K]
 * N: images of each rank. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "forecast/forecast.h"
#include "support/comm_threads.h"
#include "train/step_traffic.h"

#include "median.h"
#include "random_views.h"
#include "rank_step.h"

enum { STEPS_MOST = 1000 };

struct options {
    int images, size, depth, steps;
    double width;
};

struct run {
    const struct options *options;
    struct affinity processors;
    int ranks;
    struct link_speed link;
    double seconds;                   /* of a step: the median, of rank 0 */
    struct forecast_measured alone;   /* of one rank */
    struct traffic traffic;           /* of rank 0 */
    struct comm_threads_count a_step; /* what rank 0 was given */
    char wrong[200];
};

static int open_step(struct step *step, struct model **model, const struct run *run, struct backend *backend,
                     struct communicator *communicator, bool planned, struct error *error)
{
    const struct options *options = run->options;
    const struct rank_step of = {.depth = options->depth,
                                 .size = options->size,
                                 .images = options->images * run->ranks,
                                 .width = options->width,
                                 .dtype = DTYPE_F32,
                                 .communicator = communicator,
                                 .planned = planned ? run->ranks : 0};
    return rank_step_open(step, model, &of, backend, error);
}

/* Every step begins with an agreement, as in a run. */
static int take_steps(struct run *run, struct step *step, struct communicator *communicator, struct error *error)
{
    static double seconds[COMM_THREADS_MAX][STEPS_MOST], passes[STEPS_MOST], update[STEPS_MOST], loss[STEPS_MOST];
    const int rank = communicator_rank(communicator), steps = run->options->steps;
    void *views = random_views(step->network, 1, rank);
    if (!views) return error_no_memory(error, "views", network_image_bytes(step->network));
    const struct batch batch = {.count = run->options->images, .views = views};
    int status = SIMCLR_OK;
    for (int s = -1; !status && s < steps; s++) {
        struct step_report report;
        const struct comm_threads_count before =
            communicator ? comm_threads_counted(communicator) : (struct comm_threads_count){0};
        const double start = clock_seconds();
        status = communicator_agree_status(communicator, SIMCLR_OK, error);
        if (!status) status = step_run(step, &batch, &report, error);
        if (s < 0) continue; /* memory is touched for the first time */
        seconds[rank][s] = clock_seconds() - start;
        if (rank > 0) continue;
        passes[s] = step->seconds.forward + step->seconds.backward;
        loss[s] = step->seconds.loss;
        update[s] = step->seconds.update + step->seconds.packing;
        if (!communicator) continue;
        const struct comm_threads_count after = comm_threads_counted(communicator);
        run->a_step = (struct comm_threads_count){after.messages - before.messages, after.bytes - before.bytes};
    }
    memory_free(views);
    if (status || rank > 0) return status;
    run->seconds = median(seconds[0], steps);
    run->alone = (struct forecast_measured){.images = run->options->images,
                                            .loss_images = run->options->images,
                                            .passes = median(passes, steps),
                                            .loss = median(loss, steps),
                                            .update = median(update, steps)};
    return SIMCLR_OK;
}

static void body(struct communicator *communicator, void *context)
{
    struct run *run = context;
    struct error error = {0};
    struct pool *pool = NULL;
    struct backend *backend = NULL;
    struct model *model = NULL, *planned_model = NULL;
    struct step step = {0}, planned = {0};
    enum simd simd;
    const int images = run->options->images * run->ranks;
    const struct shares shares = {images, images, run->ranks};
    if (communicator)
        comm_threads_set_link(communicator,
                              (struct comm_threads_link){run->link.delay, 1 / run->link.bytes_per_second});
    rank_step_bind(&run->processors, communicator_rank(communicator));
    int status = pool_create(&pool, 1, &error);
    if (!status) status = simd_choose(NULL, "bench_delays", &simd, &error);
    if (!status) status = backend_create("cpu", simd, pool, &backend, &error);
    if (!status) status = open_step(&step, &model, run, backend, communicator, false, &error);
    if (!status) status = take_steps(run, &step, communicator, &error);
    if (!status && communicator_leads(communicator)) {
        status = open_step(&planned, &planned_model, run, backend, NULL, true, &error);
        if (!status) status = step_traffic(&run->traffic, &planned, &shares, 0, &error);
    }
    if (status) snprintf(run->wrong, sizeof run->wrong, "%.190s", error.text);
    step_close(&planned);
    step_close(&step);
    model_destroy(&planned_model);
    model_destroy(&model);
    backend_destroy(&backend);
    pool_destroy(&pool);
}

/* One row: W ranks at one link. */
static int measure(const struct options *options, const struct run *alone, int ranks, struct link_speed link)
{
    struct run run = {.options = options, .processors = alone->processors, .ranks = ranks, .link = link};
    comm_threads_run(ranks, body, &run);
    if (run.wrong[0]) {
        fprintf(stderr, "bench_delays: %s\n", run.wrong);
        return 1;
    }
    const int images = options->images * ranks;
    const int counted = affinity_count(&run.processors), processors = counted > 0 ? counted : 1;
    const int crowd = (ranks + processors - 1) / processors;
    struct forecast_measured measured = alone->alone;
    measured.passes *= crowd;
    measured.loss *= crowd;
    measured.update *= crowd;
    struct forecast forecast;
    forecast_make(&forecast, &measured, &(struct shares){images, images, ranks}, &run.traffic, &link);
    const struct traffic_item total = traffic_total(&run.traffic);
    printf("| %d | %g | %lld; %lld | %.3f; %.3f | %.4f | %.4f | %+.1f %% |\n", ranks, link.delay * 1e3,
           (long long)run.a_step.messages, (long long)total.messages, run.a_step.bytes / 1e6, total.bytes / 1e6,
           run.seconds, forecast.step, 100 * (forecast.step / run.seconds - 1));
    fflush(stdout);
    return 0;
}

int main(int argc, char **argv)
{
    static const double delays[] = {0, 1e-4, 1e-3};
    struct options options = {.images = 64, .size = 32, .depth = 18, .steps = 7, .width = 0.5};
    for (int i = 1; i + 1 < argc; i += 2) {
        const int number = atoi(argv[i + 1]);
        if (!strcmp(argv[i], "--images")) options.images = number;
        if (!strcmp(argv[i], "--size")) options.size = number;
        if (!strcmp(argv[i], "--depth")) options.depth = number;
        if (!strcmp(argv[i], "--steps")) options.steps = number;
        if (!strcmp(argv[i], "--width")) options.width = atof(argv[i + 1]);
    }
    if (options.images < 2 || options.steps < 1 || options.steps > STEPS_MOST) {
        fprintf(stderr, "bench_delays: 2 images or more, 1 to 1000 steps\n");
        return 1;
    }
    struct run alone = {.options = &options, .processors = affinity_now(), .ranks = 1};
    comm_threads_run(1, body, &alone);
    if (alone.wrong[0]) {
        fprintf(stderr, "bench_delays: %s\n", alone.wrong);
        return 1;
    }
    printf("ResNet-%d, width %g, %d pixels, %d images a rank, %d processors: one rank alone takes %.4f s a step\n\n",
           options.depth, options.width, options.size, options.images, affinity_count(&alone.processors),
           alone.seconds);
    printf("| ranks | delay, ms | messages: counted; predicted | MB: counted; predicted | step, s | predicted | off |\n"
           "|---|---|---|---|---|---|---|\n");
    for (int ranks = 2; ranks <= 4; ranks++)
        for (size_t d = 0; d < sizeof delays / sizeof *delays; d++)
            if (measure(&options, &alone, ranks, (struct link_speed){INFINITY, delays[d]})) return 1;
    return 0;
}
