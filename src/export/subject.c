/* export/subject.c -- see subject.h. */
#include "export/subject.h"

#include <string.h>

#include "base/number.h"
#include "run/export.h"

static int check_license(const char *license, struct error *error)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_+";
    const size_t length = strlen(license);
    if (length > 0 && length <= 64 && strspn(license, allowed) == length) return SIMCLR_OK;
    return error_set(error, SIMCLR_INVALID, "--license %s: give an identifier, such as mit or cc-by-4.0", license);
}

/* The input that the classifier was fitted to, as far as nothing else is asked for. */
static void see_as(struct export_subject *subject, const struct config *config)
{
    const struct classifier_encoder *encoder = &subject->classifier.encoder;
    struct view_policy *policy = &subject->policy;
    if (!encoder->known) return;
    if (config->image_size == 0) policy->size = subject->model->config.image_size = encoder->image_size;
    policy->filter = encoder->filter;
    if (config->mean[0]) return;
    policy->normalize = encoder->normalize;
    memcpy(policy->mean, encoder->mean, sizeof policy->mean);
    memcpy(policy->std, encoder->std, sizeof policy->std);
}

int export_subject_open(struct export_subject *out, struct session *session, struct error *error)
{
    const struct config *config = session->config;
    *out = (struct export_subject){.path = config->checkpoint, .license = config->license};
    int status = check_license(config->license, error);
    if (!status)
        status = model_open_with_origin(session, config->checkpoint, &out->model, &out->policy, &out->origin, error);
    if (!status)
        status = export_classes_open(&out->classifier, &out->classes_named, out->model, config->checkpoint,
                                     config->classifier, &session->log, error);
    if (!status) see_as(out, config);
    if (status) {
        export_subject_close(out);
        return status;
    }
    out->title = model_title(&out->model->config);
    out->hash = parameters_encoder_hash(&out->model->parameters);
    return SIMCLR_OK;
}

void export_subject_close(struct export_subject *subject)
{
    classifier_free(&subject->classifier);
    model_origin_free(&subject->origin);
    model_destroy(&subject->model);
}

int export_map_side(const struct model_config *config)
{
    int side = config->image_size;
    if (config->encoder != ENCODER_RESNET) return 0;
    for (int halvings = config->resnet.stem == STEM_CIFAR ? 3 : 5; halvings > 0; halvings--) side = (side + 1) / 2;
    return side;
}

void export_describe(struct text *text, const struct export_subject *subject, const struct export_extra *extra)
{
    const struct model_config *config = &subject->model->config;
    const struct exported_classes classes = {subject->classifier.classes,
                                             (const char *const *)subject->classifier.class_name};
    struct model_text model;
    model_config_to_text(config, &model);
    text_json_open_object(text, NULL);
    exported_config_add(text, config, &subject->policy, classes, export_map_side(config));
    text_json_open_object(text, "simclr");
    text_json_string(text, "version", SIMCLR_VERSION);
    text_json_string(text, "encoder", config->encoder == ENCODER_ALEXNET ? "alexnet" : "resnet");
    if (model_text_value(&model, "depth")) text_json_integer(text, "depth", config->resnet.depth);
    text_json_number(text, "width", number_read(model_text_value(&model, "width"), NULL));
    if (model_text_value(&model, "stem")) text_json_string(text, "stem", model_text_value(&model, "stem"));
    text_json_integer(text, "image_size", config->image_size);
    text_json_string(text, "crop", config->image_size <= 32 ? "none" : "middle square of 0.875 of the shorter side");
    text_json_string(text, "resize", "antialiased, without rounding to 8 bits");
    text_json_hash(text, "encoder_hash", subject->hash);
    if (subject->classifier.classes > 0) {
        text_json_number(text, "temperature", subject->classifier.temperature);
        text_json_integer(text, "classifier_layer", subject->classifier.encoder.layer);
    }
    if (extra) extra->add(extra->context, text);
    text_json_close_object(text);
    text_json_close_object(text);
    text_add(text, "\n");
}
