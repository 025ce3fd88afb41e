/* evaluate/score.h -- how many test images were classified right, and what else is known about such a figure: one
 * struct, one row of a table, one JSON schema, whatever the protocol. docs/formats.md lists the keys. */
#ifndef EVALUATE_SCORE_H
#define EVALUATE_SCORE_H

#include "base/text.h"
#include "run/session.h"

/* 95 %, as shares. */
struct score_interval {
    bool known;
    double low, high;
};

/* A judged source. The counts give the Wilson intervals; what is not known stays out of the JSON. */
struct score {
    bool done;
    int64_t top1, top5, count;                        /* top5: hits among the five best classes */
    struct score_interval top1_by_draw, top5_by_draw; /* percentile bootstrap over the test images */
    double l2, held_out_top1;                         /* of a fit with a penalty; negative: not there */
    int64_t held_out; /* training images that chose the penalty, in `folds` parts (1: a tenth); 0: not there */
    int folds;
    bool cut;                         /* the fit ended at --iterations, short of its optimum */
    double rate, papers_rate;         /* of SGD: the rate that was chosen, and the paper's; negative: not there */
    int64_t papers_top1, papers_top5; /* with the paper's */
};
struct score score_none(void); /* nothing counted, nothing known */

/* Counts one test image whose label has `rank` classes before it. */
void score_count(struct score *score, int rank);

/* The head of the table and a row of it: top-1 and top-5 in percent with their Wilson intervals. */
void score_print_header(const struct session *session, const char *protocol);
void score_print(const struct session *session, const char *name, const struct score *score);

/* "name": {"top1": {"value", "low95", "high95"}, "top5": {the same}, "images", "l2", "held_out_top1",
 * "held_out_images", "folds", "cut_fits"}. Shares, not percent; the last five where there are any. A known bootstrap
 * adds "bootstrap_low95" and "bootstrap_high95" to its share. SGD adds "rate", and "papers_rate": {"rate", "top1",
 * "top5"}.
 */
void score_json(struct text *json, const char *name, const struct score *score);

/* What a figure was measured on, and by what. */
struct score_origin {
    const char *protocol, *checkpoint, *data; /* of an encoder on a set, or else: */
    const char *features, *test_features;     /* files of features */
    int64_t train_images, test_images;
    int classes;
    uint64_t hash_before; /* of the encoder */
    bool frozen;          /* and it was the same afterwards */
    /* Known only where an evaluation says so; NULL, -1, 0 or NaN stay out of the JSON. */
    const char *settings; /* the configuration as YAML */
    int64_t seed;
    uint64_t hash_after;
    uint64_t train_digest, test_digest; /* dataset_fingerprint */
    const char *kernels;                /* the backend's description */
    double seconds;
};
struct score_origin score_origin_none(void); /* nothing known */
/* Adds its keys to the object that is open. */
void score_origin_json(struct text *json, const struct score_origin *origin);

#endif
