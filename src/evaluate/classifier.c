/* evaluate/classifier.c -- see classifier.h. */
#include "evaluate/classifier.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "evaluate/evaluation.h"

void classifier_free(struct classifier *classifier)
{
    memory_free(classifier->weight);
    memory_free(classifier->bias);
    text_free(&classifier->names);
    memory_free(classifier->class_name);
    memory_free(classifier->encoder.path);
    novelty_free(&classifier->novelty);
    *classifier = (struct classifier){0};
}

static int allocate(struct classifier *out, int dim, int classes, struct error *error)
{
    const size_t cells = (size_t)classes * (size_t)dim;
    *out = (struct classifier){.dim = dim, .classes = classes, .temperature = 1, .l2 = -1};
    out->weight = memory_array(cells, sizeof *out->weight);
    out->bias = memory_array((size_t)classes, sizeof *out->bias);
    if (out->weight && out->bias) return SIMCLR_OK;
    classifier_free(out);
    return error_no_memory(error, "a classifier", cells * sizeof *out->weight);
}

int classifier_from_sweep(struct classifier *out, const struct logistic_sweep *sweep, struct error *error)
{
    const int status = allocate(out, sweep->dim, sweep->classes, error);
    if (status) return status;
    logistic_fold(sweep, out->weight, out->bias);
    out->temperature = sweep->temperature;
    out->l2 = sweep->l2;
    return SIMCLR_OK;
}

/* The rows of the table that are the classifier: its weight, then its bias. */
static void copy_parameters(float *to, const struct parameters *parameters, bool bias)
{
    for (int i = 0; i < parameters->count; i++) {
        const struct parameter *item = &parameters->items[i];
        if (!(item->flags & PARAMETER_CLASSIFIER) || (item->rank == 1) != bias) continue;
        memcpy(to, parameters_look(parameters, parameter_weights(parameters, i), item->count),
               item->count * sizeof *to);
    }
}

int classifier_from_model(struct classifier *out, const struct model *model, struct error *error)
{
    const struct model_config *config = &model->config;
    const int status = allocate(out, model_layer_dim(config, config->cut), config->classes, error);
    if (status) return status;
    copy_parameters(out->weight, &model->parameters, false);
    copy_parameters(out->bias, &model->parameters, true);
    return SIMCLR_OK;
}

static void leave_out_untaught(struct classifier *classifier)
{
    const size_t dim = (size_t)classifier->dim;
    int kept = 0;
    for (int c = 0; c < classifier->classes; c++) {
        if (!(classifier->bias[c] > -INFINITY)) continue;
        memmove(classifier->weight + (size_t)kept * dim, classifier->weight + (size_t)c * dim,
                dim * sizeof *classifier->weight);
        classifier->bias[kept++] = classifier->bias[c];
    }
    classifier->classes = kept;
}

int classifier_name_classes(struct classifier *classifier, const struct evaluation *evaluation, struct error *error)
{
    struct text *names = &classifier->names;
    for (int c = 0; c < classifier->classes; c++) {
        if (!(classifier->bias[c] > -INFINITY)) continue;
        const char *name = evaluation_class_name(evaluation, c);
        text_add_bytes(names, name, strlen(name) + 1);
    }
    classifier->class_name = memory_array((size_t)classifier->classes, sizeof *classifier->class_name);
    if (names->failed || !classifier->class_name)
        return error_no_memory(error, "the names of classes", names->capacity);
    leave_out_untaught(classifier);
    char *at = names->bytes;
    for (int c = 0; c < classifier->classes; c++, at += strlen(at) + 1) classifier->class_name[c] = at;
    return SIMCLR_OK;
}

int classifier_describe_encoder(struct classifier *classifier, const struct model *model, int layer,
                                const struct view_policy *policy, const char *path, struct error *error)
{
    struct classifier_encoder *encoder = &classifier->encoder;
    *encoder = (struct classifier_encoder){.known = true,
                                           .hash = parameters_encoder_hash(&model->parameters),
                                           .layer = layer,
                                           .image_size = policy->size,
                                           .filter = policy->filter,
                                           .normalize = policy->normalize};
    memcpy(encoder->mean, policy->mean, sizeof encoder->mean);
    memcpy(encoder->std, policy->std, sizeof encoder->std);
    encoder->path = path ? memory_string(path) : NULL;
    return path && !encoder->path ? error_no_memory(error, "a path", strlen(path)) : SIMCLR_OK;
}

/* ---- judging ---------------------------------------------------------------------------------------------------- */

static int find_similarities(struct backend *backend, const struct classifier *classifier, const float *rows,
                             int64_t count, float *similarity, struct error *error)
{
    if (classifier->novelty.rows) return novelty_search(backend, &classifier->novelty, rows, count, similarity, error);
    for (int64_t i = 0; i < count; i++) similarity[i] = NAN;
    return SIMCLR_OK;
}

int classifier_judge(struct backend *backend, const struct classifier *classifier, const float *rows, int64_t count,
                     const struct classified *out, struct error *error)
{
    const int classes = classifier->classes;
    const struct linear linear = classifier_linear(classifier);
    const size_t cells = (size_t)count * (size_t)classes;
    float *logits = memory_array(cells, sizeof *logits);
    double *scratch = memory_array((size_t)classes, sizeof *scratch);
    const bool enough = logits && scratch;
    if (enough) linear_logits(backend, &linear, rows, count, logits);
    for (int64_t i = 0; enough && i < count; i++)
        predictions_of_row(out->probabilities + i * classes, out->top + i * out->places, out->places,
                           &(struct logits_row){logits + i * classes, classes, classifier->temperature, scratch});
    memory_free(logits);
    memory_free(scratch);
    if (!enough) return error_no_memory(error, "logits", cells * sizeof *logits);
    return find_similarities(backend, classifier, rows, count, out->similarity, error);
}

bool classifier_is_unlike(const struct classifier *classifier, float similarity)
{
    return classifier->novelty.rows && !(similarity >= classifier->novelty.least);
}
