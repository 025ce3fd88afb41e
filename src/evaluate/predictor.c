/* evaluate/predictor.c -- see predictor.h. */
#include "evaluate/predictor.h"

#include <inttypes.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "run/evaluated.h"
#include "run/features.h"
#include "run/run_folder.h"

/* ---- the files -------------------------------------------------------------------------------------------------- */

/* "folder/name" or "folder/inner/name" where that is a file; NULL: it is none, or (*failed) memory is short. */
static char *file_in(const char *folder, const char *inner, const char *name, bool *failed)
{
    char *place = inner ? file_join(folder, inner) : memory_string(folder);
    char *path = place ? file_join(place, name) : NULL;
    memory_free(place);
    *failed |= !path;
    if (path && file_exists(path)) return path;
    memory_free(path);
    return NULL;
}

static int find_given(char **out, const char *given, struct error *error)
{
    bool failed = false;
    *out = file_is_folder(given) ? file_in(given, NULL, CLASSIFIER_FILE, &failed) : memory_string(given);
    if (*out) return SIMCLR_OK;
    if (failed || !file_is_folder(given)) return error_no_memory(error, "a path", strlen(given));
    return error_set(error, SIMCLR_INVALID, "--classifier %s: this folder has no " CLASSIFIER_FILE, given);
}

static int find_beside(char **out, const char *model, struct error *error)
{
    enum file_kind kind;
    bool failed = false;
    char *judged;
    *out = NULL;
    const int status = file_look_at(model, &kind, error);
    if (status) return status;
    if (kind == FILE_NONE) return error_set(error, SIMCLR_INVALID, "%s: there is no such model", model);
    if (kind == FILE_OTHER) {
        *out = memory_string(model);
        return *out ? SIMCLR_OK : error_no_memory(error, "a path", strlen(model));
    }
    *out = file_in(model, NULL, CLASSIFIER_FILE, &failed);
    if (!*out && !failed) *out = file_in(model, "evaluation", CLASSIFIER_FILE, &failed);
    if (*out) return SIMCLR_OK;
    char *exported = failed ? NULL : file_in(model, NULL, "model.safetensors", &failed);
    const bool is_export = exported != NULL;
    memory_free(exported);
    if (failed) return error_no_memory(error, "a path", strlen(model));
    if (is_export)
        return error_set(
            error, SIMCLR_INVALID,
            "%.160s: is an export, whose classifier, if it has one, is for other programs: give the folder "
            "that was exported, or a classifier of this encoder with --classifier",
            model);
    if (evaluated_folder(model, &judged)) {
        error_set(error, SIMCLR_INVALID,
                  "%.160s: is an evaluation without `linear`, which would have left " CLASSIFIER_FILE
                  ": simclr evaluate "
                  "%.160s --data SET --protocols linear writes one into its folder, which --classifier takes",
                  model, judged ? judged : "RUN");
        memory_free(judged);
        return SIMCLR_INVALID;
    }
    return error_set(error, SIMCLR_INVALID,
                     "%.160s: has no " CLASSIFIER_FILE ": simclr evaluate %.80s --data SET writes one into its folder, "
                     "which --classifier takes; so do simclr finetune and simclr supervised",
                     model, model);
}

/* Has the folder a checkpoint, or an exported encoder? */
static int holds_encoder(bool *out, const char *path, struct error *error)
{
    struct error reason = {0};
    char *weights = NULL, *checkpoints = file_join(path, "checkpoints");
    struct file_list list = {0};
    bool missing = true;
    int status = checkpoints ? file_list_if_there(checkpoints, &list, &missing, error)
                             : error_no_memory(error, "a path", strlen(path));
    *out = !status && !missing && list.count > 0;
    if (!status && !*out) {
        const int found = run_folder_weights(path, &weights, &reason);
        *out = found == SIMCLR_OK;
        if (found == SIMCLR_NO_MEMORY) status = error_set(error, found, "%s", reason.text);
    }
    file_list_free(&list);
    memory_free(weights);
    memory_free(checkpoints);
    return status;
}

static int find_encoder(char **out, const struct classifier *classifier, const char *model, bool given,
                        struct error *error)
{
    bool here = given;
    const char *remembered = classifier->encoder.path;
    if (!given && file_is_folder(model)) {
        const int status = holds_encoder(&here, model, error);
        if (status) return status;
    }
    if (!here && !remembered)
        return error_set(error, SIMCLR_INVALID,
                         "%s: holds a classifier without its encoder: give the encoder in its place, and this one "
                         "with --classifier",
                         model);
    if (!here && !file_exists(remembered) && !file_is_folder(remembered))
        return error_set(error, SIMCLR_INVALID,
                         "%.120s: its encoder was at %.160s, and is no longer there: give the encoder in its place, "
                         "and this one with --classifier",
                         model, remembered);
    *out = memory_string(here ? model : remembered);
    return *out ? SIMCLR_OK : error_no_memory(error, "a path", strlen(model));
}

int predictor_find(struct classifier *out, char **encoder, const char *model, const char *given, struct error *error)
{
    char *path = NULL;
    *out = (struct classifier){0};
    *encoder = NULL;
    int status = given[0] ? find_given(&path, given, error) : find_beside(&path, model, error);
    if (!status) status = classifier_read(out, path, error);
    if (!status && !out->encoder.known)
        status = error_set(error, SIMCLR_INVALID,
                           "%s: was made for a table of features, and no encoder is known that makes such: make one "
                           "with simclr evaluate MODEL --data SET",
                           path);
    if (!status) status = find_encoder(encoder, out, model, given[0] != '\0', error);
    memory_free(path);
    if (status) classifier_free(out);
    return status;
}

/* ---- images ----------------------------------------------------------------------------------------------------- */

struct predictor {
    const struct session *session;
    const struct classifier *classifier;
    struct view_policy policy;
    struct feature_rows *rows;
    float *values; /* [batch][dim] */
    int batch;
};

static int check_encoder(const struct classifier *classifier, const struct model *model, struct error *error)
{
    const struct classifier_encoder *encoder = &classifier->encoder;
    const uint64_t hash = parameters_encoder_hash(&model->parameters);
    if (hash != encoder->hash)
        return error_set(error, SIMCLR_INVALID,
                         "the classifier was made for another encoder (hash %016" PRIx64
                         ", and this one has %016" PRIx64
                         "): give that encoder, or make a classifier for this one with simclr evaluate",
                         encoder->hash, hash);
    if (encoder->layer > model_layers(&model->config))
        return error_set(error, SIMCLR_INVALID,
                         "the classifier stands on layer %d of the projection head, which this encoder has not: give "
                         "the network that it was made for (exported encoders have no head)",
                         encoder->layer);
    const int dim = model_layer_dim(&model->config, encoder->layer);
    if (dim == classifier->dim) return SIMCLR_OK;
    return error_set(error, SIMCLR_CORRUPT,
                     "the classifier takes %d features and the encoder makes %d: the file is damaged, make it anew",
                     classifier->dim, dim);
}

/* Images as those that the classifier was fitted to. */
static void see_as(const struct classifier_encoder *encoder, struct view_policy *policy)
{
    policy->size = encoder->image_size;
    policy->filter = encoder->filter;
    policy->normalize = encoder->normalize;
    memcpy(policy->mean, encoder->mean, sizeof policy->mean);
    memcpy(policy->std, encoder->std, sizeof policy->std);
}

static int open_rows(struct predictor *predictor, struct model *model, struct error *error)
{
    const int layer = predictor->classifier->encoder.layer;
    const struct feature_rows_config config = {.kind = features_of_layer(layer),
                                               .model = model,
                                               .layer = layer,
                                               .size = predictor->policy.size,
                                               .batch = predictor->batch};
    const int status = feature_rows_open(&predictor->rows, predictor->session, &config, error);
    if (status) return status;
    predictor->policy.type = feature_rows_type(predictor->rows);
    const size_t values = (size_t)predictor->batch * (size_t)predictor->classifier->dim;
    predictor->values = memory_array(values, sizeof *predictor->values);
    return predictor->values ? SIMCLR_OK : error_no_memory(error, "a batch of features", values * sizeof(float));
}

int predictor_open(struct predictor **out, const struct session *session, struct model *model,
                   const struct view_policy *policy, const struct classifier *classifier, int batch,
                   struct error *error)
{
    *out = NULL;
    int status = check_encoder(classifier, model, error);
    if (status) return status;
    struct predictor *predictor = memory_allocate(sizeof *predictor);
    if (!predictor) return error_no_memory(error, "a predictor", sizeof *predictor);
    *predictor = (struct predictor){.session = session, .classifier = classifier, .policy = *policy, .batch = batch};
    see_as(&classifier->encoder, &predictor->policy);
    status = open_rows(predictor, model, error);
    if (status)
        predictor_close(&predictor);
    else
        *out = predictor;
    return status;
}

void predictor_close(struct predictor **predictor)
{
    if (!*predictor) return;
    feature_rows_close(&(*predictor)->rows);
    memory_free((*predictor)->values);
    memory_free(*predictor);
    *predictor = NULL;
}

const struct view_policy *predictor_policy(const struct predictor *predictor)
{
    return &predictor->policy;
}

size_t predictor_view_bytes(const struct predictor *predictor)
{
    const size_t size = (size_t)predictor->policy.size;
    return 3 * size * size * view_type_bytes(predictor->policy.type);
}

int predictor_run(struct predictor *predictor, const void *views, int count, const char *const *names,
                  const struct classified *out, struct error *error)
{
    const struct classifier *classifier = predictor->classifier;
    int status = feature_rows_run(predictor->rows, views, count, predictor->values, error);
    for (int i = 0; !status && i < count; i++)
        status = features_check_row(names[i], predictor->values + (int64_t)i * classifier->dim, classifier->dim, error);
    return status ? status
                  : classifier_judge(predictor->session->backend, classifier, predictor->values, count, out, error);
}
