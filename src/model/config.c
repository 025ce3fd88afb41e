/* model/config.c -- a model's configuration: checked, measured, and as text. */
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"

#include "base/format.h"
#include "model/encoder.h"

static const struct encoder *const ENCODERS[ENCODER_KINDS] = {
    [ENCODER_RESNET] = &resnet_encoder, [ENCODER_ALEXNET] = &alexnet_encoder};

const struct encoder *model_encoder(const struct model_config *config)
{
    const int kind = (int)config->encoder;
    return kind >= 0 && kind < ENCODER_KINDS ? ENCODERS[kind] : NULL;
}

int model_config_check(const struct model_config *config, struct error *error)
{
    const struct encoder *encoder = model_encoder(config);
    if (!encoder)
        return error_set(error, SIMCLR_INVALID, "there is no encoder of kind %d; use resnet or alexnet",
                         (int)config->encoder);
    const int status = encoder->check(config, error);
    if (status) return status;
    if (config->image_size < 8 || config->image_size > 2048)
        return error_set(error, SIMCLR_INVALID, "image size %d is impossible; it lies between 8 and 2048",
                         config->image_size);
    if (config->head_layers < 0 || config->head_layers > 3)
        return error_set(error, SIMCLR_INVALID, "a projection head of %d layers is impossible; it has 0 (none) to 3",
                         config->head_layers);
    if (config->head_layers > 0 && (config->head_dim < 1 || config->head_dim > 65536))
        return error_set(error, SIMCLR_INVALID, "head output of %d is impossible; it lies between 1 and 65536",
                         config->head_dim);
    if (config->classes < 0 || config->classes > 1000000)
        return error_set(error, SIMCLR_INVALID, "%d classes are impossible; use 0 (no classifier) to 1000000",
                         config->classes);
    if (config->cut < 0 || config->cut > config->head_layers || (config->cut > 0 && config->classes == 0))
        return error_set(error, SIMCLR_INVALID,
                         "a classifier after head layer %d is impossible: the head has %d layers, and %s", config->cut,
                         config->head_layers,
                         config->classes > 0 ? "0 stands for none of them" : "there are no classes");
    return SIMCLR_OK;
}

int model_find_encoder(const char *name, enum encoder_kind *out)
{
    for (int kind = 0; kind < ENCODER_KINDS; kind++) {
        if (strcmp(ENCODERS[kind]->name, name) != 0) continue;
        *out = (enum encoder_kind)kind;
        return SIMCLR_OK;
    }
    return SIMCLR_INVALID;
}

struct model_names model_names(enum encoder_kind kind)
{
    return ENCODERS[kind]->names;
}

int model_least_size(enum encoder_kind kind)
{
    return ENCODERS[kind]->least_size;
}

int model_feature_dim(const struct model_config *config)
{
    const struct encoder *encoder = model_encoder(config);
    return encoder ? encoder->feature_dim(config) : 0;
}

int model_output_dim(const struct model_config *config)
{
    if (config->classes > 0) return config->classes;
    return config->head_layers > 0 ? config->head_dim : model_feature_dim(config);
}

int model_layers(const struct model_config *config)
{
    return config->classes > 0 ? config->cut : config->head_layers;
}

int model_layer_dim(const struct model_config *config, int layer)
{
    return layer > 0 && layer == config->head_layers ? config->head_dim : model_feature_dim(config);
}

struct model_title model_title(const struct model_config *config)
{
    struct model_title title = {{0}, {0}, {0}};
    const struct encoder *encoder = model_encoder(config);
    if (encoder) encoder->title(config, &title);
    return title;
}

/* ---- text: writing ------------------------------------------------------------------------------------------- */
void model_text_add(struct model_text *text, const char *key, const char *format, ...)
{
    if (text->count == MODEL_TEXT_ENTRIES) return;
    va_list arguments;
    va_start(arguments, format);
    format_plain(text->entry[text->count].value, MODEL_TEXT_LENGTH, format, arguments);
    va_end(arguments);
    text->entry[text->count++].key = key;
}

void model_config_to_text(const struct model_config *config, struct model_text *text)
{
    const struct encoder *encoder = model_encoder(config);
    text->count = 0;
    if (!encoder) return;
    if (config->encoder != ENCODER_RESNET) model_text_add(text, "encoder", "%s", encoder->name);
    encoder->to_text(config, text);
    model_text_add(text, "image_size", "%d", config->image_size);
    model_text_add(text, "head_layers", "%d", config->head_layers);
    model_text_add(text, "head_dim", "%d", config->head_dim);
    model_text_add(text, "classes", "%d", config->classes);
    if (config->cut > 0) model_text_add(text, "cut", "%d", config->cut);
}

const char *model_text_value(const struct model_text *text, const char *key)
{
    for (int i = 0; i < text->count; i++)
        if (strcmp(text->entry[i].key, key) == 0) return text->entry[i].value;
    return NULL;
}

/* ---- text: reading ------------------------------------------------------------------------------------------- */
int model_text_bad(const char *key, const char *value, struct error *error)
{
    return error_set(error, SIMCLR_CORRUPT,
                     "the description of the model says that '%s' is '%.60s', which is not possible; the file is "
                     "damaged, use another",
                     key, value);
}

int model_text_string(model_text_find *find, const void *context, const char *key, const char **out,
                      struct error *error)
{
    *out = find(context, key);
    if (*out) return SIMCLR_OK;
    return error_set(error, SIMCLR_CORRUPT,
                     "the description of the model has no '%s'; the file is damaged, or not of simclr", key);
}

int model_text_int(model_text_find *find, const void *context, const char *key, int *out, struct error *error)
{
    const char *value;
    char *end;
    const int status = model_text_string(find, context, key, &value, error);
    if (status) return status;
    errno = 0;
    const long number = strtol(value, &end, 10);
    if (errno || end == value || *end || number < INT_MIN || number > INT_MAX) return model_text_bad(key, value, error);
    *out = (int)number;
    return SIMCLR_OK;
}

int model_text_number(model_text_find *find, const void *context, const char *key, double *out, struct error *error)
{
    const char *value;
    char *end;
    const int status = model_text_string(find, context, key, &value, error);
    if (status) return status;
    *out = number_read(value, &end);
    return end == value || *end || !isfinite(*out) ? model_text_bad(key, value, error) : SIMCLR_OK;
}

static int read_kind(struct model_config *out, const char *name, struct error *error)
{
    if (!name) return SIMCLR_OK; /* ENCODER_RESNET */
    return model_find_encoder(name, &out->encoder) ? model_text_bad("encoder", name, error) : SIMCLR_OK;
}

int model_config_from_text(struct model_config *out, model_text_find *find, const void *context, struct error *error)
{
    *out = (struct model_config){.encoder = ENCODER_RESNET};
    int status = read_kind(out, find(context, "encoder"), error);
    if (!status) status = model_encoder(out)->from_text(out, find, context, error);
    if (!status) status = model_text_int(find, context, "image_size", &out->image_size, error);
    if (!status) status = model_text_int(find, context, "head_layers", &out->head_layers, error);
    if (!status) status = model_text_int(find, context, "head_dim", &out->head_dim, error);
    if (!status) status = model_text_int(find, context, "classes", &out->classes, error);
    if (!status && find(context, "cut")) status = model_text_int(find, context, "cut", &out->cut, error);
    if (status) return status;
    if (model_config_check(out, error)) {
        error_prefix(error, "the description of the model");
        if (error) error->status = SIMCLR_CORRUPT; /* the file is wrong, not what the user asked for */
        return SIMCLR_CORRUPT;
    }
    return SIMCLR_OK;
}
