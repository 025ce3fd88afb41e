/* train/run_folder.h -- the folder of a run: lock, configuration, log, metrics, checkpoints, exported encoder. */
#ifndef TRAIN_RUN_FOLDER_H
#define TRAIN_RUN_FOLDER_H

#include "checkpoint/checkpoint.h"
#include "train/metrics.h"
#include "train/session.h"

struct run_folder {
    char *path;
    int lock;                /* -1: not held */
    FILE *log_file;          /* train.log */
    struct log outer;        /* the session's own log, which train.log copies */
    struct session *session; /* whose log was redirected, or NULL */
    struct metrics metrics;  /* metrics.jsonl and the TensorBoard events; see run_folder_start */
};

/* Makes the folder if needed, locks it (SIMCLR_BUSY when another process uses it), and copies every log line of the
 * session to its train.log from now on. `folder` must not move while it is open. Close with run_folder_close, also
 * after a failure. */
int run_folder_open(struct run_folder *folder, struct session *session, const char *path, struct error *error);
void run_folder_close(struct run_folder *folder);

/* A line for train.log alone: how a command ended, which its caller is told by other means. */
void run_folder_note(struct run_folder *folder, enum log_level level, const char *line);

/* Removes what an earlier run left here (not train.log, which goes on). */
void run_folder_clear(const struct run_folder *folder);

/* True when an earlier run has left its configuration here. */
bool run_folder_holds_run(const struct run_folder *folder);

/* Writes config.yaml and environment.json, and opens the metrics at `step`: lines of later steps, which a killed run
 * wrote after its last checkpoint, are dropped. */
int run_folder_start(struct run_folder *folder, const struct dataset *dataset, int64_t step, bool tensorboard,
                     struct error *error);

/* checkpoints/step-<step>.safetensors, or checkpoints/best.safetensors (memory_free). */
char *run_folder_checkpoint_path(const struct run_folder *folder, int64_t step);
char *run_folder_best_path(const struct run_folder *folder);
/* Removes all step-* checkpoints but the `keep` newest. */
void run_folder_prune(const struct run_folder *folder, int64_t keep);

/* The newest checkpoint under `path` (a run folder or its checkpoints folder) that is whole; damaged ones are skipped
 * with a warning. *out NULL and SIMCLR_OK: there is none at all. SIMCLR_CORRUPT: there are some, none of them whole. */
int run_folder_newest(const char *path, const struct log *log, struct checkpoint **out, struct error *error);

/* exported/encoder.safetensors and exported/config.json (timm's keys). */
int run_folder_export(const struct run_folder *folder, const struct model *model, const struct view_policy *policy,
                      int64_t steps, struct error *error);
/* Reads back the config.json in the folder of the file `weights`: image size (kept when it has none), filter, mean and
 * std. False when there is no such file or it is not JSON of that kind; *policy is then the default for *size. */
bool exported_config_read(const char *weights, int *size, struct view_policy *policy);

/* train/environment.c: the machine, the build and the data set as JSON. */
int environment_write(const char *path, const struct session *session, const struct dataset *dataset,
                      struct error *error);

#endif
