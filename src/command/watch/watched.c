/* command/watch/watched.c -- metrics.jsonl, line by line, and what else the folder of a run says. */
#include "command/watch/watched.h"

#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "run/run_pace.h"

/* ---- points ---- */

/* Lines of later steps are of before a kill: a run that goes on writes them again. */
static bool series_add(struct series *series, double step, double value)
{
    while (series->count > 0 && !(series->points[series->count - 1].x < step)) series->count--;
    if (series->count == series->capacity) {
        const size_t capacity = series->capacity ? 2 * series->capacity : 1024;
        struct plot_point *grown = memory_grow(series->points, series->count, capacity, sizeof *grown);
        if (!grown) return false;
        series->points = grown;
        series->capacity = capacity;
    }
    series->points[series->count++] = (struct plot_point){step, value};
    return true;
}

/* The first of these names that the line has. */
static const double *find(const struct metrics_row *row, const char *const *names)
{
    const double *value = NULL;
    for (size_t i = 0; names[i] && !value; i++) value = metrics_find(row, names[i]);
    return value;
}

static void add(struct watched *run, struct series *series, const struct metrics_row *row, const double *value)
{
    if (!value) return;
    if (!isfinite(*value)) run->not_finite++;
    if (!series_add(series, (double)row->step, *value)) run->no_memory = true;
}

static void note_pace(struct watched *run, const struct metrics_row *row)
{
    memmove(run->pace + 1, run->pace, (PACE_ROWS - 1) * sizeof *run->pace);
    run->pace[0].step = row->step;
    run->pace[0].wall = row->wall_time;
}

static void keep(double *out, const double *value)
{
    if (value) *out = *value;
}

/* finetune trains twice, one after the other, and counts the steps anew. Only one of the two is drawn. */
static void begin_training(struct watched *run, bool control)
{
    if (control == run->control) return;
    run->control = control;
    run->loss.count = run->rate.count = 0;
    run->top1 = NAN;
    for (int i = 0; i < PACE_ROWS; i++) run->pace[i].step = 0;
}

void watched_take(void *cookie, const struct metrics_row *row)
{
    static const char *const losses[] = {"train/loss", "finetune/loss", "supervised/loss", "random/loss", NULL};
    static const char *const rates[] = {"train/learning_rate", "finetune/learning_rate", "supervised/learning_rate",
                                        "random/learning_rate", NULL};
    static const char *const tops[] = {"train/top1", "finetune/top1", "supervised/top1", "random/top1", NULL};
    static const char *const tests[] = {"epoch/knn_top1", NULL};
    struct watched *run = cookie;
    run->lines++;
    if (!row) {
        run->damaged++;
        return;
    }
    const double *loss = find(row, losses);
    if (loss) begin_training(run, metrics_find(row, "random/loss") != NULL);
    add(run, &run->loss, row, loss);
    add(run, &run->rate, row, find(row, rates));
    add(run, &run->knn, row, find(row, tests));
    keep(&run->top1, find(row, tops));
    keep(&run->chance, metrics_find(row, "train/chance_loss"));
    keep(&run->views_per_second, metrics_find(row, "train/views_per_second"));
    keep(&run->wait_share, metrics_find(row, "train/wait_share"));
    if (loss) note_pace(run, row);
    run->step = row->step;
    run->epoch = row->epoch;
    run->wall = row->wall_time;
}

/* ---- how fast, and how far ---- */

double watched_pace(const struct watched *run)
{
    struct run_stretch stretches[PACE_ROWS];
    double scratch[PACE_ROWS];
    size_t count = 0;
    for (int i = 0; i + 1 < PACE_ROWS; i++) {
        const double more = (double)run->pace[i].step - (double)run->pace[i + 1].step;
        const double took = run->pace[i].wall - run->pace[i + 1].wall;
        if (run->pace[i + 1].step <= 0 || !(more > 0) || !(took > 0) || !isfinite(took)) break;
        stretches[count++] = (struct run_stretch){more, took};
    }
    return run_pace(stretches, count, scratch);
}

double watched_steps(const struct watched *run)
{
    if (!run->config) return NAN;
    if (run->config->steps > 0) return (double)run->config->steps;
    if (run->config->epochs <= 0 || !(run->epoch > 0) || run->step <= 0) return NAN;
    return nearbyint((double)run->step / run->epoch * (double)run->config->epochs);
}

/* ---- looking ---- */

static bool holds_run(const char *path)
{
    static const char *const files[] = {"config.yaml", "metrics.jsonl", "train.log"};
    bool holds = false;
    for (size_t i = 0; i < sizeof files / sizeof *files && !holds; i++) {
        char *file = file_join(path, files[i]);
        holds = file && file_exists(file);
        memory_free(file);
    }
    return holds;
}

static void forget(struct watched *run)
{
    memory_free(run->loss.points);
    memory_free(run->knn.points);
    memory_free(run->rate.points);
    struct config *config = run->config;
    *run = (struct watched){.config = config,
                            .command = run->command,
                            .step = -1,
                            .epoch = NAN,
                            .wall = NAN,
                            .chance = NAN,
                            .top1 = NAN,
                            .views_per_second = NAN,
                            .wait_share = NAN};
}

void watched_close(struct watched *run)
{
    forget(run);
    config_destroy(&run->config);
}

int watched_look(struct watched *run, const char *path, struct error *error)
{
    if (!file_is_folder(path) || !holds_run(path))
        return error_set(error, SIMCLR_IO, "%s: is no folder of a run: give the one that --out named", path);
    if (run->at == 0) forget(run);
    const int64_t before = run->at;
    /* The state is asked first: what a run writes before its end is then read. */
    const bool locked = file_is_locked_folder(path);
    config_destroy(&run->config);
    int status = run_state_config(path, &run->command, &run->config, NULL);
    if (status == SIMCLR_NO_MEMORY) return error_no_memory(error, "the configuration of a run", 1);
    status = metrics_follow(path, &run->at, watched_take, run, error);
    if (!status && run->at < before) { /* it began again */
        forget(run);
        status = metrics_follow(path, &run->at, watched_take, run, error);
    }
    if (status) return status;
    if (run->no_memory)
        return error_no_memory(error, "the points of a run", run->loss.count * sizeof *run->loss.points);
    run->state = locked ? RUN_RUNNING : run_state_find(path, run->config, run->step, run->epoch);
    run->words = run_state_last_words(path, run->said);
    return SIMCLR_OK;
}
