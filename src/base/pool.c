/* base/pool.c -- one job at a time, published by raising `generation`.
 *
 * All shared state is C11 atomics or written only while every worker is known to be idle (between `pending`
 * reaching 0 and the next generation), so the pool is clean under ThreadSanitizer. */
#include "base/pool.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/cgroup.h"
#include "base/event.h"
#include "base/memory.h"
#include "base/thread.h"

enum { THREADS_MAX = 1024 };

struct worker {
    struct pool *pool;
    int thread;
    pthread_t handle;
};

struct pool {
    struct event generation;               /* raised once per job, and once to stop */
    struct event pending;                  /* workers that have not finished the job */
    struct event phase;                    /* raised by the last thread to reach the barrier */
    _Alignas(64) atomic_int_fast64_t next; /* next index to hand out */
    _Alignas(64) atomic_int arrived;       /* threads waiting at the barrier */
    /* the job: exactly one of task and part is set; both NULL means stop */
    pool_task *task;
    pool_part *part;
    void *context;
    int64_t count;
    int threads;
    int started; /* workers that really run */
    struct worker *workers;
    struct affinity allowed;           /* when the pool was made */
    double quota;                      /* of processors, then; INFINITY: none */
    struct affinity computing, others; /* while it is confined: its share, and the rest */
    int confined;                      /* how often pool_confine was asked for */
    struct stop stop;                  /* {0}: nobody asks */
};

/* What this thread is doing, so that nested calls run inline. Depth 0: nothing; 1: a task; 2: a nested one. */
static _Thread_local const struct pool *current_pool;
static _Thread_local int current_thread;
static _Thread_local int current_depth;

static void wait_zero(struct event *event)
{
    unsigned value = atomic_load_explicit(&event->value, memory_order_acquire);
    while (value != 0) value = event_wait(event, value);
}

static void work(struct pool *pool, int thread)
{
    current_pool = pool;
    current_thread = thread;
    current_depth = 1;
    if (pool->part != NULL) {
        pool->part(pool->context, thread, pool->threads);
    } else {
        int64_t index;
        while ((index = atomic_fetch_add_explicit(&pool->next, 1, memory_order_relaxed)) < pool->count)
            pool->task(pool->context, index, thread);
    }
    current_depth = 0;
    current_pool = NULL;
}

static void *worker_main(void *argument)
{
    const struct worker *worker = argument;
    struct pool *pool = worker->pool;
    unsigned generation = 0;
    for (;;) {
        generation = event_wait(&pool->generation, generation);
        if (pool->task == NULL && pool->part == NULL) return NULL;
        work(pool, worker->thread);
        /* The caller may wait for any value above 0; only the last change needs to wake it. */
        if (atomic_fetch_sub(&pool->pending.value, 1) == 1) event_wake(&pool->pending);
    }
}

/* Publishes the job, works as thread 0, waits for the others. */
static void run_job(struct pool *pool, int64_t count, pool_task *task, pool_part *part, void *context)
{
    pool->task = task;
    pool->part = part;
    pool->context = context;
    pool->count = count;
    atomic_store_explicit(&pool->next, 0, memory_order_relaxed);
    if (pool->started > 0) {
        atomic_store(&pool->pending.value, (unsigned)pool->started);
        event_raise(&pool->generation);
    }
    if (task == NULL && part == NULL) return; /* stop: workers leave without reporting */
    work(pool, 0);
    wait_zero(&pool->pending);
}

void pool_run(struct pool *pool, int64_t count, pool_task *task, void *context)
{
    if (count <= 0) return;
    if (current_depth == 0) {
        run_job(pool, count, task, NULL, context);
        return;
    }
    const int thread = current_pool == pool ? current_thread : 0; /* its own scratch, where tasks keep any */
    current_depth++;
    for (int64_t index = 0; index < count; index++) task(context, index, thread);
    current_depth--;
}

void pool_split(struct pool *pool, pool_part *part, void *context)
{
    if (current_depth == 0) {
        run_job(pool, 0, NULL, part, context);
        return;
    }
    current_depth++;
    part(context, 0, 1);
    current_depth--;
}

void pool_barrier(struct pool *pool)
{
    if (pool->threads == 1 || current_depth != 1) return;
    const unsigned phase = atomic_load(&pool->phase.value);
    if (atomic_fetch_add(&pool->arrived, 1) + 1 == pool->threads) {
        atomic_store(&pool->arrived, 0);
        event_raise(&pool->phase);
    } else {
        event_wait(&pool->phase, phase);
    }
}

int pool_threads(const struct pool *pool)
{
    return pool->threads;
}

/* Whole processors of both: a thread more than the quota would have all of them throttled. */
static int least_of(const struct affinity *set, double quota)
{
    const int cpus = affinity_count(set), most = cpus < 1 ? 1 : cpus;
    return !(quota < most) ? most : quota < 1 ? 1 : (int)quota;
}

int pool_available_cpus(void)
{
    const struct affinity set = affinity_now();
    return least_of(&set, cgroup_limits("").processors);
}

int pool_processors(const struct pool *pool)
{
    return least_of(&pool->allowed, pool->quota);
}

double pool_quota(const struct pool *pool)
{
    return pool->quota < affinity_count(&pool->allowed) ? pool->quota : 0;
}

void pool_set_stop(struct pool *pool, struct stop stop)
{
    pool->stop = stop;
}

struct stop pool_stop(const struct pool *pool)
{
    return pool->stop;
}

bool pool_is_stopped(const struct pool *pool)
{
    return stop_is_asked(pool->stop);
}

/* ---- processors of their own ---- */

struct move {
    const struct affinity *to;
    atomic_int refused;
};

static void move_thread(void *context, int thread, int threads)
{
    (void)thread, (void)threads;
    struct move *move = context;
    if (!affinity_apply(move->to)) atomic_fetch_add(&move->refused, 1);
}

static bool move_all(struct pool *pool, const struct affinity *to)
{
    struct move move = {.to = to};
    pool_split(pool, move_thread, &move);
    return atomic_load(&move.refused) == 0;
}

const struct affinity *pool_confine(struct pool *pool)
{
    if (pool->confined == 0) {
        if (!affinity_divide(&pool->allowed, pool->threads, AFFINITY_SYSTEM, &pool->computing, &pool->others))
            return NULL;
        if (!move_all(pool, &pool->computing)) {
            move_all(pool, &pool->allowed);
            return NULL;
        }
    }
    pool->confined++;
    return &pool->others;
}

void pool_release(struct pool *pool)
{
    if (--pool->confined == 0) move_all(pool, &pool->allowed);
}

static int start_workers(struct pool *pool, struct error *error)
{
    int failure = 0;
    for (int thread = 1; thread < pool->threads && failure == 0; thread++) {
        struct worker *worker = &pool->workers[thread - 1];
        worker->pool = pool;
        worker->thread = thread;
        failure = thread_start(&worker->handle, worker_main, worker);
        pool->started += failure == 0;
    }
    if (failure != 0)
        return error_set(error, SIMCLR_NO_MEMORY,
                         "cannot start thread %d of %d (%s): free some memory, or ask for fewer with --threads",
                         pool->started + 2, pool->threads, strerror(failure));
    return SIMCLR_OK;
}

int pool_create(struct pool **out, int threads, struct error *error)
{
    *out = NULL;
    if (threads < 0 || threads > THREADS_MAX)
        return error_set(error, SIMCLR_INVALID, "threads is %d: give 1 to %d, or 0 for one per CPU", threads,
                         THREADS_MAX);
    if (threads == 0) threads = pool_available_cpus() < THREADS_MAX ? pool_available_cpus() : THREADS_MAX;
    struct pool *pool = memory_allocate(sizeof *pool);
    if (pool == NULL) return error_no_memory(error, "the thread pool", sizeof *pool);
    pool->threads = threads;
    pool->allowed = affinity_now();
    pool->quota = cgroup_limits("").processors;
    pool->workers = memory_array((size_t)threads, sizeof *pool->workers);
    const int status = pool->workers == NULL ? error_no_memory(error, "the thread pool", sizeof *pool->workers)
                                             : start_workers(pool, error);
    if (status != SIMCLR_OK) {
        pool_destroy(&pool);
        return status;
    }
    *out = pool;
    return SIMCLR_OK;
}

void pool_destroy(struct pool **pool)
{
    if (pool == NULL || *pool == NULL) return;
    run_job(*pool, 0, NULL, NULL, NULL);
    for (int i = 0; i < (*pool)->started; i++) pthread_join((*pool)->workers[i].handle, NULL);
    memory_free((*pool)->workers);
    memory_free(*pool);
    *pool = NULL;
}
