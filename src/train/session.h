/* train/session.h -- what every command starts from: pool, backend, callbacks, the interruption flag. */
#ifndef TRAIN_SESSION_H
#define TRAIN_SESSION_H

#include <signal.h>
#include <stdbool.h>

#include "backend/backend.h"
#include "augment/views.h"
#include "base/log.h"
#include "config/config.h"
#include "data/dataset.h"
#include "model/model.h"
#include "simclr/simclr.h"

struct session {
    const struct config *config;
    struct log log;
    void (*output)(void *cookie, const char *text, size_t length);
    void (*progress)(void *cookie, const simclr_progress *progress);
    void *cookie;
    const volatile sig_atomic_t *interrupted;
    struct pool *pool;
    struct backend *backend;
    enum dtype dtype;          /* of --precision, resolved */
};

/* Creates pool and backend from the configuration (--threads, --device, --cpu or $SIMCLR_CPU, --precision) and says so in the log. The callbacks
 * must already be set. */
int session_start(struct session *session, struct error *error);
void session_stop(struct session *session);
bool session_is_interrupted(const struct session *session);
/* printf to the output callback. */
void session_print(const struct session *session, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Fields of the configuration turned into the structs of the rooms below. */
int session_model_config(const struct session *session, int classes, struct model_config *out, struct error *error);
int session_view_policy(const struct session *session, struct view_policy *out, struct error *error);
int session_open_dataset(const struct session *session, const char *path, enum dataset_part part, struct dataset **out, struct error *error);

#endif
