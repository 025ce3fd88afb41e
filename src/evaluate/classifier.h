/* evaluate/classifier.h -- a linear classifier on features, as a file of its own (docs/formats.md). */
#ifndef EVALUATE_CLASSIFIER_H
#define EVALUATE_CLASSIFIER_H

#include "eval/logistic.h"

struct evaluation;

/* Start from {0}; release with classifier_free. logits = weight x + bias, of features as they are: standardisation is
 * folded in. Probabilities are softmax(logits / temperature). */
struct classifier {
    float *weight; /* [classes][dim] */
    float *bias;   /* [classes] */
    int dim, classes;
    double temperature, l2;
};
void classifier_free(struct classifier *classifier);
int classifier_from_sweep(struct classifier *out, const struct logistic_sweep *sweep, struct error *error);
/* Writes safetensors, with the names of the classes and the hash of the encoder (none for a table). */
int classifier_write(const struct classifier *classifier, const struct evaluation *evaluation, const char *path,
                     struct error *error);

#endif
