/* report/judged.c -- see judged.h. */
#include "report/judged.h"

#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/format.h"
#include "base/memory.h"

enum { FILE_MOST = 1 << 28, VERSION = 1, FIGURES_MOST = 2000 };

static double number_of(const struct json_value *object, const char *name)
{
    const struct json_value *value = json_member(object, name);
    return json_is_number(value) ? value->number : NAN;
}

static int64_t count_of(const struct json_value *object, const char *name)
{
    const struct json_value *value = json_member(object, name);
    return json_is(value, JSON_INTEGER) && value->integer > 0 ? value->integer : 0;
}

static const char *text_of(const struct json_value *object, const char *name, const char *otherwise)
{
    const struct json_value *value = json_member(object, name);
    return json_is(value, JSON_STRING) ? value->string : otherwise;
}

static int find_metric(const char *name)
{
    for (int i = 0; i < METRIC_COUNT; i++)
        if (strcmp(metric_rows[i].name, name) == 0) return i;
    return -1;
}

static int find_source(const char *name)
{
    for (int i = 0; i < SOURCE_COUNT; i++)
        if (strcmp(evaluation_sources[i].name, name) == 0) return i;
    return -1;
}

/* False: of a kind that this version does not know. */
static bool read_figure(struct judged_figure *out, const struct json_value *json)
{
    const int metric = find_metric(text_of(json, "metric", "")), source = find_source(text_of(json, "source", ""));
    const char *protocol = text_of(json, "protocol", NULL);
    const struct json_value *over = json_member(json, "over_images"), *runs = json_member(json, "runs");
    if (metric < 0 || source < 0 || !protocol) return false;
    *out = (struct judged_figure){
        .protocol = protocol,
        .setting = text_of(json, "setting", ""),
        .varied = text_of(runs, "varied", NULL),
        .metric = (enum metric)metric,
        .source = (enum evaluation_source)source,
        .value = number_of(json, "value"),
        .low = number_of(over, "low95"),
        .high = number_of(over, "high95"),
        .without_leaks = number_of(json, "without_leaks"),
        .images = count_of(json, "images"),
        .labelled = count_of(json, "labelled_images"),
        .cut_fits = count_of(json, "cut_fits"),
        .runs = count_of(runs, "count"),
        .mean = number_of(runs, "mean"),
        .run_low = number_of(runs, "low95"),
        .run_high = number_of(runs, "high95"),
        .seconds = number_of(json, "seconds"),
    };
    return true;
}

static int read_figures(struct judged *out, struct error *error)
{
    const struct json_value *figures = judged_member(out, "figures");
    if (!json_is(figures, JSON_ARRAY))
        return error_set(error, SIMCLR_CORRUPT, "%s: has no list of figures: evaluate again", out->path);
    out->figure = memory_array(FIGURES_MOST, sizeof *out->figure);
    if (!out->figure) return error_no_memory(error, "figures", FIGURES_MOST * sizeof *out->figure);
    const struct json_value *item = json_first(figures);
    for (size_t i = 0; i < figures->count; i++, item = json_next(item)) {
        if (out->count < FIGURES_MOST && read_figure(&out->figure[out->count], item))
            out->count++;
        else
            out->unknown++;
    }
    return SIMCLR_OK;
}

static int read_text(struct judged *out, const char *text, size_t length, struct error *error)
{
    struct json_problem problem = {0};
    const int status = json_read(&out->json, text, length, false, &problem);
    if (status == SIMCLR_NO_MEMORY) return error_no_memory(error, "an evaluation", length);
    if (status)
        return error_set(error, SIMCLR_CORRUPT, "%s: is no JSON (%s at byte %zu): evaluate again", out->path,
                         problem.what ? problem.what : "damaged", problem.at);
    const struct json_value *version = judged_member(out, "version");
    if (strcmp(text_of(out->json.values, "format", ""), "simclr-evaluation") != 0 || !json_is(version, JSON_INTEGER))
        return error_set(error, SIMCLR_DATA, "%s: is no evaluation of simclr evaluate", out->path);
    if (version->integer != VERSION)
        return error_set(error, SIMCLR_DATA, "%s: is of version %lld, and this program knows %d", out->path,
                         (long long)version->integer, (int)VERSION);
    return read_figures(out, error);
}

int judged_parse(struct judged *out, const char *text, size_t length, const char *path, struct error *error)
{
    *out = (struct judged){.path = memory_string(path)};
    if (!out->path) return error_no_memory(error, "a path", strlen(path));
    const int status = read_text(out, text, length, error);
    if (status) judged_free(out);
    return status;
}

int judged_read(struct judged *out, const char *path, struct error *error)
{
    uint8_t *bytes = NULL;
    size_t count = 0;
    *out = (struct judged){.path = NULL};
    if (!file_exists(path)) return SIMCLR_OK;
    int status = file_read(path, FILE_MOST, &bytes, &count, error);
    if (!status) status = judged_parse(out, (const char *)bytes, count, path, error);
    memory_free(bytes);
    return status;
}

void judged_free(struct judged *judged)
{
    json_free(&judged->json);
    memory_free(judged->path);
    memory_free(judged->figure);
    *judged = (struct judged){0};
}

const struct judged_figure *judged_find(const struct judged *judged, const char *protocol, const char *setting,
                                        enum metric metric, enum evaluation_source source)
{
    for (size_t i = 0; i < judged->count; i++) {
        const struct judged_figure *figure = &judged->figure[i];
        if (figure->metric == metric && figure->source == source && strcmp(figure->protocol, protocol) == 0 &&
            (!setting || strcmp(figure->setting, setting) == 0))
            return figure;
    }
    return NULL;
}

enum evaluation_source judged_main(const struct judged *judged)
{
    return judged_member(judged, "features_file") ? SOURCE_FEATURES : SOURCE_TRAINED;
}

bool judged_same_test(const struct judged *a, const struct judged *b)
{
    const struct json_value *x = a->json.values, *y = b->json.values;
    const char *names = text_of(x, "test_digest", NULL), *others = text_of(y, "test_digest", NULL);
    const char *set = text_of(x, "data", NULL), *other = text_of(y, "data", NULL);
    if (names && others) return strcmp(names, others) == 0;
    return count_of(x, "test_images") == count_of(y, "test_images") &&
           count_of(x, "classes") == count_of(y, "classes") && (!set || !other || strcmp(set, other) == 0);
}

const struct json_value *judged_member(const struct judged *judged, const char *name)
{
    return judged->json.values ? json_member(judged->json.values, name) : NULL;
}

double judged_shown(enum metric metric, double value)
{
    return metric_rows[metric].percent ? 100 * value : value;
}

int judged_decimals(enum metric metric)
{
    return metric_rows[metric].percent ? 2 : 4; /* as evaluation.md has them */
}

void judged_write(char out[JUDGED_TEXT], enum metric metric, double value, double low, double high)
{
    const int digits = judged_decimals(metric);
    value = judged_shown(metric, value);
    low = judged_shown(metric, low);
    high = judged_shown(metric, high);
    if (!isfinite(value))
        format_write(out, JUDGED_TEXT, "-");
    else if (!isfinite(low) || !isfinite(high))
        format_write(out, JUDGED_TEXT, "%.*f", digits, value);
    else
        format_write(out, JUDGED_TEXT, "%.*f [%.*f, %.*f]", digits, value, digits, low, digits, high);
}

const char *judged_source_name(enum evaluation_source source, const char *protocol)
{
    static const char *const names[SOURCE_COUNT] = {
        [SOURCE_PIXELS] = "pixels",        [SOURCE_UNTRAINED] = "untrained network", [SOURCE_TRAINED] = "SimCLR",
        [SOURCE_EMA] = "SimCLR, averages", [SOURCE_OTHER] = "other encoder",         [SOURCE_FEATURES] = "features"};
    if (source == SOURCE_UNTRAINED && strncmp(protocol, "finetune", 8) == 0) return "random weights";
    if (source == SOURCE_UNTRAINED && strcmp(protocol, "supervised") == 0) return "supervised";
    return names[source];
}
