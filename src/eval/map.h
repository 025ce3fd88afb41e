/* eval/map.h -- a map of features: rows as points of the plane, near where their rows are alike. PaCMAP (Wang, Huang,
 * Rudin, Shaposhnik 2021, "Understanding How Dimension Reduction Tools Work"), from the exact graph of neighbours. */
#ifndef EVAL_MAP_H
#define EVAL_MAP_H

#include <stdint.h>

#include "base/pool.h"

enum { MAP_NEIGHBOURS = 10, MAP_MIDDLES = 5, MAP_FARS = 20, MAP_STEPS = 450 };

/* rows: [count][dim], finite. neighbours, similarity: [count][k], the set's graph (neighbours.h), most similar first,
 * -1 where there is none; PaCMAP looks at 60, a graph of 50 is meant here. */
struct map_args {
    const float *rows;
    const int32_t *neighbours;
    const float *similarity;
    int64_t count;
    int dim, k;
    uint64_t seed;
};

/* plane: [count][2] out. principal: [count][2] out too, the principal plane (principal.h), or NULL; the map
 * begins at a hundredth of it.
 * Weights of near, middle and far pairs: 2, 1000 falling to 3, 1 for 100 steps; 3, 3, 1 for 100; 1, 0, 1 for 250. Adam,
 * rate 1. Sums over pairs are double, in an order of their own for each row: the same bits with any number of threads.
 * SIMCLR_INVALID without a row; SIMCLR_NO_MEMORY; SIMCLR_INTERRUPTED when the pool is asked to stop. */
int map_make(double *plane, double *principal, struct pool *pool, const struct map_args *args, struct error *error);

/* The share of a row's 10 nearest of the graph that are among its 10 nearest within the plane [count][2], in the mean
 * over *rows rows: all, or 2000 that are spread evenly. What a map leaves out is 1 minus this. Of equally near points
 * the lower row counts. NaN where a graph has fewer than 10. */
int map_kept(double *share, int64_t *rows, struct pool *pool, const struct map_args *args, const double *plane,
             struct error *error);

#endif
