/* command/verify/verify.c -- is a run what its recipe says that it should be? */
#include "command/verify/verify.h"

#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/format.h"
#include "base/memory.h"
#include "base/text.h"
#include "command/commands.h"
#include "config/values.h"
#include "run/run_state.h"

struct verified {
    const char *path;
    enum command command;
    struct config *config; /* of the run; NULL: it has none */
    struct metrics_history metrics;
    const struct expectations *expect;
    const char *from;  /* where those are from */
    char *differences; /* options in which the run differs from --recipe; "": none, or none were compared */
};

static void verified_close(struct verified *run)
{
    config_destroy(&run->config);
    metrics_history_free(&run->metrics);
    memory_free(run->differences);
}

/* ---- reading ---- */

/* Options that the recipe gives, that matter, and that the run has otherwise. "auto" was settled by the run. */
static int compare_options(struct verified *run, const char *recipe, struct error *error)
{
    struct config *given = NULL;
    struct text names = {0};
    int status = config_create(&given, run->command, error);
    if (!status) status = config_load_recipe(given, recipe, error);
    for (int i = 0; !status && i < config_option_count; i++) {
        const struct option_row *row = &config_options[i];
        if (!option_of(row, run->command) || !row->matters || given->origin[i] != 1) continue;
        if (value_is_auto(given, row) || value_equal(given, run->config, row)) continue;
        text_add(&names, "%s%s", names.length > 0 ? ", " : "", row->name);
    }
    config_destroy(&given);
    if (!status && names.failed) status = error_no_memory(error, "names of options", names.capacity);
    if (!status && names.bytes) {
        memory_free(run->differences);
        run->differences = memory_string(names.bytes);
        if (!run->differences) status = error_no_memory(error, "names of options", names.length);
    }
    text_free(&names);
    return status;
}

static int read_run(struct session *session, const char *path, struct verified *run, struct error *error)
{
    const char *recipe = session->config->recipe;
    *run = (struct verified){.path = path, .command = COMMAND_PRETRAIN, .from = recipe[0] ? recipe : "its config.yaml"};
    int status = SIMCLR_OK;
    if (!file_is_folder(path)) status = error_set(error, SIMCLR_IO, "%s: is no folder of a run", path);
    run->differences = memory_string("");
    if (!status && !run->differences) status = error_no_memory(error, "a text", 1);
    if (!status) status = run_state_config(path, &run->command, &run->config, error);
    if (!status && !run->config)
        status = error_set(error, SIMCLR_IO, "%s: has no config.yaml, so it is no folder of a run", path);
    if (status || !run->config) return status;
    run->expect = recipe[0] ? &session->config->expect : &run->config->expect;
    if (run->expect->count == 0)
        status =
            error_set(error, SIMCLR_INVALID,
                      "%s expects nothing of %s: give --recipe FILE with a list `expect`; docs/planning.md has its "
                      "form",
                      run->from, path);
    if (!status && recipe[0]) status = compare_options(run, recipe, error);
    if (!status) status = metrics_read(path, &run->metrics, error);
    return status;
}

/* ---- telling ---- */

static double last_epoch(const struct verified *run)
{
    return run->metrics.count > 0 ? run->metrics.rows[run->metrics.count - 1].epoch : 0;
}

static int refuse_row(const struct verified *run, const struct expectation *row, struct verdict verdict,
                      struct error *error)
{
    if (verdict.kind == VERDICT_MISSING)
        return error_set(error, SIMCLR_UNEXPECTED,
                         "%s: has no %s after %g epochs, of which %g are done: %s expects %g to "
                         "%g (%.160s)",
                         run->path, row->metric, row->epoch, last_epoch(run), run->from, row->low, row->high,
                         row->source);
    if (verdict.kind == VERDICT_NOT_FINITE)
        return error_set(error, SIMCLR_UNEXPECTED,
                         "%s: %s after %g epochs is no finite number: %s expects %g to %g (%.160s)", run->path,
                         row->metric, row->epoch, run->from, row->low, row->high, row->source);
    return error_set(error, SIMCLR_UNEXPECTED, "%s: %s after %g epochs is %.6g, %s what %s expects, %g to %g (%.160s)",
                     run->path, row->metric, row->epoch, verdict.value, verdict_word(verdict.kind), run->from, row->low,
                     row->high, row->source);
}

static void print_row(const struct session *session, const struct expectation *row, struct verdict verdict)
{
    char found[32] = "-";
    if (isfinite(verdict.value)) format_write(found, sizeof found, "%.6g", verdict.value);
    session_print(session, "%7g  %-28.60s %9.6g to %-9.6g %10s  %s\n", row->epoch, row->metric, row->low, row->high,
                  found, verdict_word(verdict.kind));
}

static void json_row(struct text *json, const struct expectation *row, struct verdict verdict)
{
    text_json_open_object(json, NULL);
    text_json_number(json, "epoch", row->epoch);
    text_json_string(json, "metric", row->metric);
    text_json_number(json, "low", row->low);
    text_json_number(json, "high", row->high);
    text_json_string(json, "source", row->source);
    text_json_number(json, "value", verdict.value);
    text_json_string(json, "found", verdict_word(verdict.kind));
    text_json_close_object(json);
}

/* SIMCLR_UNEXPECTED names the first row that is off; all are told. json NULL: as a table. */
static int compare(const struct session *session, const struct verified *run, struct text *json, struct error *error)
{
    int status = SIMCLR_OK;
    if (!json)
        session_print(session, "%s against %s\n%7s  %-28s %-22s %10s\n", run->path, run->from, "epoch", "metric",
                      "      expected", "found");
    for (size_t i = 0; i < run->expect->count; i++) {
        const struct expectation *row = &run->expect->rows[i];
        const struct verdict verdict = verify_row(&run->metrics, row);
        if (json)
            json_row(json, row, verdict);
        else
            print_row(session, row, verdict);
        if (verdict.kind != VERDICT_WITHIN && !status) status = refuse_row(run, row, verdict, error);
    }
    return status;
}

static int tell(const struct session *session, const struct verified *run, struct text *json, struct error *error)
{
    if (run->differences[0])
        log_warning(&session->log, "%s has other options than %s: %s", run->path, run->from, run->differences);
    if (!json) return compare(session, run, NULL, error);
    text_json_open_object(json, NULL);
    text_json_string(json, "run", run->path);
    text_json_string(json, "expected_by", run->from);
    text_json_string(json, "differences", run->differences);
    text_json_open_array(json, "rows");
    const int status = compare(session, run, json, error);
    text_json_close_array(json);
    text_json_boolean(json, "as_expected", status == SIMCLR_OK);
    text_json_close_object(json);
    return status;
}

int command_verify(struct session *session, struct error *error)
{
    struct text json = {0}, *out = session->config->json ? &json : NULL;
    struct error first = {0};
    int result = SIMCLR_OK;
    if (out) text_json_open_array(out, NULL);
    for (const char *at = session->config->runs; *at != '\0';) {
        struct verified run;
        const size_t length = strcspn(at, "\n");
        char *path = memory_string(at);
        if (!path) {
            text_free(&json);
            return error_no_memory(error, "a path", length);
        }
        path[length] = '\0';
        int status = read_run(session, path, &run, &first);
        if (!status) status = tell(session, &run, out, result ? NULL : &first);
        verified_close(&run);
        memory_free(path);
        if (status && status != SIMCLR_UNEXPECTED) {
            text_free(&json);
            if (error) *error = first;
            return status;
        }
        if (!result) result = status;
        at += length + (at[length] == '\n');
    }
    if (out) {
        text_json_close_array(out);
        const int status = session_print_json(session, out, error);
        text_free(out);
        if (status) return status;
    }
    if (result && error) *error = first;
    return result;
}
