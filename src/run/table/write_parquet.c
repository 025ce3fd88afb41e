/* run/table/write_parquet.c -- tables of features as .parquet: path, label, class, feature. */
#include "run/table/table_kinds.h"

enum { PATH, LABEL, CLASS, FEATURE, COLUMNS };

static int open_parquet(struct table_writer *writer, struct error *error)
{
    const struct parquet_column columns[COLUMNS] = {
        [PATH] = {.name = "path", .type = PARQUET_TEXT},
        [LABEL] = {.name = "label", .type = PARQUET_INT32, .optional = true},
        [CLASS] = {.name = "class", .type = PARQUET_TEXT, .optional = true},
        [FEATURE] = {.name = "feature", .type = PARQUET_FLOATS, .length = writer->shape.dim}};
    return parquet_open(&writer->parquet, writer->path[TABLE_FEATURES], columns, COLUMNS, error);
}

static int add_parquet(struct table_writer *writer, const struct table_row *row, struct error *error)
{
    struct parquet *parquet = writer->parquet;
    table_count_escaped(writer, row);
    parquet_text(parquet, PATH, row->name);
    if (row->label >= 0) {
        parquet_int32(parquet, LABEL, row->label);
        parquet_text(parquet, CLASS, writer->shape.class_names[row->label]);
    } else {
        parquet_null(parquet, LABEL);
        parquet_null(parquet, CLASS);
    }
    parquet_floats(parquet, FEATURE, row->values);
    return parquet_end_row(parquet, error);
}

static int commit_parquet(struct table_writer *writer, struct error *error)
{
    return parquet_commit(&writer->parquet, error);
}

const struct table_kind table_parquet = {"parquet", ".parquet", false, open_parquet, add_parquet, commit_parquet};
