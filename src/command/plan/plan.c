/* command/plan/plan.c -- opens what pretrain opens, and trains nothing. */
#include "command/plan/plan.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/format.h"
#include "base/memory.h"
#include "command/commands.h"
#include "run/settings.h"

enum { BATCH_MOST = 65536, LINE_BYTES_OF_METRICS = 900 }; /* a line of metrics.jsonl and TensorBoard's of the same */

/* ---- the folder ---- */

/* Bytes that are free where `path` is to be: of the nearest folder above it that is there. */
static int64_t free_at(const char *path)
{
    struct statvfs disk;
    char *at = memory_string(path);
    int64_t bytes = -1;
    while (at) {
        if (statvfs(at[0] ? at : ".", &disk) == 0) {
            bytes = (int64_t)disk.f_bavail * (int64_t)disk.f_frsize;
            break;
        }
        char *slash = strrchr(at, '/');
        if (at[0] == '\0') break;
        if (slash == at && at[1]) {
            at[1] = '\0';
        } else if (slash && slash != at) {
            *slash = '\0';
        } else {
            at[0] = '\0';
        }
    }
    memory_free(at);
    return bytes;
}

static bool goes_on(const struct session *session)
{
    const struct run_folder folder = {.path = session->config->out}; /* only read */
    return folder.path[0] != '\0' && file_is_folder(folder.path) && run_folder_holds_run(&folder);
}

static int check_folder(const struct session *session, struct error *error)
{
    const char *out = session->config->out;
    if (!out[0]) return SIMCLR_OK;
    if (file_exists(out) && !file_is_folder(out))
        return error_set(error, SIMCLR_IO, "%s: is a file: --out names the folder of the run", out);
    if (file_is_folder(out) && file_is_locked_folder(out))
        return error_set(error, SIMCLR_BUSY, "%s: another process uses this folder: give another --out", out);
    if (goes_on(session))
        log_warning(&session->log,
                    "%s holds a run already: pretrain would go on with that one, or refuse other options", out);
    return SIMCLR_OK;
}

static int plan_disk(struct plan *plan, struct error *error)
{
    const struct config *config = plan->run.config;
    const int64_t checkpoint = pretrain_checkpoint_bytes(&plan->run);
    const struct parameters *parameters = &plan->run.model->parameters;
    const int64_t exported = (int64_t)((parameters->weight_count + parameters->buffer_count) * sizeof(float));
    const int64_t saved = plan->choice.epochs < config->keep ? plan->choice.epochs : config->keep;
    const int64_t best = plan->timing.costs.knn_every > 0;
    plan->disk = (saved + best) * checkpoint + exported +
                 (plan->steps / config->log_every + plan->choice.epochs) * LINE_BYTES_OF_METRICS;
    plan->disk_peak = plan->disk + checkpoint;
    plan->disk_free = config->out[0] ? free_at(config->out) : -1;
    if (plan->disk_free < 0 || plan->disk_free >= plan->disk_peak) return SIMCLR_OK;
    return error_set(error, SIMCLR_IO,
                     "%s: the run needs %.0f MiB of disk, and %.0f MiB are free: make room, or give another --out or a "
                     "smaller --keep",
                     config->out, (double)plan->disk_peak / 1048576, (double)plan->disk_free / 1048576);
}

/* ---- memory ---- */

static int measure_memory(struct plan *plan, struct error *error)
{
    struct pretrain *run = &plan->run;
    struct footprint_network planned;
    int status = session_model_config(run->session, 0, &plan->model, error);
    if (!status) status = pretrain_footprint(run, &plan->model, &plan->peak, &planned, &plan->beside, error);
    if (status) return status;
    plan->network = footprint_totals(planned.step.network);
    status = prediction_count(&plan->prediction, &planned.step, error);
    footprint_release(&planned);
    return status;
}

static int plan_memory(struct plan *plan, struct error *error)
{
    struct pretrain *run = &plan->run;
    const int64_t images = dataset_count(run->dataset);
    plan->limit = pretrain_memory_limit();
    int status = measure_memory(plan, error);
    const size_t kept = plan->peak.program + plan->beside;
    if (!status)
        status = plan_largest_batch(run, images < BATCH_MOST ? images : BATCH_MOST,
                                    plan->limit > kept ? plan->limit - kept : 0, &plan->largest, error);
    if (status) return status;
    if (plan->peak.total <= plan->limit) {
        if (plan->largest < run->config->batch) plan->largest = run->config->batch; /* no multiple of the ranks */
        return SIMCLR_OK;
    }
    plan_tell(run->session, plan, NULL);
    if (plan->largest == 0)
        return error_set(
            error, SIMCLR_NO_MEMORY,
            "even with two images a step the run takes more than the %.0f MiB that this machine has for it: "
            "take a smaller network (--width, --depth) or --image-size",
            (double)plan->limit / 1048576);
    return error_set(
        error, SIMCLR_NO_MEMORY,
        "a step of %" PRId64 " images takes %.0f MiB, and this machine has %.0f MiB for it: at most --batch "
        "%" PRId64 " fits",
        run->config->batch, (double)plan->peak.total / 1048576, (double)plan->limit / 1048576, plan->largest);
}

/* ---- time ---- */

static void plan_time(struct plan *plan)
{
    struct pretrain *run = &plan->run;
    const struct config *config = run->config;
    struct budget_costs costs = plan->timing.costs;
    double before = plan->opening;
    plan->steps = run->steps;
    plan->choice = (struct budget_choice){.epochs = config->epochs, .steps = config->steps};
    if (pretrain_has_time(config)) {
        before += pretrain_timing_seconds(config) + PACE_PIECES * costs.step + plan->timing.between; /* as it does */
        plan->steps = budget_steps(&costs, config->time - before);
        plan->choice = budget_choose(plan->steps, run->steps_per_epoch);
        if (plan->choice.steps == 0) plan->steps = plan->choice.epochs * run->steps_per_epoch;
    }
    plan->seconds = before + budget_seconds(&costs, plan->steps);
    costs.step = plan->timing.step.low;
    plan->low = before + budget_seconds(&costs, plan->steps);
    costs.step = plan->timing.step.high;
    plan->high = before + budget_seconds(&costs, plan->steps);
    plan->timed = true;
}

/* Batches of so many images, in such groups, from here on. */
static int set_batch(struct plan *plan, const struct grouping *grouping, struct error *error)
{
    struct config *settings = plan->run.session->settings;
    char text[24];
    format_write(text, sizeof text, "%d", grouping->images);
    int status = config_set(settings, "batch", text, 2, error);
    format_write(text, sizeof text, "%d", grouping->group);
    if (!status) status = config_set(settings, "batch-norm-images", grouping->group ? text : "all", 2, error);
    return status;
}

/* One image alone has nothing to be told from, so two are timed: the prediction takes of that what a rank's images are
 * of it. */
static void time_two(struct grouping *part, const struct log *log)
{
    if (part->images > 1) return;
    part->images = 2;
    if (part->group > 0) part->group = 2;
    log_info(log, "a rank has one image of the batch: steps of two images are timed, and half is taken of what is done "
                  "for each image");
}

/* Loaders and step of one rank that is alone; the run's length is that of the whole batch. */
static int open_share(struct plan *plan, struct error *error)
{
    struct pretrain *run = &plan->run;
    const int ranks = plan->prediction.shares.ranks;
    const struct grouping whole = pretrain_grouping(run->config);
    struct share own;
    struct grouping part = pretrain_grouping_of(run->config, ranks - 1, ranks, &own);
    if (ranks > 1) time_two(&part, &run->session->log);
    plan->images = part.images;
    if (ranks == 1) return pretrain_plan_steps(run, error);
    int status = set_batch(plan, &part, error);
    if (!status) status = pretrain_plan_steps(run, error);
    if (!status) status = set_batch(plan, &whole, error);
    if (status) return status;
    run->steps_per_epoch = dataset_count(run->dataset) / whole.images;
    pretrain_set_schedule(run);
    return SIMCLR_OK;
}

/* From a step of a rank that is alone to one of all of them. */
static void predict(struct plan *plan)
{
    struct pretrain_timing *timing = &plan->timing;
    struct prediction *prediction = &plan->prediction;
    const struct forecast_measured measured = {.images = plan->images,
                                               .passes = timing->step.mean - timing->loss - timing->update,
                                               .loss_images = plan->images,
                                               .loss = timing->loss,
                                               .update = timing->update};
    if (prediction->shares.ranks == 1) return;
    forecast_make(&prediction->forecast, &measured, &prediction->shares, &prediction->traffic, &prediction->link);
    const double more = prediction->forecast.step - timing->step.mean;
    timing->costs.step += more;
    timing->step.low += more;
    timing->step.mean += more;
    timing->step.high += more;
}

static int measure_time(struct plan *plan, double seconds, struct error *error)
{
    struct pretrain *run = &plan->run;
    int status = open_share(plan, error);
    plan->opening = clock_seconds() - run->began;
    const struct pretrain_timing_limits limits = {.steps = 1.5 * seconds, .most = 3 * seconds, .views = 0.5 * seconds};
    if (!status) status = pretrain_time(run, &limits, &plan->timing, error);
    if (status) return status;
    predict(plan);
    plan_time(plan);
    return SIMCLR_OK;
}

/* As a run on several processes refuses it. */
static int refuse_ranks(const struct plan *plan, struct error *error)
{
    const struct config *config = plan->run.config;
    const bool measures = pretrain_has_time(config) || config_is_auto(config, "batch");
    if (config->ranks == 1 || !measures) return SIMCLR_OK;
    return error_set(error, SIMCLR_INVALID,
                     "--time and --batch auto measure one machine: give --epochs and --batch with --ranks %" PRId64,
                     config->ranks);
}

/* A batch of the whole, of which a rank opens a part alone. */
static int refuse_batch(const struct plan *plan, struct error *error)
{
    const struct config *config = plan->run.config;
    const int64_t images = dataset_count(plan->run.dataset);
    if (config->ranks == 1 || config->batch <= images) return SIMCLR_OK;
    return error_set(error, SIMCLR_INVALID,
                     "batch is %" PRId64 ", but there are only %" PRId64 " images: choose a smaller batch",
                     config->batch, images);
}

static int refuse_time(const struct plan *plan, struct error *error)
{
    if (!pretrain_has_time(plan->run.config) || plan->steps >= 20) return SIMCLR_OK;
    return error_set(error, SIMCLR_INVALID,
                     "--time %.6g s allows %" PRId64 " steps, and a run has at least 20: a step takes %.3g s here, and "
                     "%.3g s pass before the first",
                     plan->run.config->time, plan->steps, plan->timing.costs.step, plan->opening);
}

int command_plan(struct session *session, struct error *error)
{
    struct plan plan = {0};
    pretrain_begin(&plan.run, session);
    int status = check_folder(session, error);
    if (!status) status = refuse_ranks(&plan, error);
    if (!status) status = pretrain_open_images(&plan.run, error);
    if (!status && !goes_on(session)) status = pretrain_check_warmup(&plan.run, error);
    if (!status) status = prediction_open(&plan.prediction, session, error);
    if (!status) status = refuse_batch(&plan, error);
    const size_t heap = footprint_heap();
    if (!status) status = pretrain_open_tests(&plan.run, error);
    plan.run.image_bytes += footprint_heap() - heap;
    const double opened = clock_seconds();
    if (!status) status = plan_memory(&plan, error);
    plan.run.began += clock_seconds() - opened; /* pretrain does not look for the largest batch */
    if (!status) status = measure_time(&plan, session->config->seconds, error);
    if (!status) {
        pretrain_warn_of_groups(&plan.run);
        status = plan_disk(&plan, error);
        const int told = plan_tell(session, &plan, status ? NULL : error);
        if (!status) status = told;
    }
    if (!status) status = refuse_time(&plan, error);
    pretrain_close(&plan.run);
    return status;
}
