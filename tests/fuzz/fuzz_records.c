/* Any bytes as the binaries of CIFAR-10, CIFAR-100 or STL-10 (the first byte says which): refused with a sentence, or
 * every label is a class and the first and the last image are read. Of STL-10 the pixels are given, and the bytes are
 * its labels and folds. Pixels of the first sets that are accepted are read, and then of one in 64: they take nearly
 * all the time, and no byte of them steers the reader. */
#include <string.h>

#include "data/archives/members.h"
#include "data/sets/cifar.h"
#include "data/sets/stl10.h"
#include "fuzz.h"

long fuzz_accepted;

enum { STL_IMAGES = 3, STL_PIXELS = STL_IMAGES * 3 * 96 * 96, MOST = 1 << 16 };

static void read_all(int status, struct source *source, struct catalog *catalog, const struct error *error)
{
    struct image image = {0};
    fuzz_accepted += status == SIMCLR_OK;
    const bool pixels = fuzz_accepted <= 64 || fuzz_accepted % 64 == 0;
    if (status != SIMCLR_OK) FUZZ_CHECK(error->text[0] != '\0');
    for (int64_t i = 0; status == SIMCLR_OK && i < catalog->count; i++) {
        FUZZ_CHECK(catalog->label[i] >= -1 && catalog->label[i] < catalog->classes);
        if (pixels && (i == 0 || i == catalog->count - 1))
            FUZZ_CHECK(source_read(source, catalog, i, &image, NULL) == SIMCLR_OK);
    }
    image_free(&image);
    if (source->close != NULL) source->close(source->self);
    catalog_free(catalog);
}

static void add(struct members *members, const char *name, int64_t offset, size_t size)
{
    const struct member at = {.offset = offset, .stored = (uint32_t)size, .size = (uint32_t)size};
    FUZZ_CHECK(members_add_other(members, name, &at, NULL) == SIMCLR_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    static const char *const choices[] = {"train", "train+unlabeled", "fold0", "fold1"};
    if (count < 1) return 0;
    const unsigned kind = bytes[0] % 6;
    const size_t left = count - 1, labels = left < STL_IMAGES ? left : STL_IMAGES;
    static uint8_t
        memory[STL_PIXELS + MOST]; /* speed: the pixels stay; what is read is checked against the blob's size */
    if (left > MOST) return 0;
    memcpy(memory + STL_PIXELS, bytes + 1, left);
    const struct blob blob = blob_of_memory(memory, STL_PIXELS + left);
    struct members members = {0};
    struct source source = {0};
    struct catalog catalog = {0};
    struct error error = {0};
    if (kind < 2) {
        add(&members, kind == 0 ? "data_batch_1.bin" : "train.bin", STL_PIXELS, left);
    } else {
        add(&members, "s/train_X.bin", 0, STL_PIXELS);
        add(&members, "s/train_y.bin", STL_PIXELS, labels);
        add(&members, "s/fold_indices.txt", STL_PIXELS + (int64_t)labels, left - labels);
    }
    add(&members,
        kind == 0   ? "batches.meta.txt"
        : kind == 1 ? "fine_label_names.txt"
                    : "class_names.txt",
        STL_PIXELS, left);
    const struct shelf shelf = {.path = "fuzz", .archive = &blob, .names = &members.others, .entry = members.other};
    const int status = kind < 2 ? cifar_open_shelf(&source, &catalog, &shelf, 0, &error)
                                : stl10_open_shelf(&source, &catalog, &shelf, 0, choices[kind - 2], &error);
    read_all(status, &source, &catalog, &error);
    members_free(&members);
    return 0;
}
