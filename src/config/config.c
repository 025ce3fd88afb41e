/* config/config.c -- one command's settings: defaults, setting by name, and checks across options. */
#include "config/config.h"

#include <string.h>

#include "base/format.h"
#include "base/memory.h"
#include "config/values.h"

const struct option_row *option_find_any(const char *name)
{
    for (int i = 0; i < COMMAND_COUNT; i++) {
        const struct option_row *row = option_find(name, (enum command)i);
        if (row) return row;
    }
    return NULL;
}

static bool takes_text(const struct option_row *row)
{
    return row->type == OPTION_STRING || row->type == OPTION_LIST || row->type == OPTION_CHOICE ||
           row->type == OPTION_RGB;
}

static bool takes(const struct config *config, const struct option_row *row)
{
    return option_of(row, config->command);
}

/* Every field gets the default of its first row, then those of this command's rows. */
static int set_defaults(struct config *config, struct error *error)
{
    for (int i = config_option_count - 1; i >= 0; i--) {
        const struct option_row *row = &config_options[i];
        if (value_set(config, row, row->default_text) != SIMCLR_OK) return error_no_memory(error, row->name, 1);
    }
    for (int i = 0; i < config_option_count; i++) {
        const struct option_row *row = &config_options[i];
        if (!takes(config, row)) continue;
        if (value_set(config, row, row->default_text) != SIMCLR_OK) return error_no_memory(error, row->name, 1);
    }
    return SIMCLR_OK;
}

int config_create(struct config **out, enum command command, struct error *error)
{
    const size_t bytes = sizeof(struct config);
    struct config *config = memory_allocate(bytes);

    *out = NULL;
    if (!config) {
        error_no_memory(error, "a configuration", bytes);
        return SIMCLR_NO_MEMORY;
    }
    config->command = command;
    config->origin = memory_allocate((size_t)config_option_count);
    config->notes = memory_string("");
    if (!config->origin || !config->notes || set_defaults(config, error) != SIMCLR_OK) {
        config_destroy(&config);
        error_no_memory(error, "a configuration", bytes);
        return SIMCLR_NO_MEMORY;
    }
    *out = config;
    return SIMCLR_OK;
}

/* As it is: rows of one field may allow different words, of which only the command's own was checked. */
static int copy_text(void *to, const void *from)
{
    char *text = memory_string(*(char *const *)from), **field = to;

    if (!text) return SIMCLR_NO_MEMORY;
    memory_free(*field);
    *field = text;
    return SIMCLR_OK;
}

int config_copy(struct config **out, const struct config *config, struct error *error)
{
    struct config *copy;

    *out = NULL;
    int status = config_create(&copy, config->command, error);
    if (status != SIMCLR_OK) return status;
    for (int i = 0; i < config_option_count; i++) {
        const struct option_row *row = &config_options[i];
        const size_t offset = row->offset;
        const char *from = (const char *)config + offset;
        if (takes_text(row))
            status = copy_text((char *)copy + offset, from);
        else
            memcpy((char *)copy + offset, from, row->type == OPTION_BOOLEAN ? sizeof(bool) : sizeof(int64_t));
        if (status != SIMCLR_OK) {
            config_destroy(&copy);
            return error_no_memory(error, "a configuration", sizeof *config);
        }
    }
    memory_free(copy->notes);
    copy->notes = memory_string(config->notes);
    if (!copy->notes || expectations_copy(&copy->expect, &config->expect)) {
        config_destroy(&copy);
        return error_no_memory(error, "a configuration", sizeof *config);
    }
    memcpy(copy->origin, config->origin, (size_t)config_option_count);
    *out = copy;
    return SIMCLR_OK;
}

int config_derive(struct config **out, const struct config *config, enum command command, struct error *error)
{
    int status = config_create(out, command, error);
    for (int i = 0; i < config_option_count && !status; i++) {
        const struct option_row *row = &config_options[i];
        struct text value = {0};
        if (!takes(config, row) || !option_find(row->name, command) || strcmp(row->name, "recipe") == 0) continue;
        value_write(config, row, &value);
        status = value.failed ? error_no_memory(error, row->name, value.capacity)
                              : config_set(*out, row->name, value.bytes ? value.bytes : "", 1, error);
        text_free(&value);
    }
    if (status) config_destroy(out);
    return status;
}

void config_destroy(struct config **config)
{
    if (!config || !*config) return;
    for (int i = 0; i < config_option_count; i++) {
        if (!takes_text(&config_options[i])) continue;
        char **field = (char **)((char *)*config + config_options[i].offset);
        memory_free(*field);
        *field = NULL;
    }
    expectations_free(&(*config)->expect);
    memory_free((*config)->origin);
    memory_free((*config)->notes);
    memory_free(*config);
    *config = NULL;
}

char *config_value(const struct config *config, const struct option_row *row)
{
    struct text out = {0};
    value_write(config, row, &out);
    char *value = out.failed ? NULL : memory_string(out.bytes ? out.bytes : "");
    text_free(&out);
    return value;
}

/* ---- setting by name ------------------------------------------------------------------------------------------ */

/* The sentence for a name that the command does not take. */
static int refuse_name(const struct config *config, const char *name, struct error *error)
{
    char shown[SHOWN_TEXT];

    value_shown(name, shown);
    if (option_find_any(name)) {
        return error_set(error, SIMCLR_INVALID, "--%s is not an option of %s; see simclr %s --help", shown,
                         command_name(config->command), command_name(config->command));
    }
    char text[HINT_TEXT];
    const char *hint = option_hint(name, config->command, HINT_COMMAND_LINE, text);
    return error_set(error, SIMCLR_INVALID, "unknown option --%s; %s%ssee simclr %s --help", shown, hint ? hint : "",
                     hint ? "; " : "", command_name(config->command));
}

int config_set(struct config *config, const char *name, const char *value, int origin, struct error *error)
{
    const struct option_row *row = option_find(name, config->command);
    char shown[SHOWN_TEXT], allowed[ALLOWED_TEXT];

    if (!row) return refuse_name(config, name, error);
    unsigned char *before = &config->origin[row - config_options];
    if (*before > origin) return SIMCLR_OK;
    const int status =
        *before == origin && row->type == OPTION_LIST ? value_add(config, row, value) : value_set(config, row, value);
    if (status == SIMCLR_NO_MEMORY) return error_no_memory(error, row->name, strlen(value) + 1);
    if (status != SIMCLR_OK) {
        value_shown(value, shown);
        value_allowed(row, allowed);
        return error_set(error, SIMCLR_INVALID, "--%s takes %s, not \"%s\"", row->name, allowed, shown);
    }
    *before = (unsigned char)origin;
    if (strcmp(row->name, "recipe") == 0 && value[0] != '\0') return config_load_recipe(config, value, error);
    return SIMCLR_OK;
}

/* The command's own row, or the one that gave the field its default. */
static const struct option_row *row_for(const struct config *config, const char *name)
{
    const struct option_row *row = option_find(name, config->command);

    for (int i = 0; !row && i < config_option_count; i++) {
        if (strcmp(config_options[i].name, name) == 0) row = &config_options[i];
    }
    return row;
}

int config_resolve(struct config *config, const char *name, const char *value, struct error *error)
{
    const struct option_row *row = row_for(config, name);

    if (!row) return error_set(error, SIMCLR_INVALID, "there is no option \"%s\" to resolve", name);
    if (!value_is_auto(config, row)) return SIMCLR_OK;
    const int status = value_set(config, row, value);
    if (status == SIMCLR_NO_MEMORY) return error_no_memory(error, row->name, strlen(value) + 1);
    if (status != SIMCLR_OK) {
        return error_set(error, SIMCLR_INVALID, "--%s cannot be resolved to \"%s\" here; set it", row->name, value);
    }
    return SIMCLR_OK;
}

bool config_is_auto(const struct config *config, const char *name)
{
    const struct option_row *row = row_for(config, name);
    return row && value_is_auto(config, row);
}

/* ---- checks across options ------------------------------------------------------------------------------------ */

static int check_required(const struct config *config, struct error *error)
{
    for (int i = 0; i < config_option_count; i++) {
        const struct option_row *row = &config_options[i];
        const char *const *text = (const char *const *)(const void *)((const char *)config + row->offset);
        if (!row->required || !takes(config, row) || (*text)[0] != '\0') continue; /* required options are text */
        return error_set(error, SIMCLR_INVALID, "%s needs --%s %s: %s", command_name(config->command), row->name,
                         row->argument, row->help);
    }
    return SIMCLR_OK;
}

static int check_order(const char *low_name, double low, const char *high_name, double high, struct error *error)
{
    if (low <= high) return SIMCLR_OK;
    return error_set(error, SIMCLR_INVALID, "--%s %g is above --%s %g; swap them or change one", low_name, low,
                     high_name, high);
}

static int check_views(const struct config *c, struct error *error)
{
    const struct {
        const char *low_name, *high_name;
        double low, high;
    } pairs[] = {
        {"crop-area-min", "crop-area-max", c->crop_area_min, c->crop_area_max},
        {"crop-ratio-min", "crop-ratio-max", c->crop_ratio_min, c->crop_ratio_max},
        {"blur-sigma-min", "blur-sigma-max", c->blur_sigma_min, c->blur_sigma_max},
    };

    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        const int status = check_order(pairs[i].low_name, pairs[i].low, pairs[i].high_name, pairs[i].high, error);
        if (status != SIMCLR_OK) return status;
    }
    if (c->crop_area_max <= 0 && c->crop_probability > 0) {
        return error_set(error, SIMCLR_INVALID, "--crop-area-max 0 leaves no crop; use --crop-probability 0 for none");
    }
    if (c->blur_sigma_max <= 0 && c->blur_probability > 0) {
        return error_set(error, SIMCLR_INVALID, "--blur-sigma-max 0 leaves no blur; use --blur-probability 0 for none");
    }
    if ((c->mean[0] == '\0') != (c->std[0] == '\0')) {
        return error_set(error, SIMCLR_INVALID, "--mean and --std go together: give both or neither");
    }
    return SIMCLR_OK;
}

/* An encoder with images, or a table of features with another or none. */
static int check_explored(const struct config *c, struct error *error)
{
    const char *name = command_name(c->command);
    if (!c->features[0] && c->test_features[0])
        return error_set(error, SIMCLR_INVALID, "--test-features goes with --features FILE, the rows before them");
    if (!c->features[0] && !c->checkpoint[0])
        return error_set(error, SIMCLR_INVALID,
                         "%s needs a trained encoder and images: %s MODEL --data PATH; or --features FILE", name, name);
    if (!c->features[0])
        return c->data[0] ? SIMCLR_OK
                          : error_set(error, SIMCLR_INVALID, "%s needs --data PATH: the images to look at", name);
    if (c->checkpoint[0] || c->data[0] || c->test_data[0] || c->layer > 0)
        return error_set(error, SIMCLR_INVALID,
                         "--features takes the place of the encoder, --data, --test-data and --layer: give one or the "
                         "other");
    if (c->origin[option_find("part", c->command) - config_options] == 2)
        return error_set(error, SIMCLR_INVALID,
                         "--part is of --data: all rows of --features and --test-features are taken");
    return SIMCLR_OK;
}

/* An encoder with images, or two tables of features. */
static int check_judged(const struct config *c, struct error *error)
{
    const char *name = command_name(c->command);
    const bool sgd = strcmp(c->solver, "sgd") == 0;
    if (!option_find("features", c->command)) return SIMCLR_OK;
    if (option_find("part", c->command)) return check_explored(c, error);
    if (sgd && c->features[0])
        return error_set(error, SIMCLR_INVALID,
                         "--solver sgd needs images, of which it makes fresh views: give --checkpoint and --data");
    if (!c->features[0] && c->test_features[0])
        return error_set(error, SIMCLR_INVALID, "--test-features goes with --features FILE, the training features");
    if (!c->features[0] && c->compare_test[0])
        return error_set(error, SIMCLR_INVALID,
                         "--compare-test goes with --features and --compare FILE: of an encoder --compare takes the "
                         "checkpoint alone");
    if (!c->features[0] && !c->checkpoint[0])
        return error_set(error, SIMCLR_INVALID,
                         "%s needs --checkpoint PATH with --data PATH: a trained encoder and labelled images; or "
                         "--features FILE with --test-features FILE",
                         name);
    if (!c->features[0])
        return c->data[0] ? SIMCLR_OK
                          : error_set(error, SIMCLR_INVALID, "%s needs --data PATH: labelled images to judge by", name);
    if (!c->test_features[0])
        return error_set(error, SIMCLR_INVALID, "--features goes with --test-features FILE, the features to test on");
    if (c->checkpoint[0] || c->data[0] || c->test_data[0] || c->features_out[0] || c->layer > 0)
        return error_set(error, SIMCLR_INVALID,
                         "--features takes the place of --checkpoint, --data, --test-data, --layer and --features-out: "
                         "give one or the other");
    if ((c->compare[0] != '\0') != (c->compare_test[0] != '\0'))
        return error_set(error, SIMCLR_INVALID,
                         "with --features, --compare FILE and --compare-test FILE go together: the other encoder's "
                         "training and test features");
    return SIMCLR_OK;
}

/* Was it given, or does a recipe say something else than its default? (A run's own recipe has every option.) */
static bool is_chosen(const struct config *c, const struct option_row *row)
{
    const int origin = c->origin[row - config_options];
    struct text value = {0};
    if (origin != 1) return origin > 1;
    value_write(c, row, &value);
    const bool chosen = !value.bytes || strcmp(value.bytes, row->default_text) != 0;
    text_free(&value);
    return chosen;
}

/* Options that belong to one kind of encoder. */
static int check_encoder(const struct config *c, struct error *error)
{
    static const char *const of_resnets[] = {"depth", "stem"};
    if (strcmp(c->encoder, "resnet") == 0) return SIMCLR_OK;
    for (size_t i = 0; i < sizeof of_resnets / sizeof *of_resnets; i++) {
        const struct option_row *row = option_find(of_resnets[i], c->command);
        if (row && is_chosen(c, row))
            return error_set(error, SIMCLR_INVALID,
                             "--encoder %s has no --%s, which is of ResNets: leave it out, or take --encoder resnet",
                             c->encoder, row->name);
    }
    return SIMCLR_OK;
}

/* The divisor of `number` that is nearest to `wanted` on one side (step -1 or 1), from 2 to the number itself. */
static int64_t nearest_divisor(int64_t number, int64_t wanted, int step)
{
    for (int64_t d = wanted; d >= 2 && d <= number; d += step)
        if (number % d == 0) return d;
    return 0;
}

static int check_groups(const struct config *c, struct error *error)
{
    const int64_t images = c->batch_norm_images, batch = c->batch;
    if (images == 0 && c->batch_norm_shuffle)
        return error_set(error, SIMCLR_INVALID,
                         "--batch-norm-shuffle needs groups to shuffle: give --batch-norm-images N too, a divisor of "
                         "--batch %lld",
                         (long long)batch);
    if (images == 0) return SIMCLR_OK;
    if (batch == 0)
        return error_set(error, SIMCLR_INVALID,
                         "--batch-norm-images goes with a batch that is given: --batch auto does not know of groups");
    if (images > batch)
        return error_set(error, SIMCLR_INVALID,
                         "--batch-norm-images %lld is more than --batch %lld has: give all, or a "
                         "divisor of %lld",
                         (long long)images, (long long)batch, (long long)batch);
    if (images > 1 && batch % images == 0) return SIMCLR_OK;
    const int64_t below = nearest_divisor(batch, images, -1), above = nearest_divisor(batch, images + (images == 1), 1);
    char or_below[40] = "";
    if (below > 0) format_write(or_below, sizeof or_below, "%lld or ", (long long)below);
    return error_set(error, SIMCLR_INVALID,
                     "--batch %lld does not fall into groups of --batch-norm-images %lld: the nearest that do are of "
                     "%s%lld images%s",
                     (long long)batch, (long long)images, or_below, (long long)above,
                     images == 1 ? " (an image alone would be normalised by itself)" : "");
}

/* Who decides how long a run is: the nearer hand, or neither. */
static int check_length(const struct config *c, struct error *error)
{
    static const char *const others[] = {"epochs", "steps"};
    const struct option_row *time = option_find("time", c->command);
    for (size_t i = 0; time && c->time > 0 && i < sizeof others / sizeof *others; i++) {
        const int origin = c->origin[option_find(others[i], c->command) - config_options];
        if (origin > 0 && origin == c->origin[time - config_options])
            return error_set(error, SIMCLR_INVALID,
                             "--time chooses the epochs, and --%s gives them: give one of the two", others[i]);
    }
    return SIMCLR_OK;
}

int config_check(const struct config *c, struct error *error)
{
    int status = check_required(c, error);
    if (status != SIMCLR_OK) return status;
    status = check_judged(c, error);
    if (status != SIMCLR_OK) return status;
    status = check_views(c, error);
    if (!status) status = check_encoder(c, error);
    if (!status) status = check_groups(c, error);
    if (!status) status = check_length(c, error);
    if (status != SIMCLR_OK) return status;
    /* --steps decides the length where it is given: pretrain compares once it knows the epochs that they are */
    if (c->epochs > 0 && c->steps == 0 && c->warmup_epochs > (double)c->epochs) {
        return check_order("warmup-epochs", c->warmup_epochs, "epochs", (double)c->epochs, error);
    }
    if (c->image_size > 0 && c->blur_radius >= c->image_size) {
        return error_set(error, SIMCLR_INVALID, "--blur-radius %d does not fit in views of --image-size %d",
                         (int)c->blur_radius, (int)c->image_size);
    }
    if (c->subset[0] && !c->data[0] && c->command != COMMAND_PREDICT) /* its words may be sets: it looks at them */
        return error_set(error, SIMCLR_INVALID, "--subset goes with --data: it names images of that set");
    if (c->resume && c->overwrite) {
        return error_set(error, SIMCLR_INVALID, "--resume and --overwrite contradict each other; give one of them");
    }
    return SIMCLR_OK;
}
