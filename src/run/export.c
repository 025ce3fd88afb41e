/* run/export.c -- see export.h. */
#include "run/export.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/number.h"
#include "base/text.h"
#include "checkpoint/checkpoint.h"

enum { CONFIG_BYTES_MAX = 1 << 20 };

/* ---- writing ------------------------------------------------------------------------------------------------ */

static void add_rgb(struct text *text, const char *key, const double rgb[3])
{
    text_json_open_array(text, key);
    for (int i = 0; i < 3; i++) text_json_number(text, NULL, rgb[i]);
    text_json_close_array(text);
}

/* [channels, side, side]; without channels [side, side]. */
static void add_sides(struct text *text, const char *key, int channels, int side)
{
    text_json_open_array(text, key);
    if (channels > 0) text_json_integer(text, NULL, channels);
    text_json_integer(text, NULL, side);
    text_json_integer(text, NULL, side);
    text_json_close_array(text);
}

/* An entry of the model's text that is a number; nothing where the model has none. */
static void add_number(struct text *text, const struct model_text *model, const char *key)
{
    const char *value = model_text_value(model, key);
    if (value != NULL) text_json_number(text, key, number_read(value, NULL));
}

/* timm's keys; width and stem are ours, since timm has no name for such variants. */
void exported_config_add(struct text *text, const struct model_config *config, const struct view_policy *policy,
                         struct exported_classes classes, int pool_size)
{
    static const double zero[3] = {0, 0, 0}, one[3] = {1, 1, 1};
    struct model_text model;
    model_config_to_text(config, &model);
    text_json_string(text, "architecture", model_title(config).word);
    text_json_integer(text, "num_classes", classes.count);
    text_json_integer(text, "num_features", model_feature_dim(config));
    text_json_string(text, "global_pool", "avg");
    add_number(text, &model, "width");
    if (model_text_value(&model, "stem")) text_json_string(text, "stem", model_text_value(&model, "stem"));
    if (classes.count > 0) text_json_open_array(text, "label_names");
    for (int i = 0; i < classes.count; i++) text_json_string(text, NULL, classes.names[i]);
    if (classes.count > 0) text_json_close_array(text);
    text_json_open_object(text, "pretrained_cfg");
    add_sides(text, "input_size", 3, config->image_size);
    add_rgb(text, "mean", policy->normalize ? policy->mean : zero);
    add_rgb(text, "std", policy->normalize ? policy->std : one);
    text_json_string(text, "interpolation", policy->filter == RESAMPLE_BILINEAR ? "bilinear" : "bicubic");
    text_json_number(text, "crop_pct", config->image_size <= 32 ? 1 : 0.875);
    text_json_integer(text, "num_classes", classes.count);
    if (pool_size > 0) add_sides(text, "pool_size", 0, pool_size);
    text_json_string(text, "first_conv", model_names(config->encoder).first);
    text_json_string(text, "classifier", model_names(config->encoder).classifier);
    text_json_close_object(text);
}

static void describe(struct text *text, const struct model_config *config, const struct view_policy *policy)
{
    text_json_open_object(text, NULL);
    exported_config_add(text, config, policy, (struct exported_classes){0}, 0);
    text_json_close_object(text);
    text_add(text, "\n");
}

int run_folder_export(const struct run_folder *folder, const struct model *model, const struct model *average,
                      const struct view_policy *policy, int64_t steps, struct error *error)
{
    char *exported = file_join(folder->path, "exported");
    char *weights = file_join(folder->path, "exported/encoder.safetensors");
    char *averaged = file_join(folder->path, "exported/encoder-ema.safetensors");
    char *config = file_join(folder->path, "exported/config.json");
    struct text text = {0};
    describe(&text, &model->config, policy);
    int status = SIMCLR_OK;
    if (exported == NULL || weights == NULL || averaged == NULL || config == NULL || text.failed)
        status = error_no_memory(error, "the exported encoder", 4096);
    if (status == SIMCLR_OK) status = file_make_folder(exported, error);
    if (status == SIMCLR_OK) status = checkpoint_export_encoder(weights, model, steps, error);
    if (status == SIMCLR_OK && average) status = checkpoint_export_encoder(averaged, average, steps, error);
    if (status == SIMCLR_OK) status = file_write_atomic(config, text.bytes, text.length, error);
    text_free(&text);
    memory_free(exported);
    memory_free(weights);
    memory_free(averaged);
    memory_free(config);
    return status;
}

/* ---- reading the description back -------------------------------------------------------------------------- */

static bool read_rgb(const struct json_value *object, const char *key, double rgb[3])
{
    const struct json_value *array = json_member(object, key);
    for (size_t i = 0; i < 3; i++) {
        const struct json_value *value = json_element(array, i);
        if (!json_is_number(value)) return false;
        rgb[i] = value->number;
    }
    return true;
}

/* Values in 0 to 1 have such means and deviations. */
static bool possible(const double mean[3], const double std[3])
{
    for (int i = 0; i < 3; i++)
        if (!(mean[i] >= -1e6 && mean[i] <= 1e6 && std[i] > 1e-6 && std[i] <= 1e6)) return false;
    return true;
}

static int read_normalization(const struct json_value *config, const char *path, struct view_policy *policy,
                              struct error *error)
{
    double mean[3], std[3];
    if (!read_rgb(config, "mean", mean) || !read_rgb(config, "std", std)) return SIMCLR_OK;
    if (!possible(mean, std))
        return error_set(error, SIMCLR_CORRUPT,
                         "%s: mean %g %g %g and std %g %g %g are not possible: mend the file, or remove it and give "
                         "--mean and --std",
                         path, mean[0], mean[1], mean[2], std[0], std[1], std[2]);
    policy->normalize = false;
    for (int i = 0; i < 3; i++) {
        policy->mean[i] = mean[i];
        policy->std[i] = std[i];
        policy->normalize |= mean[i] < 0 || mean[i] > 0 || std[i] < 1 || std[i] > 1;
    }
    return SIMCLR_OK;
}

static int read_config(const char *path, int *size, struct view_policy *policy, bool *found, struct error *error)
{
    struct json_problem problem;
    struct json json;
    uint8_t *text;
    size_t length;
    if (!file_exists(path)) return SIMCLR_OK;
    int status = file_read(path, CONFIG_BYTES_MAX, &text, &length, error);
    if (status) return status;
    status = json_read(&json, (const char *)text, length, false, &problem);
    memory_free(text);
    if (status == SIMCLR_NO_MEMORY) return error_no_memory(error, path, length);
    if (status)
        return error_set(error, SIMCLR_CORRUPT, "%s: cannot be read as JSON (%s at byte %zu): mend or remove it", path,
                         problem.what, problem.at);
    const struct json_value *config = json_member(json.values, "pretrained_cfg");
    const struct json_value *side = json_element(json_member(config, "input_size"), 1);
    const struct json_value *filter = json_member(config, "interpolation");
    *found = json_is(config, JSON_OBJECT);
    if (json_is(side, JSON_INTEGER) && side->integer >= 8 && side->integer <= 1024) *size = (int)side->integer;
    *policy = view_policy_default(*size);
    if (json_is(filter, JSON_STRING) && strcmp(filter->string, "bilinear") == 0) policy->filter = RESAMPLE_BILINEAR;
    status = read_normalization(config, path, policy, error);
    json_free(&json);
    return status;
}

/* config.json in the folder of the file `weights`; memory_free. NULL without memory. */
static char *config_beside(const char *weights)
{
    const char *slash = strrchr(weights, '/');
    char *folder = memory_string(slash == NULL ? "." : weights);
    if (folder != NULL && slash != NULL) folder[slash - weights] = '\0';
    char *path = folder == NULL ? NULL : file_join(slash == weights ? "/" : folder, "config.json");
    memory_free(folder);
    return path;
}

int exported_config_read(const char *weights, int *size, struct view_policy *policy, bool *found, struct error *error)
{
    char *path = config_beside(weights);
    *found = false;
    *policy = view_policy_default(*size);
    const int status =
        path ? read_config(path, size, policy, found, error) : error_no_memory(error, "a path", strlen(weights));
    memory_free(path);
    return status;
}

/* ---- writing it alone --------------------------------------------------------------------------------------- */

static int write_unless_other(const char *path, const struct text *text, struct error *error)
{
    uint8_t *there;
    size_t count;
    if (!file_exists(path)) return file_write_atomic(path, text->bytes, text->length, error);
    int status = file_read(path, CONFIG_BYTES_MAX, &there, &count, error);
    if (status) return status;
    if (count != text->length || memcmp(there, text->bytes, count) != 0)
        status = error_set(error, SIMCLR_INVALID,
                           "%s is there already and says something else: give --out in a folder of its own, or remove "
                           "it",
                           path);
    memory_free(there);
    return status;
}

int exported_config_write(const char *weights, const struct model_config *config, const struct view_policy *policy,
                          struct error *error)
{
    char *path = config_beside(weights);
    struct text text = {0};
    describe(&text, config, policy);
    const int status = path && !text.failed ? write_unless_other(path, &text, error)
                                            : error_no_memory(error, "the exported encoder", 4096);
    text_free(&text);
    memory_free(path);
    return status;
}

int exported_config_refuse(const char *weights, struct error *error)
{
    struct view_policy policy;
    bool found;
    int size = 32;
    const int status = exported_config_read(weights, &size, &policy, &found, error);
    if (status || !found) return status;
    char *path = config_beside(weights);
    if (!path) return error_no_memory(error, "a path", strlen(weights));
    error_set(error, SIMCLR_INVALID,
              "%s is there already and would be read as what images this encoder takes, which nothing says: give --out "
              "in a folder of its own, remove it, or give --mean and --std",
              path);
    memory_free(path);
    return SIMCLR_INVALID;
}
