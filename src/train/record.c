/* train/record.c -- see record.h. */
#include "train/record.h"

#include <stdio.h>
#include <string.h>

#include "base/format.h"
#include "base/memory.h"
#include "train/step.h"

struct fingerprint {
    char text[40];
};
enum { OF_IMAGES = 16 }; /* digits; an encoder's stand behind them */

static struct fingerprint fingerprint_of(const struct training_record *record)
{
    struct fingerprint out;
    const int used = snprintf(out.text, sizeof out.text, "%0*llx", OF_IMAGES,
                              (unsigned long long)dataset_fingerprint(record->dataset));
    if (record->origin)
        snprintf(out.text + used, sizeof out.text - (size_t)used, "-%016llx", (unsigned long long)record->origin);
    return out;
}

int record_write(const struct training_record *record, const char *path, const struct model *model,
                 const struct optimizer *optimizer, const struct checkpoint_state *state, struct error *error)
{
    struct checkpoint_state whole = *state;
    struct fingerprint fingerprint = {""};
    char *yaml = config_to_yaml(record->config, CONFIG_REPEATABLE);
    if (!path || !yaml) {
        memory_free(yaml);
        return error_no_memory(error, "a checkpoint", 4096);
    }
    if (record->dataset) fingerprint = fingerprint_of(record);
    whole.seed = (uint64_t)record->config->seed;
    whole.config_yaml = yaml;
    whole.fingerprint = record->dataset ? fingerprint.text : NULL;
    for (int i = 0; i < 3 && record->policy->normalize; i++) {
        whole.mean[i] = (float)record->policy->mean[i];
        whole.std[i] = (float)record->policy->std[i];
    }
    const int status = checkpoint_write(path, model, optimizer, &whole, error);
    memory_free(yaml);
    return status;
}

int record_check_images(const struct training_record *record, const struct checkpoint_state *state, struct error *error)
{
    const struct fingerprint now = fingerprint_of(record);
    if (!state->fingerprint || strcmp(state->fingerprint, now.text) == 0) return SIMCLR_OK;
    if (strncmp(state->fingerprint, now.text, OF_IMAGES) == 0)
        return error_set(error, SIMCLR_INVALID,
                         "%s holds a run that started from another encoder than %s is now: give the same --checkpoint, "
                         "or start afresh with --overwrite or another --out",
                         record->folder, record->config->checkpoint);
    const bool pretrains = option_find("init", record->config->command) != NULL;
    return error_set(error, SIMCLR_INVALID,
                     "%s holds a run on other images than %s has now: give the same --data, or start afresh with "
                     "--overwrite or another --out%s%s%s",
                     record->folder, record->config->data, pretrains ? "; --init " : "",
                     pretrains ? record->folder : "", pretrains ? " --out NEW starts a new run from its weights" : "");
}

int record_read_options(const struct training_record *record, const struct checkpoint_state *state, struct config **out,
                        struct error *error)
{
    *out = NULL;
    if (!state->config_yaml) return SIMCLR_OK;
    int status = config_create(out, record->config->command, error);
    if (!status)
        status = config_parse_recipe(*out, state->config_yaml, strlen(state->config_yaml), "the checkpoint's options",
                                     1, error);
    if (status) config_destroy(out);
    return status;
}

int record_check_options(const struct training_record *record, const struct config *before, struct error *error)
{
    char *differences = config_differences(before, record->config);
    if (!differences) return error_no_memory(error, "a comparison of options", 1024);
    int status = SIMCLR_OK;
    if (differences[0] != '\0')
        status = error_set(error, SIMCLR_INVALID,
                           "%s holds a run with other options (%s): give the same (--recipe %s/config.yaml does), or "
                           "start afresh with --overwrite or another --out",
                           record->folder, differences, record->folder);
    memory_free(differences);
    return status;
}

/* A part of the last epoch is less than all of it. */
static bool is_further(const struct config *now, const struct config *before)
{
    if (now->epochs != before->epochs) return now->epochs > before->epochs;
    return before->steps > 0 && (now->steps == 0 || now->steps > before->steps);
}

int record_check_further(const struct training_record *record, struct config *settings, bool warmup_is_open,
                         struct config *before, struct error *error)
{
    const struct config *now = record->config;
    const int64_t epochs = before->epochs, steps = before->steps;
    char warmup[40];
    format_write(warmup, sizeof warmup, "%.17g", before->warmup_epochs);
    int status = warmup_is_open ? config_set(settings, "warmup-epochs", warmup, 2, error) : SIMCLR_OK;
    if (status) return status;
    if (is_further(now, before)) {
        before->epochs = now->epochs;
        before->steps = now->steps;
    }
    status = record_check_options(record, before, error);
    before->epochs = epochs;
    before->steps = steps;
    return status;
}

void record_say_further(const struct training_record *record, const struct config *before, int64_t batch,
                        int64_t steps_per_epoch, int64_t step, const struct log *log)
{
    const struct config *config = record->config;
    if (!is_further(config, before)) return;
    const double epochs = step_epochs(config, steps_per_epoch), had = step_epochs(before, steps_per_epoch);
    const struct schedule old = step_schedule(before, batch, steps_per_epoch, had);
    const struct schedule now = step_schedule(config, batch, steps_per_epoch, epochs);
    log_info(log,
             "further epochs: %.6g, where the run was to have %.6g; on the cosine over all of them the rate jumps from "
             "%g to %g at step %lld",
             epochs, had, schedule_rate(&old, step > 0 ? step - 1 : 0), schedule_rate(&now, step), (long long)step);
}
