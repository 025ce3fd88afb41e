/* base/parquet.h -- writes tables as Parquet files (format version 1), row by row, whole or not at all.
 *
 * Plain values, uncompressed: what every reader takes. docs/formats.md has the layout; the source is parquet-format's
 * README.md, Encodings.md and parquet.thrift. */
#ifndef BASE_PARQUET_H
#define BASE_PARQUET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

enum { PARQUET_GROUP_ROWS = 20000, PARQUET_COLUMNS = 16 };

enum parquet_type {
    PARQUET_TEXT,  /* a string in UTF-8 */
    PARQUET_INT32, /* int32 */
    PARQUET_FLOAT, /* float32 */
    PARQUET_FLOATS /* list of float32, of the same length in every row: only the last column may be one */
};

struct parquet_column {
    const char *name;
    enum parquet_type type;
    bool optional; /* may be null; not a list */
    int length;    /* of a list, above 0 */
};

/* Opens the file under its temporary name (file_writer_open). At most PARQUET_COLUMNS columns, copied but for their
 * names, which stay the caller's. A list goes to the file as it comes; of the other columns the values of a group of
 * PARQUET_GROUP_ROWS rows are kept, or of fewer where they take 64 MiB. */
struct parquet;
int parquet_open(struct parquet **out, const char *path, const struct parquet_column *columns, int count,
                 struct error *error);

/* The values of the next row, one for each column, in any order. A text is borrowed; what is no UTF-8 in it is escaped
 * (escape_add_bytes). */
void parquet_text(struct parquet *parquet, int column, const char *text);
void parquet_int32(struct parquet *parquet, int column, int32_t value);
void parquet_float(struct parquet *parquet, int column, float value);
void parquet_floats(struct parquet *parquet, int column, const float *values);
void parquet_null(struct parquet *parquet, int column);
/* Ends the row. SIMCLR_NO_MEMORY. A write that fails is told by commit. */
int parquet_end_row(struct parquet *parquet, struct error *error);

/* Ends the file and gives it its name. Nulls, also after a failure. */
int parquet_commit(struct parquet **parquet, struct error *error);
void parquet_abort(struct parquet **parquet); /* nulls; NULL is fine */

#endif
