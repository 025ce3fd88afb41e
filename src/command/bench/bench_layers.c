/* command/bench/bench_layers.c -- see bench_layers.h. */
#include "command/bench/bench_layers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/format.h"
#include "base/memory.h"

enum { MAX_RUNS = 100, AROUND = 4, LOSSES = 10 }; /* AROUND: loss, update, packing, views */

/* One pass of one operation, or what stands around the network. */
struct line {
    const char *operation, *name, *pass;
    const char *group;            /* the kind of work */
    const struct conv_work *work; /* of a convolution's pass, else NULL */
    char shape[48];
    double nominal; /* multiplications and additions as if the sum were direct, padding included */
    double seconds; /* median */
    double *samples;
};

struct report {
    struct session *session;
    struct text *json;
    struct line *lines;
    double *samples;
    int count, runs;
    double peak[2]; /* flop/s of DTYPE_F32 and DTYPE_BF16 */
    double whole;   /* seconds of all lines */
};

/* ---- collecting ------------------------------------------------------------------------------------------------- */

static bool is_conv(const struct network_row *row)
{
    return row->work[CONV_FORWARD].algorithm != NULL;
}

static const char *group_of(const struct network_row *row)
{
    if (strncmp(row->name, "head.", 5) == 0) return "head";
    if (strcmp(row->kind, "batch_norm") == 0) return "batch norm, ReLU, residual";
    if (!is_conv(row)) return "pooling";
    if (row->input.layout == LAYOUT_IMAGES) return "stem";
    if (row->kernel == 1) return row->stride > 1 ? "1x1, strided" : "1x1";
    if (row->kernel == 3) return row->stride > 1 ? "3x3, strided" : "3x3";
    return "other convolutions";
}

static struct line *add_line(struct report *report, const char *operation, const char *name, const char *pass,
                             const char *group)
{
    struct line *line = &report->lines[report->count];
    *line = (struct line){.operation = operation,
                          .name = name,
                          .pass = pass,
                          .group = group,
                          .samples = report->samples + (ptrdiff_t)report->count * MAX_RUNS};
    report->count++;
    return line;
}

/* The passes of an operation, as sample() fills them. */
static void add_row(struct report *report, const struct network_row *row)
{
    static const char *const PASSES[CONV_PASSES] = {"forward", "data", "weights"};
    const char *group = group_of(row);
    for (int pass = 0; pass < CONV_PASSES; pass++) {
        if (!is_conv(row) && pass == CONV_BACKWARD_WEIGHTS) continue;
        if (is_conv(row) && !row->work[pass].algorithm) continue;
        struct line *line =
            add_line(report, row->kind, row->name, !is_conv(row) && pass > 0 ? "backward" : PASSES[pass], group);
        if (is_conv(row)) {
            line->work = &row->work[pass];
            line->nominal = row->flops * row->output.batch;
            snprintf(line->shape, sizeof line->shape, "%d->%d %dx%d/%d %dx%d", row->input.channels,
                     row->output.channels, row->kernel, row->kernel, row->stride, row->output.height,
                     row->output.width);
        } else {
            snprintf(line->shape, sizeof line->shape, "%d %dx%d", row->input.channels, row->input.height,
                     row->input.width);
        }
    }
}

static void sample(struct report *report, const struct step *step, int run)
{
    const struct network_row *rows;
    const int count = network_rows(step->network, &rows);
    struct line *line = report->lines;
    for (int i = 0; i < count; i++) {
        const double backward[CONV_PASSES] = {0, rows[i].backward_seconds - rows[i].weights_seconds,
                                              rows[i].weights_seconds};
        for (int pass = 0; pass < CONV_PASSES; pass++) {
            if (!is_conv(&rows[i]) && pass == CONV_BACKWARD_WEIGHTS) continue;
            if (is_conv(&rows[i]) && !rows[i].work[pass].algorithm) continue;
            (line++)->samples[run] = pass == CONV_FORWARD ? rows[i].forward_seconds : backward[pass];
        }
    }
    line[0].samples[run] = step->seconds.loss;
    line[1].samples[run] = step->seconds.update;
    line[2].samples[run] = step->seconds.packing;
}

static int compare_doubles(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* A batch of views, made while nothing else runs: in training workers make it beside the step, on the same cores. */
static int time_views(struct report *report, struct line *line, struct error *error)
{
    struct dataset *dataset = NULL;
    struct loader *loader = NULL;
    int status = probe_loader_open(report->session, session_view_type(report->session), &dataset, &loader, error);
    const int ahead = 4; /* batches that the loader may have made before they were asked for */
    for (int run = -ahead; run < report->runs && status == SIMCLR_OK; run++) {
        const struct batch *batch;
        const double start = clock_seconds();
        status = loader_next(loader, (run + ahead) % loader_steps_per_epoch(loader), &batch, error);
        if (run >= 0) line->samples[run] = clock_seconds() - start;
    }
    double sum = 0; /* a mean: batches come in bursts, as many at a time as there are workers */
    for (int run = 0; run < report->runs; run++) sum += line->samples[run];
    for (int run = 0; run < report->runs; run++) line->samples[run] = sum / report->runs;
    loader_close(&loader);
    dataset_close(&dataset);
    return status;
}

static int measure(struct report *report, struct probe *probe, struct error *error)
{
    struct session *session = report->session;
    struct backend *backend = session->backend;
    network_time(probe->step.network, true);
    probe_run(probe);
    const double begin = clock_seconds();
    while (report->runs < MAX_RUNS && (report->runs < 3 || clock_seconds() - begin < session->config->seconds)) {
        probe_run(probe);
        sample(report, &probe->step, report->runs++);
        if (session_is_interrupted(session)) return stop_error(error, "bench");
    }
    network_time(probe->step.network, false);
    for (int type = 0; type < 2; type++) report->peak[type] = backend->ops->peak(backend, (enum dtype)type);
    const int status = time_views(report, &report->lines[report->count - 1], error);
    if (status != SIMCLR_OK) return status;
    for (int i = 0; i < report->count; i++) {
        struct line *line = &report->lines[i];
        qsort(line->samples, (size_t)report->runs, sizeof *line->samples, compare_doubles);
        line->seconds = line->samples[report->runs / 2];
        report->whole += line->seconds;
    }
    return SIMCLR_OK;
}

/* ---- reporting -------------------------------------------------------------------------------------------------- */

static double peak_of(const struct report *report, const struct line *line)
{
    return line->work && line->work->operands <= DTYPE_BF16 ? report->peak[line->work->operands] : 0;
}

/* Executed work as a share of the peak; 0 where one of them is not known. */
static double peak_share(const struct report *report, const struct line *line)
{
    const double peak = peak_of(report, line);
    return peak > 0 && line->seconds > 0 ? line->work->flops / line->seconds / peak : 0;
}

/* Seconds beyond what the products of the pass take at the peak; all of them where there are none. */
static double lost_seconds(const struct report *report, const struct line *line)
{
    return line->seconds * (1 - peak_share(report, line));
}

static double rate(double flops, double seconds)
{
    return seconds > 0 ? flops / seconds / 1e9 : 0;
}

static void json_line(struct report *report, const struct line *line)
{
    struct text *json = report->json;
    text_json_open_object(json, NULL);
    text_json_string(json, "operation", line->operation);
    text_json_string(json, "name", line->name);
    text_json_string(json, "pass", line->pass);
    text_json_string(json, "shape", line->shape);
    text_json_number(json, "seconds", line->seconds);
    text_json_number(json, "share", line->seconds / report->whole);
    if (line->work) {
        text_json_string(json, "algorithm", line->work->algorithm);
        text_json_string(json, "kernels", line->work->kernels);
        text_json_string(json, "operands", dtype_name(line->work->operands));
        text_json_number(json, "nominal_gflops", rate(line->nominal, line->seconds));
        text_json_number(json, "executed_gflops", rate(line->work->flops, line->seconds));
        text_json_number(json, "peak_share", peak_share(report, line));
    }
    text_json_close_object(json);
}

static void print_line(const struct report *report, const struct line *line)
{
    char algorithm[64] = "", rates[48] = "";
    if (line->work) {
        snprintf(algorithm, sizeof algorithm, "%s %s", line->work->algorithm, line->work->kernels);
        format_write(rates, sizeof rates, " %9.0f %9.0f %6.1f%%", rate(line->nominal, line->seconds),
                     rate(line->work->flops, line->seconds), 100 * peak_share(report, line));
    }
    session_print(report->session, "%-26s %-24s %-9s %-24s %9.3f %6.2f%%%s\n",
                  line->name[0] ? line->name : line->operation, line->shape, line->pass, algorithm, 1e3 * line->seconds,
                  100 * line->seconds / report->whole, rates);
}

static void report_lines(struct report *report)
{
    struct text *json = report->json;
    if (json) {
        text_json_open_object(json, "peak_gflops");
        text_json_number(json, "float32", report->peak[DTYPE_F32] * 1e-9);
        if (report->peak[DTYPE_BF16] > 0) text_json_number(json, "bf16", report->peak[DTYPE_BF16] * 1e-9);
        text_json_close_object(json);
        text_json_integer(json, "runs", report->runs);
        text_json_open_array(json, "layers");
        for (int i = 0; i < report->count; i++) json_line(report, &report->lines[i]);
        text_json_close_array(json);
        return;
    }
    session_print(report->session, "\npeak on registers, all threads: %.0f GF/s in float32",
                  report->peak[DTYPE_F32] * 1e-9);
    if (report->peak[DTYPE_BF16] > 0) session_print(report->session, ", %.0f in bf16", report->peak[DTYPE_BF16] * 1e-9);
    session_print(report->session, "; medians of %d steps\n\n%-26s %-24s %-9s %-24s %9s %7s %9s %9s %7s\n",
                  report->runs, "name", "shape", "pass", "algorithm", "ms", "step", "nominal", "executed", "of peak");
    for (int i = 0; i < report->count; i++) print_line(report, &report->lines[i]);
}

/* One line per kind of work: its time, and of that what is beyond the peak. */
static void report_groups(struct report *report)
{
    struct text *json = report->json;
    if (json)
        text_json_open_array(json, "shares");
    else
        session_print(report->session, "\n%-30s %9s %7s %16s\n", "kind of work", "ms", "step", "beyond peak, ms");
    for (int i = 0; i < report->count; i++) {
        const char *group = report->lines[i].group;
        bool first = true;
        double seconds = 0, lost = 0;
        for (int j = 0; j < report->count; j++) {
            if (strcmp(group, report->lines[j].group) != 0) continue;
            if (j < i) first = false;
            seconds += report->lines[j].seconds;
            lost += lost_seconds(report, &report->lines[j]);
        }
        if (!first) continue;
        if (json) {
            text_json_open_object(json, NULL);
            text_json_string(json, "work", group);
            text_json_number(json, "seconds", seconds);
            text_json_number(json, "share", seconds / report->whole);
            text_json_number(json, "seconds_beyond_peak", lost);
            text_json_close_object(json);
        } else {
            session_print(report->session, "%-30s %9.3f %6.2f%% %16.3f\n", group, 1e3 * seconds,
                          100 * seconds / report->whole, 1e3 * lost);
        }
    }
    if (json) text_json_close_array(json);
}

/* What to do next: passes of most seconds beyond the peak. Takes the samples' place for what was listed. */
static void report_losses(struct report *report)
{
    struct text *json = report->json;
    for (int i = 0; i < report->count; i++) report->lines[i].samples[0] = lost_seconds(report, &report->lines[i]);
    if (json)
        text_json_open_array(json, "losses");
    else
        session_print(report->session, "\nlargest losses against the peak\n");
    for (int n = 0; n < LOSSES && n < report->count; n++) {
        struct line *worst = report->lines;
        for (int i = 1; i < report->count; i++)
            if (report->lines[i].samples[0] > worst->samples[0]) worst = &report->lines[i];
        const double lost = worst->samples[0];
        worst->samples[0] = -1;
        if (json) {
            text_json_open_object(json, NULL);
            text_json_string(json, "name", worst->name);
            text_json_string(json, "pass", worst->pass);
            text_json_number(json, "seconds", lost);
            text_json_number(json, "share", lost / report->whole);
            text_json_close_object(json);
        } else {
            session_print(report->session, "  %-26s %-24s %-9s %9.3f ms %6.2f%% of the step\n",
                          worst->name[0] ? worst->name : worst->operation, worst->shape, worst->pass, 1e3 * lost,
                          100 * lost / report->whole);
        }
    }
    if (json)
        text_json_close_array(json);
    else
        session_print(report->session, "\n");
}

int bench_layers(struct session *session, struct probe *probe, struct text *json, struct error *error)
{
    const struct network_row *rows;
    const int count = network_rows(probe->step.network, &rows);
    const size_t most = (size_t)count * CONV_PASSES + AROUND;
    struct report report = {.session = session, .json = json};
    report.lines = memory_array(most, sizeof *report.lines);
    report.samples = memory_array(most * MAX_RUNS, sizeof *report.samples);
    int status = SIMCLR_OK;
    if (!report.lines || !report.samples)
        status = error_no_memory(error, "the layers' times", most * MAX_RUNS * sizeof(double));
    if (status == SIMCLR_OK) {
        for (int i = 0; i < count; i++) add_row(&report, &rows[i]);
        (void)add_line(&report, "loss", "loss", "", "loss");
        (void)add_line(&report, "update", "update", "", "optimiser");
        (void)add_line(&report, "packing", "packing of weights", "", "packing of weights");
        (void)add_line(&report, "views", "views", "", "views");
        status = measure(&report, probe, error);
    }
    if (status == SIMCLR_OK) {
        report_lines(&report);
        report_groups(&report);
        report_losses(&report);
    }
    memory_free(report.lines);
    memory_free(report.samples);
    return status;
}
