/* data/archives/shelf.c -- see shelf.h. */
#include "data/archives/shelf.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/file.h"
#include "base/lines.h"
#include "base/memory.h"
#include "data/archives/members.h"

struct shelf shelf_of_folder(const char *path)
{
    return (struct shelf){.path = path};
}

/* The entry whose path is `name`, or else ends in /name; -1: none. */
static int64_t find(const struct shelf *shelf, const char *name)
{
    const size_t length = strlen(name);
    for (int64_t i = 0; i < shelf->names->count; i++)
        if (strcmp(catalog_name(shelf->names, i), name) == 0) return i;
    for (int64_t i = 0; i < shelf->names->count; i++) {
        const char *path = catalog_name(shelf->names, i);
        const size_t whole = strlen(path);
        if (whole >= length && strcmp(path + whole - length, name) == 0 &&
            (whole == length || path[whole - length - 1] == '/'))
            return i;
    }
    return -1;
}

int shelf_has(const struct shelf *shelf, const char *name, bool *out, struct error *error)
{
    enum file_kind kind = FILE_NONE;
    const int status = shelf->archive ? SIMCLR_OK : file_find(shelf->path, name, &kind, error);
    *out = shelf->archive ? find(shelf, name) >= 0 : kind == FILE_OTHER;
    return status;
}

int shelf_has_one(const struct shelf *shelf, const char *const *names, int *out, struct error *error)
{
    *out = -1;
    for (int i = 0; names[i]; i++) {
        bool found;
        const int status = shelf_has(shelf, names[i], &found, error);
        if (status) return status;
        if (!found) continue;
        *out = i;
        break;
    }
    return SIMCLR_OK;
}

static int open_in_archive(const struct shelf *shelf, const char *name, struct blob *out, struct error *error)
{
    const int64_t entry = find(shelf, name);
    *out = (struct blob){.descriptor = -1};
    if (entry < 0) return error_set(error, SIMCLR_IO, "%s: has no %s", shelf->path, name);
    if (shelf->zip) return error_set(error, SIMCLR_UNSUPPORTED, "%s: unpack it to read %s", shelf->path, name);
    *out = blob_part(shelf->archive, shelf->entry[entry].offset, shelf->entry[entry].size);
    if (out->memory != NULL) return SIMCLR_OK;
    out->descriptor = fcntl(shelf->archive->descriptor, F_DUPFD_CLOEXEC, 0);
    if (out->descriptor >= 0) return SIMCLR_OK;
    return error_set(error, SIMCLR_IO, "%s: cannot open once more: %s", shelf->path, strerror(errno));
}

int shelf_open(const struct shelf *shelf, const char *name, struct blob *out, struct error *error)
{
    if (shelf->archive != NULL) return open_in_archive(shelf, name, out, error);
    *out = (struct blob){.descriptor = -1};
    char *path = file_join(shelf->path, name);
    if (path == NULL) return error_no_memory(error, "a path", strlen(shelf->path) + strlen(name) + 2);
    const int status = blob_open(out, path, NULL, error);
    memory_free(path);
    return status;
}

static int read_zipped(const struct shelf *shelf, const char *name, size_t max_bytes, uint8_t **out, size_t *count,
                       struct error *error)
{
    const struct member *member = &shelf->entry[find(shelf, name)];
    struct encoded file;
    if (member->size > max_bytes)
        return error_set(error, SIMCLR_CORRUPT, "%s: %s has %u bytes, more than the %zu that are accepted", shelf->path,
                         name, member->size, max_bytes);
    const int status = member_fetch(shelf->archive, true, member, name, SIZE_MAX, &file, error);
    if (status != SIMCLR_OK) return status;
    *count = file.count;
    *out = memory_allocate(file.count + 1);
    if (*out != NULL) memcpy(*out, file.bytes, file.count);
    memory_free(file.bytes);
    return *out != NULL ? SIMCLR_OK : error_no_memory(error, name, file.count + 1);
}

int shelf_read(const struct shelf *shelf, const char *name, size_t max_bytes, uint8_t **out, size_t *count,
               struct error *error)
{
    struct blob file;
    *out = NULL;
    *count = 0;
    bool found;
    int status = shelf_has(shelf, name, &found, error);
    if (status || !found) return status;
    if (shelf->zip) return read_zipped(shelf, name, max_bytes, out, count, error);
    status = shelf_open(shelf, name, &file, error);
    if (status != SIMCLR_OK) return status;
    uint8_t *bytes = NULL;
    if (file.size > (int64_t)max_bytes)
        status = error_set(error, SIMCLR_CORRUPT, "%s: %s has %lld bytes, more than the %zu that are accepted",
                           shelf->path, name, (long long)file.size, max_bytes);
    else if ((bytes = memory_allocate((size_t)file.size + 1)) == NULL)
        status = error_no_memory(error, name, (size_t)file.size + 1);
    else
        status = blob_read_named(&file, 0, bytes, (size_t)file.size, name, error);
    *count = (size_t)file.size;
    blob_close(&file);
    if (status == SIMCLR_OK)
        *out = bytes;
    else
        memory_free(bytes);
    return status;
}

int shelf_read_text(const struct shelf *shelf, const char *name, size_t max_bytes, char **out, struct error *error)
{
    uint8_t *bytes;
    size_t count;
    const int status = shelf_read(shelf, name, max_bytes, &bytes, &count, error);
    const size_t mark = bytes ? lines_byte_order_length(bytes, count) : 0;
    if (mark > 0) memmove(bytes, bytes + mark, count + 1 - mark);
    *out = (char *)bytes;
    return status;
}
