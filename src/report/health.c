/* report/health.c -- is the run to be believed? Each finding in words, with what to do. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/format.h"
#include "base/memory.h"
#include "report/sections.h"
#include "run/settings.h"
#include "train/health.h"

static const double wait_share_most = 0.2, knn_fall_most = 0.02, silence_most = 900;

/* Findings are written to the page, or only counted where there is none. */
struct findings {
    struct page *page;
    const char *run; /* in front of each, "" where there is one run */
    size_t warnings;
    bool loss, collapse; /* told of by the numbers, so that the log's lines need not be repeated */
};

static void find(struct findings *findings, const char *class_name, const char *advice, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
static void find(struct findings *findings, const char *class_name, const char *advice, const char *format, ...)
{
    char what[1024];
    const int used = snprintf(what, sizeof what, "%s", findings->run);
    va_list arguments;
    va_start(arguments, format);
    if (used >= 0 && (size_t)used < sizeof what)
        format_plain(what + used, sizeof what - (size_t)used, format, arguments);
    va_end(arguments);
    findings->warnings += strcmp(class_name, "warn") == 0;
    if (findings->page) words_note(findings->page, class_name, what, advice);
}

/* ---- how far it came --------------------------------------------------------------------------------------------- */

static void check_state(struct findings *findings, const struct report_run *run)
{
    const int64_t epochs = run->config ? run->config->epochs : 0;
    char ago[WORDS], epoch[WORDS], advice[256];
    words_duration(ago, run->silent);
    words_epoch(epoch, run->epoch);
    format_write(advice, sizeof advice, "The same command goes on with it: simclr %s with the same --out.",
                 run->command < COMMAND_COUNT ? command_name(run->command) : "pretrain");
    if (run->state == RUN_RUNNING && isfinite(run->epoch))
        find(findings, run->silent > silence_most ? "warn" : "",
             run->silent > silence_most ? "Where steps take that long all is well; else look at its terminal."
                                        : "Make the page again to see it further on.",
             "It is running: epoch %s of %" PRId64 ", and its last line of metrics is %s old.", epoch, epochs, ago);
    else if (run->state == RUN_RUNNING)
        find(findings, "", "Make the page again in a while.", "It is running, and has logged no step yet.");
    else if (run->state == RUN_STOPPED)
        find(findings, run->words == WORDS_ASKED ? "" : "warn", advice,
             "It stopped at epoch %s of %" PRId64 ": it %s. No process uses its folder.", epoch, epochs,
             run->words == WORDS_ASKED   ? "was asked to"
             : run->words == WORDS_ERROR ? "ended with an error"
                                         : "was interrupted or killed");
    else if (run->state == RUN_UNKNOWN)
        find(findings, "warn", advice,
             "How far it came is not known: no metrics and configuration can be read together.");
}

static void check_files(struct findings *findings, const struct report_run *run)
{
    for (size_t i = 0; i < run->unread.count; i++)
        find(findings, "warn",
             "What this file holds is missing on this page. Training goes on from checkpoints, not from it.", "%s.",
             run->unread.item[i].text);
}

/* ---- is it learning? --------------------------------------------------------------------------------------------- */

static int feature_dim(const struct report *report, const struct report_run *run)
{
    struct model_config model;
    const struct session inner = session_derive(report->session, run->config, report->session->log);
    return session_model_config(&inner, 0, &model, NULL) ? 0 : model_feature_dim(&model);
}

static void check_loss(struct findings *findings, const struct report_run *run)
{
    const double loss = report_run_epoch_loss(run), chance = report_run_last(run, "train/chance_loss");
    const struct config *config = run->config;
    if (!config || run->command != COMMAND_PRETRAIN || !isfinite(loss) || !isfinite(chance) ||
        run->epoch < config->warmup_epochs || config->temperature <= 0)
        return;
    const int batch = (int)config->batch;
    const bool at = health_at_chance(loss, batch, config->temperature);
    const bool above = health_above_chance(loss, batch, config->temperature);
    char came[WORDS], by_chance[WORDS];
    words_figure(came, 3, loss);
    words_figure(by_chance, 3, chance);
    findings->loss = at || above;
    if (at)
        find(findings, "warn", "Check the images, the views (simclr views) and --learning-rate.",
             "The loss %s, the mean of the last epoch that ended, sits at chance (%s): nothing is being learned.", came,
             by_chance);
    else if (above)
        find(findings, "warn",
             "Try a lower --learning-rate or a higher --temperature; simclr audit finds images that are copies.",
             "The loss %s, the mean of the last epoch that ended, is above chance (%s): the run is worse than one that "
             "knows "
             "nothing.",
             came, by_chance);
    else
        find(findings, "good", NULL,
             "The loss is %s, the mean of the last epoch that ended, below chance (%s): views of one image are told "
             "from "
             "others.",
             came, by_chance);
}

static void check_features(struct findings *findings, const struct report *report, const struct report_run *run)
{
    const struct diagnostics last = {.alignment = report_run_last(run, "epoch/alignment"),
                                     .uniformity = report_run_last(run, "epoch/uniformity"),
                                     .rankme = report_run_last(run, "epoch/rankme"),
                                     .feature_std = report_run_last(run, "epoch/feature_std")};
    const int dim = run->config && run->command == COMMAND_PRETRAIN ? feature_dim(report, run) : 0;
    if (dim <= 0 || !isfinite(last.rankme) || !isfinite(last.feature_std)) return;
    char used[WORDS];
    words_figure(used, 1, last.rankme);
    findings->collapse = health_collapsed(&last, dim);
    if (findings->collapse)
        find(findings, "warn", "Try a lower --learning-rate or stronger views.",
             "The representation has collapsed: it uses %s of %d dimensions, with a deviation of %.2g where %.2g is "
             "isotropic.",
             used, dim, last.feature_std, 1 / sqrt((double)dim));
    else
        find(findings, "good", NULL, "The features use %s of %d dimensions (RankMe): they have not collapsed.", used,
             dim);
}

/* The least that two shares differ by at 95 %, each over as many images, as if they were others: Newcombe's interval
 * from Wilson's (1998, method 10). That the same images are asked makes the true one narrower, that the first is the
 * highest of several wider. */
static double least_fall(double first, const struct report_share *of_first, double second,
                         const struct report_share *of_second)
{
    return first - second - hypot(first - of_first->low, of_second->high - second);
}

static void check_knn(struct findings *findings, const struct report_run *run)
{
    static const char name[] = "epoch/knn_held_out_top1";
    double epoch = NAN;
    char after[WORDS], images[WORDS];
    const double best = report_run_highest(run, name, &epoch), last = report_run_last(run, name);
    if (!isfinite(best) || !(last >= 0) || best - last <= knn_fall_most) return;
    const struct report_share of_best = report_run_knn(run, best), of_last = report_run_knn(run, last);
    if (of_best.images == 0 || of_last.images == 0 || !(least_fall(best, &of_best, last, &of_last) > 0)) return;
    words_epoch(after, epoch);
    words_count(images, of_best.images);
    find(findings, "warn", "checkpoints/best.safetensors is the better one: give it as --checkpoint.",
         "kNN of %s held-out images fell from %.1f %% (epoch %s) to %.1f %%: by more than chance does at 95 %%.",
         images, 100 * best, after, 100 * last);
}

static void check_steps(struct findings *findings, const struct report_run *run)
{
    const double skipped = report_run_last(run, "train/skipped_steps");
    double share = 0, rows = 0;
    if (skipped > 0)
        find(
            findings, "warn", "A few are harmless: they changed nothing. Many mean a --learning-rate that is too high.",
            "%.0f steps were skipped: their loss, their gradient or batch norm's statistics were not finite.", skipped);
    for (size_t i = run->metrics.count / 2; i < run->metrics.count; i++) {
        const double *value = metrics_find(&run->metrics.rows[i], "train/wait_share");
        if (!value || !isfinite(*value)) continue;
        share += *value;
        rows++;
    }
    if (rows > 0 && share / rows > wait_share_most)
        find(findings, "warn",
             "More --workers, simclr data pack --shorter-side, or --scaled-decoding make views faster. Results are the "
             "same.",
             "Training waited for views during %.0f %% of its time.", 100 * share / rows);
}

static void check_log(struct findings *findings, const struct report_run *run)
{
    for (size_t i = 0; i < run->said.count; i++) {
        const struct note *note = &run->said.item[i];
        char advice[96] = "";
        if (findings->loss && strncmp(note->text, "the loss ", 9) == 0) continue;
        if (findings->collapse && strncmp(note->text, "the representation ", 19) == 0) continue;
        if (note->times > 1)
            format_write(advice, sizeof advice, "Said %" PRId64 " times; the numbers are those of the first.",
                         note->times);
        find(findings, "warn", advice, "The log %s: %s", note->error ? "has an error" : "warned", note->text);
    }
}

/* ---- the evaluation ---------------------------------------------------------------------------------------------- */

/* Classifiers whose fit ended early: one sentence for all. */
static void check_fits(struct findings *findings, const struct judged *judged)
{
    const struct judged_figure *first = NULL;
    int64_t fits = 0;
    for (size_t i = 0; i < judged->count; i++) {
        const struct judged_figure *figure = &judged->figure[i];
        if (figure->metric != METRIC_TOP1 || figure->cut_fits == 0) continue;
        if (!first) first = figure;
        fits += figure->cut_fits;
    }
    if (fits > 0)
        find(findings, "", "Evaluate again with more --iterations: the figure may change.",
             "%" PRId64 " %s at --iterations, short of the optimum; the first: %s on %s.", fits,
             fits == 1 ? "fit of a classifier ended" : "fits of classifiers ended", first->protocol,
             judged_source_name(first->source, first->protocol));
}

static void check_judged(struct findings *findings, const struct report_run *run)
{
    const struct judged *judged = &run->judged;
    char advice[1024] = "";
    if (run->not_judged.what) {
        format_write(advice, sizeof advice, "Judge this one by %s.", run->not_judged.advice);
        find(findings, "warn", advice, "The %s.", run->not_judged.what);
    }
    if (run->judged_at)
        find(findings, "", "What was measured between epochs may be of later ones.",
             "The evaluation is of %s, not of the newest encoder of the run.", run->judged_at);
    if (!judged_is_there(judged)) return;
    const struct json_value *leaks = json_member(judged_member(judged, "leaks"), "test_images");
    const struct json_value *frozen = judged_member(judged, "encoder_frozen");
    if (json_is(leaks, JSON_INTEGER) && leaks->integer > 0)
        find(findings, "warn", "Read the figures without them (under Data), or leave them out.",
             "%" PRId64 " test images are training images too.", leaks->integer);
    if (json_is(frozen, JSON_BOOLEAN) && !frozen->integer)
        find(findings, "warn", "This is a fault of the program: please report it.",
             "The evaluation changed the encoder that it judged.");
    check_fits(findings, judged);
    if (judged->unknown > 0)
        find(findings, "", "A newer version of simclr wrote them.", "%zu %s not known here.", judged->unknown,
             judged->unknown == 1 ? "figure of the evaluation is" : "figures of the evaluation are");
}

static void check_run(struct findings *findings, const struct report *report, const struct report_run *run)
{
    check_files(findings, run);
    if (run->state != RUN_NONE) check_state(findings, run);
    check_loss(findings, run);
    check_features(findings, report, run);
    check_knn(findings, run);
    check_steps(findings, run);
    check_log(findings, run);
    check_judged(findings, run);
}

size_t health_count(const struct report *report, const struct report_run *run)
{
    struct findings findings = {.run = ""};
    check_run(&findings, report, run);
    return findings.warnings;
}

void section_health(struct report *report)
{
    page_section(&report->page, "health", "Health");
    for (size_t i = 0; i < report->count; i++) {
        char name[256];
        struct findings findings = {.page = &report->page, .run = words_run(report, &report->runs[i], name)};
        check_run(&findings, report, &report->runs[i]);
        if (findings.warnings == 0) find(&findings, "good", NULL, "There are no warnings.");
    }
    page_close(&report->page);
}
