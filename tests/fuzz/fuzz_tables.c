/* Any bytes as a table of features that is to be written, in any format: names, labels, numbers, promised rows that do
 * not come. What --features reads comes back to the bit; the others have their first and last bytes. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/half.h"
#include "base/lines.h"
#include "base/memory.h"
#include "fuzz.h"
#include "run/table/feature_table.h"
#include "run/table/table_write.h"

long fuzz_accepted;

enum { HEAD = 4, NAMES_MOST = 64, DIM_MOST = 64, CLASSES = 3, SHORT_NAME = 4 };

struct input {
    enum table_format format;
    struct table_shape shape;
    char *text;                   /* names, each ended by NUL */
    const char *name[NAMES_MOST]; /* in it; row i has name i % names */
    int64_t names, rows;
    const uint8_t *bytes; /* numbers are made of */
    size_t count;
};

static const char *const classes[CLASSES] = {"a,b", "line\nend", "\xFF"};

static int32_t label_of(const struct input *input, int64_t row)
{
    return input->shape.classes > 0 ? (int32_t)(input->bytes[(size_t)row % input->count] % (CLASSES + 1)) - 1 : -1;
}

static float value_of(const struct input *input, int64_t row, int d)
{
    uint8_t bits[4];
    float value;
    for (size_t i = 0; i < 4; i++) bits[i] = input->bytes[((size_t)row * 7 + (size_t)d * 3 + i) % input->count];
    memcpy(&value, bits, sizeof value);
    return isfinite(value) ? value : 0.5f;
}

static void take(struct input *input, const uint8_t *bytes, size_t count)
{
    *input = (struct input){.format = (enum table_format)(bytes[0] % TABLE_FORMATS), .bytes = bytes, .count = count};
    const bool many = bytes[3] == 255; /* past a group of rows */
    input->shape = (struct table_shape){.dim = 1 + bytes[1] % (many ? 2 : DIM_MOST),
                                        .half = bytes[2] & 1 && table_format_has_half(input->format),
                                        .classes = bytes[2] & 2 ? CLASSES : 0,
                                        .class_names = classes};
    input->text = memory_allocate(count - HEAD + 1);
    FUZZ_CHECK(input->text);
    memcpy(input->text, bytes + HEAD, count - HEAD);
    const char *at = input->text, *end = at + count - HEAD;
    for (; at < end && input->names < NAMES_MOST; at += strlen(at) + 1) {
        if (!*at) continue;
        input->name[input->names++] = at;
        input->shape.odd_names |= lines_need_mark(at);
        if (strlen(at) > input->shape.longest_name) input->shape.longest_name = strlen(at);
    }
    /* Names of kilobytes, each written hundreds of times, would make a hundred megabytes and show nothing more. */
    const bool large = many && input->shape.longest_name <= SHORT_NAME;
    input->rows = input->names == 0 ? 0 : large ? 20000 + bytes[1] % 3 : input->names * (bytes[3] % 4);
    input->shape.rows = input->rows + (bytes[2] & 4 ? 10 : 0);
}

static int write_table(const struct input *input, const char *path, struct error *error)
{
    struct table_writer *writer;
    float values[DIM_MOST];
    int status = table_writer_open(&writer, path, input->format, &input->shape, error);
    for (int64_t i = 0; !status && i < input->rows; i++) {
        for (int d = 0; d < input->shape.dim; d++) values[d] = value_of(input, i, d);
        const struct table_row row = {input->name[i % input->names], label_of(input, i), values};
        status = table_writer_add(writer, &row, error);
    }
    if (!status) status = table_writer_commit(writer, error);
    table_writer_close(&writer);
    return status;
}

static void check_read(const struct input *input, const char *path)
{
    struct feature_table table;
    struct error error = {0};
    if (input->rows == 0) return; /* which is not read */
    FUZZ_CHECK(feature_table_open(&table, path, &error) == SIMCLR_OK);
    FUZZ_CHECK(table.catalog.count == input->rows && table.dim == input->shape.dim);
    for (int64_t i = 0; i < input->rows; i++) {
        const int32_t label = label_of(input, i), read = table.catalog.label[i];
        FUZZ_CHECK(strcmp(catalog_name(&table.catalog, i), input->name[i % input->names]) == 0);
        FUZZ_CHECK(label < 0 ? read < 0 : read >= 0 && strcmp(table.catalog.class_name[read], classes[label]) == 0);
        for (int d = 0; d < table.dim; d++) {
            float value = value_of(input, i, d);
            if (input->shape.half) value = half_to_float(half_from_float(value));
            FUZZ_CHECK(memcmp(&value, &table.values[i * table.dim + d], sizeof value) == 0);
        }
    }
    feature_table_free(&table);
}

static void check_parquet(const char *path)
{
    uint8_t *bytes;
    size_t count;
    uint32_t footer;
    FUZZ_CHECK(file_read(path, 1 << 28, &bytes, &count, NULL) == SIMCLR_OK);
    FUZZ_CHECK(count >= 12 && memcmp(bytes, "PAR1", 4) == 0 && memcmp(bytes + count - 4, "PAR1", 4) == 0);
    memcpy(&footer, bytes + count - 8, sizeof footer);
    FUZZ_CHECK(footer > 0 && footer <= count - 12 && bytes[count - 9] == 0);
    memory_free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    char path[64], beside[80];
    struct input input;
    struct error error = {0};
    if (count <= HEAD) return 0;
    take(&input, bytes, count);
    const char *folder = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    snprintf(path, sizeof path, "%s/simclr-fuzz-%ld", folder, (long)getpid());
    const int status = write_table(&input, path, &error);
    if (status != SIMCLR_OK) {
        FUZZ_CHECK(status == SIMCLR_DATA && input.shape.half && error.text[0] != '\0');
        FUZZ_CHECK(!file_exists(path));
    } else {
        fuzz_accepted++;
        if (input.format == TABLE_NPY || input.format == TABLE_NPZ || input.format == TABLE_SAFETENSORS)
            check_read(&input, path);
        if (input.format == TABLE_PARQUET) check_parquet(path);
    }
    static const char *const endings[] = {"", ".txt", ".labels.txt"};
    for (int i = 0; i < 3; i++) {
        snprintf(beside, sizeof beside, "%s%s", path, endings[i]);
        unlink(beside);
    }
    memory_free(input.text);
    return 0;
}
