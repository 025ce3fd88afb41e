/* explore/audit/groups.h -- rows that belong together: pairs become groups, and one row of each group is the best. */
#ifndef EXPLORE_AUDIT_GROUPS_H
#define EXPLORE_AUDIT_GROUPS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/* A forest over rows. Start with groups_open; release with groups_free. */
struct groups {
    int32_t *parent; /* [rows] */
    int64_t rows;
};
int groups_open(struct groups *groups, int64_t rows, struct error *error);
void groups_free(struct groups *groups);
/* Whether they were apart until now. */
bool groups_join(struct groups *groups, int32_t a, int32_t b);
/* The least row of a row's group. */
int32_t groups_first(struct groups *groups, int32_t row);

/* number: [rows], the group of each row, from 0 on in the order of their first rows; -1 for rows that are alone.
 * Returns how many groups there are. */
int64_t groups_number(struct groups *groups, int32_t *number);

#endif
