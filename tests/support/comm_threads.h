/* support/comm_threads.h -- a communicator whose ranks are threads of one process: what several ranks do can be tested
 * without an MPI, and under sanitizers.
 *
 * A rank that waits longer than its patience (60 s unless it sets another) ends the program with the names of those
 * that did not come, and what each rank was doing: no test hangs. */
#ifndef SUPPORT_COMM_THREADS_H
#define SUPPORT_COMM_THREADS_H

#include "comm/communicator.h"

enum { COMM_THREADS_MAX = 8 };

/* Runs body(communicator, context) on `ranks` threads, and returns when all have returned. With one rank the
 * communicator is NULL, as in the program. The body asserts nothing (cmocka's assertions belong to the test's own
 * thread): it leaves results in its context. */
void comm_threads_run(int ranks, void (*body)(struct communicator *communicator, void *context), void *context);

/* The same with a communicator for one rank too, whose messages go round: what costs a message shows then. */
void comm_threads_run_always(int ranks, void (*body)(struct communicator *communicator, void *context), void *context);

#endif
