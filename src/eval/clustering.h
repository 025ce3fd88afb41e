/* eval/clustering.h -- does a partition found without labels agree with the classes? */
#ifndef EVAL_CLUSTERING_H
#define EVAL_CLUSTERING_H

#include <stdint.h>

#include "base/error.h"

/* cluster: [rows] in [0, clusters); label: [rows] in [0, classes), or -1: such a row is passed over. */
struct clustering_args {
    const int32_t *cluster, *label;
    int64_t rows;
    int clusters, classes;
};

/* nmi: 2 I / (H + H'), mutual information over the mean of the two entropies; 1 where both sides are a single group.
 * ari: Rand's index adjusted for chance (Hubert & Arabie 1985): 1 for equal partitions, 0 for chance.
 * accuracy: the share of rows whose class is the one that their cluster is matched with, under the best matching of
 * clusters with classes, one to one (Kuhn 1955, the Hungarian method). */
struct clustering {
    double nmi, ari, accuracy;
    int64_t rows; /* with a label */
};

/* match: [clusters], the class that a cluster is matched with, -1 for none; or NULL. SIMCLR_INVALID where no row has a
 * label, SIMCLR_DATA for a label or a cluster out of range. */
int clustering_compare(struct clustering *out, int32_t *match, const struct clustering_args *args, struct error *error);

/* nmi and ari of a resample of the rows, for intervals (statistics_metric of statistics.h; context: struct
 * clustering_args, all labels 0 or more). NaN for more groups on a side than this: their table has no room on the
 * stack. A row that was drawn twice makes no pair with itself for ari: such pairs are always together, and would put
 * the ari of chance above 0. nmi is above 0 by chance, and a resample's once more: its interval is the basic
 * bootstrap's of log(1 - nmi), of CLUSTERING_ROWS rows or more for each pair of groups. */
enum { CLUSTERING_ROWS = 10 };
enum { CLUSTERING_RESAMPLED_GROUPS = 64 };
double clustering_resampled_nmi(void *context, const uint32_t *times, int64_t count);
double clustering_resampled_ari(void *context, const uint32_t *times, int64_t count);

#endif
