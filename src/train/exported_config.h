/* train/exported_config.h -- the config.json beside exported weights: what images the encoder wants. */
#ifndef TRAIN_EXPORTED_CONFIG_H
#define TRAIN_EXPORTED_CONFIG_H

#include <stdbool.h>

#include "augment/views.h"

/* Reads config.json (timm's keys, as train/export.c writes them) in the folder of the file `weights`: image size (kept
 * when it has none), filter, mean and std. False when there is no such file or it is not JSON of that kind; *policy is
 * then the default for *size. */
bool exported_config_read(const char *weights, int *size, struct view_policy *policy);

#endif
