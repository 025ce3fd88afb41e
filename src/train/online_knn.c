/* train/online_knn.c -- how good is the encoder now? Weighted kNN on features of training images, of which a fixed
 * tenth asks and never votes: by it the best checkpoint is chosen. Test images may be asked too, and choose nothing. */
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "data/sampler.h"
#include "eval/knn.h"
#include "eval/neighbours.h"
#include "run/features.h"
#include "train/pretrain.h"

/* ---- which images ------------------------------------------------------------------------------------------- */

/* Counts the images of each kind, and writes their numbers where `out` is not NULL. `limit` of the order are the
 * sample, of which those without a label are left out; at most `limit` of the held-out tenth ask. */
static void list_images(struct online_images *images, uint32_t *out, const struct dataset *dataset,
                        const uint32_t *order, const uint8_t *held, int64_t limit)
{
    const int64_t voting = images->voting, shared = images->shared;
    images->voting = images->shared = images->extra = 0;
    for (int64_t i = 0; i < dataset_count(dataset); i++) {
        const uint32_t image = order[i];
        if (dataset_label(dataset, image) < 0) continue;
        if (i < limit && !held[image]) {
            if (out) out[images->voting] = image;
            images->voting++;
        } else if (i < limit) {
            if (out) out[voting + images->shared] = image;
            images->shared++;
        } else if (held[image] && images->shared + images->extra < limit) {
            if (out) out[voting + shared + images->extra] = image;
            images->extra++;
        }
    }
}

int online_images_open(struct online_images *images, const struct dataset *dataset, const struct config *config,
                       struct error *error)
{
    const int64_t count = dataset_count(dataset), wanted = config->knn_images;
    const int64_t limit = wanted > 0 && wanted < count ? wanted : count;
    uint32_t *order = NULL;
    *images = (struct online_images){0};
    uint8_t *held = memory_array((size_t)count, sizeof *held);
    int status = held ? sampler_sample((uint64_t)config->seed, (uint32_t)count, &order, error)
                      : error_no_memory(error, "the images of kNN", (size_t)count);
    if (!status) {
        const int64_t tenth = sampler_hold_tenth(dataset, (uint64_t)config->seed, held, error);
        if (tenth < 0) status = (int)tenth;
    }
    if (!status) {
        list_images(images, NULL, dataset, order, held, limit);
        const size_t listed = (size_t)(images->voting + images->shared + images->extra);
        images->list = memory_array(listed, sizeof *images->list);
        if (images->list)
            list_images(images, images->list, dataset, order, held, limit);
        else
            status = error_no_memory(error, "the images of kNN", listed * sizeof *images->list);
    }
    memory_free(held);
    memory_free(order);
    return status;
}

void online_images_close(struct online_images *images)
{
    memory_free(images->list);
    *images = (struct online_images){0};
}

/* ---- their features ----------------------------------------------------------------------------------------- */

/* Rows [from, from + count) of a set of features; the arrays stay the set's. */
static struct features slice(const struct features *features, int64_t from, int64_t count)
{
    return (struct features){.values = features->values + from * features->dim,
                             .labels = features->labels + from,
                             .count = count,
                             .dim = features->dim,
                             .borrowed = true};
}

/* A list may leave some images without a label: they cannot be judged. */
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

static int extract(struct pretrain *run, struct model *model, struct dataset *dataset, const uint32_t *subset,
                   int64_t count, struct features *out, struct error *error)
{
    const struct features_request request = {.kind = FEATURES_H,
                                             .model = model,
                                             .policy = &run->policy,
                                             .dataset = dataset,
                                             .subset = subset,
                                             .subset_count = count};
    return features_extract(run->session, &request, out, error);
}

/* ---- votes -------------------------------------------------------------------------------------------------- */

static int classify(struct pretrain *run, const struct features *bank, const struct features *queries,
                    struct online_score *out, struct error *error)
{
    *out = (struct online_score){.top1 = NAN, .queries = queries->count};
    if (bank->count == 0 || queries->count == 0) return SIMCLR_OK;
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
    if (status == SIMCLR_OK) out->top1 = (double)correct / (double)queries->count;
    memory_free(predicted);
    return status;
}

/* An encoder on its way to diverging has no kNN. Training goes on: its own count of bad steps ends it, or it recovers.
 */
static int pass_over(const struct pretrain *run, const struct error *reason)
{
    if (communicator_leads(run->session->communicator))
        log_warning(&run->session->log, "no kNN after step %lld: %s", (long long)run->step.number, reason->text);
    communicator_recover(run->session->communicator);
    return SIMCLR_OK;
}

static int measure(struct pretrain *run, const struct features *train, const struct features *test,
                   struct online_report *report, struct error *error)
{
    const struct online_images *images = &run->online;
    const int64_t voting = images->voting, held_out = images->shared + images->extra;
    const struct features others = slice(train, 0, voting), asking = slice(train, voting, held_out);
    const int status = classify(run, &others, &asking, &report->held_out, error);
    if (status || !run->test) return status;
    const struct features sample = slice(train, 0, voting + images->shared);
    return classify(run, &sample, test, &report->test, error);
}

int online_knn(struct pretrain *run, struct model *model, struct online_report *report, struct error *error)
{
    const struct online_images *images = &run->online;
    const int64_t listed = images->voting + images->shared + images->extra;
    struct error reason = {0};
    struct features train = {0}, test = {0};
    *report = (struct online_report){.held_out = {.top1 = NAN}, .test = {.top1 = NAN}};
    if (listed == 0) return SIMCLR_OK;
    int status = extract(run, model, run->dataset, images->list, listed, &train, &reason);
    if (status == SIMCLR_OK && run->test != NULL) status = extract(run, model, run->test, NULL, 0, &test, &reason);
    if (status != SIMCLR_OK) {
        status = status == SIMCLR_CORRUPT ? pass_over(run, &reason) : error_set(error, status, "%s", reason.text);
    } else if (communicator_leads(run->session->communicator)) { /* of several ranks the first counts the votes */
        drop_unlabelled(&test);
        status = measure(run, &train, &test, report, error);
    }
    features_free(&train);
    features_free(&test);
    return status;
}

/* ---- what that takes ---- */

void online_knn_bytes(const struct pretrain *run, int dim, size_t *rows, size_t *search)
{
    const struct online_images *images = &run->online;
    const size_t listed = (size_t)(images->voting + images->shared + images->extra);
    const size_t held_out = listed - (size_t)images->voting;
    const size_t test = listed > 0 && run->test ? (size_t)dataset_count(run->test) : 0;
    const size_t asking = test > held_out ? test : held_out;
    *rows = (listed + test) * ((size_t)dim * sizeof(float) + sizeof(int32_t));
    *search = listed > 0 ? neighbours_bytes((int64_t)listed, (int64_t)asking, (int)run->config->knn_k) : 0;
}

enum { TRIED = 1024 };

/* `count` rows, which are those of `some` over and over: as many neighbours are looked for among them as among others,
 * so that a vote takes as long. */
static int repeat(const struct features *some, int64_t count, struct features *out, struct error *error)
{
    const size_t row = (size_t)some->dim;
    *out = (struct features){.count = count, .dim = some->dim};
    out->values = memory_array((size_t)count, row * sizeof(float));
    out->labels = memory_array((size_t)count, sizeof *out->labels);
    if (!out->values || !out->labels) return error_no_memory(error, "features", (size_t)count * row * sizeof(float));
    for (int64_t i = 0; i < count; i++) {
        const int64_t from = i % some->count;
        memcpy(out->values + (size_t)i * row, some->values + (size_t)from * row, row * sizeof(float));
        out->labels[i] = some->labels[from];
    }
    return SIMCLR_OK;
}

/* Features grow with the images; votes with those that ask, and with the bank for as many as the run has. */
int online_knn_seconds(struct pretrain *run, double *seconds, struct error *error)
{
    const struct online_images *images = &run->online;
    const int64_t listed = images->voting + images->shared + images->extra, tried = listed < TRIED ? listed : TRIED;
    const double test = run->test ? (double)dataset_count(run->test) : 0, held_out = (double)(listed - images->voting);
    struct features some = {0}, bank = {0};
    struct online_score ignored;
    *seconds = 0;
    if (tried == 0) return SIMCLR_OK;
    double start = clock_seconds();
    int status = extract(run, run->model, run->dataset, images->list, tried, &some, error);
    const double features = clock_seconds() - start;
    const int64_t sample = images->voting + images->shared;
    const double voting = sample > 0 ? (double)images->voting / (double)sample : 0;
    if (!status) status = repeat(&some, sample, &bank, error);
    start = clock_seconds();
    if (!status) status = classify(run, &bank, &some, &ignored, error);
    const double votes = clock_seconds() - start;
    *seconds = (features * ((double)listed + test) + votes * (voting * held_out + test)) / (double)tried;
    features_free(&some);
    features_free(&bank);
    return status;
}
