/* eval/calibration.c -- see calibration.h. */
#include "eval/calibration.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"

/* The largest logit's class, the lowest of equal ones. */
static int best_class(const float *logits, int classes)
{
    int best = 0;
    for (int c = 1; c < classes; c++)
        if (logits[c] > logits[best]) best = c;
    return best;
}

/* log of the sum of exp((logit - the best one) / temperature). The best one adds 1, so that it is never below 0. */
static double log_sum(const float *logits, int classes, int best, double temperature)
{
    double others = 0;
    for (int c = 0; c < classes; c++)
        if (c != best) others += exp(((double)logits[c] - (double)logits[best]) / temperature);
    return log1p(others);
}

static double mean_nll(const struct calibration_args *args, double temperature)
{
    double sum = 0;
    for (int64_t i = 0; i < args->rows; i++) {
        const float *logits = args->logits + i * args->classes;
        const int best = best_class(logits, args->classes);
        sum += log_sum(logits, args->classes, best, temperature) -
               ((double)logits[args->labels[i]] - (double)logits[best]) / temperature;
    }
    return sum / (double)args->rows;
}

static int check(const struct calibration_args *args, struct error *error)
{
    if (args->rows < 1 || args->classes < 1)
        return error_set(error, SIMCLR_INVALID, "calibration needs at least one row and one class");
    for (int64_t i = 0; i < args->rows; i++) {
        if (args->labels[i] < 0 || args->labels[i] >= args->classes)
            return error_set(error, SIMCLR_DATA, "calibration: row %lld has no label below %d", (long long)i,
                             args->classes);
        for (int c = 0; c < args->classes; c++)
            if (!isfinite(args->logits[i * args->classes + c]))
                return error_set(error, SIMCLR_DATA, "calibration: row %lld has a logit that is not finite",
                                 (long long)i);
    }
    return SIMCLR_OK;
}

struct answer {
    double confidence, right; /* right: 0 or 1, later the mean of those that are as confident */
    int64_t row;
};

static int compare_answers(const void *a, const void *b)
{
    const double x = ((const struct answer *)a)->confidence, y = ((const struct answer *)b)->confidence;
    return (x > y) - (x < y);
}

/* answers: sorted. */
static void share_ties(struct answer *answers, int64_t rows)
{
    for (int64_t first = 0, end; first < rows; first = end) {
        double right = 0;
        for (end = first; end < rows && answers[end].confidence == answers[first].confidence; end++)
            right += answers[end].right;
        for (int64_t i = first; i < end; i++) answers[i].right = right / (double)(end - first);
    }
}

static void fill_bins(struct calibration *out, const struct answer *answers, int64_t rows)
{
    out->ece = 0;
    for (int b = 0; b < CALIBRATION_BINS; b++) {
        const int64_t begin = rows * b / CALIBRATION_BINS, end = rows * (b + 1) / CALIBRATION_BINS;
        struct calibration_bin *bin = &out->bins[b];
        *bin = (struct calibration_bin){.rows = end - begin};
        if (begin == end) continue;
        for (int64_t i = begin; i < end; i++) {
            bin->confidence += answers[i].confidence;
            bin->accuracy += answers[i].right;
        }
        bin->confidence /= (double)bin->rows;
        bin->accuracy /= (double)bin->rows;
        out->ece += (double)bin->rows / (double)rows * fabs(bin->accuracy - bin->confidence);
    }
}

int calibration_measure(struct calibration *out, const struct calibration_args *args, struct error *error)
{
    const int status = check(args, error);
    if (status) return status;
    if (!(args->temperature > 0 && args->temperature < INFINITY))
        return error_set(error, SIMCLR_INVALID, "a temperature of %g is impossible: give one above 0",
                         args->temperature);
    struct answer *answers = memory_array((size_t)args->rows, sizeof *answers);
    if (!answers) return error_no_memory(error, "calibration", (size_t)args->rows * sizeof *answers);
    double brier = 0, right = 0;
    for (int64_t i = 0; i < args->rows; i++) {
        const float *logits = args->logits + i * args->classes;
        const int best = best_class(logits, args->classes);
        const double log_total = log_sum(logits, args->classes, best, args->temperature);
        for (int c = 0; c < args->classes; c++) {
            const double p = exp(((double)logits[c] - (double)logits[best]) / args->temperature - log_total);
            const double off = c == args->labels[i] ? 1 - p : p;
            brier += off * off;
        }
        answers[i] = (struct answer){.confidence = exp(-log_total), .right = best == args->labels[i], .row = i};
        right += answers[i].right;
    }
    qsort(answers, (size_t)args->rows, sizeof *answers, compare_answers);
    share_ties(answers, args->rows);
    fill_bins(out, answers, args->rows);
    out->brier = brier / (double)args->rows;
    out->top1 = right / (double)args->rows;
    out->nll = mean_nll(args, args->temperature);
    memory_free(answers);
    return SIMCLR_OK;
}

struct calibration_answers {
    int64_t rows;
    struct answer answer[]; /* by confidence */
};

int calibration_answers_open(struct calibration_answers **out, const struct calibration_args *args, struct error *error)
{
    const size_t rows = (size_t)args->rows, bytes = sizeof **out + rows * sizeof(struct answer);
    const int status = check(args, error);
    *out = NULL;
    if (status) return status;
    *out = memory_allocate(bytes);
    if (!*out) return error_no_memory(error, "calibration", bytes);
    (*out)->rows = args->rows;
    for (int64_t i = 0; i < args->rows; i++) {
        const float *logits = args->logits + i * args->classes;
        const int best = best_class(logits, args->classes);
        const double log_total = log_sum(logits, args->classes, best, args->temperature);
        (*out)->answer[i] = (struct answer){.confidence = exp(-log_total), .right = best == args->labels[i], .row = i};
    }
    qsort((*out)->answer, rows, sizeof(struct answer), compare_answers);
    share_ties((*out)->answer, args->rows);
    return SIMCLR_OK;
}

double calibration_resampled_ece(void *context, const uint32_t *times, int64_t count)
{
    const struct calibration_answers *answers = context;
    int64_t total = 0, at = 0;
    double ece = 0, off = 0;
    int bin = 0;
    for (int64_t i = 0; i < count; i++) total += times[i];
    for (int64_t i = 0; i < answers->rows; i++) {
        const struct answer *answer = &answers->answer[i];
        for (int64_t left = times[answer->row], end, part; left > 0; left -= part) {
            while (at >= (end = total * (bin + 1) / CALIBRATION_BINS)) { /* the next bin with room */
                ece += fabs(off);
                off = 0;
                bin++;
            }
            part = left < end - at ? left : end - at;
            off += (double)part * (answer->right - answer->confidence);
            at += part;
        }
    }
    return (ece + fabs(off)) / (double)total;
}

int calibration_fit(double *temperature, const struct calibration_args *args, struct error *error)
{
    const int status = check(args, error);
    if (status) return status;
    const double golden = 0.61803398874989484820, bound = log(100);
    double low = -bound, high = bound;
    double left = high - golden * (high - low), right = low + golden * (high - low);
    double at_left = mean_nll(args, exp(left)), at_right = mean_nll(args, exp(right));
    while (high - low > 1e-9) {
        if (at_left <= at_right) {
            high = right;
            right = left;
            at_right = at_left;
            left = high - golden * (high - low);
            at_left = mean_nll(args, exp(left));
        } else {
            low = left;
            left = right;
            at_left = at_right;
            right = low + golden * (high - low);
            at_right = mean_nll(args, exp(right));
        }
    }
    *temperature = exp((low + high) / 2);
    if (mean_nll(args, *temperature) >= mean_nll(args, 1)) *temperature = 1;
    return SIMCLR_OK;
}
