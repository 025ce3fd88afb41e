/* bench/bench_groups.c -- a step with batch-norm groups (gradient caching)
 * against plain steps of a group's size over the same number of views, both by
 * turns. Views are random and stay the same; loading is not in it.
 *
 * usage: bench_groups [--depth D] [--size S] [--batch N] [--group N] [--kept K]
 * [--precision float32|bf16] [--runs R]
 *                     [--threads T] [--variant V] */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "train/step.h"

#include "median.h"
#include "random_views.h"

enum { RUNS_MAX = 100 };

struct options {
    int depth, size, batch, group, kept, runs, threads;
    enum dtype dtype;
    const char *variant;
};

struct training {
    struct model *model;
    struct step step;
};

static int stop(const char *text)
{
    fprintf(stderr, "bench_groups: %s\n", text);
    return 1;
}

/* images: of a step; group: 0, or those of a group, of which `kept` are kept.
 */
static int open_training(struct training *training, struct backend *backend, const struct options *options, int images,
                         int group, struct error *error)
{
    const struct model_config config = {.resnet.depth = options->depth,
                                        .resnet.width = 1,
                                        .image_size = options->size,
                                        .head_layers = 2,
                                        .head_dim = 128};
    struct step_config plan = {.loss = &step_nt_xent,
                               .images = images,
                               .group = group,
                               .temperature = 0.1,
                               .dtype = options->dtype,
                               .optimizer = step_optimizer_usual(OPTIMIZER_LARS),
                               .schedule = step_schedule_constant(0.01)};
    struct step dry;
    int status = model_create(&training->model, &config, backend, 1, error);
    if (status) return status;
    plan.planning.dry = true;
    status = step_open_network(&dry, &plan, backend, training->model, error);
    plan.planning.dry = false;
    plan.memory = status ? 1 : (size_t)options->kept * network_arena_bytes(dry.network);
    step_close(&dry);
    return status ? status : step_open(&training->step, &plan, backend, training->model, error);
}

static double run_step(struct training *training, const void *views, int images, struct error *error)
{
    struct step_report report;
    const struct batch batch = {.count = images, .views = views};
    const double start = clock_seconds();
    if (step_run(&training->step, &batch, &report, error)) return -1;
    return clock_seconds() - start;
}

static int measure(struct backend *backend, const struct options *options, struct error *error)
{
    static double grouped[RUNS_MAX], plain[RUNS_MAX], ratios[RUNS_MAX];
    struct training groups = {0}, small = {0};
    const int steps = options->batch / options->group;
    if (open_training(&small, backend, options, options->group, 0, error)) return stop(error->text);
    if (open_training(&groups, backend, options, options->batch, options->group, error)) return stop(error->text);
    char *views = random_views(groups.step.network, steps, 0);
    if (!views) return stop("no memory for views");
    const size_t bytes = network_image_bytes(small.step.network);
    for (int run = -1; run < options->runs; run++) { /* the first is for warming up */
        double seconds = 0;
        for (int s = 0; s < steps; s++) {
            const double one = run_step(&small, views + (size_t)s * bytes, options->group, error);
            if (one < 0) return stop(error->text);
            seconds += one;
        }
        const double whole = run_step(&groups, views, options->batch, error);
        if (whole < 0) return stop(error->text);
        if (run < 0) continue;
        plain[run] = seconds;
        grouped[run] = whole;
        ratios[run] = whole / seconds;
    }
    printf("ResNet-%d at %d pixels, %s, batch of %d in %d groups of %d, %d kept; "
           "median of %d: %.2f s, %d plain steps "
           "of %d images %.2f s; ratio %.3f (%.3f to %.3f)\n",
           options->depth, options->size, dtype_name(options->dtype), options->batch, steps, options->group,
           step_groups_kept(&groups.step), options->runs, median(grouped, options->runs), steps, options->group,
           median(plain, options->runs), median(ratios, options->runs), ratios[0], ratios[options->runs - 1]);
    memory_free(views);
    step_close(&groups.step);
    step_close(&small.step);
    model_destroy(&groups.model);
    model_destroy(&small.model);
    return 0;
}

int main(int argc, char **argv)
{
    struct options options = {.depth = 50,
                              .size = 224,
                              .batch = 64,
                              .group = 16,
                              .kept = 1,
                              .runs = 3,
                              .threads = pool_available_cpus(),
                              .dtype = DTYPE_BF16};
    for (int i = 1; i + 1 < argc; i += 2) {
        const int number = atoi(argv[i + 1]);
        if (!strcmp(argv[i], "--depth")) options.depth = number;
        if (!strcmp(argv[i], "--size")) options.size = number;
        if (!strcmp(argv[i], "--batch")) options.batch = number;
        if (!strcmp(argv[i], "--group")) options.group = number;
        if (!strcmp(argv[i], "--kept")) options.kept = number;
        if (!strcmp(argv[i], "--runs")) options.runs = number;
        if (!strcmp(argv[i], "--threads")) options.threads = number;
        if (!strcmp(argv[i], "--precision")) options.dtype = strcmp(argv[i + 1], "bf16") ? DTYPE_F32 : DTYPE_BF16;
        if (!strcmp(argv[i], "--variant")) options.variant = argv[i + 1];
    }
    if (options.group < 2 || options.batch % options.group != 0 || options.batch == options.group || options.kept < 1 ||
        options.runs < 1 || options.runs > RUNS_MAX)
        return stop("several groups of at least two images that divide the batch, "
                    "one kept, 1 to 100 runs");
    struct error error = {0};
    struct pool *pool;
    struct backend *backend;
    enum simd simd;
    if (simd_choose(options.variant, "--variant", &simd, &error) || pool_create(&pool, options.threads, &error) ||
        backend_create("cpu", simd, pool, &backend, &error))
        return stop(error.text);
    const int code = measure(backend, &options, &error);
    backend_destroy(&backend);
    pool_destroy(&pool);
    return code;
}
