/* How long the ranks of a run wait for each other: twelve times as long where rank 0 works alone. Two ranks are threads
 * (support/comm_threads.h); what rank 1 would wait is read off its communicator, and no test looks at a clock. */
#include "unit/train/run_fixture.h"

#include <math.h>

#include "support/comm_threads.h"
#include "support/folder.h"
#include "train/pretrain.h"

enum { RANKS = 2 };
static const double TIMEOUT = 60, PATIENT = 12 * 60;

/* What a rank waited at most in steps, at least while features for the kNN were made, and as the run was over. */
struct rank {
    struct run_fixture run;
    struct communicator *communicator;
    int status;
    double in_steps, in_features, at_the_end;
};

static void look(void *cookie, const struct progress *progress)
{
    struct rank *rank = cookie;
    const double patience = communicator_patience(rank->communicator);
    fixture_progress(&rank->run, progress);
    if (strcmp(progress->phase, "pretrain") == 0) rank->in_steps = fmax(rank->in_steps, patience);
    if (strcmp(progress->phase, "features") == 0) rank->in_features = fmin(rank->in_features, patience);
}

static void log_nothing(void *cookie, enum log_level level, const char *line)
{
    (void)cookie, (void)level, (void)line;
}

static void run_rank(struct communicator *communicator, void *context)
{
    struct rank *rank = (struct rank *)context + communicator_rank(communicator);
    struct session *session = &rank->run.session;
    rank->communicator = communicator;
    rank->in_features = INFINITY;
    *session = (struct session){.config = rank->run.config,
                                .log = {log_nothing, rank},
                                .progress = look,
                                .cookie = rank,
                                .interrupted = &rank->run.interrupted};
    rank->status = session_start(session, &rank->run.error);
    if (rank->status) return;
    session->communicator = communicator;
    rank->status = pretrain_run(session, &rank->run.error);
    rank->at_the_end = communicator_patience(communicator);
    session->communicator = NULL; /* the threads' */
    session_stop(session);
}

/* interrupt_at: the step at which rank 1 is asked to stop, or -1. */
static struct rank run_two(const char *out, int64_t interrupt_at, int status)
{
    static struct rank ranks[RANKS];
    for (int r = 0; r < RANKS; r++) {
        ranks[r] = (struct rank){0};
        fixture_open(&ranks[r].run, at("%s", out));
        fixture_set(&ranks[r].run, "threads", "1");
        fixture_set(&ranks[r].run, "rank-timeout", "60");
        fixture_set(&ranks[r].run, "ema", "0.9"); /* votes of the first kNN come before features of the second */
    }
    ranks[1].run.interrupt_at = interrupt_at;
    comm_threads_run(RANKS, run_rank, ranks);
    const struct rank other = ranks[1];
    for (int r = 0; r < RANKS; r++) {
        if (ranks[r].status != status) fail_msg("rank %d: %s", r, ranks[r].run.error.text);
        fixture_close(&ranks[r].run);
    }
    return other;
}

static void an_epochs_end_and_the_runs_have_patience(void **state)
{
    (void)state;
    const struct rank other = run_two("whole", -1, SIMCLR_OK);
    assert_true(other.in_steps == TIMEOUT);
    assert_true(other.in_features == PATIENT); /* rank 0 has diagnostics first, and votes between */
    assert_true(other.at_the_end == PATIENT);  /* it writes the export */
}

static void a_stop_has_patience(void **state)
{
    (void)state;
    const struct rank other = run_two("stopped", 2, SIMCLR_INTERRUPTED);
    assert_true(other.in_steps == TIMEOUT);
    assert_true(other.at_the_end == PATIENT); /* rank 0 writes the checkpoint */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_epochs_end_and_the_runs_have_patience),
        cmocka_unit_test(a_stop_has_patience),
    };
    return run_cases(tests, make_folder, remove_folder);
}
