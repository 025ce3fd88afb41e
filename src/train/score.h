/* train/score.h -- how many test images were classified right: one struct, one row of a table, one JSON object,
 * whatever the protocol. */
#ifndef TRAIN_SCORE_H
#define TRAIN_SCORE_H

#include "base/text.h"
#include "run/session.h"

/* top5 counts a hit among the five best classes. */
struct score {
    bool done;
    int64_t top1, top5, count;
    double l2, held_out_top1; /* of a fit with a penalty; negative: not there */
};

/* Counts one test image whose label has `rank` classes before it. */
void score_count(struct score *score, int rank);

/* The head of the table and a row of it: top-1 and top-5 in percent with their 95 % Wilson intervals. */
void score_print_header(const struct session *session, const char *protocol);
void score_print(const struct session *session, const char *name, const struct score *score);

/* "name": {"top1": {"value", "low95", "high95"}, "top5": {the same}, "images", and "l2", "held_out_top1" where there
 * are any}. Shares, not percent. */
void score_json(struct text *json, const char *name, const struct score *score);

#endif
