/* config/config.h -- every setting of every command, and the one option table that describes them.
 *
 * One row per option yields: parsing and validation of `--name value`, YAML recipe keys (same name with '_' or '-'),
 * `--help`, man pages, bash completion, and the effective configuration written beside each run. */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum command {
    COMMAND_PRETRAIN = 1 << 0, COMMAND_FINETUNE = 1 << 1, COMMAND_KNN = 1 << 2, COMMAND_LINEAR = 1 << 3,
    COMMAND_EMBED = 1 << 4, COMMAND_INFO = 1 << 5, COMMAND_BENCH = 1 << 6, COMMAND_DEMO = 1 << 7
};

/* All values with their types; strings are owned by the config (never NULL; "" = not given). */
struct config {
    enum command command;
    /* data */
    char *data, *test_data, *out, *checkpoint, *recipe, *labels, *format; int64_t cache_memory; double max_bad; int64_t synthetic_images;
    /* model */
    int64_t depth; double width; char *stem; int64_t image_size; int64_t head_layers; int64_t head_dim; /* "none" = 0, "linear" = 1 accepted */
    /* views */
    char *view_preset; char *crop_filter; double crop_probability, crop_area_min, crop_area_max, crop_ratio_min, crop_ratio_max, flip_probability,
        jitter_probability, jitter_strength, brightness, contrast, saturation, hue, gray_probability, blur_probability, blur_sigma_min, blur_sigma_max,
        solarize_probability; int64_t blur_radius; char *mean, *std; /* "r,g,b" or "" */
    /* training */
    int64_t batch, epochs; double warmup_epochs; char *optimizer; double learning_rate, momentum, weight_decay, trust; char *scaling; /* linear, sqrt */
    double temperature; int64_t seed; char *precision, *device, *cpu; int64_t threads, workers;
    /* a run */
    bool resume, overwrite; int64_t save_every, keep, log_every, knn_every, knn_images, diagnostics_images; bool tensorboard;
    /* evaluation */
    int64_t knn_k; double knn_temperature; bool json, controls; double l2; int64_t iterations; char *features_out;
    /* info, bench, demo */
    bool memory; char *what; int64_t steps; double seconds;
    /* one flag per option row: was it set by the command line (2), the recipe (1), or is it the default (0)? */
    unsigned char *origin;
};

enum option_type { OPTION_STRING, OPTION_INTEGER, OPTION_NUMBER, OPTION_BOOLEAN, OPTION_CHOICE, OPTION_BYTES /* 8G, 512M */ };

struct option_row {
    const char *name;        /* "learning-rate" */
    const char *argument;    /* "RATE" in --help; NULL for booleans (--x / --no-x) */
    enum option_type type;
    size_t offset;           /* of the field in struct config */
    unsigned commands;       /* which commands take it */
    const char *default_text;/* what --help shows and what it starts from; "auto" values are resolved by the command */
    double minimum, maximum; /* inclusive, for numbers */
    const char *choices;     /* "lars|sgd|adamw" */
    const char *section;     /* "Data", "Views", "Model", "Training", "Run", "Evaluation" */
    const char *help;        /* one sentence */
    bool matters;            /* changing it forbids resuming */
};
extern const struct option_row config_options[];
extern const int config_option_count;

int config_create(struct config **out, enum command command, struct error *error); /* defaults */
void config_destroy(struct config **config);
/* name without dashes. Unknown: SIMCLR_INVALID naming it and the nearest valid one; ill-typed or out of range: naming option, value, and what
 * is allowed. origin: 1 recipe, 2 command line; a lower origin never overrides a higher one. */
int config_set(struct config *config, const char *name, const char *value, int origin, struct error *error);
/* YAML mapping of option names to scalars. Errors carry file:line:column; unknown key, wrong type, duplicate key, tab, nesting, anchors, several
 * documents, > 1 MiB are refused. Options that exist but belong to another command are ignored with a note. */
int config_load_recipe(struct config *config, const char *path, struct error *error);
/* The same from memory: for fuzzing and for a checkpoint's stored configuration. */
int config_parse_recipe(struct config *config, const char *text, size_t length, const char *name, int origin, struct error *error);
/* Cross-option checks (temperature > 0, batch >= 2 for pretrain, data given ...). */
int config_check(const struct config *config, struct error *error);
/* Effective configuration as a YAML recipe that reproduces it: new string (memory_free). */
char *config_to_yaml(const struct config *config);
/* Names of the rows that matter and differ between two configurations, comma separated; empty: resuming is fine. */
char *config_differences(const struct config *a, const struct config *b);

const char *command_name(enum command command);
const char *command_summary(enum command command);

#endif
