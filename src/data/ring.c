/* data/ring.c -- see ring.h. */
#include "data/ring.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

#include "base/memory.h"

enum { ROWS_AT_ONCE = 4 };

struct ring {
    const struct view_source *source;
    struct slot *slots;
    int count;
    pthread_mutex_t mutex; /* guards all below and the slots' step, claimed, done, failed_row, error */
    pthread_cond_t work, ready;
    int busy; /* workers that are making rows */
    bool stop;
    int workers; /* started threads */
    pthread_t *threads;
    struct view_maker *makers;
};

struct worker {
    struct ring *ring;
    struct view_maker *maker;
};

/* The open slot with the smallest step that has rows left, or NULL. */
static struct slot *next_slot(const struct ring *ring)
{
    struct slot *oldest = NULL;
    for (int i = 0; i < ring->count; i++) {
        struct slot *slot = &ring->slots[i];
        if (slot->step >= 0 && slot->claimed < slot->batch.count && (oldest == NULL || slot->step < oldest->step))
            oldest = slot;
    }
    return oldest;
}

/* Called and returning with the mutex held. */
static void make_rows(struct ring *ring, struct view_maker *maker, struct slot *slot)
{
    const int first = slot->claimed, left = slot->batch.count - first, rows = left < ROWS_AT_ONCE ? left : ROWS_AT_ONCE;
    int failed = -1;
    struct error failure = {0};
    slot->claimed += rows;
    ring->busy++;
    pthread_mutex_unlock(&ring->mutex);
    for (int row = first; row < first + rows && failed < 0; row++)
        if (slot_make_row(slot, ring->source, maker, row, &failure) != SIMCLR_OK) failed = row;
    pthread_mutex_lock(&ring->mutex);
    if (failed >= 0) slot_fail(slot, failed, &failure);
    ring->busy--;
    slot->done += rows;
    if (slot->done == slot->batch.count || ring->busy == 0) pthread_cond_broadcast(&ring->ready);
}

static void *work(void *argument)
{
    struct worker *worker = argument;
    struct ring *ring = worker->ring;
    struct view_maker *maker = worker->maker;
    memory_free(worker);
    pthread_mutex_lock(&ring->mutex);
    while (!ring->stop) {
        struct slot *slot = next_slot(ring);
        if (slot != NULL)
            make_rows(ring, maker, slot);
        else
            pthread_cond_wait(&ring->work, &ring->mutex);
    }
    pthread_mutex_unlock(&ring->mutex);
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
        failure = pthread_create(&ring->threads[number], NULL, work, worker);
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
    sigset_t all, before; /* signals are the main thread's business */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (int i = 0; status == SIMCLR_OK && i < workers; i++) status = start_worker(ring, error);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return status;
}

int ring_open(struct ring **out, const struct view_source *source, struct slot *slots, int count, int workers,
              struct error *error)
{
    *out = NULL;
    struct ring *ring = memory_allocate(sizeof *ring);
    if (ring == NULL) return error_no_memory(error, "the ring of batches", sizeof *ring);
    ring->source = source;
    ring->slots = slots;
    ring->count = count;
    pthread_mutex_init(&ring->mutex, NULL);
    pthread_cond_init(&ring->work, NULL);
    pthread_cond_init(&ring->ready, NULL);
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
    pthread_mutex_lock(&ring->mutex);
    ring->stop = true;
    pthread_cond_broadcast(&ring->work);
    pthread_mutex_unlock(&ring->mutex);
    for (int i = 0; i < ring->workers; i++) {
        pthread_join(ring->threads[i], NULL);
        view_maker_close(&ring->makers[i]);
    }
    pthread_cond_destroy(&ring->ready);
    pthread_cond_destroy(&ring->work);
    pthread_mutex_destroy(&ring->mutex);
    memory_free(ring->threads);
    memory_free(ring->makers);
    memory_free(ring);
    *out = NULL;
}

void ring_start(struct ring *ring, struct slot *slot)
{
    pthread_mutex_lock(&ring->mutex);
    slot->step = slot->batch.step;
    slot->claimed = slot->done = 0;
    slot->failed_row = slot->batch.count;
    pthread_cond_broadcast(&ring->work);
    pthread_mutex_unlock(&ring->mutex);
}

void ring_wait(struct ring *ring, struct slot *slot)
{
    pthread_mutex_lock(&ring->mutex);
    while (slot->done < slot->batch.count) pthread_cond_wait(&ring->ready, &ring->mutex);
    slot->step = -1; /* the caller's now: workers do not look at it */
    pthread_mutex_unlock(&ring->mutex);
}

void ring_cancel(struct ring *ring)
{
    pthread_mutex_lock(&ring->mutex);
    for (int i = 0; i < ring->count; i++) ring->slots[i].step = -1; /* no row of it is claimed any more */
    while (ring->busy > 0) pthread_cond_wait(&ring->ready, &ring->mutex);
    pthread_mutex_unlock(&ring->mutex);
}
