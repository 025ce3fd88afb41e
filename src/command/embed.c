/* command/embed.c -- the representation of every image as a row of a file, in the format that the user asks for. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/lines.h"
#include "base/memory.h"
#include "base/text.h"
#include "command/commands.h"
#include "run/features.h"
#include "run/model_open.h"
#include "run/outputs.h"
#include "run/parts.h"
#include "run/table/table_write.h"

struct embed {
    struct session *session;
    const struct config *config;
    struct model *model;
    struct view_policy policy;
    struct dataset *sets[2];   /* NULL: not asked for, or not there */
    const struct dataset *now; /* the one that is read */
    char *path;
    enum table_format format;
    const char **class_names; /* [classes], borrowed from the sets */
    int classes;
    size_t longest_name;
    bool odd_names;
    struct table_writer *writer;
    int64_t bad,
        zero_rows; /* bad: of all that were asked for, those that were left out when they were opened included */
};

/* ---- where it goes --------------------------------------------------------------------------------------------- */

/* By --format, else by the name of --out, which is said. */
static void choose_format(struct embed *embed)
{
    const struct config *config = embed->config;
    const struct log *log = &embed->session->log;
    const enum table_format named = table_format_of_path(config->out), asked = table_format_of_word(config->format);
    embed->format = asked != TABLE_FORMATS ? asked : named != TABLE_FORMATS ? named : TABLE_NPY;
    const char *ending = table_format_ending(embed->format);
    if (asked != TABLE_FORMATS && named != TABLE_FORMATS && named != asked)
        log_warning(log, "%s is written as --format %s says, whatever its name ends in", config->out, ending + 1);
    else if (asked == TABLE_FORMATS && config->out[0] && named == TABLE_FORMATS)
        log_info(log, "--format npy, since the name of %s says none", config->out);
    else if (asked == TABLE_FORMATS && config->out[0] && embed->format != TABLE_NPY)
        log_info(log, "--format %s, by the name of %s", ending + 1, config->out);
}

static int choose_path(struct embed *embed, struct error *error)
{
    const struct config *config = embed->config;
    const char *ending = table_format_ending(embed->format);
    if (config->half && !table_format_has_half(embed->format))
        return error_set(error, SIMCLR_INVALID,
                         "--half: %s has no numbers of half precision: give npy, npz or safetensors", ending + 1);
    embed->path = config->out[0] ? memory_string(config->out) : file_beside("features", "", ending);
    if (!embed->path) return error_no_memory(error, "a path", 1);
    return outputs_check(config, "out", embed->path, error);
}

/* All files are opened before the long work, so that a place that cannot be written is known first. */
static int open_writer(struct embed *embed, struct error *error)
{
    struct table_shape shape = {.dim = model_layer_dim(&embed->model->config, (int)embed->config->layer),
                                .half = embed->config->half,
                                .longest_name = embed->longest_name,
                                .odd_names = embed->odd_names,
                                .classes = embed->classes,
                                .class_names = embed->class_names};
    for (int i = 0; i < 2; i++) shape.rows += embed->sets[i] ? dataset_count(embed->sets[i]) : 0;
    int status = table_writer_open(&embed->writer, embed->path, embed->format, &shape, error);
    for (int i = TABLE_NAMES; !status && i < TABLE_FILES; i++) {
        const char *beside = table_writer_path(embed->writer, (enum table_file)i);
        if (beside) status = outputs_check(embed->config, "out", beside, error);
    }
    return status;
}

/* ---- what is embedded ------------------------------------------------------------------------------------------ */

/* Row i is name i, whatever the names are: where one cannot stand in a line as it is, lists are escaped. */
static void look_at_names(struct embed *embed, const struct dataset *dataset)
{
    for (int64_t i = 0; i < dataset_count(dataset); i++) {
        const char *name = dataset_name(dataset, i);
        const size_t length = strlen(name);
        if (length > embed->longest_name) embed->longest_name = length;
        embed->odd_names |= lines_need_mark(name);
    }
}

/* Classes of both parts have one numbering. */
static int open_sets(struct embed *embed, struct error *error)
{
    struct dataset **sets = embed->sets;
    int64_t comparable;
    int status = parts_open(embed->session, sets, error);
    if (!status && sets[0] && sets[1] && dataset_classes(sets[0]) > 0 && dataset_classes(sets[1]) > 0)
        status = dataset_match_classes(sets[0], sets[1], &comparable, &embed->session->log, error);
    const struct dataset *named = NULL; /* after that the second has all classes, where it has some */
    for (int i = 0; !status && i < 2; i++) {
        if (!sets[i]) continue;
        look_at_names(embed, sets[i]);
        if (dataset_classes(sets[i]) > embed->classes) {
            named = sets[i];
            embed->classes = dataset_classes(sets[i]);
        }
    }
    if (status || !named) return status;
    embed->class_names = memory_array((size_t)embed->classes, sizeof *embed->class_names);
    if (!embed->class_names) return error_no_memory(error, "the names of classes", (size_t)embed->classes * 8);
    for (int i = 0; i < embed->classes; i++) embed->class_names[i] = dataset_class_name(named, i);
    return SIMCLR_OK;
}

/* To length 1; a row of zeros stays as it is. */
static void normalize(struct embed *embed, float *row, int dim)
{
    double squares = 0;
    for (int i = 0; i < dim; i++) squares += (double)row[i] * (double)row[i];
    embed->zero_rows += squares == 0;
    for (int i = 0; i < dim && squares > 0; i++) row[i] = (float)((double)row[i] / sqrt(squares));
}

/* A bad image has no row: another stands in for it, which has its own. */
static int write_block(void *context, const struct features_block *block, struct error *error)
{
    struct embed *embed = context;
    int status = SIMCLR_OK;
    for (int i = 0; !status && i < block->count; i++) {
        const uint32_t index = block->indices[i];
        float *values = block->values + (size_t)i * (size_t)block->dim;
        if (block->replaced[i]) {
            embed->bad++;
            continue;
        }
        if (embed->config->normalize) normalize(embed, values, block->dim);
        const struct table_row row = {dataset_name(embed->now, index), block->labels[i], values};
        status = table_writer_add(embed->writer, &row, error);
    }
    return status;
}

static int write_sets(struct embed *embed, struct error *error)
{
    const int layer = (int)embed->config->layer;
    int status = SIMCLR_OK;
    for (int i = 0; !status && i < 2; i++) {
        if (!embed->sets[i]) continue;
        embed->now = embed->sets[i];
        embed->bad += dataset_bad_count(embed->sets[i]);
        const struct features_request request = {.kind = features_of_layer(layer),
                                                 .model = embed->model,
                                                 .policy = &embed->policy,
                                                 .dataset = embed->sets[i],
                                                 .layer = layer,
                                                 .views = (int)embed->config->views};
        status = features_stream(embed->session, &request, write_block, embed, error);
    }
    return status || !embed->writer ? status : table_writer_commit(embed->writer, error);
}

/* ---- what is said ---------------------------------------------------------------------------------------------- */

static void say_names(const struct embed *embed)
{
    const struct log *log = &embed->session->log;
    const char *list = table_writer_path(embed->writer, TABLE_NAMES);
    const int64_t escaped = table_writer_escaped(embed->writer);
    if (list && table_writer_escapes_lists(embed->writer)) lines_say_escaped(log, list);
    if (escaped > 0)
        log_info(log,
                 "%s: %" PRId64 " rows have names that this format cannot hold byte by byte: such bytes are written as "
                 "\\xHH, and other backslashes of these names are doubled; npy, npz and safetensors keep names as they "
                 "are",
                 embed->path, escaped);
}

/* Else it may be the standard output itself, where a line of ours would be one row more. */
static bool is_regular(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISREG(info.st_mode);
}

static void say_done(const struct embed *embed)
{
    const struct config *config = embed->config;
    const char *list = table_writer_path(embed->writer, TABLE_NAMES);
    const char *labels = table_writer_path(embed->writer, TABLE_LABELS);
    const int dim = model_layer_dim(&embed->model->config, (int)config->layer);
    /* Distances between rows, relative to their length (docs/formats.md). */
    const char *precision = embed->session->dtype == DTYPE_BF16
                                ? "in bf16, about 8e-3 from the export (in float32 5e-7)"
                                : "in float32, about 5e-7 from the export";
    char how[64] = "";
    if (config->views > 1) snprintf(how, sizeof how, ", means of %" PRId64 " views", config->views);
    if (embed->bad > 0)
        log_warning(&embed->session->log, "%s: %" PRId64 " bad image%s no row", embed->path, embed->bad,
                    embed->bad == 1 ? " has" : "s have");
    if (embed->zero_rows > 0)
        log_warning(&embed->session->log, "%s: %" PRId64 " rows are all zeros, which have no direction: they stay so",
                    embed->path, embed->zero_rows);
    struct text line = {0};
    text_add(&line, "%s: %" PRId64 " rows of %d float%s%s%s", embed->path, table_writer_rows(embed->writer), dim,
             config->half ? "16" : "32", config->normalize ? " of length 1" : "", how);
    if (list) text_add(&line, "; names in %s", list);
    if (labels) text_add(&line, "; labels in %s", labels);
    text_add(&line, "; %s", precision);
    if (line.failed)
        session_lose_output(embed->session);
    else if (is_regular(embed->path))
        session_print(embed->session, "%s\n", line.bytes);
    else
        log_info(&embed->session->log, "%s", line.bytes);
    text_free(&line);
}

/* Of several ranks the first has the files: the others make rows for it. */
int command_embed(struct session *session, struct error *error)
{
    struct embed embed = {.session = session, .config = session->config};
    const bool writes = communicator_leads(session->communicator);
    int status = SIMCLR_OK;
    if (writes) choose_format(&embed);
    if (writes) status = choose_path(&embed, error);
    if (!status) status = model_open(session, embed.config->checkpoint, &embed.model, &embed.policy, error);
    embed.config = session->config; /* settings may be resolved now */
    if (!status) status = feature_rows_check_layer(&embed.model->config, (int)embed.config->layer, error);
    if (!status) status = open_sets(&embed, error);
    if (!status && writes) status = open_writer(&embed, error);
    if (!status) status = write_sets(&embed, error);
    if (!status && writes) {
        say_names(&embed);
        say_done(&embed);
    }
    table_writer_close(&embed.writer);
    for (int i = 0; i < 2; i++) dataset_close(&embed.sets[i]);
    model_destroy(&embed.model);
    memory_free(embed.class_names);
    memory_free(embed.path);
    return status;
}
