/* comm/communicator.h -- THE contract between a run on several processes (ranks) and what carries their messages.
 *
 * A rank is one process of a run, numbered from 0. Everything above this room is written for any number of ranks: a
 * NULL communicator is one process alone, for which each call below is done at once and changes nothing.
 *
 * Rules
 *  - Collective: all ranks make the same calls in the same order, with sizes that agree. What may fail on one rank
 *    alone is done before, and told by communicator_agree.
 *  - A call cannot fail. Where the others do not answer within `patience` the engine says which rank waits for what,
 *    and ends the processes of the run.
 *  - Sums are made here, in the order of ranks and in double. Equal numbers of ranks give equal bits on every rank,
 *    engine and placement (engines' own sums promise equal bits on all ranks, and not from run to run).
 *  - Buffers are in the memory of the backend that the ranks compute with. The engines of this version read and write
 *    the host's.
 *  - Nothing here allocates after creation, communicator_split excepted.
 *
 * An engine is a struct communicator_ops: `mpi` (comm/mpi, a plugin), and `threads` in tests/support, whose ranks are
 * threads of one process. */
#ifndef COMM_COMMUNICATOR_H
#define COMM_COMMUNICATOR_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

struct communicator;

/* What an engine provides. Blocks of different ranks never overlap. */
struct communicator_ops {
    /* Of the engine, for the log: "Open MPI 4.1.4". */
    const char *name;
    /* `all` is a row of `size` blocks of bytes[r] bytes, one after another. Each rank has filled its own; afterwards
     * every rank has all. In this and the next an engine may send many bytes in rounds (communicator_delays). */
    void (*gather)(struct communicator *communicator, void *all, const size_t *bytes);
    /* sent, received: rows of `size` blocks of `bytes` bytes. Block r of `sent` becomes block `rank` of rank r's
     * `received`. */
    void (*exchange)(struct communicator *communicator, void *received, const void *sent, size_t bytes);
    /* The ranks that give the same colour become a communicator of their own, in the same order. The caller destroys
     * it. */
    int (*split)(struct communicator *communicator, int colour, struct communicator **out, struct error *error);
    /* Frees it and nulls the pointer. Collective: no rank leaves before all have come here. One that was split off is
     * left at once: a rank that has failed closes what it has while the others are still to hear of it. */
    void (*destroy)(struct communicator **communicator);
    /* Ends the processes of all ranks with this exit code, now. */
    void (*abort)(struct communicator *communicator, int code);
    /* The same where the others have not answered within `patience`, once this rank has said so. what: "a gather" */
    void (*give_up)(struct communicator *communicator, const char *what);
    /* Does it pay that a second thread makes calls meanwhile, on a communicator of its own? Not where the engine serves
     * one thread alone, nor where all ranks are on one machine: the processors that compute copy the messages there. */
    bool (*overlaps)(const struct communicator *communicator);
};

/* What a rank has to tell beside an agreement: lines of its log, images that it found bad. collect and deliver are
 * called from within communicator_agree. */
struct communicator_news {
    void *cookie;
    /* At most `most` bytes that were not handed out yet, whole pieces of news. 0: there are none. *bytes are the
     * owner's, until its next call. */
    size_t (*collect)(void *cookie, const void **bytes, size_t most);
    /* Of another rank. */
    void (*deliver)(void *cookie, int rank, const void *bytes, size_t count);
    /* The engine ends the run without the others: this rank says itself what it has not told. NULL: nothing. */
    void (*spill)(void *cookie);
};

/* The engine makes it, with scratch of COMMUNICATOR_SCRATCH bytes and `sizes` of `size` elements. */
struct communicator {
    const struct communicator_ops *ops;
    int rank, size;
    int node_rank, node_size;             /* among the ranks on the same machine */
    const char *host;                     /* name of that machine */
    double patience;                      /* seconds that a rank waits for the others within one call */
    bool beside;                          /* its thread leaves the processor to others at once while it waits */
    double seconds;                       /* that calls of gather and exchange, and waits for sums, have taken */
    int failed;                           /* what the ranks agreed on, where that was not SIMCLR_OK */
    const struct communicator_news *news; /* borrowed; NULL: this rank has none, and leaves the others' */
    void *scratch;
    size_t *sizes;
};
enum {
    COMMUNICATOR_SCRATCH = 16 << 20, /* for sums, in stretches that fit in */
    COMMUNICATOR_NEWS = 64 << 10,    /* bytes of news of a rank in one message */
    COMMUNICATOR_SMALL = 64 << 10    /* bytes of all ranks that go at once */
};
/* How many messages, one after another, a rank waits for in a gather or an exchange of so many bytes, of all ranks'
 * blocks. Few bytes are sent to all at once. Many go in rounds: in the k-th a rank sends to the one k after it, and
 * hears from the one k before it. A round ends when the receiver says that it has all. So no cable has the bytes of two
 * senders at once: they would share it, and a switch drops what its queue cannot hold. */
static inline int communicator_delays(int size, size_t bytes)
{
    return bytes > COMMUNICATOR_SMALL ? 2 * (size - 1) : 1;
}

/* ---- who and how many ------------------------------------------------------------------------------------------ */
static inline int communicator_rank(const struct communicator *communicator)
{
    return communicator ? communicator->rank : 0;
}
static inline int communicator_size(const struct communicator *communicator)
{
    return communicator ? communicator->size : 1;
}
/* Ranks on this machine, which share its processors and memory. */
static inline int communicator_node_size(const struct communicator *communicator)
{
    return communicator ? communicator->node_size : 1;
}
/* The one rank that writes files and speaks. */
static inline bool communicator_leads(const struct communicator *communicator)
{
    return communicator_rank(communicator) == 0;
}
static inline double communicator_seconds(const struct communicator *communicator)
{
    return communicator ? communicator->seconds : 0;
}
static inline double communicator_patience(const struct communicator *communicator)
{
    return communicator ? communicator->patience : 0;
}
/* Of this communicator alone, and not of those that were split off. */
void communicator_set_patience(struct communicator *communicator, double seconds);
/* Of the seconds between two looks at a message, those that count as waiting: none where this rank did not run itself
 * for a while (SIGSTOP, a debugger). No pause between two looks is nearly as long. */
static inline double communicator_waited(double seconds)
{
    return seconds < 0.5 ? seconds : 0;
}

/* ---- messages -------------------------------------------------------------------------------------------------- */
/* As `gather` of the engine. */
void communicator_gather(struct communicator *communicator, void *all, const size_t *bytes);
/* values[i] becomes ((rank 0's + rank 1's) + rank 2's) ..., added in double and rounded once. */
void communicator_sum(struct communicator *communicator, double *values, size_t count);
void communicator_sum_floats(struct communicator *communicator, float *values, size_t count);
/* How a sum of `count` values of `element` bytes over `size` ranks begins, for who counts its messages: the values of
 * its first stretch. *piece 0: every rank gathers those of all. Otherwise each rank is sent a piece of so many values
 * by all others, in one exchange, and the sums of the pieces are gathered. */
size_t communicator_stretch(int size, size_t count, size_t element, size_t *piece);
/* The bytes of rank `root` on every rank. */
void communicator_broadcast(struct communicator *communicator, void *bytes, size_t count, int root);
/* *out NULL: this rank is alone with its colour. */
int communicator_split(struct communicator *communicator, int colour, struct communicator **out, struct error *error);
void communicator_destroy(struct communicator **communicator);

/* What ranks tell each other between two steps. In: of this rank; out: of all. */
struct agreement {
    bool stop;      /* asked to end early; out: any rank was */
    double seconds; /* of the last step; out: of the slowest rank */
    int slowest;    /* out: that rank */
};
enum { AGREEMENT_BYTES = 24 }; /* that a rank sends, where nothing has failed */
/* Returns the same status on every rank: SIMCLR_OK where all gave SIMCLR_OK and nobody is to stop. Otherwise that of
 * the lowest rank that failed, with its sentence and, where that rank is not 0, its number and host before it.
 * SIMCLR_INTERRUPTED yields to every other failure; with agreement->stop alone it comes without a sentence.
 * News (struct communicator_news) of all ranks are delivered before it returns, those of lower ranks first. They cost
 * no message where there are none.
 * A failure stays: later calls return it at once, without a message. So a rank that fails on its way to one agreement
 * may meet the others at the next one, on its way out.
 * status, *error: of this rank. */
int communicator_agree(struct communicator *communicator, struct agreement *agreement, int status, struct error *error);
/* The same of a status alone. */
int communicator_agree_status(struct communicator *communicator, int status, struct error *error);
/* All ranks have dealt with the failure that they agreed on, and agree anew from here on. */
void communicator_recover(struct communicator *communicator);
/* Whether `bytes` are the same on all ranks. Otherwise SIMCLR_INVALID on every rank: "rank 1 on HOST has WHAT that
 * differ from rank 0's: ADVICE". */
int communicator_compare(struct communicator *communicator, const void *bytes, size_t count, const char *what,
                         const char *advice, struct error *error);

#endif
