/* evaluate/classifier.h -- a linear classifier on features, with all that it takes to use it, as a file of its own
 * (docs/formats.md): `simclr evaluate`, `finetune` and `supervised` write it, `simclr predict` reads it. */
#ifndef EVALUATE_CLASSIFIER_H
#define EVALUATE_CLASSIFIER_H

#include "augment/views.h"
#include "base/text.h"
#include "eval/linear.h"
#include "eval/logistic.h"
#include "eval/novelty.h"
#include "model/model.h"

#define CLASSIFIER_FILE "classifier.safetensors"

struct evaluation;

/* The encoder that makes the features, and the images that it sees. */
struct classifier_encoder {
    bool known;    /* false: the features were a table's */
    uint64_t hash; /* parameters_encoder_hash */
    int layer;     /* whose features: 0 h, else of the head */
    int image_size;
    enum resample_filter filter;
    bool normalize;
    double mean[3], std[3];
    char *path; /* where it was when the file was written; NULL: in the file's own folder */
};

/* Start from {0}; release with classifier_free. logits = weight x + bias, of features as they are: standardisation is
 * folded in. Probabilities are softmax(logits / temperature). */
struct classifier {
    float *weight; /* [classes][dim] */
    float *bias;   /* [classes] */
    int dim, classes;
    double temperature; /* found on held-out images; 1: none was found */
    double l2;          /* penalty of the fit; -1: it was trained with the network */
    struct text names;  /* of the classes, each ended by NUL */
    char **class_name;  /* [classes]: into `names` */
    struct classifier_encoder encoder;
    struct novelty novelty; /* of the training rows; {0}: there were too few */
};
void classifier_free(struct classifier *classifier);

int classifier_from_sweep(struct classifier *out, const struct logistic_sweep *sweep, struct error *error);
/* That of a network with one (model->config.classes > 0), on h or on the layer of its cut. */
int classifier_from_model(struct classifier *out, const struct model *model, struct error *error);

/* The classes' names. Classes that were not taught, whose bias is -INFINITY, are taken out. */
int classifier_name_classes(struct classifier *classifier, const struct evaluation *evaluation, struct error *error);
/* The encoder, which sees images by the policy; path: where it is, or NULL. */
int classifier_describe_encoder(struct classifier *classifier, const struct model *model, int layer,
                                const struct view_policy *policy, const char *path, struct error *error);

static inline struct linear classifier_linear(const struct classifier *classifier)
{
    return (struct linear){classifier->weight, classifier->bias, classifier->dim, classifier->classes};
}

/* classifier_file.c: safetensors. Of a classifier that is read every field was checked: SIMCLR_CORRUPT, with a sentence
 * that names the field, for what is missing or impossible; errors of safetensors_open. */
int classifier_write(const struct classifier *classifier, const char *path, struct error *error);
int classifier_read(struct classifier *out, const char *path, struct error *error);
/* The same from memory (borrowed): for fuzzing. */
int classifier_parse(struct classifier *out, const uint8_t *bytes, size_t count, const char *name, struct error *error);

/* What a classifier says of rows [count][dim], to memory of the caller's. The bits of a row depend on nothing but the
 * row and the kernels. */
struct classified {
    int places;           /* of `top` */
    int32_t *top;         /* [count][places]: the best classes, best first, the lower of equal ones; -1: no more */
    float *probabilities; /* [count][classes] */
    float *similarity;    /* [count]: to the nearest training row; NAN where none were kept */
};
int classifier_judge(struct backend *backend, const struct classifier *classifier, const float *rows, int64_t count,
                     const struct classified *out, struct error *error);
/* Unlike all that it was taught? */
bool classifier_is_unlike(const struct classifier *classifier, float similarity);

#endif
