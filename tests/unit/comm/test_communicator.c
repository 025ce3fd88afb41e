/* The contract between ranks, on the communicator of threads: gathers, sums in the order of ranks, broadcasts,
 * agreements, comparisons, groups. The engine over MPI: tests/system/test_mpirun.sh. */
#include "support/comm_threads.h"
#include "support/run.h"

#include <math.h>

enum { MOST = 5000000, RANKS = 4 };

/* ---- values that every rank can make for every other ------------------------------------------------------------ */
/* Of many sizes, so that another order of sums has other bits. In double it is so of few floats: every seventh cancels.
 */
static double value(int rank, size_t i)
{
    static const double cancelling[] = {1, 1e30, -1e30};
    if (i % 7 == 3) return cancelling[(i + (size_t)rank) % 3];
    const uint64_t bits = (i + 1) * 0x9e3779b97f4a7c15U + (uint64_t)rank * 0xc2b2ae3d27d4eb4fU;
    return ldexp((double)(bits >> 20 & 0xffffff) - 8388608, (int)(bits % 40) - 30);
}

/* What a body leaves: per rank the first thing that was wrong. */
struct outcome {
    char wrong[COMM_THREADS_MAX][200];
    size_t count;
    bool floats;
};

#define WRONG(outcome, rank, ...)                                                                                      \
    do {                                                                                                               \
        if ((outcome)->wrong[rank][0] == '\0')                                                                         \
            snprintf((outcome)->wrong[rank], sizeof *(outcome)->wrong, __VA_ARGS__);                                   \
    } while (0)

static void assert_right(const struct outcome *outcome)
{
    for (int r = 0; r < COMM_THREADS_MAX; r++)
        if (outcome->wrong[r][0] != '\0') fail_msg("rank %d: %s", r, outcome->wrong[r]);
}

/* ---- sums ------------------------------------------------------------------------------------------------------- */
static void sum_body(struct communicator *communicator, void *context)
{
    struct outcome *outcome = context;
    const int rank = communicator_rank(communicator), size = communicator_size(communicator);
    double *doubles = malloc(outcome->count * sizeof *doubles + 1);
    float *floats = malloc(outcome->count * sizeof *floats + 1);
    for (size_t i = 0; i < outcome->count; i++) {
        doubles[i] = value(rank, i);
        floats[i] = (float)value(rank, i);
    }
    communicator_sum(communicator, doubles, outcome->count);
    communicator_sum_floats(communicator, floats, outcome->count);
    for (size_t i = 0; i < outcome->count; i++) {
        double want = value(0, i), want_float = (double)(float)value(0, i);
        for (int r = 1; r < size; r++) {
            want += value(r, i);
            want_float += (double)(float)value(r, i);
        }
        if (doubles[i] != want) WRONG(outcome, rank, "double %zu is %.17g, not %.17g", i, doubles[i], want);
        if (floats[i] != (float)want_float)
            WRONG(outcome, rank, "float %zu is %.9g, not %.9g", i, (double)floats[i], want_float);
    }
    free(doubles);
    free(floats);
}

/* From a single value to more than the scratch holds; numbers that the ranks do not divide. */
static void sums_are_in_the_order_of_ranks(void **state)
{
    (void)state;
    static const size_t counts[] = {0, 1, 2, 3, 5, 2047, 2048, 4096, 10007, 262147, MOST};
    for (int ranks = 1; ranks <= 5; ranks++)
        for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
            if (counts[i] == MOST && ranks != 3) continue;
            struct outcome outcome = {.count = counts[i]};
            comm_threads_run(ranks, sum_body, &outcome);
            assert_right(&outcome);
        }
}

static void a_rank_alone_goes_round_too(void **state)
{
    (void)state;
    struct outcome outcome = {.count = 10007};
    comm_threads_run_always(1, sum_body, &outcome);
    assert_right(&outcome);
}

/* ---- gathers and broadcasts -------------------------------------------------------------------------------------- */
static void gather_body(struct communicator *communicator, void *context)
{
    struct outcome *outcome = context;
    const int rank = communicator_rank(communicator), size = communicator_size(communicator);
    size_t bytes[COMM_THREADS_MAX], total = 0, own = 0;
    for (int r = 0; r < size; r++) { /* uneven, and one rank has nothing */
        if (r == rank) own = total;
        bytes[r] = r == 1 ? 0 : 100 + 37 * (size_t)r;
        total += bytes[r];
    }
    unsigned char *all = calloc(total, 1);
    for (size_t i = 0; i < bytes[rank]; i++) all[own + i] = (unsigned char)(rank * 50 + (int)i);
    communicator_gather(communicator, all, bytes);
    for (size_t at = 0, r = 0; r < (size_t)size; at += bytes[r], r++)
        for (size_t i = 0; i < bytes[r]; i++)
            if (all[at + i] != (unsigned char)((int)r * 50 + (int)i))
                WRONG(outcome, rank, "byte %zu of rank %zu", i, r);
    free(all);
    int number = rank == size - 1 ? 4711 : -1;
    communicator_broadcast(communicator, &number, sizeof number, size - 1);
    if (number != 4711) WRONG(outcome, rank, "the broadcast number is %d", number);
}

static void every_rank_has_all_that_is_gathered(void **state)
{
    (void)state;
    for (int ranks = 1; ranks <= RANKS; ranks++) {
        struct outcome outcome = {.count = 0};
        comm_threads_run(ranks, gather_body, &outcome);
        assert_right(&outcome);
    }
}

static void long_broadcast_body(struct communicator *communicator, void *context)
{
    struct outcome *outcome = context;
    const int rank = communicator_rank(communicator);
    const size_t count = COMMUNICATOR_SCRATCH + 12345; /* two messages */
    unsigned char *bytes = malloc(count);
    for (size_t i = 0; i < count; i++) bytes[i] = rank == 1 ? (unsigned char)(i % 251) : 0;
    communicator_broadcast(communicator, bytes, count, 1);
    for (size_t i = 0; i < count; i++)
        if (bytes[i] != i % 251) WRONG(outcome, rank, "byte %zu", i);
    free(bytes);
}

static void a_broadcast_may_be_long(void **state)
{
    (void)state;
    struct outcome outcome = {.count = 0};
    comm_threads_run(3, long_broadcast_body, &outcome);
    assert_right(&outcome);
}

/* ---- agreements ---------------------------------------------------------------------------------------------------
 */
struct told {
    int status[RANKS];
    bool stop[RANKS];
    int ranks;
    int got[RANKS], slowest[RANKS];
    bool stops[RANKS];
    double seconds[RANKS];
    struct error error[RANKS];
};

static void agree_body(struct communicator *communicator, void *context)
{
    struct told *told = context;
    const int r = communicator_rank(communicator);
    struct agreement agreement = {.stop = told->stop[r], .seconds = 1 + (r == 1)};
    if (told->status[r]) error_set(&told->error[r], told->status[r], "sentence of rank %d", r);
    told->got[r] = communicator_agree(communicator, &agreement, told->status[r], &told->error[r]);
    told->stops[r] = agreement.stop;
    told->slowest[r] = agreement.slowest;
    told->seconds[r] = agreement.seconds;
}

static void check_agreement(struct told told, int status, bool stop, const char *sentence)
{
    comm_threads_run(told.ranks, agree_body, &told);
    for (int r = 0; r < told.ranks; r++) {
        assert_int_equal(told.got[r], status);
        assert_int_equal(told.stops[r], stop);
        if (sentence) assert_string_equal(told.error[r].text, sentence);
        if (sentence) assert_int_equal(told.error[r].status, status);
        if (told.ranks > 1) assert_int_equal(told.slowest[r], 1);
        if (told.ranks > 1) assert_true(told.seconds[r] == 2);
    }
}

static void ranks_agree_on_the_worst(void **state)
{
    (void)state;
    check_agreement((struct told){.ranks = 3}, SIMCLR_OK, false, NULL);
    check_agreement((struct told){.ranks = 3, .stop = {false, false, true}}, SIMCLR_INTERRUPTED, true, NULL);
    check_agreement((struct told){.ranks = 3, .status = {0, SIMCLR_IO, SIMCLR_DATA}}, SIMCLR_IO, false,
                    "rank 1 on thread: sentence of rank 1");
    check_agreement((struct told){.ranks = 3, .status = {SIMCLR_DATA, SIMCLR_IO, 0}}, SIMCLR_DATA, false,
                    "sentence of rank 0");
    check_agreement((struct told){.ranks = 3, .status = {SIMCLR_INTERRUPTED, 0, SIMCLR_IO}}, SIMCLR_IO, false,
                    "rank 2 on thread: sentence of rank 2");
    check_agreement((struct told){.ranks = 2, .status = {0, SIMCLR_INTERRUPTED}}, SIMCLR_INTERRUPTED, false,
                    "sentence of rank 1");
    check_agreement((struct told){.ranks = 2, .status = {SIMCLR_IO, 0}, .stop = {false, true}}, SIMCLR_IO, true,
                    "sentence of rank 0");
    check_agreement((struct told){.ranks = 1}, SIMCLR_OK, false, NULL);
    check_agreement((struct told){.ranks = 1, .stop = {true}}, SIMCLR_INTERRUPTED, true, NULL);
    check_agreement((struct told){.ranks = 1, .status = {SIMCLR_IO}, .stop = {true}}, SIMCLR_IO, true,
                    "sentence of rank 0");
}

static void compare_body(struct communicator *communicator, void *context)
{
    struct told *told = context;
    const int r = communicator_rank(communicator);
    const char *text = told->stop[r] ? "another" : "the same";
    told->got[r] =
        communicator_compare(communicator, text, strlen(text), "options", "give all the same", &told->error[r]);
}

static void what_differs_is_found(void **state)
{
    (void)state;
    struct told told = {.ranks = 4};
    comm_threads_run(4, compare_body, &told);
    for (int r = 0; r < 4; r++) assert_int_equal(told.got[r], SIMCLR_OK);
    told.stop[2] = true;
    comm_threads_run(4, compare_body, &told);
    for (int r = 0; r < 4; r++) {
        assert_int_equal(told.got[r], SIMCLR_INVALID);
        assert_string_equal(told.error[r].text,
                            "rank 2 on thread has options that differ from rank 0's: give all the same");
    }
}

/* ---- news ----------------------------------------------------------------------------------------------------------
 */
enum { PIECE = 20000 }; /* bytes of each piece of news: three in a message */

/* A rank's: it has `left` pieces to tell, each of them filled with a number of its own. */
struct mailbox {
    struct outcome *outcome;
    int rank, left, heard[RANKS];
    unsigned char bytes[COMMUNICATOR_NEWS];
};

static size_t collect_pieces(void *cookie, const void **bytes, size_t most)
{
    struct mailbox *box = cookie;
    size_t used = 0;
    for (; box->left > 0 && used + PIECE <= most; box->left--, used += PIECE)
        memset(box->bytes + used, 10 * box->rank + box->left, PIECE);
    *bytes = box->bytes;
    return used;
}

static void hear_pieces(void *cookie, int rank, const void *bytes, size_t count)
{
    struct mailbox *box = cookie;
    const unsigned char *at = bytes;
    if (count % PIECE != 0) WRONG(box->outcome, box->rank, "%zu bytes of rank %d", count, rank);
    for (size_t i = 0; i < count; i++)
        if (at[i] != 10 * rank + 2 * rank - box->heard[rank] - (int)(i / PIECE))
            WRONG(box->outcome, box->rank, "byte %zu of rank %d is %d", i, rank, at[i]);
    box->heard[rank] += (int)(count / PIECE);
}

/* Rank r tells 2 r pieces; the last of them comes with a failure of rank 1. */
static void news_body(struct communicator *communicator, void *context)
{
    struct outcome *outcome = context;
    struct error error = {0};
    const int own = communicator_rank(communicator), size = communicator_size(communicator);
    struct mailbox *box = calloc(1, sizeof *box);
    *box = (struct mailbox){.outcome = outcome, .rank = own, .left = 2 * own};
    const struct communicator_news news = {box, collect_pieces, hear_pieces, NULL};
    if (own != 2) communicator->news = &news; /* rank 2 has none, and leaves the others' */
    const int status = own == 1 ? error_set(&error, SIMCLR_DATA, "damaged") : SIMCLR_OK;
    if (communicator_agree_status(communicator, status, &error) != SIMCLR_DATA) WRONG(outcome, own, "no failure");
    if (strcmp(error.text, "rank 1 on thread: damaged") != 0) WRONG(outcome, own, "says %.190s", error.text);
    communicator_recover(communicator);
    if (communicator_agree_status(communicator, SIMCLR_OK, &error)) WRONG(outcome, own, "fails again");
    for (int r = 0; r < size; r++) {
        const int told = r == own || r == 2 || own == 2 ? 0 : 2 * r;
        if (box->heard[r] != told) WRONG(outcome, own, "%d pieces of rank %d, not %d", box->heard[r], r, told);
    }
    communicator->news = NULL;
    free(box);
}

static void news_reach_all_with_an_agreement(void **state)
{
    (void)state;
    struct outcome outcome = {.count = 0};
    comm_threads_run(RANKS, news_body, &outcome);
    assert_right(&outcome);
}

/* ---- groups -------------------------------------------------------------------------------------------------------
 */
static void split_body(struct communicator *communicator, void *context)
{
    struct outcome *outcome = context;
    const int rank = communicator_rank(communicator);
    struct communicator *group;
    struct error error = {0};
    const int colour = rank == 4 ? 7 : rank % 2; /* 0 2, 1 3, and 4 alone */
    if (communicator_split(communicator, colour, &group, &error)) WRONG(outcome, rank, "%.190s", error.text);
    double sum = rank;
    communicator_sum(group, &sum, 1);
    const double want = rank == 4 ? 4 : rank % 2 ? 4 : 2;
    if (sum != want) WRONG(outcome, rank, "sum %g, not %g", sum, want);
    if (communicator_rank(group) != (rank == 4 ? 0 : rank / 2)) WRONG(outcome, rank, "another order");
    if ((group == NULL) != (rank == 4)) WRONG(outcome, rank, "alone or not");
    communicator_destroy(&group);
    sum = 1;
    communicator_sum(communicator, &sum, 1);
    if (sum != 5) WRONG(outcome, rank, "the whole has %g", sum);
}

static void a_group_is_a_communicator(void **state)
{
    (void)state;
    struct outcome outcome = {.count = 0};
    comm_threads_run(5, split_body, &outcome);
    assert_right(&outcome);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_are_in_the_order_of_ranks),
        cmocka_unit_test(a_rank_alone_goes_round_too),
        cmocka_unit_test(every_rank_has_all_that_is_gathered),
        cmocka_unit_test(a_broadcast_may_be_long),
        cmocka_unit_test(ranks_agree_on_the_worst),
        cmocka_unit_test(what_differs_is_found),
        cmocka_unit_test(a_group_is_a_communicator),
        cmocka_unit_test(news_reach_all_with_an_agreement),
    };
    return run_cases(tests, NULL, NULL);
}
