/* train/pretrain_epoch.c -- between epochs: is the representation healthy, how good is it, and keep it. */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "data/sampler.h"
#include "eval/diagnostics.h"
#include "train/health.h"
#include "train/pretrain.h"

/* ---- checkpoints ------------------------------------------------------------------------------------------- */

struct training_record pretrain_record(const struct pretrain *run)
{
    return (struct training_record){
        .config = run->config, .dataset = run->dataset, .policy = &run->policy, .folder = run->folder.path};
}

int pretrain_save(struct pretrain *run, const char *path, struct error *error)
{
    const struct training_record record = pretrain_record(run);
    const struct checkpoint_state state = {
        .step = run->step.number,
        .epoch = run->epoch,
        .best_knn = run->best_knn,
        .best_is_held_out = true,
        .skipped_steps = run->step.skipped,
        .images_seen = run->step.number * run->config->batch,
        .this_epoch = run->this_epoch,
        .ema = run->config->ema,
        .average = run->average,
    };
    return record_write(&record, path, run->model, run->step.optimizer, &state, error);
}

/* A checkpoint is only ever made of a state that training can go on from. */
static bool state_is_good(const struct pretrain *run)
{
    return run->step.skipped_in_a_row == 0 && step_weights_are_finite(&run->step);
}

int pretrain_save_step(struct pretrain *run, struct error *error)
{
    if (!run->leads) { /* rank 0 writes */
        if (state_is_good(run)) run->saved_step = run->step.number;
        return SIMCLR_OK;
    }
    if (!state_is_good(run)) {
        log_warning(&run->session->log, "step %lld: no checkpoint is written, since the last step was not finite",
                    (long long)run->step.number);
        return SIMCLR_OK;
    }
    char *path = run_folder_checkpoint_path(&run->folder, run->step.number);
    const int status = pretrain_save(run, path, error);
    memory_free(path);
    if (status != SIMCLR_OK) return status;
    run->saved_step = run->step.number;
    run_folder_note_whole(&run->folder, run->step.number);
    run_folder_prune(&run->folder, run->config->keep);
    return SIMCLR_OK;
}

/* ---- diagnostics: two views of the same few images, every epoch the same views ------------------------------ */

enum { PAIRS_AT_ONCE = 64 };

struct pairs {
    struct loader *loader;
    struct network *network;
    struct model_tensors tensors;
    uint32_t *order;
    int batch, count, dim; /* pairs at once, pairs in all */
    float *rows;           /* [2 batch][dim] */
    float *h;              /* [2 count][dim]: all first views, then all second views */
};

static void pairs_close(struct pairs *pairs)
{
    loader_close(&pairs->loader);
    network_destroy(&pairs->network);
    memory_free(pairs->order);
    memory_free(pairs->rows);
    memory_free(pairs->h);
}

static int pairs_open(struct pairs *pairs, struct pretrain *run, struct error *error)
{
    struct session *session = run->session;
    const int64_t images = dataset_count(run->dataset);
    const int64_t wanted = run->config->diagnostics_images < images ? run->config->diagnostics_images : images;
    pairs->batch = (int)(wanted < PAIRS_AT_ONCE ? wanted : PAIRS_AT_ONCE);
    pairs->count = (int)(wanted / pairs->batch) * pairs->batch;
    pairs->dim = model_feature_dim(&run->model->config);
    const size_t row = (size_t)pairs->dim * sizeof(float);
    pairs->rows = memory_array(2 * (size_t)pairs->batch, row);
    pairs->h = memory_array(2 * (size_t)pairs->count, row);
    if (pairs->rows == NULL || pairs->h == NULL)
        return error_no_memory(error, "diagnostics", 2 * (size_t)pairs->count * row);
    int status = sampler_sample((uint64_t)run->config->seed, (uint32_t)images, &pairs->order, error);
    if (status != SIMCLR_OK) return status;
    const struct loader_config config = {.policy = run->policy,
                                         .purpose = RNG_VIEW,
                                         .seed = (uint64_t)run->config->seed,
                                         .batch = pairs->batch,
                                         .views = 2,
                                         .subset = pairs->order,
                                         .subset_count = (uint32_t)pairs->count,
                                         .memory = session_batch_memory(session)};
    status = loader_open(&pairs->loader, &config, run->dataset, session->pool, error);
    if (status != SIMCLR_OK) return status;
    status = model_plan(run->model,
                        &(struct model_plan_args){.backend = session->backend,
                                                  .mode = NETWORK_INFERENCE,
                                                  .dtype = session->dtype,
                                                  .batch = 2 * pairs->batch,
                                                  .encoder_only = true,
                                                  .options = session->planning},
                        &pairs->network, &pairs->tensors, error);
    if (status == SIMCLR_OK) network_let_stop(pairs->network, true);
    return status;
}

static int pairs_run(struct pairs *pairs, struct error *error)
{
    const size_t half = (size_t)pairs->batch * (size_t)pairs->dim;
    float *second = pairs->h + (size_t)pairs->count * (size_t)pairs->dim;
    for (int step = 0; step < pairs->count / pairs->batch; step++) {
        const struct batch *batch;
        const int status = loader_next(pairs->loader, step, &batch, error);
        if (status != SIMCLR_OK) return status;
        network_forward(pairs->network, batch->views);
        if (network_is_cut(pairs->network)) return stop_error(error, "diagnostics");
        network_read(pairs->network, pairs->tensors.h, pairs->rows);
        memcpy(pairs->h + (size_t)step * half, pairs->rows, half * sizeof(float));
        memcpy(second + (size_t)step * half, pairs->rows + half, half * sizeof(float));
    }
    return SIMCLR_OK;
}

int pretrain_diagnose(struct pretrain *run, struct diagnostics *out, struct error *error)
{
    struct pairs pairs = {0};
    int status = pairs_open(&pairs, run, error);
    if (status == SIMCLR_OK) status = pairs_run(&pairs, error);
    if (status == SIMCLR_OK) status = diagnostics_run(out, pairs.h, pairs.count, pairs.dim, error);
    pairs_close(&pairs);
    return status;
}

/* ---- the end of an epoch ------------------------------------------------------------------------------------ */

/* The few steps of a last epoch in part say less than the whole one before it, of which the same was asked. */
static bool says_enough(const struct pretrain *run, const struct stretch *over)
{
    return run->step.number <= run->steps_per_epoch || 2 * over->steps >= run->steps_per_epoch;
}

static void warn(const struct pretrain *run, double loss, const struct stretch *over,
                 const struct diagnostics *diagnostics)
{
    const struct log *log = &run->session->log;
    const int dim = model_feature_dim(&run->model->config);
    /* During warm-up the rate is small, and standing still is no fault yet. */
    const bool warm =
        (double)run->step.number >= run->config->warmup_epochs * (double)run->steps_per_epoch && says_enough(run, over);
    if (warm && health_at_chance(loss, (int)run->config->batch, run->config->temperature))
        log_warning(log,
                    "the loss %.3f sits at chance (%.3f): nothing is being learned; check the images, the views and "
                    "--learning-rate",
                    loss, nt_xent_chance((int)run->config->batch));
    if (warm && health_above_chance(loss, (int)run->config->batch, run->config->temperature))
        log_warning(
            log,
            "the loss %.3f is above chance (%.3f): the run is worse than one that knows nothing; it diverges (try "
            "a lower --learning-rate), --temperature %g is too low, or many images are copies of each other",
            loss, nt_xent_chance((int)run->config->batch), run->config->temperature);
    if (diagnostics != NULL && health_collapsed(diagnostics, dim))
        log_warning(log,
                    "the representation has collapsed (rank %.1f of %d, feature deviation %.2g where %.2g is "
                    "isotropic): try a lower --learning-rate or stronger views",
                    diagnostics->rankme, dim, diagnostics->feature_std, 1 / sqrt((double)dim));
}

static bool knn_is_due(const struct pretrain *run, int64_t epoch)
{
    const int64_t every = run->config->knn_every;
    return every > 0 && dataset_classes(run->dataset) > 1 && (epoch % every == 0 || run->step.number == run->steps);
}

/* What was measured after an epoch; NaN: not measured. */
struct epoch_report {
    int64_t epoch;
    double loss, top1;
    struct online_report knn, average; /* average: of the moving averages, which choose nothing */
    bool diagnosed, best;
    struct diagnostics diagnostics;
};

/* A part of an epoch at the end of the run counts as one. */
static int64_t epochs_begun(const struct pretrain *run)
{
    return (run->step.number + run->steps_per_epoch - 1) / run->steps_per_epoch;
}

static int measure(struct pretrain *run, struct epoch_report *report, struct error *error)
{
    const struct stretch *stretch = &run->this_epoch;
    int status = SIMCLR_OK;
    *report = (struct epoch_report){.epoch = epochs_begun(run),
                                    .loss = NAN,
                                    .top1 = NAN,
                                    .knn = {.held_out = {.top1 = NAN}, .test = {.top1 = NAN}}};
    report->average = report->knn;
    if (stretch->steps > 0) {
        report->loss = stretch->loss / (double)stretch->steps;
        report->top1 = stretch->top1 / (double)stretch->steps;
    }
    if (run->config->diagnostics_images > 1) {
        report->diagnosed = true;
        status = pretrain_diagnose(run, &report->diagnostics, error);
    }
    if (status == SIMCLR_OK && knn_is_due(run, report->epoch)) {
        status = online_knn(run, run->model, &report->knn, error);
        if (status == SIMCLR_OK && run->average) status = online_knn(run, run->average, &report->average, error);
        report->best = status == SIMCLR_OK && report->knn.held_out.top1 > run->best_knn;
    }
    return status;
}

static void write_knn(struct metrics *metrics, const struct online_report *knn, const char *held_out_name,
                      const char *name)
{
    const double held_out = knn->held_out.top1, test = knn->test.top1;
    if (!isnan(held_out)) metrics_number(metrics, held_out_name, held_out);
    const double shown = isnan(test) ? held_out : test; /* as it was before there was a choice by held-out images */
    if (!isnan(shown)) metrics_number(metrics, name, shown);
}

/* over: the epoch's steps. */
static int write_metrics(struct pretrain *run, const struct epoch_report *report, const struct stretch *over,
                         struct error *error)
{
    struct metrics *metrics = &run->folder.metrics;
    metrics_begin(metrics, run->step.number, (double)run->step.number / (double)run->steps_per_epoch);
    metrics_number(metrics, "epoch/loss", report->loss);
    metrics_number(metrics, "epoch/top1", report->top1);
    metrics_number(metrics, "epoch/steps", (double)over->steps);
    metrics_number(metrics, "epoch/seconds", over->seconds);
    if (report->diagnosed) {
        metrics_number(metrics, "epoch/alignment", report->diagnostics.alignment);
        metrics_number(metrics, "epoch/uniformity", report->diagnostics.uniformity);
        metrics_number(metrics, "epoch/rankme", report->diagnostics.rankme);
        metrics_number(metrics, "epoch/feature_std", report->diagnostics.feature_std);
    }
    write_knn(metrics, &report->knn, "epoch/knn_held_out_top1", "epoch/knn_top1");
    write_knn(metrics, &report->average, "epoch/knn_ema_held_out_top1", "epoch/knn_ema_top1");
    return metrics_end(metrics, error);
}

static void add_knn(struct text *line, const char *name, const struct online_report *knn)
{
    const struct online_score *held_out = &knn->held_out, *test = &knn->test;
    if (!isnan(held_out->top1))
        text_add(line, ", %s %.2f %% of %lld held out", name, 100 * held_out->top1, (long long)held_out->queries);
    if (!isnan(test->top1)) text_add(line, ", %.2f %% of %lld test images", 100 * test->top1, (long long)test->queries);
}

static void tell(const struct pretrain *run, const struct epoch_report *report, const struct stretch *over)
{
    struct text line = {0};
    if (run->step.number % run->steps_per_epoch == 0)
        text_add(&line, "epoch %lld/%lld", (long long)report->epoch, (long long)run->config->epochs);
    else
        text_add(&line, "epoch %.4g, the last one in part", (double)run->step.number / (double)run->steps_per_epoch);
    if (over->steps > 0)
        text_add(&line, ": loss %.3f (chance %.3f), top-1 %.1f %%, %.0f views/s", report->loss,
                 nt_xent_chance((int)run->config->batch), 100 * report->top1, pretrain_views_per_second(run, over));
    if (report->diagnosed)
        text_add(&line, ", alignment %.3f, uniformity %.3f, rank %.1f, deviation %.4f", report->diagnostics.alignment,
                 report->diagnostics.uniformity, report->diagnostics.rankme, report->diagnostics.feature_std);
    add_knn(&line, "kNN", &report->knn);
    add_knn(&line, "kNN of the averages", &report->average);
    if (!line.failed) log_info(&run->session->log, "%s", line.bytes);
    text_free(&line);
}

/* Before the step's own checkpoint: a run that is killed between the two does this epoch's end again. One that is
 * killed after it has a best checkpoint that is as good as its figure says. */
static int save_best(struct pretrain *run, double knn, struct error *error)
{
    const double before = run->best_knn;
    char *path = run_folder_best_path(&run->folder);
    run->best_knn = knn;
    const int status = pretrain_save(run, path, error);
    if (status) run->best_knn = before;
    memory_free(path);
    return status;
}

/* What rank 0 does meanwhile is told when the ranks next agree. */
static int follow_epoch(struct pretrain *run, struct error *error)
{
    struct online_report report;
    int status = SIMCLR_OK;
    run->this_epoch = (struct stretch){0};
    run->epoch = epochs_begun(run);
    if (knn_is_due(run, run->epoch)) { /* features of kNN are all ranks' work */
        status = online_knn(run, run->model, &report, error);
        if (status == SIMCLR_OK && run->average) status = online_knn(run, run->average, &report, error);
    }
    if (status != SIMCLR_OK) return status;
    const bool due = run->epoch % run->config->save_every == 0 || run->step.number == run->steps;
    return due ? pretrain_save_step(run, error) : SIMCLR_OK;
}

int pretrain_end_epoch(struct pretrain *run, struct error *error)
{
    struct epoch_report report;
    pretrain_let_leader_work(run);
    if (!run->leads) return follow_epoch(run, error);
    int status = measure(run, &report, error);
    if (status != SIMCLR_OK) return status;
    const struct stretch over = run->this_epoch;
    const int64_t before = run->epoch;
    run->this_epoch = (struct stretch){0};
    run->epoch = report.epoch;
    if (report.best && state_is_good(run)) status = save_best(run, report.knn.held_out.top1, error);
    if (status) { /* the run that goes on measures this epoch again, and writes its best */
        run->this_epoch = over;
        run->epoch = before;
        (void)pretrain_save_step(run, NULL);
        return status;
    }
    status = write_metrics(run, &report, &over, error);
    if (status != SIMCLR_OK) return status;
    tell(run, &report, &over);
    warn(run, report.loss, &over, report.diagnosed ? &report.diagnostics : NULL);
    const bool due = report.epoch % run->config->save_every == 0 || run->step.number == run->steps;
    return due ? pretrain_save_step(run, error) : SIMCLR_OK;
}
