/* command/import.c -- an encoder out of another program's checkpoint, as a file of its own. */
#include <string.h>

#include "base/text.h"
#include "command/commands.h"
#include "run/model_open.h"
#include "run/outputs.h"

static int tell_json(const struct session *session, const struct model_imported *imported, struct error *error)
{
    const struct config *config = session->config;
    const struct view_policy *policy = &imported->policy;
    struct text json = {0};
    struct model_text model;
    model_config_to_text(&imported->config, &model);
    text_json_open_object(&json, NULL);
    text_json_string(&json, "out", config->out);
    text_json_string(&json, "from", config->checkpoint);
    text_json_string(&json, "architecture", model_title(&imported->config).word);
    if (model_text_value(&model, "stem")) text_json_string(&json, "stem", model_text_value(&model, "stem"));
    text_json_string(&json, "prefix", imported->prefix);
    text_json_integer(&json, "tensors", imported->encoder);
    text_json_integer(&json, "left_out", imported->left);
    text_json_integer(&json, "image_size", imported->config.image_size);
    text_json_boolean(&json, "input_known", imported->input_known);
    for (int k = 0; k < 2 && imported->input_known && policy->normalize; k++) {
        text_json_open_array(&json, k == 0 ? "mean" : "std");
        for (int c = 0; c < 3; c++) text_json_number(&json, NULL, k == 0 ? policy->mean[c] : policy->std[c]);
        text_json_close_array(&json);
    }
    text_json_close_object(&json);
    const int status = session_print_json(session, &json, error);
    text_free(&json);
    return status;
}

static int tell(const struct session *session, const struct model_imported *imported, struct error *error)
{
    const struct config *config = session->config;
    const struct model_title title = model_title(&imported->config);
    if (!imported->input_known)
        log_warning(&session->log,
                    "nothing says what images %s takes, so no config.json is written: --mean and --std say it "
                    "(0.485,0.456,0.406 and 0.229,0.224,0.225 for most weights of ImageNet)",
                    config->checkpoint);
    if (config->json) return tell_json(session, imported, error);
    session_print(session, "%s: %s%s, %d tensors of %s\n", config->out, title.text, title.stem, imported->encoder,
                  config->checkpoint);
    return SIMCLR_OK;
}

int command_import(struct session *session, struct error *error)
{
    const struct config *config = session->config;
    struct model_imported imported;
    int status = outputs_check(config, "out", config->out, error);
    if (!status)
        status = model_import(session, config->checkpoint, config->prefix[0] ? config->prefix : NULL, config->out,
                              &imported, error);
    return status ? status : tell(session, &imported, error);
}
