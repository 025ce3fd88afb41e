/* eval/knn.h -- weighted k-nearest-neighbour classification (method.md section 6). */
#ifndef EVAL_KNN_H
#define EVAL_KNN_H

#include <stdint.h>

#include "backend/backend.h"
#include "eval/neighbours.h"

/* Cosine similarity, k nearest of `train`, votes exp(similarity / temperature) per class.
 * train: [train_count][dim], query: [query_count][dim], canonical float32, not necessarily normalised. labels in [0,
 * classes). votes: [query_count][classes] or NULL (where exp would overflow or vanish, all of a
 * query are multiplied by one number); predicted: [query_count] best class or NULL; top5: [query_count][5]
 * best classes that have a vote, -1 padded, or NULL. Ties: the lower class. k is cut to train_count. leave_out_self:
 * query i is train row i and is not its own neighbour. A row with a value that is not finite is nobody's neighbour and
 * has none itself: such a query's predicted and top5 are -1. */
struct knn_args {
    const float *train;
    const int32_t *train_labels;
    int64_t train_count;
    const float *query;
    int64_t query_count;
    int dim, classes, k;
    double temperature;
    bool leave_out_self;
    double *votes;
    int32_t *predicted;
    int32_t *top5;
};
int knn_classify(struct backend *backend, const struct knn_args *args, struct error *error);

/* The same from neighbours that were found before: list [query_count][stride], most similar first, -1 where there are
 * no more; the first k of each vote. args->train, query, dim and leave_out_self are not read. With a temperature of
 * INFINITY every neighbour has one vote. */
int knn_vote(const struct knn_args *args, const struct neighbour *list, int stride, struct error *error);

#endif
