/* explore/audit/near.h -- near-duplicates: found by features and by small pictures, decided by pixels. */
#ifndef EXPLORE_AUDIT_NEAR_H
#define EXPLORE_AUDIT_NEAR_H

#include "explore/audit/copies.h"
#include "explore/collection.h"

enum { NEAR_CANDIDATES = 10 }; /* of each kind: by features, by thumbnails, by mirrored thumbnails */
#define NEAR_LIMIT 0.75        /* likeness from which two images are near-duplicates, */
#define NEAR_LEAST 0.65        /* and how far copies of the set's own images may lower it: to their 1 % quantile */

struct near_pair {
    int32_t a, b; /* rows, a < b */
    float likeness;
};

/* Start from {0}; release with near_free. */
struct near {
    struct near_pair *pairs; /* [count], sorted by their rows */
    int64_t count;
    int64_t compared; /* pairs of candidates */
    double limit;     /* likeness from which a pair is one */
    /* Of copies of the set's own images that were looked for in it: how many of each kind, how many had their original
     * among the candidates, and how many were decided to be one. */
    int64_t copies[COPY_KINDS], met[COPY_KINDS], found[COPY_KINDS];
    double lowest; /* the 1 % quantile of the copies' likeness to their originals */
};

/* graph: of the collection's rows. thumbnails: of its images, which are searched among all up to its exact_rows, above
 * in the nearest cells of k-means (eval/cells.h). SIMCLR_INTERRUPTED; errors of copies_open and features_extract. */
int near_find(struct near *out, struct collection *collection, const struct neighbour *graph, const uint8_t *thumbnails,
              struct error *error);
void near_free(struct near *near);

#endif
