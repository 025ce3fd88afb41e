/* train/record.c -- see record.h. */
#include "train/record.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"

struct fingerprint {
    char text[24];
};

static struct fingerprint fingerprint_of(const struct dataset *dataset)
{
    struct fingerprint out;
    snprintf(out.text, sizeof out.text, "%016llx", (unsigned long long)dataset_fingerprint(dataset));
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
    if (record->dataset) fingerprint = fingerprint_of(record->dataset);
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
    if (!state->fingerprint || strcmp(state->fingerprint, fingerprint_of(record->dataset).text) == 0) return SIMCLR_OK;
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
