/* export/classes.c -- see classes.h. */
#include "export/classes.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"

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

/* *theirs: it belongs to another encoder, or to a table of features, and *out is empty. */
static int read_file(struct classifier *out, const struct model *model, const char *path, bool *theirs,
                     struct error *error)
{
    int status = classifier_read(out, path, error);
    if (status) return status;
    const struct classifier_encoder *encoder = &out->encoder;
    *theirs = !encoder->known || encoder->hash != parameters_encoder_hash(&model->parameters);
    if (!*theirs &&
        (encoder->layer > model_layers(&model->config) || out->dim != model_layer_dim(&model->config, encoder->layer)))
        status = error_set(error, SIMCLR_INVALID,
                           "%s: stands on layer %d of the projection head, which this encoder has not: give the "
                           "checkpoint that it was made for, or --classifier none",
                           path, encoder->layer);
    if (status || *theirs) classifier_free(out);
    return status;
}

/* The network's own, whose classes have numbers for names. */
static int take_own(struct classifier *out, const struct model *model, struct error *error)
{
    const int classes = model->config.classes;
    int status = classifier_from_model(out, model, error);
    if (status) return status;
    out->class_name = memory_array((size_t)classes, sizeof *out->class_name);
    for (int i = 0; i < classes; i++) {
        char number[16];
        text_add_bytes(&out->names, number, (size_t)snprintf(number, sizeof number, "%d", i) + 1);
    }
    if (!out->class_name || out->names.failed) {
        classifier_free(out);
        return error_no_memory(error, "names of classes", (size_t)classes * sizeof *out->class_name);
    }
    char *at = out->names.bytes;
    for (int i = 0; i < classes; i++, at += strlen(at) + 1) out->class_name[i] = at;
    out->encoder.layer = model->config.cut;
    return SIMCLR_OK;
}

static int open_given(struct classifier *out, const struct model *model, const char *given, struct error *error)
{
    bool theirs = false;
    char *path = file_is_folder(given) ? file_join(given, CLASSIFIER_FILE) : memory_string(given);
    if (!path) return error_no_memory(error, "a path", strlen(given));
    int status = read_file(out, model, path, &theirs, error);
    if (!status && theirs)
        status = error_set(error, SIMCLR_INVALID,
                           "%s: was made for another encoder than this one: give that encoder, or make a classifier "
                           "for this one with simclr evaluate",
                           path);
    memory_free(path);
    return status;
}

int export_classes_open(struct classifier *out, bool *named, const struct model *model, const char *path,
                        const char *given, const struct log *log, struct error *error)
{
    *out = (struct classifier){0};
    *named = true;
    if (strcmp(given, "none") == 0) return SIMCLR_OK;
    if (given[0]) return open_given(out, model, given, error);
    for (int place = 0; place < EXPORT_PLACES; place++) {
        bool theirs = false;
        char *file = export_place(path, place, CLASSIFIER_FILE);
        if (!file) return error_no_memory(error, "a path", strlen(path));
        const int status = file_exists(file) ? read_file(out, model, file, &theirs, error) : SIMCLR_OK;
        if (!status && out->classes > 0)
            log_info(log, "classifier: %s, %d classes", file, out->classes);
        else if (theirs && place + 1 < EXPORT_PLACES) /* ./evaluation may be of anything */
            log_warning(log, "%s: was made for another encoder than this one: left out", file);
        memory_free(file);
        if (status || out->classes > 0) return status;
    }
    if (model->config.classes == 0) return SIMCLR_OK;
    *named = false;
    return take_own(out, model, error);
}
