/* eval/interval.h -- how sure a share of right answers is. */
#ifndef EVAL_INTERVAL_H
#define EVAL_INTERVAL_H

#include <stdint.h>

/* A normal value lies within so many deviations in 95 % of cases. */
#define INTERVAL_DEVIATIONS 1.959963984540054

/* 95 % Wilson interval of correct out of count, as fractions. */
void interval_wilson(int64_t correct, int64_t count, double *low, double *high);

/* 95 % interval of the mean over classes of their accuracies, as fractions: Wilson's of as many images as would be as
 * uncertain (as Yan & Su 2010 do it for strata). The accuracy of each class is shrunk for that, by 4 / classes images
 * that are right by half and by one that is right as often as all are: of a class that is right throughout, the
 * accuracy is not known to be 1. right, images: [classes]; a class without images does not count. The interval holds
 * the figure. Without any image it is 0 to 1. */
void interval_class_mean(const int64_t *right, const int64_t *images, int classes, double *low, double *high);

#endif
