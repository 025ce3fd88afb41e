/* explore/audit/likeness.h -- whether two small gray pictures show the same photograph, though one was cut, mirrored,
 * made smaller, brighter or encoded anew. */
#ifndef EXPLORE_AUDIT_LIKENESS_H
#define EXPLORE_AUDIT_LIKENESS_H

#include <stdint.h>

enum {
    LIKENESS_SIDE = 32,
    LIKENESS_VALUES = LIKENESS_SIDE * LIKENESS_SIDE,
    LIKENESS_SHARES = 2, /* crops of 95 and 90 % of each side */
    LIKENESS_PLACES = 3, /* of a crop on each axis: at one border, in the middle, at the other border */
    LIKENESS_CROPS = 1 + LIKENESS_SHARES * LIKENESS_PLACES * LIKENESS_PLACES,
    LIKENESS_VIEWS = 2 * LIKENESS_CROPS /* mirrored too */
};

/* Cubic weights (a = -0.5) of the crops along one axis. */
struct likeness_axis {
    int16_t index[LIKENESS_SIDE][4];
    float weight[LIKENESS_SIDE][4];
};
struct likeness_tables {
    struct likeness_axis axis[LIKENESS_SHARES][LIKENESS_PLACES];
};
void likeness_tables_make(struct likeness_tables *tables);

/* What a thumbnail [32][32] shows beside its brightness, its large shapes and its contrast: minus the mean of the 7 x 7
 * pixels around each, divided by sqrt(8² + their mean square) after that, then less its mean and of length 1. All 0 for
 * a thumbnail of which the first step leaves nothing: root mean square below 1 of 255. */
void likeness_plain(float out[LIKENESS_VALUES], const uint8_t thumbnail[LIKENESS_VALUES]);

/* The same of its crops, enlarged to 32 x 32, and of their mirror images: out [LIKENESS_VIEWS][LIKENESS_VALUES]. */
void likeness_views(float *out, const struct likeness_tables *tables, const uint8_t thumbnail[LIKENESS_VALUES]);

/* The largest correlation of one picture's views with another picture as it is: in [-1, 1], 0 where one is all 0. */
float likeness(const float *views, const float plain[LIKENESS_VALUES]);

#endif
