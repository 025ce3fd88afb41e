/* command/embed.c -- the representation of every image as a row of a file, and the images' names beside it. */
#include <inttypes.h>
#include <string.h>

#include "base/file.h"
#include "base/format.h"
#include "base/lines.h"
#include "base/memory.h"
#include "base/npy.h"
#include "base/number.h"
#include "base/text.h"
#include "command/commands.h"
#include "run/features.h"
#include "run/model_open.h"
#include "run/outputs.h"
#include "run/parts.h"

/* ---- what is embedded ---- */

struct embedded {
    struct dataset *sets[2]; /* NULL: not asked for, or not there */
    struct features features[2];
};

static void embedded_close(struct embedded *embedded)
{
    for (int i = 0; i < 2; i++) {
        features_free(&embedded->features[i]);
        dataset_close(&embedded->sets[i]);
    }
}

static int64_t rows_of(const struct embedded *embedded)
{
    return embedded->features[0].count + embedded->features[1].count;
}

static int dim_of(const struct embedded *embedded)
{
    return embedded->features[embedded->sets[0] ? 0 : 1].dim;
}

/* ---- where it goes ---- */

/* Where it goes. Both files are opened before the long work, so that a place that cannot be written is known first. */
struct embed {
    char *path, *names_path;
    struct file_writer *features, *names;
    bool text;    /* tab-separated instead of .npy */
    bool escaped; /* the names */
};

static int embed_open(struct embed *embed, const struct config *config, struct error *error)
{
    embed->text = strcmp(config->format, "tsv") == 0;
    const char *ending = embed->text ? ".tsv" : ".npy";
    embed->path = memory_string(config->out[0] ? config->out : embed->text ? "features.tsv" : "features.npy");
    embed->names_path = embed->path ? outputs_beside(embed->path, ending, ".txt") : NULL;
    if (!embed->names_path) return error_no_memory(error, "the names of files", 1);
    int status = outputs_check(config, "out", embed->path, error);
    if (status == SIMCLR_OK) status = outputs_check(config, "out", embed->names_path, error);
    if (status == SIMCLR_OK) status = file_writer_open(&embed->features, embed->path, error);
    if (status == SIMCLR_OK) status = file_writer_open(&embed->names, embed->names_path, error);
    return status;
}

static void embed_close(struct embed *embed)
{
    file_writer_abort(&embed->features);
    file_writer_abort(&embed->names);
    memory_free(embed->path);
    memory_free(embed->names_path);
}

/* Line i stays row i whatever the names are: where one cannot stand in a line as it is, all are escaped, without the
 * mark of escaped lists, which would be a line more. */
static bool must_escape(const struct dataset *dataset)
{
    for (int64_t i = 0; i < dataset_count(dataset); i++)
        if (lines_need_mark(dataset_name(dataset, i))) return true;
    return false;
}

static void write_row(FILE *file, const float *row, int dim)
{
    char number[NUMBER_TEXT];
    for (int i = 0; i < dim; i++) {
        format_write(number, sizeof number, "%s%.9g", i ? "\t" : "", (double)row[i]);
        fputs(number, file);
    }
    fputc('\n', file);
}

static int write_part(struct embed *embed, const struct features *features, const struct dataset *dataset,
                      struct error *error)
{
    const size_t dim = (size_t)features->dim;
    struct text line = {0};

    for (int64_t i = 0; i < features->count; i++) {
        const float *row = features->values + (size_t)i * dim;
        if (embed->text)
            write_row(file_writer_stream(embed->features), row, features->dim);
        else
            file_writer_write(embed->features, row, dim * sizeof *row);
        line.length = 0;
        lines_add(&line, dataset_name(dataset, i), embed->escaped);
        file_writer_write(embed->names, line.bytes, line.failed ? 0 : line.length);
    }
    const bool failed = line.failed;
    text_free(&line);
    return failed ? error_no_memory(error, "a name", 1) : SIMCLR_OK;
}

static int embed_write(struct embed *embed, const struct embedded *parts, struct error *error)
{
    if (!embed->text) npy_write_header(embed->features, "<f4", rows_of(parts), dim_of(parts));
    for (int i = 0; i < 2; i++) embed->escaped |= parts->sets[i] && must_escape(parts->sets[i]);
    for (int i = 0; i < 2; i++) {
        if (!parts->sets[i]) continue;
        const int written = write_part(embed, &parts->features[i], parts->sets[i], error);
        if (written) return written;
    }
    const int status = file_writer_commit(&embed->names, error);
    return status == SIMCLR_OK ? file_writer_commit(&embed->features, error) : status;
}

int command_embed(struct session *session, struct error *error)
{
    const struct config *config = session->config;
    struct embed embed = {0};
    struct model *model = NULL;
    struct embedded parts = {0};
    struct view_policy policy;

    int status = model_open(session, config->checkpoint, &model, &policy, error);
    if (!status) status = feature_rows_check_layer(&model->config, (int)config->layer, error);
    if (!status) status = parts_open(session, parts.sets, error);
    if (!status) status = embed_open(&embed, config, error);
    for (int i = 0; !status && i < 2; i++) {
        if (!parts.sets[i]) continue;
        const struct features_request request = {.kind = features_of_layer((int)config->layer),
                                                 .model = model,
                                                 .policy = &policy,
                                                 .dataset = parts.sets[i],
                                                 .layer = (int)config->layer};
        status = features_extract(session, &request, &parts.features[i], error);
    }
    if (!status) status = embed_write(&embed, &parts, error);
    if (!status)
        session_print(session, "%s: %" PRId64 " rows of %d float32; names in %s\n", embed.path, rows_of(&parts),
                      dim_of(&parts), embed.names_path);
    if (!status && embed.escaped)
        log_info(&session->log,
                 "%s: some names hold line ends or other characters that a line cannot show, so all are escaped; to "
                 "use it as a list of images, put \"" LINES_MARK "\" before its first line",
                 embed.names_path);
    embed_close(&embed);
    embedded_close(&parts);
    model_destroy(&model);
    return status;
}
