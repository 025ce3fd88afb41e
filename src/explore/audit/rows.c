/* explore/audit/rows.c -- see rows.h. */
#include "explore/audit/rows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "explore/audit/measures.h"

static const struct neighbour *neighbours_of(const struct graph *graph, int64_t row)
{
    return graph->list + row * graph->k;
}

/* ---- outliers -------------------------------------------------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

int outliers_find(float *distance, double *cut, const struct graph *graph, struct error *error)
{
    const int most = graph->k < OUTLIER_NEIGHBOURS ? graph->k : OUTLIER_NEIGHBOURS;
    float *sorted = memory_array((size_t)graph->rows, sizeof *sorted);
    if (!sorted) return error_no_memory(error, "distances", (size_t)graph->rows * sizeof *sorted);
    for (int64_t i = 0; i < graph->rows; i++) {
        const struct neighbour *near = neighbours_of(graph, i);
        double sum = 0;
        int count = 0;
        for (; count < most && near[count].row >= 0; count++) sum += 1 - (double)near[count].similarity;
        distance[i] = count > 0 ? (float)(sum / count) : 0;
    }
    memcpy(sorted, distance, (size_t)graph->rows * sizeof *sorted);
    qsort(sorted, (size_t)graph->rows, sizeof *sorted, by_value);
    const double q1 = quantile_of_sorted(sorted, graph->rows, 0.25), q3 = quantile_of_sorted(sorted, graph->rows, 0.75);
    *cut = q3 + OUTLIER_FACTOR * (q3 - q1);
    memory_free(sorted);
    return SIMCLR_OK;
}

bool outlier_is(float distance, double cut)
{
    return (double)distance > cut + 1e-6;
}

/* ---- labels ---------------------------------------------------------------------------------------------------- */

/* share: [classes], all 0 before and after. */
static struct label_vote vote_of(const struct neighbour *near, int k, const int32_t *labels, int32_t own, double *share)
{
    struct label_vote vote = {.suggested = -1};
    double total = 0;
    for (int i = 0; i < k && near[i].row >= 0; i++) {
        const int32_t label = labels[near[i].row];
        if (label < 0) continue;
        const double weight = exp(((double)near[i].similarity - (double)near[0].similarity) / LABEL_TEMPERATURE);
        share[label] += weight;
        total += weight;
    }
    for (int i = 0; i < k && near[i].row >= 0; i++) {
        const int32_t label = labels[near[i].row];
        if (label < 0 || label == own) continue;
        const float other = (float)(share[label] / total);
        if (other > vote.other || (other == vote.other && label < vote.suggested)) {
            vote.other = other;
            vote.suggested = label;
        }
    }
    if (total > 0) vote.given = (float)(share[own] / total);
    vote.suspect = vote.other >= (float)SUSPECT_OTHER && label_score(&vote) < (float)SUSPECT_SCORE;
    for (int i = 0; i < k && near[i].row >= 0; i++)
        if (labels[near[i].row] >= 0) share[labels[near[i].row]] = 0;
    return vote;
}

int labels_vote(struct label_vote *vote, const struct graph *graph, const int32_t *labels, int classes,
                struct error *error)
{
    const int k = graph->k < LABEL_NEIGHBOURS ? graph->k : LABEL_NEIGHBOURS;
    double *share = memory_array((size_t)classes, sizeof *share);
    if (!share) return error_no_memory(error, "votes", (size_t)classes * sizeof *share);
    for (int64_t i = 0; i < graph->rows; i++) {
        vote[i] = (struct label_vote){.suggested = -1};
        if (labels[i] >= 0) vote[i] = vote_of(neighbours_of(graph, i), k, labels, labels[i], share);
    }
    memory_free(share);
    return SIMCLR_OK;
}

float label_score(const struct label_vote *vote)
{
    return vote->given >= vote->other ? 1 : vote->given / vote->other;
}

float label_rank(const struct label_vote *vote)
{
    const float score = label_score(vote);
    return score > 0 ? score : -vote->other;
}
