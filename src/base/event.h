/* base/event.h -- a number to wait on: threads spin for its change, then sleep on a futex. No lock is ever taken.
 *
 * Spinning is right where the change comes soon. Where other programs want the processor, it keeps the one who makes
 * the change from running. So an event remembers how its waits ended: each that came to sleep halves the next spins,
 * and one that did not doubles them. Every sixteenth wait spins as long as at first. Where that helped, all do again.
 */
#ifndef BASE_EVENT_H
#define BASE_EVENT_H

#include <stdatomic.h>

/* Start from {0}. A waiter reads the value, looks whether there is anything to do, and if not waits for the value to
 * change: what is published before a change is seen after it, so nothing is missed. */
struct event {
    _Alignas(64) atomic_uint value;
    atomic_uint sleepers;
    atomic_uint doubts; /* halvings of the spins */
    atomic_uint waits;  /* that began with a doubt */
};

/* How often a wait that begins with so many doubts looks before it sleeps. Counts the wait. For event_wait and its
 * test. */
int event_take_spins(struct event *event, unsigned doubts);

/* Returns once the value differs from `old`; gives the new value. */
unsigned event_wait(struct event *event, unsigned old);

/* Wakes whoever sleeps: after a change of the value that was not made by event_raise. */
void event_wake(struct event *event);

/* Adds one and wakes. */
void event_raise(struct event *event);

#endif
