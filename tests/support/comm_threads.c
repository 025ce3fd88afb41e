/* support/comm_threads.c -- see comm_threads.h. A call is two meetings: before the first every rank has put down where
 * its bytes are, between the two each copies what it needs. */
#include "support/comm_threads.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct member;

/* Of a rank: its threads may each be in a call, on communicators of their own. */
struct tally {
    pthread_mutex_t mutex;
    struct comm_threads_count count;
};

/* What the ranks of one communicator share. */
struct group {
    pthread_mutex_t mutex;
    pthread_cond_t all_here;
    int size, waiting, meeting; /* meeting: how many there have been */
    struct member *members[COMM_THREADS_MAX];
    struct group *next; /* of all groups of a run */
};

/* A rank's own. */
struct member {
    struct communicator communicator;
    struct group *group;
    const char *doing; /* the call that it is in, or "nothing" */
    const void *bytes; /* put down for the others */
    int colour;
    struct group *made; /* by the lowest rank of the colour */
    struct comm_threads_link link;
    struct tally *tally, own_tally; /* tally: of the rank's first communicator */
};

static struct member *member_of(struct communicator *communicator)
{
    return (struct member *)communicator; /* the first field */
}

static void give_up(const struct member *member)
{
    const struct group *group = member->group;
    fprintf(stderr, "comm_threads: rank %d of %d waited %g s in %s:", member->communicator.rank, group->size,
            member->communicator.patience, member->doing);
    for (int r = 0; r < group->size; r++) fprintf(stderr, " rank %d in %s;", r, group->members[r]->doing);
    fprintf(stderr, "\n");
    abort();
}

static void meet(struct member *member)
{
    struct group *group = member->group;
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    const double seconds = member->communicator.patience;
    until.tv_sec += (time_t)seconds;
    until.tv_nsec += (long)((seconds - (double)(time_t)seconds) * 1e9);
    if (until.tv_nsec >= 1000000000L) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000L;
    }
    pthread_mutex_lock(&group->mutex);
    const int meeting = group->meeting;
    if (++group->waiting == group->size) {
        group->waiting = 0;
        group->meeting++;
        pthread_cond_broadcast(&group->all_here);
    }
    while (group->meeting == meeting)
        if (pthread_cond_timedwait(&group->all_here, &group->mutex, &until) == ETIMEDOUT && group->meeting == meeting)
            give_up(member);
    pthread_mutex_unlock(&group->mutex);
}

static void begin(struct member *member, const char *doing, const void *bytes)
{
    pthread_mutex_lock(&member->group->mutex);
    member->doing = doing;
    member->bytes = bytes;
    pthread_mutex_unlock(&member->group->mutex);
    meet(member);
}

static void end(struct member *member)
{
    meet(member);
    pthread_mutex_lock(&member->group->mutex);
    member->doing = "nothing";
    pthread_mutex_unlock(&member->group->mutex);
}

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Counts what this rank was given, and waits until it would have come. all: bytes of all ranks. start: when the last
 * rank had sent it. */
static void arrive(struct member *member, double bytes, size_t all, double start)
{
    const struct comm_threads_link *link = &member->link;
    const int delays = communicator_delays(member->communicator.size, all);
    const double left = start + delays * link->delay + bytes * link->seconds_per_byte - seconds_now();
    pthread_mutex_lock(&member->tally->mutex);
    member->tally->count.messages += 1;
    member->tally->count.bytes += bytes;
    pthread_mutex_unlock(&member->tally->mutex);
    if (left <= 0) return;
    const struct timespec rest = {(time_t)left, (long)((left - (double)(time_t)left) * 1e9)};
    nanosleep(&rest, NULL);
}

struct comm_threads_count comm_threads_counted(const struct communicator *communicator)
{
    struct tally *tally = ((const struct member *)communicator)->tally;
    pthread_mutex_lock(&tally->mutex);
    const struct comm_threads_count count = tally->count;
    pthread_mutex_unlock(&tally->mutex);
    return count;
}

void comm_threads_set_link(struct communicator *communicator, struct comm_threads_link link)
{
    member_of(communicator)->link = link;
}

static void gather(struct communicator *communicator, void *all, const size_t *bytes)
{
    struct member *member = member_of(communicator);
    begin(member, "gather", all);
    const double start = seconds_now();
    size_t at = 0, given = 0;
    for (int r = 0; r < communicator->size; at += bytes[r], r++) {
        if (r == communicator->rank || bytes[r] == 0) continue;
        memcpy((char *)all + at, (const char *)member->group->members[r]->bytes + at, bytes[r]);
        given += bytes[r];
    }
    arrive(member, (double)given, at, start);
    end(member);
}

static void exchange(struct communicator *communicator, void *received, const void *sent, size_t bytes)
{
    struct member *member = member_of(communicator);
    const size_t own = (size_t)communicator->rank * bytes;
    begin(member, "exchange", sent);
    const double start = seconds_now();
    for (int r = 0; r < communicator->size; r++)
        memcpy((char *)received + (size_t)r * bytes, (const char *)member->group->members[r]->bytes + own, bytes);
    arrive(member, (double)bytes * (communicator->size - 1), (size_t)communicator->size * bytes, start);
    end(member);
}

static void engine_abort(struct communicator *communicator, int code)
{
    fprintf(stderr, "comm_threads: rank %d aborts with code %d\n", communicator->rank, code);
    abort();
}

static void engine_give_up(struct communicator *communicator, const char *what)
{
    struct member *member = member_of(communicator);
    pthread_mutex_lock(&member->group->mutex);
    member->doing = what;
    give_up(member);
}

static bool overlaps(const struct communicator *communicator)
{
    (void)communicator;
    return true;
}

static int split(struct communicator *communicator, int colour, struct communicator **out, struct error *error);

/* Groups themselves are freed by comm_threads_run, when no thread can be in one any more. */
static void destroy(struct communicator **communicator)
{
    struct member *member = member_of(*communicator);
    free(member->communicator.scratch);
    free(member->communicator.sizes);
    member->communicator.scratch = member->communicator.sizes = NULL;
    *communicator = NULL;
}

static const struct communicator_ops threads_ops = {.name = "threads",
                                                    .gather = gather,
                                                    .exchange = exchange,
                                                    .split = split,
                                                    .destroy = destroy,
                                                    .abort = engine_abort,
                                                    .give_up = engine_give_up,
                                                    .overlaps = overlaps};

static struct group *new_group(int size)
{
    struct group *group = calloc(1, sizeof *group);
    if (!group) abort();
    pthread_mutex_init(&group->mutex, NULL);
    pthread_cond_init(&group->all_here, NULL);
    group->size = size;
    for (int r = 0; r < size; r++) {
        struct member *member = group->members[r] = calloc(1, sizeof *member);
        if (!member) abort();
        member->group = group;
        member->doing = "nothing";
        member->tally = &member->own_tally;
        pthread_mutex_init(&member->own_tally.mutex, NULL);
        member->communicator = (struct communicator){.ops = &threads_ops,
                                                     .rank = r,
                                                     .size = size,
                                                     .node_rank = r,
                                                     .node_size = size,
                                                     .host = "thread",
                                                     .patience = 60,
                                                     .scratch = malloc(COMMUNICATOR_SCRATCH),
                                                     .sizes = calloc((size_t)size, sizeof(size_t))};
        if (!member->communicator.scratch || !member->communicator.sizes) abort();
    }
    return group;
}

static void free_groups(struct group *group)
{
    while (group) {
        struct group *next = group->next;
        for (int r = 0; r < group->size; r++) {
            free(group->members[r]->communicator.scratch);
            free(group->members[r]->communicator.sizes);
            free(group->members[r]);
        }
        pthread_cond_destroy(&group->all_here);
        pthread_mutex_destroy(&group->mutex);
        free(group);
        group = next;
    }
}

/* Those of a rank's colour: how many, which of them it is, and the lowest of them. */
struct kin {
    int count, own, lowest;
};

static struct kin kin_of(const struct member *member)
{
    struct kin kin = {.lowest = -1};
    for (int r = 0; r < member->group->size; r++) {
        if (member->group->members[r]->colour != member->colour) continue;
        if (kin.lowest < 0) kin.lowest = r;
        if (r == member->communicator.rank) kin.own = kin.count;
        kin.count++;
    }
    return kin;
}

static int split(struct communicator *communicator, int colour, struct communicator **out, struct error *error)
{
    (void)error;
    struct member *member = member_of(communicator);
    member->colour = colour;
    begin(member, "split", NULL);
    const struct kin kin = kin_of(member);
    if (kin.lowest == communicator->rank) member->made = new_group(kin.count);
    meet(member);
    struct group *made = member->group->members[kin.lowest]->made;
    if (kin.lowest == communicator->rank) {
        pthread_mutex_lock(&member->group->mutex);
        made->next = member->group->next;
        member->group->next = made;
        pthread_mutex_unlock(&member->group->mutex);
    }
    *out = kin.count > 1 ? &made->members[kin.own]->communicator : NULL;
    made->members[kin.own]->tally = member->tally;
    made->members[kin.own]->link = member->link;
    end(member);
    return SIMCLR_OK;
}

/* ---- threads --------------------------------------------------------------------------------------------------- */
struct job {
    void (*body)(struct communicator *communicator, void *context);
    void *context;
    struct communicator *communicator;
};

static void *start(void *argument)
{
    struct job *job = argument;
    job->body(job->communicator, job->context);
    return NULL;
}

void comm_threads_run_always(int ranks, void (*body)(struct communicator *communicator, void *context), void *context)
{
    pthread_t threads[COMM_THREADS_MAX];
    struct job jobs[COMM_THREADS_MAX];
    if (ranks < 1 || ranks > COMM_THREADS_MAX) abort();
    struct group *group = new_group(ranks);
    for (int r = 0; r < ranks; r++) {
        jobs[r] = (struct job){body, context, &group->members[r]->communicator};
        if (pthread_create(&threads[r], NULL, start, &jobs[r]) != 0) abort();
    }
    for (int r = 0; r < ranks; r++) pthread_join(threads[r], NULL);
    free_groups(group);
}

void comm_threads_run(int ranks, void (*body)(struct communicator *communicator, void *context), void *context)
{
    if (ranks > 1)
        comm_threads_run_always(ranks, body, context);
    else
        body(NULL, context);
}
