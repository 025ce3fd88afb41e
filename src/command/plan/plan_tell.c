/* command/plan/plan_tell.c -- the plan, for people and as JSON. */
#include <inttypes.h>
#include <math.h>

#include "base/format.h"
#include "base/memory.h"
#include "base/text.h"
#include "command/plan/plan.h"

enum { WORDS = 40 };

static double mebibytes(double bytes)
{
    return bytes / 1048576;
}

/* Multiplications and additions of a step: forward, and twice as many backward, for two views of each image. */
static double step_flops(const struct plan *plan)
{
    return 3 * 2 * (double)plan->run.config->batch * plan->network.flops;
}

/* ---- as text ---- */

static void print_memory(const struct session *session, const struct plan *plan)
{
    struct footprint_part parts[FOOTPRINT_PARTS];
    footprint_list(&plan->peak, parts);
    for (int i = 0; i < FOOTPRINT_PARTS; i++)
        if (parts[i].bytes > 0)
            session_print(session, "%-12s %-42s %10.1f MiB\n", i == 0 ? "memory" : "", parts[i].what,
                          mebibytes((double)parts[i].bytes));
    session_print(session, "%-12s %-42s %10.1f MiB of %.1f MiB\n", "", "peak", mebibytes((double)plan->peak.total),
                  mebibytes((double)plan->limit));
    session_print(session, "%-12s %" PRId64 "; the largest that fits is %" PRId64 " (of %" PRId64 " images)\n", "batch",
                  plan->run.config->batch, plan->largest, dataset_count(plan->run.dataset));
}

static void print_speed(const struct session *session, const struct plan *plan)
{
    const struct pace *step = &plan->timing.step;
    const double views = 2.0 * (double)plan->run.config->batch, made = 2.0 * plan->images;
    session_print(session, "%-12s %.0f views/s made, by all threads (%" PRId64 " batches timed)\n", "views",
                  made / plan->timing.views.mean, plan->timing.views.count);
    session_print(session, "%-12s %.0f views/s, %.3g s a step", "training", views / step->mean, step->mean);
    if (isfinite(step->low)) session_print(session, " [%.3g, %.3g]", step->low, step->high);
    session_print(session, ", %.0f %% of it waiting for views (%" PRId64 " steps timed)\n",
                  100 * plan->timing.wait_share, step->count);
    session_print(session, "%-12s diagnostics %.2g s, checkpoint %.2g s, kNN %.2g s\n", "between",
                  plan->timing.costs.after_epoch, plan->timing.costs.save, plan->timing.costs.knn);
}

static void print_time(const struct session *session, const struct plan *plan)
{
    char whole[WORDS], low[WORDS], high[WORDS];
    const struct pretrain *run = &plan->run;
    format_duration(whole, sizeof whole, plan->seconds);
    format_duration(low, sizeof low, plan->low);
    format_duration(high, sizeof high, plan->high);
    session_print(session, "%-12s %.6g epochs of %" PRId64 " steps: %s", "time",
                  (double)plan->steps / (double)run->steps_per_epoch, run->steps_per_epoch, whole);
    if (low[0]) session_print(session, " [%s, %s]", low, high);
    session_print(session, "\n%-12s %.0f MiB", "disk", mebibytes((double)plan->disk));
    if (plan->disk_free >= 0)
        session_print(session, ", %.0f MiB while it runs, of %.0f MiB that are free",
                      mebibytes((double)plan->disk_peak), mebibytes((double)plan->disk_free));
    session_print(session, "\n");
}

static void print_plan(const struct session *session, const struct plan *plan)
{
    const struct model_title title = model_title(&plan->model);
    session_print(session, "%-12s %s%s, %d pixels: %" PRId64 " parameters\n", "network", title.text, title.stem,
                  plan->model.image_size, plan->network.parameters);
    session_print(session, "%-12s %.4g GFLOP a view forward, about %.4g TFLOP a step\n", "", plan->network.flops / 1e9,
                  step_flops(plan) / 1e12);
    print_memory(session, plan);
    if (!plan->timed) return;
    print_speed(session, plan);
    print_time(session, plan);
    if (plan->prediction.shares.ranks > 1) prediction_print(session, &plan->prediction);
}

/* ---- as JSON ---- */

static void json_memory(struct text *json, const struct plan *plan)
{
    struct footprint_part parts[FOOTPRINT_PARTS];
    footprint_list(&plan->peak, parts);
    text_json_open_object(json, "memory");
    for (int i = 0; i < FOOTPRINT_PARTS; i++) text_json_integer(json, parts[i].key, (int64_t)parts[i].bytes);
    text_json_integer(json, "peak", (int64_t)plan->peak.total);
    text_json_integer(json, "limit", (int64_t)plan->limit);
    text_json_close_object(json);
}

static void json_time(struct text *json, const struct plan *plan)
{
    const struct pretrain_timing *timing = &plan->timing;
    const double views = 2.0 * (double)plan->run.config->batch, made = 2.0 * plan->images;
    text_json_number(json, "loader_views_per_second", made / plan->timing.views.mean);
    text_json_number(json, "views_per_second", views / timing->step.mean);
    text_json_number(json, "step_seconds", timing->step.mean);
    text_json_number(json, "step_seconds_low", timing->step.low);
    text_json_number(json, "step_seconds_high", timing->step.high);
    text_json_integer(json, "steps_timed", timing->step.count);
    text_json_number(json, "wait_share", timing->wait_share);
    text_json_number(json, "diagnostics_seconds", timing->costs.after_epoch);
    text_json_number(json, "checkpoint_seconds", timing->costs.save);
    text_json_number(json, "knn_seconds", timing->costs.knn);
    text_json_integer(json, "epochs", plan->choice.epochs);
    text_json_integer(json, "steps", plan->steps);
    text_json_number(json, "seconds", plan->seconds);
    text_json_number(json, "seconds_low", plan->low);
    text_json_number(json, "seconds_high", plan->high);
    text_json_integer(json, "disk_bytes", plan->disk);
    text_json_integer(json, "disk_bytes_peak", plan->disk_peak);
    if (plan->disk_free >= 0) text_json_integer(json, "disk_bytes_free", plan->disk_free);
}

static int print_json(const struct session *session, const struct plan *plan, struct error *error)
{
    struct text json = {0};
    text_json_open_object(&json, NULL);
    text_json_integer(&json, "image_size", plan->model.image_size);
    text_json_integer(&json, "parameters", plan->network.parameters);
    text_json_number(&json, "flops", plan->network.flops);
    text_json_number(&json, "step_flops", step_flops(plan));
    text_json_integer(&json, "images", dataset_count(plan->run.dataset));
    text_json_integer(&json, "batch", plan->run.config->batch);
    text_json_integer(&json, "largest_batch", plan->largest);
    json_memory(&json, plan);
    if (plan->timed) {
        text_json_integer(&json, "steps_per_epoch", plan->run.steps_per_epoch);
        json_time(&json, plan);
        if (plan->prediction.shares.ranks > 1) prediction_json(&json, &plan->prediction);
    }
    text_json_close_object(&json);
    const int status = session_print_json(session, &json, error);
    text_free(&json);
    return status;
}

int plan_tell(const struct session *session, const struct plan *plan, struct error *error)
{
    if (session->config->json) return print_json(session, plan, error);
    print_plan(session, plan);
    return SIMCLR_OK;
}
