/* A row of what a recipe expects against lines of metrics: within, off on either side, no number, missing. */
#include "support/run.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "command/verify/verify.h"
#include "config/config.h"
#include "support/folder.h"

static struct metrics_history history;

static int read_history(void **state)
{
    static const char lines[] =
        "{\"step\": 10, \"epoch\": 0.5, \"wall_time\": 1, \"train/loss\": 6}\n"
        "{\"step\": 20, \"epoch\": 1, \"wall_time\": 2, \"train/loss\": 5.5}\n"
        "{\"step\": 20, \"epoch\": 1, \"wall_time\": 3, \"epoch/loss\": 5.75, \"epoch/top1\": 0.5}\n"
        "{\"step\": 40, \"epoch\": 2, \"wall_time\": 4, \"epoch/loss\": 5, \"epoch/top1\": null}\n"
        "{\"step\": 40, \"epoch\": 2, \"wall_time\": 5, \"epoch/loss\": 4.75}\n";
    if (make_folder(state)) return 1;
    if (file_write_atomic(at("metrics.jsonl"), lines, sizeof lines - 1, NULL)) return 1;
    return metrics_read(folder, &history, NULL);
}

static int forget_history(void **state)
{
    metrics_history_free(&history);
    return remove_folder(state);
}

static enum verdict_kind judge(double epoch, const char *metric, double low, double high, double *value)
{
    char name[64], source[] = "here";
    snprintf(name, sizeof name, "%s", metric);
    const struct expectation row = {.epoch = epoch, .metric = name, .low = low, .high = high, .source = source};
    const struct verdict verdict = verify_row(&history, &row);
    *value = verdict.value;
    return verdict.kind;
}

static void each_verdict(void **state)
{
    (void)state;
    double value;
    assert_int_equal(judge(1, "epoch/loss", 5.7, 5.8, &value), VERDICT_WITHIN);
    assert_true(value == 5.75);
    assert_int_equal(judge(1, "epoch/loss", 5.75, 5.75, &value), VERDICT_WITHIN); /* both ends are within */
    assert_int_equal(judge(1, "epoch/loss", 5.76, 6, &value), VERDICT_BELOW);
    assert_int_equal(judge(1, "epoch/loss", 5, 5.74, &value), VERDICT_ABOVE);
    assert_true(value == 5.75);
    assert_int_equal(judge(2, "epoch/top1", 0, 1, &value), VERDICT_NOT_FINITE);
    assert_int_equal(judge(0.5, "train/loss", 6, 6, &value), VERDICT_WITHIN); /* a part of an epoch */
}

static void what_is_missing(void **state)
{
    (void)state;
    double value;
    assert_int_equal(judge(3, "epoch/loss", 0, 9, &value), VERDICT_MISSING); /* no such epoch */
    assert_true(isnan(value));
    assert_int_equal(judge(1, "epoch/knn_top1", 0, 9, &value), VERDICT_MISSING); /* no such figure */
    assert_int_equal(judge(1.5, "epoch/loss", 0, 9, &value), VERDICT_MISSING);   /* never the nearest one instead */
}

static void the_last_line_counts(void **state)
{
    (void)state;
    double value;
    assert_int_equal(judge(2, "epoch/loss", 4.7, 4.8, &value), VERDICT_WITHIN); /* written again after a kill */
    assert_true(value == 4.75);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_verdict),
        cmocka_unit_test(what_is_missing),
        cmocka_unit_test(the_last_line_counts),
    };
    return run_cases(tests, read_history, forget_history);
}
