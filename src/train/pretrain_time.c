/* train/pretrain_time.c -- how long a run will take on this machine, by taking steps of it; and how many steps --time
 * allows.
 *
 * What is timed is the run's own: its loader, its step, its diagnostics, its checkpoint. Steps are timed in pieces,
 * with the rest between them, since a machine's speed drifts: neighbours in time are fast or slow together. The step
 * changes the model, so the model is made anew afterwards. */
#include <inttypes.h>
#include <math.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/format.h"
#include "base/memory.h"
#include "run/settings.h"
#include "train/pretrain.h"

enum { STEPS_LEAST = 20, EPOCHS_ENOUGH = 50, SIZE_LEAST = 64 };
/* What is written where nothing can be tried: a checkpoint at this rate, its fsync included. */
static const double disk_bytes_per_second = 150e6;

/* ---- steps ---- */

struct stepping {
    struct pretrain *run;
    int64_t at, taken;   /* the batch; steps so far */
    double waited;       /* of all steps so far */
    double loss, update; /* of all but the first, which touches memory for the first time; or of that alone */
    bool views_only;
};

/* The other groups of a batch whose first one is at hand, once each, where views are made a group at a time. */
static int take_other_groups(const struct pretrain *run, int64_t at, struct error *error)
{
    const struct step_groups *groups = &run->step.groups;
    const struct batch *batch;
    int status = SIMCLR_OK;
    for (int part = 1; !status && loader_parts(run->loader) > 1 && part < groups->count; part++)
        status = groups->views.next(groups->views.owner, at, part, &batch, error);
    return status;
}

static int take_step(void *context, struct error *error)
{
    struct stepping *stepping = context;
    struct pretrain *run = stepping->run;
    const struct batch *batch;
    struct step_report report;
    if (session_is_interrupted(run->session)) return stop_error(error, "timing steps");
    const double waited = loader_wait_seconds(run->loader);
    const int status = loader_next(run->loader, stepping->at++, &batch, error);
    if (status) return status;
    if (stepping->views_only) return take_other_groups(run, stepping->at - 1, error);
    const int ran = step_run(&run->step, batch, &report, error);
    stepping->waited += loader_wait_seconds(run->loader) - waited; /* for a step's later parts too */
    if (++stepping->taken == 2) stepping->loss = stepping->update = 0;
    stepping->loss += run->step.seconds.loss;
    stepping->update += run->step.seconds.update + run->step.seconds.packing;
    return ran;
}

/* What has been timed so far. A piece begins two batches behind the last one's end: so what a loader has made ahead in
 * the meantime is no gift to it, and images that are not in memory are new ones, as they are in a run. */
struct timing {
    struct pretrain *run;
    int64_t at; /* the next piece's first batch */
    struct pretrain_timing piece[PACE_PIECES];
    struct pace views[PACE_PIECES];
    double lasted[PACE_PIECES]; /* seconds of the steps of a piece, its first one too */
    int pieces, view_pieces;
    double spent; /* of all pieces of steps */
};

static int time_views(struct timing *timing, double seconds, struct error *error)
{
    struct pretrain *run = timing->run;
    struct stepping stepping = {.run = run, .at = timing->at, .views_only = true};
    if (run->sizes.count > 0) pretrain_take_size(run, run->sizes.stages[0].size);
    const int status = pace_measure(&timing->views[timing->view_pieces++],
                                    &(struct pace_work){take_step, &stepping, NULL}, seconds, 2 * seconds, error);
    timing->at = stepping.at + 2;
    return status;
}

/* Steps of the present size: the pace, and what of a step is waiting, NT-Xent and the update. */
static int time_size(struct pretrain *run, int64_t *at, double seconds, double most, struct pretrain_timing *out,
                     struct error *error)
{
    struct stepping stepping = {.run = run, .at = *at};
    const double start = clock_seconds();
    const int status = pace_measure(&out->step, &(struct pace_work){take_step, &stepping, NULL}, seconds, most, error);
    const double steps = fmax((double)stepping.taken - 1, 1);
    out->wait_share = stepping.waited / fmax(clock_seconds() - start, 1e-9);
    out->loss = stepping.loss / steps;
    out->update = stepping.update / steps;
    *at = stepping.at + 2;
    return status;
}

/* Of each size by its share of the steps. */
static int time_sizes(struct pretrain *run, int64_t *at, double seconds, double most, struct pretrain_timing *out,
                      struct error *error)
{
    double before = 0;
    if (run->sizes.count == 0) return time_size(run, at, seconds, most, out, error);
    *out = (struct pretrain_timing){0};
    for (int i = 0; i < run->sizes.count; i++) {
        struct pretrain_timing of_size;
        const double share = run->sizes.stages[i].end - before;
        pretrain_take_size(run, run->sizes.stages[i].size);
        const int status = time_size(run, at, seconds * share, most * share, &of_size, error);
        if (status) return status;
        before = run->sizes.stages[i].end;
        out->step.mean += share * of_size.step.mean;
        out->step.low += share * of_size.step.low;
        out->step.high += share * of_size.step.high;
        out->step.count += of_size.step.count;
        out->wait_share += share * of_size.wait_share;
        out->loss += share * of_size.loss;
        out->update += share * of_size.update;
    }
    return SIMCLR_OK;
}

/* One more piece, where time is left. A step so long that three fill a piece makes it last longer, and then there are
 * fewer. */
static int time_piece(struct timing *timing, const struct pretrain_timing_limits *limits, struct error *error)
{
    const double left = limits->steps - timing->spent;
    if (timing->pieces > 0 && (left <= 0 || timing->spent >= limits->most)) return SIMCLR_OK;
    const double seconds = left / (PACE_PIECES - timing->pieces), start = clock_seconds();
    const int i = timing->pieces++;
    const int status =
        time_sizes(timing->run, &timing->at, seconds, limits->most - timing->spent, &timing->piece[i], error);
    timing->lasted[i] = clock_seconds() - start;
    timing->spent += timing->lasted[i];
    return status;
}

static void join_pieces(struct timing *timing, struct pretrain_timing *out)
{
    struct pace steps[PACE_PIECES];
    double count = 0;
    for (int i = 0; i < timing->pieces; i++) {
        const struct pretrain_timing *piece = &timing->piece[i];
        const double runs = (double)piece->step.count;
        steps[i] = piece->step;
        count += runs;
        out->loss += runs * piece->loss;
        out->update += runs * piece->update;
        out->wait_share += timing->lasted[i] / timing->spent * piece->wait_share;
    }
    out->loss /= count;
    out->update /= count;
    out->step = pace_join(steps, timing->pieces);
    if (timing->view_pieces > 0) out->views = pace_join(timing->views, timing->view_pieces);
}

/* ---- between epochs ---- */

int64_t pretrain_checkpoint_bytes(const struct pretrain *run)
{
    const struct parameters *parameters = &run->model->parameters;
    const struct optimizer *optimizer = run->step.optimizer;
    const size_t weights = parameters->weight_count + parameters->buffer_count;
    const size_t states = optimizer->state_count * (optimizer->state2 ? 2 : 1);
    return (int64_t)((weights * (run->average ? 2 : 1) + states) * sizeof(float));
}

static int time_checkpoint(struct pretrain *run, double *seconds, struct error *error)
{
    *seconds = (double)pretrain_checkpoint_bytes(run) / disk_bytes_per_second;
    if (!run->folder.path) return SIMCLR_OK;
    char *path = run_folder_probe_path(&run->folder);
    const double start = clock_seconds();
    const int status = path ? pretrain_save(run, path, error) : error_no_memory(error, "a path", 1);
    *seconds = clock_seconds() - start;
    if (path) unlink(path);
    memory_free(path);
    return status;
}

/* Diagnostics, a checkpoint, a kNN: the i-th of what an epoch's end may have. */
static int time_between(struct pretrain *run, int i, struct budget_costs *costs, struct error *error)
{
    struct diagnostics diagnostics;
    int status = SIMCLR_OK;
    const double start = clock_seconds();
    if (i == 0 && run->config->diagnostics_images > 1) {
        status = pretrain_diagnose(run, &diagnostics, error);
        costs->after_epoch = clock_seconds() - start;
    }
    if (i == 1) status = time_checkpoint(run, &costs->save, error);
    if (i == 2 && costs->knn_every > 0) {
        status = online_knn_seconds(run, &costs->knn, error);
        if (run->average) costs->knn *= 2;
        costs->knn += costs->save; /* of the best checkpoint */
    }
    return status;
}

int pretrain_time(struct pretrain *run, const struct pretrain_timing_limits *limits, struct pretrain_timing *out,
                  struct error *error)
{
    struct timing timing = {.run = run};
    int status = SIMCLR_OK;
    *out = (struct pretrain_timing){
        .costs = {.steps_per_epoch = run->steps_per_epoch,
                  .save_every = run->config->save_every,
                  .knn_every = dataset_classes(run->dataset) > 1 ? run->config->knn_every : 0}};
    for (int i = 0; !status && i < PACE_PIECES; i++) {
        if (limits->views > 0) status = time_views(&timing, limits->views / PACE_PIECES, error);
        if (!status) status = time_piece(&timing, limits, error);
        const double start = clock_seconds();
        if (!status) status = time_between(run, i, &out->costs, error);
        out->between += clock_seconds() - start;
    }
    if (status) return status;
    join_pieces(&timing, out);
    out->costs.step = out->step.mean;
    out->costs.rest = out->costs.save; /* the exported encoder */
    return SIMCLR_OK;
}

/* ---- --time ---- */

double pretrain_timing_seconds(const struct config *config)
{
    return fmin(5, 0.04 * config->time);
}

static int refuse_time(const struct pretrain *run, const struct budget_costs *costs, double spent, struct error *error)
{
    char time[40], least[40];
    format_duration(time, sizeof time, run->config->time);
    format_duration(least, sizeof least, 1.05 * (spent + budget_seconds(costs, STEPS_LEAST)));
    return error_set(
        error, SIMCLR_INVALID,
        "--time %s is too short for %d steps of %.3g s after %.3g s of preparation: give at least %s, or a "
        "smaller --batch, --image-size or --width",
        time, STEPS_LEAST, costs->step, spent, least);
}

int pretrain_choose_steps(struct pretrain *run, struct error *error)
{
    struct pretrain_timing timing;
    char time[40];
    if (run->chosen || !pretrain_has_time(run->config)) return SIMCLR_OK;
    const double whole = run->config->time;
    const struct pretrain_timing_limits limits = {.steps = pretrain_timing_seconds(run->config), .most = 0.1 * whole};
    int status = pretrain_time(run, &limits, &timing, error);
    if (status) return status;
    status = pretrain_renew(run, error); /* the steps have changed the model */
    if (status) return status;
    const double spent = clock_seconds() - run->began;
    const int64_t steps = budget_steps(&timing.costs, whole - spent);
    if (steps < STEPS_LEAST) return refuse_time(run, &timing.costs, spent, error);
    const struct budget_choice choice = budget_choose(steps, run->steps_per_epoch);
    status = pretrain_set_steps(run, choice, error);
    if (!status) status = pretrain_set_warmup(run, error);
    if (status) return status;
    pretrain_set_schedule(run);
    format_duration(time, sizeof time, whole);
    log_info(&run->session->log,
             "time: %s allow %.4g epochs of %" PRId64
             " steps; a step takes %.3g s, an epoch's end %.3g s, a kNN %.3g s, "
             "and %.3g s have passed",
             time, step_epochs(run->config, run->steps_per_epoch), run->steps_per_epoch, timing.costs.step,
             timing.costs.after_epoch + timing.costs.save, timing.costs.knn, spent);
    return SIMCLR_OK;
}

/* ---- the size of the views ---- */

/* Seconds of a step with views of `size`, of a run that is thrown away. */
static int try_size(struct pretrain *run, int size, int64_t batch, double *seconds, struct error *error)
{
    struct config *settings = NULL;
    struct pretrain trial = {
        .session = &trial.own, .best_knn = -1, .saved_step = -1, .folder = {.lock = -1}, .dataset = run->dataset};
    struct pretrain_timing timing = {0};
    int64_t at = 0;
    char text[40];
    int status = config_copy(&settings, run->config, error);
    if (status) return status;
    trial.own = session_derive(run->session, settings, (struct log){0});
    trial.config = settings;
    format_write(text, sizeof text, "%d", size);
    status = config_set(settings, "image-size", text, 2, error);
    format_write(text, sizeof text, "%lld", (long long)batch);
    if (!status && config_is_auto(settings, "batch")) status = config_set(settings, "batch", text, 2, error);
    if (!status) status = session_resolve(&trial.own, run->dataset, error);
    if (!status) status = pretrain_plan_steps(&trial, error);
    if (!status) status = time_size(&trial, &at, 1, 0.03 * run->config->time, &timing, error);
    *seconds = timing.step.mean;
    trial.dataset = NULL;
    pretrain_close(&trial);
    config_destroy(&settings);
    return status;
}

/* Where neither --image-size nor a list of sizes is given: the largest size at which --time allows fifty epochs, by the
 * number of pixels from a trial at the smallest. */
int pretrain_choose_views(struct pretrain *run, struct error *error)
{
    static const int sizes[] = {224, 192, 160, 128, 96, SIZE_LEAST};
    const struct config *config = run->config;
    const int64_t images = dataset_count(run->dataset);
    double seconds;
    if (run->chosen || !pretrain_has_time(config) || !config_is_auto(config, "image-size")) return SIMCLR_OK;
    const int side = dataset_typical_side(run->dataset), most = side > sizes[0] ? sizes[0] : side;
    const int64_t wanted = config->batch > 0 ? config->batch : 64, batch = wanted < images ? wanted : images;
    if (most <= SIZE_LEAST || batch < 2) return SIMCLR_OK;
    const int status = try_size(run, SIZE_LEAST, batch, &seconds, error);
    if (status) return status;
    const double left = config->time - (clock_seconds() - run->began);
    const int64_t steps = images / batch; /* of an epoch */
    int size = SIZE_LEAST;
    double epochs = 0;
    for (size_t i = 0; i <= sizeof sizes / sizeof *sizes; i++) {
        size = i == 0 ? most : sizes[i - 1];
        const double pixels = (double)size / SIZE_LEAST;
        epochs = left / (seconds * pixels * pixels * (double)steps);
        if (size <= most && (epochs >= EPOCHS_ENOUGH || size == SIZE_LEAST)) break;
    }
    log_info(&run->session->log,
             "views of %d pixels: the time allows about %.0f epochs with them; the images are about %d pixels wide",
             size, epochs, side);
    return session_resolve_number(run->session, "image-size", size, error);
}
