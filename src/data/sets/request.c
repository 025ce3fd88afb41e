/* data/sets/request.c -- what is asked for where nothing else is said. */
#include "data/sets/request.h"

struct dataset_config dataset_config_default(void)
{
    return (struct dataset_config){.path = "synthetic",
                                   .part = DATASET_TRAIN,
                                   .max_bad = 0.01,
                                   .synthetic_seed = 1,
                                   .stl10_part = "train",
                                   .limits = image_limits_default()};
}
