/* evaluate/suite_linear.c -- logistic regression by L-BFGS, its calibration, and what is kept of it. */
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/format.h"
#include "base/memory.h"
#include "base/rank.h"
#include "eval/logistic.h"
#include "evaluate/suite.h"

struct fitted {
    const struct suite_task *task;
    struct logistic_sweep sweep;
    float *logits; /* [test images][classes] */
    int classes;
};

typedef double value_of(const float *logits, int classes, int label, double temperature);

/* Compared, and not by fmax: gcc 12 for aarch64 has an internal error where it makes vectors of such a loop. */
static double largest_of(const float *logits, int classes)
{
    float largest = -INFINITY;
    for (int c = 0; c < classes; c++)
        if (logits[c] > largest) largest = logits[c];
    return (double)largest;
}

/* Of softmax(logits / temperature). */
static double log_share(const float *logits, int classes, int label, double temperature)
{
    const double largest = largest_of(logits, classes);
    double sum = 0;
    for (int c = 0; c < classes; c++) sum += exp(((double)logits[c] - largest) / temperature);
    /* cppcheck-suppress invalidFunctionArg ; sum >= 1: the largest one's term */
    return ((double)logits[label] - largest) / temperature - log(sum);
}

/* Of a class that was never taught it would be infinite: such an image has none. */
static double nll_of(const float *logits, int classes, int label, double temperature)
{
    return !(logits[label] > -INFINITY) ? NAN : -log_share(logits, classes, label, temperature);
}

static double brier_of(const float *logits, int classes, int label, double temperature)
{
    const double largest = largest_of(logits, classes);
    double sum = 0, squares = 0;
    for (int c = 0; c < classes; c++) sum += exp(((double)logits[c] - largest) / temperature);
    for (int c = 0; c < classes; c++) {
        const double off = exp(((double)logits[c] - largest) / temperature) / sum - (c == label);
        squares += off * off;
    }
    return squares;
}

static int add(const struct fitted *fitted, const struct figure *like, value_of *value, double temperature,
               struct error *error)
{
    const struct features *test = fitted->task->test;
    struct figure figure = *like;
    figure.per_image = suite_images(fitted->task, false);
    for (int64_t i = 0; figure.per_image && i < test->count; i++)
        figure.per_image[i] =
            value(fitted->logits + i * fitted->classes, fitted->classes, test->labels[i], temperature);
    return suite_add(fitted->task, &figure, error);
}

static int add_scores(const struct fitted *fitted, const struct figure *like, struct error *error)
{
    const struct features *test = fitted->task->test;
    int32_t *ranks = memory_array((size_t)test->count, sizeof *ranks);
    if (!ranks) return error_no_memory(error, "ranks of labels", (size_t)test->count * sizeof *ranks);
    for (int64_t i = 0; i < test->count; i++)
        ranks[i] = rank_of_label(fitted->logits + i * fitted->classes, fitted->classes, test->labels[i]);
    const int status = suite_add_ranks(fitted->task, like, ranks, true, error);
    memory_free(ranks);
    return status;
}

/* NaN: there are none, or nothing is left. */
static int ece_without_leaks(const struct fitted *fitted, double temperature, double *out, struct error *error)
{
    const struct features *test = fitted->task->test;
    const struct suite *suite = fitted->task->suite;
    const size_t kept = (size_t)(test->count - suite->leaks), classes = (size_t)fitted->classes;
    struct calibration found = {0};
    *out = NAN;
    if (suite->leaks == 0 || kept == 0) return SIMCLR_OK;
    float *logits = memory_array(kept * classes, sizeof *logits);
    int32_t *labels = memory_array(kept, sizeof *labels);
    int status = SIMCLR_OK;
    if (!logits || !labels) status = error_no_memory(error, "logits", kept * classes * sizeof *logits);
    for (int64_t i = 0, row = 0; !status && i < test->count; i++) {
        if (suite->leaked[i]) continue;
        memcpy(logits + row * fitted->classes, fitted->logits + i * fitted->classes, classes * sizeof *logits);
        labels[row++] = test->labels[i];
    }
    const struct calibration_args args = {.logits = logits,
                                          .labels = labels,
                                          .rows = (int64_t)kept,
                                          .classes = fitted->classes,
                                          .temperature = temperature};
    if (!status) status = calibration_measure(&found, &args, error);
    if (!status) *out = found.ece;
    memory_free(logits);
    memory_free(labels);
    return status;
}

static int add_calibration(const struct fitted *fitted, const struct figure *like, double temperature,
                           struct calibration *out, struct error *error)
{
    const struct features *test = fitted->task->test;
    struct figure figure = *like;
    const struct calibration_args args = {.logits = fitted->logits,
                                          .labels = test->labels,
                                          .rows = test->count,
                                          .classes = fitted->classes,
                                          .temperature = temperature};
    int status = calibration_measure(out, &args, error);
    if (!status) status = ece_without_leaks(fitted, temperature, &figure.without_leaks, error);
    figure.without_is_given = fitted->task->suite->leaks > 0;
    figure.metric = METRIC_ECE;
    figure.kind = FIGURE_NUMBER;
    figure.value = out->ece;
    figure.images = test->count;
    figure.method = "normal noise of bins";
    figure.over_images = out->ece_interval;
    if (!status) status = suite_add(fitted->task, &figure, error);
    figure.method = NULL;
    figure.without_is_given = false;
    figure.metric = METRIC_BRIER;
    figure.kind = FIGURE_MEAN;
    if (!status) status = add(fitted, &figure, brier_of, temperature, error);
    figure.metric = METRIC_NLL;
    return status ? status : add(fitted, &figure, nll_of, temperature, error);
}

/* What it takes to use the classifier later: names, encoder, and what it was taught. */
static int complete(const struct suite_task *task, struct classifier *classifier, struct error *error)
{
    const struct evaluation *evaluation = task->suite->evaluation;
    const struct evaluation_encoder *encoder = &evaluation->encoders[task->source];
    const struct novelty_limits limits = novelty_limits_usual();
    int status = classifier_name_classes(classifier, evaluation, error);
    if (!status && encoder->model) {
        char whole[PATH_MAX];
        const char *path = realpath(evaluation->session->config->checkpoint, whole); /* NULL: it will be asked for */
        status = classifier_describe_encoder(classifier, encoder->model, 0, &encoder->policy, path, error);
    }
    return status ? status
                  : novelty_measure(evaluation->session->backend, &classifier->novelty, task->train->values,
                                    task->train->count, task->train->dim, &limits, error);
}

/* The classifier, and what it says of each image, with its temperature. */
static int keep(const struct fitted *fitted, const struct calibration *as_fitted, const struct calibration *tempered,
                struct error *error)
{
    struct suite *suite = fitted->task->suite;
    if (!suite_is_main(fitted->task) || fitted->task->run > 0) return SIMCLR_OK;
    if (fitted->sweep.folds > 0 && fitted->sweep.temperature == 1)
        log_info(&suite->evaluation->session->log,
                 "linear: what was held out tells no temperature, probabilities stay as fitted");
    suite->as_fitted = *as_fitted;
    suite->tempered = *tempered;
    int status = classifier_from_sweep(&suite->classifier, &fitted->sweep, error);
    if (!status) status = complete(fitted->task, &suite->classifier, error);
    return status ? status
                  : predictions_of_logits(&suite->predictions, fitted->logits, fitted->task->test->count,
                                          fitted->classes, (double)(float)fitted->sweep.temperature, error);
}

/* A fit that finds a temperature finds no round number. */
static const char *why_one(const struct logistic_sweep *sweep)
{
    if (sweep->folds == 0) return ": nothing held out";
    return sweep->temperature == 1 ? ": none was found" : "";
}

static int add_all(const struct fitted *fitted, struct error *error)
{
    const struct logistic_sweep *sweep = &fitted->sweep;
    struct calibration as_fitted, tempered;
    struct figure like = {.labelled = fitted->task->train->count, .cut_fits = sweep->cut};
    if (sweep->folds > 0 && fitted->task->suite->evaluation->session->config->l2 < 0)
        format_write(like.detail, sizeof like.detail, "l2 %g, by %lld held out in %d fold%s%s", sweep->l2,
                     (long long)sweep->held_out, sweep->folds, sweep->folds == 1 ? "" : "s",
                     sweep->cut ? "; ended at --iterations" : "");
    else
        format_write(like.detail, sizeof like.detail, "l2 %g, as given%s", sweep->l2,
                     sweep->cut ? "; ended at --iterations" : "");
    int status = add_scores(fitted, &like, error);
    snprintf(like.setting, sizeof like.setting, "probabilities as fitted");
    if (!status) status = add_calibration(fitted, &like, 1, &as_fitted, error);
    snprintf(like.setting, sizeof like.setting, "probabilities with one temperature");
    format_write(like.detail, sizeof like.detail, "temperature %.4g%s", sweep->temperature, why_one(sweep));
    if (!status) status = add_calibration(fitted, &like, sweep->temperature, &tempered, error);
    return status ? status : keep(fitted, &as_fitted, &tempered, error);
}

int suite_linear(const struct suite_task *task, struct error *error)
{
    const struct evaluation *evaluation = task->suite->evaluation;
    const struct config *config = evaluation->session->config;
    struct backend *backend = evaluation->session->backend;
    struct fitted fitted = {.task = task, .classes = evaluation_classes(evaluation)};
    const size_t cells = (size_t)task->test->count * (size_t)fitted.classes;
    double grid[LOGISTIC_PAPERS_GRID];
    const bool papers = strcmp(config->l2_grid, "paper") == 0;
    logistic_papers_grid(grid);
    const struct logistic_args args = {.x = task->train->values,
                                       .labels = task->train->labels,
                                       .rows = task->train->count,
                                       .dim = task->train->dim,
                                       .classes = fitted.classes,
                                       .max_iterations = (int)config->iterations,
                                       .l2 = config->l2,
                                       .grid = papers ? grid : NULL,
                                       .grid_count = LOGISTIC_PAPERS_GRID,
                                       .calibrate = true};
    int status = logistic_sweep(backend, &args, task->seed, &fitted.sweep, error);
    if (status) return status;
    fitted.logits = memory_array(cells, sizeof *fitted.logits);
    if (!fitted.logits) status = error_no_memory(error, "logits", cells * sizeof *fitted.logits);
    if (!status)
        status = logistic_predict(backend, &fitted.sweep, task->test->values, task->test->count, fitted.logits, error);
    if (!status) status = add_all(&fitted, error);
    memory_free(fitted.logits);
    logistic_sweep_free(&fitted.sweep);
    return status;
}
