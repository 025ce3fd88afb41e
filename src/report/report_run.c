/* report/report_run.c -- see report_run.h. */
#include "report/report_run.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/escape.h"
#include "base/file.h"
#include "base/memory.h"
#include "eval/interval.h"
#include "report/run_judged.h"
#include "report/run_time.h"
#include "report/sections.h"
#include "run/run_folder.h"

enum { TEXT_MOST = 1 << 26, NOTES_MOST = 60 };

/* ---- notes ------------------------------------------------------------------------------------------------------- */

/* Two sentences that differ in their numbers only are one. */
static bool say_the_same(const char *a, const char *b)
{
    static const char digits[] = "0123456789.";
    for (;;) {
        const size_t x = strspn(a, digits), y = strspn(b, digits);
        if ((x > 0) != (y > 0)) return false;
        a += x;
        b += y;
        if (*a != *b) return false;
        if (*a == '\0') return true;
        a++;
        b++;
    }
}

int notes_add(struct notes *notes, const char *text, bool error)
{
    for (size_t i = 0; i < notes->count; i++)
        if (notes->item[i].error == error && say_the_same(notes->item[i].text, text)) {
            notes->item[i].times++;
            return SIMCLR_OK;
        }
    if (notes->count == NOTES_MOST) return SIMCLR_OK;
    if (!notes->item) notes->item = memory_array(NOTES_MOST, sizeof *notes->item);
    char *copy = memory_string(text);
    if (!notes->item || !copy) {
        memory_free(copy);
        return SIMCLR_NO_MEMORY;
    }
    notes->item[notes->count++] = (struct note){copy, 1, error};
    return SIMCLR_OK;
}

void notes_free(struct notes *notes)
{
    for (size_t i = 0; i < notes->count; i++) memory_free(notes->item[i].text);
    memory_free(notes->item);
    *notes = (struct notes){0};
}

/* ---- files ------------------------------------------------------------------------------------------------------- */

/* A file of the run that could not be read is a sentence of the page; without memory there is no page. */
static int note_failure(struct report_run *run, int status, const struct error *reason, struct error *error)
{
    if (!status) return SIMCLR_OK;
    if (status == SIMCLR_NO_MEMORY || notes_add(&run->unread, reason->text, true))
        return error_no_memory(error, "a report", 1);
    return SIMCLR_OK;
}

/* A whole file of the run; *text NULL, and no failure, where it is not there. */
static int read_file(const struct report_run *run, const char *name, char **text, size_t *length, struct error *error)
{
    char *path = file_join(run->path, name);
    *text = NULL;
    *length = 0;
    if (!path) return error_no_memory(error, "a path", strlen(run->path));
    uint8_t *bytes = NULL;
    const int status = file_exists(path) ? file_read(path, TEXT_MOST, &bytes, length, error) : SIMCLR_OK;
    *text = (char *)bytes;
    memory_free(path);
    return status;
}

static int read_config(struct report_run *run, struct error *error)
{
    return run_state_config(run->path, &run->command, &run->config, error);
}

static int read_json(struct report_run *run, const char *name, struct json *out, struct error *error)
{
    char *text;
    size_t length;
    struct json_problem problem = {0};
    int status = read_file(run, name, &text, &length, error);
    if (!status && text) {
        status = json_read(out, text, length, false, &problem);
        if (status == SIMCLR_CORRUPT)
            error_set(error, status, "%s: is no JSON (%s at byte %zu)", name, problem.what ? problem.what : "damaged",
                      problem.at);
    }
    memory_free(text);
    return status;
}

static int read_environment(struct report_run *run, struct error *error)
{
    return read_json(run, "environment.json", &run->environment, error);
}

static int read_result(struct report_run *run, struct error *error)
{
    return read_json(run, "result.json", &run->result, error);
}

/* What pretrain says where it begins: the last start counts. Names in such a line are none. */
static void read_held_out(struct report_run *run, const char *words)
{
    static const char before[] = " info: kNN: the best checkpoint is chosen by ", after[] = " held-out training images";
    char *end;
    if (strncmp(words, before, sizeof before - 1) != 0) return;
    const long long images = strtoll(words + sizeof before - 1, &end, 10);
    if (strncmp(end, after, sizeof after - 1) == 0 && images > 0) run->held_out = images;
}

/* A line of train.log: "2026-11-29 02:40:57 warning: ...". Names in it are escaped. */
static int read_log_line(struct report_run *run, char *line)
{
    static const struct {
        const char *mark;
        bool error;
    } levels[] = {{" warning: ", false}, {" error: ", true}};
    enum { STAMP = 19 };
    if (strlen(line) <= STAMP) return SIMCLR_OK;
    if (strstr(line + STAMP, " info: " RUN_FOLDER_BEGINS) == line + STAMP) notes_free(&run->said);
    read_held_out(run, line + STAMP);
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
        const size_t length = strlen(levels[i].mark);
        if (strncmp(line + STAMP, levels[i].mark, length) != 0) continue;
        char *text = line + STAMP + length;
        const size_t left = escape_undo(text, strlen(text));
        if (left != (size_t)-1) text[left] = '\0';
        return notes_add(&run->said, text, levels[i].error);
    }
    return SIMCLR_OK;
}

static int read_log(struct report_run *run, struct error *error)
{
    char *text;
    size_t length;
    int status = read_file(run, "train.log", &text, &length, error);
    for (char *line = text; !status && line && *line != '\0';) {
        char *end = strchr(line, '\n');
        if (end) *end = '\0';
        if (read_log_line(run, line)) status = error_no_memory(error, "train.log", length);
        line = end ? end + 1 : NULL;
    }
    memory_free(text);
    return status;
}

static int read_metrics(struct report_run *run, struct error *error)
{
    char *path = file_join(run->path, "metrics.jsonl");
    if (!path) return error_no_memory(error, "a path", strlen(run->path));
    const int status = file_exists(path) ? metrics_read(run->path, &run->metrics, error) : SIMCLR_OK;
    memory_free(path);
    return status;
}

/* ---- where an audit lies --------------------------------------------------------------------------------------------
 */

static int find_audit(struct report_run *run, const char *given, struct error *error)
{
    char *inside = given[0] ? memory_string(given) : file_join(run->path, "audit");
    run->audit_path = inside ? file_join(inside, "audit.json") : NULL;
    memory_free(inside);
    if (!run->audit_path) return error_no_memory(error, "a path", strlen(run->path));
    if (file_exists(run->audit_path)) return SIMCLR_OK;
    if (given[0])
        return error_set(error, SIMCLR_IO, "%s: has no audit.json: give the folder of simclr audit --out", given);
    memory_free(run->audit_path);
    run->audit_path = NULL;
    return SIMCLR_OK;
}

/* ---- the whole --------------------------------------------------------------------------------------------------- */

static int find_state(struct report_run *run, struct error *error)
{
    const size_t rows = run->metrics.count;
    char said[RUN_WORDS_TEXT];
    if (rows > 0) {
        const struct metrics_row *last = &run->metrics.rows[rows - 1];
        run->epoch = last->epoch;
        run->silent = clock_wall() - last->wall_time;
    }
    const int64_t step = rows > 0 ? run->metrics.rows[rows - 1].step : 0;
    run->state = run_state_find(run->path, run->config, step, run->epoch);
    run->words = run_state_last_words(run->path, said);
    return run_time_find(&run->seconds, &run->paced, &run->metrics, error);
}

static size_t length_without_slashes(const char *path)
{
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/') length--;
    return length;
}

/* So many of the last parts of a path without slashes at its end, or all of it. */
static const char *last_parts(const char *path, size_t length, size_t parts)
{
    size_t from = length;
    for (; parts > 0 && from > 0; parts--) {
        while (from > 0 && path[from - 1] == '/') from--;
        while (from > 0 && path[from - 1] != '/') from--;
    }
    return path + from;
}

/* The path that a name is taken from. One that ends in "." or ".." names nothing: the path without links stands for it.
 */
static char *path_of_name(const char *path)
{
    char whole[PATH_MAX];
    size_t length = length_without_slashes(path);
    const char *last = last_parts(path, length, 1);
    const size_t dots = strspn(last, ".");
    if (last + dots == path + length && (dots == 1 || dots == 2) && realpath(path, whole)) {
        path = whole;
        length = strlen(whole);
    }
    char *copy = memory_string(path);
    if (copy) copy[length] = '\0';
    return copy;
}

static const char *short_name(const struct report_run *run, size_t parts)
{
    return last_parts(run->named, strlen(run->named), parts);
}

/* Has another run the same name at so many parts? Runs of one and the same path are told apart by numbers. */
static bool is_ambiguous(const struct report_run *runs, size_t count, size_t of, size_t parts)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(runs[i].named, runs[of].named) != 0 &&
            strcmp(short_name(&runs[i], parts), short_name(&runs[of], parts)) == 0)
            return true;
    return false;
}

int report_runs_name(struct report_run *runs, size_t count, struct error *error)
{
    for (size_t r = 0; r < count; r++) {
        size_t parts = 1;
        while (is_ambiguous(runs, count, r, parts)) parts++;
        runs[r].name = short_name(&runs[r], parts);
    }
    for (size_t r = count; r > 0; r--) { /* from the end, so that the paths of earlier runs are as they were */
        struct report_run *run = &runs[r - 1];
        size_t number = 1;
        for (size_t i = 0; i + 1 < r; i++) number += strcmp(runs[i].named, run->named) == 0;
        if (number == 1) continue;
        const size_t room = strlen(run->name) + 32;
        char *numbered = memory_allocate(room);
        if (!numbered) return error_no_memory(error, "a name", room);
        snprintf(numbered, room, "%s (%zu)", run->name, number);
        memory_free(run->named);
        run->name = run->named = numbered;
    }
    return SIMCLR_OK;
}

static bool holds_run(const char *folder)
{
    static const char *const files[] = {"config.yaml", "metrics.jsonl", "train.log", "environment.json"};
    bool holds = false;
    for (size_t i = 0; i < sizeof files / sizeof *files && !holds; i++) {
        char *path = file_join(folder, files[i]);
        holds = path && file_exists(path);
        memory_free(path);
    }
    return holds;
}

static int read_run(struct report_run *run, struct error *error)
{
    static int (*const parts[])(struct report_run *, struct error *) = {read_config, read_environment, read_result,
                                                                        read_metrics, read_log};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        struct error reason = {0};
        int status = parts[i](run, &reason);
        status = note_failure(run, status, &reason, error);
        if (status) return status;
    }
    return find_state(run, error);
}

/* An evaluation alone may lie beside weights, as in the folder of an export. */
static int find_encoder(struct report_run *run, bool is_run, struct error *error)
{
    char *weights = NULL;
    const bool own = is_run || run_folder_weights(run->path, &weights, NULL) == SIMCLR_OK;
    memory_free(weights);
    run->encoder = own ? memory_string(run->path) : words_of_json(judged_member(&run->judged, "checkpoint"));
    if (!run->encoder) return error_no_memory(error, "a path", strlen(run->path));
    run->encoder_is_run = is_run || holds_run(run->encoder);
    if (own || (run->encoder[0] && file_exists(run->encoder))) return SIMCLR_OK;
    memory_free(run->encoder);
    run->encoder = NULL;
    return SIMCLR_OK;
}

int report_run_open(struct report_run *run, const char *path, const struct report_places *places, struct error *error)
{
    struct error reason = {0};
    *run = (struct report_run){.path = path, .command = COMMAND_COUNT, .epoch = NAN, .seconds = NAN, .silent = NAN};
    if (!file_is_folder(path))
        return error_set(error, SIMCLR_IO, "%s: is no folder of a run%s", path,
                         file_exists(path) ? ": give the folder that the file lies in" : ": there is nothing there");
    run->named = path_of_name(path);
    if (!run->named) return error_no_memory(error, "a path", strlen(path));
    run->name = short_name(run, 1);
    const bool is_run = holds_run(path);
    int status = run_judged_find(run, places->evaluation, is_run ? places->session : NULL, &reason);
    if (status && places->evaluation[0]) return error_set(error, status, "%s", reason.text);
    status = note_failure(run, status, &reason, error);
    if (!status) status = find_audit(run, places->audit, error);
    if (!status) status = find_encoder(run, is_run, error);
    if (status) return status;
    if (is_run) return read_run(run, error);
    if (judged_is_there(&run->judged) || run->unread.count > 0) return SIMCLR_OK;
    return error_set(error, SIMCLR_IO,
                     "%s: is neither the folder of a run (config.yaml, metrics.jsonl) nor that of an evaluation "
                     "(evaluation.json)",
                     path);
}

void report_run_close(struct report_run *run)
{
    memory_free(run->named);
    memory_free(run->hash);
    memory_free(run->audit_path);
    memory_free(run->encoder);
    config_destroy(&run->config);
    metrics_history_free(&run->metrics);
    json_free(&run->environment);
    json_free(&run->result);
    notes_free(&run->said);
    notes_free(&run->unread);
    judged_free(&run->judged);
    memory_free(run->judged_at);
    memory_free(run->not_judged.what);
    memory_free(run->not_judged.advice);
    *run = (struct report_run){0};
}

double report_run_last(const struct report_run *run, const char *name)
{
    for (size_t i = run->metrics.count; i > 0; i--) {
        const double *value = metrics_find(&run->metrics.rows[i - 1], name);
        if (value) return *value;
    }
    return NAN;
}

double report_run_epoch_loss(const struct report_run *run)
{
    double most = 0;
    for (size_t i = 0; i < run->metrics.count; i++) {
        const double *steps = metrics_find(&run->metrics.rows[i], "epoch/steps");
        if (steps && *steps > most) most = *steps;
    }
    for (size_t i = run->metrics.count; i > 0; i--) {
        const struct metrics_row *row = &run->metrics.rows[i - 1];
        const double *loss = metrics_find(row, "epoch/loss"), *steps = metrics_find(row, "epoch/steps");
        if (loss && (!steps || 2 * *steps >= most)) return *loss;
    }
    return NAN;
}

double report_run_highest(const struct report_run *run, const char *name, double *epoch)
{
    double highest = NAN;
    for (size_t i = 0; i < run->metrics.count; i++) {
        const double *value = metrics_find(&run->metrics.rows[i], name);
        if (!value || !(*value >= 0 && *value <= 1) || *value <= highest) continue;
        highest = *value;
        if (epoch) *epoch = run->metrics.rows[i].epoch;
    }
    return highest;
}

struct report_share report_run_knn(const struct report_run *run, double share)
{
    struct report_share out = {.low = NAN, .high = NAN};
    const double right = share * (double)run->held_out;
    if (run->held_out == 0 || !(share >= 0 && share <= 1) || fabs(right - round(right)) > 0.01) return out;
    out.images = run->held_out;
    interval_wilson((int64_t)round(right), out.images, &out.low, &out.high);
    return out;
}

size_t report_run_count(const struct report_run *run, const char *name)
{
    size_t count = 0;
    for (size_t i = 0; i < run->metrics.count; i++) count += metrics_find(&run->metrics.rows[i], name) != NULL;
    return count;
}

const struct json_value *report_run_environment(const struct report_run *run, const char *name)
{
    return run->environment.values ? json_member(run->environment.values, name) : NULL;
}
