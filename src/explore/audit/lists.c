/* explore/audit/lists.c -- the findings as lists, worst first, and the rules behind them in words. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/format.h"
#include "base/memory.h"
#include "explore/audit/audit.h"

static enum picture_fault fault_of(enum audit_list list)
{
    return (enum picture_fault)(list - LIST_DARK);
}

const char *audit_list_name(enum audit_list list)
{
    static const char *const names[] = {[LIST_EXACT] = "exact duplicates",
                                        [LIST_NEAR] = "near-duplicates",
                                        [LIST_LEAKS] = "leaks",
                                        [LIST_OUTLIERS] = "outliers",
                                        [LIST_LABELS] = "suspect labels"};
    return list < LIST_DARK ? names[list] : picture_rules[fault_of(list)].name;
}

bool audit_has_list(const struct audit *audit, enum audit_list list)
{
    const struct collection *c = &audit->collection;
    const bool both = c->begin[1] > 0 && c->begin[1] < c->begin[2];
    switch (list) {
    case LIST_EXACT:
        return audit_asks(audit, AUDIT_EXACT);
    case LIST_NEAR:
        return audit->near.pairs;
    case LIST_LEAKS:
        return audit->group && both;
    case LIST_OUTLIERS:
        return audit->distance;
    case LIST_LABELS:
        return audit->votes;
    default:
        return audit_asks(audit, AUDIT_PICTURES) && audit->pictures;
    }
}

/* Has the group of an exact duplicate, or an exact duplicate after it? */
static bool has_exact(const struct audit *audit, int64_t row)
{
    return audit->exact[row] != row || (audit->copy[row] >= 0 && audit->exact[audit->copy[row]] == row);
}

static bool is_near(const struct audit *audit, int64_t row)
{
    return audit->group[row] >= 0 && !has_exact(audit, row);
}

static bool is_leak(const struct audit *audit, int64_t row)
{
    return audit->leaks[row] && collection_part(&audit->collection, row) == DATASET_TEST;
}

bool audit_lists(const struct audit *audit, enum audit_list list, int64_t row, float *score)
{
    *score = 0;
    if (!audit_has_list(audit, list) || audit->absent[row]) return false;
    switch (list) {
    case LIST_EXACT:
        return has_exact(audit, row);
    case LIST_NEAR:
        *score = -audit->copy_likeness[row];
        return is_near(audit, row);
    case LIST_LEAKS:
        *score = -audit->copy_likeness[row];
        return is_leak(audit, row);
    case LIST_OUTLIERS:
        *score = -audit->distance[row];
        return outlier_is(audit->distance[row], audit->distance_cut);
    case LIST_LABELS:
        *score = label_rank(&audit->votes[row]);
        return audit->votes[row].suspect;
    default:
        *score = audit->pictures[row].score[fault_of(list)];
        return audit->pictures[row].faults >> fault_of(list) & 1;
    }
}

void audit_list_rule(const struct audit *audit, enum audit_list list, char out[AUDIT_RULE])
{
    switch (list) {
    case LIST_EXACT:
        snprintf(out, AUDIT_RULE, audit->pictures ? "the same pixels, whatever the files" : "the same features");
        return;
    case LIST_NEAR:
        format_write(out, AUDIT_RULE,
                     "likeness of pixels from %.2f on, among the %d nearest by features and by thumbnails",
                     audit->near.limit, NEAR_CANDIDATES);
        return;
    case LIST_LEAKS:
        snprintf(out, AUDIT_RULE, "test images in a group of duplicates with a training image");
        return;
    case LIST_OUTLIERS:
        format_write(
            out, AUDIT_RULE,
            "mean cosine distance to the %d nearest above %.4f (upper quartile + %.1f x distance of quartiles)",
            OUTLIER_NEIGHBOURS, audit->distance_cut, OUTLIER_FACTOR);
        return;
    case LIST_LABELS:
        format_write(
            out, AUDIT_RULE,
            "of the votes of the %d nearest (temperature %.1f) another class has %.1f or more, and the own one "
            "less than %.1f of those",
            LABEL_NEIGHBOURS, LABEL_TEMPERATURE, SUSPECT_OTHER, SUSPECT_SCORE);
        return;
    case LIST_SIZE:
        format_write(out, AUDIT_RULE, "sqrt(width x height) outside of %.1f to %.1f (quartiles -+ 3 x their distance)",
                     fmax(audit->size_limits[0], 0), audit->size_limits[1]);
        return;
    default:
        snprintf(out, AUDIT_RULE, "%s", picture_rules[fault_of(list)].rule);
    }
}

struct scored {
    float score;
    int64_t row;
};

static int by_score(const void *a, const void *b)
{
    const struct scored *x = a, *y = b;
    if (x->score != y->score) return x->score < y->score ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

static int64_t *rows_of(struct scored *scored, int64_t count)
{
    int64_t *rows = memory_array((size_t)count, sizeof *rows);
    if (rows) qsort(scored, (size_t)count, sizeof *scored, by_score);
    for (int64_t i = 0; rows && i < count; i++) rows[i] = scored[i].row;
    return rows;
}

int64_t *audit_list_rows(const struct audit *audit, enum audit_list list, int64_t *count)
{
    struct scored *scored = memory_array((size_t)audit->rows, sizeof *scored);
    float score;
    *count = 0;
    for (int64_t i = 0; scored && i < audit->rows; i++)
        if (audit_lists(audit, list, i, &score)) scored[(*count)++] = (struct scored){score, i};
    int64_t *rows = scored ? rows_of(scored, *count) : NULL;
    memory_free(scored);
    return rows;
}

/* ---- groups ---------------------------------------------------------------------------------------------------- */

struct placed {
    float group_score; /* of its group */
    int32_t group;
    bool removed;
    int64_t row;
};

static int by_group(const void *a, const void *b)
{
    const struct placed *x = a, *y = b;
    if (x->group_score != y->group_score) return x->group_score < y->group_score ? -1 : 1;
    if (x->group != y->group) return x->group < y->group ? -1 : 1;
    if (x->removed != y->removed) return x->removed ? 1 : -1;
    return (x->row > y->row) - (x->row < y->row);
}

int64_t *audit_group_rows(const struct audit *audit, int64_t *count)
{
    struct placed *placed = memory_array((size_t)audit->rows, sizeof *placed);
    float *score = memory_array((size_t)audit->group_count, sizeof *score);
    *count = 0;
    for (int64_t i = 0; placed && score && audit->group && i < audit->rows; i++) {
        const int32_t group = audit->group[i];
        if (group < 0) continue;
        const float own = -audit->copy_likeness[i] - (audit->leaks[i] ? 2.0f : 0);
        score[group] = own < score[group] ? own : score[group];
        placed[(*count)++] = (struct placed){.group = group, .removed = audit->removed[i], .row = i};
    }
    int64_t *rows = placed && score ? memory_array((size_t)*count, sizeof *rows) : NULL;
    for (int64_t i = 0; rows && i < *count; i++) placed[i].group_score = score[placed[i].group];
    if (rows && *count > 0) qsort(placed, (size_t)*count, sizeof *placed, by_group);
    for (int64_t i = 0; rows && i < *count; i++) rows[i] = placed[i].row;
    memory_free(placed);
    memory_free(score);
    return rows;
}
