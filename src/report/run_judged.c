/* report/run_judged.c -- see run_judged.h. */
#include "report/run_judged.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "report/sections.h"
#include "run/model_open.h"

enum { HASH_TEXT = 17 };

struct finder {
    struct report_run *run;
    const struct session *session;
};

/* ---- encoders ---------------------------------------------------------------------------------------------------- */

/* "" where there is none that can be read; who draws from it says why. */
static int hash_of(char out[HASH_TEXT], const struct session *session, const char *path, struct error *error)
{
    struct session silent = session_derive(session, NULL, (struct log){.write = NULL});
    struct view_policy policy;
    struct model *model = NULL;
    struct error reason = {0};
    out[0] = '\0';
    const int status = model_open(&silent, path, &model, &policy, &reason);
    if (!status) snprintf(out, HASH_TEXT, "%016" PRIx64, parameters_encoder_hash(&model->parameters));
    model_destroy(&model);
    return status == SIMCLR_NO_MEMORY ? error_no_memory(error, "an encoder", 1) : SIMCLR_OK;
}

int run_encoder_hash(const char **hash, struct report_run *run, const struct session *session, struct error *error)
{
    char digits[HASH_TEXT];
    if (!run->hash) {
        const int status = hash_of(digits, session, run->path, error);
        if (status) return status;
        run->hash = memory_string(digits);
        if (!run->hash) return error_no_memory(error, "a hash", HASH_TEXT);
    }
    *hash = run->hash;
    return SIMCLR_OK;
}

/* Is the checkpoint that was judged this run's? Both are looked at as files. */
static bool is_of_run(const char *named, const char *run_path)
{
    char run[PATH_MAX], checkpoint[PATH_MAX];
    if (!realpath(run_path, run) || !realpath(named, checkpoint)) return false;
    const size_t length = strlen(run);
    return strncmp(checkpoint, run, length) == 0 && (checkpoint[length] == '\0' || checkpoint[length] == '/');
}

/* *path is kept as run->judged_at where the encoder there has this hash, else released. */
static int try_checkpoint(struct finder *finder, char *path, const char *hash, struct error *error)
{
    char theirs[HASH_TEXT] = "";
    int status = SIMCLR_OK;
    if (!finder->run->judged_at && file_exists(path) && !file_is_folder(path))
        status = hash_of(theirs, finder->session, path, error);
    if (status || strcmp(theirs, hash) != 0)
        memory_free(path);
    else
        finder->run->judged_at = path;
    return status;
}

/* Another checkpoint of the run than the newest: the one that was named, or the best. */
static int find_checkpoint(struct finder *finder, const char *hash, struct error *error)
{
    const struct report_run *run = finder->run;
    char *named = words_of_json(judged_member(&run->judged, "checkpoint"));
    char *best = file_join(run->path, "checkpoints/best.safetensors");
    if (!named || !best) {
        memory_free(named);
        memory_free(best);
        return error_no_memory(error, "a path", strlen(run->path));
    }
    if (!is_of_run(named, run->path)) named[0] = '\0';
    const int status = try_checkpoint(finder, named, hash, error);
    if (!status) return try_checkpoint(finder, best, hash, error);
    memory_free(best);
    return status;
}

/* ---- another encoder's ------------------------------------------------------------------------------------------- */

static int leave_out(struct finder *finder, const char *folder, const char *hash, struct error *error)
{
    struct report_run *run = finder->run;
    struct text what = {0}, advice = {0};
    char *data = words_of_json(judged_member(&run->judged, "data"));
    text_add(&what, "evaluation in %s is of another encoder (hash %s, and this run has %s): its figures are left out",
             folder, hash, run->hash);
    text_add(&advice, "simclr evaluate ");
    text_add_shell(&advice, run->path);
    text_add(&advice, " --data ");
    text_add_shell(&advice, data && data[0] ? data : "LABELLED");
    text_add(&advice, " --out ");
    char *out = file_join(run->path, "evaluation");
    text_add_shell(&advice, out ? out : "");
    const bool whole = data && out && !what.failed && !advice.failed;
    if (whole && !run->not_judged.what) {
        run->not_judged.what = memory_string(what.bytes);
        run->not_judged.advice = memory_string(advice.bytes);
    }
    memory_free(data);
    memory_free(out);
    text_free(&what);
    text_free(&advice);
    judged_free(&run->judged);
    if (whole && run->not_judged.what && run->not_judged.advice) return SIMCLR_OK;
    return error_no_memory(error, "an evaluation", 1);
}

/* Leaves the evaluation out where it is of no encoder of the run. */
static int compare(struct finder *finder, const char *folder, struct error *error)
{
    const struct json_value *hash = judged_member(&finder->run->judged, "encoder_hash");
    if (!finder->session || !json_is(hash, JSON_STRING)) return SIMCLR_OK;
    const char *newest;
    int status = run_encoder_hash(&newest, finder->run, finder->session, error);
    if (status || newest[0] == '\0' || strcmp(hash->string, newest) == 0) return status;
    status = find_checkpoint(finder, hash->string, error);
    return status || finder->run->judged_at ? status : leave_out(finder, folder, hash->string, error);
}

/* ---- places ------------------------------------------------------------------------------------------------------ */

static int look_in(struct finder *finder, const char *folder, bool must_be_of_run, struct error *error)
{
    struct judged *judged = &finder->run->judged;
    char *path = file_join(folder, "evaluation.json");
    if (!path) return error_no_memory(error, "a path", strlen(folder));
    int status = judged_read(judged, path, error);
    memory_free(path);
    if (must_be_of_run && status != SIMCLR_NO_MEMORY) status = SIMCLR_OK;
    if (status || !judged_is_there(judged)) return status;
    const struct json_value *named = judged_member(judged, "checkpoint");
    if (must_be_of_run && !(json_is(named, JSON_STRING) && is_of_run(named->string, finder->run->path))) {
        judged_free(judged);
        return SIMCLR_OK;
    }
    return compare(finder, folder, error);
}

/* In the run's folder, the folder itself, or the present one. */
static int look_around(struct finder *finder, struct error *error)
{
    struct report_run *run = finder->run;
    char *inside = file_join(run->path, "evaluation");
    if (!inside) return error_no_memory(error, "a path", strlen(run->path));
    int status = look_in(finder, inside, false, error);
    memory_free(inside);
    if (!status && !judged_is_there(&run->judged)) status = look_in(finder, run->path, false, error);
    if (!status && !judged_is_there(&run->judged)) status = look_in(finder, "evaluation", true, error);
    if (!judged_is_there(&run->judged)) return status;
    memory_free(run->not_judged.what); /* of an older one, which is not needed */
    memory_free(run->not_judged.advice);
    run->not_judged.what = run->not_judged.advice = NULL;
    return status;
}

int run_judged_find(struct report_run *run, const char *given, const struct session *session, struct error *error)
{
    struct finder finder = {.run = run, .session = session};
    if (!given[0]) return look_around(&finder, error);
    const int status = look_in(&finder, given, false, error);
    if (status || judged_is_there(&run->judged) || run->not_judged.what) return status;
    return error_set(error, SIMCLR_IO, "%s: has no evaluation.json: give the folder of simclr evaluate --out", given);
}
