/* bench/bench_nt_xent.c -- NT-Xent over all anchors against what one of several ranks does, of the same batch with one
 * thread each, both by turns. Messages are not in it: unit rows and sums are made by the ranks one after another.
 * A rank's memory is what the peak of the process grows by: its z and d_z, all unit rows and sums, the kernel's own.
 *
 * usage: bench_nt_xent [--images N] [--dim D] [--ranks W] [--threads T] [--runs R] [--variant V] */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/backend.h"
#include "base/clock.h"
#include "base/memory.h"

#include "median.h"

enum { RANKS_MAX = 64, RUNS_MAX = 200 };

struct options {
    int images, dim, ranks, threads, runs;
    const char *variant;
};

/* A process's part of the loss; ranks 1: all of it. */
struct part {
    struct nt_xent_plan *plan;
    void *z, *d_z;
};

static int stop(const char *text)
{
    fprintf(stderr, "bench_nt_xent: %s\n", text);
    return 1;
}

static bool open_part(struct part *part, struct backend *backend, const struct options *options, int rank, int ranks,
                      struct error *error)
{
    const int first = options->images * rank / ranks, end = options->images * (rank + 1) / ranks;
    const struct nt_xent_desc desc = {options->images, options->dim, 0.1f, true, first, end - first};
    const struct tensor_desc shape = {.batch = 2 * desc.count, .channels = desc.dim, .height = 1, .width = 1};
    const size_t values = tensor_elements(&shape), bytes = backend->ops->tensor_bytes(backend, &shape);
    if (backend->ops->nt_xent_create(backend, &desc, &part->plan, error)) return false;
    part->z = backend->ops->allocate(backend, bytes, error);
    part->d_z = backend->ops->allocate(backend, bytes, error);
    float *canonical = memory_array(values, sizeof *canonical);
    if (!part->z || !part->d_z || !canonical) return false;
    for (size_t i = 0; i < values; i++)
        canonical[i] = (float)((i + (size_t)rank) * 2654435761U >> 8 & 0xffff) / 32768 - 1;
    backend->ops->tensor_write(backend, &shape, part->z, canonical);
    memory_free(canonical);
    return true;
}

static double run_part(struct backend *backend, const struct part *part, void *unit, void *sums)
{
    struct nt_xent_result result;
    const double start = clock_seconds();
    backend->ops->nt_xent_unit_rows(part->plan, unit, part->z);
    backend->ops->nt_xent_log_sums(part->plan, &result, sums, unit);
    backend->ops->nt_xent_gradient(part->plan, part->d_z, unit, sums);
    return clock_seconds() - start;
}

/* The ranks' parts one after another, so that all rows and sums are there when the last is timed. */
static int measure(struct backend *backend, const struct options *options, struct error *error)
{
    static double whole_seconds[RUNS_MAX], part_seconds[RUNS_MAX], other_seconds[RUNS_MAX];
    static struct part whole, again, parts[RANKS_MAX];
    struct nt_xent_sizes sizes;
    const size_t rows = 2 * (size_t)options->images;
    const size_t before = memory_peak_resident();
    if (!open_part(&parts[0], backend, options, 0, options->ranks, error)) return stop(error->text);
    backend->ops->nt_xent_sizes(parts[0].plan, &sizes);
    void *unit = backend->ops->allocate(backend, rows * sizes.unit_row, error);
    void *sums = backend->ops->allocate(backend, rows * sizes.sum_row, error);
    if (!unit || !sums) return stop(error->text);
    memset(unit, 0, rows * sizes.unit_row); /* until the others' rows are there */
    memset(sums, 0, rows * sizes.sum_row);
    run_part(backend, &parts[0], unit, sums);
    const size_t of_a_rank = memory_peak_resident() - before;
    for (int r = 1; r < options->ranks; r++)
        if (!open_part(&parts[r], backend, options, r, options->ranks, error)) return stop(error->text);
    if (!open_part(&whole, backend, options, 0, 1, error) || !open_part(&again, backend, options, 0, 1, error))
        return stop(error->text);
    for (int r = 0; r < options->ranks; r++) backend->ops->nt_xent_unit_rows(parts[r].plan, unit, parts[r].z);
    for (int r = 0; r < options->ranks; r++) run_part(backend, &parts[r], unit, sums);
    for (int run = 0; run < options->runs; run++) {
        whole_seconds[run] = run_part(backend, &whole, NULL, NULL);
        part_seconds[run] = run_part(backend, &parts[run % options->ranks], unit, sums);
        other_seconds[run] = run_part(backend, &again, NULL, NULL);
    }
    const double all = median(whole_seconds, options->runs), part = median(part_seconds, options->runs);
    printf("N = %d, D = %d, %d threads, median of %d: all anchors %.2f ms, one of %d ranks %.2f ms: %.3f of it "
           "(all anchors against themselves: %.3f); one rank's memory: %.1f MB\n",
           options->images, options->dim, options->threads, options->runs, 1e3 * all, options->ranks, 1e3 * part,
           part / all, median(other_seconds, options->runs) / all, (double)of_a_rank * 1e-6);
    return 0;
}

int main(int argc, char **argv)
{
    struct options options = {.images = 4096, .dim = 128, .ranks = 2, .threads = 1, .runs = 11, .variant = NULL};
    for (int i = 1; i + 1 < argc; i += 2) {
        const int number = atoi(argv[i + 1]);
        if (!strcmp(argv[i], "--images")) options.images = number;
        if (!strcmp(argv[i], "--dim")) options.dim = number;
        if (!strcmp(argv[i], "--ranks")) options.ranks = number;
        if (!strcmp(argv[i], "--threads")) options.threads = number;
        if (!strcmp(argv[i], "--runs")) options.runs = number;
        if (!strcmp(argv[i], "--variant")) options.variant = argv[i + 1];
    }
    if (options.ranks < 2 || options.ranks > RANKS_MAX || options.runs < 1 || options.runs > RUNS_MAX ||
        options.images < options.ranks)
        return stop("2 to 64 ranks, 1 to 200 runs, and an image for each rank");
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
