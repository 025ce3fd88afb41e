/* eval/average_precision.h -- how well the scores of a class put its images before all others, for images that may be
 * of several classes.
 *
 * PASCAL VOC 2007's measure takes the largest precision at a recall of at least t, and its mean over the eleven t = 0,
 * 0.1, ..., 1. (Everingham et al. 2010, "The Pascal Visual Object Classes (VOC) Challenge", section 4.2.) The other
 * sums precision over the steps of recall, as VOC has done since 2010, COCO's tables of labels and scikit-learn's
 * average_precision_score. Images of one score are one step, so their order decides nothing. Both are means over the
 * classes. */
#ifndef EVAL_AVERAGE_PRECISION_H
#define EVAL_AVERAGE_PRECISION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/* Is an image of a class? Of an unknown one (VOC's "difficult" objects) that class takes no notice. */
enum { MEMBER_NO, MEMBER_YES, MEMBER_UNKNOWN };

struct average_precision; /* the images of each class by falling score: one block (memory_free) */

/* score: [images][classes], finite. member: [images][classes]. eleven: VOC 2007's measure, else the sum. A class
 * without an image that is of it has no value, and does not count. images: 1 to 2^31 - 1. SIMCLR_NO_MEMORY. */
int average_precision_create(struct average_precision **out, const float *score, const uint8_t *member, int64_t images,
                             int classes, bool eleven, struct error *error);

/* Of one class, and the mean over classes, where image i counts times[i] times (NULL: once). NaN: there is no value. */
double average_precision_of(const struct average_precision *ranked, int label, const uint32_t *times);
double average_precision_mean(const struct average_precision *ranked, const uint32_t *times);
/* The mean as a statistics_metric. context: const struct average_precision. */
double average_precision_resampled(void *context, const uint32_t *times, int64_t count);

#endif
