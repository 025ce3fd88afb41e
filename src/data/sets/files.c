/* data/sets/files.c -- the source of folders and lists: image files, decoded by the image room. */
#include "data/sets/files.h"

#include "base/memory.h"
#include "data/bytes/blob.h"

static int files_fetch(const struct source *source, const struct catalog *catalog, int64_t item, size_t at_most,
                       struct encoded *out, struct error *error)
{
    const char *path = catalog_name(catalog, item);
    struct blob file;
    int status = blob_open(&file, path, NULL, error);
    *out = (struct encoded){0};
    if (status != SIMCLR_OK) return status;
    const size_t size = (size_t)file.size, count = size < at_most ? size : at_most;
    if (size > source->limits.max_bytes) {
        status = error_set(error, SIMCLR_UNSUPPORTED, "%s: has %zu bytes, more than the %zu that are accepted here",
                           path, size, source->limits.max_bytes);
    } else {
        out->bytes = memory_allocate(count);
        status = out->bytes == NULL ? error_no_memory(error, path, count)
                                    : blob_read_named(&file, 0, out->bytes, count, path, error);
    }
    blob_close(&file);
    if (status == SIMCLR_OK) {
        out->count = count;
        out->whole = count == size;
        out->total = (int64_t)size;
    } else {
        memory_free(out->bytes);
        *out = (struct encoded){0};
    }
    return status;
}

void source_open_files(struct source *out, const struct image_limits *limits)
{
    *out = (struct source){.limits = *limits, .fetch = files_fetch};
}
