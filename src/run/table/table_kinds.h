/* run/table/table_kinds.h -- what the writers of the formats share (table_write.c, write_*.c). */
#ifndef RUN_TABLE_TABLE_KINDS_H
#define RUN_TABLE_TABLE_KINDS_H

#include "base/file.h"
#include "base/parquet.h"
#include "base/text.h"
#include "data/bytes/zip_write.h"
#include "run/table/table_write.h"

struct table_kind {
    const char *word, *ending;
    bool half; /* it can hold half precision */
    /* A failure of `open` leaves all to table_writer_close; a failure of memory in `line`, `names` or `labels` is seen
     * by whoever calls `add`. */
    int (*open)(struct table_writer *writer, struct error *error);
    int (*add)(struct table_writer *writer, const struct table_row *row, struct error *error);
    int (*commit)(struct table_writer *writer, struct error *error);
};
extern const struct table_kind table_npy, table_tsv, table_npz, table_csv, table_jsonl, table_parquet,
    table_safetensors;

struct table_writer {
    const struct table_kind *kind;
    struct table_shape shape;
    int64_t rows, escaped;
    char *path[TABLE_FILES]; /* NULL: there is no such file */
    struct file_writer *file[TABLE_FILES];
    char *foreign; /* a list that would be read with the features and is none of theirs; NULL: there can be none */
    struct zip_writer *zip;
    struct parquet *parquet;
    uint16_t *halves;   /* [dim]; NULL: features stay float32 */
    struct text line;   /* of text, while it is made */
    struct text names;  /* each ended by NUL, where they come at the end */
    struct text labels; /* int32, where they come at the end */
    uint32_t crc;       /* of what follows the header of a .safetensors */
    bool escapes_lists; /* those beside the features */
};

/* The file at `which` of this path (taken over; NULL: there was no memory), under its temporary name. */
int table_open_file(struct table_writer *writer, int which, char *path, struct error *error);
/* The row's values as the file has them, `*bytes` of them. SIMCLR_DATA as table_writer_add. */
int table_row_values(struct table_writer *writer, const struct table_row *row, const void **values, size_t *bytes,
                     struct error *error);
/* Counts the row where its name, or that of its class, has bytes that are no UTF-8. */
void table_count_escaped(struct table_writer *writer, const struct table_row *row);
/* Keeps name and label for the end. */
void table_keep(struct table_writer *writer, const struct table_row *row);
static inline int32_t table_kept_label(const struct table_writer *writer, int64_t row)
{
    return ((const int32_t *)(const void *)writer->labels.bytes)[row];
}

#endif
