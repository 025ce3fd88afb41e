/* evaluate/predictions.h -- what a classifier says of each test image, as a file that later runs are compared with
 * image by image (docs/formats.md). */
#ifndef EVALUATE_PREDICTIONS_H
#define EVALUATE_PREDICTIONS_H

#include <stdint.h>

#include "base/error.h"
#include "data/bytes/zip_write.h"

struct evaluation;

/* Start from {0}; release with predictions_free. */
struct predictions {
    int64_t count;
    int classes;
    int32_t *top5;        /* [count][5] best classes, best first; -1: there are no more */
    float *probabilities; /* [count][classes] */
};
void predictions_free(struct predictions *predictions);

/* What logits [classes] say of one image: probabilities [classes], softmax(logits / temperature), and the `places` best
 * classes, best first, the lower of equal ones; -1: there are no more. scratch: [classes]. Everything that is told of a
 * classifier's images goes through it. */
struct logits_row {
    const float *logits;
    int classes;
    double temperature;
    double *scratch;
};
void predictions_of_row(float *probabilities, int32_t *top, int places, const struct logits_row *row);

/* From logits [count][classes]: softmax(logits / temperature). */
int predictions_of_logits(struct predictions *out, const float *logits, int64_t count, int classes, double temperature,
                          struct error *error);
/* From votes [count][classes], none negative: their shares. A row without votes has zeros. */
int predictions_of_votes(struct predictions *out, const double *votes, int64_t count, int classes, struct error *error);

/* Fills the open archive, a .npz, and gives it its name: labels, top5, probabilities, class names, and the digest of
 * the test images' names. Nulls, also on failure. */
int predictions_commit(struct zip_writer **zip, const struct predictions *predictions,
                       const struct evaluation *evaluation, struct error *error);

#endif
