/* api/predict.c -- a caller's images, and what the model's classifier says of them. */
#include <math.h>
#include <string.h>

#include "api/model.h"
#include "base/memory.h"

struct predicting {
    struct predictor *predictor;
    struct view_policy policy; /* what images go through: as when the classifier was fitted */
    int batch;
    char (*made)[PICTURE_NAME]; /* [batch]: names, */
    const char **names;         /* [batch], for sentences */
    int32_t *top;               /* [batch] */
    float *similarity;          /* [batch] */
};

void predicting_close(struct predicting **predicting)
{
    if (!*predicting) return;
    predictor_close(&(*predicting)->predictor);
    memory_free((*predicting)->made);
    memory_free((*predicting)->names);
    memory_free((*predicting)->top);
    memory_free((*predicting)->similarity);
    memory_free(*predicting);
    *predicting = NULL;
}

static int plan(simclr_model *model, struct predicting *predicting, struct error *error)
{
    struct model_shared *shared = model->shared;
    pthread_mutex_lock(&shared->planning);
    const int status = predictor_open(&predicting->predictor, model->session, shared->model, &shared->policy,
                                      &shared->classifier, predicting->batch, error);
    pthread_mutex_unlock(&shared->planning);
    if (!status) predicting->policy = *predictor_policy(predicting->predictor);
    return status;
}

static int predicting_open(struct predicting **out, simclr_model *model, int batch, struct error *error)
{
    const size_t count = (size_t)batch;
    struct predicting *predicting = *out = memory_allocate(sizeof *predicting);
    if (!predicting) return error_no_memory(error, "a predictor", sizeof *predicting);
    predicting->batch = batch;
    predicting->made = memory_array(count, sizeof *predicting->made);
    predicting->names = memory_array(count, sizeof *predicting->names);
    predicting->top = memory_array(count, sizeof *predicting->top);
    predicting->similarity = memory_array(count, sizeof *predicting->similarity);
    if (!predicting->made || !predicting->names || !predicting->top || !predicting->similarity)
        return error_no_memory(error, "a batch of predictions", count * sizeof *predicting->made);
    int status = plan(model, predicting, error);
    if (!status) status = pictures_reserve(model, &predicting->policy, batch, error);
    return status;
}

/* For `batch` images at once; it stays until another number is asked for. */
static int prepare(simclr_model *model, int batch, struct error *error)
{
    if (model->predicting && model->predicting->batch == batch) return SIMCLR_OK;
    predicting_close(&model->predicting);
    const int status = predicting_open(&model->predicting, model, batch, error);
    if (status) predicting_close(&model->predicting);
    return status;
}

static int predict_some(simclr_model *model, const struct pictures *pictures, int64_t first, int count,
                        float *probabilities, signed char *unlike, struct error *error)
{
    struct predicting *predicting = model->predicting;
    const struct classifier *classifier = &model->shared->classifier;
    const struct classified out = {
        .places = 1, .top = predicting->top, .probabilities = probabilities, .similarity = predicting->similarity};
    for (int i = 0; i < count; i++) predicting->names[i] = pictures_name(pictures, first + i, predicting->made[i]);
    int status = pictures_make(model, &predicting->policy, pictures, first, count, error);
    if (!status) status = predictor_run(predicting->predictor, model->views, count, predicting->names, &out, error);
    for (int i = 0; !status && unlike && i < count; i++) {
        const float similarity = predicting->similarity[i];
        unlike[i] = (signed char)(isnan(similarity) ? -1 : classifier_is_unlike(classifier, similarity));
    }
    return status;
}

int simclr_model_predict(simclr_model *model, const simclr_image *images, int64_t count, float *probabilities,
                         signed char *unlike)
{
    if (!model) return SIMCLR_INVALID;
    struct error *error = &model->context->error;
    const struct model_shared *shared = model->shared;
    context_begin(model->context);
    if (!shared->classifies) return error_set(error, SIMCLR_INVALID, "%s", shared->reason.text);
    if (!images || !probabilities)
        return error_set(error, SIMCLR_INVALID, "the images or the room for probabilities is NULL");
    if (count < 1)
        return error_set(error, SIMCLR_INVALID, "%lld images cannot be classified: give 1 or more", (long long)count);
    const struct pictures pictures = {.images = images};
    const int batch = model_batch_of(model, count);
    int status = pictures_check(&pictures, count, error);
    if (!status) status = prepare(model, batch, error);
    for (int64_t at = 0; !status && at < count; at += batch) {
        const int some = (int)(count - at < batch ? count - at : batch);
        status = predict_some(model, &pictures, at, some, probabilities + at * shared->classifier.classes,
                              unlike ? unlike + at : NULL, error);
    }
    atomic_store_explicit(&model->context->interrupted, 0, memory_order_relaxed); /* the request has been served */
    return status;
}

int simclr_model_class_count(const simclr_model *model)
{
    if (!model) return SIMCLR_INVALID;
    return model->shared->classifies ? model->shared->classifier.classes : 0;
}

const char *simclr_model_class_name(const simclr_model *model, int index)
{
    if (index < 0 || index >= simclr_model_class_count(model)) return NULL;
    return model->shared->classifier.class_name[index];
}
