/* data/bytes/blob.c -- see blob.h. */
#include "data/bytes/blob.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/checksum.h"
#include "base/file.h"

uint64_t blob_stamp_hash(const struct blob_stamp *stamp, uint64_t seed)
{
    const int64_t state[5] = {stamp->size, stamp->changed.tv_sec, stamp->changed.tv_nsec, stamp->status.tv_sec,
                              stamp->status.tv_nsec};
    return hash64(state, sizeof state, seed);
}

int blob_open(struct blob *out, const char *path, struct blob_stamp *stamp, struct error *error)
{
    struct stat info;
    *out = (struct blob){.descriptor = -1};
    int descriptor;
    const int status = file_open(path, O_RDONLY, &descriptor, &info, error);
    if (status) return status;
    *out = (struct blob){.descriptor = descriptor, .size = info.st_size};
    if (stamp != NULL) *stamp = (struct blob_stamp){info.st_size, info.st_mtim, info.st_ctim};
    return SIMCLR_OK;
}

void blob_close(struct blob *blob)
{
    if (blob->memory == NULL && blob->descriptor >= 0) close(blob->descriptor);
    *blob = (struct blob){.descriptor = -1};
}

struct blob blob_of_memory(const uint8_t *bytes, size_t count)
{
    static const uint8_t nothing[1];
    return (struct blob){.descriptor = -1, .memory = bytes != NULL ? bytes : nothing, .size = (int64_t)count};
}

struct blob blob_part(const struct blob *blob, int64_t offset, int64_t size)
{
    struct blob part = *blob;
    part.start += offset;
    part.size = size;
    return part;
}

bool blob_in_memory(const struct blob *blob)
{
    struct statfs system;
    if (blob->memory != NULL) return true;
    return blob->descriptor >= 0 && fstatfs(blob->descriptor, &system) == 0 && system.f_type == TMPFS_MAGIC;
}

int blob_read(const struct blob *blob, int64_t offset, void *to, size_t count)
{
    if (offset < 0 || offset > blob->size || (uint64_t)(blob->size - offset) < count) return ENODATA;
    if (stop_is_asked(blob->stop)) return ECANCELED;
    if (blob->memory != NULL) {
        if (count > 0) memcpy(to, blob->memory + blob->start + offset, count);
        return 0;
    }
    for (size_t done = 0; done < count;) {
        const ssize_t got =
            pread(blob->descriptor, (uint8_t *)to + done, count - done, (off_t)(blob->start + offset) + (off_t)done);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return errno;
        if (got == 0) return ENODATA;
        done += (size_t)got;
    }
    return 0;
}

int blob_read_named(const struct blob *blob, int64_t offset, void *to, size_t count, const char *name,
                    struct error *error)
{
    const int failure = blob_read(blob, offset, to, count);
    if (failure == 0) return SIMCLR_OK;
    if (failure == ENODATA)
        return error_set(error, SIMCLR_CORRUPT, "%s: ends too early: copy or download it again", name);
    if (failure == ECANCELED) return stop_error(error, name);
    return error_set(error, SIMCLR_IO, "%s: cannot read: %s", name, strerror(failure));
}
