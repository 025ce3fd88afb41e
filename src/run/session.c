/* run/session.c -- pool, backend and callbacks: what every command starts from. */
#include "run/session.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/format.h"
#include "base/memory.h"
#include "base/text.h"
#include "run/ranks.h"

enum { VIEW_WORKERS_MAX = 64, LINE_BYTES = 1024 };

/* --cpu wins over the environment, which wins over what the processor has. */
static int choose_simd(struct session *session, struct error *error)
{
    const char *option = session->config->cpu, *variable = getenv("SIMCLR_CPU");
    if (strcmp(option, "auto") != 0) return simd_choose(option, "--cpu", &session->simd, error);
    const bool given = variable && variable[0] != '\0';
    return simd_choose(given ? variable : NULL, "SIMCLR_CPU", &session->simd, error);
}

static enum convolution convolution(const struct config *config)
{
    if (strcmp(config->convolution, "direct") == 0) return CONVOLUTION_DIRECT;
    return strcmp(config->convolution, "winograd") == 0 ? CONVOLUTION_WINOGRAD : CONVOLUTION_AUTO;
}

static int choose_precision(struct session *session, struct error *error)
{
    const struct backend *backend = session->backend;
    const char *name = session->config->precision;
    if (strcmp(name, "auto") == 0)
        session->dtype = backend->ops->preferred(backend);
    else
        session->dtype = strcmp(name, "bf16") == 0 ? DTYPE_BF16 : DTYPE_F32;
    if (!backend->ops->supports(backend, session->dtype))
        return error_set(error, SIMCLR_UNSUPPORTED, "--precision %s is not something the %s backend can do here", name,
                         backend->ops->name);
    return config_resolve(session->settings, "precision", session->dtype == DTYPE_BF16 ? "bf16" : "float32", error);
}

static enum recompute recompute(const struct config *config)
{
    if (strcmp(config->recompute, "off") == 0) return RECOMPUTE_OFF;
    return strcmp(config->recompute, "on") == 0 ? RECOMPUTE_ON : RECOMPUTE_AUTO;
}

/* What a container gives of its machine. */
static void say_limits(const struct session *session)
{
    const double quota = pool_quota(session->pool);
    if (quota > 0)
        log_info(&session->log, "the control group has a quota of %g processors: --threads auto is %d", quota,
                 pool_processors(session->pool));
    if (memory_is_limited())
        log_info(&session->log, "the control group has %.1f MiB of memory", (double)memory_of_machine() / 1048576);
}

/* What computes, and what makes the views where the first line does not name it. */
static void say(const struct session *session)
{
    const char *backend = session->backend->ops->description(session->backend);
    const char *views = simd_name(session->simd & SIMD_VIEWS);
    log_info(&session->log, "%s, %s", backend, dtype_name(session->dtype));
    if (!strstr(backend, views)) log_info(&session->log, "views: %s", views);
    session_say_ranks(session);
    say_limits(session);
}

int session_start(struct session *session, struct error *error)
{
    session->pool = NULL;
    session->backend = NULL;
    session->communicator = NULL;
    session->ranks = NULL;
    int status = config_copy(&session->settings, session->config, error);
    if (status != SIMCLR_OK) return status;
    session->config = session->settings;
    const struct config *config = session->config;
    if (session->traits.ranks) status = session_open_ranks(session, error);
    if (status) {
        session_hush(session, error);
        session_stop(session);
        return status;
    }
    for (const char *note = session->traits.recipe_is_of_run ? NULL : config->notes; note && *note;) { /* one a line */
        const size_t length = strcspn(note, "\n");
        log_info(&session->log, "%.*s", (int)length, note);
        note += length + (note[length] == '\n');
    }
    status = session_agree_simd(session, choose_simd(session, error), error);
    if (status == SIMCLR_OK) status = pool_create(&session->pool, (int)config->threads, error);
    if (status == SIMCLR_OK) pool_set_stop(session->pool, session_stop_request(session));
    if (status == SIMCLR_OK && session->traits.no_network) {
        say_limits(session);
        return SIMCLR_OK;
    }
    session->backend = session->lent;
    if (status == SIMCLR_OK && !session->lent)
        status = backend_create(config->device, session->simd, session->pool, &session->backend, error);
    session->planning = (struct network_options){.convolution = convolution(config), .recompute = recompute(config)};
    if (status == SIMCLR_OK) status = choose_precision(session, error);
    status = communicator_agree_status(session->communicator, status, error);
    if (status == SIMCLR_OK) {
        say(session);
        return SIMCLR_OK;
    }
    session_hush(session, error);
    session_stop(session);
    return status;
}

void session_stop(struct session *session)
{
    if (!session->lent) backend_destroy(&session->backend);
    session->backend = NULL;
    pool_destroy(&session->pool);
    session_close_ranks(session);
    config_destroy(&session->settings);
    session->config = NULL;
}

struct session session_derive(const struct session *of, struct config *settings, struct log log)
{
    struct session session = *of;
    if (settings) session.config = session.settings = settings;
    session.log = log;
    return session;
}

void session_tell(const struct session *session, const struct progress *progress)
{
    if (session->progress) session->progress(session->cookie, progress);
}

bool session_is_interrupted(const struct session *session)
{
    return stop_is_asked(session_stop_request(session));
}

struct stop session_stop_request(const struct session *session)
{
    return (struct stop){session->interrupted};
}

void session_write(const struct session *session, const char *text, size_t length)
{
    if (session->output) session->output(session->cookie, text, length);
}

int session_print_json(const struct session *session, struct text *json, struct error *error)
{
    text_add_bytes(json, "\n", 1);
    if (json->failed) return error_no_memory(error, "the JSON", json->capacity);
    session_write(session, json->bytes, json->length);
    return SIMCLR_OK;
}

void session_print(const struct session *session, const char *format, ...)
{
    char line[LINE_BYTES], *text = line;
    if (session->output == NULL) return;
    va_list arguments;
    va_start(arguments, format);
    const size_t length = format_escaped(line, sizeof line, format, arguments);
    if (length >= sizeof line) {
        text = memory_allocate(length + 1);
        if (text != NULL) format_escaped(text, length + 1, format, arguments);
    }
    va_end(arguments);
    if (text != NULL)
        session_write(session, text, length);
    else
        session_lose_output(session);
    if (text != line) memory_free(text);
}

void session_lose_output(const struct session *session)
{
    if (session->output_lost != NULL) *session->output_lost = true;
}

enum view_type session_view_type(const struct session *session)
{
    const struct backend *backend = session->backend;
    return backend->ops->image_type(backend, session->dtype) == DTYPE_BF16 ? VIEW_BF16 : VIEW_FLOAT32;
}

static void *allocate_batch(void *owner, size_t bytes)
{
    struct backend *backend = owner;
    return backend->ops->allocate_host(backend, bytes, NULL);
}

static void release_batch(void *owner, void *block)
{
    struct backend *backend = owner;
    backend->ops->release_host(backend, block);
}

struct batch_memory session_batch_memory(const struct session *session)
{
    if (!session->backend) return (struct batch_memory){0};
    return (struct batch_memory){.owner = session->backend, .allocate = allocate_batch, .release = release_batch};
}

int session_workers(const struct session *session)
{
    if (session->config->workers >= 0) return (int)session->config->workers;
    const int spare = pool_processors(session->pool) - pool_threads(session->pool);
    return spare < 0 ? 0 : spare > VIEW_WORKERS_MAX ? VIEW_WORKERS_MAX : spare;
}

/* Where processors are left over the kernel keeps busy threads apart by itself, and another program may use them. So it
 * is with a quota: other containers would choose the same processors. And so it is where --threads alone was given: the
 * next run that was started so, for the rest of the machine, would choose the same processors too. */
bool session_pin(const struct session *session)
{
    if (strcmp(session->config->pin, "auto") != 0) return strcmp(session->config->pin, "on") == 0;
    if (pool_quota(session->pool) > 0 || session->config->workers < 0) return false;
    return session_workers(session) + pool_threads(session->pool) >= pool_processors(session->pool);
}
