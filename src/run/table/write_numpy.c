/* run/table/write_numpy.c -- tables of features as NumPy reads them: .npy with lists beside it, and .npz. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/escape.h"
#include "base/lines.h"
#include "base/memory.h"
#include "base/npy.h"
#include "run/table/table_kinds.h"

static size_t features_header(char header[NPY_HEADER], const struct table_writer *writer, int64_t rows)
{
    const char *descr = writer->halves ? "<f2" : "<f4";
    return npy_header_beside(header, descr, rows, writer->shape.dim, writer->escapes_lists);
}

/* ---- .npy ------------------------------------------------------------------------------------------------------ */

/* The lists have as many lines as there are rows. So it is the header that says that they are escaped. */
static bool odd_classes(const struct table_shape *shape)
{
    bool odd = false;
    for (int i = 0; i < shape->classes; i++) odd |= lines_need_mark(shape->class_names[i]);
    return odd;
}

static int open_npy(struct table_writer *writer, struct error *error)
{
    char header[NPY_HEADER];
    const char *path = writer->path[TABLE_FEATURES];
    int status = file_writer_open(&writer->file[TABLE_FEATURES], path, error);
    if (!status) status = table_open_file(writer, TABLE_NAMES, file_beside(path, ".npy", ".txt"), error);
    if (status) return status;
    char *labels = file_beside(path, ".npy", ".labels.txt");
    if (writer->shape.classes > 0)
        status = table_open_file(writer, TABLE_LABELS, labels, error);
    else
        writer->foreign = labels;
    if (!labels) status = error_no_memory(error, "a path", strlen(path));
    if (status) return status;
    writer->escapes_lists = writer->shape.odd_names || odd_classes(&writer->shape);
    const size_t bytes = features_header(header, writer, writer->shape.rows);
    file_writer_write(writer->file[TABLE_FEATURES], header, bytes);
    return SIMCLR_OK;
}

static void add_to_list(struct table_writer *writer, int which, const char *name)
{
    struct text *line = &writer->line;
    line->length = 0;
    if (name)
        lines_add(line, name, writer->escapes_lists);
    else
        text_add_bytes(line, "\n", 1);
    if (!line->failed) file_writer_write(writer->file[which], line->bytes, line->length);
}

static int add_npy(struct table_writer *writer, const struct table_row *row, struct error *error)
{
    const void *values;
    size_t bytes;
    const int status = table_row_values(writer, row, &values, &bytes, error);
    if (status) return status;
    file_writer_write(writer->file[TABLE_FEATURES], values, bytes);
    add_to_list(writer, TABLE_NAMES, row->name);
    if (writer->shape.classes > 0)
        add_to_list(writer, TABLE_LABELS, row->label < 0 ? NULL : writer->shape.class_names[row->label]);
    return SIMCLR_OK;
}

/* Images that turned out to be bad have no row: the header that was written promises too many. */
static int commit_npy(struct table_writer *writer, struct error *error)
{
    char header[NPY_HEADER];
    struct file_writer *file = writer->file[TABLE_FEATURES];
    if (writer->rows == writer->shape.rows) return SIMCLR_OK;
    if (!file_writer_goes_back(file))
        return error_set(error, SIMCLR_DATA,
                         "%s: %" PRId64 " of %" PRId64
                         " rows were promised to it that bad images don't have: write to a "
                         "file, or leave these images out",
                         writer->path[TABLE_FEATURES], writer->shape.rows - writer->rows, writer->shape.rows);
    const size_t bytes = features_header(header, writer, writer->rows);
    file_writer_patch(file, 0, header, bytes);
    return SIMCLR_OK;
}

const struct table_kind table_npy = {"npy", ".npy", true, open_npy, add_npy, commit_npy};

/* ---- .npz ------------------------------------------------------------------------------------------------------ */

/* Known before the long work: features, and names of four bytes a character, as many as the longest has. */
static int check_archive(const struct table_writer *writer, uint64_t row, struct error *error)
{
    const uint64_t rows = (uint64_t)writer->shape.rows, labels = writer->shape.classes > 0 ? sizeof(int64_t) : 0;
    const uint64_t all = row + labels + 4 * (uint64_t)writer->shape.longest_name, most = UINT32_MAX - (1u << 20);
    if (rows <= most / all) return SIMCLR_OK;
    return error_set(error, SIMCLR_UNSUPPORTED,
                     "%s: %" PRIu64
                     " rows of %d features, with names of up to %zu bytes, take more than the 4 GiB that "
                     "an .npz can have here: give another --format, such as npy",
                     writer->path[TABLE_FEATURES], rows, writer->shape.dim, writer->shape.longest_name);
}

static int open_npz(struct table_writer *writer, struct error *error)
{
    char header[NPY_HEADER];
    const size_t head = features_header(header, writer, writer->shape.rows);
    const uint64_t row = (uint64_t)writer->shape.dim * (writer->halves ? 2 : 4);
    int status = check_archive(writer, row, error);
    if (!status) status = zip_writer_open(&writer->zip, writer->path[TABLE_FEATURES], error);
    if (status) return status;
    return zip_writer_begin(writer->zip, "features.npy", head, head + (uint64_t)writer->shape.rows * row, error);
}

static int add_npz(struct table_writer *writer, const struct table_row *row, struct error *error)
{
    const void *values;
    size_t bytes;
    const int status = table_row_values(writer, row, &values, &bytes, error);
    if (status) return status;
    zip_writer_put(writer->zip, values, bytes);
    table_keep(writer, row);
    return SIMCLR_OK;
}

/* The next character as NumPy's U has it: a byte that is no UTF-8 is the low surrogate by which Python keeps it. */
static uint32_t next_character(const char *text, size_t left, size_t *length)
{
    *length = escape_utf8_length((const unsigned char *)text, left);
    if (*length > 0) return (uint32_t)escape_code_point((const unsigned char *)text, *length);
    *length = 1;
    return 0xDC00u + (unsigned char)*text;
}

static size_t characters(const char *text)
{
    size_t count = 0, left = strlen(text), length;
    for (; left > 0; text += length, left -= length, count++) next_character(text, left, &length);
    return count;
}

/* `texts`: `count` of them, each ended by NUL. */
static int add_texts(struct table_writer *writer, const char *name, const char *texts, int64_t count,
                     struct error *error)
{
    char header[NPY_HEADER], descr[32];
    size_t width = 1;
    const char *at = texts;
    for (int64_t i = 0; i < count; i++, at += strlen(at) + 1) {
        const size_t length = characters(at);
        if (length > width) width = length;
    }
    snprintf(descr, sizeof descr, "<U%zu", width);
    const size_t head = npy_header(header, descr, count, 0);
    uint32_t *item = memory_array(width, sizeof *item);
    if (!item) return error_no_memory(error, "a name", width * sizeof *item);
    const uint64_t bytes = head + (uint64_t)count * width * sizeof *item;
    int status = zip_writer_begin(writer->zip, name, head, bytes, error);
    at = texts;
    for (int64_t i = 0; !status && i < count; i++) {
        size_t used = 0, left = strlen(at), length;
        for (; left > 0; at += length, left -= length) item[used++] = next_character(at, left, &length);
        memset(item + used, 0, (width - used) * sizeof *item);
        zip_writer_put(writer->zip, item, width * sizeof *item);
        at++;
    }
    memory_free(item);
    return status ? status : zip_writer_end(writer->zip, header, error);
}

static int add_labels(struct table_writer *writer, struct error *error)
{
    char header[NPY_HEADER];
    const size_t head = npy_header(header, "<i8", writer->rows, 0);
    const int status =
        zip_writer_begin(writer->zip, "labels.npy", head, head + (uint64_t)writer->rows * sizeof(int64_t), error);
    if (status) return status;
    for (int64_t i = 0; i < writer->rows; i++) {
        const int64_t label = table_kept_label(writer, i);
        zip_writer_put(writer->zip, &label, sizeof label);
    }
    return zip_writer_end(writer->zip, header, error);
}

static int add_classes(struct table_writer *writer, struct error *error)
{
    const struct table_shape *shape = &writer->shape;
    writer->line.length = 0;
    for (int i = 0; i < shape->classes; i++)
        text_add_bytes(&writer->line, shape->class_names[i], strlen(shape->class_names[i]) + 1);
    if (writer->line.failed) return error_no_memory(error, "the names of classes", writer->line.capacity);
    return add_texts(writer, "classes.npy", writer->line.bytes, shape->classes, error);
}

static int commit_npz(struct table_writer *writer, struct error *error)
{
    char header[NPY_HEADER];
    features_header(header, writer, writer->rows);
    int status = zip_writer_end(writer->zip, header, error);
    if (!status && writer->shape.classes > 0) status = add_labels(writer, error);
    if (!status && writer->shape.classes > 0) status = add_classes(writer, error);
    if (!status) status = add_texts(writer, "names.npy", writer->names.bytes, writer->rows, error);
    return status ? status : zip_writer_commit(&writer->zip, error);
}

const struct table_kind table_npz = {"npz", ".npz", true, open_npz, add_npz, commit_npz};
