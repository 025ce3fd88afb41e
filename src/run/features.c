/* run/features.c -- features of a whole data set, batch after batch, in inference mode. */
#include "run/features.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "data/sampler.h"
#include "loader/loader.h"
#include "run/feature_cache.h"
#include "run/ranks.h"

/* Of several ranks each takes some of the batches, whole ones: what is computed together does not depend on how many
 * there are. */
struct sharing {
    int rank, ranks;
    bool by_turns;        /* batch b is rank b % ranks's; else each has a stretch of batches */
    int64_t images, rows; /* of a batch; of all of them */
    int dim;
};

static int64_t batches_in(const struct sharing *sharing)
{
    return (sharing->rows + sharing->images - 1) / sharing->images;
}

/* The batches of a rank. */
static void batches_of(const struct sharing *sharing, int rank, int64_t *first, int64_t *end)
{
    if (!sharing->by_turns) {
        pool_share(batches_in(sharing), rank, sharing->ranks, first, end);
        return;
    }
    *first = 0; /* of its own list */
    *end = (batches_in(sharing) - rank + sharing->ranks - 1) / sharing->ranks;
}

struct extraction {
    struct session *session;
    struct sharing *sharing;
    const char *phase;
    const struct features_request *request;
    struct feature_rows *rows;
    int images, views; /* images at once, and views of each */
    float *values;     /* [views * images][dim] */
    uint8_t *replaced; /* [images] */
    features_visit *visit;
    void *context;
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

static int check_rows(const struct extraction *extraction, const struct batch *batch, struct error *error)
{
    const size_t dim = (size_t)feature_rows_dim(extraction->rows);
    for (size_t i = 0; i < (size_t)batch->count; i++) {
        const char *name = dataset_name(extraction->request->dataset, batch->indices[i]);
        const int status = features_check_row(name, extraction->values + i * dim, (int)dim, error);
        if (status) return status;
    }
    return SIMCLR_OK;
}

/* Row i becomes the mean of the rows i, count + i, 2 count + i ...: of all views of an image. */
static void average_views(const struct extraction *extraction, int count)
{
    const size_t dim = (size_t)feature_rows_dim(extraction->rows), all = (size_t)count * dim;
    float *values = extraction->values;
    for (size_t i = 0; extraction->views > 1 && i < all; i++) {
        double sum = 0;
        for (size_t v = 0; v < (size_t)extraction->views; v++) sum += (double)values[v * all + i];
        values[i] = (float)(sum / extraction->views);
    }
}

static void tell(const struct extraction *extraction, int64_t step, int64_t steps, double seconds)
{
    const double per_step = seconds / (double)step;
    struct progress progress = progress_at(extraction->phase, step, steps);
    progress.views_per_second = extraction->images * extraction->views / per_step;
    progress.eta_seconds = per_step * (double)(steps - step);
    session_tell(extraction->session, &progress);
}

static int tell_stopped(const struct extraction *extraction, int64_t step, int64_t steps, struct error *error)
{
    return error_set(error, SIMCLR_INTERRUPTED, "%s: stopped by request after %lld of %lld batches; they are not kept",
                     extraction->phase, (long long)step, (long long)steps);
}

/* The rows of one batch. */
static int make_block(struct extraction *extraction, struct loader *loader, int64_t step, struct features_block *block,
                      struct error *error)
{
    const struct batch *batch;
    int64_t first, end;
    batches_of(extraction->sharing, extraction->sharing->rank, &first, &end);
    if (session_is_interrupted(extraction->session)) return tell_stopped(extraction, step - first, end - first, error);
    int status = loader_next(loader, step, &batch, error);
    if (status != SIMCLR_OK) return status;
    status =
        feature_rows_run(extraction->rows, batch->views, extraction->views * batch->count, extraction->values, error);
    if (status == SIMCLR_INTERRUPTED) return tell_stopped(extraction, step - first, end - first, error);
    if (status != SIMCLR_OK) return status;
    average_views(extraction, batch->count);
    memcpy(extraction->replaced, batch->replaced, (size_t)batch->count * sizeof *batch->replaced);
    *block = (struct features_block){.count = batch->count,
                                     .dim = feature_rows_dim(extraction->rows),
                                     .indices = batch->indices,
                                     .labels = batch->labels,
                                     .replaced = extraction->replaced,
                                     .values = extraction->values};
    return check_rows(extraction, batch, error);
}

static int run_all(struct extraction *extraction, struct loader *loader, struct error *error)
{
    const double start = clock_seconds();
    int64_t first, end;
    batches_of(extraction->sharing, extraction->sharing->rank, &first, &end);
    for (int64_t step = first; step < end; step++) {
        struct features_block block;
        int status = make_block(extraction, loader, step, &block, error);
        if (status == SIMCLR_OK) status = extraction->visit(extraction->context, &block, error);
        if (status != SIMCLR_OK) return status;
        tell(extraction, step - first + 1, end - first, clock_seconds() - start);
    }
    return SIMCLR_OK;
}

/* ---- by turns: blocks of all ranks go to the first ---- */

/* Batches of a round, one of each rank, as they travel: numbers, labels and flags of its rows, then the rows. */
struct round {
    char *all;
    size_t *bytes; /* [ranks] of this round */
};

static size_t row_bytes(const struct sharing *sharing)
{
    return 2 * sizeof(uint32_t) + sizeof(int32_t) + (size_t)sharing->dim * sizeof(float);
}

/* Of the batch that a rank has in a round; 0: none. */
static int64_t rows_in(const struct sharing *sharing, int64_t number, int rank)
{
    const int64_t left = sharing->rows - (number * sharing->ranks + rank) * sharing->images;
    return left < 0 ? 0 : left < sharing->images ? left : sharing->images;
}

static void pack(char *out, const struct features_block *block)
{
    const size_t count = (size_t)block->count;
    memcpy(out, block->indices, count * sizeof *block->indices);
    memcpy(out + 4 * count, block->labels, count * sizeof *block->labels);
    for (size_t i = 0; i < count; i++) {
        const uint32_t replaced = block->replaced[i];
        memcpy(out + 8 * count + 4 * i, &replaced, sizeof replaced);
    }
    memcpy(out + 12 * count, block->values, count * (size_t)block->dim * sizeof *block->values);
}

/* Into the extraction's own flags and values, which hold a batch; numbers and labels are read where they are. */
static struct features_block unpack(const struct extraction *extraction, const char *from, int64_t rows)
{
    const size_t count = (size_t)rows;
    for (size_t i = 0; i < count; i++) {
        uint32_t replaced;
        memcpy(&replaced, from + 8 * count + 4 * i, sizeof replaced);
        extraction->replaced[i] = replaced != 0;
    }
    memcpy(extraction->values, from + 12 * count, count * (size_t)extraction->sharing->dim * sizeof(float));
    return (struct features_block){.count = (int)rows,
                                   .dim = extraction->sharing->dim,
                                   .indices = (const uint32_t *)from,
                                   .labels = (const int32_t *)(from + 4 * count),
                                   .replaced = extraction->replaced,
                                   .values = extraction->values};
}

/* The first rank is shown the batches in their order. */
static int pass_round(struct extraction *extraction, const struct round *round, int64_t number,
                      const struct features_block *own, struct error *error)
{
    const struct sharing *sharing = extraction->sharing;
    struct communicator *communicator = extraction->session->communicator;
    char *at = round->all;
    int status = SIMCLR_OK;
    for (int r = 0; r < sharing->ranks; r++) {
        if (r == sharing->rank && own->count > 0) pack(at, own);
        round->bytes[r] = (size_t)rows_in(sharing, number, r) * row_bytes(sharing);
        at += round->bytes[r];
    }
    communicator_gather(communicator, round->all, round->bytes);
    if (!communicator_leads(communicator)) return SIMCLR_OK;
    at = round->all;
    for (int r = 0; !status && r < sharing->ranks; at += round->bytes[r], r++) {
        if (round->bytes[r] == 0) continue;
        const struct features_block block = unpack(extraction, at, rows_in(sharing, number, r));
        status = extraction->visit(extraction->context, &block, error);
    }
    return status;
}

/* Each rank makes one batch a round. loader: NULL where it has none. Collective; the same status everywhere. */
static int run_turns(struct extraction *extraction, struct loader *loader, int status, struct error *error)
{
    const double start = clock_seconds();
    const struct sharing *sharing = extraction->sharing;
    struct session *session = extraction->session;
    const size_t ranks = (size_t)sharing->ranks, room = ranks * (size_t)sharing->images * row_bytes(sharing);
    const int64_t rounds = (batches_in(sharing) + sharing->ranks - 1) / sharing->ranks;
    struct round round = {memory_allocate(room), memory_array(ranks, sizeof *round.bytes)};
    if (!status && (!round.all || !round.bytes)) status = error_no_memory(error, "batches of features", room);
    status = communicator_agree_status(session->communicator, status, error);
    for (int64_t number = 0; !status && number < rounds; number++) {
        struct features_block own = {0};
        if (rows_in(sharing, number, sharing->rank) > 0) status = make_block(extraction, loader, number, &own, error);
        if (!status) status = session_judge_images(session, error);
        status = communicator_agree_status(session->communicator, status, error);
        if (status) break;
        status = pass_round(extraction, &round, number, &own, error);
        tell(extraction, number + 1, rounds, clock_seconds() - start);
        if (status || number + 1 == rounds) status = session_agree_images(session, status, error);
    }
    memory_free(round.all);
    memory_free(round.bytes);
    return status;
}

static int64_t rows_of(const struct features_request *request)
{
    const int64_t all = dataset_count(request->dataset), limit = request->limit;
    if (request->subset) return request->subset_count;
    return limit > 0 && limit < all ? limit : all;
}

static struct view_policy policy_of(const struct extraction *extraction)
{
    const struct view_policy *given = extraction->request->policy;
    struct view_policy policy =
        extraction->views > 1 ? view_policy_as(view_policy_supervised(given->size), given) : *given;
    policy.type = feature_rows_type(extraction->rows);
    return policy;
}

/* The images of a rank's batches, where batches go by turns, out of all that are asked for (NULL: the whole set). */
static int list_turns(const struct sharing *sharing, const uint32_t *asked, uint32_t **list, int64_t *count,
                      struct error *error)
{
    int64_t first, end;
    *count = 0;
    batches_of(sharing, sharing->rank, &first, &end);
    for (int64_t number = first; number < end; number++) *count += rows_in(sharing, number, sharing->rank);
    *list = memory_array((size_t)*count, sizeof **list);
    if (!*list) return error_no_memory(error, "a list of images", (size_t)*count * sizeof **list);
    uint32_t *at = *list;
    for (int64_t number = first; number < end; number++) {
        const int64_t from = (number * sharing->ranks + sharing->rank) * sharing->images;
        for (int64_t i = 0; i < rows_in(sharing, number, sharing->rank); i++)
            *at++ = asked ? asked[from + i] : (uint32_t)(from + i);
    }
    return SIMCLR_OK;
}

/* All images, or a sample of them. Several ranks that go by turns all get to run_turns. */
static int stream(struct extraction *extraction, struct error *error)
{
    struct session *session = extraction->session;
    const struct features_request *request = extraction->request;
    const bool by_turns = extraction->sharing->by_turns;
    uint32_t *sample = NULL, *own = NULL;
    struct loader *loader = NULL;
    int64_t count = rows_of(request);
    int status = SIMCLR_OK;
    if (request->limit > 0)
        status =
            sampler_sample((uint64_t)session->config->seed, (uint32_t)dataset_count(request->dataset), &sample, error);
    const uint32_t *subset = request->subset ? request->subset : sample;
    if (!status && by_turns) status = list_turns(extraction->sharing, subset, &own, &count, error);
    if (own) subset = own;
    const struct loader_config config = {.policy = policy_of(extraction),
                                         .purpose = RNG_VIEW,
                                         .seed = (uint64_t)session->config->seed,
                                         .batch = extraction->images,
                                         .views = extraction->views,
                                         .keep_last = true,
                                         .evaluation = extraction->views == 1,
                                         .subset = subset,
                                         .subset_count = subset == NULL ? 0 : (uint32_t)count,
                                         .workers = session_workers(session),
                                         .pin = session_pin(session),
                                         .memory = session_batch_memory(session)};
    if (status == SIMCLR_OK && count > 0)
        status = loader_open(&loader, &config, request->dataset, session->pool, error);
    if (by_turns)
        status = run_turns(extraction, loader, status, error);
    else if (status == SIMCLR_OK)
        status = run_all(extraction, loader, error);
    loader_close(&loader);
    memory_free(sample);
    memory_free(own);
    return status;
}

int features_usual_batch(int size)
{
    return size <= 64 ? 128 : 32;
}

/* A batch has so many views. */
static int images_at_once(const struct session *session, const struct features_request *request, int views)
{
    const int64_t images = request->subset ? request->subset_count : dataset_count(request->dataset);
    const int64_t usual = features_usual_batch(request->policy->size);
    const int64_t at_once = (session->traits.batch_is_of_features ? session->config->batch : usual) / views;
    if (at_once < 1) return 1;
    return (int)(at_once < images ? at_once : images);
}

/* sharing: which of the batches; its images, rows and dim are filled in. */
static int run(struct session *session, const struct features_request *request, struct sharing *sharing,
               features_visit *visit, void *context, struct error *error)
{
    static const char *const phases[] = {"features", "pixels", "features"};
    const int views = request->views > 1 ? request->views : 1;
    struct extraction extraction = {.session = session,
                                    .sharing = sharing,
                                    .phase = phases[request->kind],
                                    .request = request,
                                    .images = images_at_once(session, request, views),
                                    .views = views,
                                    .visit = visit,
                                    .context = context};
    const struct feature_rows_config config = {.kind = request->kind,
                                               .model = request->model,
                                               .layer = request->kind == FEATURES_HEAD ? request->layer : 0,
                                               .size = request->policy->size,
                                               .batch = extraction.images * views};
    int status = feature_rows_open(&extraction.rows, session, &config, error);
    if (status == SIMCLR_OK) {
        sharing->images = extraction.images;
        sharing->rows = rows_of(request);
        sharing->dim = feature_rows_dim(extraction.rows);
        const size_t values = (size_t)config.batch * (size_t)feature_rows_dim(extraction.rows);
        extraction.values = memory_array(values, sizeof *extraction.values);
        extraction.replaced = memory_array((size_t)extraction.images, sizeof *extraction.replaced);
        status = extraction.values && extraction.replaced
                     ? stream(&extraction, error)
                     : error_no_memory(error, "a batch of features", values * sizeof(float));
    }
    feature_rows_close(&extraction.rows);
    memory_free(extraction.values);
    memory_free(extraction.replaced);
    return status;
}

int features_stream(struct session *session, const struct features_request *request, features_visit *visit,
                    void *context, struct error *error)
{
    const struct communicator *communicator = session->communicator;
    struct sharing sharing = {.rank = communicator_rank(communicator),
                              .ranks = communicator_size(communicator),
                              .by_turns = communicator != NULL};
    return run(session, request, &sharing, visit, context, error);
}

/* ---- all of them in memory ------------------------------------------------------------------------------------- */

struct gathering {
    struct features *out;
    struct sharing sharing;
    int64_t at; /* where the next block goes */
};

static int allocate(struct features *out, int64_t count, int dim, struct error *error)
{
    out->dim = dim;
    out->values = memory_array((size_t)count * (size_t)dim, sizeof *out->values);
    out->labels = memory_array((size_t)count, sizeof *out->labels);
    out->replaced = memory_array((size_t)count, sizeof *out->replaced);
    if (out->values && out->labels && out->replaced) return SIMCLR_OK;
    return error_no_memory(error, "features", (size_t)count * (size_t)dim * sizeof(float));
}

/* Room for the rows of all, and this rank's place among them. */
static int make_room(struct gathering *gathering, struct error *error)
{
    const struct sharing *sharing = &gathering->sharing;
    int64_t first, end;
    batches_of(sharing, sharing->rank, &first, &end);
    gathering->at = first * sharing->images;
    return allocate(gathering->out, sharing->rows, sharing->dim, error);
}

static int gather(void *context, const struct features_block *block, struct error *error)
{
    struct gathering *gathering = context;
    struct features *out = gathering->out;
    const size_t count = (size_t)block->count, dim = (size_t)block->dim;
    int status = out->values ? SIMCLR_OK : make_room(gathering, error);
    if (status) return status;
    if (gathering->at + block->count > gathering->sharing.rows)
        return error_set(error, SIMCLR_DATA, "features: the data set grew while it was read");
    memcpy(out->values + (size_t)gathering->at * dim, block->values, count * dim * sizeof *out->values);
    memcpy(out->labels + gathering->at, block->labels, count * sizeof *out->labels);
    memcpy(out->replaced + gathering->at, block->replaced, count * sizeof *out->replaced);
    gathering->at += block->count;
    out->count += block->count;
    return SIMCLR_OK;
}

/* Every rank gets the rows of all. status: of this rank. */
static int gather_ranks(struct gathering *gathering, const struct session *session, int status, struct error *error)
{
    struct communicator *communicator = session->communicator;
    const struct sharing *sharing = &gathering->sharing;
    struct features *out = gathering->out;
    if (!communicator) return status;
    if (!status && !out->values) status = make_room(gathering, error); /* it had no batch */
    size_t *bytes = memory_array(3 * (size_t)sharing->ranks, sizeof *bytes);
    if (!bytes && !status) status = error_no_memory(error, "features", 3 * (size_t)sharing->ranks * sizeof *bytes);
    status = session_agree_images(session, status, error);
    for (int r = 0; bytes && !status && r < sharing->ranks; r++) {
        int64_t first, end;
        batches_of(sharing, r, &first, &end);
        end = end * sharing->images < sharing->rows ? end * sharing->images : sharing->rows;
        const size_t rows = (size_t)(end - first * sharing->images);
        bytes[r] = rows * (size_t)sharing->dim * sizeof *out->values;
        bytes[sharing->ranks + r] = rows * sizeof *out->labels;
        bytes[2 * sharing->ranks + r] = rows * sizeof *out->replaced;
    }
    if (!status) {
        communicator_gather(communicator, out->values, bytes);
        communicator_gather(communicator, out->labels, bytes + sharing->ranks);
        communicator_gather(communicator, out->replaced, bytes + (size_t)2 * (size_t)sharing->ranks);
        out->count = sharing->rows;
    }
    memory_free(bytes);
    return status;
}

int features_extract(struct session *session, const struct features_request *request, struct features *out,
                     struct error *error)
{
    struct communicator *communicator = session->communicator;
    struct gathering gathering = {
        .out = out, .sharing = {.rank = communicator_rank(communicator), .ranks = communicator_size(communicator)}};
    *out = (struct features){0};
    int status = run(session, request, &gathering.sharing, gather, &gathering, error);
    status = gather_ranks(&gathering, session, status, error);
    if (status != SIMCLR_OK) features_free(out);
    return status;
}

/* Rank 0's features become everybody's. */
static int share_features(const struct session *session, struct features *out, struct error *error)
{
    struct communicator *communicator = session->communicator;
    int status = SIMCLR_OK;
    if (!communicator) return SIMCLR_OK;
    communicator_broadcast(communicator, &out->count, sizeof out->count, 0);
    communicator_broadcast(communicator, &out->dim, sizeof out->dim, 0);
    if (!communicator_leads(communicator)) status = allocate(out, out->count, out->dim, error);
    status = communicator_agree_status(communicator, status, error);
    if (status) return status;
    const size_t count = (size_t)out->count;
    communicator_broadcast(communicator, out->values, count * (size_t)out->dim * sizeof *out->values, 0);
    communicator_broadcast(communicator, out->labels, count * sizeof *out->labels, 0);
    return SIMCLR_OK;
}

/* The cache is rank 0's. */
int features_extract_cached(struct session *session, const struct features_request *request, struct features *out,
                            bool *from_cache, struct error *error)
{
    struct feature_cache cache = {0};
    const bool leads = communicator_leads(session->communicator);
    *out = (struct features){0};
    int status = leads ? feature_cache_open(&cache, session, request, error) : SIMCLR_OK;
    *from_cache = leads && !status && feature_cache_load(&cache, session, request, out);
    status = communicator_agree_status(session->communicator, status, error);
    if (!status) communicator_broadcast(session->communicator, from_cache, sizeof *from_cache, 0);
    if (!status && *from_cache) {
        status = share_features(session, out, error);
    } else if (!status) {
        status = features_extract(session, request, out, error);
        if (!status && leads) feature_cache_store(&cache, session, request, out);
    }
    if (leads) feature_cache_close(&cache);
    return status;
}

int features_leave_out_bad(const struct session *session, struct dataset *dataset, struct features *features,
                           struct error *error)
{
    const size_t dim = (size_t)features->dim;
    int64_t kept = 0, left_out;
    if (!features->replaced) return SIMCLR_OK;
    const int status = dataset_leave_out(dataset, features->replaced, &left_out, error);
    if (status || left_out == 0) return status;
    for (int64_t i = 0; i < features->count; i++) {
        if (features->replaced[i]) continue;
        memmove(features->values + (size_t)kept * dim, features->values + (size_t)i * dim,
                dim * sizeof *features->values);
        features->labels[kept++] = features->labels[i];
    }
    features->count = kept;
    memory_free(features->replaced);
    features->replaced = NULL;
    log_warning(&session->log, "%" PRId64 " image%s that cannot be read %s no row", left_out, left_out == 1 ? "" : "s",
                left_out == 1 ? "has" : "have");
    if (kept > 0) return SIMCLR_OK;
    return error_set(error, SIMCLR_DATA, "%s: none of the images can be read", dataset_description(dataset));
}

void features_free(struct features *features)
{
    memory_free(features->replaced);
    if (!features->borrowed) {
        memory_free(features->values);
        memory_free(features->labels);
    }
    *features = (struct features){0};
}
