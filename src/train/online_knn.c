/* train/online_knn.c -- how good is the encoder now? Weighted kNN on a sample of the training images' features. */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "eval/knn.h"
#include "run/features.h"
#include "train/pretrain.h"

/* Rows [from, from + count) of a set of features; the arrays stay the set's. */
static struct features slice(const struct features *features, int64_t from, int64_t count)
{
    return (struct features){features->values + from * features->dim, features->labels + from, count, features->dim};
}

/* A list may leave some images without a label: they can neither vote nor be judged. */
static void drop_unlabelled(struct features *features)
{
    const size_t row = (size_t)features->dim;
    int64_t kept = 0;
    for (int64_t i = 0; i < features->count; i++) {
        if (features->labels[i] < 0) continue;
        memmove(features->values + (size_t)kept * row, features->values + (size_t)i * row, row * sizeof(float));
        features->labels[kept++] = features->labels[i];
    }
    features->count = kept;
}

static int classify(struct pretrain *run, const struct features *bank, const struct features *queries, double *top1,
                    struct error *error)
{
    *top1 = NAN;
    if (bank->count == 0 || queries->count == 0) {
        log_warning(&run->session->log, "kNN: %s without labels: nothing to compare",
                    bank->count == 0 ? "training images" : "test images");
        return SIMCLR_OK;
    }
    int32_t *predicted = memory_array((size_t)queries->count, sizeof *predicted);
    if (predicted == NULL) return error_no_memory(error, "predictions", (size_t)queries->count * sizeof *predicted);
    const struct knn_args args = {
        .train = bank->values,
        .train_labels = bank->labels,
        .train_count = bank->count,
        .query = queries->values,
        .query_count = queries->count,
        .dim = bank->dim,
        .classes = dataset_classes(run->dataset),
        .k = (int)run->config->knn_k,
        .temperature = run->config->knn_temperature,
        .predicted = predicted,
    };
    const int status = knn_classify(run->session->backend, &args, error);
    int64_t correct = 0;
    for (int64_t i = 0; status == SIMCLR_OK && i < queries->count; i++) correct += predicted[i] == queries->labels[i];
    *top1 = (double)correct / (double)queries->count;
    memory_free(predicted);
    return status;
}

/* An encoder on its way to diverging has no kNN. Training goes on: its own count of bad steps ends it, or it recovers.
 */
static int pass_over(const struct pretrain *run, const struct error *reason, double *top1)
{
    log_warning(&run->session->log, "no kNN after step %lld: %s", (long long)run->step.number, reason->text);
    *top1 = NAN;
    return SIMCLR_OK;
}

static int extract(struct pretrain *run, struct dataset *dataset, int64_t limit, struct features *out,
                   struct error *error)
{
    const struct features_request request = {
        .kind = FEATURES_H, .model = run->model, .policy = &run->policy, .dataset = dataset, .limit = limit};
    return features_extract(run->session, &request, out, error);
}

int online_knn(struct pretrain *run, double *top1, int64_t *queries, struct error *error)
{
    struct error reason = {0};
    struct features train = {0}, test = {0};
    const int64_t images = dataset_count(run->dataset);
    const int64_t wanted = run->config->knn_images;
    const int64_t limit = wanted > 0 && wanted < images ? wanted : images;
    int status = extract(run, run->dataset, limit, &train, &reason);
    if (status == SIMCLR_OK && run->test != NULL) status = extract(run, run->test, 0, &test, &reason);
    drop_unlabelled(&train);
    drop_unlabelled(&test);
    if (status != SIMCLR_OK) {
        status = status == SIMCLR_CORRUPT ? pass_over(run, &reason, top1) : error_set(error, status, "%s", reason.text);
    } else if (run->test != NULL) {
        *queries = test.count;
        status = classify(run, &train, &test, top1, error);
    } else {
        /* No test images: a tenth of the sample asks and does not vote. Its order is random, so any tenth will do. */
        const int64_t held_out = train.count > 10 ? train.count / 10 : train.count > 1;
        const struct features asking = slice(&train, 0, held_out);
        const struct features voting = slice(&train, held_out, train.count - held_out);
        *queries = held_out;
        status = classify(run, &voting, &asking, top1, error);
    }
    features_free(&train);
    features_free(&test);
    return status;
}
