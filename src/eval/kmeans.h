/* eval/kmeans.h -- k-means on unit rows (Lloyd 1982) from k-means++ (Arthur & Vassilvitskii 2007). */
#ifndef EVAL_KMEANS_H
#define EVAL_KMEANS_H

#include <stdint.h>

#include "backend/backend.h"

enum { KMEANS_STARTS = 10, KMEANS_ITERATIONS = 300 };

/* rows: [count][dim], finite; each is scaled to length 1 first, and a row of zeros stays one. start: centres
 * [clusters][dim] to begin with, once; NULL: `starts` draws by k-means++, start s from stream s of RNG_CLUSTER. */
struct kmeans_args {
    const float *rows;
    int64_t count;
    int dim, clusters;
    int starts, iterations; /* KMEANS_STARTS, KMEANS_ITERATIONS */
    uint64_t seed;
    const float *start;
};

struct kmeans {
    double inertia; /* sum of squared distances to the centre of the own cluster */
    int start;      /* the one that was best, the first of equal ones */
    int iterations; /* of it */
    bool settled;   /* no row changed its cluster in the last iteration */
};

/* Minimises the sum of squared distances between unit rows and the means of their clusters. cluster: [count], of a row;
 * centres: [clusters][dim], means (not of length 1), or NULL. Equally near centres: the lower one. A cluster that loses
 * its last row gets the row that is farthest from its centre, unless that distance is below 1e-3: rows that are all
 * equal fill one cluster and leave the others empty.
 * Products are the backend's, in float32; sums over rows are double, in the order of the rows: the result depends on
 * the backend, not on the number of threads.
 * SIMCLR_INVALID for fewer rows than clusters; SIMCLR_DATA, with the row, for a value that is not finite;
 * SIMCLR_INTERRUPTED when the pool is asked to stop. */
int kmeans_run(struct backend *backend, struct kmeans *out, int32_t *cluster, float *centres,
               const struct kmeans_args *args, struct error *error);

#endif
