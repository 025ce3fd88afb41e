/* run/model_open.c -- a trained encoder from a run, a checkpoint, or a file of weights. */
#include "run/model_open.h"

#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "checkpoint/weights.h"
#include "run/export.h"
#include "run/run_folder.h"
#include "run/settings.h"
#include "run/weights_file.h"

/* ---- what the command line may change ----------------------------------------------------------------------- */

static void apply_options(const struct session *session, struct model *model, struct view_policy *policy)
{
    const struct config *config = session->config;
    policy->simd = session->simd;
    if (config->image_size > 0) {
        policy->size = (int)config->image_size;
        model->config.image_size = (int)config->image_size; /* the stem stays what it was */
    }
    double mean[3], std[3];
    if (session_parse_rgb(config->mean, mean) && session_parse_rgb(config->std, std)) {
        policy->normalize = true;
        memcpy(policy->mean, mean, sizeof mean);
        memcpy(policy->std, std, sizeof std);
    }
}

/* ---- a checkpoint ---------------------------------------------------------------------------------------------- */

/* The one failure is memory: a recipe with words of another version says nothing of the filter. */
static int policy_of_checkpoint(const struct checkpoint *checkpoint, struct view_policy *policy, struct error *error)
{
    const struct checkpoint_state *state = checkpoint_state(checkpoint);
    *policy = view_policy_default(checkpoint_model_config(checkpoint)->image_size);
    policy->normalize = state->std[0] > 0;
    for (int i = 0; i < 3 && policy->normalize; i++) {
        policy->mean[i] = (double)state->mean[i];
        policy->std[i] = (double)state->std[i];
    }
    struct config *config;
    struct error failure;
    if (state->config_yaml == NULL) return SIMCLR_OK;
    int status = config_create(&config, COMMAND_PRETRAIN, error);
    if (status) return status;
    status = config_parse_recipe(config, state->config_yaml, strlen(state->config_yaml), "checkpoint", 1, &failure);
    if (!status) policy->filter = strcmp(config->crop_filter, "bilinear") == 0 ? RESAMPLE_BILINEAR : RESAMPLE_BICUBIC;
    config_destroy(&config);
    if (status != SIMCLR_NO_MEMORY) return SIMCLR_OK;
    if (error) *error = failure;
    return status;
}

static int from_checkpoint(const struct session *session, const struct checkpoint *checkpoint, struct model **out,
                           struct view_policy *policy, struct error *error)
{
    int status = model_create_blank(out, checkpoint_model_config(checkpoint), session->backend, error);
    if (status == SIMCLR_OK) status = checkpoint_restore(checkpoint, *out, NULL, false, error);
    if (status == SIMCLR_OK) status = policy_of_checkpoint(checkpoint, policy, error);
    if (status != SIMCLR_OK) return status;
    log_info(&session->log, "encoder: %s, trained for %lld steps (epoch %lld)", model_title(&(*out)->config).text,
             (long long)checkpoint_state(checkpoint)->step, (long long)checkpoint_state(checkpoint)->epoch);
    return SIMCLR_OK;
}

/* ---- a file of weights under torchvision's names: the architecture is read off the shapes ----------------------- */

/* Shapes are looked at before there is memory for weights: a small file can describe a large network. */
static int check_shapes(const struct weights *weights, const struct model_config *config, struct error *error)
{
    struct parameters parameters = {0};
    int status = model_describe(&parameters, config, error);
    if (!status) status = weights_check(weights, &parameters, error);
    parameters_free(&parameters);
    return status;
}

static int from_weights(const struct session *session, const struct weights *weights, struct model **out,
                        struct view_policy *policy, struct error *error)
{
    struct model_config config;
    bool found;
    int status = weights_config(weights, &config, error);
    if (!status) status = check_shapes(weights, &config, error);
    if (!status) status = exported_config_read(weights->path, &config.image_size, policy, &found, error);
    if (status) return status;
    if (!found && session->config->mean[0] == '\0')
        log_warning(&session->log,
                    "%s: no config.json beside it: taking images of %d pixels in [0, 1] as they are; --image-size, "
                    "--mean and --std say otherwise",
                    weights->path, config.image_size);
    status = model_create_blank(out, &config, session->backend, error);
    if (status) return status;
    weights_copy(weights, *out);
    weights_file_tell(weights, &session->log);
    log_info(&session->log, "encoder: %s, from %s", model_title(&config).text, weights->path);
    return SIMCLR_OK;
}

/* ---- finding it -------------------------------------------------------------------------------------------------- */

/* What a path leads to: a checkpoint of ours, else a file of weights. */
struct found {
    struct checkpoint *checkpoint;
    struct safetensors *file; /* NULL where there is a checkpoint */
    struct weights weights;
    char *path;
};

static void found_close(struct found *found)
{
    checkpoint_close(&found->checkpoint);
    safetensors_close(&found->file);
    memory_free(found->path);
    *found = (struct found){0};
}

/* It stands beside an encoder (docs/formats.md), or says where that was. */
static int refuse_classifier(const struct safetensors *file, const char *path, struct error *error)
{
    const char *encoder = safetensors_metadata(file, "encoder");
    if (encoder)
        return error_set(error, SIMCLR_INVALID,
                         "%.200s: is a classifier, not an encoder: give the encoder that it was made for, %.200s", path,
                         encoder);
    return error_set(error, SIMCLR_INVALID,
                     "%.200s: is a classifier, not an encoder: give the folder of the run that it was made for", path);
}

static int look_at_file(struct found *found, const struct session *session, const char *path, const char *wanted,
                        struct error *error)
{
    found->path = memory_string(path);
    if (!found->path) return error_no_memory(error, "a path", strlen(path));
    int status = weights_file_open(&found->file, path, &session->log, error);
    if (status) return status;
    const char *format = safetensors_metadata(found->file, "format");
    if (format && strcmp(format, "simclr-classifier") == 0) return refuse_classifier(found->file, path, error);
    if (!format || strcmp(format, "simclr-checkpoint") != 0) {
        status = weights_file_widen(&found->file, path, error);
        return status ? status : weights_look_for(&found->weights, found->file, found->path, wanted, error);
    }
    safetensors_close(&found->file); /* it is read again */
    return checkpoint_open(&found->checkpoint, path, error);
}

/* A run folder's newest whole checkpoint; without any, the file of weights that the folder stands for. */
static int look_into_folder(struct found *found, const struct session *session, const char *path, const char *wanted,
                            struct error *error)
{
    char *file;
    int status = run_folder_newest(path, &session->log, &found->checkpoint, error);
    if (status || found->checkpoint) return status;
    status = run_folder_weights(path, &file, error);
    if (!status) status = look_at_file(found, session, file, wanted, error);
    memory_free(file);
    return status;
}

/* wanted: the prefix of the network in a file of weights, or NULL. */
static int look_for(struct found *found, const struct session *session, const char *path, const char *wanted,
                    struct error *error)
{
    *found = (struct found){0};
    return file_is_folder(path) ? look_into_folder(found, session, path, wanted, error)
                                : look_at_file(found, session, path, wanted, error);
}

static int look(struct found *found, const struct session *session, const char *path, struct error *error)
{
    return look_for(found, session, path, NULL, error);
}

/* ---- where it comes from ---------------------------------------------------------------------------------------- */

void model_origin_free(struct model_origin *origin)
{
    memory_free(origin->recipe);
    *origin = (struct model_origin){0};
}

/* PyTorch counts the batches of each batch norm; all have seen the same. */
static int64_t tracked_by(const struct weights *weights)
{
    int64_t count = 0;
    const struct safetensors_entry *entry = weights_find(weights, "bn1.num_batches_tracked");
    if (entry && entry->dtype == ST_I64 && entry->bytes == sizeof count) memcpy(&count, entry->data, sizeof count);
    return count;
}

static int read_origin(struct model_origin *out, const struct found *found, struct error *error)
{
    if (!found->checkpoint) {
        out->batches_tracked = tracked_by(&found->weights);
        return SIMCLR_OK;
    }
    const struct checkpoint_state *state = checkpoint_state(found->checkpoint);
    *out = (struct model_origin){.trained_here = true,
                                 .step = state->step,
                                 .epoch = state->epoch,
                                 .images_seen = state->images_seen,
                                 .seed = state->seed,
                                 .batches_tracked = state->step};
    if (!state->config_yaml) return SIMCLR_OK;
    out->recipe = memory_string(state->config_yaml);
    return out->recipe ? SIMCLR_OK : error_no_memory(error, "a configuration", strlen(state->config_yaml));
}

int model_open_with_origin(struct session *session, const char *path, struct model **out, struct view_policy *policy,
                           struct model_origin *origin, struct error *error)
{
    struct found found;
    *out = NULL;
    if (origin) *origin = (struct model_origin){0};
    int status = look(&found, session, path, error);
    if (!status)
        status = found.checkpoint ? from_checkpoint(session, found.checkpoint, out, policy, error)
                                  : from_weights(session, &found.weights, out, policy, error);
    if (!status && origin) status = read_origin(origin, &found, error);
    found_close(&found);
    if (status) model_destroy(out);
    if (*out) apply_options(session, *out, policy);
    return status;
}

int model_open(struct session *session, const char *path, struct model **out, struct view_policy *policy,
               struct error *error)
{
    return model_open_with_origin(session, path, out, policy, NULL, error);
}

int model_open_average(struct session *session, const char *path, struct model **out, struct view_policy *policy,
                       struct error *error)
{
    struct found found;
    *out = NULL;
    int status = look(&found, session, path, error);
    if (!status && found.checkpoint && checkpoint_state(found.checkpoint)->ema > 0) {
        status = model_create_blank(out, checkpoint_model_config(found.checkpoint), session->backend, error);
        if (!status) status = checkpoint_restore_average(found.checkpoint, *out, false, error);
        if (!status) status = policy_of_checkpoint(found.checkpoint, policy, error);
    }
    found_close(&found);
    if (status) model_destroy(out);
    if (*out) apply_options(session, *out, policy);
    return status;
}

/* ---- the start of a new run -------------------------------------------------------------------------------------- */

static void say_taken(const struct session *session, const char *path, const struct weights_taken *taken)
{
    const struct log *log = &session->log;
    const int fresh = taken->encoder_of - taken->encoder;
    log_info(log, "init: %d of %d tensors of the encoder and %d of %d of the head start from %s", taken->encoder,
             taken->encoder_of, taken->head, taken->head_of, path);
    if (fresh > 0)
        log_warning(log, "init: %d tensor%s of the encoder start%s anew: %s%s", fresh, fresh == 1 ? "" : "s",
                    fresh == 1 ? "s" : "", taken->fresh, fresh == 1 ? "" : " and so on");
    if (taken->left > 0)
        log_info(log, "init: %d tensor%s of the file left out: %s%s", taken->left, taken->left == 1 ? "" : "s",
                 taken->left_name, taken->left == 1 ? "" : " and so on");
}

static bool same_input(const struct view_policy *a, const struct view_policy *b)
{
    if (a->normalize != b->normalize) return false;
    for (int i = 0; i < 3 && a->normalize; i++)
        if (fabs(a->mean[i] - b->mean[i]) > 1e-6 || fabs(a->std[i] - b->std[i]) > 1e-6) return false;
    return true;
}

/* The run keeps its own input; who wants that of the weights must say so. */
static void say_input(const struct session *session, const char *path, const struct view_policy *theirs,
                      const struct view_policy *ours)
{
    if (same_input(theirs, ours)) return;
    if (theirs->normalize)
        log_warning(&session->log,
                    "init: %s was trained on other input than this run will see: --mean %g,%g,%g --std %g,%g,%g give "
                    "the same",
                    path, theirs->mean[0], theirs->mean[1], theirs->mean[2], theirs->std[0], theirs->std[1],
                    theirs->std[2]);
    else
        log_warning(&session->log, "init: %s was trained without --mean and --std, which this run has", path);
}

static int compare_input(const struct session *session, const struct found *found, const char *path,
                         const struct view_policy *policy, struct error *error)
{
    struct view_policy theirs;
    bool known = true;
    int size = policy->size, status = SIMCLR_OK;
    if (found->checkpoint)
        status = policy_of_checkpoint(found->checkpoint, &theirs, error);
    else
        status = exported_config_read(found->path, &size, &theirs, &known, error);
    if (status) return status;
    if (known)
        say_input(session, path, &theirs, policy);
    else
        log_info(&session->log,
                 "init: no config.json beside %s says what input it was trained on; torchvision's own weights want "
                 "--mean 0.485,0.456,0.406 --std 0.229,0.224,0.225",
                 path);
    return SIMCLR_OK;
}

int model_begin(const struct session *session, const char *path, struct model *model, const struct view_policy *policy,
                struct error *error)
{
    struct found found;
    struct weights_taken taken;
    int status = look(&found, session, path, error);
    if (!status && found.checkpoint)
        status =
            weights_look(&found.weights, checkpoint_file(found.checkpoint), checkpoint_path(found.checkpoint), error);
    if (!status) status = weights_begin(&found.weights, model, &taken, error);
    if (!status) {
        if (!found.checkpoint) weights_file_tell(&found.weights, &session->log);
        say_taken(session, path, &taken);
        status = compare_input(session, &found, path, policy, error);
    }
    found_close(&found);
    if (status) error_prefix(error, "--init");
    return status;
}

/* ---- taking the encoder out -------------------------------------------------------------------------------------- */

/* What images it takes: from beside the file, and what the command line says. */
static int find_input(struct model_imported *out, const struct session *session, const struct found *found,
                      struct error *error)
{
    const struct config *config = session->config;
    double mean[3], std[3];
    int status = SIMCLR_OK;
    out->input_known = true;
    if (found->checkpoint) {
        out->config.image_size = checkpoint_model_config(found->checkpoint)->image_size;
        status = policy_of_checkpoint(found->checkpoint, &out->policy, error);
    } else {
        status = exported_config_read(found->path, &out->config.image_size, &out->policy, &out->input_known, error);
    }
    if (config->image_size > 0) out->policy.size = out->config.image_size = (int)config->image_size;
    if (!session_parse_rgb(config->mean, mean) || !session_parse_rgb(config->std, std)) return status;
    out->input_known = out->policy.normalize = true;
    memcpy(out->policy.mean, mean, sizeof mean);
    memcpy(out->policy.std, std, sizeof std);
    return status;
}

static int import_found(struct model_imported *out, const struct session *session, const struct found *found,
                        const char *to, struct error *error)
{
    struct parameters parameters = {0};
    const struct weights *weights = &found->weights;
    int status = weights_config(weights, &out->config, error);
    if (!status) status = find_input(out, session, found, error);
    if (!status) status = model_describe(&parameters, &out->config, error);
    if (!status) status = weights_check(weights, &parameters, error);
    if (!status)
        status = out->input_known ? exported_config_write(to, &out->config, &out->policy, error)
                                  : exported_config_refuse(to, error);
    if (!status) status = checkpoint_export_weights(to, weights, &parameters, error);
    parameters_free(&parameters);
    out->encoder = weights->encoder;
    out->left = weights->outside;
    memcpy(out->prefix, weights->prefix, sizeof out->prefix);
    return status;
}

int model_import(const struct session *session, const char *path, const char *wanted, const char *to,
                 struct model_imported *out, struct error *error)
{
    struct found found;
    *out = (struct model_imported){0};
    int status = look_for(&found, session, path, wanted, error);
    if (!status && found.checkpoint)
        status = weights_look_for(&found.weights, checkpoint_file(found.checkpoint), checkpoint_path(found.checkpoint),
                                  wanted, error);
    if (!status) weights_file_tell(&found.weights, &session->log);
    if (!status) status = import_found(out, session, &found, to, error);
    found_close(&found);
    return status;
}
