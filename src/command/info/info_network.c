/* command/info/info_network.c -- layers, shapes, parameters, operations, and the memory that a training step takes. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/number.h"
#include "base/text.h"
#include "command/info/info.h"
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
    const struct grouping grouping = pretrain_grouping(session->config);
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
    session_print(session, "\nMemory of pretraining with a batch of %" PRId64 " images in %s, MiB\n",
                  session->config->batch, dtype_name(session->dtype));
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
                      "Images or their files are kept in memory too, up to --cache-memory: --data counts them.\n");
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
                       const struct footprint *footprint, struct error *error)
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
    text_json_close_object(&json);
    const int status = session_print_json(session, &json, error);
    text_free(&json);
    return status;
}

/* ---- the command ---- */

int info_network(struct session *session, struct error *error)
{
    struct dataset *dataset = NULL;
    struct model_config config;
    struct footprint footprint;
    struct footprint_network planned;
    const size_t heap = footprint_heap();
    size_t images = 0;

    struct size_schedule sizes;
    int status = size_schedule_take(&sizes, session, error);
    if (status == SIMCLR_OK && session->config->data[0]) {
        status = session_open_dataset(session, session->config->data, DATASET_TRAIN, &dataset, error);
        images = footprint_heap() - heap;
        if (status == SIMCLR_OK) status = session_resolve(session, dataset, error);
    }
    if (status == SIMCLR_OK) status = session_model_config(session, 0, &config, error);
    if (status == SIMCLR_OK)
        status = footprint_measure(session, &config, &sizes, dataset, images, &footprint, &planned, error);
    if (status == SIMCLR_OK) footprint_advise(session, &sizes, dataset, &planned, &footprint);
    if (status == SIMCLR_OK && dataset != NULL) { /* read later, while it trains */
        footprint.images += dataset_kept_bytes(dataset);
        footprint.total += dataset_kept_bytes(dataset);
    }
    if (status == SIMCLR_OK) {
        if (session->config->json) {
            status = report_json(session, &config, planned.step.network, &footprint, error);
        } else {
            print_table(session, &config, planned.step.network);
            if (session->config->memory) print_memory(session, &footprint);
        }
        footprint_release(&planned);
    }
    dataset_close(&dataset);
    return status;
}
