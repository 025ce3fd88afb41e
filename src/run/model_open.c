/* run/model_open.c -- a trained encoder from a run, a checkpoint, or a file of weights. */
#include "run/model_open.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "checkpoint/safetensors.h"
#include "run/export.h"
#include "run/run_folder.h"
#include "run/settings.h"

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

static void policy_of_checkpoint(const struct checkpoint *checkpoint, struct view_policy *policy)
{
    const struct checkpoint_state *state = checkpoint_state(checkpoint);
    *policy = view_policy_default(checkpoint_model_config(checkpoint)->image_size);
    policy->normalize = state->std[0] > 0;
    for (int i = 0; i < 3 && policy->normalize; i++) {
        policy->mean[i] = (double)state->mean[i];
        policy->std[i] = (double)state->std[i];
    }
    struct config *config;
    if (state->config_yaml == NULL || config_create(&config, COMMAND_PRETRAIN, NULL) != SIMCLR_OK) return;
    if (config_parse_recipe(config, state->config_yaml, strlen(state->config_yaml), "checkpoint", 1, NULL) == SIMCLR_OK)
        policy->filter = strcmp(config->crop_filter, "bilinear") == 0 ? RESAMPLE_BILINEAR : RESAMPLE_BICUBIC;
    config_destroy(&config);
}

static int from_checkpoint(const struct session *session, const struct checkpoint *checkpoint, struct model **out,
                           struct view_policy *policy, struct error *error)
{
    int status = model_create(out, checkpoint_model_config(checkpoint), session->backend, 0, error);
    if (status == SIMCLR_OK) status = checkpoint_restore(checkpoint, *out, NULL, false, error);
    if (status != SIMCLR_OK) return status;
    policy_of_checkpoint(checkpoint, policy);
    log_info(&session->log, "encoder: %s, trained for %lld steps (epoch %lld)", model_title(&(*out)->config).text,
             (long long)checkpoint_state(checkpoint)->step, (long long)checkpoint_state(checkpoint)->epoch);
    return SIMCLR_OK;
}

/* ---- a file of weights under torchvision's names: the architecture is read off the shapes ----------------------- */

static int count_blocks(const struct safetensors *file, int layer)
{
    char name[64];
    int blocks = 0;
    do snprintf(name, sizeof name, "layer%d.%d.conv1.weight", layer, blocks);
    while (safetensors_find(file, name) != NULL && ++blocks < 1000);
    return blocks;
}

static int config_from_tensors(const struct safetensors *file, const char *path, struct model_config *out,
                               struct error *error)
{
    static const struct {
        int depth, blocks[4];
        bool bottleneck;
    } known[] = {
        {18, {2, 2, 2, 2}, false},  {34, {3, 4, 6, 3}, false},  {50, {3, 4, 6, 3}, true},
        {101, {3, 4, 23, 3}, true}, {152, {3, 8, 36, 3}, true}, {200, {3, 24, 36, 3}, true},
    };
    const struct safetensors_entry *stem = safetensors_find(file, "conv1.weight");
    const bool bottleneck = safetensors_find(file, "layer1.0.conv3.weight") != NULL;
    struct resnet_config *resnet = &out->resnet;
    *out = (struct model_config){.encoder = ENCODER_RESNET, .head_layers = 0, .head_dim = 128};
    for (size_t i = 0; stem != NULL && stem->rank == 4 && i < sizeof known / sizeof *known; i++) {
        bool same = known[i].bottleneck == bottleneck;
        for (int layer = 0; layer < 4; layer++) same = same && count_blocks(file, layer + 1) == known[i].blocks[layer];
        if (same) resnet->depth = known[i].depth;
    }
    if (stem == NULL || resnet->depth == 0)
        return error_set(error, SIMCLR_CORRUPT,
                         "%s: holds no ResNet under torchvision's names: give a run folder, a checkpoint or an "
                         "exported encoder",
                         path);
    resnet->width = (double)stem->dims[0] / 64;
    resnet->stem = stem->dims[3] == 3 ? STEM_CIFAR : STEM_IMAGENET;
    out->image_size = resnet->stem == STEM_CIFAR ? 32 : 224;
    if (model_config_check(out, error) == SIMCLR_OK) return SIMCLR_OK;
    error_prefix(error, "%s: the network that the shapes of its tensors describe", path);
    if (error != NULL) error->status = SIMCLR_CORRUPT; /* the file is wrong, not what the user asked for */
    return SIMCLR_CORRUPT;
}

static int from_weights(const struct session *session, const struct safetensors *file, const char *path,
                        struct model **out, struct view_policy *policy, struct error *error)
{
    struct model_config config;
    int status = config_from_tensors(file, path, &config, error);
    if (status != SIMCLR_OK) return status;
    bool found;
    status = exported_config_read(path, &config.image_size, policy, &found, error);
    if (status != SIMCLR_OK) return status;
    if (!found && session->config->mean[0] == '\0')
        log_warning(&session->log,
                    "%s: no config.json beside it: taking images of %d pixels in [0, 1] as they are; --image-size, "
                    "--mean and --std say otherwise",
                    path, config.image_size);
    status = model_create(out, &config, session->backend, 0, error);
    if (status == SIMCLR_OK) status = checkpoint_import_encoder(path, *out, error);
    if (status == SIMCLR_OK) log_info(&session->log, "encoder: %s, from %s", model_title(&config).text, path);
    return status;
}

/* ---- finding it -------------------------------------------------------------------------------------------------- */

static int from_file(const struct session *session, const char *path, struct model **out, struct view_policy *policy,
                     struct error *error)
{
    struct safetensors *file;
    int status = safetensors_open(&file, path, error);
    if (status != SIMCLR_OK) return status;
    const char *format = safetensors_metadata(file, "format");
    if (format != NULL && strcmp(format, "simclr-checkpoint") == 0) {
        struct checkpoint *checkpoint;
        safetensors_close(&file); /* it is read again */
        status = checkpoint_open(&checkpoint, path, error);
        if (status == SIMCLR_OK) {
            status = from_checkpoint(session, checkpoint, out, policy, error);
            checkpoint_close(&checkpoint);
        }
    } else {
        status = from_weights(session, file, path, out, policy, error);
    }
    safetensors_close(&file);
    return status;
}

/* A run folder's newest whole checkpoint; without any, weights that lie in the folder. */
static int from_folder(const struct session *session, const char *path, struct model **out, struct view_policy *policy,
                       struct error *error)
{
    static const char *const names[] = {"exported/encoder.safetensors", "encoder.safetensors", "model.safetensors"};
    struct checkpoint *checkpoint;
    int status = run_folder_newest(path, &session->log, &checkpoint, error);
    if (status != SIMCLR_OK) return status;
    if (checkpoint != NULL) {
        status = from_checkpoint(session, checkpoint, out, policy, error);
        checkpoint_close(&checkpoint);
        return status;
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *file = file_join(path, names[i]);
        if (file == NULL) return error_no_memory(error, "a path", strlen(path));
        const bool found = file_exists(file);
        if (found) status = from_file(session, file, out, policy, error);
        memory_free(file);
        if (found) return status;
    }
    return error_set(error, SIMCLR_IO,
                     "%s: holds neither a checkpoint nor an exported encoder: train one with simclr "
                     "pretrain",
                     path);
}

int model_open(struct session *session, const char *path, struct model **out, struct view_policy *policy,
               struct error *error)
{
    *out = NULL;
    int status = file_is_folder(path) ? from_folder(session, path, out, policy, error)
                                      : from_file(session, path, out, policy, error);
    if (status != SIMCLR_OK) model_destroy(out);
    if (*out != NULL) apply_options(session, *out, policy);
    return status;
}
