/* data/files.c -- the source of folders and lists: image files, decoded by the image room. */
#include "data/source.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"

/* The header of nearly every photo lies in its first bytes; one with a large preview before it is read whole. */
enum { HEAD_BYTES = 16384 };

int source_reserve(struct image *storage, int width, int height, struct error *error)
{
    if (storage->rgb != NULL && storage->width == width && storage->height == height) return SIMCLR_OK;
    image_free(storage);
    return image_create(width, height, storage, error);
}

static int read_head(const char *path, uint8_t *head, size_t *bytes, bool *whole, struct error *error)
{
    struct stat info;
    const int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* not to hang on a FIFO */
    if (descriptor < 0) return error_set(error, SIMCLR_IO, "%s: cannot open: %s", path, strerror(errno));
    int status = SIMCLR_OK;
    *bytes = 0;
    if (fstat(descriptor, &info) != 0 || !S_ISREG(info.st_mode))
        status = error_set(error, SIMCLR_IO, "%s: is not a file", path);
    while (status == SIMCLR_OK && *bytes < HEAD_BYTES) {
        const ssize_t got = read(descriptor, head + *bytes, HEAD_BYTES - *bytes);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) status = error_set(error, SIMCLR_IO, "%s: cannot read: %s", path, strerror(errno));
        if (got <= 0) break;
        *bytes += (size_t)got;
    }
    *whole = status == SIMCLR_OK && (int64_t)*bytes >= (int64_t)info.st_size;
    close(descriptor);
    return status;
}

static int check_pixels(const struct image_limits *limits, const char *path, int width, int height, struct error *error)
{
    if ((int64_t)width * height > limits->max_pixels)
        return error_set(error, SIMCLR_UNSUPPORTED, "%s: %d x %d pixels are more than the %lld that are accepted", path,
                         width, height, (long long)limits->max_pixels);
    return SIMCLR_OK;
}

static int files_size(void *self, const struct catalog *catalog, int64_t item, int *width, int *height,
                      struct error *error)
{
    const struct image_limits *limits = self;
    const char *path = catalog_name(catalog, item);
    uint8_t head[HEAD_BYTES], *all = NULL;
    size_t bytes = 0;
    bool whole = false;
    int status = read_head(path, head, &bytes, &whole, error);
    if (status != SIMCLR_OK) return status;
    status = image_probe(head, bytes, path, width, height, error);
    if (status != SIMCLR_OK && !whole) {
        status = file_read(path, limits->max_bytes, &all, &bytes, error);
        if (status == SIMCLR_OK) status = image_probe(all, bytes, path, width, height, error);
        memory_free(all);
    }
    return status == SIMCLR_OK ? check_pixels(limits, path, *width, *height, error) : status;
}

static int files_read(void *self, const struct catalog *catalog, int64_t item, struct image *storage,
                      struct error *error)
{
    image_free(storage);
    return image_load(catalog_name(catalog, item), self, storage, error);
}

int source_open_files(struct source *out, const struct image_limits *limits, struct error *error)
{
    struct image_limits *copy = memory_allocate(sizeof *copy);
    if (copy == NULL) return error_no_memory(error, "the limits of images", sizeof *copy);
    *copy = *limits;
    *out = (struct source){.self = copy, .size = files_size, .read = files_read, .close = memory_free};
    return SIMCLR_OK;
}
