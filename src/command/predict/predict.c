/* command/predict/predict.c -- simclr predict: the class of each image, by a trained encoder and its classifier. */
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "command/commands.h"
#include "command/predict/images.h"
#include "command/predict/names.h"
#include "data/dataset.h"
#include "run/model_open.h"

struct predict {
    struct session *session;
    struct classifier classifier;
    struct model *model;
    struct view_policy policy;
    struct writer writer;
    struct predictor *predictor; /* NULL: not planned yet; with it: */
    struct images images;
    int64_t count, bad; /* of images: so far */
    struct tally named; /* of the pictures that were named one by one */
};

/* ---- the network, planned for so many images at once ---- */

static void end_batches(struct predict *predict)
{
    predict->count += predict->images.count;
    predict->bad += predict->images.bad;
    if (predict->predictor) images_close(&predict->images);
    predictor_close(&predict->predictor);
}

/* A network computes all of its batch, so a few images get a small one. */
static int begin_batches(struct predict *predict, int64_t images, struct error *error)
{
    const int64_t most = predict->session->config->batch;
    const int batch = (int)(images < most ? images : most);
    if (predict->predictor && predict->images.batch == batch) return SIMCLR_OK;
    end_batches(predict);
    const int status = predictor_open(&predict->predictor, predict->session, predict->model, &predict->policy,
                                      &predict->classifier, batch, error);
    return status ? status
                  : images_open(&predict->images, predict->session, predict->predictor, &predict->classifier,
                                &predict->writer, batch, error);
}

static int judge(struct predict *predict, const struct listing *listing, struct tally *tally, struct error *error)
{
    if (listing_count(listing) == 0) return SIMCLR_OK;
    const int status = begin_batches(predict, listing_count(listing), error);
    return status ? status : images_judge(&predict->images, listing, tally, error);
}

/* ---- where images come from ---- */

/* Said after the lines: no image is read twice for it. */
static void say_tally(const struct predict *predict, const struct tally *tally, const char *name)
{
    tally_say_profiles(tally, false, &predict->session->log);
    tally_say_deep(tally, name, &predict->session->log);
}

static int judge_part(struct predict *predict, const char *path, enum dataset_part part, struct error *error)
{
    const struct session *session = predict->session;
    const struct config *config = session->config;
    struct dataset_config set = dataset_config_default();
    struct listing *listing = NULL;
    struct tally tally = {0};
    set.path = path;
    set.part = part;
    set.stl10_part = config->stl10_part;
    set.subset = config->subset[0] ? config->subset : NULL;
    if (config->synthetic_images > 0) set.synthetic_count = config->synthetic_images;
    int status = listing_open(&listing, &set, session->pool, &session->log, error);
    if (!status) {
        log_info(&session->log, "%s: %" PRId64 " images", path, listing_count(listing));
        status = judge(predict, listing, &tally, error);
        say_tally(predict, &tally, path);
    }
    listing_close(&listing);
    return status;
}

/* What --part test asks for must be there. */
static int find_test_part(const struct predict *predict, const char *path, bool *out, struct error *error)
{
    const int status = dataset_has_test_part(path, out, error);
    if (status || *out || strcmp(predict->session->config->part, "test") != 0) return status;
    return error_set(error, SIMCLR_DATA, "%s: there is no test or val part: leave --part out", path);
}

static int judge_set(struct predict *predict, const char *path, struct error *error)
{
    const char *part = predict->session->config->part;
    const bool train = strcmp(part, "test") != 0, test = strcmp(part, "train") != 0;
    bool has_test = false;
    int status = test ? find_test_part(predict, path, &has_test, error) : SIMCLR_OK;
    if (!status && train) status = judge_part(predict, path, DATASET_TRAIN, error);
    if (!status && has_test) status = judge_part(predict, path, DATASET_TEST, error);
    return status;
}

/* Each name that comes, at once. */
static int judge_standard_input(struct predict *predict, struct error *error)
{
    struct names names = {0};
    const char *name = NULL;
    int status = names_open(&names, STDIN_FILENO, session_stop_request(predict->session), error);
    if (!status) status = begin_batches(predict, 1, error);
    while (!status && !(status = names_next(&names, &name, error)) && name) {
        struct listing *one = NULL;
        status = listing_add_picture(&one, name, error);
        if (!status) status = images_judge(&predict->images, one, &predict->named, error);
        listing_close(&one);
    }
    if (!status && names.number == 0)
        status = error_set(error, SIMCLR_DATA, "standard input: is empty: give the names of images, one a line");
    names_close(&names);
    return status;
}

/* ---- the words of the command line, one a line ---- */

static char *next_word(char **words)
{
    char *word = strsep(words, "\n");
    while (word && word[0] == '\0') word = strsep(words, "\n");
    return word;
}

static bool is_standard_input(const char *word)
{
    return strcmp(word, "-") == 0;
}

/* A word that can be no set is told before the first line. */
static int check_words(const struct predict *predict, char *words, struct error *error)
{
    const struct config *config = predict->session->config;
    const bool test = strcmp(config->part, "test") == 0;
    int status = SIMCLR_OK, inputs = 0, sets = 0;
    bool found;
    for (char *word; !status && (word = next_word(&words)) != NULL;) {
        if (is_standard_input(word)) {
            if (++inputs > 1)
                status = error_set(error, SIMCLR_INVALID, "- stands for standard input, and can be given once");
        } else if (!listing_is_picture(word)) {
            status = test ? find_test_part(predict, word, &found, error) : listing_look(word, error);
            sets++;
        }
    }
    if (!status && config->subset[0] && sets == 0)
        return error_set(error, SIMCLR_INVALID, "--subset goes with a set: it names images of that, and none is given");
    return status;
}

/* Pictures that follow each other go together. */
static int judge_words(struct predict *predict, char *words, struct error *error)
{
    struct listing *pictures = NULL;
    int status = SIMCLR_OK;
    for (char *word; !status && (word = next_word(&words)) != NULL;) {
        if (!is_standard_input(word) && listing_is_picture(word)) {
            status = listing_add_picture(&pictures, word, error);
            continue;
        }
        if (pictures) status = judge(predict, pictures, &predict->named, error);
        listing_close(&pictures);
        if (!status)
            status = is_standard_input(word) ? judge_standard_input(predict, error) : judge_set(predict, word, error);
    }
    if (!status && pictures) status = judge(predict, pictures, &predict->named, error);
    listing_close(&pictures);
    return status;
}

/* ---- the command ---- */

static int open_model(struct predict *predict, struct error *error)
{
    const struct config *config = predict->session->config;
    char *encoder;
    int status = predictor_find(&predict->classifier, &encoder, config->checkpoint, config->classifier, error);
    if (status) return status;
    const struct classifier *classifier = &predict->classifier;
    writer_open(&predict->writer, predict->session, classifier);
    log_info(&predict->session->log, "classifier: %d classes, temperature %.4g%s", classifier->classes,
             classifier->temperature, classifier->novelty.rows ? "" : "; it cannot tell what is unlike its training");
    status = model_open(predict->session, encoder, &predict->model, &predict->policy, error);
    memory_free(encoder);
    /* That it is the right one is said before a line is written. */
    return status ? status : begin_batches(predict, 1, error);
}

static int check_bad(const struct predict *predict, struct error *error)
{
    const double most = predict->session->config->max_bad;
    if (predict->count == 0) return error_set(error, SIMCLR_DATA, "predict: there are no images");
    if ((double)predict->bad <= most * (double)predict->count) return SIMCLR_OK;
    return error_set(error, SIMCLR_DATA,
                     "%" PRId64 " of %" PRId64 " images cannot be read, more than --max-bad %g accepts; their lines "
                     "have no label",
                     predict->bad, predict->count, most);
}

int command_predict(struct session *session, struct error *error)
{
    struct predict predict = {.session = session};
    char *words = memory_string(session->config->pictures), *looked_at = memory_string(session->config->pictures);
    int status = words && looked_at ? SIMCLR_OK : error_no_memory(error, "names", strlen(session->config->pictures));
    if (!status) status = open_model(&predict, error);
    if (!status) status = check_words(&predict, looked_at, error);
    if (!status) status = writer_begin(&predict.writer, error);
    if (!status) status = judge_words(&predict, words, error);
    say_tally(&predict, &predict.named, "predict");
    end_batches(&predict);
    if (!status) status = check_bad(&predict, error);
    writer_close(&predict.writer);
    model_destroy(&predict.model);
    classifier_free(&predict.classifier);
    memory_free(words);
    memory_free(looked_at);
    return status;
}
