/* evaluate/suite_json.c -- what an evaluation found as one JSON object (docs/formats.md). */

#include "base/memory.h"
#include "config/config.h"
#include "data/dataset.h"
#include "eval/interval.h"
#include "evaluate/label_sets.h"
#include "evaluate/suite_report.h"

enum { LEAKS_NAMED = 1000 };

static const char *method_of(const struct figure *figure)
{
    if (figure->method) return figure->method;
    if (figure->basic) return "basic bootstrap of log(1 - value)";
    if (figure->kind == FIGURE_CLASS_MEAN) return "Wilson of classes";
    return figure->kind == FIGURE_SHARE ? "Wilson" : "percentile bootstrap";
}

static void json_runs(struct text *json, const struct figure *figure)
{
    if (figure->run_count == 0) return;
    text_json_open_object(json, "runs");
    text_json_exact(json, "varied", figure->varied);
    text_json_integer(json, "count", figure->run_count);
    text_json_number(json, "mean", figure->mean);
    json_interval(json, &figure->over_runs, "Student's t");
    text_json_open_array(json, "values");
    for (int i = 0; i < figure->run_count; i++) text_json_number(json, NULL, figure->runs[i]);
    text_json_close_array(json);
    text_json_close_object(json);
}

static void json_figure(struct text *json, const struct figure *figure)
{
    text_json_open_object(json, NULL);
    text_json_exact(json, "protocol", figure->protocol);
    if (figure->setting[0]) text_json_exact(json, "setting", figure->setting);
    text_json_exact(json, "metric", metric_rows[figure->metric].name);
    text_json_exact(json, "source", evaluation_sources[figure->source].name);
    if (figure->layer > 0) text_json_integer(json, "layer", figure->layer);
    text_json_number(json, "value", figure->value);
    if (interval_is_known(&figure->over_images)) {
        text_json_open_object(json, "over_images");
        json_interval(json, &figure->over_images, method_of(figure));
        text_json_close_object(json);
    }
    if (figure->images > 0) text_json_integer(json, "images", figure->images);
    if (!isnan(figure->without_leaks)) text_json_number(json, "without_leaks", figure->without_leaks);
    json_runs(json, figure);
    if (figure->detail[0]) text_json_exact(json, "detail", figure->detail);
    if (figure->labelled > 0) text_json_integer(json, "labelled_images", figure->labelled);
    if (figure->cut_fits > 0) text_json_integer(json, "cut_fits", figure->cut_fits);
    text_json_number(json, "seconds", figure->seconds);
    text_json_close_object(json);
}

static void json_comparison(struct text *json, const struct comparison *comparison)
{
    const struct figure *figure = comparison->first;
    text_json_open_object(json, NULL);
    text_json_exact(json, "protocol", figure->protocol);
    if (figure->setting[0]) text_json_exact(json, "setting", figure->setting);
    text_json_exact(json, "metric", metric_rows[figure->metric].name);
    text_json_number(json, "trained", comparison->first->value);
    text_json_number(json, "other", comparison->second->value);
    text_json_number(json, "difference", comparison->difference);
    json_interval(json, &comparison->interval, NULL);
    text_json_exact(json, "test", comparison->test);
    text_json_number(json, "p", comparison->p);
    text_json_exact(json, "trained_is", comparison->verdict);
    if (figure->kind == FIGURE_SHARE) {
        text_json_integer(json, "only_trained_right", comparison->only_first);
        text_json_integer(json, "only_other_right", comparison->only_second);
    }
    text_json_close_object(json);
}

static void json_bins(struct text *json, const char *key, const struct calibration *calibration)
{
    text_json_open_array(json, key);
    for (int b = 0; b < CALIBRATION_BINS; b++) {
        const struct calibration_bin *bin = &calibration->bins[b];
        if (bin->rows == 0) continue;
        text_json_open_object(json, NULL);
        text_json_integer(json, "images", bin->rows);
        text_json_number(json, "confidence", bin->confidence);
        text_json_number(json, "accuracy", bin->accuracy);
        text_json_close_object(json);
    }
    text_json_close_array(json);
}

static void json_classes(struct text *json, const struct suite *suite, const struct confusion *confusion)
{
    text_json_open_array(json, "classes");
    for (int c = 0; c < confusion->classes; c++) {
        struct interval interval;
        const int64_t right = confusion->right[c], images = confusion->images[c];
        text_json_open_object(json, NULL);
        text_json_string(json, "name", evaluation_class_name(suite->evaluation, c));
        text_json_integer(json, "images", images);
        if (images > 0) {
            interval_wilson(right, images, &interval.low, &interval.high);
            text_json_number(json, "top1", (double)right / (double)images);
            json_interval(json, &interval, NULL);
        }
        text_json_close_object(json);
    }
    text_json_close_array(json);
    text_json_open_array(json, "confusion");
    for (int64_t i = 0; i < confusion->pairs; i++) {
        text_json_open_array(json, NULL);
        text_json_integer(json, NULL, confusion->pair[i].label);
        text_json_integer(json, NULL, confusion->pair[i].predicted);
        text_json_integer(json, NULL, confusion->pair[i].count);
        text_json_close_array(json);
    }
    text_json_close_array(json);
}

static void json_classifier(struct text *json, const struct suite *suite)
{
    struct confusion confusion;
    const bool there = confusion_open(&confusion, suite);
    if (there) {
        text_json_open_object(json, "linear_classifier");
        text_json_number(json, "l2", suite->classifier.l2);
        text_json_number(json, "temperature", suite->classifier.temperature);
        json_bins(json, "bins_as_fitted", &suite->as_fitted);
        json_bins(json, "bins_with_temperature", &suite->tempered);
        json_classes(json, suite, &confusion);
        text_json_close_object(json);
    } else if (suite->predictions.top5) {
        json->failed = true;
    }
    confusion_close(&confusion);
}

static void json_leaks(struct text *json, const struct suite *suite)
{
    if (!suite->leaked) return;
    text_json_open_object(json, "leaks");
    text_json_exact(json, "equal", suite->leaks_of);
    text_json_integer(json, "test_images", suite->leaks);
    text_json_open_array(json, "names");
    int64_t named = 0;
    for (int64_t i = 0; i < evaluation_count(suite->evaluation, PART_TEST) && named < LEAKS_NAMED; i++) {
        if (!suite->leaked[i]) continue;
        text_json_string(json, NULL, evaluation_name(suite->evaluation, PART_TEST, i));
        named++;
    }
    text_json_close_array(json);
    if (suite->leaks > 0) {
        text_json_open_array(json, "with_them_only");
        for (int metric = 0; metric < METRIC_COUNT; metric++)
            if (leaks_are_in(suite, (enum metric)metric)) text_json_exact(json, NULL, metric_rows[metric].name);
        text_json_close_array(json);
    }
    text_json_close_object(json);
}

/* What multilabel judges, which is not what the other protocols do. */
static void json_label_sets(struct text *json, const struct label_sets *sets)
{
    if (!sets) return;
    text_json_open_object(json, "label_sets");
    text_json_integer(json, "train_images", sets->part[PART_TRAIN].count);
    text_json_integer(json, "test_images", sets->part[PART_TEST].count);
    text_json_integer(json, "classes", sets->classes);
    text_json_close_object(json);
}

static void json_origin(struct text *json, const struct suite *suite)
{
    const struct evaluation *evaluation = suite->evaluation;
    const struct session *session = evaluation->session;
    struct score_origin origin = score_origin_none();
    char *yaml = config_to_yaml(session->config, CONFIG_REPEATABLE);
    if (!yaml) json->failed = true;
    origin.protocol = "evaluate";
    if (evaluation_is_of_tables(evaluation)) {
        origin.features = session->config->features;
        origin.test_features = session->config->test_features;
    } else {
        origin.checkpoint = session->config->checkpoint;
        origin.data = session->config->data;
        origin.hash_before = evaluation->encoders[SOURCE_TRAINED].hash_before;
        origin.hash_after = parameters_encoder_hash(&evaluation->encoders[SOURCE_TRAINED].model->parameters);
        origin.frozen = origin.hash_before == origin.hash_after;
        origin.train_digest = dataset_fingerprint(evaluation->train);
        origin.test_digest = evaluation->has_no_test ? 0 : dataset_fingerprint(evaluation->test);
    }
    origin.train_images = evaluation_count(evaluation, PART_TRAIN);
    origin.test_images = evaluation->has_no_test ? 0 : evaluation_count(evaluation, PART_TEST);
    origin.classes = evaluation_classes(evaluation);
    origin.settings = yaml;
    origin.seed = session->config->seed;
    origin.kernels = session->backend->ops->description(session->backend);
    origin.seconds = suite->seconds;
    score_origin_json(json, &origin);
    memory_free(yaml);
    if (session->config->compare_test[0]) {
        text_json_string(json, "other_features", session->config->compare);
        text_json_string(json, "other_test_features", session->config->compare_test);
    } else if (evaluation_has(evaluation, SOURCE_OTHER)) {
        text_json_string(json, "other_checkpoint", session->config->compare);
        text_json_hash(json, "other_encoder_hash", evaluation->encoders[SOURCE_OTHER].hash_before);
    }
}

void suite_json(const struct suite *suite, struct text *json)
{
    struct factors factors;
    text_json_open_object(json, NULL);
    text_json_exact(json, "format", "simclr-evaluation");
    text_json_integer(json, "version", 1);
    json_origin(json, suite);
    text_json_open_array(json, "protocols");
    for (int i = 0; i < suite->row_count; i++) text_json_exact(json, NULL, suite->rows[i]->name);
    text_json_close_array(json);
    text_json_open_array(json, "layers");
    for (int i = 0; i < suite->layer_count; i++) text_json_integer(json, NULL, suite->layers[i]);
    text_json_close_array(json);
    json_label_sets(json, suite->label_sets);
    json_leaks(json, suite);
    text_json_open_array(json, "figures");
    for (int i = 0; i < suite->figures.count; i++) json_figure(json, &suite->figures.item[i]);
    text_json_close_array(json);
    if (factors_find(&factors, suite)) factors_json(&factors, json);
    if (suite->comparisons) {
        text_json_open_array(json, "comparisons");
        for (int i = 0; i < suite->comparison_count; i++) json_comparison(json, &suite->comparisons[i]);
        text_json_close_array(json);
    }
    json_classifier(json, suite);
    text_json_exact(json, "quality_note", SUITE_QUALITY_NOTE);
    text_json_close_object(json);
}
