/* unit/backend/targets.h -- tests only: the variants of the cpu backend beside `ref`. */
#ifndef UNIT_BACKEND_TARGETS_H
#define UNIT_BACKEND_TARGETS_H

#include "ops/ops.h"

/* Every variant that runs, with one thread and with three. */
static inline void each_target(void (*check)(struct ops_target *target, struct ops_target *ref))
{
    struct ops_target ref, target;
    ops_open(&ref, "ref", NULL, 1);
    for (const char *const *variant = simd_words(); *variant; variant++) {
        for (int threads = 1; simd_runs(*variant) && threads <= 3; threads += 2) {
            ops_open(&target, "cpu", *variant, threads);
            check(&target, &ref);
            ops_close(&target);
        }
    }
    ops_close(&ref);
}

#endif
