/* run/run_folder.c -- see run_folder.h. */
#include "run/run_folder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "run/environment.h"
#include "run/evaluated.h"

/* ---- names ---- */

static char *path_in(const struct run_folder *folder, const char *name)
{
    return file_join(folder->path, name);
}

char *run_folder_checkpoint_path(const struct run_folder *folder, int64_t step)
{
    char name[64];
    snprintf(name, sizeof name, "checkpoints/step-%08lld.safetensors", (long long)step);
    return path_in(folder, name);
}

char *run_folder_best_path(const struct run_folder *folder)
{
    return path_in(folder, "checkpoints/best.safetensors");
}

static const char probe_file[] = "probe.safetensors";

char *run_folder_probe_path(const struct run_folder *folder)
{
    char name[64];
    snprintf(name, sizeof name, "checkpoints/%s", probe_file);
    return path_in(folder, name);
}

/* The step in "step-00012345.safetensors", or -1. */
static int64_t step_of_name(const char *name)
{
    long long step;
    int length = 0;
    if (sscanf(name, "step-%lld.safetensors%n", &step, &length) != 1 || length == 0 || name[length] != '\0') return -1;
    return step;
}

static bool starts_with(const char *name, const char *prefix)
{
    return strncmp(name, prefix, strlen(prefix)) == 0;
}

/* ---- tidying: only files that a run writes ---- */

static bool is_probe(const char *name)
{
    return strcmp(name, probe_file) == 0;
}

static const char numbering_file[] = "images.txt";

static bool is_run_file(const char *name)
{
    return starts_with(name, "events.out.tfevents.") || strcmp(name, "metrics.jsonl") == 0 ||
           strcmp(name, "config.yaml") == 0 || strcmp(name, "environment.json") == 0 ||
           strcmp(name, numbering_file) == 0 || strcmp(name, "classifier.safetensors") == 0 ||
           strcmp(name, "result.json") == 0;
}

/* What fine-tuning leaves, and goes on from. */
static bool is_tuned(const char *name)
{
    return strcmp(name, "finetune.safetensors") == 0 || strcmp(name, "random.safetensors") == 0;
}

static bool is_checkpoint_file(const char *name)
{
    return is_probe(name) || step_of_name(name) >= 0 || strcmp(name, "best.safetensors") == 0 || is_tuned(name);
}

static bool is_exported_file(const char *name)
{
    return strcmp(name, "encoder.safetensors") == 0 || strcmp(name, "encoder-ema.safetensors") == 0 ||
           strcmp(name, "config.json") == 0;
}

static void remove_matching(const struct run_folder *folder, const char *name, bool (*matches)(const char *name))
{
    struct file_list list;
    char *path = path_in(folder, name);
    if (path != NULL && file_list_folder(path, &list, NULL) == SIMCLR_OK) {
        for (size_t i = 0; i < list.count; i++) {
            char *file = matches(list.names[i]) ? file_join(path, list.names[i]) : NULL;
            if (file != NULL) unlink(file);
            memory_free(file);
        }
        file_list_free(&list);
    }
    memory_free(path);
}

/* What a killed process left. Files that somebody writes stay, this process too: it may have opened its predictions. */
static void sweep(const struct run_folder *folder, const char *name)
{
    char *path = path_in(folder, name);
    if (path != NULL) file_sweep(path, NULL);
    memory_free(path);
}

/* ---- the log: every line also goes to train.log, with the time ---- */

static void write_line(FILE *file, enum log_level level, const char *line)
{
    static const char *const names[] = {"debug", "info", "warning", "error"};
    const time_t now = (time_t)clock_wall();
    struct tm local;
    char stamp[32] = "";
    if (localtime_r(&now, &local) != NULL) strftime(stamp, sizeof stamp, "%Y-%m-%d %H:%M:%S", &local);
    fprintf(file, "%s %s: %s\n", stamp, names[level], line);
    fflush(file);
}

static void write_log(void *cookie, enum log_level level, const char *line)
{
    struct run_folder *folder = cookie;
    if (folder->log_file == NULL) return;
    pthread_mutex_lock(&folder->held.mutex);
    write_line(folder->held.file ? folder->held.file : folder->log_file, level, line);
    pthread_mutex_unlock(&folder->held.mutex);
}

/* What was held back goes to train.log, or nowhere. Lines go to train.log from here on. */
static void end_holding(struct run_folder *folder, bool keep)
{
    if (folder->held.file == NULL) return;
    pthread_mutex_lock(&folder->held.mutex);
    if (fclose(folder->held.file) == 0 && keep) {
        fwrite(folder->held.text, 1, folder->held.length, folder->log_file);
        fflush(folder->log_file);
    }
    folder->held.file = NULL;
    free(folder->held.text);
    folder->held.text = NULL;
    pthread_mutex_unlock(&folder->held.mutex);
}

void run_folder_note(struct run_folder *folder, enum log_level level, const char *text)
{
    const struct log own = {write_log, folder};
    log_line(&own, level, "%s", text);
}

static int open_log(struct run_folder *folder, struct error *error)
{
    char *path = path_in(folder, "train.log");
    if (path == NULL) return error_no_memory(error, "a path", strlen(folder->path));
    int status = file_append(path, &folder->log_file, error);
    folder->held.of_another = run_folder_holds_run(folder);
    if (!status) folder->held.file = open_memstream(&folder->held.text, &folder->held.length);
    if (!status && folder->held.file == NULL) status = error_no_memory(error, "the log of a run", 1);
    if (!status) folder->log = log_tee(&folder->tee, (struct log){write_log, folder}, folder->log);
    memory_free(path);
    return status;
}

/* ---- opening and closing ---- */

int run_folder_open(struct run_folder *folder, const struct log *outer, const char *path, struct error *error)
{
    *folder = (struct run_folder){.lock = -1, .log = *outer, .held.mutex = PTHREAD_MUTEX_INITIALIZER};
    folder->path = memory_string(path);
    char *checkpoints = file_join(path, "checkpoints");
    int status = folder->path == NULL || checkpoints == NULL ? error_no_memory(error, "a path", strlen(path))
                                                             : file_make_folder(checkpoints, error);
    memory_free(checkpoints);
    if (status == SIMCLR_OK) status = file_lock_folder(path, &folder->lock, error);
    if (status != SIMCLR_OK) return status;
    remove_matching(folder, "checkpoints", is_probe);
    sweep(folder, "");
    sweep(folder, "checkpoints");
    sweep(folder, "exported");
    return open_log(folder, error);
}

int run_folder_leave(struct run_folder *folder, const struct log *log, const char *path, struct error *error)
{
    *folder = (struct run_folder){.lock = -1, .log = *log, .path = memory_string(path)};
    return folder->path ? SIMCLR_OK : error_no_memory(error, "a path", strlen(path));
}

void run_folder_clear(const struct run_folder *folder)
{
    remove_matching(folder, "", is_run_file);
    remove_matching(folder, "checkpoints", is_checkpoint_file);
    remove_matching(folder, "exported", is_exported_file);
}

void run_folder_close(struct run_folder *folder)
{
    metrics_close(&folder->metrics);
    end_holding(folder, !folder->held.of_another);
    if (folder->log_file != NULL) fclose(folder->log_file);
    file_unlock(&folder->lock);
    memory_free(folder->path);
    memory_free(folder->whole);
    *folder = (struct run_folder){.lock = -1};
}

bool run_folder_holds_run(const struct run_folder *folder)
{
    char *path = path_in(folder, "config.yaml");
    const bool holds = path != NULL && file_exists(path);
    memory_free(path);
    return holds;
}

static int write_config(const struct run_folder *folder, const struct config *config, struct error *error)
{
    char *path = path_in(folder, "config.yaml");
    char *yaml = config_to_yaml(config, CONFIG_REPEATABLE);
    const int status = path == NULL || yaml == NULL ? error_no_memory(error, "config.yaml", 4096)
                                                    : file_write_atomic(path, yaml, strlen(yaml), error);
    memory_free(path);
    memory_free(yaml);
    return status;
}

int run_folder_start(struct run_folder *folder, const struct session *session, const struct dataset *dataset,
                     int64_t step, struct error *error)
{
    int status = write_config(folder, session->config, error);
    char *path = path_in(folder, "environment.json");
    if (status == SIMCLR_OK && path == NULL) status = error_no_memory(error, "a path", strlen(folder->path));
    if (status == SIMCLR_OK) status = environment_write(path, session, dataset, error);
    memory_free(path);
    if (status == SIMCLR_OK)
        status = metrics_open(&folder->metrics, folder->path, folder->phase, step, session->config->tensorboard, error);
    if (status != SIMCLR_OK) return status;
    if (step == 0 && folder->phase == NULL) write_line(folder->log_file, LOG_INFO, RUN_FOLDER_BEGINS);
    end_holding(folder, true);
    return SIMCLR_OK;
}

/* ---- checkpoints ---- */

static int compare_steps(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x < y) - (x > y); /* newest first */
}

/* The steps of the checkpoints in `path`, newest first: a new block (memory_free). *missing (NULL: a failure then):
 * there is no such folder. */
static int list_steps(const char *path, int64_t **steps, size_t *count, bool *missing, struct error *error)
{
    struct file_list list;
    *count = 0;
    *steps = NULL;
    int status = file_list_if_there(path, &list, missing, error);
    if (status != SIMCLR_OK) return status;
    *steps = memory_array(list.count + 1, sizeof **steps);
    if (*steps == NULL) status = error_no_memory(error, "a list of checkpoints", list.count * sizeof **steps);
    for (size_t i = 0; status == SIMCLR_OK && i < list.count; i++)
        if (step_of_name(list.names[i]) >= 0) (*steps)[(*count)++] = step_of_name(list.names[i]);
    file_list_free(&list);
    if (*count > 1) qsort(*steps, *count, sizeof **steps, compare_steps);
    return status;
}

/* ---- the numbers of the images ---- */

static bool has_tuned(const char *checkpoints)
{
    char *file = file_join(checkpoints, "finetune.safetensors");
    const bool there = file && file_exists(file);
    memory_free(file);
    return there;
}

int run_folder_read_numbering(const struct run_folder *folder, struct numbering *out, struct error *error)
{
    struct error reason = {0};
    char *path = path_in(folder, numbering_file), *checkpoints = path_in(folder, "checkpoints");
    int64_t *steps = NULL;
    size_t count = 0;
    bool missing;
    *out = (struct numbering){0};
    int status = path && checkpoints ? list_steps(checkpoints, &steps, &count, &missing, &reason)
                                     : error_no_memory(&reason, "a path", strlen(folder->path));
    if (status == SIMCLR_OK && (count > 0 || has_tuned(checkpoints))) status = numbering_read(path, out, &reason);
    memory_free(steps);
    memory_free(path);
    memory_free(checkpoints);
    if (status == SIMCLR_CORRUPT || status == SIMCLR_DATA) {
        log_warning(&folder->log, "%s; it is not used", reason.text);
        return SIMCLR_OK;
    }
    if (status && error) *error = reason;
    return status;
}

int run_folder_write_numbering(const struct run_folder *folder, const struct dataset *dataset, struct error *error)
{
    struct numbering numbering;
    char *path = path_in(folder, numbering_file);
    if (path == NULL) return error_no_memory(error, "a path", strlen(folder->path));
    int status = dataset_numbering(dataset, &numbering, error);
    if (status == SIMCLR_OK) status = numbering_write(path, &numbering, error);
    numbering_free(&numbering);
    memory_free(path);
    return status;
}

/* ---- keeping ---- */

void run_folder_note_whole(struct run_folder *folder, int64_t step)
{
    int64_t *grown = memory_array(folder->whole_count + 1, sizeof *grown);
    if (!grown) return; /* it is read again where it matters */
    if (folder->whole) memcpy(grown, folder->whole, folder->whole_count * sizeof *grown);
    memory_free(folder->whole);
    folder->whole = grown;
    folder->whole[folder->whole_count++] = step;
}

static void forget_before(struct run_folder *folder, int64_t step)
{
    size_t kept = 0;
    for (size_t i = 0; i < folder->whole_count; i++)
        if (folder->whole[i] >= step) folder->whole[kept++] = folder->whole[i];
    folder->whole_count = kept;
}

/* False for one that is damaged, or cannot be read now. */
static bool is_whole(struct run_folder *folder, int64_t step)
{
    for (size_t i = 0; i < folder->whole_count; i++)
        if (folder->whole[i] == step) return true;
    struct checkpoint *checkpoint = NULL;
    char *path = run_folder_checkpoint_path(folder, step);
    const bool whole = path && checkpoint_open(&checkpoint, path, NULL) == SIMCLR_OK;
    checkpoint_close(&checkpoint);
    memory_free(path);
    if (whole) run_folder_note_whole(folder, step);
    return whole;
}

void run_folder_prune(struct run_folder *folder, int64_t keep)
{
    char *path = path_in(folder, "checkpoints");
    size_t count = 0, i = 0;
    int64_t *steps = NULL, whole = 0;
    if (path != NULL) (void)list_steps(path, &steps, &count, NULL, NULL); /* then more stay than are wanted */
    for (; i < count && whole < keep; i++) whole += is_whole(folder, steps[i]);
    if (i > 0) forget_before(folder, steps[i - 1]);
    for (; i < count; i++) {
        char *old = run_folder_checkpoint_path(folder, steps[i]);
        if (old != NULL) unlink(old);
        memory_free(old);
    }
    memory_free(steps);
    memory_free(path);
}

double run_folder_best_knn(const struct run_folder *folder)
{
    struct checkpoint *checkpoint = NULL;
    char *path = run_folder_best_path(folder);
    double best = -1;
    if (path && file_exists(path) && checkpoint_open(&checkpoint, path, NULL) == SIMCLR_OK) {
        if (checkpoint_state(checkpoint)->best_is_held_out)
            best = checkpoint_state(checkpoint)->best_knn;
        else
            log_info(&folder->log,
                     "%s was chosen by test images, by an earlier version: from here on it is chosen by held-out "
                     "training images",
                     path);
    }
    checkpoint_close(&checkpoint);
    memory_free(path);
    return best;
}

static int newest_in(const char *path, bool *missing, const struct log *log, struct checkpoint **out,
                     struct error *error)
{
    size_t count;
    int64_t *steps;
    int status = list_steps(path, &steps, &count, missing, error);
    if (status != SIMCLR_OK) return status;
    for (size_t i = 0; i < count; i++) {
        char name[64];
        struct error reason = {0};
        snprintf(name, sizeof name, "step-%08lld.safetensors", (long long)steps[i]);
        char *file = file_join(path, name);
        status = file == NULL ? error_no_memory(&reason, "a path", strlen(path)) : checkpoint_open(out, file, &reason);
        memory_free(file);
        if (status == SIMCLR_OK) break;
        if (status == SIMCLR_NO_MEMORY) {
            error_set(error, status, "%s", reason.text);
            break;
        }
        log_warning(log, "a damaged checkpoint is skipped: %s", reason.text);
    }
    if (status != SIMCLR_OK && status != SIMCLR_NO_MEMORY)
        status = error_set(error, SIMCLR_CORRUPT,
                           "%s: none of the %zu checkpoints can be read: start again with --overwrite or another "
                           "folder",
                           path, count);
    memory_free(steps);
    return status;
}

int run_folder_newest(const char *path, const struct log *log, struct checkpoint **out, struct error *error)
{
    *out = NULL;
    char *checkpoints = file_join(path, "checkpoints");
    if (checkpoints == NULL) return error_no_memory(error, "a path", strlen(path));
    bool missing = false;
    int status = newest_in(checkpoints, &missing, log, out, error);
    if (status == SIMCLR_OK && missing) status = newest_in(path, NULL, log, out, error);
    memory_free(checkpoints);
    return status;
}

/* The first file of weights in a folder, or NULL. New string (memory_free). */
static char *weights_in(const char *folder)
{
    static const char *const endings[] = {".safetensors", ".pth", ".pt", ".ckpt", ".bin"};
    struct file_list names;
    char *found = NULL;
    if (file_list_folder(folder, &names, NULL)) return NULL;
    for (size_t k = 0; k < sizeof endings / sizeof *endings && !found; k++)
        for (size_t i = 0; i < names.count && !found; i++) {
            const size_t length = strlen(names.names[i]), count = strlen(endings[k]);
            if (length > count && strcmp(names.names[i] + length - count, endings[k]) == 0 &&
                strcmp(names.names[i], "classifier.safetensors") != 0) /* no encoder (docs/formats.md) */
                found = file_join(folder, names.names[i]);
        }
    file_list_free(&names);
    return found;
}

/* SIMCLR_OK: it is none. */
static int refuse_evaluation(const char *path, struct error *error)
{
    char *model;
    if (!evaluated_folder(path, &model)) return SIMCLR_OK;
    if (model)
        error_set(error, SIMCLR_IO,
                  "%.200s: is what simclr evaluate wrote, and holds no encoder: give the one that it "
                  "judged, %.200s",
                  path, model);
    else
        error_set(error, SIMCLR_IO,
                  "%.200s: is what simclr evaluate wrote, and holds no encoder: give the folder of a run", path);
    memory_free(model);
    return SIMCLR_IO;
}

/* No file that a folder could stand for is there. */
static int refuse_folder(const char *path, struct error *error)
{
    const int status = refuse_evaluation(path, error);
    if (status) return status;
    static const char *const places[] = {"checkpoints", "exported", ""};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        char *folder = file_join(path, places[i]), *weights = folder ? weights_in(folder) : NULL;
        memory_free(folder);
        if (!weights) continue;
        error_set(error, SIMCLR_IO,
                  "%s: holds neither a checkpoint of pretrain nor an exported encoder, but %s: give that file", path,
                  weights);
        memory_free(weights);
        return SIMCLR_IO;
    }
    return error_set(error, SIMCLR_IO,
                     "%s: holds neither a checkpoint nor an exported encoder: train one with simclr pretrain", path);
}

int run_folder_weights(const char *path, char **out, struct error *error)
{
    static const char *const names[] = {"checkpoints/finetune.safetensors", "exported/encoder.safetensors",
                                        "encoder.safetensors", "model.safetensors"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        *out = file_join(path, names[i]);
        if (!*out) return error_no_memory(error, "a path", strlen(path));
        if (file_exists(*out)) return SIMCLR_OK;
        memory_free(*out);
        *out = NULL;
    }
    return refuse_folder(path, error);
}
