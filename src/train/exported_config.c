/* train/exported_config.c -- see exported_config.h. Apart, since jansson and base/text.h both have a json_string. */
#include "train/exported_config.h"

#include <jansson.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"

static bool read_rgb(const json_t *object, const char *key, double rgb[3])
{
    const json_t *array = json_object_get(object, key);
    for (size_t i = 0; i < 3; i++) {
        const json_t *value = json_array_get(array, i);
        if (!json_is_number(value))
            return false;
        rgb[i] = json_number_value(value);
    }
    return true;
}

bool exported_config_read(const char *weights, int *size, struct view_policy *policy)
{
    const char *slash = strrchr(weights, '/');
    char *folder = memory_string(slash == NULL ? "." : weights);
    if (folder != NULL && slash != NULL)
        folder[slash - weights] = '\0';
    char *path = folder == NULL ? NULL : file_join(slash == weights ? "/" : folder, "config.json");
    json_t *root = path == NULL ? NULL : json_load_file(path, 0, NULL);
    memory_free(path);
    memory_free(folder);
    const json_t *config = json_object_get(root, "pretrained_cfg");
    const bool found = json_is_object(config);
    const json_int_t side = json_integer_value(json_array_get(json_object_get(config, "input_size"), 1));
    const char *filter = json_string_value(json_object_get(config, "interpolation"));
    if (side >= 8 && side <= 1024)
        *size = (int)side;
    *policy = view_policy_default(*size);
    if (filter != NULL && strcmp(filter, "bilinear") == 0)
        policy->filter = RESAMPLE_BILINEAR;
    if (read_rgb(config, "mean", policy->mean) && read_rgb(config, "std", policy->std)) {
        policy->normalize = false;
        for (int i = 0; i < 3; i++)
            policy->normalize |= policy->mean[i] < 0 || policy->mean[i] > 0 || policy->std[i] < 1 || policy->std[i] > 1;
        policy->normalize = policy->normalize && policy->std[0] > 0 && policy->std[1] > 0 && policy->std[2] > 0;
    }
    json_decref(root);
    return found;
}
