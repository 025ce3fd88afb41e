/* train/session.h -- what every command starts from: pool, backend, callbacks, the interruption flag. */
#ifndef TRAIN_SESSION_H
#define TRAIN_SESSION_H

#include <signal.h>
#include <stdbool.h>

#include "augment/views.h"
#include "backend/backend.h"
#include "base/log.h"
#include "config/config.h"
#include "data/dataset.h"
#include "model/model.h"
#include "simclr/simclr.h"

/* What a command needs of its session: columns of command/table.c, so that nothing below it asks which command runs. */
struct session_traits {
    bool no_network;           /* it looks at images only: no backend is made */
    bool batch_is_of_features; /* --batch is the number of images that the encoder takes at once, not of a step */
    int image_size;            /* where neither option nor images give one; 0: 32 */
};

struct session {
    const struct config *config; /* before session_start: the caller's; then a copy whose "auto"s may be resolved */
    struct session_traits traits;
    struct log log;
    void (*output)(void *cookie, const char *text, size_t length);
    void (*progress)(void *cookie, const simclr_progress *progress);
    void *cookie;
    const volatile sig_atomic_t *interrupted;
    struct pool *pool;
    struct backend *backend;
    enum dtype dtype;        /* of --precision, resolved */
    struct config *settings; /* owned: what `config` points to while the session runs */
};

/* Creates pool and backend (NULL for commands without a network) from the configuration (--threads, --device, --cpu or
 * $SIMCLR_CPU, --precision) and says so in the log. The callbacks and traits must already be set. */
int session_start(struct session *session, struct error *error);
void session_stop(struct session *session);
bool session_is_interrupted(const struct session *session);
/* printf to the output callback. */
void session_print(const struct session *session, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Gives every option that is still "auto" its value for this data set (image size, view preset and what it implies,
 * warm-up, learning rate, temperature) and says what was chosen. dataset: NULL if there is none. */
int session_resolve(struct session *session, const struct dataset *dataset, struct error *error);

/* Fields of the configuration turned into the structs of the rooms below. An image size that is still "auto" counts
 * as that of the traits. */
int session_model_config(const struct session *session, int classes, struct model_config *out, struct error *error);
int session_view_policy(const struct session *session, struct view_policy *out, struct error *error);
int session_open_dataset(const struct session *session, const char *path, enum dataset_part part, struct dataset **out,
                         struct error *error);
/* The images to test on: --test-data, or the test part of --data. *out is NULL (and the result SIMCLR_OK) where
 * --data has no such part. */
int session_open_test(const struct session *session, struct dataset **out, struct error *error);
/* The type of views for a network of the session: what its backend likes best. */
enum view_type session_view_type(const struct session *session);
/* Threads that only make views: --workers, or the processors that --threads leaves free. */
int session_workers(const struct session *session);
/* Whether those threads and the computing ones get processors of their own: --pin, or where they take all there are. */
bool session_pin(const struct session *session);

/* config/config.h's text "r,g,b" as numbers; false when it is empty. */
bool session_parse_rgb(const char *text, double rgb[3]);

#endif
