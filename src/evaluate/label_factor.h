/* evaluate/label_factor.h -- how many times fewer labels than supervised training an encoder needs for the same
 * accuracy: the article's "100 times fewer labels" for any set. */
#ifndef EVALUATE_LABEL_FACTOR_H
#define EVALUATE_LABEL_FACTOR_H

#include <stdbool.h>

enum { LABEL_CURVE_POINTS = 8 };

/* Accuracy against the number of labels, by rising numbers. */
struct label_curve {
    int count;
    double labels[LABEL_CURVE_POINTS], accuracy[LABEL_CURVE_POINTS];
};

struct label_factor {
    double factor;   /* labels that supervised training needs / labels that ours needs */
    double accuracy; /* for this one: the highest that both reach */
    int bound; /* 1: at least the factor, since ours needs no more than its fewest labels; -1: at most; 0: it is it */
};

/* Labels needed lie on straight lines over the logarithm of the number. False where a curve has no two points, and
 * where both reach the accuracy with their fewest labels. */
bool label_factor_find(struct label_factor *out, const struct label_curve *ours, const struct label_curve *supervised);

#endif
