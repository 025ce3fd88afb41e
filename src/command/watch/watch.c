/* command/watch/watch.c -- follows a run until it ends. */
#include <math.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/text.h"
#include "command/commands.h"
#include "command/watch/watched.h"

enum { SLICE_MILLISECONDS = 50 };

/* Sleeps in slices, so that a request to stop is seen soon. */
static int wait_for(const struct session *session, double seconds, struct error *error)
{
    const double end = clock_seconds() + seconds;
    while (clock_seconds() < end) {
        const struct timespec slice = {.tv_nsec = SLICE_MILLISECONDS * 1000000L};
        if (session_is_interrupted(session)) return stop_error(error, "watching");
        nanosleep(&slice, NULL);
    }
    return SIMCLR_OK;
}

/* A frame that is drawn over the one before begins with a form feed. */
static int show(const struct session *session, const struct watched *run, const char *path, struct error *error)
{
    struct text frame = {0};
    if (!session->config->once) text_add(&frame, "\f");
    watched_draw(run, path, clock_wall(), &frame);
    int status = frame.failed ? error_no_memory(error, "a picture of the run", frame.capacity) : SIMCLR_OK;
    if (!status) session_write(session, frame.bytes, frame.length);
    text_free(&frame);
    return status;
}

static int follow(const struct session *session, struct watched *run, const char *path, struct error *error)
{
    int64_t shown = -1;
    enum run_state state = RUN_NONE;
    for (;;) {
        int status = watched_look(run, path, error);
        if (!status && (run->at != shown || run->state != state)) status = show(session, run, path, error);
        if (status || session->config->once || run->state != RUN_RUNNING) return status;
        shown = run->at;
        state = run->state;
        status = wait_for(session, session->config->seconds, error);
        if (status) return status;
    }
}

int command_watch(struct session *session, struct error *error)
{
    struct watched run = {.step = -1};
    const char *path = session->config->runs;
    if (strchr(path, '\n'))
        return error_set(error, SIMCLR_INVALID,
                         "watch follows one run: give one folder, and another in another window");
    const int status = follow(session, &run, path, error);
    watched_close(&run);
    return status;
}
