/* evaluate/suite_report.c -- see suite_report.h. */
#include "evaluate/suite_report.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

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

/* ---- labels ------------------------------------------------------------------------------------------------------ */

/* Accuracies of the protocols whose names begin so, which stand by rising numbers of labels. */
static void curve_of(struct label_curve *curve, const struct suite *suite, const char *name,
                     enum evaluation_source source, int run)
{
    *curve = (struct label_curve){0};
    for (int i = 0; i < suite->figures.count; i++) {
        const struct figure *figure = &suite->figures.item[i];
        if (figure->source != source || figure->metric != METRIC_TOP1 || curve->count == LABEL_CURVE_POINTS ||
            strncmp(figure->protocol, name, strlen(name)) != 0 || (run > 0 && run >= figure->run_count))
            continue;
        curve->labels[curve->count] = (double)figure->labelled;
        curve->accuracy[curve->count++] = figure->run_count > 0 ? figure->runs[run] : figure->value;
    }
}

bool factors_find(struct factors *out, const struct suite *suite)
{
    enum { RUNS = 100 };
    double values[RUNS];
    *out = (struct factors){.interval = {NAN, NAN}};
    for (int run = 0; run < suite->runs && run < RUNS; run++) {
        struct label_curve ours, supervised;
        struct label_factor factor;
        curve_of(&ours, suite, "finetune-", SOURCE_TRAINED, run);
        curve_of(&supervised, suite, "supervised", SOURCE_UNTRAINED, run);
        if (!label_factor_find(&factor, &ours, &supervised)) break;
        if (run == 0) out->first = factor;
        values[out->runs++] = factor.factor;
    }
    if (out->runs > 1) statistics_over_seeds(&out->mean, &out->interval, values, out->runs);
    return out->runs > 0;
}

const char *factor_bound(const struct label_factor *factor)
{
    return factor->bound > 0 ? "at least " : factor->bound < 0 ? "at most " : "";
}
