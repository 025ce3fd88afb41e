/* base/parquet.c -- see parquet.h.
 *
 * "PAR1", the pages of each group of rows, what they are as a Thrift struct (compact protocol), its length, "PAR1". A
 * page is a Thrift header and a body: repetition levels, definition levels, values. Levels of 0 and 1 are runs (RLE).
 */
#include "base/parquet.h"

#include <string.h>

#include "base/escape.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "values are written as they lie in memory");

enum { PAGE_BYTES = 1 << 20, GROUP_BYTES = 64 << 20 };

/* Of parquet.thrift. */
enum { TYPE_INT32 = 1, TYPE_FLOAT = 4, TYPE_BYTE_ARRAY = 6 };
enum { REQUIRED, OPTIONAL, REPEATED };
enum { CONVERTED_UTF8 = 0, CONVERTED_LIST = 3 };
enum { LOGICAL_STRING = 1, LOGICAL_LIST = 3 }; /* fields of the union LogicalType */
enum { ENCODING_PLAIN = 0, ENCODING_RLE = 3 };

/* Levels of 0 and 1 as runs. */
struct levels {
    struct text bytes;
    uint64_t run;
    int level; /* of the run that is not written yet */
};

struct column {
    struct parquet_column is;
    struct levels repetition, definition; /* of the page that is filled */
    struct text values;
    int32_t page_values;
    struct text pages; /* finished ones that are not in the file yet */
    int64_t at;        /* of the group's first page in the file */
    int64_t bytes;     /* of the group's pages */
    int64_t value_count;
};

struct parquet {
    struct file_writer *file;
    int64_t at; /* bytes written */
    int count;
    struct column columns[PARQUET_COLUMNS];
    int64_t rows, group_rows;
    int32_t groups;
    struct text group_list; /* of the footer */
};

/* ---- Thrift, compact protocol ---------------------------------------------------------------------------------- */

enum { THRIFT_I32 = 5, THRIFT_I64 = 6, THRIFT_BINARY = 8, THRIFT_LIST = 9, THRIFT_STRUCT = 12 };

static void add_byte(struct text *out, int byte)
{
    const char value = (char)(unsigned char)byte;
    text_add_bytes(out, &value, 1);
}

static void add_varint(struct text *out, uint64_t value)
{
    for (; value >= 0x80; value >>= 7) add_byte(out, (int)(value & 0x7F) | 0x80);
    add_byte(out, (int)value);
}

/* Fields are counted from the one before, `*last`, which is 0 where a struct begins. */
static void add_field(struct text *out, int *last, int field, int type)
{
    add_byte(out, (field - *last) << 4 | type);
    *last = field;
}

static void add_integer(struct text *out, int *last, int field, int type, int64_t value)
{
    add_field(out, last, field, type);
    add_varint(out, (uint64_t)value << 1 ^ (value < 0 ? UINT64_MAX : 0));
}

static void add_string(struct text *out, const char *value)
{
    const size_t length = strlen(value);
    add_varint(out, length);
    text_add_bytes(out, value, length);
}

static void add_list(struct text *out, int *last, int field, int type, int count)
{
    add_field(out, last, field, THRIFT_LIST);
    add_byte(out, (count < 15 ? count << 4 : 0xF0) | type);
    if (count >= 15) add_varint(out, (uint64_t)count);
}

static void end_struct(struct text *out)
{
    add_byte(out, 0);
}

/* ---- pages ----------------------------------------------------------------------------------------------------- */

static void end_run(struct levels *levels)
{
    if (levels->run == 0) return;
    add_varint(&levels->bytes, levels->run << 1);
    add_byte(&levels->bytes, levels->level);
    levels->run = 0;
}

static void add_levels(struct levels *levels, int level, uint64_t count)
{
    if (level != levels->level) end_run(levels);
    levels->level = level;
    levels->run += count;
}

/* Their bytes behind a length. */
static void move_levels(struct text *body, struct levels *levels)
{
    end_run(levels);
    const uint32_t length = (uint32_t)levels->bytes.length;
    text_add_bytes(body, (const char *)&length, sizeof length);
    text_add_bytes(body, levels->bytes.bytes, levels->bytes.length);
    levels->bytes.length = 0;
}

static void add_page_header(struct text *out, int64_t bytes, int32_t values)
{
    int page = 0, data = 0;
    add_integer(out, &page, 1, THRIFT_I32, 0);     /* type: DATA_PAGE */
    add_integer(out, &page, 2, THRIFT_I32, bytes); /* uncompressed_page_size */
    add_integer(out, &page, 3, THRIFT_I32, bytes); /* compressed_page_size */
    add_field(out, &page, 5, THRIFT_STRUCT);       /* data_page_header */
    add_integer(out, &data, 1, THRIFT_I32, values);
    add_integer(out, &data, 2, THRIFT_I32, ENCODING_PLAIN);
    add_integer(out, &data, 3, THRIFT_I32, ENCODING_RLE); /* definition levels */
    add_integer(out, &data, 4, THRIFT_I32, ENCODING_RLE); /* repetition levels */
    end_struct(out);
    end_struct(out);
}

/* The page that is filled goes behind those that are finished. */
static void end_page(struct column *column)
{
    if (column->page_values == 0) return;
    const bool list = column->is.type == PARQUET_FLOATS;
    struct text levels = {0};
    if (list) move_levels(&levels, &column->repetition);
    if (list || column->is.optional) move_levels(&levels, &column->definition);
    const size_t before = column->pages.length;
    add_page_header(&column->pages, (int64_t)(levels.length + column->values.length), column->page_values);
    text_add_bytes(&column->pages, levels.bytes, levels.length);
    text_add_bytes(&column->pages, column->values.bytes, column->values.length);
    if (levels.failed || column->values.failed || column->repetition.bytes.failed || column->definition.bytes.failed)
        column->pages.failed = true;
    column->bytes += (int64_t)(column->pages.length - before);
    column->value_count += column->page_values;
    column->page_values = 0;
    column->values.length = 0;
    text_free(&levels);
}

static void write_bytes(struct parquet *parquet, const void *bytes, size_t count)
{
    file_writer_write(parquet->file, bytes, count);
    parquet->at += (int64_t)count;
}

/* Finished pages go to the file. */
static void write_pages(struct parquet *parquet, struct column *column)
{
    const int64_t in_file = column->bytes - (int64_t)column->pages.length;
    if (in_file == 0) column->at = parquet->at;
    write_bytes(parquet, column->pages.bytes, column->pages.length);
    column->pages.length = 0;
}

/* ---- groups of rows -------------------------------------------------------------------------------------------- */

static int physical_type(enum parquet_type type)
{
    return type == PARQUET_TEXT ? TYPE_BYTE_ARRAY : type == PARQUET_INT32 ? TYPE_INT32 : TYPE_FLOAT;
}

static void add_chunk(struct text *out, const struct column *column)
{
    const bool list = column->is.type == PARQUET_FLOATS;
    int chunk = 0, data = 0;
    add_integer(out, &chunk, 2, THRIFT_I64, column->at); /* file_offset */
    add_field(out, &chunk, 3, THRIFT_STRUCT);            /* meta_data */
    add_integer(out, &data, 1, THRIFT_I32, physical_type(column->is.type));
    add_list(out, &data, 2, THRIFT_I32, 2); /* encodings */
    add_varint(out, (uint64_t)ENCODING_PLAIN << 1);
    add_varint(out, (uint64_t)ENCODING_RLE << 1);
    add_list(out, &data, 3, THRIFT_BINARY, list ? 3 : 1); /* path_in_schema */
    add_string(out, column->is.name);
    if (list) add_string(out, "list");
    if (list) add_string(out, "element");
    add_integer(out, &data, 4, THRIFT_I32, 0); /* codec: UNCOMPRESSED */
    add_integer(out, &data, 5, THRIFT_I64, column->value_count);
    add_integer(out, &data, 6, THRIFT_I64, column->bytes);
    add_integer(out, &data, 7, THRIFT_I64, column->bytes);
    add_integer(out, &data, 9, THRIFT_I64, column->at); /* data_page_offset */
    end_struct(out);
    end_struct(out);
}

static void end_group(struct parquet *parquet)
{
    struct text *out = &parquet->group_list;
    int64_t bytes = 0;
    int group = 0;
    if (parquet->group_rows == 0) return;
    for (int i = parquet->count - 1; i >= 0; i--) { /* a list, the last one, has its first pages there already */
        struct column *column = &parquet->columns[i];
        end_page(column);
        write_pages(parquet, column);
        bytes += column->bytes;
        out->failed |= column->pages.failed;
    }
    add_list(out, &group, 1, THRIFT_STRUCT, parquet->count); /* columns */
    for (int i = 0; i < parquet->count; i++) add_chunk(out, &parquet->columns[i]);
    add_integer(out, &group, 2, THRIFT_I64, bytes); /* total_byte_size */
    add_integer(out, &group, 3, THRIFT_I64, parquet->group_rows);
    end_struct(out);
    for (int i = 0; i < parquet->count; i++) parquet->columns[i].bytes = parquet->columns[i].value_count = 0;
    parquet->group_rows = 0;
    parquet->groups++;
}

/* ---- values ---------------------------------------------------------------------------------------------------- */

static void add_value(struct column *column, const void *bytes, size_t count)
{
    if (column->is.optional) add_levels(&column->definition, 1, 1);
    text_add_bytes(&column->values, bytes, count);
    column->page_values++;
}

void parquet_text(struct parquet *parquet, int number, const char *text)
{
    struct column *column = &parquet->columns[number];
    uint32_t length = 0;
    const size_t before = column->values.length;
    add_value(column, &length, sizeof length);
    escape_add_bytes(&column->values, text);
    if (column->values.failed) return;
    length = (uint32_t)(column->values.length - before - sizeof length);
    memcpy(column->values.bytes + before, &length, sizeof length);
}

void parquet_int32(struct parquet *parquet, int column, int32_t value)
{
    add_value(&parquet->columns[column], &value, sizeof value);
}

void parquet_float(struct parquet *parquet, int column, float value)
{
    add_value(&parquet->columns[column], &value, sizeof value);
}

/* The first value of a list begins it: repetition 0; the others go on with it: 1. */
void parquet_floats(struct parquet *parquet, int number, const float *values)
{
    struct column *column = &parquet->columns[number];
    const int length = column->is.length;
    add_levels(&column->repetition, 0, 1);
    if (length > 1) add_levels(&column->repetition, 1, (uint64_t)length - 1);
    add_levels(&column->definition, 1, (uint64_t)length);
    text_add_bytes(&column->values, (const char *)values, (size_t)length * sizeof *values);
    column->page_values += length;
}

void parquet_null(struct parquet *parquet, int number)
{
    struct column *column = &parquet->columns[number];
    add_levels(&column->definition, 0, 1);
    column->page_values++;
}

int parquet_end_row(struct parquet *parquet, struct error *error)
{
    size_t kept = 0;
    bool failed = parquet->group_list.failed;
    parquet->rows++;
    parquet->group_rows++;
    for (int i = 0; i < parquet->count; i++) {
        struct column *column = &parquet->columns[i];
        if (column->values.length >= PAGE_BYTES) end_page(column);
        if (column->is.type == PARQUET_FLOATS && column->pages.length > 0) write_pages(parquet, column);
        kept += column->pages.length + column->values.length;
        failed |= column->pages.failed || column->values.failed || column->definition.bytes.failed;
    }
    if (parquet->group_rows == PARQUET_GROUP_ROWS || kept >= GROUP_BYTES) end_group(parquet);
    return failed ? error_no_memory(error, "a group of rows", kept) : SIMCLR_OK;
}

/* ---- the file -------------------------------------------------------------------------------------------------- */

/* An element of the schema that holds others, or, with `type` at least 0, values. */
static void add_element(struct text *out, const char *name, int type, int repetition, int children)
{
    int last = 0;
    if (type >= 0) add_integer(out, &last, 1, THRIFT_I32, type);
    if (repetition >= 0) add_integer(out, &last, 3, THRIFT_I32, repetition);
    add_field(out, &last, 4, THRIFT_BINARY);
    add_string(out, name);
    if (children > 0) add_integer(out, &last, 5, THRIFT_I32, children);
    end_struct(out);
}

/* The same with what it means, by both ways to say so. */
static void add_meaning(struct text *out, const char *name, int type, int repetition, int converted, int logical)
{
    int last = 0, meaning = 0;
    if (type >= 0) add_integer(out, &last, 1, THRIFT_I32, type);
    add_integer(out, &last, 3, THRIFT_I32, repetition);
    add_field(out, &last, 4, THRIFT_BINARY);
    add_string(out, name);
    if (type < 0) add_integer(out, &last, 5, THRIFT_I32, 1);
    add_integer(out, &last, 6, THRIFT_I32, converted);
    add_field(out, &last, 10, THRIFT_STRUCT);
    add_field(out, &meaning, logical, THRIFT_STRUCT);
    end_struct(out);
    end_struct(out);
    end_struct(out);
}

static void add_column(struct text *out, const struct parquet_column *column)
{
    const int repetition = column->optional ? OPTIONAL : REQUIRED;
    if (column->type == PARQUET_TEXT)
        add_meaning(out, column->name, TYPE_BYTE_ARRAY, repetition, CONVERTED_UTF8, LOGICAL_STRING);
    else if (column->type != PARQUET_FLOATS)
        add_element(out, column->name, physical_type(column->type), repetition, 0);
    else {
        add_meaning(out, column->name, -1, REQUIRED, CONVERTED_LIST, LOGICAL_LIST);
        add_element(out, "list", -1, REPEATED, 1);
        add_element(out, "element", TYPE_FLOAT, REQUIRED, 0);
    }
}

static void add_footer(struct text *out, const struct parquet *parquet)
{
    int file = 0, elements = 1;
    for (int i = 0; i < parquet->count; i++) elements += parquet->columns[i].is.type == PARQUET_FLOATS ? 3 : 1;
    add_integer(out, &file, 1, THRIFT_I32, 1); /* version */
    add_list(out, &file, 2, THRIFT_STRUCT, elements);
    add_element(out, "schema", -1, -1, parquet->count);
    for (int i = 0; i < parquet->count; i++) add_column(out, &parquet->columns[i].is);
    add_integer(out, &file, 3, THRIFT_I64, parquet->rows);
    add_list(out, &file, 4, THRIFT_STRUCT, parquet->groups);
    text_add_bytes(out, parquet->group_list.bytes, parquet->group_list.length);
    end_struct(out);
}

int parquet_open(struct parquet **out, const char *path, const struct parquet_column *columns, int count,
                 struct error *error)
{
    struct parquet *parquet = *out = memory_allocate(sizeof *parquet);
    if (!parquet) return error_no_memory(error, path, sizeof *parquet);
    parquet->count = count;
    for (int i = 0; i < count; i++) parquet->columns[i].is = columns[i];
    const int status = file_writer_open(&parquet->file, path, error);
    if (status)
        parquet_abort(out);
    else
        write_bytes(parquet, "PAR1", 4);
    return status;
}

int parquet_commit(struct parquet **out, struct error *error)
{
    struct parquet *parquet = *out;
    struct text footer = {0};
    end_group(parquet);
    add_footer(&footer, parquet);
    const uint32_t length = (uint32_t)footer.length;
    int status = SIMCLR_OK;
    if (footer.failed || parquet->group_list.failed) status = error_no_memory(error, "the end of a file", length);
    write_bytes(parquet, footer.bytes, footer.length);
    write_bytes(parquet, &length, sizeof length);
    write_bytes(parquet, "PAR1", 4);
    if (!status) status = file_writer_commit(&parquet->file, error);
    text_free(&footer);
    parquet_abort(out);
    return status;
}

void parquet_abort(struct parquet **out)
{
    struct parquet *parquet = *out;
    if (!parquet) return;
    file_writer_abort(&parquet->file);
    for (int i = 0; i < parquet->count; i++) {
        struct column *column = &parquet->columns[i];
        text_free(&column->repetition.bytes);
        text_free(&column->definition.bytes);
        text_free(&column->values);
        text_free(&column->pages);
    }
    text_free(&parquet->group_list);
    memory_free(parquet);
    *out = NULL;
}
