/* train/pretrain_settle.c -- what a run settles before it is planned: how many steps, the batch (--batch auto), the
 * size of the views where --time is short. And what an earlier start of the run has settled, which stays.
 *
 * Everything that is chosen here depends on the machine, and stands in config.yaml afterwards. A run that goes on, or
 * starts again, reads it there and chooses nothing. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/format.h"
#include "base/memory.h"
#include "run/run_state.h"
#include "run/settings.h"
#include "train/footprint.h"
#include "train/pretrain.h"

enum { BATCH_AUTO_MOST = 256, BATCH_AUTO_LEAST = 8, STEPS_AN_EPOCH = 4 };

static int origin_of(const struct config *config, const char *name)
{
    const struct option_row *row = option_find(name, config->command);
    return row ? config->origin[row - config_options] : 0;
}

bool pretrain_has_time(const struct config *config)
{
    const int time = origin_of(config, "time");
    return config->time > 0 && time >= origin_of(config, "epochs") && time >= origin_of(config, "steps");
}

/* A value that was chosen counts as given, so that nothing chooses it again. */
static int set_number(struct pretrain *run, const char *name, double value, struct error *error)
{
    char text[40];
    format_write(text, sizeof text, "%.17g", value);
    return config_set(run->session->settings, name, text, 2, error);
}

int pretrain_set_steps(struct pretrain *run, struct budget_choice choice, struct error *error)
{
    int status = set_number(run, "epochs", (double)choice.epochs, error);
    if (!status) status = set_number(run, "steps", (double)choice.steps, error);
    return status;
}

static double usual_warmup(double epochs)
{
    return epochs / 10 > 10 ? 10 : epochs / 10;
}

int pretrain_set_warmup(struct pretrain *run, struct error *error)
{
    const struct config *config = run->config;
    const double epochs = step_epochs(config, run->steps_per_epoch);
    if (run->warmup_is_open) return set_number(run, "warmup-epochs", usual_warmup(epochs), error);
    if (config->warmup_epochs <= epochs) return SIMCLR_OK;
    return error_set(error, SIMCLR_INVALID,
                     "--warmup-epochs %g is above the %g epochs that --time allows: leave it out, or give more time",
                     config->warmup_epochs, epochs);
}

/* Steps of an epoch, before loaders are open: 0 where the batch is larger than the set. */
static int64_t steps_each(const struct pretrain *run)
{
    return dataset_count(run->dataset) / run->config->batch;
}

int pretrain_check_warmup(const struct pretrain *run, struct error *error)
{
    const struct config *config = run->config;
    const int64_t each = steps_each(run);
    if (config->steps == 0 || each < 1 || pretrain_has_time(config)) return SIMCLR_OK;
    const double epochs = step_epochs(config, each);
    if (config->warmup_epochs <= epochs) return SIMCLR_OK;
    return error_set(error, SIMCLR_INVALID,
                     "--warmup-epochs %g is above the %.4g epochs of --steps %" PRId64
                     ": give less (auto: a tenth of them), or more steps",
                     config->warmup_epochs, epochs, config->steps);
}

/* ---- what an earlier start has settled ---- */

static int take_over(struct pretrain *run, const struct config *before, struct error *error)
{
    const struct config *config = run->config;
    struct text said = {0};
    int status = SIMCLR_OK;
    if (config_is_auto(config, "batch") && before->batch > 0) {
        text_add(&said, ", batch %" PRId64, before->batch);
        status = set_number(run, "batch", (double)before->batch, error);
    }
    if (!status && pretrain_has_time(config) && before->epochs > 0) {
        const double size = (double)before->image_size, warmup = before->warmup_epochs;
        text_add(&said, ", %" PRId64 " epochs", before->epochs);
        if (before->steps > 0) text_add(&said, " of which the last ends with step %" PRId64, before->steps);
        if (config_is_auto(config, "image-size") && size > 0) {
            text_add(&said, ", views of %g pixels", size);
            status = set_number(run, "image-size", size, error);
        }
        if (!status)
            status = pretrain_set_steps(run, (struct budget_choice){.epochs = before->epochs, .steps = before->steps},
                                        error);
        if (!status && run->warmup_is_open && warmup >= 0) status = set_number(run, "warmup-epochs", warmup, error);
        run->chosen = true;
    }
    if (!status && said.failed) status = error_no_memory(error, "a line", said.capacity);
    if (!status && said.length > 0)
        log_info(&run->session->log, "the run in %s keeps what was chosen for it: %s", run->folder.path,
                 said.bytes + 2);
    text_free(&said);
    return status;
}

int pretrain_recall(struct pretrain *run, struct error *error)
{
    const bool open = pretrain_has_time(run->config) || config_is_auto(run->config, "batch");
    enum command command = COMMAND_PRETRAIN;
    struct config *before = NULL;
    if (!open || !run->folder.path || run->config->overwrite) return SIMCLR_OK;
    int status = run_state_config(run->folder.path, &command, &before, error);
    if (!status && before && command == COMMAND_PRETRAIN) status = take_over(run, before, error);
    config_destroy(&before);
    return status;
}

/* ---- the batch ---- */

size_t pretrain_memory_limit(void)
{
    return memory_of_machine() / 20 * 19;
}

int pretrain_footprint(struct pretrain *run, const struct model_config *model, struct footprint *out,
                       struct footprint_network *planned, size_t *later, struct error *error)
{
    size_t rows = 0, search = 0;
    const int status =
        footprint_measure(run->session, model, &run->sizes, run->dataset, run->image_bytes, out, planned, error);
    *later = 0;
    if (status || !run->dataset) return status;
    online_knn_bytes(run, model_feature_dim(model), &rows, &search);
    const size_t evaluation = (out->evaluation > search ? out->evaluation : search) + rows;
    const size_t images = dataset_kept_bytes(run->dataset) + (run->test ? dataset_kept_bytes(run->test) : 0);
    *later = evaluation - out->evaluation + images;
    out->evaluation = evaluation;
    out->images += images;
    out->total += *later;
    return SIMCLR_OK;
}

int pretrain_peak(struct pretrain *run, int64_t batch, struct footprint *out, struct error *error)
{
    struct config *settings = NULL;
    struct model_config model;
    struct footprint_network planned;
    char text[24];
    int status = config_copy(&settings, run->config, error);
    snprintf(text, sizeof text, "%" PRId64, batch);
    if (!status) status = config_set(settings, "batch", text, 2, error);
    if (!status) {
        struct session inner = session_derive(run->session, settings, run->session->log);
        status = session_model_config(&inner, 0, &model, error);
        if (!status)
            status =
                footprint_measure(&inner, &model, &run->sizes, run->dataset, run->image_bytes, out, &planned, error);
        if (!status) footprint_release(&planned);
    }
    config_destroy(&settings);
    return status;
}

static int choose_batch(struct pretrain *run, struct error *error)
{
    const int64_t images = dataset_count(run->dataset);
    const size_t limit = pretrain_memory_limit();
    struct footprint peak;
    int64_t batch = BATCH_AUTO_MOST;
    if (!config_is_auto(run->config, "batch")) return SIMCLR_OK;
    while (batch > BATCH_AUTO_LEAST && images / batch < STEPS_AN_EPOCH) batch /= 2;
    if (batch > images) batch = images > 2 ? images : 2;
    int status = pretrain_peak(run, batch, &peak, error);
    while (!status && peak.total > limit && batch > BATCH_AUTO_LEAST) {
        batch /= 2;
        status = pretrain_peak(run, batch, &peak, error);
    }
    if (status) return status;
    log_info(&run->session->log, "batch: %" PRId64 ", of %" PRId64 " images; a step takes %.0f MiB of %.0f MiB", batch,
             images, (double)peak.total / 1048576, (double)memory_of_machine() / 1048576);
    return set_number(run, "batch", (double)batch, error);
}

/* ---- steps ---- */

/* How many epochs --steps has, the last one counted whole. --epochs from the same place says so too. */
static int settle_epochs(struct pretrain *run, int64_t each, struct error *error)
{
    const struct config *config = run->config;
    const int64_t epochs = config->steps / each + (config->steps % each != 0);
    if (origin_of(config, "epochs") == origin_of(config, "steps") && epochs != config->epochs)
        return error_set(error, SIMCLR_INVALID,
                         "--steps %" PRId64 " is %.4g epochs of %" PRId64 " steps, and --epochs says %" PRId64
                         ": leave one of them out",
                         config->steps, (double)config->steps / (double)each, each, config->epochs);
    if (epochs > BUDGET_EPOCHS_MOST)
        return error_set(error, SIMCLR_INVALID,
                         "--steps %" PRId64 " begins %" PRId64 " epochs of %" PRId64
                         " steps, and a run has at most %d: give --steps %" PRId64 " or fewer",
                         config->steps, epochs, each, BUDGET_EPOCHS_MOST, each * BUDGET_EPOCHS_MOST);
    return set_number(run, "epochs", (double)epochs, error);
}

/* --epochs by a nearer hand takes the place of --steps. An open warm-up is a tenth of what --steps has, not of the
 * whole epochs around it. */
static int settle_steps(struct pretrain *run, struct error *error)
{
    const struct config *config = run->config;
    const int64_t each = steps_each(run);
    if (config->steps == 0 || each < 1 || pretrain_has_time(config)) return SIMCLR_OK;
    if (origin_of(config, "epochs") > origin_of(config, "steps")) return set_number(run, "steps", 0, error);
    const int status = settle_epochs(run, each, error);
    if (status) return status;
    return session_resolve_number(run->session, "warmup-epochs", usual_warmup(step_epochs(config, each)), error);
}

/* A warm-up that a recipe gives for its own epochs is not one for those of --time. */
static int open_warmup(struct pretrain *run, struct error *error)
{
    const struct config *config = run->config;
    if (!pretrain_has_time(config) || origin_of(config, "warmup-epochs") >= origin_of(config, "time")) return SIMCLR_OK;
    run->warmup_is_open = true;
    return config_set(run->session->settings, "warmup-epochs", "auto", 2, error);
}

int pretrain_settle(struct pretrain *run, struct error *error)
{
    int status = open_warmup(run, error);
    if (!status) status = pretrain_recall(run, error);
    if (!status) status = pretrain_choose_views(run, error);
    if (!status) status = session_resolve_size(run->session, run->dataset, error);
    if (!status) status = choose_batch(run, error);
    if (!status) status = settle_steps(run, error);
    return status;
}
