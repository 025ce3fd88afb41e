/* loader/ring.h -- worker threads that keep a bounded ring of batches full.
 *
 * One caller opens slots (ring_start), waits for them in order of steps (ring_wait) and cancels (ring_cancel). Workers
 * take rows of the oldest open slot first, a few at a time, so that the batch that is needed next is ready first. */
#ifndef DATA_RING_H
#define DATA_RING_H

#include "base/affinity.h"
#include "loader/slot.h"

struct ring;

/* slots: [count], borrowed: of step s is slot s % count. processors: where the workers may run, borrowed; NULL: where
 * the calling thread may. */
int ring_open(struct ring **out, const struct view_source *source, struct slot *slots, int count, int workers,
              const struct affinity *processors, struct error *error);
void ring_close(struct ring **ring); /* stops and joins the workers, whatever they are doing; NULL is fine */

/* Hands `slot` (its step, indices, count and epoch are set) to the workers. */
void ring_start(struct ring *ring, struct slot *slot);

/* Waits until all rows of a started slot are done; from then on it is the caller's, until it is started again. */
void ring_wait(struct ring *ring, struct slot *slot);

/* Takes all slots back: rows not begun are dropped, those under way are waited for. */
void ring_cancel(struct ring *ring);

#endif
