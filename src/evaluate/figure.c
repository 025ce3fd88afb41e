/* evaluate/figure.c -- see figure.h. */
#include "evaluate/figure.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "eval/interval.h"

const struct metric_row metric_rows[METRIC_COUNT] = {
    [METRIC_TOP1] = {"top1", "top-1 %", true, HIGHER_IS_BETTER},
    [METRIC_TOP5] = {"top5", "top-5 %", true, HIGHER_IS_BETTER},
    [METRIC_PER_CLASS] = {"per_class", "mean per class %", true, HIGHER_IS_BETTER},
    [METRIC_RECALL_1] = {"recall_at_1", "recall@1 %", true, HIGHER_IS_BETTER},
    [METRIC_RECALL_5] = {"recall_at_5", "recall@5 %", true, HIGHER_IS_BETTER},
    [METRIC_RECALL_10] = {"recall_at_10", "recall@10 %", true, HIGHER_IS_BETTER},
    [METRIC_MAP_R] = {"map_at_r", "MAP@R %", true, HIGHER_IS_BETTER},
    [METRIC_NMI] = {"nmi", "NMI", false, HIGHER_IS_BETTER},
    [METRIC_ARI] = {"ari", "adjusted Rand", false, HIGHER_IS_BETTER},
    [METRIC_MATCHED] = {"matched", "matched accuracy %", true, HIGHER_IS_BETTER},
    [METRIC_ECE] = {"ece", "ECE %", true, LOWER_IS_BETTER},
    [METRIC_BRIER] = {"brier", "Brier", false, LOWER_IS_BETTER},
    [METRIC_NLL] = {"nll", "NLL", false, LOWER_IS_BETTER},
    [METRIC_ALIGNMENT] = {"alignment", "alignment", false, NEITHER_IS_BETTER},
    [METRIC_UNIFORMITY] = {"uniformity", "uniformity", false, NEITHER_IS_BETTER},
    [METRIC_RANKME] = {"rankme", "RankMe", false, NEITHER_IS_BETTER},
    [METRIC_LIDAR] = {"lidar", "LiDAR", false, NEITHER_IS_BETTER},
    [METRIC_ALPHA] = {"alpha", "alpha", false, NEITHER_IS_BETTER},
    [METRIC_CONSISTENCY] = {"consistency", "consistency %", true, NEITHER_IS_BETTER},
    [METRIC_HUBNESS] = {"hubness", "hubness", false, NEITHER_IS_BETTER},
    [METRIC_DIMENSION] = {"dimension", "intrinsic dimension", false, NEITHER_IS_BETTER},
    [METRIC_MAP_11] = {"map_11", "11-point mAP %", true, HIGHER_IS_BETTER},
    [METRIC_MAP] = {"map", "mAP %", true, HIGHER_IS_BETTER},
};

static const struct interval unknown = {NAN, NAN};

/* ---- the list -------------------------------------------------------------------------------------------------- */

static void figure_free(struct figure *figure)
{
    memory_free(figure->per_image);
    memory_free(figure->context);
    memory_free(figure->runs);
    *figure = (struct figure){0};
}

void figures_free(struct figures *figures)
{
    for (int i = 0; i < figures->count; i++) figure_free(&figures->item[i]);
    memory_free(figures->item);
    *figures = (struct figures){0};
}

struct figure *figures_find(const struct figures *figures, const struct figure *like, enum evaluation_source source)
{
    for (int i = 0; i < figures->count; i++) {
        struct figure *figure = &figures->item[i];
        if (figure->source == source && figure->metric == like->metric &&
            strcmp(figure->protocol, like->protocol) == 0 && strcmp(figure->setting, like->setting) == 0)
            return figure;
    }
    return NULL;
}

static int add_run(struct figure *to, const struct figure *figure, struct error *error)
{
    const size_t count = (size_t)to->run_count, from = count > 0 ? count : 1;
    double *runs = memory_array(from + 1, sizeof *runs);
    if (!runs) return error_no_memory(error, "the values of runs", (from + 1) * sizeof *runs);
    runs[0] = to->value; /* of the first run, before there was another */
    if (count > 0) memcpy(runs, to->runs, count * sizeof *runs);
    runs[from] = figure->value;
    memory_free(to->runs);
    to->runs = runs;
    to->run_count = (int)from + 1;
    to->varied = figure->varied;
    return SIMCLR_OK;
}

int figures_add(struct figures *figures, const struct figure *figure, struct error *error)
{
    struct figure own = *figure, *before = figures_find(figures, figure, figure->source);
    if (before) {
        const int status = add_run(before, figure, error);
        figure_free(&own);
        return status;
    }
    if (figures->count == figures->room) {
        const int room = figures->room > 0 ? 2 * figures->room : 64;
        struct figure *grown = memory_grow(figures->item, (size_t)figures->count, (size_t)room, sizeof *grown);
        if (!grown) {
            figure_free(&own);
            return error_no_memory(error, "the list of figures", (size_t)room * sizeof *grown);
        }
        figures->item = grown;
        figures->room = room;
    }
    if (own.run_count == 0) own.varied = NULL;
    figures->item[figures->count++] = own;
    return SIMCLR_OK;
}

/* ---- values and intervals -------------------------------------------------------------------------------------- */

/* The images that count, one after another. */
struct counted {
    enum figure_kind kind;
    int64_t count;
    int classes;
    double *value;  /* [count] */
    int32_t *label; /* [count] */
};

static void counted_free(struct counted *counted)
{
    memory_free(counted->value);
    memory_free(counted->label);
}

/* Of one value per image, or of the difference first - second. skip: [images->count] that don't count, or NULL. */
static int count_images(struct counted *out, enum figure_kind kind, const double *first, const double *second,
                        const struct figure_images *images, const uint8_t *skip, struct error *error)
{
    *out = (struct counted){.kind = kind, .classes = images->classes};
    out->value = memory_array((size_t)images->count, sizeof *out->value);
    out->label = memory_array((size_t)images->count, sizeof *out->label);
    if (!out->value || !out->label) {
        counted_free(out);
        return error_no_memory(error, "values of images", (size_t)images->count * sizeof *out->value);
    }
    for (int64_t i = 0; i < images->count; i++) {
        const double value = second ? first[i] - second[i] : first[i];
        if (isnan(value) || (skip && skip[i])) continue;
        out->value[out->count] = value;
        out->label[out->count++] = images->labels[i];
    }
    return SIMCLR_OK;
}

/* times: how often each counts, NULL: once. One pass per class would be slow, and this may not allocate: labels come in
 * any order, so the sums of all classes are kept on the stack, a block of classes at a time. */
static double class_mean(const struct counted *counted, const uint32_t *times)
{
    enum { BLOCK = 256 };
    double total = 0;
    int classes = 0;
    for (int begin = 0; begin < counted->classes; begin += BLOCK) {
        double sums[BLOCK] = {0}, counts[BLOCK] = {0};
        for (int64_t i = 0; i < counted->count; i++) {
            const int32_t at = counted->label[i] - begin;
            if (at < 0 || at >= BLOCK) continue;
            const double weight = times ? times[i] : 1;
            sums[at] += weight * counted->value[i];
            counts[at] += weight;
        }
        for (int c = 0; c < BLOCK; c++) {
            if (!(counts[c] > 0)) continue;
            total += sums[c] / counts[c];
            classes++;
        }
    }
    return classes > 0 ? total / classes : NAN;
}

static double resampled(void *context, const uint32_t *times, int64_t count)
{
    const struct counted *counted = context;
    if (counted->kind == FIGURE_CLASS_MEAN) return class_mean(counted, times);
    if (times) return statistics_mean(counted->value, times, count);
    double sum = 0;
    for (int64_t i = 0; i < count; i++) sum += counted->value[i];
    return count > 0 ? sum / (double)count : NAN;
}

int figure_value(double *out, enum figure_kind kind, const double *per_image, const struct figure_images *images,
                 const uint8_t *skip, int64_t *count, struct error *error)
{
    struct counted counted;
    const int status = count_images(&counted, kind, per_image, NULL, images, skip, error);
    if (status) return status;
    *count = counted.count;
    *out = resampled(&counted, NULL, counted.count);
    counted_free(&counted);
    return SIMCLR_OK;
}

/* An interval of no width would promise what nobody knows. */
static void drop_without_width(struct interval *interval)
{
    const double ends[] = {interval->low, interval->high};
    if (statistics_all_equal(ends, 2)) *interval = unknown;
}

/* NaN where every resample is the same: all values are, or all of each class. */
static int bootstrap(struct interval *out, statistics_metric *metric, void *context, int64_t count, struct pool *pool,
                     uint64_t seed, struct error *error)
{
    *out = unknown;
    if (count < 2) return SIMCLR_OK;
    const struct bootstrap_args args = {
        .metric = metric, .context = context, .count = count, .resamples = STATISTICS_RESAMPLES, .seed = seed};
    const int status = statistics_bootstrap(out, pool, &args, error);
    drop_without_width(out);
    return status;
}

static int bootstrap_images(struct interval *out, struct counted *counted, struct pool *pool, uint64_t seed,
                            struct error *error)
{
    return bootstrap(out, resampled, counted, counted->count, pool, seed, error);
}

/* The basic bootstrap (Davison & Hinkley 1997, section 5.2), of a figure from 0 to 1. A resample is above the figure as
 * the figure is above the truth, on the scale of log(1 - figure): near 0 that is a difference, near 1 what is missing
 * is off by a factor. The interval holds the figure. Its low end is 0 where one resample in forty misses nothing. */
static struct interval reflected(const struct interval *percentiles, double value)
{
    const double missing = 1 - value, least = fmax(0, 1 - percentiles->high), most = 1 - percentiles->low;
    if (isnan(percentiles->low)) return unknown;
    return (struct interval){least > 0 ? fmin(value, fmax(0, 1 - missing * missing / least)) : 0,
                             fmax(value, 1 - missing * missing / most)};
}

/* The values are zeros and ones. */
static int class_mean_interval(struct interval *out, const struct counted *counted, struct error *error)
{
    const size_t classes = (size_t)counted->classes;
    int64_t *right = memory_array(2 * classes, sizeof *right);
    if (!right) return error_no_memory(error, "the sizes of classes", 2 * classes * sizeof *right);
    int64_t *images = right + classes;
    for (int64_t i = 0; i < counted->count; i++) {
        right[counted->label[i]] += counted->value[i] > 0;
        images[counted->label[i]]++;
    }
    interval_class_mean(right, images, counted->classes, &out->low, &out->high);
    memory_free(right);
    return SIMCLR_OK;
}

static int find_interval(struct figure *figure, struct pool *pool, const struct figure_images *images,
                         struct error *error)
{
    struct counted counted;
    if (figure->resampled) {
        const int status = bootstrap(&figure->over_images, figure->resampled, figure->context, figure->images, pool,
                                     images->seed, error);
        if (figure->basic) figure->over_images = reflected(&figure->over_images, figure->value);
        drop_without_width(&figure->over_images);
        return status;
    }
    if (figure->kind == FIGURE_SHARE) {
        const int64_t right = (int64_t)llround(figure->value * (double)figure->images);
        interval_wilson(right, figure->images, &figure->over_images.low, &figure->over_images.high);
        return SIMCLR_OK;
    }
    int status = count_images(&counted, figure->kind, figure->per_image, NULL, images, NULL, error);
    if (status) return status;
    if (figure->kind == FIGURE_CLASS_MEAN)
        status = class_mean_interval(&figure->over_images, &counted, error);
    else
        status = bootstrap_images(&figure->over_images, &counted, pool, images->seed, error);
    counted_free(&counted);
    return status;
}

int figures_finish(struct figures *figures, struct pool *pool, const struct figure_images *images, struct error *error)
{
    for (int i = 0; i < figures->count; i++) {
        struct figure *figure = &figures->item[i];
        int64_t counted;
        if (!figure->without_is_given) figure->without_leaks = NAN;
        if (!figure->method) figure->over_images = unknown;
        figure->mean = figure->value;
        figure->over_runs = unknown;
        if (figure->run_count > 0) {
            statistics_over_seeds(&figure->mean, &figure->over_runs, figure->runs, figure->run_count);
            if (statistics_all_equal(figure->runs, figure->run_count)) figure->over_runs = unknown;
        }
        if (figure->method || figure->images == 0 || (figure->kind == FIGURE_NUMBER && !figure->resampled)) continue;
        int status = find_interval(figure, pool, images, error);
        if (!status && images->leaked && figure->per_image)
            status = figure_value(&figure->without_leaks, figure->kind, figure->per_image, images, images->leaked,
                                  &counted, error);
        if (status) return status;
    }
    return SIMCLR_OK;
}

/* ---- comparing ------------------------------------------------------------------------------------------------- */

/* The mean over classes of differences is linear in them: each counts 1 / (classes x images of its class), scaled so
 * that the plain mean of the result is that. */
static int weigh_by_class(struct counted *counted, struct error *error)
{
    int64_t *sizes = memory_array((size_t)counted->classes, sizeof *sizes);
    int present = 0;
    if (!sizes) return error_no_memory(error, "the sizes of classes", (size_t)counted->classes * sizeof *sizes);
    for (int64_t i = 0; i < counted->count; i++) present += sizes[counted->label[i]]++ == 0;
    for (int64_t i = 0; i < counted->count; i++)
        counted->value[i] *= (double)counted->count / ((double)present * (double)sizes[counted->label[i]]);
    memory_free(sizes);
    return SIMCLR_OK;
}

static int permute(double *p, struct counted *counted, struct pool *pool, uint64_t seed, struct error *error)
{
    const int status = counted->kind == FIGURE_CLASS_MEAN ? weigh_by_class(counted, error) : SIMCLR_OK;
    const struct permutation_args args = {.difference = statistics_mean_difference,
                                          .context = counted->value,
                                          .count = counted->count,
                                          .permutations = STATISTICS_PERMUTATIONS,
                                          .seed = seed};
    return status ? status : statistics_permutation(p, pool, &args, error);
}

static const char *judge(const struct comparison *comparison)
{
    const enum metric_sense sense = metric_rows[comparison->first->metric].sense;
    if (!(comparison->p < 0.05) || sense == NEITHER_IS_BETTER || comparison->difference == 0) return "not told apart";
    return (comparison->difference > 0) == (sense == HIGHER_IS_BETTER) ? "better" : "worse";
}

int figure_compare(struct comparison *out, const struct figure *first, const struct figure *second, struct pool *pool,
                   const struct figure_images *images, struct error *error)
{
    struct counted counted;
    *out = (struct comparison){.first = first, .second = second, .interval = unknown, .p = NAN};
    int status = count_images(&counted, first->kind, first->per_image, second->per_image, images, NULL, error);
    if (status) return status;
    for (int64_t i = 0; i < counted.count; i++) {
        out->only_first += counted.value[i] > 0;
        out->only_second += counted.value[i] < 0;
    }
    out->difference = first->value - second->value;
    status = bootstrap_images(&out->interval, &counted, pool, images->seed, error);
    out->test = first->kind == FIGURE_SHARE ? "McNemar, exact" : "permutations";
    if (!status && first->kind == FIGURE_SHARE)
        out->p = statistics_mcnemar(out->only_first, out->only_second);
    else if (!status && counted.count > 0)
        status = permute(&out->p, &counted, pool, images->seed, error);
    out->verdict = judge(out);
    counted_free(&counted);
    return status;
}
