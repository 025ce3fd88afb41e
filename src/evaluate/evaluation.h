/* evaluate/evaluation.h -- the data and the encoders under judgement: the table of sources. */
#ifndef EVALUATE_EVALUATION_H
#define EVALUATE_EVALUATION_H

#include "data/dataset.h"
#include "evaluate/predictions.h"
#include "evaluate/score.h"
#include "model/model.h"
#include "run/features.h"
#include "run/table/feature_table.h"

/* What is judged. A representation means something only beside the first two. */
enum evaluation_source {
    SOURCE_PIXELS,    /* no encoder at all */
    SOURCE_UNTRAINED, /* the same architecture, fresh from the seed */
    SOURCE_TRAINED,
    SOURCE_EMA,      /* its moving averages, where the checkpoint has some (--ema) */
    SOURCE_OTHER,    /* another checkpoint, to compare with */
    SOURCE_FEATURES, /* tables that other programs made (--features): nothing else is judged then */
    SOURCE_COUNT
};

enum evaluation_part { PART_TRAIN, PART_TEST, PART_COUNT };

/* An encoder with the views that it was trained for. */
struct evaluation_encoder {
    struct model *model; /* NULL: not opened */
    struct view_policy policy;
    uint64_t hash_before; /* over its weights and buffers */
};

struct evaluation {
    struct session *session;
    struct evaluation_encoder encoders[SOURCE_COUNT]; /* of pixels: the policy only, which is that of the trained one */
    struct dataset *train, *test;                     /* NULL where there are tables: */
    struct feature_table tables[PART_COUNT];          /* of --features and --test-features */
    struct feature_table others[PART_COUNT];          /* of --compare and --compare-test: the values of the same rows */
    struct predictions predictions; /* of the encoder or the table, once they were made for --predictions */
    bool needs_no_labels; /* set before evaluation_open: sets without labels, or without a test part, are judged too */
    bool needs_test;      /* set before it: but not those without a test part */
    bool has_no_test;     /* there is no test part: `test` are the training images once more */
    int layer;            /* of the head, whose features are judged; 0: h */
    void *state;          /* the protocol's own */
    bool choice_is_said;  /* how linear chooses its penalty */
    bool rate_is_said;    /* how linear-sgd chooses its rate */
    bool neighbours_are_said; /* that there are fewer than kNN asks for */
    bool cache_is_said;       /* that features came from it */
    bool replaced_is_said;    /* that others stand in for images that cannot be read */
};

struct source_row {
    const char *name;        /* in tables and JSON; a protocol may have its own */
    bool control;            /* left out by --no-controls */
    enum features_kind kind; /* what is extracted for it */
};
extern const struct source_row evaluation_sources[SOURCE_COUNT];

/* What is extracted for a source: of encoders the evaluation's layer. */
enum features_kind evaluation_kind(const struct evaluation *evaluation, enum evaluation_source source);

/* Is there something to judge? Always of the pixels, of encoders where they were opened. */
bool evaluation_has(const struct evaluation *evaluation, enum evaluation_source source);

/* Images (or rows) of a part, their names (the same wherever the set lies) and labels. */
int64_t evaluation_count(const struct evaluation *evaluation, enum evaluation_part part);
const char *evaluation_name(const struct evaluation *evaluation, enum evaluation_part part, int64_t index);
int evaluation_label(const struct evaluation *evaluation, enum evaluation_part part, int64_t index);
/* Classes of both parts, matched by their names. */
int evaluation_classes(const struct evaluation *evaluation);
const char *evaluation_class_name(const struct evaluation *evaluation, int label);
/* Are --features judged, and not an encoder? */
bool evaluation_is_of_tables(const struct evaluation *evaluation);

/* Opens --checkpoint, --data and its test part (or --test-data), or --features and --test-features. Where labels
 * are needed, SIMCLR_DATA: there is no test part, a part has no labels or one class alone, no test image is of a class
 * with training images, or one part's classes are numbers and the other's names (match_classes). Classes that only one
 * part has are a warning. After a failure nothing is open, here and below. */
int evaluation_open(struct session *session, struct evaluation *evaluation, struct error *error);
/* The same in two steps, for who judges the controls before there is a checkpoint: first everything but the trained
 * model, from the session's own settings and seed (with evaluation views as training will have them); later the model
 * itself. */
int evaluation_open_untrained(struct session *session, struct evaluation *evaluation, struct error *error);
int evaluation_open_trained(struct evaluation *evaluation, const char *checkpoint, struct error *error);
/* The untrained network with weights of another seed. */
int evaluation_renew_untrained(struct evaluation *evaluation, uint64_t seed, struct error *error);
/* Another checkpoint to judge beside the trained one, or another pair of tables beside those of --features: SIMCLR_DATA
 * where they lack a row. */
int evaluation_open_other(struct evaluation *evaluation, const char *path, struct error *error);
/* Frozen? SIMCLR_CORRUPT (a bug of ours) if an evaluation changed a weight or a running statistic of the trained one or
 * the other one. */
int evaluation_check_frozen(const struct evaluation *evaluation, struct error *error);
void evaluation_close(struct evaluation *evaluation);

/* Features of both parts, to be given back by features_free. Those of tables are borrowed from them, those of an
 * encoder may come from the cache. */
int evaluation_features(struct evaluation *evaluation, enum evaluation_source source, struct features *train,
                        struct features *test, struct error *error);

/* Whether --predictions and --features-out can be written, by outputs_check: asked before the work (save_features.c).
 */
int evaluation_check_outputs(const struct session *session, struct error *error);
/* Writes them as --features-out asks; nothing where it is not given (save_features.c). */
int evaluation_save_features(const struct session *session, const struct features *train, const struct features *test,
                             struct error *error);

#endif
