/* run/table/write_safetensors.c -- tables of features as .safetensors, written as the rows come.
 *
 * The features stand first, since how many there are is known last. The room that is kept for the header is filled in
 * at the end, with the checksum. Zeros behind the names of classes make the labels, which follow, begin at a multiple
 * of 8.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/checksum.h"
#include "checkpoint/safetensors.h"
#include "run/table/table_kinds.h"

enum { ROOM = 1024 /* for the length and the header */, ALIGNMENT = 8 };

static int open_safetensors(struct table_writer *writer, struct error *error)
{
    static const char room[ROOM];
    const int status = file_writer_open(&writer->file[TABLE_FEATURES], writer->path[TABLE_FEATURES], error);
    if (status) return status;
    if (!file_writer_goes_back(writer->file[TABLE_FEATURES]))
        return error_set(error, SIMCLR_UNSUPPORTED, "%s: is no file on a disk, which a .safetensors must be here",
                         writer->path[TABLE_FEATURES]);
    file_writer_write(writer->file[TABLE_FEATURES], room, sizeof room);
    return SIMCLR_OK;
}

static void put(struct table_writer *writer, const void *bytes, size_t count)
{
    writer->crc = crc32c_extend(writer->crc, bytes, count);
    file_writer_write(writer->file[TABLE_FEATURES], bytes, count);
}

static int add_safetensors(struct table_writer *writer, const struct table_row *row, struct error *error)
{
    const void *values;
    size_t bytes;
    const int status = table_row_values(writer, row, &values, &bytes, error);
    if (status) return status;
    put(writer, values, bytes);
    table_keep(writer, row);
    return SIMCLR_OK;
}

/* Its data follow those that end at *offset. */
static void describe(struct text *header, const char *name, const char *dtype, int64_t rows, int64_t columns,
                     int64_t bytes, int64_t *offset)
{
    text_json_open_object(header, name);
    text_json_string(header, "dtype", dtype);
    text_json_open_array(header, "shape");
    text_json_integer(header, NULL, rows);
    if (columns > 0) text_json_integer(header, NULL, columns);
    text_json_close_array(header);
    text_json_open_array(header, "data_offsets");
    text_json_integer(header, NULL, *offset);
    *offset += bytes;
    text_json_integer(header, NULL, *offset);
    text_json_close_array(header);
    text_json_close_object(header);
}

/* The names of the classes, each ended by NUL, and zeros. */
static int64_t put_classes(struct table_writer *writer, int64_t at)
{
    static const char zeros[ALIGNMENT];
    int64_t bytes = 0;
    for (int i = 0; i < writer->shape.classes; i++) {
        const size_t length = strlen(writer->shape.class_names[i]) + 1;
        put(writer, writer->shape.class_names[i], length);
        bytes += (int64_t)length;
    }
    const int64_t fill = (ALIGNMENT - (at + bytes) % ALIGNMENT) % ALIGNMENT;
    put(writer, zeros, (size_t)fill);
    return bytes + fill;
}

static void put_labels(struct table_writer *writer)
{
    for (int64_t i = 0; i < writer->rows; i++) {
        const int64_t label = table_kept_label(writer, i);
        put(writer, &label, sizeof label);
    }
}

/* The whole header, its checksum zeros, in `room`. */
static void fill_room(uint8_t room[ROOM], const struct text *header)
{
    const uint64_t length = ROOM - 8;
    for (int i = 0; i < 8; i++) room[i] = (uint8_t)(length >> 8 * i);
    memset(room + 8, ' ', length);
    memcpy(room + 8, header->bytes, header->length);
}

static int commit_safetensors(struct table_writer *writer, struct error *error)
{
    struct text header = {0};
    uint8_t room[ROOM];
    const int64_t item = writer->halves ? 2 : 4, names = (int64_t)writer->names.length;
    const int64_t values = writer->rows * writer->shape.dim * item;
    int64_t offset = 0;
    text_json_open_object(&header, NULL);
    text_json_open_object(&header, "__metadata__");
    text_json_string(&header, SAFETENSORS_CHECKSUM, "00000000");
    text_json_string(&header, "format", "simclr-table");
    text_json_close_object(&header);
    describe(&header, "features", writer->halves ? "F16" : "F32", writer->rows, writer->shape.dim, values, &offset);
    if (writer->shape.classes > 0) {
        const int64_t classes = put_classes(writer, offset);
        describe(&header, "classes", "U8", classes, 0, classes, &offset);
        describe(&header, "labels", "I64", writer->rows, 0, writer->rows * 8, &offset);
        put_labels(writer);
    }
    describe(&header, "names", "U8", names, 0, names, &offset);
    put(writer, writer->names.bytes, writer->names.length);
    text_json_close_object(&header);
    if (!header.failed) {
        fill_room(room, &header);
        char digits[16];
        snprintf(digits, sizeof digits, "%08" PRIx32,
                 crc32c_combine(crc32c(room, ROOM), writer->crc, (uint64_t)offset));
        memcpy(memmem(room, ROOM, "00000000", 8), digits, 8);
        file_writer_patch(writer->file[TABLE_FEATURES], 0, room, ROOM);
    }
    const bool failed = header.failed;
    text_free(&header);
    return failed ? error_no_memory(error, "a file's header", ROOM) : SIMCLR_OK;
}

const struct table_kind table_safetensors = {"safetensors",    ".safetensors",  true,
                                             open_safetensors, add_safetensors, commit_safetensors};
