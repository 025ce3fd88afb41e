/* api/simclr.c -- contexts, configurations and commands of the public header, over the rooms below. */
#include "simclr/simclr.h"

#include <string.h>

#include "api/internal.h"
#include "base/escape.h"
#include "base/memory.h"
#include "command/table.h"
#include "config/config.h"

#ifndef SIMCLR_VERSION
#define SIMCLR_VERSION "0.0.0"
#endif

/* Origins of values, as config.h numbers them. */
enum { FROM_RECIPE = 1, FROM_CALLER = 2 };

struct simclr_config {
    simclr_context *context;
    struct config *config;
    char *yaml; /* the last answer of simclr_config_yaml */
};

/* ---- context -------------------------------------------------------------------------------------------------- */

int simclr_open(simclr_context **out, const simclr_options *options)
{
    if (!out) return SIMCLR_INVALID;
    *out = memory_allocate(sizeof **out);
    if (!*out) return SIMCLR_NO_MEMORY;
    if (options) (*out)->options = *options;
    return SIMCLR_OK;
}

void simclr_close(simclr_context **context)
{
    if (!context) return;
    if (*context) communicator_destroy(&(*context)->parting);
    memory_free(*context);
    *context = NULL;
}

const char *simclr_error(const simclr_context *context)
{
    if (!context) return "";
    simclr_context *own = (simclr_context *)context; /* of one thread at a time; none lies in memory that is constant */
    escape_write(own->shown, sizeof own->shown, context->error.text, strlen(context->error.text));
    return own->shown;
}

size_t simclr_escape(char *out, size_t capacity, const char *text)
{
    return text ? escape_write(out, capacity, text, strlen(text)) : escape_write(out, capacity, "", 0);
}

const char *simclr_version(void)
{
    return SIMCLR_VERSION;
}

void simclr_interrupt(simclr_context *context)
{
    if (context) atomic_store_explicit(&context->interrupted, 1, memory_order_relaxed);
}

void context_begin(simclr_context *context)
{
    context->error.status = SIMCLR_OK;
    context->error.text[0] = '\0';
}

static void pass_log(void *cookie, enum log_level level, const char *line)
{
    const simclr_context *context = cookie;
    static const enum simclr_log_level levels[] = {
        [LOG_DEBUG] = SIMCLR_LOG_DEBUG,
        [LOG_INFO] = SIMCLR_LOG_INFO,
        [LOG_WARNING] = SIMCLR_LOG_WARNING,
        [LOG_ERROR] = SIMCLR_LOG_ERROR,
    };
    if (context->options.log) context->options.log(context->options.cookie, levels[level], line);
}

static void pass_output(void *cookie, const char *text, size_t length)
{
    const simclr_context *context = cookie;
    if (context->options.output) context->options.output(context->options.cookie, text, length);
}

static void pass_progress(void *cookie, const struct progress *progress)
{
    const simclr_context *context = cookie;
    if (!context->options.progress) return;
    const simclr_progress shown = {
        .phase = progress->phase,
        .step = progress->step,
        .steps = progress->steps,
        .epoch = progress->epoch,
        .epochs = progress->epochs,
        .views_per_second = progress->views_per_second,
        .wait_share = progress->wait_share,
        .eta_seconds = progress->eta_seconds,
        .loss = progress->loss,
        .chance_loss = progress->chance_loss,
        .top1 = progress->top1,
        .learning_rate = progress->learning_rate,
    };
    context->options.progress(context->options.cookie, &shown);
}

void context_session(simclr_context *context, const struct config *config, struct session *out)
{
    *out = (struct session){
        .config = config,
        .log = {pass_log, context},
        .output = pass_output,
        .progress = pass_progress,
        .cookie = context,
        .interrupted = &context->interrupted,
        .output_lost = &context->output_lost,
        .parting = &context->parting,
    };
}

/* ---- configuration -------------------------------------------------------------------------------------------- */

int simclr_config_create(simclr_context *context, const char *command, simclr_config **out)
{
    enum command number;

    if (out) *out = NULL;
    if (!context) return SIMCLR_INVALID;
    context_begin(context);
    if (!command || !out)
        return error_set(&context->error, SIMCLR_INVALID,
                         "a configuration needs the name of a command and a place to put it; one is NULL");
    if (command_find(command, &number) != SIMCLR_OK) {
        char text[HINT_TEXT];
        const char *hint = command_hint(command, text);
        return error_set(&context->error, SIMCLR_INVALID, "unknown command \"%.60s\"%s%s", command, hint ? "; " : "",
                         hint ? hint : "");
    }
    simclr_config *config = memory_allocate(sizeof *config);
    if (!config) return error_no_memory(&context->error, "a configuration", sizeof *config);
    config->context = context;
    const int status = config_create(&config->config, number, &context->error);
    if (status != SIMCLR_OK)
        memory_free(config);
    else
        *out = config;
    return status;
}

void simclr_config_destroy(simclr_config **config)
{
    if (!config || !*config) return;
    config_destroy(&(*config)->config);
    memory_free((*config)->yaml);
    memory_free(*config);
    *config = NULL;
}

int simclr_config_set(simclr_config *config, const char *name, const char *value)
{
    if (!config) return SIMCLR_INVALID;
    context_begin(config->context);
    if (!name || !value) {
        return error_set(&config->context->error, SIMCLR_INVALID, "an option needs a name and a value; one is NULL");
    }
    return config_set(config->config, name, value, FROM_CALLER, &config->context->error);
}

int simclr_config_load(simclr_config *config, const char *recipe_path)
{
    if (!config) return SIMCLR_INVALID;
    context_begin(config->context);
    if (!recipe_path) return error_set(&config->context->error, SIMCLR_INVALID, "the path of the recipe is NULL");
    return config_load_recipe(config->config, recipe_path, &config->context->error);
}

const char *simclr_config_yaml(simclr_config *config)
{
    if (!config) return "";
    context_begin(config->context);
    memory_free(config->yaml);
    config->yaml = config_to_yaml(config->config, CONFIG_AS_IT_IS);
    if (config->yaml) return config->yaml;
    error_no_memory(&config->context->error, "the configuration's text", 1);
    return "";
}

int simclr_option_at(const char *command, int index, simclr_option *out)
{
    enum command number;

    if (!command || !out || index < 0 || command_find(command, &number) != SIMCLR_OK) return SIMCLR_INVALID;
    for (int i = 0; i < config_option_count; i++) {
        const struct option_row *row = &config_options[i];
        if (!option_of(row, number) || index-- > 0) continue;
        *out = (simclr_option){
            .name = row->name,
            .argument = row->argument,
            .type = option_type_name(row->type),
            .default_text = row->default_text,
            .choices = row->choices,
            .words = row->aliases,
            .section = row->section,
            .help = row->help,
            .minimum = row->minimum,
            .maximum = row->maximum,
            .required = row->required,
        };
        return SIMCLR_OK;
    }
    return SIMCLR_INVALID;
}

int simclr_command_at(int index, simclr_command *out)
{
    if (!out || index < 0 || index >= COMMAND_COUNT) return SIMCLR_INVALID;
    const struct command_row *row = &config_commands[index];
    *out = (simclr_command){
        .name = row->name,
        .summary = row->summary,
        .word = row->word,
        .words = row->words,
        .help = row->help,
        .examples = row->examples,
    };
    return SIMCLR_OK;
}

/* ---- commands ------------------------------------------------------------------------------------------------- */

int simclr_run(simclr_context *context, const simclr_config *config)
{
    struct session session;

    if (!context) return SIMCLR_INVALID;
    context_begin(context);
    if (!config) return error_set(&context->error, SIMCLR_INVALID, "there is no configuration to run: it is NULL");
    int status = config_check(config->config, &context->error);
    if (status != SIMCLR_OK) return status;
    communicator_destroy(&context->parting);
    context_session(context, config->config, &session);
    context->output_lost = false;
    status = command_run(&session, &context->error);
    if (status == SIMCLR_OK && context->output_lost)
        status = error_set(&context->error, SIMCLR_NO_MEMORY, "no memory for the results, of which some are not shown");
    atomic_store_explicit(&context->interrupted, 0, memory_order_relaxed); /* the request has been served */
    return status;
}
