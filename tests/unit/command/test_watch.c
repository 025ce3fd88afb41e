/* A run drawn from fixed metrics: curves, figures that are no numbers, one point, a million lines. A last line that is
 * cut, bytes of any kind, a run that went on after a kill, and what is left. */
#include "support/run.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "command/watch/watched.h"
#include "support/folder.h"
#include "support/short.h"

static void write_file(const char *name, const char *text, size_t bytes)
{
    assert_int_equal(file_write_atomic(at("%s", name), text, bytes, NULL), SIMCLR_OK);
}

static void write_metrics(const char *lines)
{
    write_file("metrics.jsonl", lines, strlen(lines));
}

static void begin(void)
{
    static const char config[] = "# Effective configuration of simclr pretrain: use it again\nepochs: 4\nbatch: 16\n";
    write_file("config.yaml", config, sizeof config - 1);
    remove(at("train.log"));
    remove(at("metrics.jsonl"));
}

static struct watched look(void)
{
    struct watched run = {.step = -1};
    struct error error;
    if (watched_look(&run, folder, &error)) fail_msg("%s", error.text);
    return run;
}

/* The drawing, ended by NUL. Nothing in it may be obeyed by a terminal or be wider than 80 characters. */
static struct text draw(const struct watched *run)
{
    struct text out = {0};
    watched_draw(run, folder, 100, &out);
    assert_false(out.failed);
    int column = 0;
    for (size_t i = 0; i < out.length; i++) {
        const unsigned char c = (unsigned char)out.bytes[i];
        if (c == '\n') {
            column = 0;
            continue;
        }
        assert_true(c >= 0x20 && c != 0x7f);
        if ((c & 0xc0) != 0x80) column++;
        if (column > PLOT_COLUMNS) fail_msg("a line is wider than %d: %s", PLOT_COLUMNS, out.bytes);
    }
    return out;
}

static void assert_drawn(const struct text *drawn, const char *part)
{
    if (!strstr(drawn->bytes, part)) fail_msg("\"%s\" is not in: %s", part, drawn->bytes);
}

/* ---- the curve ---- */

static void a_line_falls(void **state)
{
    (void)state;
    const struct plot_point points[] = {{0, 2}, {10, 1}};
    struct text out = {0};
    plot_add(&out, &(struct plot){.points = points, .count = 2, .low = 0, .high = 10, .rows = 2, .scale = 1});
    /* 140 columns of dots over 8 rows: the first at the top on the left, the last at the bottom on the right. */
    assert_non_null(out.bytes);
    assert_ptr_equal(strstr(out.bytes, "       2 \xe2\x94\x82\xe2\xa0\x89"), out.bytes);
    assert_non_null(strstr(out.bytes, "\n       1 \xe2\x94\x82"));
    assert_string_equal(out.bytes + out.length - 4, "\xe2\xa3\x80\n");
    text_free(&out);
}

static void means_of_a_column(void **state)
{
    (void)state;
    struct plot_point points[1000];
    struct text out = {0};
    for (int i = 0; i < 1000; i++) points[i] = (struct plot_point){5, i % 2 ? 3 : 5}; /* one column, mean 4 */
    points[999] = (struct plot_point){6, NAN};
    points[998] = (struct plot_point){50, -100}; /* outside */
    plot_add(&out, &(struct plot){.points = points, .count = 1000, .low = 0, .high = 10, .rows = 1, .scale = 100});
    assert_ptr_equal(strstr(out.bytes, "     400 \xe2\x94\x82"), out.bytes);
    text_free(&out);
}

static void nothing_to_draw(void **state)
{
    (void)state;
    const struct plot_point points[] = {{0, NAN}, {NAN, 1}, {INFINITY, 2}, {20, 1}};
    struct text out = {0};
    plot_add(&out, &(struct plot){.points = points, .count = 4, .low = 0, .high = 10, .rows = 2, .scale = 1});
    plot_add(&out, &(struct plot){.points = points, .count = 0, .low = 0, .high = 10, .rows = 2, .scale = 1});
    assert_int_equal(out.length, 0);
    text_free(&out);
}

static void extreme_numbers(void **state)
{
    (void)state;
    const struct plot_point points[] = {{-1e308, 1e308}, {0, 0}, {1e308, -1e308}};
    struct text out = {0};
    plot_add(&out, &(struct plot){.points = points, .count = 3, .low = -1e308, .high = 1e308, .rows = 12, .scale = 1});
    plot_add(&out, &(struct plot){.points = points + 1, .count = 1, .low = 0, .high = 0, .rows = 1, .scale = 1});
    assert_true(out.length > 0);
    text_free(&out);
}

/* ---- the whole ---- */

static void a_usual_run(void **state)
{
    (void)state;
    begin();
    write_metrics(
        "{\"step\": 10, \"epoch\": 0.5, \"wall_time\": 10, \"train/loss\": 6, \"train/chance_loss\": 6.5, "
        "\"train/top1\": 0.125, \"train/learning_rate\": 0.25, \"train/views_per_second\": 320, "
        "\"train/wait_share\": 0.0625}\n"
        "{\"step\": 20, \"epoch\": 1, \"wall_time\": 20, \"train/loss\": 5, \"train/learning_rate\": 0.5}\n"
        "{\"step\": 20, \"epoch\": 1, \"wall_time\": 21, \"epoch/loss\": 5.5, \"epoch/knn_top1\": 0.375}\n"
        "{\"step\": 30, \"epoch\": 1.5, \"wall_time\": 30, \"train/loss\": 4, \"train/learning_rate\": 0.4}\n");
    struct watched run = look();
    assert_int_equal(run.lines, 4);
    assert_true(watched_steps(&run) == 80);
    assert_true(fabs(watched_pace(&run) - 1) < 1e-12);
    assert_int_equal(run.state, RUN_STOPPED);
    struct text drawn = draw(&run);
    assert_drawn(&drawn, "simclr pretrain, killed: no process uses it here");
    assert_drawn(&drawn, "step 30 of 80, epoch 1.5 of 4; 320 views/s (6 % waiting)");
    assert_drawn(&drawn, "loss 4 (chance 6.5), top-1 12.5 %, kNN 37.50 %, rate 0.4\n");
    assert_drawn(&drawn, "kNN, %\n    37.5 \xe2\x94\x82");
    assert_drawn(&drawn, "       6 \xe2\x94\x82");
    assert_null(strstr(drawn.bytes, "damaged"));
    assert_null(strstr(drawn.bytes, " left\n")); /* nothing is left of a run that does not go on */
    text_free(&drawn);
    run.state = RUN_RUNNING;
    drawn = draw(&run);
    assert_drawn(&drawn, "; 50 s left");
    assert_drawn(&drawn, "running, its last line is 1 min 10 s");
    text_free(&drawn);
    watched_close(&run);
}

static void ends_are_told_apart(void **state)
{
    (void)state;
    static const struct {
        const char *log, *words;
    } ends[] = {
        {"2026-11-29 02:40:57 info: stopped by request at step 7 of 80; the same command goes on\n",
         "stopped by request"},
        {"2026-11-29 02:40:57 error: disk full\n", "ended with an error: disk full"},
        {"2026-11-29 02:40:57 info: epoch 1/4: loss 5\n", "killed"},
        {"2026-11-29 02:40:57 error: a \x1b[31mred\x1b[0m name \xff\n", " \\x1b[31mred\\x1b[0m name \\xff\n"},
    };
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        begin();
        write_metrics("{\"step\": 10, \"epoch\": 0.5, \"wall_time\": 10, \"train/loss\": 6}\n");
        write_file("train.log", ends[i].log, strlen(ends[i].log));
        struct watched run = look();
        struct text drawn = draw(&run);
        assert_drawn(&drawn, ends[i].words);
        text_free(&drawn);
        watched_close(&run);
    }
    begin();
    write_metrics("{\"step\": 80, \"epoch\": 4, \"wall_time\": 10, \"train/loss\": 6}\n");
    struct watched run = look();
    struct text drawn = draw(&run);
    assert_drawn(&drawn, "simclr pretrain, finished");
    text_free(&drawn);
    watched_close(&run);
}

static void no_numbers_and_one_point(void **state)
{
    (void)state;
    begin();
    write_metrics("{\"step\": 1, \"epoch\": 0.05, \"wall_time\": 1, \"train/loss\": null}\n"
                  "{\"step\": 2, \"epoch\": 0.1, \"wall_time\": null, \"train/loss\": 5}\n"
                  "{\"step\": 3, \"epoch\": null, \"wall_time\": 1, \"train/loss\": null}\n");
    struct watched run = look();
    assert_int_equal(run.not_finite, 2);
    struct text drawn = draw(&run);
    assert_drawn(&drawn, "loss nan");
    assert_drawn(&drawn, "2 figures are no finite numbers and not drawn");
    assert_drawn(&drawn, "       5 \xe2\x94\x82");
    text_free(&drawn);
    watched_close(&run);

    begin(); /* no line at all */
    run = look();
    drawn = draw(&run);
    assert_drawn(&drawn, "no step is logged yet");
    text_free(&drawn);
    watched_close(&run);
}

static void hostile_lines(void **state)
{
    (void)state;
    static const char start[] = "{\"step\": 1, \"epoch\": 0.05, \"wall_time\": 1, \"train/loss\": 5}\n"
                                "\x1b]0;title\x07 \xff\xfe\n"
                                "{\"step\": 2, \"epoch\": 0.1}\n"
                                "{\"step\": -9223372036854775808, \"epoch\": -1e308, \"wall_time\": 1e308, "
                                "\"train/loss\": 1e308, \"train/learning_rate\": -1e308}\n"
                                "[[[[\n\n"
                                "{\"step\": 9223372036854775807, \"epoch\": 1e308, \"wall_time\": -1e308, "
                                "\"train/loss\": -1e308, \"train/\\u001b[2J\": 1}\n";
    enum { LONG = 3 << 20 };
    static const char end[] = "\n{\"step\": 4, \"epoch\": 0.2, \"wall_time\": 2, \"train/loss\": 4}\n";
    char *text = malloc(sizeof start + LONG + sizeof end);
    assert_non_null(text);
    memcpy(text, start, sizeof start - 1);
    memset(text + sizeof start - 1, 'x', LONG); /* a line that is longer than all blocks */
    memcpy(text + sizeof start - 1 + LONG, end, sizeof end - 1);
    begin();
    write_file("metrics.jsonl", text, sizeof start - 1 + LONG + sizeof end - 1);
    free(text);
    struct watched run = look();
    assert_int_equal(run.lines, 9);
    assert_int_equal(run.damaged, 5);
    assert_int_equal(run.step, 4);
    struct text drawn = draw(&run);
    assert_drawn(&drawn, "5 of 9 lines of metrics.jsonl are damaged and left out");
    text_free(&drawn);
    watched_close(&run);
}

static void a_cut_last_line_is_read_later(void **state)
{
    (void)state;
    static const char first[] =
        "{\"step\": 1, \"epoch\": 0.05, \"wall_time\": 1, \"train/loss\": 5}\n{\"step\": 2, \"ep";
    static const char rest[] = "och\": 0.1, \"wall_time\": 2, \"train/loss\": 4}\n";
    begin();
    write_metrics(first);
    struct watched run = look();
    assert_int_equal(run.lines, 1);
    FILE *file = fopen(at("metrics.jsonl"), "a");
    fputs(rest, file);
    fclose(file);
    assert_int_equal(watched_look(&run, folder, NULL), SIMCLR_OK);
    assert_int_equal(run.lines, 2); /* the first one was not read again */
    assert_int_equal(run.damaged, 0);
    assert_int_equal(run.loss.count, 2);

    write_metrics("{\"step\": 1, \"epoch\": 0.05, \"wall_time\": 9, \"train/loss\": 3}\n"); /* it began again */
    assert_int_equal(watched_look(&run, folder, NULL), SIMCLR_OK);
    assert_int_equal(run.lines, 1);
    assert_int_equal(run.loss.count, 1);
    assert_true(run.loss.points[0].y == 3);
    watched_close(&run);
}

/* Killed at step 30, and gone on from the checkpoint of step 10. */
static void steps_that_were_done_again(void **state)
{
    (void)state;
    begin();
    write_metrics("{\"step\": 10, \"epoch\": 0.5, \"wall_time\": 10, \"train/loss\": 6}\n"
                  "{\"step\": 20, \"epoch\": 1, \"wall_time\": 20, \"train/loss\": 5}\n"
                  "{\"step\": 30, \"epoch\": 1.5, \"wall_time\": 30, \"train/loss\": 4}\n"
                  "{\"step\": 20, \"epoch\": 1, \"wall_time\": 5000, \"train/loss\": 5.5}\n"
                  "{\"step\": 30, \"epoch\": 1.5, \"wall_time\": 5010, \"train/loss\": 4.5}\n"
                  "{\"step\": 40, \"epoch\": 2, \"wall_time\": 5020, \"train/loss\": 4.25}\n");
    struct watched run = look();
    assert_int_equal(run.loss.count, 4);
    assert_true(run.loss.points[1].y == 5.5);
    assert_true(fabs(watched_pace(&run) - 1) < 1e-12); /* the night between is no step */
    watched_close(&run);
}

/* finetune's control counts from step 0 again, and neither its curve nor its pace is mixed with the first's. */
static void the_control_of_finetune(void **state)
{
    static const char first[] = "{\"step\": 10, \"epoch\": 1, \"wall_time\": 10, \"finetune/loss\": 2}\n"
                                "{\"step\": 20, \"epoch\": 2, \"wall_time\": 20, \"finetune/loss\": 1, "
                                "\"finetune/top1\": 0.75, \"finetune/learning_rate\": 0.1}\n";
    char both[2048];
    (void)state;
    begin();
    write_metrics(first);
    struct watched run = look();
    struct text drawn = draw(&run);
    assert_drawn(&drawn, "\nstep 20 of 40");
    assert_drawn(&drawn, "loss 1, top-1 75.0 %, rate 0.1\n");
    text_free(&drawn);
    watched_close(&run);
    snprintf(both, sizeof both,
             "%s{\"step\": 30, \"epoch\": 3, \"wall_time\": 40, \"random/loss\": 4}\n"
             "{\"step\": 40, \"epoch\": 4, \"wall_time\": 70, \"random/loss\": 3}\n",
             first);
    write_metrics(both);
    run = look();
    assert_int_equal(run.loss.count, 2); /* the first training's would make it four */
    assert_int_equal(run.rate.count, 0);
    assert_true(fabs(watched_pace(&run) - 3) < 1e-12);
    drawn = draw(&run);
    assert_drawn(&drawn, "\nthe control, from random weights: step 40 of 40");
    assert_drawn(&drawn, "\nloss 3\n");
    text_free(&drawn);
    watched_close(&run);
}

static void a_million_lines(void **state)
{
    (void)state;
    const int lines = test_short_without("a million lines of metrics: 50,000 of them") ? 50000 : 1000000;
    begin();
    FILE *file = fopen(at("metrics.jsonl"), "w");
    assert_non_null(file);
    for (int i = 1; i <= lines; i++)
        fprintf(file, "{\"step\": %d, \"epoch\": %.17g, \"wall_time\": %d, \"train/loss\": %.17g}\n", i,
                4.0 * i / lines, i, 1 + 4 * exp(-5.0 * i / lines));
    assert_int_equal(fclose(file), 0);
    struct watched run = look();
    assert_int_equal(run.lines, lines);
    assert_int_equal(run.damaged, 0);
    struct text drawn = draw(&run);
    char place[64];
    snprintf(place, sizeof place, "step %d of %d, epoch 4 of 4", lines, lines);
    assert_drawn(&drawn, place);
    assert_drawn(&drawn, "finished");
    assert_drawn(&drawn, "   4.964 \xe2\x94\x82");
    text_free(&drawn);
    watched_close(&run);
}

static void no_run(void **state)
{
    (void)state;
    struct watched run = {.step = -1};
    struct error error;
    assert_int_equal(watched_look(&run, at("nowhere"), &error), SIMCLR_IO);
    assert_non_null(strstr(error.text, "nowhere: is no folder of a run"));
    watched_close(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_falls),
        cmocka_unit_test(means_of_a_column),
        cmocka_unit_test(nothing_to_draw),
        cmocka_unit_test(extreme_numbers),
        cmocka_unit_test(a_usual_run),
        cmocka_unit_test(ends_are_told_apart),
        cmocka_unit_test(no_numbers_and_one_point),
        cmocka_unit_test(hostile_lines),
        cmocka_unit_test(a_cut_last_line_is_read_later),
        cmocka_unit_test(steps_that_were_done_again),
        cmocka_unit_test(the_control_of_finetune),
        cmocka_unit_test(a_million_lines),
        cmocka_unit_test(no_run),
    };
    return run_cases(tests, make_folder, remove_folder);
}
