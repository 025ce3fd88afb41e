/* eval/map_pairs.h -- the pairs of rows that a map pulls together and pushes apart (Wang et al. 2021, PaCMAP). */
#ifndef EVAL_MAP_PAIRS_H
#define EVAL_MAP_PAIRS_H

#include "eval/map.h"

enum map_kind { MAP_NEAR, MAP_MIDDLE, MAP_FAR, MAP_KINDS };

/* Of each kind, who is paired with row i: other[begin[i]] to other[begin[i + 1] - 1]. A pair stands in the lists of
 * both of its rows, so that a row's gradient is the sum over its own list. Release with map_pairs_free. */
struct map_pairs {
    int64_t count; /* of rows */
    int64_t *begin[MAP_KINDS];
    int32_t *other[MAP_KINDS];
};

/* Pairs of each row i, where there are as many rows:
 *   near    of its neighbours in the graph the 10 with the least d^2 / (s_i s_j), where d is the distance of unit rows
 *           and s the mean of d to the fourth to sixth neighbour;
 *   middle  5 times: of 6 rows that are drawn, the second nearest;
 *   far     20 rows that are drawn, none of them near.
 * The result depends neither on the number of threads nor on the backend, but for what the graph says.
 * SIMCLR_NO_MEMORY. */
int map_pairs_make(struct map_pairs *out, struct pool *pool, const struct map_args *args, struct error *error);
void map_pairs_free(struct map_pairs *pairs);

/* The gradient of row i's place, with plane [count][2]: with d = 1 + |y_i - y_j|^2 the loss is
 *   sum over near pairs   weight[MAP_NEAR] d / (10 + d)
 *     + over middle ones  weight[MAP_MIDDLE] d / (10000 + d)
 *     + over far ones     weight[MAP_FAR] / (1 + d). */
void map_gradient(double gradient[2], const struct map_pairs *pairs, const double *plane, int64_t i,
                  const double weight[MAP_KINDS]);

#endif
