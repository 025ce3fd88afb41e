/* Sums that go on while their values are still made: the bits of communicator_sum_floats, whatever the order in which
 * ranks get ready; begun before all is made; with a thread and without. */
#include "support/comm_threads.h"
#include "support/run.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "comm/overlapped_sum.h"

enum { RANKS = 4 };

struct outcome {
    size_t count;
    bool unserved; /* the engine says that a thread does not pay */
    struct comm_threads_count counted[RANKS];
    char wrong[RANKS][200];
};

static float value(int rank, size_t i)
{
    const uint64_t bits = (i + 1) * 0x9e3779b97f4a7c15U + (uint64_t)rank * 0xc2b2ae3d27d4eb4fU;
    return (float)((double)(bits >> 20 & 0xffffff) - 8388608) * (bits % 3 ? 1e-3F : 1e3F);
}

static bool never(const struct communicator *communicator)
{
    (void)communicator;
    return false;
}

/* Twice, as in two steps; the second time with all ready at once. */
static void body(struct communicator *communicator, void *context)
{
    struct outcome *outcome = context;
    const int rank = communicator_rank(communicator);
    const size_t count = outcome->count;
    struct error error = {0};
    struct overlapped_sum *sum = NULL;
    struct communicator_ops ops = *communicator->ops;
    float *got = malloc(count * sizeof *got + 1), *want = malloc(count * sizeof *want + 1);
    ops.overlaps = never;
    if (outcome->unserved) communicator->ops = &ops;
    if (overlapped_sum_create(&sum, communicator, &error))
        snprintf(outcome->wrong[rank], sizeof *outcome->wrong, "%.150s", error.text);
    for (int step = 0; sum && step < 2; step++) {
        for (size_t i = 0; i < count; i++) got[i] = want[i] = value(rank + 10 * step, i);
        communicator_sum_floats(communicator, want, count);
        const struct comm_threads_count before = comm_threads_counted(communicator);
        overlapped_sum_begin(sum, got, count);
        for (int part = step == 0 ? 7 : 0; part > 0; part--)
            overlapped_sum_ready(sum, count / 8 * (size_t)part + (size_t)rank * 3 % (count / 8 + 1)); /* ranks differ */
        overlapped_sum_await(sum);
        const struct comm_threads_count after = comm_threads_counted(communicator);
        outcome->counted[rank] =
            (struct comm_threads_count){after.messages - before.messages, after.bytes - before.bytes};
        for (size_t i = 0; i < count; i++)
            if (memcmp(&got[i], &want[i], sizeof *got) != 0 && outcome->wrong[rank][0] == '\0')
                snprintf(outcome->wrong[rank], sizeof *outcome->wrong, "step %d: %zu of %zu is %.9g, not %.9g", step, i,
                         count, (double)got[i], (double)want[i]);
    }
    overlapped_sum_destroy(&sum);
    free(got);
    free(want);
}

static struct outcome run(int ranks, size_t count, bool unserved)
{
    struct outcome outcome = {.count = count, .unserved = unserved};
    comm_threads_run_always(ranks, body, &outcome);
    for (int r = 0; r < ranks; r++)
        if (outcome.wrong[r][0]) fail_msg("rank %d of %d: %s", r, ranks, outcome.wrong[r]);
    return outcome;
}

static void the_sums_are_those_of_one_call(void **state)
{
    (void)state;
    static const size_t counts[] = {0, 1, 3, 1000, 262143, 262144, 262145, 1000003};
    for (int ranks = 2; ranks <= RANKS; ranks++)
        for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
            const struct outcome threaded = run(ranks, counts[i], false), waiting = run(ranks, counts[i], true);
            for (int r = 0; r < ranks; r++) {
                assert_int_equal(threaded.counted[r].messages, waiting.counted[r].messages);
                assert_true(threaded.counted[r].bytes == waiting.counted[r].bytes);
            }
        }
}

/* Values that are made last hold up nothing behind them: their messages go before the first values are ready. */
static void late_body(struct communicator *communicator, void *context)
{
    struct outcome *outcome = context;
    const int rank = communicator_rank(communicator);
    const size_t count = outcome->count, stretch = overlapped_sum_stretch(communicator_size(communicator), count);
    float *values = calloc(count, sizeof *values);
    struct error error = {0};
    struct overlapped_sum *sum = NULL;
    (void)overlapped_sum_create(&sum, communicator, &error);
    overlapped_sum_begin(sum, values, count); /* afterwards the thread sleeps, until it is called */
    overlapped_sum_await(sum);
    const struct comm_threads_count before = comm_threads_counted(communicator);
    overlapped_sum_begin(sum, values, count);
    overlapped_sum_ready(sum, stretch + 1); /* all of the last stretch, and of the one before all but a value */
    struct comm_threads_count now = before;
    for (int i = 0; i < 10000 && now.messages < before.messages + 2; i++) {
        nanosleep(&(struct timespec){0, 1000000}, NULL);
        now = comm_threads_counted(communicator);
    }
    if (now.messages != before.messages + 2)
        snprintf(outcome->wrong[rank], sizeof *outcome->wrong, "%lld messages",
                 (long long)(now.messages - before.messages));
    overlapped_sum_await(sum);
    now = comm_threads_counted(communicator);
    if (now.messages != before.messages + 6) /* an exchange and a gather for each of three stretches */
        snprintf(outcome->wrong[rank], sizeof *outcome->wrong, "%lld messages in all",
                 (long long)(now.messages - before.messages));
    overlapped_sum_destroy(&sum);
    free(values);
}

static void what_is_made_is_summed_at_once(void **state)
{
    (void)state;
    struct outcome outcome = {.count = 3 * overlapped_sum_stretch(2, 0)};
    comm_threads_run(2, late_body, &outcome);
    for (int r = 0; r < 2; r++)
        if (outcome.wrong[r][0]) fail_msg("rank %d: %s", r, outcome.wrong[r]);
}

/* The other rank does not come: the run ends by this one's word, once its patience is over. */
static void stuck_body(struct communicator *communicator, void *context)
{
    const struct outcome *outcome = context;
    struct error error = {0};
    struct overlapped_sum *sum = NULL;
    struct communicator_ops ops = *communicator->ops;
    float values[1000] = {0};
    ops.overlaps = never;
    if (outcome->unserved) communicator->ops = &ops;
    (void)overlapped_sum_create(&sum, communicator, &error);
    communicator_set_patience(communicator, 0.3);
    overlapped_sum_begin(sum, values, 1000);
    if (communicator_rank(communicator) == 0) overlapped_sum_await(sum);
    pause();
}

static void a_rank_that_stays_away_is_missed(void **state)
{
    (void)state;
    for (int unserved = 0; unserved < 2; unserved++) {
        int status = 0;
        const pid_t child = fork();
        if (child == 0) {
            struct outcome outcome = {.unserved = unserved == 1};
            signal(SIGABRT, SIG_DFL); /* cmocka has a handler */
            alarm(20);
            comm_threads_run(2, stuck_body, &outcome);
            _exit(0);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT) /* SIGALRM: it has waited for ever */
            fail_msg("%s thread: status %d", unserved ? "without" : "with a", status);
    }
}

static void stretches_divide_among_ranks(void **state)
{
    (void)state;
    for (int ranks = 1; ranks <= 64; ranks++)
        for (size_t count = 1; count < (size_t)1 << 30; count = 3 * count + 1) {
            const size_t stretch = overlapped_sum_stretch(ranks, count);
            size_t piece;
            assert_int_equal(stretch % (size_t)ranks, 0);
            if (ranks > 1) assert_int_equal(communicator_stretch(ranks, stretch, sizeof(float), &piece), stretch);
        }
}

static void one_rank_has_none(void **state)
{
    (void)state;
    struct error error = {0};
    float values[] = {1, 2};
    struct overlapped_sum *sum = (void *)values; /* anything but NULL */
    assert_int_equal(overlapped_sum_create(&sum, NULL, &error), SIMCLR_OK);
    assert_null(sum);
    overlapped_sum_begin(sum, values, 2);
    overlapped_sum_ready(sum, 1);
    overlapped_sum_await(sum);
    assert_true(values[0] == 1 && values[1] == 2);
    overlapped_sum_destroy(&sum);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_sums_are_those_of_one_call),
        cmocka_unit_test(what_is_made_is_summed_at_once),
        cmocka_unit_test(a_rank_that_stays_away_is_missed),
        cmocka_unit_test(stretches_divide_among_ranks),
        cmocka_unit_test(one_rank_has_none),
    };
    return run_cases(tests, NULL, NULL);
}
