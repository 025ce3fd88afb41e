/* evaluate/save_features.c -- --features-out: the encoder's features and labels as arrays, for other programs. */
#include "base/npy.h"
#include "base/text.h"
#include "evaluate/evaluation.h"
#include "run/outputs.h"

int evaluation_check_outputs(const struct session *session, struct error *error)
{
    static const char *const endings[] = {"-train.npy", "-train-labels.npy", "-test.npy", "-test-labels.npy"};
    const struct config *config = session->config;
    if (!communicator_leads(session->communicator)) return SIMCLR_OK; /* of several ranks the first writes */
    int status = config->predictions[0] ? outputs_check(config, "predictions", config->predictions, error) : SIMCLR_OK;
    for (int i = 0; i < 4 && !status && config->features_out[0]; i++) {
        struct text path = {0};
        text_add(&path, "%s%s", config->features_out, endings[i]);
        status = path.failed ? error_no_memory(error, "a path", path.capacity)
                             : outputs_check(config, "features-out", path.bytes, error);
        text_free(&path);
    }
    return status;
}

/* PREFIX-train.npy and PREFIX-train-labels.npy, or the same with "test". */
static int save_part(const char *prefix, const char *part, const struct features *features, struct error *error)
{
    struct text path = {0};

    text_add(&path, "%s-%s.npy", prefix, part);
    int status = path.failed ? error_no_memory(error, "a path", path.capacity) : SIMCLR_OK;
    if (status == SIMCLR_OK) {
        status = npy_write_float(path.bytes, features->values, features->count, features->dim, error);
    }
    path.length = 0;
    text_add(&path, "%s-%s-labels.npy", prefix, part);
    if (status == SIMCLR_OK && path.failed) status = error_no_memory(error, "a path", path.capacity);
    if (status == SIMCLR_OK) status = npy_write_int(path.bytes, features->labels, features->count, error);
    text_free(&path);
    return status;
}

int evaluation_save_features(const struct session *session, const struct features *train, const struct features *test,
                             struct error *error)
{
    const char *prefix = session->config->features_out;

    if (prefix[0] == '\0' || !communicator_leads(session->communicator)) return SIMCLR_OK;
    const int status = save_part(prefix, "train", train, error);
    return status == SIMCLR_OK ? save_part(prefix, "test", test, error) : status;
}
