/* command/embed.c -- the representation of every image as a row of a file, and the images' names beside it. */
#include <inttypes.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/npy.h"
#include "base/text.h"
#include "command/commands.h"
#include "run/features.h"
#include "run/model_open.h"
#include "run/settings.h"

/* Where it goes. Both files are opened before the long work, so that a place that cannot be written is known first. */
struct embed {
    char *path, *names_path;
    struct file_writer *features, *names;
    bool text; /* tab-separated instead of .npy */
};

/* "dir/features.npy" gives "dir/features.txt"; a name without that ending gets ".txt" behind it. */
static char *names_path(const char *path, const char *ending)
{
    struct text text = {0};
    const size_t length = strlen(path), tail = strlen(ending);
    const bool ends = length > tail && strcmp(path + length - tail, ending) == 0;

    text_add(&text, "%.*s.txt", (int)(ends ? length - tail : length), path);
    char *name = text.failed ? NULL : memory_string(text.bytes);
    text_free(&text);
    return name;
}

static int embed_open(struct embed *embed, const struct config *config, struct error *error)
{
    embed->text = strcmp(config->format, "tsv") == 0;
    const char *ending = embed->text ? ".tsv" : ".npy";
    embed->path = memory_string(config->out[0] ? config->out : embed->text ? "features.tsv" : "features.npy");
    embed->names_path = embed->path ? names_path(embed->path, ending) : NULL;
    if (!embed->names_path) return error_no_memory(error, "the names of files", 1);
    int status = file_writer_open(&embed->features, embed->path, error);
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

/* One name a line; a line break inside a name, legal and cruel, becomes "\n" so that line i stays row i. */
static void write_name(FILE *file, const char *name)
{
    for (; *name; name++) {
        if (*name == '\n')
            fputs("\\n", file);
        else
            fputc(*name, file);
    }
    fputc('\n', file);
}

static void write_row(FILE *file, const float *row, int dim)
{
    for (int i = 0; i < dim; i++) fprintf(file, "%s%.9g", i ? "\t" : "", (double)row[i]);
    fputc('\n', file);
}

static int embed_write(struct embed *embed, const struct features *features, const struct dataset *dataset,
                       struct error *error)
{
    const size_t dim = (size_t)features->dim;

    if (!embed->text) npy_write_header(embed->features, "<f4", features->count, features->dim);
    for (int64_t i = 0; i < features->count; i++) {
        const float *row = features->values + (size_t)i * dim;
        if (embed->text)
            write_row(file_writer_stream(embed->features), row, features->dim);
        else
            file_writer_write(embed->features, row, dim * sizeof *row);
        write_name(file_writer_stream(embed->names), dataset_name(dataset, i));
    }
    const int status = file_writer_commit(&embed->names, error);
    return status == SIMCLR_OK ? file_writer_commit(&embed->features, error) : status;
}

int command_embed(struct session *session, struct error *error)
{
    const struct config *config = session->config;
    struct embed embed = {0};
    struct model *model = NULL;
    struct dataset *dataset = NULL;
    struct features features = {0};
    struct view_policy policy;

    int status = model_open(session, config->checkpoint, &model, &policy, error);
    if (status == SIMCLR_OK) status = session_open_dataset(session, config->data, DATASET_TRAIN, &dataset, error);
    if (status == SIMCLR_OK) status = embed_open(&embed, config, error);
    const struct features_request request = {FEATURES_H, model, &policy, dataset, 0};
    if (status == SIMCLR_OK) status = features_extract(session, &request, &features, error);
    if (status == SIMCLR_OK) status = embed_write(&embed, &features, dataset, error);
    if (status == SIMCLR_OK) {
        session_print(session, "%s: %" PRId64 " rows of %d float32; names in %s\n", embed.path, features.count,
                      features.dim, embed.names_path);
    }
    features_free(&features);
    embed_close(&embed);
    dataset_close(&dataset);
    model_destroy(&model);
    return status;
}
