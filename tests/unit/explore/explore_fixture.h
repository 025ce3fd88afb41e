/* A session, and an encoder of random weights to look at sets with. */
#ifndef TESTS_EXPLORE_FIXTURE_H
#define TESTS_EXPLORE_FIXTURE_H

#include "support/run.h"

#include "base/text.h"
#include "checkpoint/checkpoint.h"
#include "explore/collection.h"
#include "support/folder.h"

struct explore_fixture {
    struct config *config;
    struct session session;
    struct error error;
    struct text log, output;
};

static inline void explore_log(void *cookie, enum log_level level, const char *line)
{
    text_add(&((struct explore_fixture *)cookie)->log, "%s%s\n", level >= LOG_WARNING ? "! " : "", line);
}

static inline void explore_output(void *cookie, const char *text, size_t length)
{
    text_add_bytes(&((struct explore_fixture *)cookie)->output, text, length);
}

/* options: pairs of name and value, to a NULL. */
static inline void explore_open(struct explore_fixture *f, enum command command, const char *const *options)
{
    *f = (struct explore_fixture){0};
    assert_int_equal(config_create(&f->config, command, &f->error), SIMCLR_OK);
    for (int i = 0; options[i]; i += 2)
        if (config_set(f->config, options[i], options[i + 1], 2, &f->error)) fail_msg("%s", f->error.text);
    f->session = (struct session){.config = f->config,
                                  .log = {explore_log, f},
                                  .output = explore_output,
                                  .cookie = f,
                                  .traits = {.batch_is_of_features = true, .keeps_features = true}};
    if (session_start(&f->session, &f->error)) fail_msg("%s", f->error.text);
}

static inline void explore_close(struct explore_fixture *f)
{
    session_stop(&f->session);
    config_destroy(&f->config);
    text_free(&f->log);
    text_free(&f->output);
}

/* encoder.safetensors in the test's folder: ResNet-18 of width 1/8, as it was drawn. */
static inline const char *write_encoder(void)
{
    struct error error;
    struct model *model;
    const struct model_config config = {.resnet = {18, 0.125, STEM_CIFAR}, .image_size = 16, .head_layers = 0};
    const char *path = at("encoder.safetensors");
    if (model_create(&model, &config, NULL, 1, &error)) fail_msg("%s", error.text);
    if (checkpoint_export_encoder(path, model, 1, &error)) fail_msg("%s", error.text);
    model_destroy(&model);
    return path;
}

#endif
