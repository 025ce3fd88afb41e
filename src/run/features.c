/* run/features.c -- features of a whole data set, batch after batch, in inference mode. */
#include "run/features.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "data/sampler.h"
#include "loader/loader.h"

/* What turns one batch of evaluation views [count][3][S][S] into rows of `dim` floats. */
struct extraction {
    struct session *session;
    const char *phase;
    const struct dataset *dataset;
    struct network *network; /* NULL: the pixels themselves */
    int tensor;              /* which of its tensors is wanted */
    int batch;               /* that the network was planned for */
    size_t pixels;           /* values of one view */
    enum view_type type;     /* of these */
    void *views;             /* [batch][pixels]: staging for a last, smaller batch */
    float *rows;             /* [batch][dim] */
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

static void run_batch(struct extraction *extraction, const struct batch *batch, struct features *out, int64_t at)
{
    const size_t dim = (size_t)out->dim;
    float *values = out->values + (size_t)at * dim;
    if (extraction->network == NULL) {
        const float *pixels = batch->views;
        for (size_t i = 0; i < (size_t)batch->count * dim; i++) values[i] = pixels[i] - 0.5f;
    } else {
        const void *views = batch->views;
        if (batch->count < extraction->batch) { /* the rest of the staging holds older views: finite, and not read */
            memcpy(extraction->views, views,
                   (size_t)batch->count * extraction->pixels * view_type_bytes(extraction->type));
            views = extraction->views;
        }
        network_forward(extraction->network, views);
        network_read(extraction->network, extraction->tensor, extraction->rows);
        memcpy(values, extraction->rows, (size_t)batch->count * dim * sizeof *values);
    }
    memcpy(out->labels + at, batch->labels, (size_t)batch->count * sizeof *out->labels);
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
        run_batch(extraction, batch, out, at);
        if (extraction->network && network_is_cut(extraction->network))
            return tell_stopped(extraction, step, steps, error);
        status = extraction->session->backend->ops->sync(extraction->session->backend, error);
        if (status != SIMCLR_OK) return status;
        status = check_rows(extraction, batch, out->values + at * out->dim, (size_t)out->dim, error);
        if (status != SIMCLR_OK) return status;
        at += batch->count;
        tell(extraction, step + 1, steps, clock_seconds() - start);
    }
    out->count = at;
    return SIMCLR_OK;
}

static int allocate(struct extraction *extraction, struct features *out, int64_t count, int dim, struct error *error)
{
    out->count = count;
    out->dim = dim;
    out->values = memory_array((size_t)count * (size_t)dim, sizeof *out->values);
    out->labels = memory_array((size_t)count, sizeof *out->labels);
    if (extraction->network != NULL) {
        extraction->views =
            memory_array((size_t)extraction->batch * extraction->pixels, view_type_bytes(extraction->type));
        extraction->rows = memory_array((size_t)extraction->batch * (size_t)dim, sizeof(float));
    }
    const bool failed = out->values == NULL || out->labels == NULL ||
                        (extraction->network != NULL && (extraction->views == NULL || extraction->rows == NULL));
    return failed ? error_no_memory(error, "features", (size_t)count * (size_t)dim * sizeof(float)) : SIMCLR_OK;
}

/* The rows of all images, or of a sample of them. */
static int extract(struct extraction *extraction, const struct features_request *request, int dim, struct features *out,
                   struct error *error)
{
    struct session *session = extraction->session;
    struct view_policy policy = *request->policy;
    extraction->dataset = request->dataset;
    policy.type = extraction->type = extraction->network == NULL ? VIEW_FLOAT32 : session_view_type(session);
    const int64_t all = dataset_count(request->dataset), limit = request->limit;
    const int64_t count = limit > 0 && limit < all ? limit : all;
    uint32_t *subset = NULL;
    struct loader *loader = NULL;
    extraction->pixels = 3 * (size_t)policy.size * (size_t)policy.size;
    int status = allocate(extraction, out, count, dim, error);
    if (status == SIMCLR_OK && limit > 0)
        status = sampler_sample((uint64_t)session->config->seed, (uint32_t)all, &subset, error);
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
    memory_free(subset);
    memory_free(extraction->views);
    memory_free(extraction->rows);
    if (status != SIMCLR_OK) features_free(out);
    return status;
}

/* Images at once: enough to keep every kernel busy, small enough for 224 pixels to fit anywhere. */
static int batch_for(const struct session *session, const struct features_request *request)
{
    const int64_t images = dataset_count(request->dataset), usual = request->policy->size <= 64 ? 128 : 32;
    const int64_t batch = session->traits.batch_is_of_features ? session->config->batch : usual;
    return (int)(batch < images ? batch : images);
}

int features_extract(struct session *session, const struct features_request *request, struct features *out,
                     struct error *error)
{
    static const char *const phases[] = {"features", "evaluation", "pixels"};
    const bool of_encoder = request->kind == FEATURES_H;
    struct extraction extraction = {
        .session = session, .phase = phases[request->kind], .batch = batch_for(session, request)};
    *out = (struct features){0};
    if (request->kind == FEATURES_PIXELS)
        return extract(&extraction, request, 3 * request->policy->size * request->policy->size, out, error);

    struct model_tensors tensors;
    struct model *model = request->model;
    int status = model_plan(model,
                            &(struct model_plan_args){.backend = session->backend,
                                                      .mode = NETWORK_INFERENCE,
                                                      .dtype = session->dtype,
                                                      .batch = extraction.batch,
                                                      .encoder_only = of_encoder,
                                                      .options = session->planning},
                            &extraction.network, &tensors, error);
    if (status == SIMCLR_OK) {
        network_let_stop(extraction.network, true);
        extraction.tensor = of_encoder ? tensors.h : tensors.z;
        const int dim = of_encoder ? model_feature_dim(&model->config) : model_output_dim(&model->config);
        status = extract(&extraction, request, dim, out, error);
    }
    network_destroy(&extraction.network);
    return status;
}

void features_free(struct features *features)
{
    memory_free(features->values);
    memory_free(features->labels);
    *features = (struct features){0};
}
