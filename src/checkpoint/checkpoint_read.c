/* checkpoint/checkpoint_read.c -- opening, checking and restoring. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/number.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/tensors.h"

struct checkpoint {
    struct safetensors *file;
    char *path;
    struct model_config config;
    struct checkpoint_state state;
    int states;            /* optimiser states per trained tensor: 0, 1, 2 */
    const char *optimizer; /* "none", "lars", ... */
    int64_t optimizer_steps;
    struct parameters parameters; /* names and shapes of its model; no memory */
};

/* No run gets further, and products of these with a batch, or with the steps of an epoch, are far from overflow. */
#define STEP_LARGEST INT64_C(10000000000000)
#define EPOCH_LARGEST INT64_C(1000000000)
#define IMAGES_LARGEST INT64_C(1000000000000000000)
#define NORMALIZATION_LARGEST 1e6 /* of a mean or a deviation of values in 0 to 1 */

/* ---- metadata ----------------------------------------------------------------------------------------------- */
static int bad_entry(const struct checkpoint *checkpoint, const char *key, const char *value, struct error *error)
{
    if (!value)
        return error_set(error, SIMCLR_CORRUPT, "%s: the metadata has no '%s'; this is not a checkpoint of simclr",
                         checkpoint->path, key);
    return error_set(error, SIMCLR_CORRUPT,
                     "%s: the metadata entry '%s' is '%.60s', which is not possible; the file is "
                     "damaged, use another checkpoint",
                     checkpoint->path, key, value);
}

static int read_string(const struct checkpoint *checkpoint, const char *key, const char **out, struct error *error)
{
    *out = safetensors_metadata(checkpoint->file, key);
    return *out ? SIMCLR_OK : bad_entry(checkpoint, key, NULL, error);
}

static int read_integer(const struct checkpoint *checkpoint, const char *key, int64_t low, int64_t high, int64_t *out,
                        struct error *error)
{
    const char *value = NULL;
    char *end = NULL;
    int status = read_string(checkpoint, key, &value, error);
    if (status) return status;
    errno = 0;
    long long number = strtoll(value, &end, 10);
    if (errno || end == value || *end || number < low || number > high) return bad_entry(checkpoint, key, value, error);
    *out = number;
    return SIMCLR_OK;
}

static int read_int(const struct checkpoint *checkpoint, const char *key, int *out, struct error *error)
{
    int64_t wide = 0;
    int status = read_integer(checkpoint, key, INT32_MIN, INT32_MAX, &wide, error);
    *out = (int)wide;
    return status;
}

/* `count` finite numbers separated by one space. */
static int read_numbers(const struct checkpoint *checkpoint, const char *key, int count, double *out,
                        struct error *error)
{
    const char *value = NULL;
    int status = read_string(checkpoint, key, &value, error);
    if (status) return status;
    const char *at = value;
    for (int i = 0; i < count; i++) {
        char *end;
        out[i] = number_read(at, &end);
        if (end == at || !isfinite(out[i]) || *end != (i + 1 < count ? ' ' : '\0'))
            return bad_entry(checkpoint, key, value, error);
        at = end + 1;
    }
    return SIMCLR_OK;
}

static const char *find_entry(const void *context, const char *key)
{
    const struct checkpoint *checkpoint = context;
    return safetensors_metadata(checkpoint->file, key);
}

static int read_config(struct checkpoint *checkpoint, struct error *error)
{
    const int status = model_config_from_text(&checkpoint->config, find_entry, checkpoint, error);
    if (status) error_prefix(error, "%s", checkpoint->path);
    return status;
}

static int read_this_epoch(struct checkpoint *checkpoint, struct error *error)
{
    struct stretch *sums = &checkpoint->state.this_epoch;
    double numbers[4] = {0};
    if (checkpoint->state.version < 2) return SIMCLR_OK;
    int status = read_integer(checkpoint, "epoch_steps", 0, STEP_LARGEST, &sums->steps, error);
    if (!status) status = read_numbers(checkpoint, "epoch_sums", 4, numbers, error);
    sums->loss = numbers[0];
    sums->top1 = numbers[1];
    sums->seconds = numbers[2];
    sums->waited = numbers[3];
    if (status || !safetensors_metadata(checkpoint->file, "epoch_skipped")) return status; /* none was */
    return read_integer(checkpoint, "epoch_skipped", 0, STEP_LARGEST, &sums->skipped, error);
}

/* Mean and deviation of the input: three finite means; of the deviations all above 0, or all 0 where there are none. */
static int read_normalization(struct checkpoint *checkpoint, struct error *error)
{
    struct checkpoint_state *state = &checkpoint->state;
    double mean[3] = {0}, std[3] = {0};
    int status = read_numbers(checkpoint, "mean", 3, mean, error);
    if (!status) status = read_numbers(checkpoint, "std", 3, std, error);
    if (status) return status;
    int none = 0, some = 0;
    for (int c = 0; c < 3; c++) {
        if (fabs(mean[c]) > NORMALIZATION_LARGEST)
            return bad_entry(checkpoint, "mean", safetensors_metadata(checkpoint->file, "mean"), error);
        state->mean[c] = (float)mean[c];
        state->std[c] = std[c] <= NORMALIZATION_LARGEST ? (float)std[c] : 0.0f;
        none += std[c] == 0;
        some += state->std[c] > 0;
    }
    if (none == 3 || some == 3) return SIMCLR_OK;
    return bad_entry(checkpoint, "std", safetensors_metadata(checkpoint->file, "std"), error);
}

static int read_state(struct checkpoint *checkpoint, struct error *error)
{
    struct checkpoint_state *state = &checkpoint->state;
    const char *seed = NULL;
    int status = read_integer(checkpoint, "step", 0, STEP_LARGEST, &state->step, error);
    if (!status) status = read_integer(checkpoint, "epoch", 0, EPOCH_LARGEST, &state->epoch, error);
    if (!status) status = read_integer(checkpoint, "images_seen", 0, IMAGES_LARGEST, &state->images_seen, error);
    if (!status) status = read_integer(checkpoint, "skipped_steps", 0, STEP_LARGEST, &state->skipped_steps, error);
    if (!status)
        status = read_integer(checkpoint, "optimizer_steps", 0, STEP_LARGEST, &checkpoint->optimizer_steps, error);
    if (!status) status = read_numbers(checkpoint, "best_knn", 1, &state->best_knn, error);
    if (!status) status = read_this_epoch(checkpoint, error);
    if (!status) status = read_normalization(checkpoint, error);
    if (!status) status = read_string(checkpoint, "optimizer", &checkpoint->optimizer, error);
    if (!status) status = read_string(checkpoint, "seed", &seed, error);
    if (status) return status;
    char *end;
    errno = 0;
    state->seed = strtoull(seed, &end, 10);
    if (errno || end == seed || *end || *seed < '0' || *seed > '9') return bad_entry(checkpoint, "seed", seed, error);
    const char *best_by = safetensors_metadata(checkpoint->file, "best_by");
    state->best_is_held_out = best_by && strcmp(best_by, CHECKPOINT_HELD_OUT) == 0;
    if (state->version > 2) status = read_numbers(checkpoint, "ema", 1, &state->ema, error);
    if (status) return status;
    if (state->version > 2 && !(state->ema > 0 && state->ema < 1))
        return bad_entry(checkpoint, "ema", safetensors_metadata(checkpoint->file, "ema"), error);
    state->config_yaml = safetensors_metadata(checkpoint->file, "config");
    state->fingerprint = safetensors_metadata(checkpoint->file, "fingerprint");
    const char *optimizer = checkpoint->optimizer;
    checkpoint->states = !strcmp(optimizer, "adamw") ? 2 : strcmp(optimizer, "none") != 0;
    if (checkpoint->states == 1 && strcmp(optimizer, "lars") != 0 && strcmp(optimizer, "sgd") != 0)
        return bad_entry(checkpoint, "optimizer", optimizer, error);
    return SIMCLR_OK;
}

static int read_metadata(struct checkpoint *checkpoint, struct error *error)
{
    const char *format = NULL;
    int *version = &checkpoint->state.version;
    int status = read_string(checkpoint, "format", &format, error);
    if (!status && strcmp(format, CHECKPOINT_FORMAT) != 0)
        status = error_set(error, SIMCLR_CORRUPT, "%s: is a safetensors file, but not a checkpoint of simclr",
                           checkpoint->path);
    if (!status) status = read_int(checkpoint, "version", version, error);
    if (!status && (*version < 1 || *version > CHECKPOINT_VERSION))
        status =
            error_set(error, SIMCLR_CORRUPT,
                      "%s: is a checkpoint of version %d, this program reads versions 1 to %d; use a newer program",
                      checkpoint->path, *version, CHECKPOINT_VERSION);
    if (!status) status = read_config(checkpoint, error);
    return status ? status : read_state(checkpoint, error);
}

/* ---- tensors ------------------------------------------------------------------------------------------------ */
/* Is `name` the name in the file of a row of the table, of one of its states, or of its average? */
static bool expected(const struct parameters *parameters, int states, bool averaged, const char *name)
{
    int number = 0;
    if (averaged && !strncmp(name, "ema.", 4)) return expected(parameters, 0, false, name + 4);
    const char *row = name;
    if (!strncmp(name, "encoder.", 8))
        row = name + 8;
    else if (!strncmp(name, "optimizer.state", 15) && (name[15] == '1' || name[15] == '2') && name[16] == '.') {
        number = name[15] - '0';
        row = name + 17;
    }
    int index = parameters_find(parameters, row);
    if (index < 0 || number > states) return false;
    const struct parameter *item = &parameters->items[index];
    struct file_name right = number ? tensor_state_name(item, number) : tensor_file_name(item);
    return !strcmp(right.text, name) && !(number && (item->flags & PARAMETER_BUFFER));
}

static bool is_averaged(const struct checkpoint *checkpoint)
{
    return checkpoint->state.ema > 0;
}

/* Every tensor of the table and `states` states of each trained one is there, in its shape; and every average where
 * there are any. */
static int check_present(const struct checkpoint *checkpoint, const struct parameters *parameters, int states,
                         bool encoder_only, struct error *error)
{
    const struct safetensors_entry *entry;
    for (int i = 0; i < parameters->count; i++) {
        const struct parameter *item = &parameters->items[i];
        if (encoder_only && (item->flags & PARAMETER_HEAD)) continue;
        int status = tensor_match(checkpoint->file, checkpoint->path, tensor_file_name(item).text, item, &entry, error);
        for (int k = 1; !status && k <= states && !(item->flags & PARAMETER_BUFFER); k++)
            status =
                tensor_match(checkpoint->file, checkpoint->path, tensor_state_name(item, k).text, item, &entry, error);
        if (!status && is_averaged(checkpoint))
            status =
                tensor_match(checkpoint->file, checkpoint->path, tensor_average_name(item).text, item, &entry, error);
        if (status) return status;
    }
    return SIMCLR_OK;
}

/* Nothing else is there. encoder_only: no other tensor of an encoder. */
static int check_extra(const struct checkpoint *checkpoint, const struct parameters *parameters, bool encoder_only,
                       struct error *error)
{
    for (int i = 0; i < safetensors_count(checkpoint->file); i++) {
        const char *name = safetensors_at(checkpoint->file, i)->name;
        if (encoder_only && strncmp(name, "encoder.", 8) != 0) continue;
        if (!expected(parameters, checkpoint->states, is_averaged(checkpoint), name))
            return error_set(error, SIMCLR_CORRUPT,
                             "%s: tensor %.80s has no place in the model; the file is of another "
                             "model",
                             checkpoint->path, name);
    }
    return SIMCLR_OK;
}

/* Last, since a damaged file is better called damaged. */
static int check_values(const struct checkpoint *checkpoint, struct error *error)
{
    int status = SIMCLR_OK;
    for (int i = 0; !status && i < safetensors_count(checkpoint->file); i++)
        status = tensor_check_finite(safetensors_at(checkpoint->file, i), checkpoint->path, error);
    return status;
}

static int read_all(struct checkpoint *checkpoint, struct error *error)
{
    int status = safetensors_open(&checkpoint->file, checkpoint->path, error);
    if (!status) status = read_metadata(checkpoint, error);
    if (!status) status = model_describe(&checkpoint->parameters, &checkpoint->config, error);
    if (!status) status = check_present(checkpoint, &checkpoint->parameters, checkpoint->states, false, error);
    if (!status) status = check_extra(checkpoint, &checkpoint->parameters, false, error);
    if (!status) status = safetensors_verify(checkpoint->file, error);
    const char *checksum = checkpoint->state.version < 2 ? "crc32c" : SAFETENSORS_CHECKSUM;
    if (!status && !safetensors_metadata(checkpoint->file, checksum))
        status = bad_entry(checkpoint, checksum, NULL, error);
    return status ? status : check_values(checkpoint, error);
}

int checkpoint_open(struct checkpoint **out, const char *path, struct error *error)
{
    *out = NULL;
    struct checkpoint *checkpoint = memory_allocate(sizeof *checkpoint);
    if (!checkpoint) return error_no_memory(error, "a checkpoint", sizeof *checkpoint);
    checkpoint->path = memory_string(path);
    int status = checkpoint->path ? read_all(checkpoint, error)
                                  : error_no_memory(error, "a checkpoint's path", strlen(path) + 1);
    if (status) checkpoint_close(&checkpoint);
    *out = checkpoint;
    return status;
}

void checkpoint_close(struct checkpoint **checkpoint)
{
    if (!checkpoint || !*checkpoint) return;
    safetensors_close(&(*checkpoint)->file);
    parameters_free(&(*checkpoint)->parameters);
    memory_free((*checkpoint)->path);
    memory_free(*checkpoint);
    *checkpoint = NULL;
}

const struct safetensors *checkpoint_file(const struct checkpoint *checkpoint)
{
    return checkpoint->file;
}

const char *checkpoint_path(const struct checkpoint *checkpoint)
{
    return checkpoint->path;
}

const struct model_config *checkpoint_model_config(const struct checkpoint *checkpoint)
{
    return &checkpoint->config;
}

const struct checkpoint_state *checkpoint_state(const struct checkpoint *checkpoint)
{
    return &checkpoint->state;
}

/* ---- restoring ---------------------------------------------------------------------------------------------- */
static void copy(const struct checkpoint *checkpoint, const char *name, const struct parameters *parameters,
                 float *values)
{
    const struct safetensors_entry *entry = safetensors_find(checkpoint->file, name);
    parameters_put(parameters, values, entry->data, entry->bytes / sizeof *values);
}

int checkpoint_restore(const struct checkpoint *checkpoint, struct model *model, struct optimizer *optimizer,
                       bool encoder_only, struct error *error)
{
    struct parameters *parameters = &model->parameters;
    const char *kind = optimizer ? optimizer_kind_name((int)optimizer->config.kind) : "none";
    if (optimizer && strcmp(kind, checkpoint->optimizer) != 0)
        return error_set(error, SIMCLR_CORRUPT,
                         "%s: holds the optimiser state of %s, not of %s; resume with the "
                         "optimiser of the run",
                         checkpoint->path, checkpoint->optimizer, kind);
    int states = optimizer ? checkpoint->states : 0;
    int status = check_present(checkpoint, parameters, states, encoder_only, error);
    if (!status) status = check_extra(checkpoint, parameters, encoder_only, error);
    if (status) return status;
    for (int i = 0; i < parameters->count; i++) {
        const struct parameter *item = &parameters->items[i];
        if (encoder_only && (item->flags & PARAMETER_HEAD)) continue;
        copy(checkpoint, tensor_file_name(item).text, parameters, parameter_weights(parameters, i));
        if (!states || (item->flags & PARAMETER_BUFFER)) continue;
        copy(checkpoint, tensor_state_name(item, 1).text, parameters, optimizer->state1 + item->offset);
        if (states > 1) copy(checkpoint, tensor_state_name(item, 2).text, parameters, optimizer->state2 + item->offset);
    }
    if (optimizer) optimizer->steps = checkpoint->optimizer_steps;
    return SIMCLR_OK;
}

int checkpoint_restore_average(const struct checkpoint *checkpoint, struct model *model, bool encoder_only,
                               struct error *error)
{
    struct parameters *parameters = &model->parameters;
    if (!is_averaged(checkpoint))
        return error_set(error, SIMCLR_INVALID, "%s: has no averaged weights: its run was not given --ema",
                         checkpoint->path);
    int status = check_present(checkpoint, parameters, 0, encoder_only, error);
    if (!status) status = check_extra(checkpoint, parameters, encoder_only, error);
    if (status) return status;
    for (int i = 0; i < parameters->count; i++) {
        const struct parameter *item = &parameters->items[i];
        if (encoder_only && (item->flags & PARAMETER_HEAD)) continue;
        copy(checkpoint, tensor_average_name(item).text, parameters, parameter_weights(parameters, i));
    }
    return SIMCLR_OK;
}
