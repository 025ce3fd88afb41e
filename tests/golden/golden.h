/* golden/golden.h -- what the programs beside the reference folder share: a list of tests, one per variant, algorithm
 * and type. */
#ifndef GOLDEN_GOLDEN_H
#define GOLDEN_GOLDEN_H

#include "base/memory.h"
#include "support/images.h"
#include "support/kinks.h"
#include "support/network_check.h" /* cmocka, before those that assert */
#include "support/reference.h"
#include "support/short.h"

struct scenario; /* the program's own: what is run */

struct job {
    char name[64];
    const struct scenario *scenario;
    char variant[32];
    enum dtype dtype;
};

#define MOST 128
struct list {
    struct job jobs[MOST];
    struct CMUnitTest tests[MOST];
    int count;
};

static inline void add(struct list *list, CMUnitTestFunction function, const char *what,
                       const struct scenario *scenario, const char *variant, enum dtype dtype)
{
    if (list->count == MOST) abort();
    struct job *job = &list->jobs[list->count];
    snprintf(job->name, sizeof job->name, "%s, %s, %s", what, variant, dtype_name(dtype));
    snprintf(job->variant, sizeof job->variant, "%s", variant);
    job->scenario = scenario;
    job->dtype = dtype;
    list->tests[list->count++] = (struct CMUnitTest){.name = job->name, .test_func = function, .initial_state = job};
}

/* Calls `each` with every variant that runs here, as chosen (i = 0), direct and by Winograd. */
static inline void add_variants(struct list *list, bool all, void (*each)(struct list *, const char *, bool all, int i))
{
    static const char *const ALGORITHMS[] = {"", " direct", " winograd"};
    for (const char *const *variant = simd_words(); *variant; variant++) {
        if (!simd_runs(*variant)) {
            skip_part("this CPU lacks %s", *variant);
            continue;
        }
        for (int i = 0; i < 3; i++) {
            char forced[32];
            snprintf(forced, sizeof forced, "%s%s", *variant, ALGORITHMS[i]);
            each(list, forced, all, i);
        }
    }
}

#endif
