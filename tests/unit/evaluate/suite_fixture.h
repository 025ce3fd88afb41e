/* unit/evaluate/suite_fixture.h -- tests only: protocols of `simclr evaluate` on two tables of features that a test has
 * made, each run by itself. support/run.h comes before this header. */
#ifndef UNIT_EVALUATE_SUITE_FIXTURE_H
#define UNIT_EVALUATE_SUITE_FIXTURE_H

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "evaluate/suite.h"

/* Both parts have `dim` features and labels from 0 to classes - 1. Rows are called train/0, test/0 and so on. */
struct suite_tables {
    const float *values[PART_COUNT]; /* [rows][dim] */
    const int32_t *labels[PART_COUNT];
    int64_t rows[PART_COUNT];
    int dim, classes;
};

struct suite_fixture {
    struct config *config;
    struct session session;
    struct evaluation evaluation;
    struct features features[PART_COUNT];
    struct suite suite;
    struct text log; /* all that was logged */
};

static inline void suite_fixture_log(void *cookie, enum log_level level, const char *line)
{
    (void)level;
    text_add(&((struct suite_fixture *)cookie)->log, "%s\n", line);
}

static inline void suite_fixture_table(struct suite_fixture *fixture, const struct suite_tables *tables, int part)
{
    struct feature_table *table = &fixture->evaluation.tables[part];
    const size_t values = (size_t)tables->rows[part] * (size_t)tables->dim;
    char name[32];
    for (int c = 0; c < tables->classes; c++) {
        snprintf(name, sizeof name, "class %d", c);
        assert_int_equal(catalog_add_class(&table->catalog, name, NULL), SIMCLR_OK);
    }
    for (int64_t i = 0; i < tables->rows[part]; i++) {
        snprintf(name, sizeof name, "%s/%lld", part == PART_TRAIN ? "train" : "test", (long long)i);
        assert_int_equal(catalog_add(&table->catalog, name, tables->labels[part][i], NULL), SIMCLR_OK);
    }
    table->values = memory_array(values, sizeof *table->values);
    assert_non_null(table->values);
    memcpy(table->values, tables->values[part], values * sizeof *table->values);
    table->dim = tables->dim;
    table->labelled = true;
}

/* The figures' intervals, which take long, are not found. */
static inline void suite_fixture_open(struct suite_fixture *fixture, const struct suite_tables *tables)
{
    struct error error = {0};
    *fixture = (struct suite_fixture){0};
    assert_int_equal(config_create(&fixture->config, COMMAND_EVALUATE, &error), SIMCLR_OK);
    assert_int_equal(config_set(fixture->config, "threads", "1", 2, &error), SIMCLR_OK);
    fixture->session = (struct session){.config = fixture->config, .log = {suite_fixture_log, fixture}};
    if (session_start(&fixture->session, &error) != SIMCLR_OK) fail_msg("%s", error.text);
    fixture->evaluation.session = &fixture->session;
    for (int part = 0; part < PART_COUNT; part++) suite_fixture_table(fixture, tables, part);
    assert_int_equal(evaluation_features(&fixture->evaluation, SOURCE_FEATURES, &fixture->features[PART_TRAIN],
                                         &fixture->features[PART_TEST], &error),
                     SIMCLR_OK);
    fixture->suite =
        (struct suite){.evaluation = &fixture->evaluation, .runs = 1, .labels = fixture->features[PART_TEST].labels};
}

static inline struct suite_task suite_fixture_task(struct suite_fixture *fixture, const char *protocol, uint64_t seed)
{
    int row = 0;
    while (row < suite_row_count && strcmp(suite_rows[row].name, protocol) != 0) row++;
    assert_true(row < suite_row_count);
    return (struct suite_task){.suite = &fixture->suite,
                               .row = &suite_rows[row],
                               .source = SOURCE_FEATURES,
                               .seed = seed,
                               .train = &fixture->features[PART_TRAIN],
                               .test = &fixture->features[PART_TEST]};
}

static inline void suite_fixture_run(struct suite_fixture *fixture, const char *protocol, uint64_t seed)
{
    struct error error = {0};
    const struct suite_task task = suite_fixture_task(fixture, protocol, seed);
    if (task.row->judge(&task, &error) != SIMCLR_OK) fail_msg("%s: %s", protocol, error.text);
}

/* The figure of a protocol, a setting and a metric. */
static inline const struct figure *suite_fixture_figure(const struct suite_fixture *fixture, const char *protocol,
                                                        const char *setting, enum metric metric)
{
    struct figure like = {.protocol = protocol, .metric = metric};
    snprintf(like.setting, sizeof like.setting, "%s", setting);
    const struct figure *figure = figures_find(&fixture->suite.figures, &like, SOURCE_FEATURES);
    if (!figure) fail_msg("%s has no figure of %s, \"%s\"", protocol, metric_rows[metric].name, setting);
    return figure;
}

static inline void suite_fixture_close(struct suite_fixture *fixture)
{
    figures_free(&fixture->suite.figures);
    classifier_free(&fixture->suite.classifier);
    predictions_free(&fixture->suite.predictions);
    evaluation_close(&fixture->evaluation);
    session_stop(&fixture->session);
    config_destroy(&fixture->config);
    text_free(&fixture->log);
}

#endif
