/* data/cifar.c -- the CIFAR-10 and CIFAR-100 binary files: records of one or two label bytes and 3072 bytes of
 * pixels, the planes R, G, B of 32 x 32 each (https://www.cs.toronto.edu/~kriz/cifar.html). */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "data/source.h"

enum {
    SIDE = 32,
    PLANE = SIDE * SIDE,
    PIXELS = 3 * PLANE,
    MAX_FILES = 5,
    BLOCK_RECORDS = 256,
    MAX_RECORD = PIXELS + 2
};

struct cifar {
    int classes;     /* 10 or 100 */
    int label_bytes; /* 1, or 2: coarse then fine */
    int files;
    int descriptor[MAX_FILES];
    int64_t end[MAX_FILES]; /* items before the end of a file */
};

static const char *const cifar10_names[10] = {"airplane", "automobile", "bird",  "cat",  "deer",
                                              "dog",      "frog",       "horse", "ship", "truck"};
static const char *const cifar10_files[2][MAX_FILES] = {
    {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"},
    {"test_batch.bin"},
};
static const char *const cifar100_files[2][MAX_FILES] = {{"train.bin"}, {"test.bin"}};

/* Without an allocation that could fail: a set must not be taken for something else because memory is short. */
static bool has_file(const char *folder, const char *name)
{
    struct stat info;
    const int descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) return false;
    const bool found = fstatat(descriptor, name, &info, 0) == 0 && !S_ISDIR(info.st_mode);
    close(descriptor);
    return found;
}

static bool has_any(const char *folder, const char *const files[2][MAX_FILES])
{
    for (int part = 0; part < 2; part++)
        for (int i = 0; i < MAX_FILES && files[part][i] != NULL; i++)
            if (has_file(folder, files[part][i])) return true;
    return false;
}

bool cifar_is(const char *path)
{
    return has_any(path, cifar10_files) || has_any(path, cifar100_files);
}

static int read_at(int descriptor, uint8_t *bytes, size_t count, int64_t offset)
{
    for (size_t done = 0; done < count;) {
        const ssize_t got = pread(descriptor, bytes + done, count - done, (off_t)offset + (off_t)done);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return errno;
        if (got == 0) return ENODATA;
        done += (size_t)got;
    }
    return 0;
}

static int add_records(struct cifar *cifar, struct catalog *catalog, int file, const char *path, const char *name,
                       int64_t records, struct error *error)
{
    const size_t record = (size_t)cifar->label_bytes + PIXELS;
    uint8_t *block = memory_array(BLOCK_RECORDS, record);
    if (block == NULL) return error_no_memory(error, "CIFAR records", BLOCK_RECORDS * record);
    int status = SIMCLR_OK;
    for (int64_t first = 0; status == SIMCLR_OK && first < records; first += BLOCK_RECORDS) {
        const int64_t count = records - first < BLOCK_RECORDS ? records - first : BLOCK_RECORDS;
        const int failure = read_at(cifar->descriptor[file], block, (size_t)count * record, first * (int64_t)record);
        if (failure != 0) status = error_set(error, SIMCLR_IO, "%s: cannot read: %s", path, strerror(failure));
        for (int64_t i = 0; status == SIMCLR_OK && i < count; i++) {
            const long long number = first + i;
            const int label = block[(size_t)i * record + (size_t)cifar->label_bytes - 1];
            char item[64];
            snprintf(item, sizeof item, "%s/%lld", name, number);
            status = label < cifar->classes
                         ? catalog_add(catalog, item, label, error)
                         : error_set(error, SIMCLR_CORRUPT, "%s: record %lld has label %d, but CIFAR-%d ends at %d: %s",
                                     path, number, label, cifar->classes, cifar->classes - 1,
                                     "the file is damaged or something else");
        }
    }
    memory_free(block);
    return status;
}

static int add_file(struct cifar *cifar, struct catalog *catalog, const char *folder, const char *name,
                    struct error *error)
{
    const int64_t record = cifar->label_bytes + PIXELS;
    char *path = file_join(folder, name);
    if (path == NULL) return error_no_memory(error, "a path", strlen(folder) + 32);
    struct stat info;
    int status = SIMCLR_OK;
    const int file = cifar->files, descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0) {
        status = error_set(error, SIMCLR_IO, "%s: cannot open: %s", path, strerror(errno));
    } else {
        cifar->descriptor[cifar->files++] = descriptor;
        if (fstat(descriptor, &info) != 0 || !S_ISREG(info.st_mode) || info.st_size == 0 || info.st_size % record != 0)
            status = error_set(error, SIMCLR_CORRUPT,
                               "%s: is not a whole number of CIFAR-%d records of %lld bytes: download it again", path,
                               cifar->classes, (long long)record);
        else
            status = add_records(cifar, catalog, file, path, name, info.st_size / record, error);
        cifar->end[file] = catalog->count;
    }
    memory_free(path);
    return status;
}

/* Class names from the set's own text file if it is there and has as many lines as there are classes. */
static int add_class_names(struct catalog *catalog, const char *folder, int classes, struct error *error)
{
    char *path = file_join(folder, classes == 10 ? "batches.meta.txt" : "fine_label_names.txt");
    if (path == NULL) return error_no_memory(error, "a path", strlen(folder) + 32);
    uint8_t *text = NULL;
    size_t bytes = 0;
    int status = file_read(path, 65536, &text, &bytes, NULL);
    memory_free(path);
    if (status == SIMCLR_NO_MEMORY) return error_no_memory(error, "class names", 65536);
    char *rest = (char *)text, *names[100];
    int found = 0;
    for (char *line; text != NULL && (line = strtok_r(rest, "\r\n", &rest)) != NULL;)
        if (found < classes) names[found++] = line;
    status = SIMCLR_OK;
    for (int i = 0; status == SIMCLR_OK && i < classes; i++) {
        char number[16];
        snprintf(number, sizeof number, "%d", i);
        const char *own = classes == 10 ? cifar10_names[i] : number;
        status = catalog_add_class(catalog, found == classes ? names[i] : own, error);
    }
    memory_free(text);
    return status;
}

static int cifar_size(void *self, const struct catalog *catalog, int64_t item, int *width, int *height,
                      struct error *error)
{
    (void)self, (void)catalog, (void)item, (void)error;
    *width = *height = SIDE;
    return SIMCLR_OK;
}

static int cifar_read(void *self, const struct catalog *catalog, int64_t item, struct image *storage,
                      struct error *error)
{
    const struct cifar *cifar = self;
    int file = 0;
    while (item >= cifar->end[file]) file++;
    const int64_t first = file == 0 ? 0 : cifar->end[file - 1], record = cifar->label_bytes + PIXELS;
    uint8_t planes[PIXELS];
    const int failure = read_at(cifar->descriptor[file], planes, PIXELS, (item - first) * record + cifar->label_bytes);
    if (failure != 0)
        return error_set(error, SIMCLR_IO, "%s: cannot read: %s", catalog_name(catalog, item), strerror(failure));
    const int status = source_reserve(storage, SIDE, SIDE, error);
    if (status != SIMCLR_OK) return status;
    for (int i = 0; i < PLANE; i++)
        for (int c = 0; c < 3; c++) storage->rgb[3 * i + c] = planes[c * PLANE + i];
    return SIMCLR_OK;
}

static void cifar_close(void *self)
{
    struct cifar *cifar = self;
    for (int i = 0; i < cifar->files; i++) close(cifar->descriptor[i]);
    memory_free(cifar);
}

int cifar_open(struct source *out, struct catalog *catalog, const char *path, int part, struct error *error)
{
    struct cifar *cifar = memory_allocate(sizeof *cifar);
    if (cifar == NULL) return error_no_memory(error, "a CIFAR reader", sizeof *cifar);
    *out = (struct source){.self = cifar, .size = cifar_size, .read = cifar_read, .close = cifar_close};
    const bool ten = has_any(path, cifar10_files);
    const char *const *files = ten ? cifar10_files[part] : cifar100_files[part];
    cifar->classes = ten ? 10 : 100;
    cifar->label_bytes = ten ? 1 : 2;
    snprintf(catalog->what, sizeof catalog->what, "CIFAR-%d binaries", cifar->classes);
    int status = SIMCLR_OK;
    for (int i = 0; status == SIMCLR_OK && i < MAX_FILES && files[i] != NULL; i++)
        if (has_file(path, files[i])) status = add_file(cifar, catalog, path, files[i], error);
    if (status == SIMCLR_OK && cifar->files == 0)
        return error_set(error, SIMCLR_DATA, "%s: CIFAR-%d without %s: add that file", path, cifar->classes, files[0]);
    return status == SIMCLR_OK ? add_class_names(catalog, path, cifar->classes, error) : status;
}
