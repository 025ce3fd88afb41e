/* support/comm_threads.h -- a communicator whose ranks are threads of one process: what several ranks do can be tested
 * without an MPI, and under sanitizers.
 *
 * A rank that waits longer than its patience (60 s unless it sets another) ends the program with the names of those
 * that did not come, and what each rank was doing: no test hangs. */
#ifndef SUPPORT_COMM_THREADS_H
#define SUPPORT_COMM_THREADS_H

#include <stdint.h>

#include "comm/communicator.h"

enum { COMM_THREADS_MAX = 8 };

/* What a rank has been given in gathers and exchanges, those of communicators that were split off included. */
struct comm_threads_count {
    int64_t messages; /* calls */
    double bytes;     /* from other ranks */
};
struct comm_threads_count comm_threads_counted(const struct communicator *communicator);

/* From now on what a rank is given comes `delay` seconds for each of communicator_delays and the time of its bytes
 * after all have sent it. Of this rank alone, and of communicators that are split off later; each rank says so for
 * itself. Both 0: at once, as at first. */
struct comm_threads_link {
    double delay, seconds_per_byte;
};
void comm_threads_set_link(struct communicator *communicator, struct comm_threads_link link);

/* Runs body(communicator, context) on `ranks` threads, and returns when all have returned. With one rank the
 * communicator is NULL, as in the program. The body asserts nothing (cmocka's assertions belong to the test's own
 * thread): it leaves results in its context. */
void comm_threads_run(int ranks, void (*body)(struct communicator *communicator, void *context), void *context);

/* The same with a communicator for one rank too, whose messages go round: what costs a message shows then. */
void comm_threads_run_always(int ranks, void (*body)(struct communicator *communicator, void *context), void *context);

#endif
