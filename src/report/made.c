/* report/made.c -- the data, and how it was made: what differs between runs first. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "base/format.h"
#include "base/memory.h"
#include "report/run_judged.h"
#include "report/sections.h"
#include "run/environment.h"

enum { LEAKS_SHOWN = 40, WORST_SHOWN = 5, AUDIT_MOST = 1 << 28 };

/* ---- data -------------------------------------------------------------------------------------------------------- */

static void add_fact(struct page *page, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void add_fact(struct page *page, const char *name, const char *format, ...)
{
    char text[4096];
    va_list arguments;
    va_start(arguments, format);
    format_plain(text, sizeof text, format, arguments);
    va_end(arguments);
    page_element(page, "dt", NULL, "%s", name);
    page_element(page, "dd", NULL, "%s", text);
}

static void add_json_fact(struct page *page, const char *name, const struct json_value *value)
{
    char count[WORDS];
    if (json_is(value, JSON_INTEGER)) {
        words_count(count, value->integer);
        add_fact(page, name, "%s", count);
    } else if (json_is(value, JSON_BOOLEAN)) {
        add_fact(page, name, "%s", value->integer ? "yes" : "no");
    } else if (json_is_number(value)) {
        add_fact(page, name, "%.6g", value->number);
    } else if (json_is(value, JSON_STRING)) {
        char *text = words_of_json(value);
        if (!text) page->html.failed = true;
        add_fact(page, name, "%s", text ? text : "");
        memory_free(text);
    }
}

static void add_leaks(struct report *report, const struct judged *judged)
{
    static const char *const columns[] = {"protocol", "setting", "figure", "features of", "with them", "without"};
    struct page *page = &report->page;
    const struct json_value *leaks = judged_member(judged, "leaks"), *count = json_member(leaks, "test_images"),
                            *names = json_member(leaks, "names"), *equal = json_member(leaks, "equal");
    if (!json_is(count, JSON_INTEGER)) return;
    page_paragraph(page, "%" PRId64 " test images are training images too (equal %s).", count->integer,
                   json_is(equal, JSON_STRING) ? equal->string : "bytes");
    if (count->integer == 0) return;
    if (json_is(names, JSON_ARRAY) && names->count > 0) {
        page_details(page, "Their names");
        page_open(page, "ul", NULL);
        const struct json_value *item = json_first(names);
        for (size_t i = 0; i < names->count && i < LEAKS_SHOWN; i++, item = json_next(item)) {
            char *name = words_of_json(item);
            if (!name) page->html.failed = true;
            page_element(page, "li", NULL, "%s", name ? name : "");
            memory_free(name);
        }
        page_close(page);
        if (count->integer > LEAKS_SHOWN)
            page_paragraph(page, "The first %d of them; evaluation.json has up to 1,000.", LEAKS_SHOWN);
        page_close(page);
    }
    page_table(page, "Figures with and without them", columns, 6);
    for (size_t i = 0; i < judged->count; i++) {
        const struct judged_figure *figure = &judged->figure[i];
        char with[JUDGED_TEXT], without[JUDGED_TEXT];
        if (!isfinite(figure->without_leaks)) continue;
        judged_write(with, figure->metric, figure->value, NAN, NAN);
        judged_write(without, figure->metric, figure->without_leaks, NAN, NAN);
        page_row(page);
        page_row_name(page, "%s", figure->protocol);
        page_cell(page, "%s", figure->setting);
        page_cell(page, "%s", metric_rows[figure->metric].title);
        page_cell(page, "%s", judged_source_name(figure->source, figure->protocol));
        page_number(page, "%s", with);
        page_number(page, "%s", without);
        page_close(page);
    }
    page_table_close(page);
}

static void add_data(struct report *report, const struct report_run *run)
{
    struct page *page = &report->page;
    const struct json_value *data = report_run_environment(run, "data");
    const struct judged *judged = &run->judged;
    char name[256];
    if (report->count > 1) page_heading(page, 3, "%s", words_run(report, run, name));
    page_open(page, "dl", NULL);
    add_json_fact(page, "Trained on", json_member(data, "description"));
    add_json_fact(page, "Training images", json_member(data, "images"));
    add_json_fact(page, "Classes", json_member(data, "classes"));
    add_json_fact(page, "Images that could not be read", json_member(data, "bad_images"));
    add_json_fact(page, "Fingerprint", json_member(data, "fingerprint"));
    add_json_fact(page, "Judged on", judged_member(judged, "data"));
    add_json_fact(page, "Judged features", judged_member(judged, "features_file"));
    add_json_fact(page, "Training images that judge", judged_member(judged, "train_images"));
    add_json_fact(page, "Test images", judged_member(judged, "test_images"));
    if (!data && !judged_is_there(judged)) add_fact(page, "Trained on", "not known: there is no environment.json");
    page_close(page);
    if (judged_is_there(judged)) add_leaks(report, judged);
}

/* ---- what simclr audit found ---------------------------------------------------------------------------------- */

static void add_list(struct page *page, const struct json_value *list)
{
    const struct json_value *images = json_member(list, "images"), *rule = json_member(list, "rule"),
                            *worst = json_member(list, "worst");
    if (!json_is(images, JSON_INTEGER)) return;
    char *words = words_of_json(rule);
    struct text names = {0};
    page_row(page);
    page_row_name(page, "%s", list->name);
    page_number(page, "%" PRId64, images->integer);
    page_cell(page, "%s", words ? words : "");
    for (size_t i = 0; json_is(worst, JSON_ARRAY) && i < worst->count && i < WORST_SHOWN; i++) {
        char *name = words_of_json(json_element(worst, i));
        if (!name) page->html.failed = true;
        text_add(&names, "%s%s", i > 0 ? ", " : "", name ? name : "");
        memory_free(name);
    }
    page_cell(page, "%s", names.bytes ? names.bytes : "");
    page_close(page);
    if (names.failed || !words) page->html.failed = true;
    text_free(&names);
    memory_free(words);
}

static void add_findings(struct page *page, const struct json_value *audit)
{
    static const char *const columns[] = {"list", "images", "rule", "the worst"};
    const struct json_value *lists = json_member(audit, "lists");
    page_open(page, "dl", NULL);
    add_json_fact(page, "Audited", json_member(audit, "data"));
    add_json_fact(page, "Images", json_member(audit, "images"));
    add_json_fact(page, "Groups of copies", json_member(audit, "groups"));
    add_json_fact(page, "Groups across training and test part", json_member(audit, "groups_across_parts"));
    add_json_fact(page, "Groups with different labels", json_member(audit, "groups_with_different_labels"));
    add_json_fact(page, "Images in remove.txt", json_member(audit, "removed"));
    page_close(page);
    if (!json_is(lists, JSON_OBJECT)) return;
    page_table(page, "What simclr audit found; audit.html beside audit.json shows the pictures", columns, 4);
    const struct json_value *list = json_first(lists);
    for (size_t i = 0; i < lists->count; i++, list = json_next(list)) add_list(page, list);
    page_table_close(page);
}

/* Duplicates and pictures are the same whatever looks for candidates; outliers and suspect labels are the encoder's. */
static void add_finder(struct report *report, struct report_run *run, const struct json_value *audit)
{
    const struct json_value *hash = json_member(audit, "encoder_hash");
    const char *newest;
    struct text note = {0};
    if (!json_is(hash, JSON_STRING)) return;
    if (run_encoder_hash(&newest, run, report->session, NULL)) {
        report->page.html.failed = true;
        return;
    }
    if (newest[0] == '\0' || strcmp(newest, hash->string) == 0) return;
    char *theirs = words_of_json(hash);
    text_add(&note,
             "The audit was made with another encoder, or another state of this one (hash %s, and this run has %s): "
             "outliers and suspect labels are what that one saw.",
             theirs ? theirs : "", newest);
    words_note(&report->page, "", note.bytes ? note.bytes : "", NULL);
    report->page.html.failed |= note.failed || !theirs;
    text_free(&note);
    memory_free(theirs);
}

static void add_unread(struct report *report, const char *why)
{
    words_note(&report->page, "warn", why, NULL);
    log_warning(&report->session->log, "%s", why);
}

/* Of the first run: findings, what is wrong with the file, or the command that makes it. */
static void add_audit(struct report *report)
{
    struct report_run *run = &report->runs[0];
    struct page *page = &report->page;
    struct error reason = {0};
    uint8_t *bytes = NULL;
    size_t count = 0;
    struct json json = {0};
    page_heading(page, 3, "What is hidden in the images");
    if (!run->audit_path) {
        words_judge(page, run, "Copies, leaks, outliers and suspect labels are what simclr audit looks for.",
                    "simclr audit <1> --data PHOTOS --out <2>/audit");
        return;
    }
    int status = file_read(run->audit_path, AUDIT_MOST, &bytes, &count, &reason);
    if (!status) status = json_read(&json, (const char *)bytes, count, false, NULL);
    if (status == SIMCLR_CORRUPT) error_set(&reason, status, "%s: is no JSON: audit again", run->audit_path);
    if (status == SIMCLR_NO_MEMORY)
        page->html.failed = true;
    else if (status)
        add_unread(report, reason.text);
    else {
        add_findings(page, json.values);
        add_finder(report, run, json.values);
    }
    json_free(&json);
    memory_free(bytes);
}

void section_data(struct report *report)
{
    page_section(&report->page, "data", "Data");
    for (size_t i = 0; i < report->count; i++) add_data(report, &report->runs[i]);
    add_audit(report);
    page_close(&report->page);
}

/* ---- configuration ----------------------------------------------------------------------------------------------- */

static bool takes(const struct config *config, const struct option_row *row)
{
    return config && option_of(row, config->command) && strcmp(row->name, "recipe") != 0;
}

/* The value; "-" where the run's command does not take the option. */
static char *value_of(const struct config *config, const char *name)
{
    const struct option_row *row = option_find(name, config->command);
    return row ? config_value(config, row) : memory_string("-");
}

static bool differs(const struct report *report, const char *name)
{
    char *first = NULL;
    bool different = false;
    for (size_t i = 0; i < report->count && !different; i++) {
        char *own = report->runs[i].config ? value_of(report->runs[i].config, name) : NULL;
        different = first && own && strcmp(first, own) != 0;
        if (!first)
            first = own;
        else
            memory_free(own);
    }
    memory_free(first);
    return different;
}

/* Options by name, each once; those that differ, or all. */
static void add_options(struct report *report, const char *caption, bool differences)
{
    struct page *page = &report->page;
    const char **columns = memory_array(report->count + 1, sizeof *columns);
    if (!columns) {
        page->html.failed = true;
        return;
    }
    columns[0] = "option";
    for (size_t i = 0; i < report->count; i++) columns[1 + i] = report->count > 1 ? report->runs[i].name : "value";
    page_table(page, caption, columns, report->count + 1);
    for (int o = 0; o < config_option_count; o++) {
        const struct option_row *row = &config_options[o];
        bool taken = false, first = true;
        for (size_t i = 0; i < report->count; i++) taken |= takes(report->runs[i].config, row);
        for (int k = 0; k < o && first; k++) {
            bool before = false;
            for (size_t i = 0; i < report->count; i++) before |= takes(report->runs[i].config, &config_options[k]);
            first = !before || strcmp(config_options[k].name, row->name) != 0;
        }
        if (!taken || !first || (differences && !differs(report, row->name))) continue;
        page_row(page);
        page_row_name(page, "%s", row->name);
        for (size_t i = 0; i < report->count; i++) {
            char *value = report->runs[i].config ? value_of(report->runs[i].config, row->name) : memory_string("-");
            if (!value) page->html.failed = true;
            page_cell(page, "%s", value ? value : "");
            memory_free(value);
        }
        page_close(page);
    }
    page_table_close(page);
    memory_free(columns);
}

static void add_environment(struct report *report, const struct report_run *run)
{
    static const char *const facts[][2] = {{"version", "simclr"},        {"started", "Started"},
                                           {"host", "Machine"},          {"processor", "Processor"},
                                           {"backend", "Computes with"}, {"precision", "Precision"},
                                           {"threads", "Threads"},       {"view_workers", "Threads for views"},
                                           {"kernel", "Kernel"},         {"compiler", "Compiler"}};
    struct page *page = &report->page;
    char name[256], time[WORDS];
    if (report->count > 1) page_heading(page, 3, "%s", words_run(report, run, name));
    page_open(page, "dl", NULL);
    add_fact(page, "Folder", "%s", run->path);
    if (run->command < COMMAND_COUNT) add_fact(page, "Command", "simclr %s", command_name(run->command));
    for (size_t i = 0; i < sizeof facts / sizeof *facts; i++)
        add_json_fact(page, facts[i][1], report_run_environment(run, facts[i][0]));
    words_duration(time, run->seconds);
    if (time[0])
        add_fact(page, "Time", "%s%s of training steps%s; without pauses, and without what is done between epochs",
                 run->paced ? "about " : "", time, run->paced ? ", by the pace of those between lines of metrics" : "");
    if (judged_is_there(&run->judged)) {
        add_fact(page, "Evaluation", "%s", run->judged.path);
        add_json_fact(page, "Judged checkpoint", judged_member(&run->judged, "checkpoint"));
        add_json_fact(page, "Hash of the encoder", judged_member(&run->judged, "encoder_hash"));
        add_json_fact(page, "Seconds of the evaluation", judged_member(&run->judged, "seconds"));
    }
    page_close(page);
}

void section_made(struct report *report)
{
    size_t configured = 0;
    page_section(&report->page, "made", "How it was made");
    for (size_t i = 0; i < report->count; i++) configured += report->runs[i].config != NULL;
    if (configured > 1) add_options(report, "What differs between the runs", true);
    for (size_t i = 0; i < report->count; i++) add_environment(report, &report->runs[i]);
    if (configured > 0) {
        page_details(&report->page, "The whole configuration");
        add_options(report, "Options as the run had them (config.yaml is a recipe that repeats it)", false);
        page_close(&report->page);
    } else {
        page_paragraph(&report->page, "There is no configuration (config.yaml) that can be read.");
    }
    char stamp[64] = "";
    const time_t now = time(NULL);
    struct tm utc;
    if (gmtime_r(&now, &utc)) strftime(stamp, sizeof stamp, "%Y-%m-%d", &utc);
    page_element(&report->page, "p", "class=\"muted\"", "Made by simclr %s on %s.", environment_version(), stamp);
    page_close(&report->page);
}
