/* evaluate/figure.h -- a number of `simclr evaluate` with all that is known about it, and the list of them: from it
 * come tables, JSON and comparisons, whatever the protocol. */
#ifndef EVALUATE_FIGURE_H
#define EVALUATE_FIGURE_H

#include "eval/statistics.h"
#include "evaluate/evaluation.h"

enum metric {
    METRIC_TOP1,
    METRIC_TOP5,
    METRIC_PER_CLASS, /* mean over classes of top-1 */
    METRIC_RECALL_1,
    METRIC_RECALL_5,
    METRIC_RECALL_10,
    METRIC_MAP_R,
    METRIC_NMI,
    METRIC_ARI,
    METRIC_MATCHED, /* accuracy of clusters under the best matching with classes */
    METRIC_ECE,
    METRIC_BRIER,
    METRIC_NLL,
    METRIC_ALIGNMENT,
    METRIC_UNIFORMITY,
    METRIC_RANKME,
    METRIC_LIDAR,
    METRIC_ALPHA,
    METRIC_CONSISTENCY,
    METRIC_HUBNESS,
    METRIC_DIMENSION,
    METRIC_MAP_11, /* of VOC 2007 */
    METRIC_MAP,
    METRIC_COUNT
};

enum metric_sense { LOWER_IS_BETTER = -1, NEITHER_IS_BETTER, HIGHER_IS_BETTER };

struct metric_row {
    const char *name, *title; /* in JSON, in tables */
    bool percent;             /* tables show hundredfold shares */
    enum metric_sense sense;
};
extern const struct metric_row metric_rows[METRIC_COUNT];

/* How the value comes from one number per test image, and with it the interval and the test of a difference. */
enum figure_kind {
    FIGURE_NUMBER,    /* it does not: there is no interval over images */
    FIGURE_SHARE,     /* their mean, of zeros and ones: Wilson, McNemar */
    FIGURE_MEAN,      /* their mean: bootstrap, permutations */
    FIGURE_CLASS_MEAN /* the mean over classes of their shares: the same of classes (interval.h), permutations */
};

struct figure {
    const char *protocol; /* a row's name */
    char setting[88];     /* "k 200, temperature 0.1", after "head layer 1" where it is one; empty: there is one only */
    char detail[120];     /* what was found on the way, "l2 0.001"; empty: nothing */
    enum metric metric;
    enum evaluation_source source;
    int layer; /* of the head, whose features were judged; 0: h, or it is not of features */
    enum figure_kind kind;
    double value;                 /* under the seed of --seed */
    statistics_metric *resampled; /* of FIGURE_NUMBER: the figure of a resample of `images` images; NULL: not known */
    bool basic;                   /* of `resampled`: the basic bootstrap of log(1 - value): chance puts it too high */
    void *context;                /* of it; the figure's own (memory_free) */
    double *per_image;            /* [test images], NaN: not of this one; NULL of FIGURE_NUMBER */
    int64_t images;               /* how many count */
    const char *method;           /* of over_images, where the protocol has found it itself; NULL: it is found here */
    struct interval over_images;  /* 95 %; NaN: not known, or every resample is the same */
    double without_leaks;         /* the value without test images that are training images too; NaN: not known */
    bool without_is_given;        /* by the protocol; else it is found here, of values per image */
    const char *varied;           /* what differs between the runs, in words; NULL: there is one */
    double *runs;                 /* [run_count] values */
    int run_count;
    double mean; /* over runs, and its t-interval; NaN: all runs are equal but for rounding */
    struct interval over_runs;
    int64_t labelled; /* training images whose labels were used */
    int cut_fits;     /* fits that it stands on and that ended at --iterations, short of their optimum */
    double seconds;   /* of the protocol on this source, all its figures together */
};

/* Start from {0}; release with figures_free. */
struct figures {
    struct figure *item;
    int count, room;
};
void figures_free(struct figures *figures);

/* Adds `figure`, or, where there is one of the same protocol, setting, metric and source, its value as a further run of
 * that. `per_image`, `context` and `runs` are taken over, also on failure. */
int figures_add(struct figures *figures, const struct figure *figure, struct error *error);
/* The one of the same protocol, setting and metric of that source; NULL: none. */
struct figure *figures_find(const struct figures *figures, const struct figure *like, enum evaluation_source source);

/* What values per image are taken with. */
struct figure_images {
    int64_t count;
    const int32_t *labels; /* [count] */
    int classes;
    const uint8_t *leaked; /* [count], or NULL: not known */
    uint64_t seed;
};
/* The value of values per image, and how many count; skip: [images->count] that don't, or NULL. NaN where none does. */
int figure_value(double *out, enum figure_kind kind, const double *per_image, const struct figure_images *images,
                 const uint8_t *skip, int64_t *count, struct error *error);
/* Intervals and values without leaks, of all. */
int figures_finish(struct figures *figures, struct pool *pool, const struct figure_images *images, struct error *error);

/* Two sources on the same images. */
struct comparison {
    const struct figure *first, *second;
    double difference; /* first - second, and its interval; NaN: every resample is the same */
    struct interval interval;
    double p;
    const char *test;                /* "McNemar, exact" or "permutations" */
    const char *verdict;             /* of the first: "better", "worse", "not told apart" (p >= 0.05) */
    int64_t only_first, only_second; /* of shares: right for one only */
};
int figure_compare(struct comparison *out, const struct figure *first, const struct figure *second, struct pool *pool,
                   const struct figure_images *images, struct error *error);

#endif
