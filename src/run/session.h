/* run/session.h -- what every command starts from: pool, backend, callbacks, the interruption flag. */
#ifndef RUN_SESSION_H
#define RUN_SESSION_H

#include <stdatomic.h>
#include <stdbool.h>

#include "augment/views.h"
#include "backend/backend.h"
#include "base/log.h"
#include "base/text.h"
#include "comm/communicator.h"
#include "config/config.h"
#include "loader/loader.h"
#include "nn/network.h"
#include "run/progress.h"
#include "simd/simd.h"

/* What a command needs of its session: columns of command/table.c, so that nothing below it asks which command runs. */
struct session_traits {
    bool no_network;           /* it looks at images only: no backend is made */
    bool batch_is_of_features; /* --batch is the number of images that the encoder takes at once, not of a step */
    bool keeps_no_images;      /* it looks at each image once: none stays in memory */
    bool keeps_features;       /* those of an encoder go to the cache folder, and come from it (feature_cache.h) */
    bool recipe_is_of_run; /* its recipe is that of a run, most of which is not the command's own: nothing to note */
    int image_size;        /* where neither option nor images give one; 0: 32 */
    bool ranks;            /* it runs on several processes */
};

struct session {
    const struct config *config; /* before session_start: the caller's; then a copy whose "auto"s may be resolved */
    struct session_traits traits;
    struct log log;
    void (*output)(void *cookie, const char *text, size_t length);
    void (*progress)(void *cookie, const struct progress *progress);
    void *cookie;
    const atomic_int *interrupted;
    bool *output_lost;                 /* set when something could not be handed to `output`; NULL: nobody asks */
    struct communicator *communicator; /* of the ranks (ranks.h); NULL: one process */
    struct session_ranks *ranks;       /* owned; NULL without a communicator */
    /* Takes the communicator when the session stops: the session's owner lets the ranks part when it has told how the
     * run ended. A launcher ends the others as soon as one has left with a status. NULL: they part at once. */
    struct communicator **parting;
    struct pool *pool;
    struct backend *backend;
    enum simd simd;                  /* of --cpu or $SIMCLR_CPU: what kernels and views may use */
    enum dtype dtype;                /* of --precision, resolved */
    struct network_options planning; /* of --convolution and --recompute */
    struct config *settings;         /* owned: what `config` points to while the session runs */
    struct backend *lent;            /* for tests: the backend to use, still the lender's; NULL: of --device */
};

/* Creates pool and backend (NULL for commands without a network) from the configuration (--threads, --device, --cpu or
 * $SIMCLR_CPU, --precision) and says so in the log. Of a command that takes ranks it first joins those that were
 * started with it; then it is collective, and so is session_stop. The callbacks and traits must already be set. An
 * instruction set that this machine lacks is refused with SIMCLR_UNSUPPORTED, whatever the command and the device. */
int session_start(struct session *session, struct error *error);
void session_stop(struct session *session);
/* A session that borrows all of `of`, with other settings (NULL: the same) and another log. It is never stopped, and
 * `of` outlives it. */
struct session session_derive(const struct session *of, struct config *settings, struct log log);
bool session_is_interrupted(const struct session *session);
/* The same for rooms that know no session; its pool has it too. */
struct stop session_stop_request(const struct session *session);
/* Hands it to the progress callback, where there is one. */
void session_tell(const struct session *session, const struct progress *progress);
/* printf to the output callback. Names may hold anything: what %s stands for is escaped (base/escape.h). Without memory
 * for it, *output_lost is set: the command has then failed. */
void session_print(const struct session *session, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Says that something was not printed for want of memory. */
void session_lose_output(const struct session *session);
/* The same for text that is fit to go out as it is: JSON, and our own. */
void session_write(const struct session *session, const char *text, size_t length);
/* What `json` has, and a line end. SIMCLR_NO_MEMORY where it could not be made. */
int session_print_json(const struct session *session, struct text *json, struct error *error);

/* The type of views for a network of the session: what its backend likes best. */
enum view_type session_view_type(const struct session *session);
/* Where the session's backend likes batches of views to lie. */
struct batch_memory session_batch_memory(const struct session *session);
/* Threads that only make views: --workers, or the processors that --threads leaves free. */
int session_workers(const struct session *session);
/* Whether those threads and the computing ones get processors of their own: --pin, or where --workers was given and
 * they take all there are. */
bool session_pin(const struct session *session);

#endif
