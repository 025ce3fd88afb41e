/* command/info/info_network.c -- layers, shapes, parameters, operations, and the memory that a training step takes. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/number.h"
#include "base/text.h"
#include "command/info/info.h"
#include "command/prediction.h"
#include "run/settings.h"
#include "train/footprint.h"
#include "train/pretrain.h"

static double mebibytes(size_t bytes)
{
    return (double)bytes / 1048576.0;
}

/* "64 x 112 x 112", or "512" for a vector. */
static void format_shape(const struct tensor_desc *desc, char *out, size_t capacity)
{
    if (desc->height == 1 && desc->width == 1)
        snprintf(out, capacity, "%d", desc->channels);
    else
        snprintf(out, capacity, "%d x %d x %d", desc->channels, desc->height, desc->width);
}

/* ---- the table ---- */

static void print_table(const struct session *session, const struct model_config *config, const struct network *network)
{
    const struct network_row *rows;
    const int count = network_rows(network, &rows);
    const struct footprint_totals totals = footprint_totals(network);
    const int ranks = (int)session->config->ranks;
    struct share own;
    const struct grouping grouping = pretrain_grouping_of(session->config, ranks - 1, ranks, &own);
    const int views = 2 * grouping_size(&grouping);
    char shape[48], memory[40];

    snprintf(memory, sizeof memory, "MiB, %d views", views);
    session_print(session, "%s, images of %d x %d, head of %d layers to %d\n\n", model_title(config).text,
                  config->image_size, config->image_size, config->head_layers, model_output_dim(config));
    session_print(session, "%-12s %-26s %-16s %12s %10s %16s  %s\n", "operation", "name", "output", "parameters",
                  "MFLOP", memory, "algorithm");
    for (int i = 0; i < count; i++) {
        format_shape(&rows[i].output, shape, sizeof shape);
        session_print(session, "%-12s %-26s %-16s %12" PRId64 " %10.2f %16.1f%s%s\n", rows[i].kind, rows[i].name, shape,
                      rows[i].parameters, rows[i].flops / 1e6, mebibytes(rows[i].bytes),
                      rows[i].algorithm[0] ? "  " : "", rows[i].algorithm);
    }
    session_print(session, "%-12s %-26s %-16s %12" PRId64 " %10.2f %16.1f\n", "total", "", "", totals.parameters,
                  totals.flops / 1e6, mebibytes(totals.bytes));
    session_print(session, "\nMFLOP: millions of multiplications and additions of one view's forward pass\n");
}

/* ---- memory ---- */

static void print_memory(const struct session *session, const struct footprint *footprint)
{
    struct footprint_part parts[FOOTPRINT_PARTS];

    footprint_list(footprint, parts);
    session_print(session, "\nMemory of pretraining with a batch of %" PRId64 " images in %s, MiB%s\n",
                  session->config->batch, dtype_name(session->dtype),
                  session->config->ranks > 1 ? ", of one rank that has a machine for itself" : "");
    for (int i = 0; i < FOOTPRINT_PARTS; i++) {
        session_print(session, "  %-42s %10.1f\n", parts[i].what, mebibytes(parts[i].bytes));
    }
    session_print(session, "  %-42s %10.1f\n", "peak", mebibytes(footprint->total));
    if (footprint->groups > 1)
        session_print(
            session,
            "%d groups of %" PRId64 " images a step: the activations of %d are kept on this machine, %d groups "
            "run forward twice; views are %s.\n",
            footprint->groups, session->config->batch_norm_images, footprint->groups_kept,
            footprint->groups - footprint->groups_kept, footprint->by_parts ? "made a group at a time, twice" : "kept");
    if (footprint->refusal[0]) session_print(session, "This machine has not enough: %s\n", footprint->refusal);
    if (!session->config->data[0]) {
        session_print(session,
                      "Images or their files are kept in memory too, up to --cache-memory, and features for the kNN "
                      "between epochs: --data counts them.\n");
    }
}

/* ---- JSON ---- */

static void json_table(struct text *json, const struct network *network)
{
    const struct network_row *rows;
    const int count = network_rows(network, &rows);
    const struct footprint_totals totals = footprint_totals(network);

    text_json_open_array(json, "layers");
    for (int i = 0; i < count; i++) {
        text_json_open_object(json, NULL);
        text_json_string(json, "operation", rows[i].kind);
        text_json_string(json, "name", rows[i].name);
        text_json_open_array(json, "output");
        text_json_integer(json, NULL, rows[i].output.channels);
        text_json_integer(json, NULL, rows[i].output.height);
        text_json_integer(json, NULL, rows[i].output.width);
        text_json_close_array(json);
        text_json_integer(json, "parameters", rows[i].parameters);
        text_json_number(json, "flops", rows[i].flops);
        text_json_integer(json, "bytes", (int64_t)rows[i].bytes);
        text_json_string(json, "algorithm", rows[i].algorithm);
        text_json_close_object(json);
    }
    text_json_close_array(json);
    text_json_integer(json, "parameters", totals.parameters);
    text_json_number(json, "flops", totals.flops);
}

static int report_json(const struct session *session, const struct model_config *config, const struct network *network,
                       const struct footprint *footprint, const struct prediction *prediction, struct error *error)
{
    struct text json = {0};
    struct footprint_part parts[FOOTPRINT_PARTS];
    struct model_text model;

    text_json_open_object(&json, NULL);
    static const char *const ENTRIES[] = {"depth", "width", "image_size"};
    model_config_to_text(config, &model);
    for (size_t i = 0; i < sizeof ENTRIES / sizeof *ENTRIES; i++) {
        const char *value = model_text_value(&model, ENTRIES[i]);
        if (value) text_json_number(&json, ENTRIES[i], number_read(value, NULL));
    }
    text_json_integer(&json, "batch", session->config->batch);
    text_json_integer(&json, "groups", footprint->groups);
    text_json_integer(&json, "groups_kept", footprint->groups_kept);
    text_json_string(&json, "precision", dtype_name(session->dtype));
    json_table(&json, network);
    footprint_list(footprint, parts);
    text_json_open_object(&json, "memory");
    for (int i = 0; i < FOOTPRINT_PARTS; i++) text_json_integer(&json, parts[i].key, (int64_t)parts[i].bytes);
    text_json_integer(&json, "peak", (int64_t)footprint->total);
    text_json_close_object(&json);
    if (prediction->shares.ranks > 1) prediction_json(&json, prediction);
    text_json_close_object(&json);
    const int status = session_print_json(session, &json, error);
    text_free(&json);
    return status;
}

/* ---- the command ---- */

/* The set, its tests, and the options that follow from them, as pretrain opens them. */
static int open_images(struct pretrain *run, struct error *error)
{
    if (!run->config->data[0]) return pretrain_read_sizes(run, error);
    int status = pretrain_open_images(run, error);
    const size_t heap = footprint_heap();
    if (!status) status = pretrain_open_tests(run, error);
    run->image_bytes += footprint_heap() - heap;
    return status;
}

static int predict(struct pretrain *run, const struct model_config *model, const struct footprint *footprint,
                   const struct step *planned, struct prediction *prediction, struct error *error)
{
    struct forecast_measured measured;
    if (prediction->shares.ranks == 1) return SIMCLR_OK;
    int status = prediction_count(prediction, planned, error);
    if (!status)
        status = info_measure(run->session, footprint, model, prediction_images(prediction), prediction->shares.images,
                              &measured, error);
    if (!status)
        forecast_make(&prediction->forecast, &measured, &prediction->shares, &prediction->traffic, &prediction->link);
    return status;
}

static int tell(const struct session *session, const struct model_config *model, const struct network *network,
                const struct footprint *footprint, const struct prediction *prediction, struct error *error)
{
    if (session->config->json) return report_json(session, model, network, footprint, prediction, error);
    print_table(session, model, network);
    if (session->config->memory) print_memory(session, footprint);
    if (prediction->shares.ranks > 1) prediction_print(session, prediction);
    return SIMCLR_OK;
}

int info_network(struct session *session, struct error *error)
{
    struct pretrain run;
    struct model_config model;
    struct footprint footprint;
    struct footprint_network planned = {0};
    struct prediction prediction;
    size_t later;
    pretrain_begin(&run, session);
    int status = prediction_open(&prediction, session, error);
    if (!status) status = open_images(&run, error);
    if (!status) status = session_model_config(run.session, 0, &model, error);
    if (!status) status = pretrain_footprint(&run, &model, &footprint, &planned, &later, error);
    if (!status) {
        footprint_advise(run.session, &run.sizes, run.dataset, &planned, &footprint);
        status = predict(&run, &model, &footprint, &planned.step, &prediction, error);
        if (!status) status = tell(session, &model, planned.step.network, &footprint, &prediction, error);
        footprint_release(&planned);
    }
    pretrain_close(&run);
    return status;
}
