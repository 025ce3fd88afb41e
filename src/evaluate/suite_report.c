/* evaluate/suite_report.c -- see suite_report.h. */
#include "evaluate/suite_report.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

void json_interval(struct text *json, const struct interval *interval, const char *method)
{
    if (!interval_is_known(interval)) return;
    text_json_number(json, "low95", interval->low);
    text_json_number(json, "high95", interval->high);
    if (method) text_json_exact(json, "method", method);
}

/* ---- per class --------------------------------------------------------------------------------------------------- */

static int by_pair(const void *a, const void *b)
{
    const struct confused *x = a, *y = b;
    if (x->label != y->label) return x->label < y->label ? -1 : 1;
    return (x->predicted > y->predicted) - (x->predicted < y->predicted);
}

bool confusion_open(struct confusion *out, const struct suite *suite)
{
    const struct predictions *predictions = &suite->predictions;
    const size_t classes = (size_t)evaluation_classes(suite->evaluation);
    *out = (struct confusion){.classes = (int)classes};
    if (!predictions->top5) return false;
    out->pair = memory_array((size_t)predictions->count, sizeof *out->pair);
    out->images = memory_array(classes, sizeof *out->images);
    out->right = memory_array(classes, sizeof *out->right);
    if (!out->pair || !out->images || !out->right) return false;
    for (int64_t i = 0; i < predictions->count; i++) {
        const int32_t label = suite->labels[i], predicted = predictions->top5[5 * i];
        out->pair[i] = (struct confused){label, predicted, 1};
        out->images[label]++;
        out->right[label] += label == predicted;
    }
    qsort(out->pair, (size_t)predictions->count, sizeof *out->pair, by_pair);
    for (int64_t i = 0; i < predictions->count; i++) {
        if (out->pairs > 0 && by_pair(&out->pair[out->pairs - 1], &out->pair[i]) == 0)
            out->pair[out->pairs - 1].count++;
        else
            out->pair[out->pairs++] = out->pair[i];
    }
    return true;
}

void confusion_close(struct confusion *confusion)
{
    memory_free(confusion->pair);
    memory_free(confusion->images);
    memory_free(confusion->right);
}

/* ---- leaks ------------------------------------------------------------------------------------------------------- */

bool leaks_are_in(const struct suite *suite, enum metric metric)
{
    for (int i = 0; i < suite->figures.count; i++) {
        const struct figure *figure = &suite->figures.item[i];
        if (figure->metric == metric && !figure->per_image && !figure->without_is_given) return true;
    }
    return false;
}

/* ---- labels ------------------------------------------------------------------------------------------------------ */

/* A point of a curve, at its place by rising numbers of labels. Of two with as many labels the first stays. */
static void add_point(struct label_curve *curve, double labels, double accuracy)
{
    int at = curve->count;
    while (at > 0 && curve->labels[at - 1] > labels) at--;
    if (curve->count == LABEL_CURVE_POINTS || (at > 0 && curve->labels[at - 1] == labels)) return;
    for (int i = curve->count++; i > at; i--) {
        curve->labels[i] = curve->labels[i - 1];
        curve->accuracy[i] = curve->accuracy[i - 1];
    }
    curve->labels[at] = labels;
    curve->accuracy[at] = accuracy;
}

/* Accuracies of the protocols whose names begin so. */
static void curve_of(struct label_curve *curve, const struct suite *suite, const char *name,
                     enum evaluation_source source, int run)
{
    *curve = (struct label_curve){0};
    for (int i = 0; i < suite->figures.count; i++) {
        const struct figure *figure = &suite->figures.item[i];
        if (figure->source != source || figure->metric != METRIC_TOP1 ||
            strncmp(figure->protocol, name, strlen(name)) != 0 || (run > 0 && run >= figure->run_count))
            continue;
        add_point(curve, (double)figure->labelled, figure->run_count > 0 ? figure->runs[run] : figure->value);
    }
}

static void average(struct factors *factors)
{
    double logarithms[FACTOR_RUNS];
    for (int run = 0; run < factors->runs; run++) {
        const struct label_factor *factor = &factors->run[run];
        if (factor->bound || isnan(factor->factor)) return;
        logarithms[run] = log(factor->factor);
    }
    statistics_over_seeds(&factors->mean, &factors->interval, logarithms, factors->runs);
    if (statistics_all_equal(logarithms, factors->runs)) factors->interval = (struct interval){NAN, NAN};
    factors->mean = exp(factors->mean);
    factors->interval = (struct interval){exp(factors->interval.low), exp(factors->interval.high)};
}

bool factors_find(struct factors *out, const struct suite *suite)
{
    *out = (struct factors){.mean = NAN, .interval = {NAN, NAN}};
    for (int run = 0; run < suite->runs && run < FACTOR_RUNS; run++) {
        struct label_curve ours, supervised;
        struct label_factor *factor = &out->run[run];
        curve_of(&ours, suite, "finetune-", SOURCE_TRAINED, run);
        curve_of(&supervised, suite, "supervised", SOURCE_UNTRAINED, run);
        if (ours.count < 2 || supervised.count < 2) break;
        if (!label_factor_find(factor, &ours, &supervised)) {
            if (run == 0) return false;
            *factor = (struct label_factor){.factor = NAN, .accuracy = factor->accuracy};
        }
        out->runs++;
    }
    if (out->runs > 1) average(out);
    return out->runs > 0;
}

static void json_one(struct text *json, const struct label_factor *factor)
{
    if (!isnan(factor->factor)) text_json_number(json, "value", factor->factor);
    text_json_number(json, "accuracy", factor->accuracy);
    if (factor->bound) text_json_exact(json, "is", factor->bound > 0 ? "at least" : "at most");
}

void factors_json(const struct factors *factors, struct text *json)
{
    text_json_open_object(json, "label_factor");
    json_one(json, &factors->run[0]);
    if (factors->runs > 1) {
        text_json_open_array(json, "runs");
        for (int run = 0; run < factors->runs; run++) {
            text_json_open_object(json, NULL);
            json_one(json, &factors->run[run]);
            text_json_close_object(json);
        }
        text_json_close_array(json);
    }
    if (!isnan(factors->mean)) text_json_number(json, "geometric_mean", factors->mean);
    json_interval(json, &factors->interval, "Student's t of logarithms");
    text_json_close_object(json);
}

static void say_one(struct text *text, const struct label_factor *factor)
{
    if (isnan(factor->factor))
        text_add(text, "not known");
    else
        text_add(text, "%s%.2f", factor->bound > 0 ? "at least " : factor->bound < 0 ? "at most " : "", factor->factor);
}

void factors_markdown(const struct factors *factors, struct text *text)
{
    text_add(text, "Label factor: for %.2f %%, the highest accuracy that both reach, supervised training needs ",
             100 * factors->run[0].accuracy);
    say_one(text, &factors->run[0]);
    text_add(text, " times the labels of the fine-tuned encoder.");
    if (factors->runs > 1 && isnan(factors->mean)) {
        text_add(text, " Of each run, for the accuracy of that run: ");
        for (int run = 0; run < factors->runs; run++) {
            if (run > 0) text_add(text, ", ");
            say_one(text, &factors->run[run]);
        }
        text_add(text, ".");
    } else if (factors->runs > 1) {
        text_add(text, " Over %d runs, the geometric mean: %.2f", factors->runs, factors->mean);
        if (interval_is_known(&factors->interval))
            text_add(text, " [%.2f, %.2f]", factors->interval.low, factors->interval.high);
        text_add(text, ".");
    }
    text_add(text, "\n");
}
