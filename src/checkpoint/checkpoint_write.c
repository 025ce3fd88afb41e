/* checkpoint/checkpoint_write.c -- a model, its optimiser and the place in the run, as one file. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/format.h"
#include "base/memory.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/tensors.h"

/* Metadata with room for the numbers' digits. */
#define PAIR_COUNT 32
#define DIGITS 128
struct metadata {
    struct safetensors_pair pairs[PAIR_COUNT];
    struct model_text model;
    char digits[PAIR_COUNT][DIGITS];
    int count;
};

static void add_string(struct metadata *metadata, const char *key, const char *value)
{
    if (value) metadata->pairs[metadata->count++] = (struct safetensors_pair){key, value};
}

static void add_number(struct metadata *metadata, const char *key, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void add_number(struct metadata *metadata, const char *key, const char *format, ...)
{
    char *digits = metadata->digits[metadata->count];
    va_list arguments;
    va_start(arguments, format);
    format_plain(digits, DIGITS, format, arguments);
    va_end(arguments);
    add_string(metadata, key, digits);
}

static void fill_metadata(struct metadata *metadata, const struct model_config *config,
                          const struct optimizer *optimizer, const struct checkpoint_state *state)
{
    add_string(metadata, "format", CHECKPOINT_FORMAT);
    add_number(metadata, "version", "%d", state->average ? CHECKPOINT_VERSION : 2);
    model_config_to_text(config, &metadata->model);
    for (int i = 0; i < metadata->model.count; i++)
        add_string(metadata, metadata->model.entry[i].key, metadata->model.entry[i].value);
    add_number(metadata, "step", "%" PRId64, state->step);
    add_number(metadata, "epoch", "%" PRId64, state->epoch);
    add_number(metadata, "seed", "%" PRIu64, state->seed);
    add_number(metadata, "images_seen", "%" PRId64, state->images_seen);
    add_number(metadata, "skipped_steps", "%" PRId64, state->skipped_steps);
    add_number(metadata, "best_knn", "%.17g", state->best_knn);
    if (state->best_knn >= 0 && state->best_is_held_out) add_string(metadata, "best_by", CHECKPOINT_HELD_OUT);
    const struct stretch *sums = &state->this_epoch;
    add_number(metadata, "epoch_steps", "%" PRId64, sums->steps);
    add_number(metadata, "epoch_sums", "%.17g %.17g %.17g %.17g", sums->loss, sums->top1, sums->seconds, sums->waited);
    if (sums->skipped > 0) add_number(metadata, "epoch_skipped", "%" PRId64, sums->skipped);
    const float *mean = state->mean, *std = state->std;
    add_number(metadata, "mean", "%.9g %.9g %.9g", (double)mean[0], (double)mean[1], (double)mean[2]);
    add_number(metadata, "std", "%.9g %.9g %.9g", (double)std[0], (double)std[1], (double)std[2]);
    add_string(metadata, "optimizer", optimizer ? optimizer_kind_name((int)optimizer->config.kind) : "none");
    add_number(metadata, "optimizer_steps", "%" PRId64, optimizer ? optimizer->steps : 0);
    if (state->average) add_number(metadata, "ema", "%.17g", state->ema);
    add_string(metadata, "config", state->config_yaml);
    add_string(metadata, "fingerprint", state->fingerprint);
}

/* Up to four entries a row: the tensor, its states, and its average. */
static int fill_entries(struct safetensors_entry *entries, struct file_name *names, const struct parameters *parameters,
                        const struct optimizer *optimizer, const struct parameters *average)
{
    int count = 0;
    for (int i = 0; i < parameters->count; i++) {
        const struct parameter *item = &parameters->items[i];
        names[count] = tensor_file_name(item);
        entries[count] = tensor_entry(parameters, item, names[count].text, parameter_weights(parameters, i));
        count++;
        const float *states[2] = {optimizer ? optimizer->state1 : NULL, optimizer ? optimizer->state2 : NULL};
        for (int k = 0; k < 2 && !(item->flags & PARAMETER_BUFFER); k++) {
            if (!states[k]) continue;
            names[count] = tensor_state_name(item, k + 1);
            entries[count] = tensor_entry(parameters, item, names[count].text, states[k] + item->offset);
            count++;
        }
        if (!average) continue;
        names[count] = tensor_average_name(item);
        entries[count] = tensor_entry(average, item, names[count].text, parameter_weights(average, i));
        count++;
    }
    return count;
}

int checkpoint_write(const char *path, const struct model *model, const struct optimizer *optimizer,
                     const struct checkpoint_state *state, struct error *error)
{
    size_t capacity = 4 * (size_t)model->parameters.count;
    struct safetensors_entry *entries = memory_array(capacity, sizeof *entries);
    struct file_name *names = memory_array(capacity, sizeof *names);
    struct metadata *metadata = memory_allocate(sizeof *metadata);
    int status;
    if (!entries || !names || !metadata)
        status = error_no_memory(error, "a checkpoint's list of tensors", capacity * (sizeof *entries + sizeof *names));
    else {
        fill_metadata(metadata, &model->config, optimizer, state);
        int count = fill_entries(entries, names, &model->parameters, optimizer,
                                 state->average ? &state->average->parameters : NULL);
        status = safetensors_write(path, entries, count, metadata->pairs, metadata->count, error);
    }
    memory_free(metadata);
    memory_free(names);
    memory_free(entries);
    return status;
}
