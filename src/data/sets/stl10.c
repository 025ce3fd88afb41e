/* data/sets/stl10.c -- STL-10 (https://cs.stanford.edu/~acoates/stl10): files X of 3 planes of 96 x 96 bytes per image,
 * each plane column after column; files y of one byte per image, a class from 1 to 10. */
#include "data/sets/stl10.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/letters.h"
#include "base/memory.h"
#include "data/sets/kind.h"
#include "data/sets/records.h"

enum { SIDE = 96, CLASSES = 10, FOLDS = 10, LABELS_MAX = 16 << 20, TEXT_MAX = 16 << 20 };

static const char *const class_names[CLASSES] = {"airplane", "bird",  "car",    "cat",  "deer",
                                                 "dog",      "horse", "monkey", "ship", "truck"};

int stl10_on_shelf(const struct shelf *shelf, bool *out, struct error *error)
{
    static const char *const files[] = {"train_X.bin", "test_X.bin", "unlabeled_X.bin", NULL};
    int first;
    const int status = shelf_has_one(shelf, files, &first, error);
    *out = first >= 0;
    return status;
}

int stl10_test_on_shelf(const struct shelf *shelf, bool *out, struct error *error)
{
    return shelf_has(shelf, "test_X.bin", out, error);
}

/* The labels of `count` images, or *labels NULL where `name` is NULL. */
static int read_labels(const struct shelf *shelf, const char *name, int64_t count, uint8_t **labels,
                       struct error *error)
{
    struct blob file;
    *labels = NULL;
    if (name == NULL) return SIMCLR_OK;
    int status = shelf_open(shelf, name, &file, error);
    if (status != SIMCLR_OK) return status;
    if (file.size != count || count > LABELS_MAX)
        status = error_set(error, SIMCLR_CORRUPT, "%s: %s has %lld labels for %lld images: download it again",
                           shelf->path, name, (long long)file.size, (long long)count);
    else if ((*labels = memory_allocate((size_t)count)) == NULL)
        status = error_no_memory(error, name, (size_t)count);
    else
        status = blob_read_named(&file, 0, *labels, (size_t)count, name, error);
    for (int64_t i = 0; status == SIMCLR_OK && *labels != NULL && i < count; i++)
        if ((*labels)[i] < 1 || (*labels)[i] > CLASSES)
            status =
                error_set(error, SIMCLR_CORRUPT, "%s: %s: label %d of image %lld is not in 1 to %d: download it again",
                          shelf->path, name, (*labels)[i], (long long)i, CLASSES);
    blob_close(&file);
    return status;
}

/* The numbers of one line, each below `count`, at most `count` of them: -1 for anything else. */
static int64_t read_numbers(const char *line, int64_t count, uint32_t *numbers)
{
    int64_t found = 0;
    for (;;) {
        while (*line == ' ' || *line == '\t' || *line == '\r') line++;
        if (*line == '\n' || *line == '\0') return found;
        if (!letter_is_digit(*line) || found == count) return -1;
        char *end;
        const long long number = strtoll(line, &end, 10);
        if (number >= count) return -1;
        numbers[found++] = (uint32_t)number;
        line = end;
    }
}

/* The images of a fold: a line of fold_indices.txt. */
static int read_fold(const struct shelf *shelf, int fold, int64_t count, uint32_t **pick, int64_t *picked,
                     struct error *error)
{
    char *text;
    *picked = 0;
    int status = shelf_read_text(shelf, "fold_indices.txt", TEXT_MAX, &text, error);
    if (status != SIMCLR_OK) return status;
    const char *line = text;
    for (int i = 0; line != NULL && i < fold; i++) line = (line = strchr(line, '\n')) == NULL ? NULL : line + 1;
    *pick = memory_array((size_t)count, sizeof **pick);
    if (line == NULL || *line == '\0')
        status = error_set(error, SIMCLR_DATA, "%s: fold_indices.txt has no line for fold %d", shelf->path, fold);
    else if (*pick == NULL)
        status = error_no_memory(error, "a fold", (size_t)count * sizeof **pick);
    else if ((*picked = read_numbers(line, count, *pick)) < 0)
        status = error_set(error, SIMCLR_CORRUPT, "%s: fold_indices.txt: fold %d names an image that is not there",
                           shelf->path, fold);
    memory_free(text);
    return status;
}

/* Adds the images of a file; fold -1: all of them. */
static int add_file(struct source *out, struct catalog *catalog, const struct shelf *shelf, const char *images,
                    const char *labels, int fold, struct error *error)
{
    const struct blob *blob;
    int64_t count;
    int status = records_add(out, shelf, images, 0, &count, &blob, error);
    if (status != SIMCLR_OK) return status;
    uint8_t *label = NULL;
    uint32_t *pick = NULL;
    int64_t items = count;
    status = read_labels(shelf, labels, count, &label, error);
    if (status == SIMCLR_OK && fold >= 0) status = read_fold(shelf, fold, count, &pick, &items, error);
    for (int64_t i = 0; status == SIMCLR_OK && i < items; i++) {
        const int64_t record = pick != NULL ? pick[i] : i;
        char name[64];
        snprintf(name, sizeof name, "%s/%lld", images, (long long)record);
        status = catalog_add(catalog, name, label == NULL ? -1 : label[record] - 1, error);
    }
    records_end(out, catalog, pick);
    memory_free(label);
    return status;
}

static int add_class_names(struct catalog *catalog, const struct shelf *shelf, struct error *error)
{
    char *text;
    int status = shelf_read_text(shelf, "class_names.txt", 65536, &text, error);
    if (status == SIMCLR_NO_MEMORY) return status;
    char *rest = text, *names[CLASSES];
    int found = 0;
    for (char *line; text != NULL && (line = strtok_r(rest, "\r\n", &rest)) != NULL;)
        if (found < CLASSES) names[found++] = line;
    status = SIMCLR_OK;
    for (int i = 0; status == SIMCLR_OK && i < CLASSES; i++)
        status = catalog_add_class(catalog, found == CLASSES ? names[i] : class_names[i], error);
    memory_free(text);
    return status;
}

int stl10_open_shelf(struct source *out, struct catalog *catalog, const struct shelf *shelf, int part,
                     const char *choice, struct error *error)
{
    const bool train = strcmp(choice, "train") == 0, unlabeled = strcmp(choice, "unlabeled") == 0;
    const bool both = strcmp(choice, "train+unlabeled") == 0;
    const int fold =
        strncmp(choice, "fold", 4) == 0 && letter_is_digit(choice[4]) && choice[5] == '\0' ? choice[4] - '0' : -1;
    if (!train && !unlabeled && !both && fold < 0)
        return error_set(error, SIMCLR_INVALID,
                         "%s: STL-10 has no part `%s`: give train, unlabeled, train+unlabeled or "
                         "fold0 to fold%d",
                         shelf->path, choice, FOLDS - 1);
    const char *const needed = part == 1 ? "test_X.bin" : unlabeled ? "unlabeled_X.bin" : "train_X.bin";
    bool found, unlabelled_there = false;
    int status = shelf_has(shelf, needed, &found, error);
    if (!status) status = shelf_has(shelf, "unlabeled_X.bin", &unlabelled_there, error);
    if (status) return status;
    if (!found) return error_set(error, SIMCLR_DATA, "%s: STL-10 without %s: add that file", shelf->path, needed);
    status = records_open(out, SIDE, true, error);
    snprintf(catalog->what, sizeof catalog->what, "STL-10 binaries, %s", part == 1 ? "test" : choice);
    if (status == SIMCLR_OK && part == 1) status = add_file(out, catalog, shelf, needed, "test_y.bin", -1, error);
    if (status == SIMCLR_OK && part == 0 && !unlabeled)
        status = add_file(out, catalog, shelf, "train_X.bin", "train_y.bin", fold, error);
    /* A download without its unlabelled part is still train+unlabeled, as far as it goes. */
    if (status == SIMCLR_OK && part == 0 && (unlabeled || (both && unlabelled_there)))
        status = add_file(out, catalog, shelf, "unlabeled_X.bin", NULL, -1, error);
    if (status == SIMCLR_OK && catalog->count == 0)
        status = error_set(error, SIMCLR_DATA, "%s: no images in this part of STL-10", shelf->path);
    return status == SIMCLR_OK ? add_class_names(catalog, shelf, error) : status;
}

static int stl10_is(const struct set_place *place, bool *out, struct error *error)
{
    const struct shelf shelf = shelf_of_folder(place->path);
    return place->folder ? stl10_on_shelf(&shelf, out, error) : kind_answer(out, false);
}

static int stl10_has_test(const char *path, bool *out, struct error *error)
{
    const struct shelf shelf = shelf_of_folder(path);
    return stl10_test_on_shelf(&shelf, out, error);
}

static int stl10_open(struct source *out, struct catalog *catalog, const struct set_request *request,
                      struct error *error)
{
    const struct shelf shelf = shelf_of_folder(request->path);
    return stl10_open_shelf(out, catalog, &shelf, request->part, request->config->stl10_part, error);
}

const struct set_kind stl10_kind = {
    .name = "STL-10 binaries", .is = stl10_is, .open = stl10_open, .has_test = stl10_has_test};
