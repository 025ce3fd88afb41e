/* command/bench/bench_data.c -- what views add to a training step: steps with views really made and steps with one
 * dense batch by turns. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "command/bench/bench.h"
#include "command/probe.h"

enum { MIN_PAIRS = 20, MAX_PAIRS = 1000 };

static int compare_seconds(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *times, int count)
{
    qsort(times, (size_t)count, sizeof *times, compare_seconds);
    return times[count / 2];
}

static void data_report(struct bench *bench, const struct dataset *dataset, double constant, double real, double wait,
                        int pairs)
{
    const struct session *session = bench->session;
    const double share = real / constant - 1;
    if (bench->as_json) {
        text_json_open_object(&bench->json, "data");
        text_json_string(&bench->json, "data", dataset_description(dataset));
        text_json_number(&bench->json, "views", 2.0 * (double)session->config->batch);
        text_json_integer(&bench->json, "threads", pool_threads(session->pool));
        text_json_integer(&bench->json, "workers", session_workers(session));
        text_json_number(&bench->json, "constant_seconds", constant);
        text_json_number(&bench->json, "real_seconds", real);
        text_json_number(&bench->json, "wait_seconds", wait);
        text_json_number(&bench->json, "share", share);
        text_json_integer(&bench->json, "runs", pairs);
        text_json_close_object(&bench->json);
        return;
    }
    session_print(session,
                  "%-18s %8.2f %%      of a step: %.1f ms with views made, %.1f ms with the same dense batch (medians "
                  "of %d each, "
                  "alternating; %.1f ms waiting for views)\n%-18s %s\n",
                  "data", 100 * share, 1e3 * real, 1e3 * constant, pairs, 1e3 * wait, "", dataset_description(dataset));
}

/* Steps with views really made and steps with one dense batch by turns, so that whatever the machine does meanwhile it
 * does to both; what of the step's time views are is the difference, not what the loader takes: workers may make them
 * beside the step, and slow it down. */
static int time_pairs(struct bench *bench, struct probe *probe, struct loader *loader, const struct dataset *dataset,
                      struct error *error)
{
    double constant[MAX_PAIRS], real[MAX_PAIRS], wait[MAX_PAIRS];
    const double begin = clock_seconds();
    int pairs = -1; /* the first is not measured */
    while (pairs < MAX_PAIRS && (pairs < MIN_PAIRS || clock_seconds() - begin < bench->session->config->seconds)) {
        const int at = pairs < 0 ? 0 : pairs;
        const double start = clock_seconds(), waited = loader_wait_seconds(loader);
        probe->loader = loader;
        probe_run(probe);
        const double middle = clock_seconds();
        if (probe->status != SIMCLR_OK) return error_set(error, probe->status, "bench: the views could not be read");
        probe->loader = NULL;
        probe_run(probe);
        real[at] = middle - start;
        constant[at] = clock_seconds() - middle;
        wait[at] = loader_wait_seconds(loader) - waited;
        pairs++;
        if (session_is_interrupted(bench->session))
            return error_set(error, SIMCLR_INTERRUPTED, "bench: stopped by request");
    }
    data_report(bench, dataset, median(constant, pairs), median(real, pairs), median(wait, pairs), pairs);
    return SIMCLR_OK;
}

int bench_data(struct bench *bench, struct error *error)
{
    struct probe probe;
    struct loader *loader = NULL;
    struct dataset *dataset = NULL;
    int status = probe_loader_open(bench->session, session_view_type(bench->session), &dataset, &loader, error);
    if (status == SIMCLR_OK) status = probe_open(bench->session, &probe, error);
    if (status == SIMCLR_OK) {
        status = time_pairs(bench, &probe, loader, dataset, error);
        probe.loader = NULL;
        probe_close(&probe);
    }
    loader_close(&loader);
    dataset_close(&dataset);
    return status;
}
