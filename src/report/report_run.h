/* report/report_run.h -- what a run's folder says of the run. */
#ifndef REPORT_REPORT_RUN_H
#define REPORT_REPORT_RUN_H

#include <stdbool.h>

#include "base/json.h"
#include "config/config.h"
#include "report/judged.h"
#include "run/metrics.h"
#include "run/run_state.h"
#include "run/session.h"

/* Sentences, each once: what a warning or an error of the log says, what cannot be read. */
struct note {
    char *text;    /* as it was said first; names in it are as they are */
    int64_t times; /* how often, numbers apart */
    bool error;
};
struct notes {
    struct note *item;
    size_t count;
};
/* Adds a sentence, or counts it. SIMCLR_NO_MEMORY. */
int notes_add(struct notes *notes, const char *text, bool error);
void notes_free(struct notes *notes);

struct report_run {
    const char *path;      /* borrowed */
    char *named;           /* the path that its name is taken from */
    const char *name;      /* what it is called on the page: the last part of `named`, or report_runs_name's */
    enum command command;  /* that made it; COMMAND_COUNT: not known */
    struct config *config; /* of config.yaml; NULL: none that can be read */
    struct metrics_history metrics;
    struct json environment; /* empty: none that can be read */
    struct json result;      /* result.json of finetune and supervised; the same */
    struct notes said;       /* warnings and errors of train.log */
    int64_t held_out;        /* training images that choose the best checkpoint, as train.log has it; 0: not known */
    struct notes unread;     /* files that are damaged, each with the reason */
    enum run_state state;
    enum run_words words; /* the last of train.log: how it ended */
    double epoch;         /* that was reached; NaN: not known */
    double seconds;       /* of its steps (run_time.h); NaN: not known */
    bool paced;           /* these are of the pace of its steps */
    double silent;        /* since the last line of metrics; NaN */
    struct judged judged;
    char *judged_at; /* the checkpoint of the run that was judged where that is not the newest; else NULL */
    struct {
        char *what, *advice; /* NULL: nothing was left out */
    } not_judged;            /* an evaluation of another encoder, which is left out: words, and a command */
    size_t set;              /* the first run of the page that was judged on the same test images: its number */
    char *encoder; /* what commands take for it: `path`; of an evaluation alone the checkpoint that it names; NULL:
                    * neither is there */
    bool encoder_is_run; /* it is a folder that simclr report takes */
    char *audit_path;    /* audit.json, where there is one */
    char *hash;          /* run_encoder_hash's; NULL: it was not asked for */
};

/* Reads `path`. evaluation, audit: their folders, or "": where they usually lie, in the folder of the run or, if it is
 * of this run, in the present one. session: opens the run's encoder, to which an evaluation must belong; NULL: none is
 * opened, and any evaluation is taken. Release with report_run_close,
 * after a failure too. SIMCLR_IO where `path` is neither a run nor an evaluation, SIMCLR_NO_MEMORY. */
struct report_places {
    const char *evaluation, *audit;
    const struct session *session;
};
int report_run_open(struct report_run *run, const char *path, const struct report_places *places, struct error *error);
void report_run_close(struct report_run *run);
/* Names the runs of one page so that no two are alike: by as many of the last parts of their paths as that takes, and
 * by a number where a path is given twice. SIMCLR_NO_MEMORY. */
int report_runs_name(struct report_run *runs, size_t count, struct error *error);

/* The last value of a scalar, and its highest of those that are shares, 0 to 1; NaN: there is none. */
double report_run_last(const struct report_run *run, const char *name);
double report_run_highest(const struct report_run *run, const char *name, double *epoch);
/* The mean loss of the last epoch that has at least half as many steps as the longest: the few of a last one in part
 * say little. NaN: there is none. */
double report_run_epoch_loss(const struct report_run *run);
/* How many lines of metrics have it. */
size_t report_run_count(const struct report_run *run, const char *name);
/* How sure a share of the held-out images is: Wilson's interval at 95 %. images 0: their number is not known, or no
 * whole number of them makes this share. */
struct report_share {
    int64_t images;
    double low, high;
};
struct report_share report_run_knn(const struct report_run *run, double share);
/* A member of environment.json; NULL. */
const struct json_value *report_run_environment(const struct report_run *run, const char *name);

#endif
