/* loader/ring.c -- see ring.h.
 *
 * What workers share with the caller while batches are made is atomic. Rows are claimed by taking them off a slot's
 * count of rows that are left, and counted when they are made. Whoever finds nothing to do waits for an event. A lock
 * guards only the note that a row has failed.
 *
 * A claim that succeeds keeps its slot from being used again until its rows are counted. So a worker reads nothing of a
 * slot before it has claimed rows of it. */
#include "loader/ring.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "base/event.h"
#include "base/memory.h"
#include "base/thread.h"

enum { ROWS_AT_ONCE = 4 };

struct ring {
    const struct view_source *source;
    struct slot *slots;
    int count;
    const struct affinity *processors; /* of the workers; NULL: as their maker's */
    struct event work;                 /* raised when there are rows to claim, and to stop */
    struct event ready;                /* raised when a slot is done; while slots are taken back, when any row is */
    _Alignas(64) atomic_int first;     /* the slot that is needed next */
    atomic_bool stop, cancelling;
    pthread_mutex_t mutex; /* guards the slots' failed_row and error */
    int workers;           /* started threads */
    pthread_t *threads;
    struct view_maker *makers;
};

struct worker {
    struct ring *ring;
    struct view_maker *maker;
};

/* Takes up to ROWS_AT_ONCE rows on: how many, and which is the first. */
static int claim(struct slot *slot, int *first)
{
    int left = atomic_load_explicit(&slot->left, memory_order_relaxed), rows;
    do {
        if (left == 0) return 0;
        rows = left < ROWS_AT_ONCE ? left : ROWS_AT_ONCE;
    } while (!atomic_compare_exchange_weak_explicit(&slot->left, &left, left - rows, memory_order_acquire,
                                                    memory_order_relaxed));
    *first = slot->tasks - left;
    return rows;
}

static void make_rows(struct ring *ring, struct view_maker *maker, struct slot *slot, int first, int rows)
{
    int failed = -1;
    struct error failure = {0};
    for (int row = first; row < first + rows && failed < 0; row++)
        if (slot_make_row(slot, ring->source, maker, row, &failure) != SIMCLR_OK) failed = row;
    if (failed >= 0) {
        pthread_mutex_lock(&ring->mutex);
        slot_fail(slot, failed, &failure);
        pthread_mutex_unlock(&ring->mutex);
    }
    const int count = slot->tasks; /* once the last row is counted the slot may be used again */
    if (atomic_fetch_add(&slot->done, rows) + rows == count || atomic_load(&ring->cancelling))
        event_raise(&ring->ready);
}

/* Makes rows of the first slot that has any left, in the order in which slots are needed. */
static bool make_some(struct ring *ring, struct view_maker *maker)
{
    const int first_slot = atomic_load_explicit(&ring->first, memory_order_relaxed);
    for (int i = 0; i < ring->count; i++) {
        struct slot *slot = &ring->slots[(first_slot + i) % ring->count];
        int first;
        const int rows = claim(slot, &first);
        if (rows == 0) continue;
        make_rows(ring, maker, slot, first, rows);
        return true;
    }
    return false;
}

static void *work(void *argument)
{
    struct worker *worker = argument;
    struct ring *ring = worker->ring;
    struct view_maker *maker = worker->maker;
    memory_free(worker);
    if (ring->processors != NULL) affinity_apply(ring->processors); /* where it fails it runs anywhere */
    while (!atomic_load(&ring->stop)) {
        const unsigned before = atomic_load(&ring->work.value); /* first: what is started after it changes it */
        if (!make_some(ring, maker) && !atomic_load(&ring->stop)) event_wait(&ring->work, before);
    }
    return NULL;
}

static int start_worker(struct ring *ring, struct error *error)
{
    const int number = ring->workers;
    int status = view_maker_open(&ring->makers[number], ring->source, error);
    if (status != SIMCLR_OK) return status;
    struct worker *worker = memory_allocate(sizeof *worker);
    int failure = worker == NULL;
    if (worker != NULL) {
        *worker = (struct worker){ring, &ring->makers[number]};
        failure = thread_start(&ring->threads[number], work, worker);
    }
    if (failure == 0) {
        ring->workers++;
        return SIMCLR_OK;
    }
    memory_free(worker);
    view_maker_close(&ring->makers[number]);
    return error_set(error, SIMCLR_NO_MEMORY, "cannot start worker %d: %s: ask for fewer workers", number + 1,
                     strerror(worker == NULL ? ENOMEM : failure));
}

static int start_workers(struct ring *ring, int workers, struct error *error)
{
    int status = SIMCLR_OK;
    for (int i = 0; status == SIMCLR_OK && i < workers; i++) status = start_worker(ring, error);
    return status;
}

int ring_open(struct ring **out, const struct view_source *source, struct slot *slots, int count, int workers,
              const struct affinity *processors, struct error *error)
{
    *out = NULL;
    struct ring *ring = memory_allocate(sizeof *ring);
    if (ring == NULL) return error_no_memory(error, "the ring of batches", sizeof *ring);
    ring->source = source;
    ring->slots = slots;
    ring->count = count;
    ring->processors = processors;
    pthread_mutex_init(&ring->mutex, NULL);
    ring->threads = memory_array((size_t)workers, sizeof *ring->threads);
    ring->makers = memory_array((size_t)workers, sizeof *ring->makers);
    const int status = ring->threads == NULL || ring->makers == NULL
                           ? error_no_memory(error, "the loader's workers", (size_t)workers * sizeof *ring->makers)
                           : start_workers(ring, workers, error);
    if (status != SIMCLR_OK) ring_close(&ring);
    *out = ring;
    return status;
}

void ring_close(struct ring **out)
{
    struct ring *ring = *out;
    if (ring == NULL) return;
    atomic_store(&ring->stop, true);
    event_raise(&ring->work);
    for (int i = 0; i < ring->workers; i++) {
        pthread_join(ring->threads[i], NULL);
        view_maker_close(&ring->makers[i]);
    }
    pthread_mutex_destroy(&ring->mutex);
    memory_free(ring->threads);
    memory_free(ring->makers);
    memory_free(ring);
    *out = NULL;
}

void ring_start(struct ring *ring, struct slot *slot)
{
    slot->started = slot->failed_row = slot->tasks;
    atomic_store_explicit(&slot->done, 0, memory_order_relaxed);
    atomic_store_explicit(&slot->left, slot->tasks, memory_order_release); /* from here on it is the workers' */
    event_raise(&ring->work);
}

/* Waits until `rows` rows of a slot are made. */
static void wait_for_rows(struct ring *ring, struct slot *slot, int rows)
{
    for (;;) {
        const unsigned before = atomic_load(&ring->ready.value);
        if (atomic_load(&slot->done) == rows) return;
        event_wait(&ring->ready, before);
    }
}

void ring_wait(struct ring *ring, struct slot *slot)
{
    atomic_store_explicit(&ring->first, (int)(slot - ring->slots), memory_order_relaxed);
    wait_for_rows(ring, slot, slot->tasks);
}

void ring_cancel(struct ring *ring)
{
    atomic_store(&ring->cancelling, true);
    for (int i = 0; i < ring->count; i++) {
        struct slot *slot = &ring->slots[i];
        wait_for_rows(ring, slot, slot->started - atomic_exchange(&slot->left, 0));
        slot->started = 0;
        atomic_store_explicit(&slot->done, 0, memory_order_relaxed);
    }
    atomic_store(&ring->cancelling, false);
}
