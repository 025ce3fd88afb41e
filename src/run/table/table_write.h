/* run/table/table_write.h -- writes a table of features row by row, in the format that the user asked for: whole files
 * or none. docs/formats.md has all of them. */
#ifndef RUN_TABLE_TABLE_WRITE_H
#define RUN_TABLE_TABLE_WRITE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

enum table_format {
    TABLE_NPY,         /* NAME.npy; names in NAME.txt and labels in NAME.labels.txt beside it */
    TABLE_TSV,         /* NAME.tsv; names in NAME.txt */
    TABLE_NPZ,         /* arrays features, labels, classes, names */
    TABLE_CSV,         /* filename,embedding_0,... */
    TABLE_JSONL,       /* objects path, label, class, embedding */
    TABLE_PARQUET,     /* columns path, label, class, feature */
    TABLE_SAFETENSORS, /* tensors features, labels, classes, names */
    TABLE_FORMATS      /* none of them */
};

const char *table_format_ending(enum table_format format); /* ".npy" */
/* By the ending of a path, in any case of letters; TABLE_FORMATS for another. */
enum table_format table_format_of_path(const char *path);
/* By its word, "npy"; TABLE_FORMATS for another. */
enum table_format table_format_of_word(const char *word);
/* Whether it can hold numbers of half precision. */
bool table_format_has_half(enum table_format format);

/* What is known before the first row. */
struct table_shape {
    int64_t rows; /* at most so many will come */
    int dim;
    bool half;                      /* features as float16, where the format has it */
    size_t longest_name;            /* bytes, at most */
    bool odd_names;                 /* a name is no line as it is (lines_need_mark): lists are escaped */
    int classes;                    /* 0: rows have no labels, and files have no place for any */
    const char *const *class_names; /* [classes], borrowed until commit or abort */
};

struct table_row {
    const char *name;    /* not empty */
    int32_t label;       /* -1: none */
    const float *values; /* [dim], finite */
};

/* Opens the files under temporary names. Memory: a row; the names and labels of all rows where the format has them at
 * its end (npz, safetensors); what parquet.h says. SIMCLR_UNSUPPORTED: an .npz that would be larger than 4 GiB; one, or
 * a .safetensors, that is no file on a disk. SIMCLR_IO, SIMCLR_NO_MEMORY. */
struct table_writer;
int table_writer_open(struct table_writer **out, const char *path, enum table_format format,
                      const struct table_shape *shape, struct error *error);

/* SIMCLR_DATA: a value that half precision cannot hold, with the row's name. SIMCLR_NO_MEMORY. A write that fails is
 * told by commit. */
int table_writer_add(struct table_writer *writer, const struct table_row *row, struct error *error);

int64_t table_writer_rows(const struct table_writer *writer);
/* Rows whose names the format cannot hold as they are, and has escaped: bytes that are no UTF-8, or, in .csv, control
 * characters. */
int64_t table_writer_escaped(const struct table_writer *writer);
/* Are the lists beside the features escaped? They are where a name is no line as it is, or, beside an .npy, a class. */
bool table_writer_escapes_lists(const struct table_writer *writer);
/* NULL where the format has no such file. */
enum table_file { TABLE_FEATURES, TABLE_NAMES, TABLE_LABELS, TABLE_FILES };
const char *table_writer_path(const struct table_writer *writer, enum table_file file);

/* Ends the files and gives them their names, the features last. After a failure none of this call has its name but,
 * where the last could not be made, those beside it. SIMCLR_IO, SIMCLR_NO_MEMORY, and what the format's end needs. */
int table_writer_commit(struct table_writer *writer, struct error *error);
/* Nulls. What was not committed is removed. NULL is fine. */
void table_writer_close(struct table_writer **writer);

#endif
