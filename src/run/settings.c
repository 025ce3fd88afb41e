/* run/settings.c -- see settings.h. */
#include "run/settings.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/format.h"
#include "base/memory.h"
#include "base/number.h"
#include "data/shared.h"
#include "run/ranks.h"

enum { SIZE_MAX_AUTO = 224, SIZE_UNKNOWN = 32, SMALL_IMAGE = 64 };

/* ---- resolving ---- */

int session_resolve_number(struct session *session, const char *name, double value, struct error *error)
{
    char text[40];
    format_write(text, sizeof text, "%.17g", value);
    return config_resolve(session->settings, name, text, error);
}

/* Of the network of --encoder. */
static int least_size(const struct session *session)
{
    enum encoder_kind kind = ENCODER_RESNET;
    (void)model_find_encoder(session->config->encoder, &kind); /* one of the option's choices */
    return model_least_size(kind);
}

int session_resolve_size(struct session *session, const struct dataset *dataset, struct error *error)
{
    if (dataset == NULL || !config_is_auto(session->config, "image-size")) return SIMCLR_OK;
    int width, height;
    dataset_max_size(dataset, &width, &height);
    const int side = dataset_typical_side(dataset), largest = width < height ? width : height;
    const int least = least_size(session), size = side < least ? least : side > SIZE_MAX_AUTO ? SIZE_MAX_AUTO : side;
    const char *median = side < least                             ? "the network's least; "
                         : size < largest && size < SIZE_MAX_AUTO ? "the median of their shorter sides; "
                                                                  : "";
    log_info(&session->log, "image size: %d (%sthe images are up to %d x %d)", size, median, width, height);
    return session_resolve_number(session, "image-size", size, error);
}

static int resolve_views(struct session *session, int size, struct error *error)
{
    const struct config *config = session->config;
    const bool automatic = config_is_auto(config, "view-preset") || strcmp(config->view_preset, "auto") == 0;
    const bool cifar = automatic ? size <= SMALL_IMAGE : strcmp(config->view_preset, "cifar") == 0;
    const struct view_policy preset = cifar ? view_policy_cifar(size) : view_policy_imagenet(size);
    const int radius = size / 10 / 2; /* whole pixels */
    int status = config_resolve(session->settings, "view-preset", cifar ? "cifar" : "imagenet", error);
    if (status == SIMCLR_OK) status = session_resolve_number(session, "jitter-strength", preset.jitter_strength, error);
    if (status == SIMCLR_OK)
        status = session_resolve_number(session, "blur-probability", preset.blur_probability, error);
    if (status == SIMCLR_OK &&
        config->image_size_schedule[0] == '\0') /* else each size has its own, or the given one */
        status = session_resolve_number(session, "blur-radius", radius, error);
    if (status == SIMCLR_OK)
        log_info(&session->log,
                 "views: %s preset%s: crop of %g-%g of the area, jitter strength %g, blur probability %g",
                 config->view_preset, automatic ? " by the image size" : "", config->crop_area_min,
                 config->crop_area_max, config->jitter_strength, config->blur_probability);
    return status;
}

static int resolve_training(struct session *session, int size, struct error *error)
{
    const struct config *config = session->config;
    const double tenth = (double)config->epochs / 10;
    double rate =
        size <= SMALL_IMAGE ? 1 : 0.3; /* LARS: 0.3 is the paper's for ImageNet; its CIFAR-10 rates are higher */
    if (strcmp(config->optimizer, "sgd") == 0)
        rate = 0.05;
    else if (strcmp(config->optimizer, "adamw") == 0)
        rate = 0.001;
    else if (strcmp(config->scaling, "sqrt") == 0)
        rate = 0.075;
    int status = session_resolve_number(session, "warmup-epochs", tenth > 10 ? 10 : tenth, error);
    if (status == SIMCLR_OK) status = session_resolve_number(session, "learning-rate", rate, error);
    if (status == SIMCLR_OK)
        status = session_resolve_number(session, "temperature", size <= SMALL_IMAGE ? 0.5 : 0.1, error);
    return status;
}

static int image_size_of(const struct session *session)
{
    if (session->config->image_size > 0) return (int)session->config->image_size;
    const int size = session->traits.image_size > 0 ? session->traits.image_size : SIZE_UNKNOWN;
    const int least = least_size(session);
    return size < least ? least : size;
}

int session_resolve(struct session *session, const struct dataset *dataset, struct error *error)
{
    int status = session_resolve_size(session, dataset, error);
    const int size = image_size_of(session);
    if (status == SIMCLR_OK) status = resolve_views(session, size, error);
    if (status == SIMCLR_OK) status = resolve_training(session, size, error);
    return status;
}

/* ---- turning ---- */

static enum stem stem_of(const struct config *config)
{
    if (strcmp(config->stem, "imagenet") == 0) return STEM_IMAGENET;
    return strcmp(config->stem, "cifar") == 0 ? STEM_CIFAR : STEM_AUTO;
}

int session_model_config(const struct session *session, int classes, struct model_config *out, struct error *error)
{
    const struct config *config = session->config;
    *out = (struct model_config){
        .image_size = image_size_of(session),
        .head_layers = (int)config->head_layers,
        .head_dim = (int)config->head_dim,
        .classes = classes,
    };
    (void)model_find_encoder(config->encoder, &out->encoder); /* one of the option's choices */
    if (out->encoder == ENCODER_ALEXNET)
        out->alexnet.width = config->width;
    else
        out->resnet = (struct resnet_config){(int)config->depth, config->width, stem_of(config)};
    return model_config_check(out, error);
}

bool session_parse_rgb(const char *text, double rgb[3])
{
    for (int i = 0; i < 3; i++) {
        char *end;
        rgb[i] = number_read(text, &end);
        if (end == text || (i < 2 && *end != ',')) return false;
        text = end + 1;
    }
    return true;
}

int session_view_policy(const struct session *session, struct view_policy *out, struct error *error)
{
    const struct config *config = session->config;
    const int size = image_size_of(session);
    struct view_policy policy = view_policy_default(size);
    if (strcmp(config->view_preset, "cifar") == 0)
        policy = view_policy_cifar(size);
    else if (strcmp(config->view_preset, "imagenet") == 0)
        policy = view_policy_imagenet(size);
    policy.simd = session->simd;
    policy.filter = strcmp(config->crop_filter, "bilinear") == 0 ? RESAMPLE_BILINEAR : RESAMPLE_BICUBIC;
    policy.crop_probability = config->crop_probability;
    policy.crop_area_min = config->crop_area_min;
    policy.crop_area_max = config->crop_area_max;
    policy.crop_ratio_min = config->crop_ratio_min;
    policy.crop_ratio_max = config->crop_ratio_max;
    policy.flip_probability = config->flip_probability;
    policy.jitter_probability = config->jitter_probability;
    if (!config_is_auto(config, "jitter-strength")) policy.jitter_strength = config->jitter_strength;
    policy.brightness = config->brightness;
    policy.contrast = config->contrast;
    policy.saturation = config->saturation;
    policy.hue = config->hue;
    policy.gray_probability = config->gray_probability;
    if (!config_is_auto(config, "blur-probability")) policy.blur_probability = config->blur_probability;
    policy.blur_sigma_min = config->blur_sigma_min;
    policy.blur_sigma_max = config->blur_sigma_max;
    if (!config_is_auto(config, "blur-radius")) policy.blur_radius = (int)config->blur_radius;
    policy.solarize_probability = config->solarize_probability;
    policy.rotate_probability = config->rotate_probability;
    policy.sobel_probability = config->sobel_probability;
    policy.sobel_strength = config->sobel_strength;
    policy.noise_probability = config->noise_probability;
    policy.noise_sigma = config->noise_sigma;
    policy.cutout_probability = config->cutout_probability;
    policy.cutout_size = config->cutout_size;
    policy.one_branch = config->one_branch;
    policy.normalize = session_parse_rgb(config->mean, policy.mean) && session_parse_rgb(config->std, policy.std);
    if (!view_policy_set_order(&policy, config->view_order))
        return error_set(
            error, SIMCLR_INVALID,
            "--view-order %.100s: give some of rotate, jitter, gray, blur, solarize, sobel, noise and cutout, each "
            "once, with commas between",
            config->view_order);
    if (policy.crop_area_max < policy.crop_area_min)
        return error_set(error, SIMCLR_INVALID, "--crop-area-min %g is above --crop-area-max %g: swap them",
                         policy.crop_area_min, policy.crop_area_max);
    *out = policy;
    return SIMCLR_OK;
}

int session_open_dataset(const struct session *session, const char *path, enum dataset_part part, struct dataset **out,
                         struct error *error)
{
    return session_open_numbered(session, path, part, NULL, out, error);
}

int session_open_numbered(const struct session *session, const char *path, enum dataset_part part,
                          const struct numbering *numbering, struct dataset **out, struct error *error)
{
    const struct config *config = session->config;
    struct dataset_config dataset = dataset_config_default();
    dataset.path = path;
    dataset.part = part;
    dataset.max_bad = config->max_bad;
    dataset.stl10_part = config->stl10_part;
    dataset.numbering = numbering;
    dataset.subset = config->subset[0] ? config->subset : NULL;
    if (part == DATASET_TEST)
        dataset.other_part = config->data;
    else if (config->test_data[0])
        dataset.other_part = config->test_data;
    dataset.keep_nothing = session->traits.keeps_no_images;
    const int sharing = communicator_node_size(session->communicator); /* this machine's memory */
    if (sharing > 1) dataset.cache_bytes = memory_of_machine() / 4 / (size_t)sharing;
    if (config->cache_memory > 0) dataset.cache_bytes = (size_t)config->cache_memory;
    if (config->synthetic_images > 0) dataset.synthetic_count = config->synthetic_images;
    if (config->image_size > 0)
        dataset.synthetic_size = (int)config->image_size;
    else if (least_size(session) > SIZE_UNKNOWN) /* drawn as large as they are needed, training and test images alike */
        dataset.synthetic_size = least_size(session);
    int status = dataset_open(out, &dataset, session->pool, &session->log, error);
    if (status == SIMCLR_OK) status = session_join_images(session, *out, error);
    if (status != SIMCLR_OK) dataset_close(out);
    if (status == SIMCLR_OK) {
        log_info(&session->log, "%s images: %s", part == DATASET_TRAIN ? "training" : "test",
                 dataset_description(*out));
        const struct tally *tally = dataset_tally(*out);
        tally_say_profiles(tally, tally->looked_at < dataset_count(*out), &session->log);
    }
    return status;
}

int session_open_test(const struct session *session, struct dataset **out, struct error *error)
{
    const struct config *config = session->config;
    *out = NULL;
    if (config->test_data[0] != '\0') return session_open_dataset(session, config->test_data, DATASET_TEST, out, error);
    /* DATASET_TEST of a set that is not divided would be the training images again. */
    bool found;
    const int status = dataset_has_test_part(config->data, &found, error);
    if (status || !found) return status;
    return session_open_dataset(session, config->data, DATASET_TEST, out, error);
}

/* 1234567 as 1,234,567. */
static void group_digits(int64_t number, char text[32])
{
    char plain[24];
    const int digits = snprintf(plain, sizeof plain, "%" PRId64, number);
    int used = 0;
    for (int i = 0; i < digits; i++) {
        if (i > 0 && (digits - i) % 3 == 0) text[used++] = ',';
        text[used++] = plain[i];
    }
    text[used] = '\0';
}

static void add_part(struct text *text, const char *name, const struct dataset *set, const char *place)
{
    char count[32];
    group_digits(dataset_count(set), count);
    text_add(text, "%s %s ", name, count);
    const int classes = dataset_classes(set);
    if (classes > 0)
        text_add(text, "in %d class%s", classes, classes == 1 ? "" : "es");
    else
        text_add(text, "without labels");
    if (place[0] != '\0') text_add(text, " (%.120s)", place);
}

void session_tell_parts(const struct session *session, const struct dataset *train, const struct dataset *test)
{
    struct text text = {0};
    add_part(&text, "train", train, dataset_place(train));
    if (test) {
        const char *other = session->config->test_data;
        text_add(&text, ", ");
        add_part(&text, "test", test, other[0] != '\0' ? other : dataset_place(test));
    }
    if (!text.failed) log_info(&session->log, "parts: %s", text.bytes);
    text_free(&text);
}

static void warn_of_shared(const struct session *session, struct dataset *train, struct dataset *test)
{
    int64_t looked_at, shared, example;
    dataset_count_shared(train, test, &looked_at, &shared, &example);
    if (shared > 0)
        log_warning(&session->log,
                    "%" PRId64 " of %" PRId64 " test images that were looked at are training images too (%.120s): "
                    "their scores say nothing about new images",
                    shared, looked_at, dataset_name(test, example));
}

int session_refuse_incomparable(struct error *error)
{
    return error_set(error, SIMCLR_DATA,
                     "no test image is of a class that there are training images of: give test images of the classes "
                     "that are trained on");
}

int session_match_test(const struct session *session, struct dataset *train, struct dataset *test, struct error *error)
{
    int64_t comparable;
    const int status = dataset_match_classes(train, test, &comparable, &session->log, error);
    if (status || dataset_classes(test) == 0) return status;
    if (comparable == 0) return session_refuse_incomparable(error);
    if (session->config->test_data[0] != '\0') warn_of_shared(session, train, test);
    return SIMCLR_OK;
}

int session_open_matched_test(const struct session *session, struct dataset *train, struct dataset **out,
                              struct error *error)
{
    int status = session_open_test(session, out, error);
    if (!status) session_tell_parts(session, train, *out);
    if (!status && *out) status = session_match_test(session, train, *out, error);
    if (status) dataset_close(out);
    return status;
}
