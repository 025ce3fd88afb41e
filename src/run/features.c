/* run/features.c -- features of a whole data set, batch after batch, in inference mode. */
#include "run/features.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "data/sampler.h"
#include "loader/loader.h"
#include "run/feature_cache.h"

struct extraction {
    struct session *session;
    const char *phase;
    const struct dataset *dataset;
    struct feature_rows *rows;
    int batch; /* views at once */
};

int features_check_row(const char *name, const float *row, int dim, struct error *error)
{
    for (int i = 0; i < dim; i++) {
        if (isfinite(row[i])) continue;
        return error_set(error, SIMCLR_CORRUPT,
                         "%s: the network makes %g of this image (value %d of %d): its weights are damaged or its "
                         "training diverged: take another checkpoint",
                         name, (double)row[i], i, dim);
    }
    return SIMCLR_OK;
}

static int check_rows(const struct extraction *extraction, const struct batch *batch, const float *values, size_t dim,
                      struct error *error)
{
    for (size_t i = 0; i < (size_t)batch->count; i++) {
        const char *name = dataset_name(extraction->dataset, batch->indices[i]);
        const int status = features_check_row(name, values + i * dim, (int)dim, error);
        if (status) return status;
    }
    return SIMCLR_OK;
}

static void tell(const struct extraction *extraction, int64_t step, int64_t steps, double seconds)
{
    const double per_step = seconds / (double)step;
    struct progress progress = progress_at(extraction->phase, step, steps);
    progress.views_per_second = extraction->batch / per_step;
    progress.eta_seconds = per_step * (double)(steps - step);
    session_tell(extraction->session, &progress);
}

static int tell_stopped(const struct extraction *extraction, int64_t step, int64_t steps, struct error *error)
{
    return error_set(error, SIMCLR_INTERRUPTED, "%s: stopped by request after %lld of %lld batches; they are not kept",
                     extraction->phase, (long long)step, (long long)steps);
}

static int run_all(struct extraction *extraction, struct loader *loader, struct features *out, struct error *error)
{
    const int64_t steps = loader_steps_per_epoch(loader);
    const double start = clock_seconds();
    int64_t at = 0;
    for (int64_t step = 0; step < steps; step++) {
        if (session_is_interrupted(extraction->session)) return tell_stopped(extraction, step, steps, error);
        const struct batch *batch;
        int status = loader_next(loader, step, &batch, error);
        if (status != SIMCLR_OK) return status;
        if (at + batch->count > out->count)
            return error_set(error, SIMCLR_DATA, "%s: the data set grew while it was read", extraction->phase);
        status = feature_rows_run(extraction->rows, batch->views, batch->count, out->values + at * out->dim, error);
        if (status == SIMCLR_INTERRUPTED) return tell_stopped(extraction, step, steps, error);
        if (status != SIMCLR_OK) return status;
        memcpy(out->labels + at, batch->labels, (size_t)batch->count * sizeof *out->labels);
        status = check_rows(extraction, batch, out->values + at * out->dim, (size_t)out->dim, error);
        if (status != SIMCLR_OK) return status;
        at += batch->count;
        tell(extraction, step + 1, steps, clock_seconds() - start);
    }
    out->count = at;
    return SIMCLR_OK;
}

static int allocate(struct features *out, int64_t count, int dim, struct error *error)
{
    out->count = count;
    out->dim = dim;
    out->values = memory_array((size_t)count * (size_t)dim, sizeof *out->values);
    out->labels = memory_array((size_t)count, sizeof *out->labels);
    if (out->values && out->labels) return SIMCLR_OK;
    return error_no_memory(error, "features", (size_t)count * (size_t)dim * sizeof(float));
}

/* The rows of all images, or of a sample of them. */
static int extract(struct extraction *extraction, const struct features_request *request, struct features *out,
                   struct error *error)
{
    struct session *session = extraction->session;
    struct view_policy policy = *request->policy;
    extraction->dataset = request->dataset;
    policy.type = feature_rows_type(extraction->rows);
    const int64_t all = dataset_count(request->dataset), limit = request->limit;
    const int64_t sampled = limit > 0 && limit < all ? limit : all;
    const int64_t count = request->subset ? request->subset_count : sampled;
    uint32_t *sample = NULL;
    struct loader *loader = NULL;
    int status = allocate(out, count, feature_rows_dim(extraction->rows), error);
    if (status == SIMCLR_OK && limit > 0)
        status = sampler_sample((uint64_t)session->config->seed, (uint32_t)all, &sample, error);
    const uint32_t *subset = request->subset ? request->subset : sample;
    const struct loader_config config = {.policy = policy,
                                         .purpose = RNG_VIEW,
                                         .batch = extraction->batch,
                                         .views = 1,
                                         .keep_last = true,
                                         .evaluation = true,
                                         .subset = subset,
                                         .subset_count = subset == NULL ? 0 : (uint32_t)count,
                                         .workers = session_workers(session),
                                         .pin = session_pin(session),
                                         .memory = session_batch_memory(session)};
    if (status == SIMCLR_OK) status = loader_open(&loader, &config, request->dataset, session->pool, error);
    if (status == SIMCLR_OK) status = run_all(extraction, loader, out, error);
    loader_close(&loader);
    memory_free(sample);
    if (status != SIMCLR_OK) features_free(out);
    return status;
}

int features_usual_batch(int size)
{
    return size <= 64 ? 128 : 32;
}

static int batch_for(const struct session *session, const struct features_request *request)
{
    const int64_t images = request->subset ? request->subset_count : dataset_count(request->dataset);
    const int64_t usual = features_usual_batch(request->policy->size);
    const int64_t batch = session->traits.batch_is_of_features ? session->config->batch : usual;
    return (int)(batch < images ? batch : images);
}

int features_extract(struct session *session, const struct features_request *request, struct features *out,
                     struct error *error)
{
    static const char *const phases[] = {"features", "evaluation", "pixels", "features"};
    struct extraction extraction = {
        .session = session, .phase = phases[request->kind], .batch = batch_for(session, request)};
    const struct feature_rows_config config = {.kind = request->kind,
                                               .model = request->model,
                                               .layer = request->kind == FEATURES_HEAD ? request->layer : 0,
                                               .size = request->policy->size,
                                               .batch = extraction.batch};
    *out = (struct features){0};
    int status = feature_rows_open(&extraction.rows, session, &config, error);
    if (status == SIMCLR_OK) status = extract(&extraction, request, out, error);
    feature_rows_close(&extraction.rows);
    return status;
}

int features_extract_cached(struct session *session, const struct features_request *request, struct features *out,
                            bool *from_cache, struct error *error)
{
    struct feature_cache cache;
    *out = (struct features){0};
    int status = feature_cache_open(&cache, session, request, error);
    *from_cache = !status && feature_cache_load(&cache, session, request, out);
    if (!status && !*from_cache) {
        status = features_extract(session, request, out, error);
        if (!status) feature_cache_store(&cache, session, request, out);
    }
    feature_cache_close(&cache);
    return status;
}

void features_free(struct features *features)
{
    if (!features->borrowed) {
        memory_free(features->values);
        memory_free(features->labels);
    }
    *features = (struct features){0};
}
