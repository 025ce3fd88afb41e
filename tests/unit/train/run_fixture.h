/* A pretraining run on a few synthetic images, small enough for a test: settings, callbacks and the folder. */
#ifndef TESTS_RUN_FIXTURE_H
#define TESTS_RUN_FIXTURE_H

#include "support/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "config/config.h"
#include "run/session.h"

struct run_fixture {
    struct config *config;
    struct session session;
    struct error error;
    struct text log, output; /* all that the run said */
    atomic_int interrupted;
    int64_t interrupt_at; /* step at which to ask for a stop; -1: never */
    const char *phase;    /* whose steps count: NULL for pretraining's and those of a supervised run */
    int64_t steps_seen, first_step;
};

static inline void fixture_log(void *cookie, enum log_level level, const char *line)
{
    struct run_fixture *run = cookie;
    text_add(&run->log, "%s%s\n", level >= LOG_WARNING ? "! " : "", line);
}

static inline void fixture_output(void *cookie, const char *text, size_t length)
{
    text_add_bytes(&((struct run_fixture *)cookie)->output, text, length);
}

static inline void fixture_progress(void *cookie, const struct progress *progress)
{
    struct run_fixture *run = cookie;
    if (run->phase && strcmp(progress->phase, run->phase) != 0) return;
    if (!run->phase && strcmp(progress->phase, "pretrain") != 0 && strcmp(progress->phase, "supervised") != 0) return;
    run->steps_seen += 1;
    if (run->first_step == 0) run->first_step = progress->step;
    if (progress->step == run->interrupt_at)
        atomic_store_explicit(&run->interrupted, 1, memory_order_relaxed); /* as simclr_interrupt does: workers look */
}

static inline void fixture_set(struct run_fixture *run, const char *name, const char *value)
{
    struct error error;
    if (config_set(run->config, name, value, 2, &error) != SIMCLR_OK) fail_msg("%s", error.text);
}

/* 48 synthetic images of 16 x 16, batch 16: 3 steps an epoch, 2 epochs. */
static inline void fixture_open(struct run_fixture *run, const char *out)
{
    static const char *const options[][2] = {
        {"data", "synthetic"},
        {"synthetic-images", "48"},
        {"image-size", "16"},
        {"depth", "18"},
        {"width", "0.125"},
        {"batch", "16"},
        {"epochs", "2"},
        {"log-every", "1"},
        {"threads", "2"},
        {"knn-every", "1"},
        {"precision", "float32"},
        {"head-dim", "16"},
        {"diagnostics-images", "16"},
        {"warmup-epochs", "0"},
        {"device", "cpu"},
    };
    *run = (struct run_fixture){.interrupt_at = -1};
    assert_int_equal(config_create(&run->config, COMMAND_PRETRAIN, &run->error), SIMCLR_OK);
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) fixture_set(run, options[i][0], options[i][1]);
    fixture_set(run, "out", out);
}

static inline int fixture_run(struct run_fixture *run, int (*command)(struct session *session, struct error *error))
{
    run->session = (struct session){
        .config = run->config,
        .log = {fixture_log, run},
        .output = fixture_output,
        .progress = fixture_progress,
        .cookie = run,
        .interrupted = &run->interrupted,
    };
    int status = session_start(&run->session, &run->error);
    if (status != SIMCLR_OK) return status;
    status = command(&run->session, &run->error);
    session_stop(&run->session);
    return status;
}

static inline void fixture_close(struct run_fixture *run)
{
    config_destroy(&run->config);
    text_free(&run->log);
    text_free(&run->output);
}

static inline bool fixture_said(const struct run_fixture *run, const char *text)
{
    return run->log.bytes != NULL && strstr(run->log.bytes, text) != NULL;
}

#endif
