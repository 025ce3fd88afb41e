/* run/table/table_write.c -- see table_write.h: the formats, and what they share. */
#include "run/table/table_write.h"

#include <math.h>
#include <string.h>

#include "base/escape.h"
#include "base/half.h"
#include "base/letters.h"
#include "base/memory.h"
#include "run/table/table_kinds.h"

static const struct table_kind *const kinds[TABLE_FORMATS] = {
    [TABLE_NPY] = &table_npy,
    [TABLE_TSV] = &table_tsv,
    [TABLE_NPZ] = &table_npz,
    [TABLE_CSV] = &table_csv,
    [TABLE_JSONL] = &table_jsonl,
    [TABLE_PARQUET] = &table_parquet,
    [TABLE_SAFETENSORS] = &table_safetensors,
};

const char *table_format_ending(enum table_format format)
{
    return kinds[format]->ending;
}

bool table_format_has_half(enum table_format format)
{
    return kinds[format]->half;
}

enum table_format table_format_of_path(const char *path)
{
    const size_t length = strlen(path);
    for (int i = 0; i < TABLE_FORMATS; i++) {
        const size_t tail = strlen(kinds[i]->ending);
        if (length > tail && letters_equal(path + length - tail, kinds[i]->ending)) return (enum table_format)i;
    }
    return TABLE_FORMATS;
}

enum table_format table_format_of_word(const char *word)
{
    int i = 0;
    while (i < TABLE_FORMATS && strcmp(kinds[i]->word, word) != 0) i++;
    return (enum table_format)i;
}

/* ---- what formats share ---------------------------------------------------------------------------------------- */

int table_open_file(struct table_writer *writer, int which, char *path, struct error *error)
{
    writer->path[which] = path;
    if (!path) return error_no_memory(error, "a path", 1);
    return file_writer_open(&writer->file[which], path, error);
}

int table_row_values(struct table_writer *writer, const struct table_row *row, const void **values, size_t *bytes,
                     struct error *error)
{
    const size_t dim = (size_t)writer->shape.dim;
    *values = row->values;
    *bytes = dim * sizeof *row->values;
    if (!writer->halves) return SIMCLR_OK;
    for (size_t i = 0; i < dim; i++) {
        writer->halves[i] = half_from_float(row->values[i]);
        if (!isinf(half_to_float(writer->halves[i]))) continue;
        return error_set(error, SIMCLR_DATA,
                         "%s: its feature %zu is %g, and half precision ends at 65504: leave --half out, or give "
                         "--normalize too",
                         row->name, i, (double)row->values[i]);
    }
    *values = writer->halves;
    *bytes = dim * sizeof *writer->halves;
    return SIMCLR_OK;
}

void table_count_escaped(struct table_writer *writer, const struct table_row *row)
{
    const bool name = escape_holds_bytes(row->name);
    writer->escaped += name || (row->label >= 0 && escape_holds_bytes(writer->shape.class_names[row->label]));
}

void table_keep(struct table_writer *writer, const struct table_row *row)
{
    text_add_bytes(&writer->names, row->name, strlen(row->name) + 1);
    if (writer->shape.classes > 0) text_add_bytes(&writer->labels, (const char *)&row->label, sizeof row->label);
}

/* ---- the face -------------------------------------------------------------------------------------------------- */

int table_writer_open(struct table_writer **out, const char *path, enum table_format format,
                      const struct table_shape *shape, struct error *error)
{
    struct table_writer *writer = *out = memory_allocate(sizeof *writer);
    if (!writer) return error_no_memory(error, path, sizeof *writer);
    writer->kind = kinds[format];
    writer->shape = *shape;
    writer->path[TABLE_FEATURES] = memory_string(path);
    if (shape->half) writer->halves = memory_array((size_t)shape->dim, sizeof *writer->halves);
    int status = SIMCLR_OK;
    if (!writer->path[TABLE_FEATURES] || (shape->half && !writer->halves))
        status = error_no_memory(error, "a row of features", (size_t)shape->dim * sizeof *writer->halves);
    if (!status) status = writer->kind->open(writer, error);
    if (status) table_writer_close(out);
    return status;
}

int table_writer_add(struct table_writer *writer, const struct table_row *row, struct error *error)
{
    int status = writer->kind->add(writer, row, error);
    if (!status && (writer->line.failed || writer->names.failed || writer->labels.failed))
        status = error_no_memory(error, "the names of rows", writer->names.capacity + writer->line.capacity);
    writer->rows += status == SIMCLR_OK;
    return status;
}

/* What an earlier table of this name left. */
static int remove_foreign(const struct table_writer *writer, struct error *error)
{
    if (!writer->foreign) return SIMCLR_OK;
    return file_remove_part(writer->foreign, "labels", writer->path[TABLE_FEATURES], error);
}

/* The features are the last, so that no list of another table ever lies beside them. */
int table_writer_commit(struct table_writer *writer, struct error *error)
{
    int status = writer->kind->commit(writer, error);
    for (int i = TABLE_FILES - 1; !status && i >= 0; i--) {
        if (i == TABLE_FEATURES) status = remove_foreign(writer, error);
        if (!status && writer->file[i]) status = file_writer_commit(&writer->file[i], error);
    }
    return status;
}

void table_writer_close(struct table_writer **out)
{
    struct table_writer *writer = *out;
    if (!writer) return;
    for (int i = 0; i < TABLE_FILES; i++) {
        file_writer_abort(&writer->file[i]);
        memory_free(writer->path[i]);
    }
    memory_free(writer->foreign);
    zip_writer_abort(&writer->zip);
    parquet_abort(&writer->parquet);
    memory_free(writer->halves);
    text_free(&writer->line);
    text_free(&writer->names);
    text_free(&writer->labels);
    memory_free(writer);
    *out = NULL;
}

int64_t table_writer_rows(const struct table_writer *writer)
{
    return writer->rows;
}

int64_t table_writer_escaped(const struct table_writer *writer)
{
    return writer->escaped;
}

bool table_writer_escapes_lists(const struct table_writer *writer)
{
    return writer->escapes_lists;
}

const char *table_writer_path(const struct table_writer *writer, enum table_file file)
{
    return writer->path[file];
}
