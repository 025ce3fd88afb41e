/* command/evaluation.h -- a frozen encoder judged beside its controls: what knn, linear and demo share. */
#ifndef COMMAND_EVALUATION_H
#define COMMAND_EVALUATION_H

#include "run/features.h"
#include "train/score.h"

/* What the features come from. A representation means something only beside the first two. */
enum evaluation_source { SOURCE_PIXELS, SOURCE_UNTRAINED, SOURCE_TRAINED, SOURCE_COUNT };
const char *evaluation_source_name(enum evaluation_source source); /* "pixels", "untrained", "trained" */

/* The data and the encoder under judgement. */
struct evaluation {
    struct session *session;
    struct view_policy policy;
    struct model *trained, *untrained; /* untrained: the same architecture, fresh from the seed */
    struct dataset *train, *test;
    uint64_t hash_before; /* over the encoder's weights and buffers */
};

/* Opens --checkpoint, --data and its test part (or --test-data). SIMCLR_DATA when labels are missing or the parts'
 * classes differ. */
int evaluation_open(struct session *session, struct evaluation *evaluation, struct error *error);
/* The same in two steps, for who judges the controls before there is a checkpoint: first everything but the trained
 * model, from the session's own settings and seed (with evaluation views as training will have them); later the model
 * itself. */
int evaluation_open_untrained(struct session *session, struct evaluation *evaluation, struct error *error);
int evaluation_open_trained(struct evaluation *evaluation, const char *checkpoint, struct error *error);
/* Frozen? SIMCLR_CORRUPT (a bug of ours) if an evaluation changed a weight or a running statistic. */
int evaluation_check_frozen(const struct evaluation *evaluation, struct error *error);
void evaluation_close(struct evaluation *evaluation);

/* Features of both parts; release both with features_free. */
int evaluation_features(struct evaluation *evaluation, enum evaluation_source source, struct features *train,
                        struct features *test, struct error *error);

/* Writes them as --features-out asks; nothing where it is not given (save_features.c). */
int evaluation_save_features(const struct session *session, const struct features *train, const struct features *test,
                             struct error *error);

/* Weighted kNN with the session's --knn-k and --knn-temperature. */
int evaluation_knn(struct evaluation *evaluation, const struct features *train, const struct features *test,
                   struct score *out, struct error *error);
/* Multinomial logistic regression with --l2 (or the sweep) and --iterations. */
int evaluation_linear(struct evaluation *evaluation, const struct features *train, const struct features *test,
                      struct score *out, struct error *error);

/* The whole of the knn and the linear command: `protocol` names it, `judge` is one of the two above. */
typedef int evaluation_judge(struct evaluation *evaluation, const struct features *train, const struct features *test,
                             struct score *out, struct error *error);
int evaluation_run(struct session *session, const char *protocol, evaluation_judge *judge, struct error *error);

#endif
