/* run/run_folder.h -- the folder of a run: lock, configuration, log, metrics, checkpoints, exported encoder. */
#ifndef RUN_RUN_FOLDER_H
#define RUN_RUN_FOLDER_H

#include <pthread.h>

#include "base/log.h"
#include "checkpoint/checkpoint.h"
#include "data/dataset.h"
#include "run/metrics.h"
#include "run/session.h"

struct run_folder {
    char *path;
    int lock;       /* -1: not held */
    FILE *log_file; /* train.log */
    struct {
        pthread_mutex_t mutex; /* of it and of log_file: workers of the loader log too */
        FILE *file;            /* NULL: the run has started, its lines go to train.log */
        char *text;
        size_t length;
        bool of_another; /* the folder holds a run already */
    } held;              /* what was said before run_folder_start */
    struct log_tee tee;
    struct log log;         /* for all that the run says: goes to train.log and to the log the folder was opened with */
    const char *phase;      /* of several trainings in one folder: the one whose metrics run_folder_start goes on with,
                             * behind those of the ones before; NULL: there is one */
    struct metrics metrics; /* metrics.jsonl and the TensorBoard events; see run_folder_start */
    int64_t *whole;         /* [whole_count] steps whose checkpoints are known to be whole */
    size_t whole_count;
};

/* Makes the folder if needed and locks it (SIMCLR_BUSY when another process uses it). folder->log adds train.log to
 * `outer`; it is `outer` itself after a failure. Lines are held back until run_folder_start: a start that is refused
 * says nothing in the log of the run that is there. Where none is there they are written when the folder is closed.
 * `folder` must not move while it is open. Close with run_folder_close, also after a failure. */
int run_folder_open(struct run_folder *folder, const struct log *outer, const char *path, struct error *error);
/* The folder of a run that another process writes: a path and a log, and nothing is opened. */
int run_folder_leave(struct run_folder *folder, const struct log *log, const char *path, struct error *error);
void run_folder_close(struct run_folder *folder);

/* A line for train.log alone: how a command ended, which its caller is told by other means. */
void run_folder_note(struct run_folder *folder, enum log_level level, const char *text);

/* Removes what an earlier run left here (not train.log, which goes on). */
void run_folder_clear(const struct run_folder *folder);

/* True when an earlier run has left its configuration here. */
bool run_folder_holds_run(const struct run_folder *folder);

/* Writes config.yaml and environment.json, and opens the metrics at `step`: lines of later steps, which a killed run
 * wrote after its last checkpoint, are dropped. train.log gets what was held back; where the run starts from its
 * beginning, after a line that is RUN_FOLDER_BEGINS. */
#define RUN_FOLDER_BEGINS "a run begins; what stands above is not of it"
int run_folder_start(struct run_folder *folder, const struct session *session, const struct dataset *dataset,
                     int64_t step, struct error *error);

/* images.txt: how the run numbers the images of its set. Read before they are opened; *out is empty where there is no
 * checkpoint to go on from, none of it, or, with a warning, a damaged one. Written when the run starts or goes on. */
int run_folder_read_numbering(const struct run_folder *folder, struct numbering *out, struct error *error);
int run_folder_write_numbering(const struct run_folder *folder, const struct dataset *dataset, struct error *error);

/* checkpoints/step-<step>.safetensors, or checkpoints/best.safetensors (memory_free). */
char *run_folder_checkpoint_path(const struct run_folder *folder, int64_t step);
char *run_folder_best_path(const struct run_folder *folder);
/* A checkpoint that is written to see how long that takes, and goes again. */
char *run_folder_probe_path(const struct run_folder *folder);
/* Removes all step-* checkpoints that are older than the `keep` newest whole ones. Those of the steps in
 * `folder->whole` are known to be whole; others are read once. A damaged one does not count, and stays until whole ones
 * have followed. */
void run_folder_prune(struct run_folder *folder, int64_t keep);
/* The checkpoint of this step is whole: it was just written, or read. */
void run_folder_note_whole(struct run_folder *folder, int64_t step);
/* The kNN top-1 of the best checkpoint that is on the disk, by held-out training images. -1 where there is none that
 * can be read, or where it was chosen by test images, as versions of up to November 2026 did; then the log says so. */
double run_folder_best_knn(const struct run_folder *folder);

/* The newest checkpoint under `path` (a run folder or its checkpoints folder) that is whole; damaged ones are skipped
 * with a warning. *out NULL and SIMCLR_OK: there is none at all. SIMCLR_CORRUPT: there are some, none of them whole.
 * SIMCLR_IO: they cannot be listed. */
int run_folder_newest(const char *path, const struct log *log, struct checkpoint **out, struct error *error);

/* The file of weights that a folder without a newest checkpoint stands for: what fine-tuning left, an exported encoder.
 * New string (memory_free). SIMCLR_IO: there is none; the sentence names other weights that lie there. */
int run_folder_weights(const char *path, char **out, struct error *error);

#endif
