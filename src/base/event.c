/* base/event.c -- see event.h. */
#include "base/event.h"

#include <limits.h>
#include <linux/futex.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { SPINS = 2000, DOUBTS_MOST = 7, TRIED_AGAIN = 16 }; /* about 50 microseconds; 15 spins; of waits */

static void pause_cpu(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

int event_take_spins(struct event *event, unsigned doubts)
{
    if (doubts == 0) return SPINS;
    const unsigned waits = atomic_fetch_add_explicit(&event->waits, 1, memory_order_relaxed);
    return waits % TRIED_AGAIN == TRIED_AGAIN - 1 ? SPINS : SPINS >> doubts;
}

/* Waiters that write it at the same time may lose a step of each other: it is only a guess. */
static void doubt(struct event *event, unsigned doubts)
{
    atomic_store_explicit(&event->doubts, doubts, memory_order_relaxed);
}

unsigned event_wait(struct event *event, unsigned old)
{
    const unsigned doubts = atomic_load_explicit(&event->doubts, memory_order_relaxed);
    const int spins = event_take_spins(event, doubts);
    for (int spin = 0; spin < spins; spin++) {
        const unsigned value = atomic_load_explicit(&event->value, memory_order_acquire);
        if (value != old) {
            if (doubts > 0) doubt(event, spin > SPINS >> doubts ? 0 : doubts - 1);
            return value;
        }
        pause_cpu();
    }
    if (doubts < DOUBTS_MOST) doubt(event, doubts + 1);
    atomic_fetch_add(&event->sleepers, 1);
    unsigned value;
    while ((value = atomic_load(&event->value)) == old)
        syscall(SYS_futex, &event->value, FUTEX_WAIT_PRIVATE, old, NULL, NULL, 0);
    atomic_fetch_sub(&event->sleepers, 1);
    return value;
}

void event_wake(struct event *event)
{
    if (atomic_load(&event->sleepers) > 0)
        syscall(SYS_futex, &event->value, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

void event_raise(struct event *event)
{
    atomic_fetch_add(&event->value, 1);
    event_wake(event);
}
