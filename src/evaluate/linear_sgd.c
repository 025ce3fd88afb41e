/* evaluate/linear_sgd.c -- linear evaluation in the paper's form (appendix B.6; method.md section 6): SGD on features
 * of a fresh random crop and flip each epoch, with a bank of rates that all see the same features. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/rank.h"
#include "data/sampler.h"
#include "eval/held_out.h"
#include "eval/linear_sgd.h"
#include "eval/taught.h"
#include "evaluate/protocols.h"
#include "optim/schedule.h"
#include "train/supervised.h"

/* Rates for 256 images; all but the paper's are ours. */
enum { BANK = 7, PAPERS_RATE = 4, TILE = 512 };
static const double bank_rates[BANK] = {0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1};
static const char phase[] = "linear-sgd";

static int64_t step_images(const struct evaluation *evaluation)
{
    return supervised_batch(evaluation->session->config->sgd_batch, dataset_count(evaluation->train));
}

/* ---- the features of a step ------------------------------------------------------------------------------------- */

/* Rows of fresh views, or of views that are made once and kept (--augmented-copies). */
struct stream {
    const struct evaluation *evaluation;
    struct feature_rows *rows;
    struct loader *loader;
    uint64_t seed;
    int64_t images, steps_per_epoch;
    int batch, dim, count; /* count: rows of the step's batch */
    float *x;              /* [batch][dim] */
    int32_t *labels;       /* [batch] */
    uint32_t *indices;     /* [batch] of the training images */
    int64_t copies;        /* 0: fresh views */
    float *kept;           /* [copies][images][dim] */
    uint32_t *order;       /* [images] of epoch order_epoch */
    int64_t order_epoch;
};

static void stream_close(struct stream *stream)
{
    loader_close(&stream->loader);
    feature_rows_close(&stream->rows);
    memory_free(stream->x);
    memory_free(stream->labels);
    memory_free(stream->indices);
    memory_free(stream->kept);
    memory_free(stream->order);
    *stream = (struct stream){0};
}

static int stream_allocate(struct stream *stream, struct error *error)
{
    const size_t batch = (size_t)stream->batch, dim = (size_t)stream->dim, images = (size_t)stream->images;
    stream->x = memory_array(batch * dim, sizeof *stream->x);
    stream->labels = memory_array(batch, sizeof *stream->labels);
    stream->indices = memory_array(batch, sizeof *stream->indices);
    if (!stream->x || !stream->labels || !stream->indices)
        return error_no_memory(error, "a step's features", batch * dim * sizeof *stream->x);
    if (stream->copies == 0) return SIMCLR_OK;
    const size_t copies = (size_t)stream->copies;
    stream->order = memory_array(images, sizeof *stream->order);
    stream->kept = copies > SIZE_MAX / images ? NULL : memory_array(copies * images, dim * sizeof *stream->kept);
    if (stream->order && stream->kept) return SIMCLR_OK;
    return error_set(error, SIMCLR_NO_MEMORY,
                     "no memory for %" PRId64 " copies of %" PRId64 " features of %d values: give a smaller "
                     "--augmented-copies, or 0 for fresh views each epoch",
                     stream->copies, stream->images, stream->dim);
}

static int stream_open(struct stream *stream, const struct linear_sgd_job *job, struct error *error)
{
    const struct evaluation *evaluation = job->evaluation;
    const enum evaluation_source source = job->source;
    const struct session *session = evaluation->session;
    const struct evaluation_encoder *encoder = &evaluation->encoders[source];
    const struct view_policy *theirs = &encoder->policy;
    *stream = (struct stream){.evaluation = evaluation,
                              .seed = job->seed,
                              .images = dataset_count(evaluation->train),
                              .batch = (int)step_images(evaluation),
                              .copies = session->config->augmented_copies,
                              .order_epoch = -1};
    const int64_t at_once = session->config->batch < stream->batch ? session->config->batch : stream->batch;
    const struct feature_rows_config features = {.kind = evaluation_kind(evaluation, source),
                                                 .layer = source == SOURCE_PIXELS ? 0 : evaluation->layer,
                                                 .model = encoder->model,
                                                 .size = theirs->size,
                                                 .batch = (int)at_once};
    int status = feature_rows_open(&stream->rows, session, &features, error);
    if (status) return status;
    stream->dim = feature_rows_dim(stream->rows);
    stream->steps_per_epoch = stream->images / stream->batch;
    status = stream_allocate(stream, error);
    if (status) return status;
    struct view_policy policy = view_policy_as(view_policy_supervised(theirs->size), theirs);
    policy.type = feature_rows_type(stream->rows);
    const struct loader_config loader = {.policy = policy,
                                         .purpose = RNG_FINETUNE,
                                         .seed = job->seed,
                                         .batch = stream->batch,
                                         .views = 1,
                                         .keep_last = stream->copies > 0,
                                         .shuffle = stream->copies == 0,
                                         .workers = session_workers(session),
                                         .pin = session_pin(session),
                                         .memory = session_batch_memory(session)};
    return loader_open(&stream->loader, &loader, evaluation->train, session->pool, error);
}

/* The features of a batch of views. */
static int run_views(struct stream *stream, int64_t step, const struct batch **batch, struct error *error)
{
    int status = loader_next(stream->loader, step, batch, error);
    if (status) return status;
    status = feature_rows_run(stream->rows, (*batch)->views, (*batch)->count, stream->x, error);
    for (int i = 0; !status && i < (*batch)->count; i++)
        status = features_check_row(dataset_name(stream->evaluation->train, (*batch)->indices[i]),
                                    stream->x + (size_t)i * (size_t)stream->dim, stream->dim, error);
    return status;
}

static int tell_stopped(int64_t step, int64_t steps, struct error *error)
{
    return error_set(error, SIMCLR_INTERRUPTED, "%s: stopped by request at step %" PRId64 " of %" PRId64, phase, step,
                     steps);
}

/* Makes all copies that are kept. */
static int stream_keep(struct stream *stream, struct error *error)
{
    if (stream->copies == 0) return SIMCLR_OK;
    const size_t dim = (size_t)stream->dim;
    const int64_t steps = loader_steps_per_epoch(stream->loader);
    for (int64_t step = 0; step < steps * stream->copies; step++) {
        const struct batch *batch;
        if (session_is_interrupted(stream->evaluation->session))
            return tell_stopped(step, steps * stream->copies, error);
        const int status = run_views(stream, step, &batch, error);
        if (status) return status;
        float *copy = stream->kept + (size_t)(step / steps) * (size_t)stream->images * dim;
        for (int i = 0; i < batch->count; i++)
            memcpy(copy + (size_t)batch->indices[i] * dim, stream->x + (size_t)i * dim, dim * sizeof *copy);
        const struct progress progress = progress_at("augmented copies", step + 1, steps * stream->copies);
        session_tell(stream->evaluation->session, &progress);
    }
    return SIMCLR_OK;
}

static void gather(struct stream *stream, int64_t step)
{
    const size_t dim = (size_t)stream->dim;
    const int64_t epoch = step / stream->steps_per_epoch, first = step % stream->steps_per_epoch * stream->batch;
    const float *copy = stream->kept + (size_t)(epoch % stream->copies) * (size_t)stream->images * dim;
    if (epoch != stream->order_epoch) {
        sampler_permutation(stream->seed, (uint32_t)epoch, (uint32_t)stream->images, stream->order);
        stream->order_epoch = epoch;
    }
    stream->count = stream->batch;
    for (int i = 0; i < stream->batch; i++) {
        const uint32_t index = stream->order[first + i];
        stream->indices[i] = index;
        stream->labels[i] = dataset_label(stream->evaluation->train, index);
        memcpy(stream->x + (size_t)i * dim, copy + (size_t)index * dim, dim * sizeof *copy);
    }
}

/* The rows of a step, with labels and numbers of their images. */
static int stream_next(struct stream *stream, int64_t step, struct error *error)
{
    if (stream->copies > 0) {
        gather(stream, step);
        return SIMCLR_OK;
    }
    const struct batch *batch;
    const int status = run_views(stream, step, &batch, error);
    if (status) return status;
    stream->count = batch->count;
    memcpy(stream->indices, batch->indices, (size_t)batch->count * sizeof *stream->indices);
    memcpy(stream->labels, batch->labels, (size_t)batch->count * sizeof *stream->labels);
    return SIMCLR_OK;
}

/* ---- training --------------------------------------------------------------------------------------------------- */

/* A bank for each fold of what is held out, which never sees that fold, and one of all images. They take their steps
 * side by side, so that a rate is chosen and used in one pass over the features. */
struct banks {
    struct held_out split;
    struct linear_sgd *sgd; /* [split.folds + 1]; the last one is of all */
    int count;              /* that are open */
    int32_t *labels;        /* [batch] without a fold's */
    int64_t correct[BANK];  /* of what was held out */
    int chosen;             /* of the bank */
};

static void banks_close(struct banks *banks)
{
    for (int i = 0; i < banks->count; i++) linear_sgd_close(&banks->sgd[i]);
    held_out_free(&banks->split);
    memory_free(banks->sgd);
    memory_free(banks->labels);
    *banks = (struct banks){0};
}

/* A bias of -INFINITY stays as it is: such a class has probability 0, and no gradient. */
static void leave_out_untaught(const struct linear_sgd *sgd, const struct taught *taught)
{
    for (int line = 0; line < sgd->config.bank * sgd->config.classes; line++)
        if (taught->place[line % sgd->config.classes] < 0) sgd->bias[line] = -INFINITY;
}

static int banks_open(struct banks *banks, const struct stream *stream, const struct features *train,
                      struct error *error)
{
    const struct session *session = stream->evaluation->session;
    const int classes = dataset_classes(stream->evaluation->train);
    *banks = (struct banks){.chosen = PAPERS_RATE};
    const struct linear_sgd_config config = {.dim = stream->dim,
                                             .classes = classes,
                                             .bank = BANK,
                                             .rows = stream->batch > TILE ? stream->batch : TILE,
                                             .rule = LINEAR_SGD_NESTEROV,
                                             .momentum = 0.9,
                                             .weight_decay = session->config->sgd_l2};
    int status = held_out_split(&banks->split, train->labels, train->count, classes, stream->seed, error);
    if (status) return status;
    banks->sgd = memory_array((size_t)banks->split.folds + 1, sizeof *banks->sgd);
    banks->labels = memory_array((size_t)stream->batch, sizeof *banks->labels);
    if (!banks->sgd || !banks->labels) return error_no_memory(error, "linear classifiers", sizeof *banks->sgd);
    struct taught taught;
    status = taught_find(&taught, train->labels, train->count, classes, error);
    if (status) return status;
    for (; !status && banks->count <= banks->split.folds; banks->count += !status) {
        status = linear_sgd_open(&banks->sgd[banks->count], &config, session->backend, error);
        if (!status) leave_out_untaught(&banks->sgd[banks->count], &taught);
    }
    taught_free(&taught);
    return status;
}

static void banks_step(struct banks *banks, const struct stream *stream, const double *rates, double *losses)
{
    const int folds = banks->split.folds;
    for (int fold = 0; fold < folds; fold++) {
        for (int i = 0; i < stream->count; i++)
            banks->labels[i] = banks->split.fold[stream->indices[i]] == fold ? -1 : stream->labels[i];
        linear_sgd_step(&banks->sgd[fold], stream->x, banks->labels, stream->count, rates, NULL);
    }
    linear_sgd_step(&banks->sgd[folds], stream->x, stream->labels, stream->count, rates, losses);
}

static void tell(const struct stream *stream, int64_t step, int64_t steps, double seconds, double rate, double loss)
{
    const double per_step = seconds / (double)step;
    struct progress progress = progress_at(phase, step, steps);
    progress.epoch = (double)step / (double)stream->steps_per_epoch;
    progress.epochs = (double)steps / (double)stream->steps_per_epoch;
    progress.views_per_second = stream->batch / per_step;
    progress.eta_seconds = per_step * (double)(steps - step);
    progress.learning_rate = rate;
    progress.loss = loss;
    progress.chance_loss = log((double)dataset_classes(stream->evaluation->train));
    session_tell(stream->evaluation->session, &progress);
}

static int learn(struct stream *stream, struct banks *banks, struct error *error)
{
    const struct session *session = stream->evaluation->session;
    const int64_t epochs = session->config->sgd_epochs, steps = epochs * stream->steps_per_epoch;
    const struct schedule schedule = {.base = 1,
                                      .scaling = SCALING_LINEAR,
                                      .batch = stream->batch,
                                      .steps_per_epoch = stream->steps_per_epoch,
                                      .epochs = (double)epochs};
    const double start = clock_seconds();
    for (int64_t step = 0; step < steps; step++) {
        double rates[BANK], losses[BANK];
        if (session_is_interrupted(session)) return tell_stopped(step, steps, error);
        const int status = stream_next(stream, step, error);
        if (status) return status;
        for (int b = 0; b < BANK; b++) rates[b] = bank_rates[b] * schedule_rate(&schedule, step);
        banks_step(banks, stream, rates, losses);
        tell(stream, step + 1, steps, clock_seconds() - start, rates[PAPERS_RATE], losses[PAPERS_RATE]);
    }
    return SIMCLR_OK;
}

/* ---- choosing and testing ---------------------------------------------------------------------------------------- */

/* What is held out of a fold, on evaluation views; of equal rates the lowest is taken. */
static int choose(struct banks *banks, const struct features *train, struct error *error)
{
    const size_t dim = (size_t)train->dim;
    const int classes = banks->sgd[0].config.classes;
    float *x = memory_array(TILE * dim, sizeof *x);
    int32_t labels[TILE];
    if (!x) return error_no_memory(error, "features that are held out", TILE * dim * sizeof *x);
    for (int fold = 0; fold < banks->split.folds; fold++) {
        int rows = 0;
        for (int64_t i = 0; i <= train->count; i++) {
            if (i < train->count && banks->split.fold[i] == fold) {
                memcpy(x + (size_t)rows * dim, train->values + (size_t)i * dim, dim * sizeof *x);
                labels[rows++] = train->labels[i];
            }
            if (rows == 0 || (rows < TILE && i < train->count)) continue;
            const float *logits = linear_sgd_logits(&banks->sgd[fold], x, rows);
            for (int r = 0; r < rows; r++)
                for (int b = 0; b < BANK; b++, logits += classes)
                    banks->correct[b] += rank_of_label(logits, classes, labels[r]) == 0;
            rows = 0;
        }
    }
    memory_free(x);
    for (int b = 0; b < BANK && banks->split.folds > 0; b++)
        if (b == 0 || banks->correct[b] > banks->correct[banks->chosen]) banks->chosen = b;
    return SIMCLR_OK;
}

/* kept: [rows][classes] out, the logits of the chosen classifier; NULL: not wanted. */
static void test(struct banks *banks, const struct linear_sgd_job *job, struct score *out, float *kept)
{
    const struct features *features = job->test;
    struct linear_sgd *sgd = &banks->sgd[banks->split.folds];
    const int classes = sgd->config.classes;
    struct score papers = score_none();
    *out = score_none();
    out->done = true;
    for (int64_t begin = 0; begin < features->count; begin += TILE) {
        const int64_t left = features->count - begin;
        const int rows = (int)(left < TILE ? left : TILE);
        const float *logits = linear_sgd_logits(sgd, features->values + begin * features->dim, rows);
        for (int64_t r = 0; r < rows; r++, logits += BANK * (int64_t)classes) {
            const int32_t label = features->labels[begin + r];
            const float *chosen = logits + banks->chosen * (int64_t)classes;
            const int rank = rank_of_label(chosen, classes, label);
            const int papers_rank = rank_of_label(logits + PAPERS_RATE * (int64_t)classes, classes, label);
            score_count(out, rank);
            score_count(&papers, papers_rank);
            if (job->ranks) job->ranks[begin + r] = rank;
            if (job->papers_ranks) job->papers_ranks[begin + r] = papers_rank;
            if (kept) memcpy(kept + (begin + r) * classes, chosen, (size_t)classes * sizeof *kept);
        }
    }
    out->rate = bank_rates[banks->chosen];
    out->papers_rate = bank_rates[PAPERS_RATE];
    out->papers_top1 = papers.top1;
    out->papers_top5 = papers.top5;
    out->folds = banks->split.folds;
    out->held_out = banks->split.count;
    if (out->held_out > 0) out->held_out_top1 = (double)banks->correct[banks->chosen] / (double)out->held_out;
}

static int score_all(const struct linear_sgd_job *job, struct banks *banks, struct score *out, struct error *error)
{
    const int classes = banks->sgd[0].config.classes;
    const size_t cells = (size_t)job->test->count * (size_t)classes;
    if (!evaluation_wants_predictions(job->evaluation, job->source)) {
        test(banks, job, out, NULL);
        return SIMCLR_OK;
    }
    float *kept = memory_array(cells, sizeof *kept);
    if (!kept) return error_no_memory(error, "logits", cells * sizeof *kept);
    test(banks, job, out, kept);
    const int status = predictions_of_logits(&job->evaluation->predictions, kept, job->test->count, classes, 1, error);
    memory_free(kept);
    return status;
}

static void say_choice(struct evaluation *evaluation, const struct banks *banks)
{
    const struct log *log = &evaluation->session->log;
    if (evaluation->rate_is_said) return;
    evaluation->rate_is_said = true;
    if (banks->split.folds == 0)
        log_warning(log, "%s: every class has one training image, so none can choose a rate: the paper's is taken",
                    phase);
    else
        log_info(log, "%s: the rate is chosen on %s: %" PRId64 " of the %" PRId64 " training images", phase,
                 banks->split.folds == 1 ? "a held-out tenth" : "folds that are held out", banks->split.count,
                 dataset_count(evaluation->train));
}

/* The best of the bank may lie beyond it. */
static void warn_of_edge(const struct evaluation *evaluation, enum evaluation_source source, const struct banks *banks)
{
    if (banks->split.folds == 0 || (banks->chosen > 0 && banks->chosen < BANK - 1)) return;
    log_warning(&evaluation->session->log,
                "%s on %s: the chosen rate, %g, is the %s of the bank: %s may change the figure", phase,
                evaluation_sources[source].name, bank_rates[banks->chosen], banks->chosen == 0 ? "lowest" : "highest",
                banks->chosen == 0 ? "a lower one" : "more --sgd-epochs");
}

int linear_sgd_run(const struct linear_sgd_job *job, struct score *out, struct error *error)
{
    struct stream stream = {0};
    struct banks banks = {0};
    int status = stream_open(&stream, job, error);
    if (!status) status = banks_open(&banks, &stream, job->train, error);
    if (!status) say_choice(job->evaluation, &banks);
    if (!status) status = stream_keep(&stream, error);
    if (!status) status = learn(&stream, &banks, error);
    if (!status) status = choose(&banks, job->train, error);
    if (!status) warn_of_edge(job->evaluation, job->source, &banks);
    if (!status) status = score_all(job, &banks, out, error);
    banks_close(&banks);
    stream_close(&stream);
    return status;
}

int linear_sgd_judge(struct evaluation *evaluation, enum evaluation_source source, struct score *out,
                     struct error *error)
{
    struct features train = {0}, features = {0};
    int status = evaluation_features(evaluation, source, &train, &features, error);
    if (status) return status;
    if (source == SOURCE_TRAINED) status = evaluation_save_features(evaluation->session, &train, &features, error);
    const struct linear_sgd_job job = {.evaluation = evaluation,
                                       .source = source,
                                       .seed = (uint64_t)evaluation->session->config->seed,
                                       .train = &train,
                                       .test = &features};
    if (!status) status = linear_sgd_run(&job, out, error);
    features_free(&train);
    features_free(&features);
    return status;
}

/* ---- the results ------------------------------------------------------------------------------------------------- */

void linear_sgd_facts(const struct evaluation *evaluation, struct text *json)
{
    const struct config *config = evaluation->session->config;
    text_json_integer(json, "epochs", config->sgd_epochs);
    text_json_integer(json, "batch", step_images(evaluation));
    text_json_number(json, "weight_decay", config->sgd_l2);
    text_json_integer(json, "augmented_copies", config->augmented_copies);
}

void linear_sgd_close_table(const struct evaluation *evaluation)
{
    const struct config *config = evaluation->session->config;
    char views[64] = "a fresh crop and flip each epoch";
    if (config->augmented_copies > 0)
        snprintf(views, sizeof views, "%" PRId64 " kept views an image", config->augmented_copies);
    session_print(evaluation->session, "SGD: %" PRId64 " epochs, batch %" PRId64 ", %s; the rate by what is held out\n",
                  config->sgd_epochs, step_images(evaluation), views);
}
