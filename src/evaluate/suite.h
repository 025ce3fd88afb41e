/* evaluate/suite.h -- `simclr evaluate`: every protocol on every source, each source's features made once. The table of
 * protocols is suite_rows (suite.c): a further one is a row there, and the loop stays as it is. */
#ifndef EVALUATE_SUITE_H
#define EVALUATE_SUITE_H

#include "eval/calibration.h"
#include "evaluate/classifier.h"
#include "evaluate/figure.h"

struct suite_row;
struct label_sets;
enum { SUITE_ROWS_MAX = 16 };

struct suite {
    struct evaluation *evaluation;
    struct figures figures;
    const struct suite_row *rows[SUITE_ROWS_MAX]; /* that were asked for */
    int row_count;
    int layers[4], layer_count;    /* of --layers, in this order, each once; 0: h */
    int runs;                      /* of --seeds */
    int32_t *labels;               /* [test images] */
    struct label_sets *label_sets; /* of --label-sets; NULL: it is not given */
    /* Of the linear classifier on the trained encoder, or on the table: */
    struct classifier classifier;
    struct predictions predictions;
    struct calibration as_fitted, tempered;
    /* Test images that are training images too, by a digest of their bytes; NULL: not looked for. */
    uint8_t *leaked;
    int64_t leaks;
    const char *leaks_of; /* what was compared: "pixels", "files", "rows of features" */
    struct comparison *comparisons;
    int comparison_count;
    double seconds;
    bool shots_are_said,
        alone_is_said; /* what is left out of few-shot classifiers and of retrieval: the same for all */
};

/* A protocol on one source, under one seed. */
struct suite_task {
    struct suite *suite;
    const struct suite_row *row;
    enum evaluation_source source;
    uint64_t seed;
    int run;                             /* 0: that of --seed */
    const struct features *train, *test; /* of the source; NULL where the row needs none */
};

struct suite_row {
    const char *name;     /* in --protocols, tables and JSON */
    bool usual;           /* part of what runs unless --protocols says otherwise */
    bool needs_no_labels; /* where no other is run, the set need not have any */
    bool needs_sets;      /* of classes: --label-sets. It is chosen with that option, and never without */
    bool needs_labels;    /* --labels: likewise */
    bool needs_test;      /* where the set has no labels too: it is trained on the training part */
    bool needs_features;  /* of the source: they are made once for all rows */
    const char *seeded;   /* what another seed changes with a given encoder, in words; NULL: nothing, so it runs once */
    const char *seeded_weights; /* the same of the untrained network, whose weights another seed changes too */
    bool whole_network;         /* it trains all of a network: whichever layers are judged, it runs once */
    bool fine_tunes;            /* the whole network, from the source's weights: --cut-layer and --layer-decay */
    unsigned sources;           /* a bit of 1u << source for each that it judges */
    int (*judge)(const struct suite_task *task, struct error *error);
};
extern const struct suite_row suite_rows[];
extern const int suite_row_count;

/* For a row's `judge`: adds a figure. `like` has setting, detail, metric, kind, labelled, and per_image with the value
 * to come from it (taken over, also on failure; NULL: allocation failed) or, of FIGURE_NUMBER, the value, and what its
 * interval comes from if that is known. */
int suite_add(const struct suite_task *task, const struct figure *like, struct error *error);
/* Top-1, top-5 and, per_class, the mean of top-1 over classes. ranks: [test images], how many classes stand before the
 * label of each. `like` has setting, detail and labelled. */
int suite_add_ranks(const struct suite_task *task, const struct figure *like, const int32_t *ranks, bool per_class,
                    struct error *error);
/* The test images, as figures take them. */
struct figure_images suite_figure_images(const struct suite *suite);
/* [test images] of a new block, all NaN where `nan`; NULL without memory. */
double *suite_images(const struct suite_task *task, bool nan);
/* Is this the encoder (or the table) whose classifier and predictions are kept? */
bool suite_is_main(const struct suite_task *task);

/* Does it all, and writes the files of --out. */
int suite_run(struct session *session, struct error *error);

/* The rows' functions: suite_knn.c, suite_linear.c, suite_linear_sgd.c, suite_fewshot.c, suite_groups.c,
 * suite_quality.c, suite_multilabel.c. */
int suite_knn(const struct suite_task *task, struct error *error);
/* How it chooses k and temperature: `queries` training rows, up to 10,000 and drawn by the seed, are classified by all
 * the others, `right` of them rightly. Of equally good ones the smaller k, then the lower temperature. The test part
 * is not looked at. */
struct knn_choice {
    int k;              /* as in the list of those that are tried, though there may be fewer rows */
    double temperature; /* INFINITY: equal votes */
    int64_t queries, right;
};
int suite_knn_choose(struct knn_choice *best, const struct suite_task *task, struct error *error);
int suite_linear(const struct suite_task *task, struct error *error);
int suite_linear_sgd(const struct suite_task *task, struct error *error);
int suite_fewshot(const struct suite_task *task, struct error *error);
int suite_retrieval(const struct suite_task *task, struct error *error);
int suite_cluster(const struct suite_task *task, struct error *error);
int suite_quality(const struct suite_task *task, struct error *error);
int suite_multilabel(const struct suite_task *task, struct error *error);
/* suite_labelled.c: the whole network trained with a share of the labels, or with those of --labels; from random
 * weights with all three shares. */
int suite_finetune_1(const struct suite_task *task, struct error *error);
int suite_finetune_10(const struct suite_task *task, struct error *error);
int suite_finetune_100(const struct suite_task *task, struct error *error);
int suite_finetune_labels(const struct suite_task *task, struct error *error);
int suite_supervised(const struct suite_task *task, struct error *error);
/* Known before the long work: can --labels and --cut-layer be had? Does every option that is given belong to a protocol
 * that runs? The encoders and images are open. */
int suite_check_labelled(const struct suite *suite, struct error *error);
#define SUITE_QUALITY_NOTE                                                                                             \
    "Figures without labels compare runs of one encoder on one set. They do not tell which of two different "          \
    "encoders, "                                                                                                       \
    "or which of two sets, is better."

/* suite_json.c: evaluation.json as text; suite_markdown.c: the tables. */
void suite_json(const struct suite *suite, struct text *json);
/* whole: and all tables below the first. */
void suite_markdown(const struct suite *suite, struct text *text, bool whole);

/* leaks.c: fills suite->leaked. */
int suite_find_leaks(struct suite *suite, struct error *error);

#endif
