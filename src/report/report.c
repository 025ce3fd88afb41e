/* report/report.c -- see report.h. */
#include "report/report.h"

#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "report/look.h"
#include "report/sections.h"
#include "run/outputs.h"

/* Line `number` of a list, as a new string; NULL: there is none, or no memory. */
static char *line_of(const char *list, size_t number)
{
    for (; number > 0 && list; number--) {
        list = strchr(list, '\n');
        if (list) list++;
    }
    if (!list || *list == '\0') return NULL;
    const size_t length = strcspn(list, "\n");
    char *line = memory_string(list);
    if (line) line[length] = '\0';
    return line;
}

static size_t count_lines(const char *list)
{
    size_t count = *list != '\0';
    for (; *list != '\0'; list++) count += *list == '\n';
    return count;
}

/* A file that is there and is no page is somebody's: the runs' own files, for instance. */
static int check_out(const struct config *config, struct error *error)
{
    static const char begins[] = "<!DOCTYPE html>";
    uint8_t *bytes = NULL;
    size_t count = 0;
    int status = outputs_check(config, "out", config->out, error);
    if (status || file_size(config->out) <= 0 || file_read_start(config->out, sizeof begins - 1, &bytes, &count, NULL))
        return status;
    if (count != sizeof begins - 1 || memcmp(bytes, begins, count) != 0)
        status = error_set(error, SIMCLR_INVALID, "--out would write over %s, which is no page: give another name",
                           config->out);
    memory_free(bytes);
    return status;
}

struct inputs {
    char *path[REPORT_RUNS_MOST], *evaluation[REPORT_RUNS_MOST];
    size_t count;
};

static void inputs_free(struct inputs *inputs)
{
    for (size_t i = 0; i < REPORT_RUNS_MOST; i++) {
        memory_free(inputs->path[i]);
        memory_free(inputs->evaluation[i]);
    }
}

static int inputs_read(struct inputs *inputs, const struct config *config, struct error *error)
{
    inputs->count = count_lines(config->runs);
    if (inputs->count > REPORT_RUNS_MOST)
        return error_set(error, SIMCLR_INVALID, "%zu runs are more than a page shows: give at most %d", inputs->count,
                         (int)REPORT_RUNS_MOST);
    if (count_lines(config->evaluations) > inputs->count)
        return error_set(error, SIMCLR_INVALID,
                         "there are more --evaluation than runs: give one for each run, in their order");
    for (size_t i = 0; i < inputs->count; i++) {
        inputs->path[i] = line_of(config->runs, i);
        inputs->evaluation[i] = line_of(config->evaluations, i);
        if (!inputs->evaluation[i]) inputs->evaluation[i] = memory_string("");
        if (!inputs->path[i] || !inputs->evaluation[i]) return error_no_memory(error, "paths", strlen(config->runs));
    }
    return SIMCLR_OK;
}

/* Which runs were judged on the same test images. Where not all were, the log says so, as the page does. */
static int find_sets(struct report *report, struct error *error)
{
    struct text text = {0};
    for (size_t r = 0; r < report->count; r++) {
        struct report_run *run = &report->runs[r];
        run->set = r;
        if (!judged_is_there(&run->judged)) continue;
        for (size_t i = r; i > 0; i--)
            if (judged_is_there(&report->runs[i - 1].judged) &&
                judged_same_test(&report->runs[i - 1].judged, &run->judged))
                run->set = report->runs[i - 1].set;
        report->sets += run->set == r;
        text_add(&text, "%s%s: ", text.length > 0 ? "; " : "", run->name);
        words_test_set(&text, run);
    }
    if (report->sets > 1 && !text.failed)
        log_warning(&report->session->log, "the evaluations are of %zu different test sets and are not compared (%s)",
                    report->sets, text.bytes);
    const bool failed = text.failed;
    text_free(&text);
    return failed ? error_no_memory(error, "names of test sets", 1) : SIMCLR_OK;
}

static int open_runs(struct report *report, const struct inputs *inputs, struct error *error)
{
    report->runs = memory_array(inputs->count, sizeof *report->runs);
    if (!report->runs) return error_no_memory(error, "runs", inputs->count * sizeof *report->runs);
    for (size_t i = 0; i < inputs->count; i++) {
        const struct report_places places = {inputs->evaluation[i], i == 0 ? report->session->config->audit : "",
                                             report->session};
        report->count = i + 1; /* what was begun is closed */
        const int status = report_run_open(&report->runs[i], inputs->path[i], &places, error);
        if (status) return status;
        for (size_t k = 0; k < report->runs[i].unread.count; k++)
            log_warning(&report->session->log, "%s: %s; the page goes without it", inputs->path[i],
                        report->runs[i].unread.item[k].text);
        if (report->runs[i].not_judged.what)
            log_warning(&report->session->log, "the %s; judge this one by %s", report->runs[i].not_judged.what,
                        report->runs[i].not_judged.advice);
    }
    const int status = report_runs_name(report->runs, report->count, error);
    return status ? status : find_sets(report, error);
}

static int write_sections(struct report *report, struct look *look, struct error *error)
{
    section_headline(report);
    section_health(report);
    section_worth(report);
    section_labels(report);
    section_training(report);
    int status = section_views(report, look, error);
    if (!status) status = section_neighbours(report, look, error);
    if (!status) status = section_map(report, look, error);
    if (!status) status = section_mistakes(report, look, error);
    if (!status) status = section_spectrum(report, look, error);
    section_data(report);
    section_made(report);
    return status;
}

static int make_page(struct report *report, struct error *error)
{
    struct text title = {0};
    text_add(&title, "SimCLR: ");
    for (size_t i = 0; i < report->count; i++) text_add(&title, "%s%s", i > 0 ? ", " : "", report->runs[i].name);
    page_begin(&report->page, title.bytes ? title.bytes : "");
    if (title.failed) report->page.html.failed = true;
    text_free(&title);
    struct look look;
    int status = look_open(&look, report, error);
    if (!status) status = write_sections(report, &look, error);
    look_close(&look);
    if (status) return status;
    const size_t bytes = report->page.html.length;
    const char *out = report->session->config->out;
    status = page_finish(&report->page, out, error);
    if (!status)
        session_print(report->session, "report       %s  (%.2f MB; a browser shows it)\n", out, (double)bytes / 1e6);
    return status;
}

int report_write(struct session *session, struct error *error)
{
    struct report report = {.session = session};
    struct inputs inputs = {.count = 0};
    int status = check_out(session->config, error);
    if (!status) status = inputs_read(&inputs, session->config, error);
    if (!status) status = open_runs(&report, &inputs, error);
    if (!status) status = make_page(&report, error);
    page_free(&report.page);
    for (size_t i = 0; i < report.count; i++) report_run_close(&report.runs[i]);
    memory_free(report.runs);
    inputs_free(&inputs);
    return status;
}
