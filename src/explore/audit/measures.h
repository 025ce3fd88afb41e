/* explore/audit/measures.h -- what is odd about a picture by itself: dark, bright, blurred, without information, of an
 * odd shape or size, gray. Measures and limits are those of cleanvision 0.3. */
#ifndef EXPLORE_AUDIT_MEASURES_H
#define EXPLORE_AUDIT_MEASURES_H

#include <stdbool.h>
#include <stdint.h>

#include "image/image.h"
#include "simd/simd.h"

enum picture_fault {
    PICTURE_DARK,
    PICTURE_BRIGHT,
    PICTURE_BLURRED,
    PICTURE_EMPTY, /* low information */
    PICTURE_SHAPE,
    PICTURE_SIZE,
    PICTURE_GRAY,
    PICTURE_FAULTS
};

/* What each is called, its rule in words, and what it is judged by: a picture is one if its score is below the limit.
 * Scores lie in [0, 1], the lower the worse. PICTURE_SIZE has limits of the set (sizes_limits). */
struct picture_rule {
    const char *name, *rule;
    float limit;
};
extern const struct picture_rule picture_rules[PICTURE_FAULTS];

struct picture {
    int32_t width, height;
    float score[PICTURE_FAULTS]; /* of PICTURE_SIZE: see sizes_judge */
    uint32_t faults;             /* 1 << fault */
    uint64_t digest; /* of its size and pixels, never 0; different pictures share one by a chance of 2^-64 */
};

/* All but what concerns the sizes of others. With b = sqrt(0.241 R² + 0.691 G² + 0.068 B²) / 255 of each pixel:
 * dark is the 99 % quantile of b, bright 1 less its 5 % quantile (both to 1/4096), low information a tenth of the
 * entropy in bits of the histogram of all channels' values, shape the shorter side by the longer, gray 0 where all
 * pixels have R = G = B, else 1. Blurred is, of the picture reduced to at most 64 pixels a side, in gray,
 * 1 - exp(-s / 100), s the standard deviation after the filter 8 x centre - neighbours; and to that 1 - exp(-d / 100)
 * is added where it is above 0.18, d the standard deviation of the gray histogram. SIMCLR_NO_MEMORY. */
int picture_measure(struct picture *out, enum simd simd, const struct image *image, struct error *error);

/* Sizes sqrt(width height) outside of the quartiles by more than 3 times their distance. Fills score and faults of
 * PICTURE_SIZE. limits: the least and the largest size that is not odd. SIMCLR_NO_MEMORY. */
int sizes_judge(struct picture *pictures, int64_t count, double limits[2], struct error *error);

/* The p-quantile of sorted values by linear interpolation, as NumPy's percentile. */
double quantile_of_sorted(const float *sorted, int64_t count, double p);

#endif
