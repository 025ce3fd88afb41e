/* run/export.h -- the trained encoder in the form that other programs load, and its description read back. */
#ifndef RUN_EXPORT_H
#define RUN_EXPORT_H

#include "augment/views.h"
#include "model/model.h"
#include "run/run_folder.h"

/* exported/encoder.safetensors and exported/config.json (timm's keys). average: its moving average, which becomes
 * exported/encoder-ema.safetensors; NULL: there is none. */
int run_folder_export(const struct run_folder *folder, const struct model *model, const struct model *average,
                      const struct view_policy *policy, int64_t steps, struct error *error);
/* Such a config.json alone, in the folder of the file `weights`. SIMCLR_INVALID where there is one that says something
 * else. */
int exported_config_write(const char *weights, const struct model_config *config, const struct view_policy *policy,
                          struct error *error);
/* For weights of which nobody knows what images they take: SIMCLR_INVALID where a config.json in their folder would say
 * it. */
int exported_config_refuse(const char *weights, struct error *error);
/* Adds the members of such a config.json to an open object. names: of `classes` classes; 0: there is no classifier.
 * pool_size: side of the map that is averaged, as timm wants it; 0: not said. */
struct exported_classes {
    int count;
    const char *const *names;
};
void exported_config_add(struct text *text, const struct model_config *config, const struct view_policy *policy,
                         struct exported_classes classes, int pool_size);
/* Reads back the config.json in the folder of the file `weights`: image size (kept when it has none), filter, mean and
 * std. *found is false where there is no such file, or it says nothing of pictures; *policy is then the default for
 * *size. SIMCLR_CORRUPT where it cannot be read as JSON, or a mean or deviation in it is not possible. */
int exported_config_read(const char *weights, int *size, struct view_policy *policy, bool *found, struct error *error);

#endif
