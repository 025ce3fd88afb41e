/* export/classes.c -- see classes.h. */
#include "export/classes.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "checkpoint/safetensors.h"

#define FILE_NAME "classifier.safetensors"
#define FORMAT "simclr-classifier"

void export_classes_free(struct export_classes *classes)
{
    memory_free(classes->weight);
    memory_free(classes->bias);
    memory_free(classes->names);
    text_free(&classes->letters);
    *classes = (struct export_classes){0};
}

char *export_place(const char *path, int place, const char *name)
{
    struct text text = {0};
    const char *slash = strrchr(path, '/');
    const bool folder = file_is_folder(path);
    if (place < 2 && !folder && slash) text_add_bytes(&text, path, (size_t)(slash - path));
    if (place < 2 && folder) text_add(&text, "%s", path);
    const bool ends = text.length > 0 && text.bytes[text.length - 1] == '/';
    text_add(&text, "%s%s%s", (text.length > 0 && !ends) || (place < 2 && slash == path) ? "/" : "",
             place > 0 ? "evaluation/" : "", name);
    char *out = text.failed ? NULL : memory_string(text.bytes);
    text_free(&text);
    return out;
}

/* ---- a file ---- */
struct reading {
    const struct safetensors *file;
    const char *path;
    struct error *error;
};

static int refuse(const struct reading *reading, const char *what)
{
    return error_set(reading->error, SIMCLR_CORRUPT, "%s: this is no whole classifier (%s): make it anew",
                     reading->path, what);
}

/* A new block of the values of a tensor, which are finite. */
static int read_floats(const struct reading *reading, const char *name, int rank, float **out,
                       const struct safetensors_entry **found)
{
    const struct safetensors_entry *entry = safetensors_find(reading->file, name);
    if (!entry || entry->dtype != ST_F32 || entry->rank != rank || entry->bytes == 0) return refuse(reading, name);
    const size_t count = entry->bytes / sizeof **out;
    *found = entry;
    *out = memory_array(count, sizeof **out);
    if (!*out) return error_no_memory(reading->error, name, entry->bytes);
    memcpy(*out, entry->data, entry->bytes);
    for (size_t i = 0; i < count; i++)
        if (!isfinite((*out)[i])) return refuse(reading, name);
    return SIMCLR_OK;
}

static int read_linear(const struct reading *reading, struct export_classes *out)
{
    const struct safetensors_entry *weight, *bias, *temperature;
    float *value = NULL;
    int status = read_floats(reading, "weight", 2, &out->weight, &weight);
    if (!status) status = read_floats(reading, "bias", 1, &out->bias, &bias);
    if (!status && (bias->dims[0] != weight->dims[0] || weight->dims[0] > INT32_MAX || weight->dims[1] > INT32_MAX))
        status = refuse(reading, "weight");
    if (!status) status = read_floats(reading, "temperature", 1, &value, &temperature);
    if (!status && !(temperature->dims[0] == 1 && *value > 0)) status = refuse(reading, "temperature");
    if (!status) {
        out->count = (int)weight->dims[0];
        out->dim = (int)weight->dims[1];
        out->temperature = (double)*value;
    }
    memory_free(value);
    return status;
}

/* Points at each of `count` names that NULs end; false where there are others. */
static bool find_names(struct export_classes *classes, int count)
{
    char *at = classes->letters.bytes, *end = at + classes->letters.length;
    for (int i = 0; i < count; i++) {
        classes->names[i] = at;
        at = at < end ? memchr(at, '\0', (size_t)(end - at)) : NULL;
        if (!at) return false;
        at++;
    }
    return at == end;
}

static int read_names(const struct reading *reading, struct export_classes *out)
{
    const struct safetensors_entry *entry = safetensors_find(reading->file, "classes");
    if (!entry || entry->dtype != ST_U8 || entry->rank != 1) return refuse(reading, "classes");
    text_add_bytes(&out->letters, entry->data, entry->bytes);
    out->names = memory_array((size_t)out->count, sizeof *out->names);
    if (out->letters.failed || !out->names) return error_no_memory(reading->error, "names of classes", entry->bytes);
    return find_names(out, out->count) ? SIMCLR_OK : refuse(reading, "classes");
}

/* *hash: of its encoder; "": there is none. It lives as long as the file. */
static int read_file(const struct reading *reading, struct export_classes *out, const char **hash)
{
    const char *format = safetensors_metadata(reading->file, "format"),
               *layer = safetensors_metadata(reading->file, "layer");
    if (!format || strcmp(format, FORMAT) != 0) return refuse(reading, "format");
    *hash = safetensors_metadata(reading->file, "encoder_hash");
    if (!*hash) *hash = "";
    out->layer = layer ? atoi(layer) : 0;
    const int status = read_linear(reading, out);
    return status ? status : read_names(reading, out);
}

/* *theirs: it belongs to another encoder, and *out is empty. */
static int read_classes(struct export_classes *out, const struct model *model, const char *path, bool *theirs,
                        struct error *error)
{
    struct safetensors *file;
    char ours[24];
    const char *hash = "";
    int status = safetensors_open(&file, path, error);
    if (status) return status;
    const struct reading reading = {file, path, error};
    status = read_file(&reading, out, &hash);
    snprintf(ours, sizeof ours, "%016" PRIx64, parameters_encoder_hash(&model->parameters));
    *theirs = !status && strcmp(hash, ours) != 0;
    safetensors_close(&file);
    if (!status && !*theirs &&
        (out->layer < 0 || out->layer > model_layers(&model->config) ||
         out->dim != model_layer_dim(&model->config, out->layer)))
        status = refuse(&reading, "weight");
    if (status || *theirs) export_classes_free(out);
    return status;
}

/* ---- the model's own ---- */
static int take_own(struct export_classes *out, const struct model *model, struct error *error)
{
    const struct parameters *parameters = &model->parameters;
    char name[96];
    snprintf(name, sizeof name, "%s.weight", model_names(model->config.encoder).classifier);
    const int weight = parameters_find(parameters, name);
    snprintf(name, sizeof name, "%s.bias", model_names(model->config.encoder).classifier);
    const int bias = parameters_find(parameters, name), classes = model->config.classes;
    if (weight < 0 || bias < 0) return error_set(error, SIMCLR_CORRUPT, "the classifier lacks its weights");
    *out = (struct export_classes){.dim = model_layer_dim(&model->config, model->config.cut),
                                   .layer = model->config.cut,
                                   .temperature = 1,
                                   .numbered = true};
    const size_t count = (size_t)classes * (size_t)out->dim;
    out->weight = memory_array(count, sizeof *out->weight);
    out->bias = memory_array((size_t)classes, sizeof *out->bias);
    out->names = memory_array((size_t)classes, sizeof *out->names);
    for (int i = 0; i < classes; i++) {
        char number[16];
        text_add_bytes(&out->letters, number, (size_t)snprintf(number, sizeof number, "%d", i) + 1);
    }
    if (!out->weight || !out->bias || !out->names || out->letters.failed) {
        export_classes_free(out);
        return error_no_memory(error, "a classifier", count * sizeof *out->weight);
    }
    memcpy(out->weight, parameters_look(parameters, parameter_weights(parameters, weight), count),
           count * sizeof *out->weight);
    memcpy(out->bias, parameters_look(parameters, parameter_weights(parameters, bias), (size_t)classes),
           (size_t)classes * sizeof *out->bias);
    out->count = classes;
    find_names(out, classes);
    return SIMCLR_OK;
}

/* ---- which one ---- */
static int open_given(struct export_classes *out, const struct model *model, const char *given, struct error *error)
{
    bool theirs;
    char *path = file_is_folder(given) ? file_join(given, FILE_NAME) : memory_string(given);
    if (!path) return error_no_memory(error, "a path", strlen(given));
    int status = read_classes(out, model, path, &theirs, error);
    if (!status && theirs)
        status = error_set(error, SIMCLR_INVALID,
                           "%s: was made for another encoder than this one: give that encoder, or make a classifier "
                           "for this one with simclr evaluate",
                           path);
    memory_free(path);
    return status;
}

int export_classes_open(struct export_classes *out, const struct model *model, const char *path, const char *given,
                        const struct log *log, struct error *error)
{
    *out = (struct export_classes){0};
    if (strcmp(given, "none") == 0) return SIMCLR_OK;
    if (given[0]) return open_given(out, model, given, error);
    for (int place = 0; place < EXPORT_PLACES; place++) {
        bool theirs = false;
        char *file = export_place(path, place, FILE_NAME);
        if (!file) return error_no_memory(error, "a path", strlen(path));
        const int status = file_exists(file) ? read_classes(out, model, file, &theirs, error) : SIMCLR_OK;
        if (!status && out->count > 0)
            log_info(log, "classifier: %s, %d classes", file, out->count);
        else if (theirs && place + 1 < EXPORT_PLACES) /* ./evaluation may be of anything */
            log_warning(log, "%s: was made for another encoder than this one: left out", file);
        memory_free(file);
        if (status || out->count > 0) return status;
    }
    return model->config.classes > 0 ? take_own(out, model, error) : SIMCLR_OK;
}
