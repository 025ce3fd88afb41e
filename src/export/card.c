/* export/card.c -- see card.h. */
#include "export/card.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/escape.h"
#include "base/file.h"
#include "base/format.h"
#include "base/memory.h"
#include "base/number.h"
#include "report/judged.h"
#include "run/settings.h"

enum { CLASSES_SHOWN = 1000 };

/* A name as code: escaped, and in more backquotes than it has itself. */
static void add_code(struct text *text, const char *name)
{
    struct text escaped = {0};
    escape_add(&escaped, name, strlen(name));
    const bool quotes = escaped.bytes && strchr(escaped.bytes, '`');
    text_add(text, "%s%s%s", quotes ? "`` " : "`", escaped.bytes ? escaped.bytes : "", quotes ? " ``" : "`");
    text->failed |= escaped.failed;
    text_free(&escaped);
}

static void add_front_matter(struct text *text, const struct export_subject *subject, const char *library)
{
    text_add(
        text,
        "---\nlibrary_name: %s\nlicense: %s\npipeline_tag: %s\ntags:\n- image-feature-extraction\n- simclr\n---\n\n",
        library, subject->license,
        subject->classifier.classes > 0 ? "image-classification" : "image-feature-extraction");
}

static void add_head(struct text *text, const struct export_subject *subject)
{
    const struct model_config *config = &subject->model->config;
    text_add(text, "# %s, an encoder of pictures\n\n", subject->title.text);
    text_add(text, "%s%s: a picture of %d x %d pixels becomes %d features.", subject->title.text, subject->title.stem,
             config->image_size, config->image_size, model_feature_dim(config));
    if (subject->origin.trained_here)
        text_add(text, " It was trained by simclr %s, an implementation of SimCLR (arXiv:2002.05709) in C.\n",
                 SIMCLR_VERSION);
    else
        text_add(text, " Its weights were read from a file; simclr %s wrote them in this form.\n", SIMCLR_VERSION);
    text_add(text, "\nHash of the encoder: `%016" PRIx64 "`.\n", subject->hash);
}

static void add_preprocessing(struct text *text, const struct export_subject *subject, const char *note)
{
    const struct view_policy *policy = &subject->policy;
    const int size = subject->model->config.image_size;
    text_add(text, "\n## Input\n\n");
    text_add(text, "1. The picture, turned upright as its EXIF entry says, as 8-bit RGB; transparency is dropped.\n");
    if (size > 32) text_add(text, "2. The middle square of 87.5 %% of the shorter side, rounded to pixels.\n");
    text_add(text, "%d. Resized to %d x %d: %s, antialiased, not rounded to 8 bits. Values in [0, 1].\n",
             size > 32 ? 3 : 2, size, size, policy->filter == RESAMPLE_BILINEAR ? "bilinear" : "bicubic (a = -0.5)");
    if (policy->normalize) {
        char number[6][NUMBER_TEXT];
        for (int i = 0; i < 6; i++) number_format_shortest(i < 3 ? policy->mean[i] : policy->std[i - 3], number[i]);
        text_add(text, "%d. Minus the mean (%s, %s, %s), divided by the deviation (%s, %s, %s).\n", size > 32 ? 4 : 3,
                 number[0], number[1], number[2], number[3], number[4], number[5]);
    } else
        text_add(text, "%d. Nothing is subtracted and nothing divided by: the mean is 0 and the deviation 1.\n",
                 size > 32 ? 4 : 3);
    if (note) text_add(text, "\n%s", note);
}

static void add_classes(struct text *text, const struct export_subject *subject)
{
    const struct classifier *classes = &subject->classifier;
    char temperature[NUMBER_TEXT];
    if (classes->classes == 0) return;
    number_format_shortest(classes->temperature, temperature);
    text_add(text, "\n## Classes\n\nA linear classifier of %d classes. ", classes->classes);
    if (classes->temperature < 1 || classes->temperature > 1)
        text_add(text, "Probabilities are the softmax of logits / %s: the temperature was found on held-out images. ",
                 temperature);
    else
        text_add(text, "Probabilities are the softmax of the logits. ");
    text_add(text, "%s\n\n",
             subject->classes_named ? "In order:" : "Nothing tells the classes' names, so they are numbers.");
    for (int i = 0; i < classes->classes && i < CLASSES_SHOWN; i++) {
        text_add(text, i ? ", " : "");
        add_code(text, classes->class_name[i]);
    }
    if (classes->classes > CLASSES_SHOWN)
        text_add(text, " and %d more, in config.json", classes->classes - CLASSES_SHOWN);
    text_add(text, "\n");
}

/* ---- evaluation ---- */
static bool is_of(const struct judged *judged, const struct export_subject *subject)
{
    char hash[24];
    const struct json_value *theirs = judged_is_there(judged) ? judged_member(judged, "encoder_hash") : NULL;
    snprintf(hash, sizeof hash, "%016" PRIx64, subject->hash);
    return theirs && json_is(theirs, JSON_STRING) && strcmp(theirs->string, hash) == 0;
}

static void add_figures(struct text *text, const struct judged *judged)
{
    static const struct {
        const char *protocol, *title;
        enum metric metric;
    } rows[] = {{"linear", "linear classifier", METRIC_TOP1},
                {"linear", "linear classifier", METRIC_TOP5},
                {"knn", "nearest neighbours", METRIC_TOP1},
                {"retrieval", "retrieval", METRIC_MAP_R}};
    static const enum evaluation_source sources[] = {SOURCE_TRAINED, SOURCE_UNTRAINED, SOURCE_PIXELS};
    text_add(text, "| | | this encoder | the same, untrained | pixels |\n|---|---|---|---|---|\n");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (!judged_find(judged, rows[i].protocol, NULL, rows[i].metric, SOURCE_TRAINED)) continue;
        text_add(text, "| %s | %s |", rows[i].title, metric_rows[rows[i].metric].title);
        for (int k = 0; k < 3; k++) {
            const struct judged_figure *figure =
                judged_find(judged, rows[i].protocol, NULL, rows[i].metric, sources[k]);
            char value[JUDGED_TEXT] = "-";
            if (figure) judged_write(value, rows[i].metric, figure->value, figure->low, figure->high);
            text_add(text, " %s |", value);
        }
        text_add(text, "\n");
    }
}

static void add_evaluation(struct text *text, const struct export_subject *subject, const struct log *log)
{
    struct judged judged = {0};
    bool found = false;
    text_add(text, "\n## Evaluation\n\n");
    for (int place = 0; place < EXPORT_PLACES && !found; place++) {
        struct error error = {0};
        char *path = export_place(subject->path, place, "evaluation.json");
        text->failed |= !path;
        if (path && file_exists(path) && judged_read(&judged, path, &error))
            log_warning(log, "%s: left out of the model card", error.text);
        memory_free(path);
        found = is_of(&judged, subject);
        if (!found) judged_free(&judged);
    }
    if (found) {
        const struct json_value *images = judged_member(&judged, "test_images");
        if (json_is(images, JSON_INTEGER))
            text_add(text, "On %" PRId64 " test images, with 95 %% intervals over them, by `simclr evaluate`.\n\n",
                     images->integer);
        add_figures(text, &judged);
    } else
        text_add(text, "None is known. `simclr evaluate MODEL --data SET` measures it.\n");
    judged_free(&judged);
}

/* ---- training ---- */
static void add_setting(struct text *text, const struct config *config, const char *name)
{
    const struct option_row *row = option_find(name, COMMAND_PRETRAIN);
    char *value = row ? config_value(config, row) : NULL;
    text->failed |= row && !value;
    if (value && value[0]) text_add(text, "| %s | %s |\n", name, value);
    memory_free(value);
}

static void add_training(struct text *text, const struct export_subject *subject)
{
    static const char *const settings[] = {"batch",        "epochs",      "optimizer",       "learning-rate",
                                           "weight-decay", "temperature", "jitter-strength", "blur-probability",
                                           "head-layers",  "head-dim",    "precision"};
    const struct model_origin *origin = &subject->origin;
    struct config *config = NULL;
    text_add(text, "\n## Training\n\n");
    if (!origin->trained_here) {
        text_add(text, "The file does not say how it was trained.\n");
        return;
    }
    text_add(text, "| | |\n|---|---|\n| steps | %" PRId64 " |\n| epochs done | %" PRId64 " |\n", origin->step,
             origin->epoch);
    if (origin->images_seen > 0) text_add(text, "| images seen | %" PRId64 " |\n", origin->images_seen);
    text_add(text, "| seed | %" PRIu64 " |\n", origin->seed);
    /* a training with labels has other settings, and what it started from is not in its checkpoint */
    if (!origin->recipe || subject->model->config.classes > 0) return;
    int status = config_create(&config, COMMAND_PRETRAIN, NULL);
    if (!status) status = config_parse_recipe(config, origin->recipe, strlen(origin->recipe), "checkpoint", 1, NULL);
    text->failed |= status == SIMCLR_NO_MEMORY; /* other words than ours are of another version: without them */
    for (size_t i = 0; !status && i < sizeof settings / sizeof *settings; i++) add_setting(text, config, settings[i]);
    config_destroy(&config);
}

static void add_limits(struct text *text)
{
    text_add(
        text,
        "\n## Limits\n\n"
        "* Features tell apart what the training images let the encoder tell apart. Judge it on your own pictures.\n"
        "* What the training images lack or show unevenly, the features lack too.\n"
        "* Numbers are float32. Programs that add them up in another order differ in the last digits; `simclr embed` "
        "computes in bf16 on some processors, unless it is given `--precision float32`.\n");
}

int export_card_write(struct text *text, const struct export_subject *subject, const struct export_card *card,
                      const struct log *log, struct error *error)
{
    if (card->library) add_front_matter(text, subject, card->library);
    add_head(text, subject);
    text_add(text, "\n## Loading\n\n```python\n%s```\n", card->loading);
    add_preprocessing(text, subject, card->note);
    add_classes(text, subject);
    add_evaluation(text, subject, log);
    add_training(text, subject);
    add_limits(text);
    return text->failed ? error_no_memory(error, "a model card", text->capacity) : SIMCLR_OK;
}
