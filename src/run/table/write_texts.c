/* run/table/write_texts.c -- tables of features as text: .csv, .jsonl, .tsv. Numbers are the shortest that read back
 * equal. */
#include <string.h>

#include "base/csv.h"
#include "base/lines.h"
#include "base/memory.h"
#include "base/number.h"
#include "run/table/table_kinds.h"

static void add_values(struct text *line, const float *values, int dim, const char *between)
{
    char number[NUMBER_TEXT];
    for (int i = 0; i < dim; i++) {
        number_format_float(values[i], number);
        if (i > 0) text_add_bytes(line, between, strlen(between));
        text_add_bytes(line, number, strlen(number));
    }
}

static void write_line(struct table_writer *writer, int which)
{
    if (!writer->line.failed) file_writer_write(writer->file[which], writer->line.bytes, writer->line.length);
    writer->line.length = 0;
}

static int open_text(struct table_writer *writer, struct error *error)
{
    return file_writer_open(&writer->file[TABLE_FEATURES], writer->path[TABLE_FEATURES], error);
}

static int commit_text(struct table_writer *writer, struct error *error)
{
    (void)writer, (void)error;
    return SIMCLR_OK;
}

/* ---- .csv: the columns of lightly-train ------------------------------------------------------------------------ */

static int open_csv(struct table_writer *writer, struct error *error)
{
    const int status = open_text(writer, error);
    if (status) return status;
    text_add(&writer->line, "filename");
    for (int i = 0; i < writer->shape.dim; i++) text_add(&writer->line, ",embedding_%d", i);
    text_add(&writer->line, "\r\n");
    if (writer->line.failed) return error_no_memory(error, "the names of columns", writer->line.capacity);
    write_line(writer, TABLE_FEATURES);
    return SIMCLR_OK;
}

static int add_csv(struct table_writer *writer, const struct table_row *row, struct error *error)
{
    (void)error;
    writer->escaped += csv_escapes(row->name);
    csv_add(&writer->line, row->name);
    text_add_bytes(&writer->line, ",", 1);
    add_values(&writer->line, row->values, writer->shape.dim, ",");
    text_add_bytes(&writer->line, "\r\n", 2);
    write_line(writer, TABLE_FEATURES);
    return SIMCLR_OK;
}

const struct table_kind table_csv = {"csv", ".csv", false, open_csv, add_csv, commit_text};

/* ---- .jsonl ---------------------------------------------------------------------------------------------------- */

static int add_jsonl(struct table_writer *writer, const struct table_row *row, struct error *error)
{
    struct text *line = &writer->line;
    (void)error;
    table_count_escaped(writer, row);
    text_json_open_object(line, NULL);
    text_json_string(line, "path", row->name);
    if (row->label >= 0) {
        text_json_integer(line, "label", row->label);
        text_json_string(line, "class", writer->shape.class_names[row->label]);
    } else {
        text_add(line, ", \"label\": null, \"class\": null");
    }
    text_json_open_array(line, "embedding");
    add_values(line, row->values, writer->shape.dim, ", ");
    text_json_close_array(line);
    text_json_close_object(line);
    text_add_bytes(line, "\n", 1);
    write_line(writer, TABLE_FEATURES);
    return SIMCLR_OK;
}

const struct table_kind table_jsonl = {"jsonl", ".jsonl", false, open_text, add_jsonl, commit_text};

/* ---- .tsv: what TensorBoard's projector takes; line i of the names is row i ------------------------------------ */

static int open_tsv(struct table_writer *writer, struct error *error)
{
    const int status = open_text(writer, error);
    if (status) return status;
    writer->escapes_lists = writer->shape.odd_names;
    return table_open_file(writer, TABLE_NAMES, file_beside(writer->path[TABLE_FEATURES], ".tsv", ".txt"), error);
}

static int add_tsv(struct table_writer *writer, const struct table_row *row, struct error *error)
{
    (void)error;
    add_values(&writer->line, row->values, writer->shape.dim, "\t");
    text_add_bytes(&writer->line, "\n", 1);
    write_line(writer, TABLE_FEATURES);
    lines_add(&writer->line, row->name, writer->escapes_lists);
    write_line(writer, TABLE_NAMES);
    return SIMCLR_OK;
}

const struct table_kind table_tsv = {"tsv", ".tsv", false, open_tsv, add_tsv, commit_text};
