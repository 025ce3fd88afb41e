/* base/rank.h -- where a label stands among the scores of all classes: one rule for losses and for evaluations. */
#ifndef BASE_RANK_H
#define BASE_RANK_H

/* How many classes come before `label` when sorted by score: 0 is right, below 5 is right in the top five.
 * scores: [classes]; label in [0, classes). Among equal scores the lower class comes first.
 * A NaN comes before everything, and the label's own NaN gives INT_MAX: a broken row never counts as right. So does a
 * label's -INFINITY, which is the score of a class that was never taught (eval/taught.h). */
int rank_of_label(const float *scores, int classes, int label);

#endif
