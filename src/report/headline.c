/* report/headline.c -- what it came to, from the numbers. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/format.h"
#include "report/sections.h"

enum { TILES = 5 };

/* The figures that may stand in front, the first that is there does: a sentence about so many of the test images. */
static const struct candidate {
    const char *protocol, *setting;
    enum metric metric;
    const char *words, *images, *end;
} candidates[] = {
    {"linear", NULL, METRIC_TOP1, "A linear classifier on the frozen features has", "of", " right"},
    {"knn", "chosen", METRIC_TOP1, "Nearest neighbours of the frozen features have", "of", " right"},
    {"knn", NULL, METRIC_TOP1, "Nearest neighbours of the frozen features have", "of", " right"},
    {"linear-sgd", NULL, METRIC_TOP1, "A linear classifier on the frozen features has", "of", " right"},
    {"finetune-100%", NULL, METRIC_TOP1, "The network fine-tuned on all labels has", "of", " right"},
    {"finetune-10%", NULL, METRIC_TOP1, "The network fine-tuned on 10 % of the labels has", "of", " right"},
    {"finetune-1%", NULL, METRIC_TOP1, "The network fine-tuned on 1 % of the labels has", "of", " right"},
    {"fewshot", NULL, METRIC_TOP1, "A classifier from a few labels has", "of", " right"},
    {"multilabel", NULL, METRIC_MAP_11, "Classifiers on the frozen features come to an 11-point mAP of", "over", ""},
    {"retrieval", NULL, METRIC_RECALL_1, "By the frozen features, the most similar image is of the same class for",
     "of", ""},
    {"cluster", NULL, METRIC_MATCHED, "Clusters of the frozen features match the classes for", "of", ""},
};

/* An accuracy outside 0 to 1 is none. */
static bool is_share(double value)
{
    return value >= 0 && value <= 1; /* not of NaN */
}

static const struct judged_figure *find_main(const struct judged *judged, const struct candidate **which)
{
    for (size_t i = 0; i < sizeof candidates / sizeof *candidates; i++) {
        const struct candidate *candidate = &candidates[i];
        const struct judged_figure *figure =
            judged_find(judged, candidate->protocol, candidate->setting, candidate->metric, judged_main(judged));
        if (!figure || !is_share(figure->value)) continue;
        *which = candidate;
        return figure;
    }
    return NULL;
}

/* "33.1 points above the untrained network", of the same protocol and setting. */
static void add_difference(struct text *out, const struct judged_figure *main, const struct judged_figure *other,
                           const char *name)
{
    if (!other || !is_share(other->value)) return;
    const double points = 100 * (main->value - other->value);
    text_add(out, "%s%.1f points %s %s", out->length > 0 ? ", " : "", fabs(points), points < 0 ? "below" : "above",
             name);
}

/* The supervised figure with the most labels. */
static const struct judged_figure *find_supervised(const struct judged *judged)
{
    const struct judged_figure *most = NULL;
    for (size_t i = 0; i < judged->count; i++) {
        const struct judged_figure *figure = &judged->figure[i];
        if (figure->metric == METRIC_TOP1 && strcmp(figure->protocol, "supervised") == 0 &&
            (!most || figure->labelled > most->labelled))
            most = figure;
    }
    return most;
}

static void say_judged(struct page *page, const struct judged *judged, const struct candidate *which,
                       const struct judged_figure *main)
{
    struct text beside = {0};
    char images[WORDS];
    words_count(images, main->images);
    page_text(page, "%s %.1f %%", which->words, 100 * main->value);
    if (is_share(main->low) && is_share(main->high))
        page_text(page, " [%.1f, %.1f]", 100 * main->low, 100 * main->high);
    page_text(page, " %s %s test images%s", which->images, images, which->end);
    add_difference(&beside, main, judged_find(judged, main->protocol, main->setting, main->metric, SOURCE_UNTRAINED),
                   judged_source_name(SOURCE_UNTRAINED, main->protocol)[0] == 'r' ? "the same from random weights"
                                                                                  : "the untrained network");
    add_difference(&beside, main, judged_find(judged, main->protocol, main->setting, main->metric, SOURCE_PIXELS),
                   "raw pixels");
    if (main->metric == METRIC_TOP1) add_difference(&beside, main, find_supervised(judged), "supervised training");
    page_text(page, "%s%s.", beside.bytes ? ": " : "", beside.bytes ? beside.bytes : "");
    if (beside.failed) page->html.failed = true;
    text_free(&beside);
}

/* An evaluation of other figures: none is of the encoder, of labels, or of this version's kinds. */
static void say_other_figures(struct page *page, const struct judged *judged)
{
    const struct judged_figure *rank = judged_find(judged, "quality", NULL, METRIC_RANKME, judged_main(judged));
    char dimensions[WORDS];
    if (rank) words_figure(dimensions, 1, rank->value);
    if (rank && isfinite(rank->value))
        page_text(page, "The evaluation has no accuracy of it; RankMe of its features is %s. ", dimensions);
    else
        page_text(page, "The evaluation has no accuracy of it. ");
}

/* Of training on labels: how much of the last batches was right. False: it logged none. */
static bool say_training_on_labels(struct page *page, const struct report_run *run)
{
    static const char *const phases[][2] = {{"finetune/top1", "fine-tuning"},
                                            {"random/top1", "the same from random weights"},
                                            {"supervised/top1", "supervised training"}};
    bool said = false;
    for (size_t i = 0; i < sizeof phases / sizeof *phases; i++) {
        const double top1 = report_run_last(run, phases[i][0]);
        if (!is_share(top1)) continue;
        page_text(page, said ? ", %s %.1f %%" : "At the last step that was logged %s had %.1f %% of its batch right",
                  phases[i][1], 100 * top1);
        said = true;
    }
    if (said) page_text(page, ". These are training images.");
    return said;
}

/* What a training on labels has measured on its test images, with Wilson's interval. False: it kept no result. */
static bool say_result(struct page *page, const struct report_run *run)
{
    static const char *const trained[][2] = {{"finetuned", "The fine-tuned network has"},
                                             {"random", "the same from random weights"},
                                             {"supervised", "The network trained on labels has"}};
    bool said = false;
    for (size_t i = 0; i < sizeof trained / sizeof *trained && run->result.values; i++) {
        const struct json_value *score = json_member(run->result.values, trained[i][0]),
                                *top1 = score ? json_member(score, "top1") : NULL;
        const char *const names[] = {"value", "low95", "high95"};
        double share[3];
        int found = 0;
        for (; found < 3; found++) {
            const struct json_value *value = top1 ? json_member(top1, names[found]) : NULL;
            if (!json_is_number(value) || !is_share(value->number)) break;
            share[found] = value->number;
        }
        const struct json_value *images = found == 3 ? json_member(score, "images") : NULL;
        if (!json_is(images, JSON_INTEGER)) continue;
        page_text(page, "%s%s %.1f %% [%.1f, %.1f]", said ? ", " : "", trained[i][1], 100 * share[0], 100 * share[1],
                  100 * share[2]);
        if (!said) {
            char count[WORDS];
            words_count(count, images->integer);
            page_text(page, " of %s test images right", count);
        }
        said = true;
    }
    if (said) page_text(page, ".");
    return said;
}

/* The number of images and an interval, where that number is known. A highest one is mostly lucky: of how many it is.
 */
static void say_knn(struct page *page, const struct report_run *run, double knn, double epoch)
{
    const struct report_share share = report_run_knn(run, knn);
    const size_t looks = report_run_count(run, "epoch/knn_held_out_top1");
    char after[WORDS], images[WORDS];
    words_epoch(after, epoch);
    words_count(images, share.images);
    page_text(page, "Between epochs kNN had at best %.1f %%", 100 * knn);
    if (share.images > 0) page_text(page, " [%.1f, %.1f]", 100 * share.low, 100 * share.high);
    page_text(page, " of the %s%sheld-out training images right, after epoch %s", share.images > 0 ? images : "",
              share.images > 0 ? " " : "", after);
    if (looks > 1) page_text(page, ", the best of %zu looks", looks);
    page_text(page, ".");
}

/* Of what the loss is that the page gives: of the last epoch that came to its end, where there is one. */
static const char *loss_is(double mean)
{
    return isfinite(mean) ? "the mean of the last epoch that ended" : "that of the last logged step";
}

/* Without an accuracy of an evaluation: what training itself has measured. */
static void say_training(struct page *page, const struct report_run *run)
{
    double epoch = NAN;
    char came[WORDS], by_chance[WORDS];
    const double knn = report_run_highest(run, "epoch/knn_held_out_top1", &epoch);
    const double mean = report_run_epoch_loss(run), chance = report_run_last(run, "train/chance_loss");
    const double loss = isfinite(mean) ? mean : report_run_last(run, "train/loss");
    const bool judged = judged_is_there(&run->judged) && run->judged.count > 0;
    words_figure(came, 3, loss);
    words_figure(by_chance, 3, chance);
    if (judged) say_other_figures(page, &run->judged);
    if (isfinite(knn))
        say_knn(page, run, knn, epoch);
    else if (isfinite(loss) && isfinite(chance))
        page_text(page, "The loss came to %s, %s, where chance is %s.", came, loss_is(mean), by_chance);
    else if (!say_result(page, run) && !say_training_on_labels(page, run) && !judged)
        page_text(page, "Nothing was measured yet.");
}

static const char *state_words(const struct report_run *run)
{
    static const char *const words[] = {[RUN_NONE] = "evaluated only",
                                        [RUN_UNKNOWN] = "state not known",
                                        [RUN_RUNNING] = "running",
                                        [RUN_STOPPED] = "stopped before its end",
                                        [RUN_FINISHED] = "finished"};
    return run->state == RUN_STOPPED && run->words == WORDS_ASKED ? "stopped by request" : words[run->state];
}

static void say_run(struct page *page, const struct report_run *run)
{
    char time[WORDS], epoch[WORDS];
    words_duration(time, run->seconds);
    words_epoch(epoch, run->epoch);
    if (run->state == RUN_NONE) return;
    if (!isfinite(run->epoch)) {
        page_text(page, " No step was logged (%s).", state_words(run));
        return;
    }
    if (run->config && run->config->steps > 0)
        page_text(page, " Trained for %s epochs of a run of %" PRId64 " steps", epoch, run->config->steps);
    else if (run->config)
        page_text(page, " Trained for %s of %" PRId64 " epochs", epoch, run->config->epochs);
    else
        page_text(page, " Trained for %s epochs", epoch);
    page_text(page, "%s%s%s (%s).", time[0] ? " in " : "", time[0] && run->paced ? "about " : "", time,
              state_words(run));
}

static void say_headline(struct report *report, const struct report_run *run)
{
    struct page *page = &report->page;
    const struct candidate *which = NULL;
    const struct judged_figure *main = judged_is_there(&run->judged) ? find_main(&run->judged, &which) : NULL;
    char name[256];
    page_open(page, "p", "class=\"lead\"");
    if (report->count > 1) page_element(page, "strong", NULL, "%s", words_run(report, run, name));
    if (main)
        say_judged(page, &run->judged, which, main);
    else
        say_training(page, run);
    if (main && run->judged_at) page_text(page, " That is of %s, not of the newest encoder.", run->judged_at);
    say_run(page, run);
    const size_t warnings = health_count(report, run);
    if (warnings == 0)
        page_text(page, " No warnings.");
    else
        page_text(page, " %zu %s: see Health.", warnings, warnings == 1 ? "warning" : "warnings");
    page_close(page);
}

/* ---- tiles ------------------------------------------------------------------------------------------------------- */

struct tiles {
    struct page *page;
    int count;
};

static void tile(struct tiles *tiles, const char *name, const char *under, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
static void tile(struct tiles *tiles, const char *name, const char *under, const char *format, ...)
{
    char big[64];
    va_list arguments;
    if (tiles->count == TILES) return;
    tiles->count++;
    va_start(arguments, format);
    format_plain(big, sizeof big, format, arguments);
    va_end(arguments);
    page_open(tiles->page, "div", "class=\"tile\"");
    page_element(tiles->page, "p", "class=\"muted\"", "%s", name);
    page_element(tiles->page, "p", "class=\"big\"", "%s", big);
    if (under[0]) page_element(tiles->page, "p", "class=\"muted\"", "%s", under);
    page_close(tiles->page);
}

static void figure_tile(struct tiles *tiles, const struct judged *judged, const char *name, const char *protocol,
                        const char *setting)
{
    const struct judged_figure *figure =
        judged_is_there(judged) ? judged_find(judged, protocol, setting, METRIC_TOP1, judged_main(judged)) : NULL;
    char under[64] = "";
    if (!figure || !is_share(figure->value)) return;
    if (is_share(figure->low) && is_share(figure->high))
        format_write(under, sizeof under, "[%.1f, %.1f]", 100 * figure->low, 100 * figure->high);
    tile(tiles, name, under, "%.1f %%", 100 * figure->value);
}

static void factor_tile(struct tiles *tiles, const struct judged *judged)
{
    const struct json_value *factor = judged_member(judged, "label_factor"), *bound = json_member(factor, "is");
    const struct json_value *value = json_member(factor, "value");
    if (!json_is_number(value)) return;
    tile(tiles, "Label factor", "times fewer labels than supervised", "%s%.1f",
         !json_is(bound, JSON_STRING)             ? ""
         : strcmp(bound->string, "at least") == 0 ? "≥ "
                                                  : "≤ ",
         value->number);
}

static void knn_tile(struct tiles *tiles, const struct report_run *run, double knn)
{
    const struct report_share share = report_run_knn(run, knn);
    char under[96] = "the best between epochs";
    if (share.images > 0)
        format_write(under, sizeof under, "[%.1f, %.1f], the best between epochs", 100 * share.low, 100 * share.high);
    tile(tiles, "kNN, held out", under, "%.1f %%", 100 * knn);
}

static void loss_tile(struct tiles *tiles, const struct report_run *run)
{
    const double mean = report_run_epoch_loss(run), chance = report_run_last(run, "train/chance_loss");
    const double loss = isfinite(mean) ? mean : report_run_last(run, "train/loss");
    char big[WORDS], by_chance[WORDS], under[2 * WORDS];
    words_figure(big, 3, loss);
    words_figure(by_chance, 3, chance);
    format_write(under, sizeof under, "%s%s%s", loss_is(mean), isfinite(chance) ? "; chance is " : "",
                 isfinite(chance) ? by_chance : "");
    if (isfinite(loss)) tile(tiles, "Loss", under, "%s", big);
}

static void add_tiles(struct report *report, const struct report_run *run)
{
    struct tiles tiles = {.page = &report->page};
    const struct judged *judged = &run->judged;
    char time[WORDS], epoch[WORDS], big[WORDS], under[128] = "";
    page_open(tiles.page, "div", "class=\"tiles\"");
    figure_tile(&tiles, judged, "Linear, top-1", "linear", NULL);
    figure_tile(&tiles, judged, "kNN, top-1", "knn",
                judged_find(judged, "knn", "chosen", METRIC_TOP1, judged_main(judged)) ? "chosen" : NULL);
    factor_tile(&tiles, judged);
    if (tiles.count < 3) figure_tile(&tiles, judged, "1 % of the labels", "finetune-1%", NULL);
    const double knn = report_run_highest(run, "epoch/knn_held_out_top1", NULL);
    if (tiles.count < 3 && isfinite(knn)) knn_tile(&tiles, run, knn);
    loss_tile(&tiles, run);
    words_duration(time, run->seconds);
    words_epoch(epoch, run->epoch);
    if (epoch[0]) tile(&tiles, "Epochs", time, "%s", epoch);
    const struct json_value *images = json_member(report_run_environment(run, "data"), "images");
    if (json_is(images, JSON_INTEGER)) {
        words_count(under, images->integer);
        tile(&tiles, "Training images", "", "%s", under);
    }
    const double rank = report_run_last(run, "epoch/rankme");
    words_figure(big, 1, rank);
    if (isfinite(rank)) tile(&tiles, "RankMe", "dimensions in use", "%s", big);
    if (tiles.count == 0) tile(&tiles, "State", "", "%s", state_words(run));
    page_close(tiles.page);
}

static void add_contents(struct page *page)
{
    static const char *const parts[][2] = {
        {"health", "Health"},     {"worth", "What it is worth"}, {"labels", "Labels"},
        {"training", "Training"}, {"views", "What it sees"},     {"neighbours", "Neighbours"},
        {"map", "Map"},           {"mistakes", "Mistakes"},      {"spectrum", "Spectrum"},
        {"data", "Data"},         {"made", "How it was made"}};
    page_open(page, "nav", "aria-label=\"Contents\"");
    page_open(page, "ol", NULL);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        char link[64];
        format_write(link, sizeof link, "href=\"#%s\"", parts[i][0]);
        page_open(page, "li", NULL);
        page_element(page, "a", link, "%s", parts[i][1]);
        page_close(page);
    }
    page_close(page);
    page_close(page);
}

void section_headline(struct report *report)
{
    for (size_t i = 0; i < report->count; i++) say_headline(report, &report->runs[i]);
    if (report->sets > 1)
        page_paragraph(&report->page, "They were judged on %zu different test sets, so these figures do not compare.",
                       report->sets);
    add_tiles(report, &report->runs[0]);
    add_contents(&report->page);
}
