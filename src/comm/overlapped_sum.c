/* comm/overlapped_sum.c -- see overlapped_sum.h. */
#include "comm/overlapped_sum.h"

#include <pthread.h>
#include <time.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/thread.h"

enum {
    SHORTEST = 256 << 10, /* values of a stretch */
    LONGEST = 1 << 20,
    STRETCHES = 16 /* that are wanted of few values */
};
static const double FOREVER = 1e9, LOOK = 0.1; /* seconds */

struct overlapped_sum {
    struct communicator *communicator; /* of the caller: its patience, and the time that it has waited */
    struct communicator *own;          /* of the thread */
    pthread_t thread;
    bool threaded;

    pthread_mutex_t mutex; /* of everything below */
    pthread_cond_t changed;
    float *values;
    size_t stretch, left, ready; /* values before `left` are to be summed, those from `ready` on are made */
    bool ends;
};

size_t overlapped_sum_stretch(int size, size_t count)
{
    const size_t wanted = count / STRETCHES, ranks = (size_t)size,
                 values = wanted < SHORTEST  ? SHORTEST
                          : wanted > LONGEST ? LONGEST
                                             : wanted;
    return values / ranks * ranks; /* nothing is left over that would go by itself */
}

/* Where the stretch begins that is summed next. */
static size_t next_stretch(const struct overlapped_sum *sum)
{
    return (sum->left - 1) / sum->stretch * sum->stretch;
}

/* Sums it. The mutex is held before and after. */
static void sum_next(struct overlapped_sum *sum)
{
    const size_t from = next_stretch(sum), count = sum->left - from;
    float *values = sum->values + from;
    pthread_mutex_unlock(&sum->mutex);
    communicator_sum_floats(sum->own, values, count);
    pthread_mutex_lock(&sum->mutex);
    sum->left = from;
}

static void *work(void *argument)
{
    struct overlapped_sum *sum = argument;
    pthread_mutex_lock(&sum->mutex);
    while (!sum->ends) {
        if (sum->left == 0 || sum->ready > next_stretch(sum)) {
            pthread_cond_wait(&sum->changed, &sum->mutex);
            continue;
        }
        sum_next(sum);
        if (sum->left == 0) pthread_cond_broadcast(&sum->changed);
    }
    pthread_mutex_unlock(&sum->mutex);
    return NULL;
}

int overlapped_sum_create(struct overlapped_sum **out, struct communicator *communicator, struct error *error)
{
    pthread_condattr_t monotonic;
    *out = NULL;
    if (!communicator) return SIMCLR_OK;
    struct overlapped_sum *sum = memory_allocate(sizeof *sum);
    int status = sum ? SIMCLR_OK : error_no_memory(error, "a sum over ranks", sizeof *sum);
    status = communicator_agree_status(communicator, status, error);
    if (!status && sum) {
        *sum = (struct overlapped_sum){.communicator = communicator};
        status = communicator_split(communicator, 0, &sum->own, error);
    }
    if (status || !sum || !sum->own) {
        memory_free(sum);
        return status;
    }
    sum->own->patience = FOREVER; /* of the thread: the caller's waits for it, and speaks */
    sum->own->beside = true;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&sum->mutex, NULL);
    pthread_cond_init(&sum->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    sum->threaded = communicator->ops->overlaps(communicator) && thread_start(&sum->thread, work, sum) == 0;
    *out = sum;
    return SIMCLR_OK;
}

void overlapped_sum_destroy(struct overlapped_sum **sum_pointer)
{
    struct overlapped_sum *sum = *sum_pointer;
    if (!sum) return;
    if (sum->threaded) {
        pthread_mutex_lock(&sum->mutex);
        sum->ends = true;
        pthread_cond_broadcast(&sum->changed);
        pthread_mutex_unlock(&sum->mutex);
        pthread_join(sum->thread, NULL);
    }
    communicator_destroy(&sum->own);
    pthread_cond_destroy(&sum->changed);
    pthread_mutex_destroy(&sum->mutex);
    memory_free(sum);
    *sum_pointer = NULL;
}

void overlapped_sum_begin(struct overlapped_sum *sum, float *values, size_t count)
{
    if (!sum) return;
    pthread_mutex_lock(&sum->mutex);
    sum->values = values;
    sum->stretch = overlapped_sum_stretch(sum->own->size, count);
    sum->left = sum->ready = count;
    pthread_mutex_unlock(&sum->mutex);
}

void overlapped_sum_ready(struct overlapped_sum *sum, size_t from)
{
    if (!sum) return;
    pthread_mutex_lock(&sum->mutex);
    sum->ready = from;
    if (sum->threaded && sum->left > 0 && from <= next_stretch(sum)) pthread_cond_broadcast(&sum->changed);
    pthread_mutex_unlock(&sum->mutex);
}

/* Without a thread the caller's waits for the others itself. */
static void sum_here(struct overlapped_sum *sum)
{
    sum->own->patience = sum->communicator->patience;
    sum->own->news = sum->communicator->news;
    sum->own->beside = false;
    while (sum->left > 0) sum_next(sum);
}

/* Until the thread is done, or has not got on for as long as the patience is. The mutex is held. */
static void wait_for_thread(struct overlapped_sum *sum)
{
    size_t left = sum->left;
    double waited = 0, before = clock_seconds();
    while (sum->left > 0) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += (long)(LOOK * 1e9);
        if (until.tv_nsec >= 1000000000L) until.tv_sec++, until.tv_nsec -= 1000000000L;
        pthread_cond_timedwait(&sum->changed, &sum->mutex, &until);
        const double now = clock_seconds();
        waited += communicator_waited(now - before);
        if (sum->left != left) waited = 0;
        left = sum->left;
        before = now;
        if (waited > sum->communicator->patience)
            sum->communicator->ops->give_up(sum->communicator, "a sum of gradients");
    }
}

void overlapped_sum_await(struct overlapped_sum *sum)
{
    if (!sum) return;
    const double start = clock_seconds();
    overlapped_sum_ready(sum, 0);
    pthread_mutex_lock(&sum->mutex);
    if (sum->threaded)
        wait_for_thread(sum);
    else
        sum_here(sum);
    pthread_mutex_unlock(&sum->mutex);
    sum->communicator->seconds += clock_seconds() - start;
}
