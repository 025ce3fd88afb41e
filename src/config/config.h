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
#include "config/expect.h"

/* In the order of --help. Each has a row in config/commands.c (its words) and one in command/table.c (what it does). */
enum command {
    COMMAND_PRETRAIN,
    COMMAND_PLAN,
    COMMAND_WATCH,
    COMMAND_VERIFY,
    COMMAND_KNN,
    COMMAND_LINEAR,
    COMMAND_EVALUATE,
    COMMAND_FINETUNE,
    COMMAND_SUPERVISED,
    COMMAND_PREDICT,
    COMMAND_EMBED,
    COMMAND_EXPORT,
    COMMAND_AUDIT,
    COMMAND_REPORT,
    COMMAND_NEIGHBOURS,
    COMMAND_MAP,
    COMMAND_SELECT,
    COMMAND_VIEWS,
    COMMAND_INFO,
    COMMAND_IMPORT,
    COMMAND_DATA_INFO,
    COMMAND_DATA_PACK,
    COMMAND_DATA_FETCH,
    COMMAND_BENCH,
    COMMAND_DEMO,
    COMMAND_COUNT
};

/* A set of commands: one bit for each. */
typedef uint64_t command_set;
#define COMMAND_SET(command) (UINT64_C(1) << (command))

/* What a command is called, and what help, manual pages and completion say about it. */
struct command_row {
    const char *name;      /* "pretrain", or two words, "data info": the commands of a group */
    const char *elsewhere; /* names of such a command in other programs, "train|run"; for hints only */
    const char *summary;   /* one line */
    const char *word;      /* the option that a word without a name is a value of, or NULL */
    const char *words;     /* the list that all further words are values of, or NULL */
    const char *help;      /* a paragraph */
    const char *examples;  /* lines to try, with line breaks between them */
    command_set borrows;   /* it takes all options of these commands too, but those that say `without` */
};
extern const struct command_row config_commands[COMMAND_COUNT];

/* All values with their types; strings are owned by the config (never NULL; "" = not given).
 *
 * "auto": a number whose default_text is "auto" is stored as 0 where 0 is not a legal value (its minimum is above 0)
 * and as -1 elsewhere, until the command resolves it (config_resolve). Text and choices hold the word itself. Fields
 * that the command does not take hold the defaults of the first command that does, so every field may be read by
 * every command. */
struct config {
    enum command command;
    /* data */
    char *data, *test_data, *subset, *out, *checkpoint, *init, *part, *recipe, *labels, *format, *stl10_part;
    char *prefix;
    int64_t cache_memory, synthetic_images;
    double max_bad;
    /* model */
    int64_t depth, image_size, head_layers, head_dim; /* head_layers: "none" = 0, "linear" = 1 accepted */
    double width;
    char *encoder, *stem, *image_size_schedule;
    /* views */
    char *training_views;
    char *view_preset, *crop_filter, *mean, *std; /* mean, std: "r,g,b" or "" */
    double crop_probability, crop_area_min, crop_area_max, crop_ratio_min, crop_ratio_max, flip_probability;
    double jitter_probability, jitter_strength, brightness, contrast, saturation, hue, gray_probability;
    double blur_probability, blur_sigma_min, blur_sigma_max, solarize_probability;
    double rotate_probability, sobel_probability, sobel_strength, noise_probability, noise_sigma;
    double cutout_probability, cutout_size;
    char *view_order; /* names of operations with commas between, or "" */
    bool one_branch, scaled_decoding;
    int64_t blur_radius;
    /* training */
    char *optimizer, *scaling; /* scaling: linear, sqrt, none */
    int64_t batch, epochs, seed, threads, workers;
    int64_t batch_norm_images; /* "all" = 0 accepted */
    bool batch_norm_shuffle;
    int64_t steps; /* 0: whole epochs */
    double time;   /* seconds; 0: --epochs decides */
    double warmup_epochs, learning_rate, momentum, weight_decay, trust, temperature, ema;
    char *precision, *device, *cpu, *convolution, *recompute, *pin, *communicator;
    double rank_timeout; /* 0: auto */
    /* a run */
    bool resume, overwrite, tensorboard;
    int64_t save_every, keep, log_every, knn_every, knn_images, diagnostics_images;
    /* evaluation */
    int64_t knn_k, iterations;
    double knn_temperature, l2;
    bool json, controls;
    char *features_out, *solver;
    char *layers;                                           /* of evaluate: "h,1,2" */
    int64_t sgd_epochs, sgd_batch, augmented_copies, layer; /* layer: "h" = 0 accepted */
    double sgd_l2;
    char *features, *test_features, *predictions;
    char *protocols, *compare, *compare_test, *l2_grid, *label_sets;
    char *runs, *evaluations, *audit; /* of report; the first two are lists */
    int64_t seeds;
    bool feature_cache, exact;
    char *only;  /* of audit */
    char *query; /* of neighbours */
    int64_t k;
    char *labelled, *strategy; /* of select */
    bool normalize, half;      /* of embed */
    int64_t count;
    char *pictures;   /* of predict: a list */
    char *classifier; /* of predict and export */
    int64_t top;
    double threshold;
    int64_t feature_cache_size;
    char *license, *input; /* of export */
    bool fold;
    int64_t cut_layer, label_epochs;
    double layer_decay;
    /* info, bench, demo */
    bool memory, once;
    int64_t ranks;         /* of info and plan: that are predicted, not those that run */
    char *network;         /* what connects them, as link_speed_read takes it */
    char *what;            /* the part of bench: options_evaluation_body.h lists them */
    int64_t images, views; /* views: of embed too */
    /* data */
    bool check;
    char *codec;
    int64_t quality, shorter_side, shard_images, retries;
    char *set, *url, *sha256, *from;
    double seconds;
    /* What the recipe expects of a run; no option. */
    struct expectations expect;
    /* one flag per option row: was it set by the command line (2), the recipe (1), or is it the default (0)? */
    unsigned char *origin;
    /* What recipes said that does not concern this command, a line for each recipe, for the log; "" = nothing. */
    char *notes;
};

enum option_type {
    OPTION_STRING,
    OPTION_LIST, /* char *: texts, one a line; each further value from the same origin adds one */
    OPTION_INTEGER,
    OPTION_NUMBER,
    OPTION_BOOLEAN,
    OPTION_CHOICE,
    OPTION_BYTES,    /* int64_t; written 8G, 512M, 1.5G (powers of 1024) */
    OPTION_DURATION, /* double, seconds; written 90s, 30m, 1h30m, 2d; 0: none */
    OPTION_RGB       /* char *: three numbers "r,g,b", or "" */
};

/* An option whose default differs between commands has one row for each default, all with the same field. */
struct option_row {
    const char *name;      /* "learning-rate" */
    const char *elsewhere; /* what other programs call it, "lr|base-lr"; for hints only, never taken for the name. In
                              the first row of a name; NULL: nothing else */
    const char *argument;  /* "RATE" in --help; NULL for booleans (--x / --no-x) */
    enum option_type type;
    size_t offset;            /* of the field in struct config */
    command_set commands;     /* which commands take it */
    command_set without;      /* which do not, although they borrow the options of one that does */
    const char *default_text; /* what --help shows and what it starts from; "auto" values are resolved by the command */
    double minimum, maximum;  /* inclusive, for numbers */
    const char *choices;      /* "lars|sgd|adamw"; for an integer the only values allowed */
    const char *aliases;      /* words that stand for numbers: "none=0|linear=1" */
    const char *section;      /* "Data", "Views", "Model", "Training", "Run", "Evaluation", "Output" */
    const char *help;         /* one sentence */
    bool matters;             /* changing it forbids resuming; not threads or the CPU variant, which change only the
                                 order of sums */
    bool required;            /* the command cannot start without it */
    bool automatic;           /* "auto" is a value although it is not the default */
    bool once;                /* a flag of one start alone, which CONFIG_REPEATABLE does not repeat */
};
extern const struct option_row config_options[];
extern const int config_option_count;

int config_create(struct config **out, enum command command, struct error *error); /* defaults */
int config_copy(struct config **out, const struct config *config, struct error *error);
/* The settings of another command that those of `config` imply: what both take, as a recipe would have said it. */
int config_derive(struct config **out, const struct config *config, enum command command, struct error *error);
void config_destroy(struct config **config); /* nulls; NULL is fine */
/* name without dashes. Unknown: SIMCLR_INVALID naming it and the nearest valid one; ill-typed or out of range: naming
 * option, value, and what is allowed. origin: 1 recipe, 2 command line; a lower origin never overrides a higher one.
 * "recipe" loads that file at once. */
int config_set(struct config *config, const char *name, const char *value, int origin, struct error *error);
/* YAML mapping of option names to scalars. Errors carry file:line:column; unknown key, wrong type, duplicate key, tab,
 * nesting, anchors, several documents, > 1 MiB are refused. Options that exist but belong to another command are
 * ignored with a note for all of them. One key is no option: `expect`, a list of rows that say what a run of the recipe
 * should reach (config/expect.h). config->recipe becomes the path. */
int config_load_recipe(struct config *config, const char *path, struct error *error);
/* The same from memory: for fuzzing and for a checkpoint's stored configuration. */
int config_parse_recipe(struct config *config, const char *text, size_t length, const char *name, int origin,
                        struct error *error);
/* Gives an option that is still "auto" (or an empty text) the value found for this run; anything that was set stays. */
int config_resolve(struct config *config, const char *name, const char *value, struct error *error);
bool config_is_auto(const struct config *config, const char *name); /* false for names that the command does not take */
/* What no row can check alone: required options are there, and options agree (--warmup-epochs is not above --epochs,
 * --subset comes with --data, --resume without --overwrite ...). */
int config_check(const struct config *config, struct error *error);
/* CONFIG_AS_IT_IS: every value. CONFIG_REPEATABLE: what repeats the run; flags of one start alone (--resume,
 * --overwrite) are written as their defaults. */
enum config_text { CONFIG_AS_IT_IS, CONFIG_REPEATABLE };
/* Effective configuration as a YAML recipe that reproduces it: new string (memory_free), NULL without memory. */
char *config_to_yaml(const struct config *config, enum config_text text);
/* One value as a recipe has it, without quotes: new string (memory_free), NULL without memory. */
char *config_value(const struct config *config, const struct option_row *row);
/* Names of the rows that matter and differ between two configurations of one command, comma separated: new string
 * (memory_free), NULL without memory; empty: resuming is fine. */
char *config_differences(const struct config *a, const struct config *b);

const char *command_name(enum command command);
int command_find(const char *name, enum command *out); /* SIMCLR_INVALID when there is none */

/* A hint for a name that no command has: what it is called here (by `elsewhere`), else one that is spelled nearly so;
 * NULL when there is neither. */
enum { HINT_TEXT = 160 };
const char *command_hint(const char *name, char out[HINT_TEXT]);

static inline bool option_of(const struct option_row *row, enum command command)
{
    const command_set of = COMMAND_SET(command);
    return (row->commands & (of | config_commands[command].borrows)) != 0 && (row->without & of) == 0;
}
/* The row of `name` (dashes or underscores) that `command` takes, or NULL; its index is row - config_options. */
const struct option_row *option_find(const char *name, enum command command);
/* A hint for a name that no option has, as a part of a sentence: "here it is --learning-rate RATE" by `elsewhere`, or
 * "the nearest is --learning-rate" for one of `command` that is spelled nearly so; NULL when there is neither. In a
 * recipe names stand in quotes, without dashes. */
enum hint_for { HINT_COMMAND_LINE, HINT_RECIPE };
const char *option_hint(const char *name, enum command command, enum hint_for where, char out[HINT_TEXT]);
const char *option_type_name(enum option_type type); /* "text", "integer", "number", ... */

#endif
