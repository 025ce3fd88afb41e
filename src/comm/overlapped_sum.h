/* comm/overlapped_sum.h -- a sum over ranks that goes on while this rank still computes some of its values.
 *
 * The values are cut into stretches. They are summed from the last stretch to the first, each as soon as this rank has
 * made all of it: on the way back the gradients of the last layers come first. A thread of its own does that, on a
 * communicator of its own, so other messages go on meanwhile.
 *
 * The results are those of communicator_sum_floats, bit for bit: each value is added in the order of ranks, however the
 * values are cut. Where the system gives no thread, or a thread does not pay (`overlaps` of the engine), the sum is
 * made when it is awaited. The messages are the same then. */
#ifndef COMM_OVERLAPPED_SUM_H
#define COMM_OVERLAPPED_SUM_H

#include "comm/communicator.h"

struct overlapped_sum;

/* communicator: borrowed; NULL, or one of a single rank: *out is NULL, for which each call below does nothing.
 * Collective. Destroying is not: a rank that fails may do it alone, between two sums.
 * SIMCLR_NO_MEMORY, on every rank where it is one's before the communicator is split. */
int overlapped_sum_create(struct overlapped_sum **out, struct communicator *communicator, struct error *error);
void overlapped_sum_destroy(struct overlapped_sum **sum);

/* values: [count] in the host's memory, the caller's until the first overlapped_sum_ready and after the await. */
void overlapped_sum_begin(struct overlapped_sum *sum, float *values, size_t count);
/* This rank has made the values from `from` on. They are no longer the caller's. */
void overlapped_sum_ready(struct overlapped_sum *sum, size_t from);
/* All values are made. Returns when each is the sum of all ranks'. Where the others do not answer within the
 * communicator's patience it ends the run as communicator.h says. */
void overlapped_sum_await(struct overlapped_sum *sum);

/* Values of each stretch of `count` but the last, which may have fewer: what goes over a cable at once against how
 * often ranks wait for each other. */
size_t overlapped_sum_stretch(int size, size_t count);

#endif
