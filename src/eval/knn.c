/* eval/knn.c -- exact weighted kNN: the votes of the nearest rows. */
#include "eval/knn.h"

#include <float.h>
#include <math.h>

#include "base/memory.h"
#include "eval/neighbours.h"

/* The best class and the best five, ties to the lower class. A class without a vote is not among them. */
static void rank_classes(const double *votes, int classes, int32_t *predicted, int32_t *top5)
{
    int32_t best[5] = {-1, -1, -1, -1, -1};
    for (int32_t c = 0; c < classes; c++) {
        int32_t item = c;
        if (!(votes[c] > 0)) continue;
        for (int i = 0; i < 5; i++) {
            if (item < 0) break;
            if (best[i] < 0 || votes[item] > votes[best[i]] || (item < best[i] && votes[item] == votes[best[i]])) {
                const int32_t swap = best[i];
                best[i] = item;
                item = swap;
            }
        }
    }
    if (predicted) *predicted = best[0];
    for (int i = 0; top5 && i < 5; i++) top5[i] = best[i];
}

/* exp(exponent) can be told from 0 and from infinity in a double where |exponent| is at most this. */
static const double EXPONENT_MAX = 700;

/* What all votes of a query may be multiplied by without changing their order, as an exponent: 0 unless the vote of the
 * nearest neighbour would overflow or vanish, which needs a temperature below 1 / 700. */
static double vote_shift(double nearest)
{
    return fabs(nearest) > EXPONENT_MAX ? -nearest : 0;
}

/* votes: [classes]. Every neighbour has a vote, however small. */
static void vote(double *votes, const struct knn_args *args, const struct neighbour *neighbours, int k)
{
    const double shift = vote_shift((double)neighbours[0].similarity / args->temperature);
    for (int c = 0; c < args->classes; c++) votes[c] = 0;
    for (int i = 0; i < k && neighbours[i].row >= 0; i++) {
        const double weight = exp((double)neighbours[i].similarity / args->temperature + shift);
        votes[args->train_labels[neighbours[i].row]] += weight > DBL_MIN ? weight : DBL_MIN;
    }
}

static int check(const struct knn_args *args, struct error *error)
{
    if (args->classes < 1 || !(args->temperature > 0))
        return error_set(error, SIMCLR_INVALID, "kNN needs labels and a temperature above 0");
    for (int64_t i = 0; i < args->train_count; i++)
        if (args->train_labels[i] < 0 || args->train_labels[i] >= args->classes)
            return error_set(error, SIMCLR_DATA, "kNN: training row %lld has no label", (long long)i);
    return SIMCLR_OK;
}

int knn_vote(const struct knn_args *args, const struct neighbour *list, int stride, struct error *error)
{
    const int status = check(args, error), k = args->k < stride ? args->k : stride;
    if (status) return status;
    double *scratch = memory_array((size_t)args->classes, sizeof(double));
    if (!scratch) return error_no_memory(error, "kNN votes", (size_t)args->classes * sizeof(double));
    for (int64_t q = 0; q < args->query_count; q++) {
        double *votes = args->votes ? args->votes + q * args->classes : scratch;
        vote(votes, args, list + q * stride, k);
        rank_classes(votes, args->classes, args->predicted ? args->predicted + q : NULL,
                     args->top5 ? args->top5 + q * 5 : NULL);
    }
    memory_free(scratch);
    return SIMCLR_OK;
}

int knn_classify(struct backend *backend, const struct knn_args *args, struct error *error)
{
    int status = check(args, error);
    if (status) return status;
    const int64_t rows = args->train_count - (args->leave_out_self ? 1 : 0);
    const struct neighbours_args search = {.rows = args->train,
                                           .query = args->query,
                                           .count = args->train_count,
                                           .query_count = args->query_count,
                                           .dim = args->dim,
                                           .k = args->k < rows ? args->k : (int)rows,
                                           .leave_out_self = args->leave_out_self};
    const size_t places = (size_t)args->query_count * (size_t)(search.k > 0 ? search.k : 0);
    struct neighbour *list = memory_array(places, sizeof *list);
    if (!list) return error_no_memory(error, "kNN votes", places * sizeof *list);
    status = neighbours_search(backend, list, &search, error);
    if (!status) status = knn_vote(args, list, search.k, error);
    memory_free(list);
    return status;
}
