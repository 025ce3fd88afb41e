/* config/expect.h -- what a recipe says that its runs should reach: the rows of its `expect` list.
 *
 *   expect:
 *     - {epoch: 20, metric: epoch/loss, low: 4.88, high: 4.92, source: "docs/results.md, eight runs"}
 *
 * They are no options: nothing of a run depends on them. A run keeps them in its config.yaml, and `simclr verify`
 * compares them with its metrics. */
#ifndef CONFIG_EXPECT_H
#define CONFIG_EXPECT_H

#include <stddef.h>

#include "base/error.h"
#include "base/text.h"

enum { EXPECT_ROWS_MOST = 1000 };

struct expectation {
    double epoch;     /* above 0; after how many epochs */
    char *metric;     /* name of a scalar in metrics.jsonl, "epoch/loss" */
    double low, high; /* within which it should be, both ends included */
    char *source;     /* where the figure is from: one sentence for people */
};

/* Start from {0}; release with expectations_free. */
struct expectations {
    struct expectation *rows;
    size_t count;
};

/* Adds a copy of the row. SIMCLR_INVALID, without a sentence, for one that says nothing: an epoch that is not above 0,
 * low above high, no metric or source. SIMCLR_NO_MEMORY, without a sentence. */
int expectations_add(struct expectations *list, const struct expectation *row);
int expectations_copy(struct expectations *out, const struct expectations *list); /* SIMCLR_NO_MEMORY */
void expectations_free(struct expectations *list);

#endif
