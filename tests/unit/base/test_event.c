/* base/event.h: no change is missed, whether it is met by spinning or asleep, and waits that come to sleep shorten the
 * spins of the next ones, but for some that look whether spinning helps again. */
#include "support/run.h"

#include <pthread.h>
#include <stdbool.h>
#include <time.h>

#include "base/event.h"

enum { TURNS = 20000, DOUBTS_MOST = 7, TRIES = 1000 };

struct game {
    struct event mine, theirs;
    unsigned doubts; /* of both at the start of every turn, or as they come */
    bool forced;
};

static void force(struct game *game, struct event *event)
{
    if (game->forced) atomic_store(&event->doubts, game->doubts);
}

static void *answer(void *argument)
{
    struct game *game = argument;
    for (unsigned turn = 0; turn < TURNS; turn++) {
        force(game, &game->mine);
        if (event_wait(&game->mine, turn) != turn + 1) return game;
        event_raise(&game->theirs);
    }
    return NULL;
}

/* Two threads answer each other, so each waits for every change of the other. */
static void play(bool forced, unsigned doubts)
{
    struct game game = {.forced = forced, .doubts = doubts};
    pthread_t other;
    void *wrong;
    assert_int_equal(pthread_create(&other, NULL, answer, &game), 0);
    for (unsigned turn = 0; turn < TURNS; turn++) {
        event_raise(&game.mine);
        force(&game, &game.theirs);
        assert_int_equal(event_wait(&game.theirs, turn), turn + 1);
    }
    assert_int_equal(pthread_join(other, &wrong), 0);
    assert_null(wrong);
    assert_int_equal(atomic_load(&game.mine.sleepers), 0);
    assert_int_equal(atomic_load(&game.theirs.sleepers), 0);
    assert_true(atomic_load(&game.mine.doubts) <= DOUBTS_MOST);
}

static void no_change_is_missed(void **state)
{
    (void)state;
    play(false, 0);
    for (unsigned doubts = 0; doubts <= DOUBTS_MOST; doubts += DOUBTS_MOST) play(true, doubts);
}

static void *raise_late(void *argument)
{
    const struct timespec late = {.tv_nsec = 3000000}; /* long after the last spin */
    nanosleep(&late, NULL);
    event_raise(argument);
    return NULL;
}

static void sleeping_is_remembered(void **state)
{
    (void)state;
    struct event event = {0};
    unsigned value = 0;
    int tries = 0;
    /* A waiter that the machine holds up finds the change at once: it has not slept, and the wait does not count. */
    for (; atomic_load(&event.doubts) < DOUBTS_MOST && tries < TRIES; tries++) {
        pthread_t other;
        assert_int_equal(pthread_create(&other, NULL, raise_late, &event), 0);
        value = event_wait(&event, value);
        assert_int_equal(value, tries + 1);
        assert_int_equal(pthread_join(other, NULL), 0);
    }
    assert_true(tries >= DOUBTS_MOST && tries < TRIES);
    for (unsigned left = DOUBTS_MOST; left-- > 0;) { /* changes that are there already */
        event_raise(&event);
        assert_int_equal(event_wait(&event, value), value + 1);
        value += 1;
        assert_int_equal(atomic_load(&event.doubts), left);
    }
}

static void doubts_shorten_spins(void **state)
{
    (void)state;
    struct event event = {0};
    const int whole = event_take_spins(&event, 0);
    assert_true(whole >= 1 << DOUBTS_MOST);
    for (unsigned doubts = 1; doubts <= DOUBTS_MOST; doubts++) {
        int longest = 0;
        atomic_store(&event.waits, 0);
        for (int wait = 0; wait < 32; wait++) {
            const int spins = event_take_spins(&event, doubts);
            if (spins == whole)
                longest++;
            else
                assert_int_equal(spins, whole >> doubts);
        }
        assert_int_equal(longest, 2); /* every sixteenth looks whether spinning helps again */
    }
    for (int wait = 0; wait < 32; wait++) assert_int_equal(event_take_spins(&event, 0), whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(no_change_is_missed), cmocka_unit_test(sleeping_is_remembered),
                                       cmocka_unit_test(doubts_shorten_spins)};
    return run_cases(tests, NULL, NULL);
}
