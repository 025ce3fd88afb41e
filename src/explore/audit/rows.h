/* explore/audit/rows.h -- what the nearest neighbours say of a row: that it lies far from all, that its label is not
 * theirs. */
#ifndef EXPLORE_AUDIT_ROWS_H
#define EXPLORE_AUDIT_ROWS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "eval/neighbours.h"

/* A set's graph: of each row its `k` nearest others, most similar first, row -1 where there are fewer. */
struct graph {
    const struct neighbour *list; /* [rows][k], borrowed */
    int64_t rows;
    int k;
};

enum { OUTLIER_NEIGHBOURS = 10 };
#define OUTLIER_FACTOR 1.7

/* distance: [rows], the mean cosine distance to the 10 nearest; 0 for a row that has none. *cut: the distance above
 * which a row is an outlier, the upper quartile and 1.7 times the distance of the quartiles (the rule of cleanlab's
 * Datalab). SIMCLR_NO_MEMORY. */
int outliers_find(float *distance, double *cut, const struct graph *graph, struct error *error);
/* Whether a distance is above the cut, by more than sums of float32 are wrong. */
bool outlier_is(float distance, double cut);

enum { LABEL_NEIGHBOURS = 50 };
#define LABEL_TEMPERATURE 0.1
#define SUSPECT_SCORE 0.1 /* below */
#define SUSPECT_OTHER 0.5 /* at least */

/* What a row's neighbours say of its label. */
struct label_vote {
    float given, other; /* the share of its own class, and the largest of the others */
    int32_t suggested;  /* that other class; -1: there is none */
    bool suspect;       /* given / other < 0.1, and other >= 0.5 */
};

/* vote: [rows]. Each of the 50 nearest that has a label votes for it with the weight exp(similarity / 0.1), as in
 * kNN; the row itself does not. labels: [rows], below `classes`, -1 none. A row without a label, or whose neighbours
 * have none, has no vote: {0, 0, -1, false}. SIMCLR_NO_MEMORY. */
int labels_vote(struct label_vote *vote, const struct graph *graph, const int32_t *labels, int classes,
                struct error *error);
/* given / other, at most 1; 1 where nothing votes for another class. The lower the more suspect. */
float label_score(const struct label_vote *vote);
/* What suspect labels are ordered by, the lowest first: their score, and where no neighbour votes for the own class,
 * the more votes another class has. */
float label_rank(const struct label_vote *vote);

#endif
