/* evaluate/predictor.h -- a trained encoder and its classifier, ready for images: what `simclr predict` and the public
 * library share. */
#ifndef EVALUATE_PREDICTOR_H
#define EVALUATE_PREDICTOR_H

#include "evaluate/classifier.h"
#include "run/feature_rows.h"
#include "run/session.h"

/* Reads the classifier that goes with `model`, and finds the encoder that goes with it.
 * given: a file, or a folder with CLASSIFIER_FILE; "": it is looked for where `model` is: the file itself, then
 * MODEL/classifier.safetensors and MODEL/evaluation/classifier.safetensors.
 * *encoder: what model_open takes (memory_free). It is `model` where that holds an encoder or `given` is given, else
 * what the classifier remembers. SIMCLR_INVALID with a sentence where there is no classifier or no encoder, or where
 * the classifier is of a table of features; errors of classifier_read. After a failure both are empty. */
int predictor_find(struct classifier *out, char **encoder, const char *model, const char *given, struct error *error);

/* Plans the encoder for `batch` images at once, after it has checked that it is the one that the classifier was made
 * for (SIMCLR_INVALID). Session, model and classifier are borrowed. model and policy: as model_open gave them; images
 * are seen as those that the classifier was fitted to, whose size, filter, mean and std it has. */
struct predictor;
int predictor_open(struct predictor **out, const struct session *session, struct model *model,
                   const struct view_policy *policy, const struct classifier *classifier, int batch,
                   struct error *error);
void predictor_close(struct predictor **predictor);

/* What images go through: size and type of the evaluation views that predictor_run takes. */
const struct view_policy *predictor_policy(const struct predictor *predictor);
size_t predictor_view_bytes(const struct predictor *predictor);

/* views: `count` of them, at most a batch, planar [3][S][S] of the policy's type. names: [count], for sentences. out:
 * for `count` rows. A view's bits depend on no other. SIMCLR_CORRUPT, with the name, where what the encoder makes of a
 * view is not finite; SIMCLR_INTERRUPTED. */
int predictor_run(struct predictor *predictor, const void *views, int count, const char *const *names,
                  const struct classified *out, struct error *error);

#endif
