/* data/sets/cifar.c -- the CIFAR-10 and CIFAR-100 binary files: records of one or two label bytes and 3072 bytes of
 * pixels, the planes R, G, B of 32 x 32 each (https://www.cs.toronto.edu/~kriz/cifar.html). */
#include "data/sets/cifar.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "data/names/class_names.h"
#include "data/sets/kind.h"
#include "data/sets/records.h"

enum { SIDE = 32, PIXELS = 3 * SIDE * SIDE, MAX_FILES = 5, BLOCK_RECORDS = 256 };

static const char *const cifar10_names[10] = {"airplane", "automobile", "bird",  "cat",  "deer",
                                              "dog",      "frog",       "horse", "ship", "truck"};

static const struct flavour {
    int classes, label_bytes;            /* two: coarse, then fine */
    const char *files[2][MAX_FILES + 1]; /* ended by NULL */
    const char *names;                   /* text file of the class names */
} flavours[2] = {
    {10,
     1,
     {{"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"},
      {"test_batch.bin"}},
     "batches.meta.txt"},
    {100, 2, {{"train.bin"}, {"test.bin"}}, "fine_label_names.txt"},
};

/* The flavour whose files are there, or NULL; parts[..]: which parts of it. */
static int find_flavour(const struct shelf *shelf, const struct flavour **out, bool parts[2], struct error *error)
{
    *out = NULL;
    parts[0] = parts[1] = false;
    for (int i = 0; i < 2 && !*out; i++)
        for (int part = 0; part < 2; part++) {
            int first;
            const int status = shelf_has_one(shelf, flavours[i].files[part], &first, error);
            if (status) return status;
            parts[part] = first >= 0;
            if (parts[part]) *out = &flavours[i];
        }
    return SIMCLR_OK;
}

int cifar_on_shelf(const struct shelf *shelf, bool *out, struct error *error)
{
    const struct flavour *flavour;
    bool parts[2];
    const int status = find_flavour(shelf, &flavour, parts, error);
    *out = flavour;
    return status;
}

int cifar_test_on_shelf(const struct shelf *shelf, bool *out, struct error *error)
{
    const struct flavour *flavour;
    bool parts[2];
    const int status = find_flavour(shelf, &flavour, parts, error);
    *out = parts[1];
    return status;
}

static int cifar_is(const struct set_place *place, bool *out, struct error *error)
{
    const struct shelf shelf = shelf_of_folder(place->path);
    return place->folder ? cifar_on_shelf(&shelf, out, error) : kind_answer(out, false);
}

static int cifar_has_test(const char *path, bool *out, struct error *error)
{
    const struct shelf shelf = shelf_of_folder(path);
    return cifar_test_on_shelf(&shelf, out, error);
}

static int add_records(struct catalog *catalog, const struct flavour *flavour, const struct blob *blob,
                       const char *path, const char *name, int64_t records, struct error *error)
{
    const size_t record = (size_t)flavour->label_bytes + PIXELS;
    const size_t at_once = records < BLOCK_RECORDS ? (size_t)records : BLOCK_RECORDS;
    uint8_t *block = memory_array(at_once, record);
    if (block == NULL) return error_no_memory(error, "CIFAR records", at_once * record);
    int status = SIMCLR_OK;
    for (int64_t first = 0; status == SIMCLR_OK && first < records; first += BLOCK_RECORDS) {
        const int64_t count = records - first < BLOCK_RECORDS ? records - first : BLOCK_RECORDS;
        status = blob_read_named(blob, first * (int64_t)record, block, (size_t)count * record, name, error);
        for (int64_t i = 0; status == SIMCLR_OK && i < count; i++) {
            const long long number = first + i;
            const int label = block[(size_t)i * record + (size_t)flavour->label_bytes - 1];
            char item[64];
            snprintf(item, sizeof item, "%s/%lld", name, number);
            status =
                label < flavour->classes
                    ? catalog_add(catalog, item, label, error)
                    : error_set(error, SIMCLR_CORRUPT, "%s: %s: record %lld has label %d, but CIFAR-%d ends at %d: %s",
                                path, name, number, label, flavour->classes, flavour->classes - 1,
                                "the file is damaged or something else");
        }
    }
    memory_free(block);
    return status;
}

static int add_file(struct source *out, struct catalog *catalog, const struct flavour *flavour,
                    const struct shelf *shelf, const char *name, struct error *error)
{
    const struct blob *blob;
    int64_t records;
    int status = records_add(out, shelf, name, flavour->label_bytes, &records, &blob, error);
    if (status != SIMCLR_OK) return status;
    status = add_records(catalog, flavour, blob, shelf->path, name, records, error);
    records_end(out, catalog, NULL);
    return status;
}

/* Class names from the set's own text file if it is there and has as many lines as there are classes. */
static int add_class_names(struct catalog *catalog, const struct flavour *flavour, const struct shelf *shelf,
                           struct error *error)
{
    char *text;
    int status = shelf_read_text(shelf, flavour->names, 65536, &text, error);
    if (status == SIMCLR_NO_MEMORY) return status;
    char *rest = text, *names[100];
    int found = 0;
    for (char *line; text != NULL && (line = strtok_r(rest, "\r\n", &rest)) != NULL;)
        if (found < flavour->classes) names[found++] = line;
    status = SIMCLR_OK;
    for (int i = 0; status == SIMCLR_OK && i < flavour->classes; i++) {
        char number[16];
        snprintf(number, sizeof number, "%d", i);
        const char *own = flavour->classes == 10 ? cifar10_names[i] : number;
        status = catalog_add_class(catalog, found == flavour->classes ? names[i] : own, error);
    }
    memory_free(text);
    return status;
}

/* Those of the part's files that are there: a download may lack some. */
static int add_files(struct source *out, struct catalog *catalog, const struct flavour *flavour,
                     const struct shelf *shelf, int part, struct error *error)
{
    int status = SIMCLR_OK;
    for (const char *const *name = flavour->files[part]; !status && *name; name++) {
        bool found;
        status = shelf_has(shelf, *name, &found, error);
        if (!status && found) status = add_file(out, catalog, flavour, shelf, *name, error);
    }
    return status;
}

int cifar_open_shelf(struct source *out, struct catalog *catalog, const struct shelf *shelf, int part,
                     struct error *error)
{
    const struct flavour *flavour;
    bool parts[2];
    int status = find_flavour(shelf, &flavour, parts, error);
    if (!status && !flavour) return error_set(error, SIMCLR_IO, "%s: CIFAR's binaries are gone", shelf->path);
    if (!status) status = records_open(out, SIDE, false, error);
    if (status) return status;
    snprintf(catalog->what, sizeof catalog->what, "CIFAR-%d binaries", flavour->classes);
    if (!parts[part])
        return error_set(error, SIMCLR_DATA, "%s: CIFAR-%d without %s: add that file", shelf->path, flavour->classes,
                         flavour->files[part][0]);
    status = add_files(out, catalog, flavour, shelf, part, error);
    if (!status) status = add_class_names(catalog, flavour, shelf, error);
    if (status || !class_names_are_numbers(catalog)) return status;
    char *beside = shelf->archive ? memory_string(shelf->path) : file_join(shelf->path, CLASS_NAMES_FILE);
    if (!beside) return error_no_memory(error, "a path", strlen(shelf->path) + 16);
    status = class_names_read(catalog, beside, NULL, error);
    memory_free(beside);
    return status;
}

static int cifar_open(struct source *out, struct catalog *catalog, const struct set_request *request,
                      struct error *error)
{
    const struct shelf shelf = shelf_of_folder(request->path);
    return cifar_open_shelf(out, catalog, &shelf, request->part, error);
}

const struct set_kind cifar_kind = {
    .name = "CIFAR binaries", .is = cifar_is, .open = cifar_open, .has_test = cifar_has_test};
