/* train/export.c -- the trained encoder in the form that other programs load. */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "train/run_folder.h"

static void add_rgb(struct text *text, const char *key, const double rgb[3])
{
    json_open_array(text, key);
    for (int i = 0; i < 3; i++)
        json_number(text, NULL, rgb[i]);
    json_close_array(text);
}

/* timm's config.json; width and stem are ours, since timm has no name for such variants. */
static void describe(struct text *text, const struct model_config *config, const struct view_policy *policy)
{
    static const double zero[3] = {0, 0, 0}, one[3] = {1, 1, 1};
    char architecture[24];
    snprintf(architecture, sizeof architecture, "resnet%d", config->depth);
    json_open_object(text, NULL);
    json_string(text, "architecture", architecture);
    json_integer(text, "num_classes", 0);
    json_integer(text, "num_features", model_feature_dim(config));
    json_string(text, "global_pool", "avg");
    json_number(text, "width", config->width);
    json_string(text, "stem", config->stem == STEM_CIFAR ? "cifar" : "imagenet");
    json_open_object(text, "pretrained_cfg");
    json_open_array(text, "input_size");
    json_integer(text, NULL, 3);
    json_integer(text, NULL, config->image_size);
    json_integer(text, NULL, config->image_size);
    json_close_array(text);
    add_rgb(text, "mean", policy->normalize ? policy->mean : zero);
    add_rgb(text, "std", policy->normalize ? policy->std : one);
    json_string(text, "interpolation", policy->filter == RESAMPLE_BILINEAR ? "bilinear" : "bicubic");
    json_number(text, "crop_pct", config->image_size <= 32 ? 1 : 0.875);
    json_integer(text, "num_classes", 0);
    json_string(text, "first_conv", "conv1");
    json_string(text, "classifier", "fc");
    json_close_object(text);
    json_close_object(text);
    text_add(text, "\n");
}

int run_folder_export(const struct run_folder *folder, const struct model *model, const struct view_policy *policy,
                      int64_t steps, struct error *error)
{
    char *exported = file_join(folder->path, "exported");
    char *weights = file_join(folder->path, "exported/encoder.safetensors");
    char *config = file_join(folder->path, "exported/config.json");
    struct text text = {0};
    describe(&text, &model->config, policy);
    int status = SIMCLR_OK;
    if (exported == NULL || weights == NULL || config == NULL || text.failed)
        status = error_no_memory(error, "the exported encoder", 4096);
    if (status == SIMCLR_OK)
        status = file_make_folder(exported, error);
    if (status == SIMCLR_OK)
        status = checkpoint_export_encoder(weights, model, steps, error);
    if (status == SIMCLR_OK)
        status = file_write_atomic(config, text.bytes, text.length, error);
    text_free(&text);
    memory_free(exported);
    memory_free(weights);
    memory_free(config);
    return status;
}
