/* base/event.c -- see event.h. */
#include "base/event.h"

#include <limits.h>
#include <linux/futex.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { SPINS = 2000 }; /* about 50 microseconds */

static void pause_cpu(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

unsigned event_wait(struct event *event, unsigned old)
{
    for (int spin = 0; spin < SPINS; spin++) {
        const unsigned value = atomic_load_explicit(&event->value, memory_order_acquire);
        if (value != old) return value;
        pause_cpu();
    }
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
