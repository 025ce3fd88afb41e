/* data/bytes/unpack.c -- see unpack.h. */
#include "data/bytes/unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "data/bytes/archive_cache.h"

enum { CHUNK = 1 << 20 };
const char unpacker_no_memory[] = "there is not enough memory";
static const uint64_t spare_room = (uint64_t)1 << 30; /* what is left free on the disk */

struct unpacking {
    const struct unpack_request *request;
    struct blob packed;
    struct blob_stamp stamp;
    char *folder, *kept; /* of the cache, and the unpacked file in it; NULL where there is no cache */
    int descriptor;      /* what is unpacked so far: */
    int64_t size;
    bool in_memory;
    bool cut; /* the stream ends too early */
    bool may_keep;
    uint8_t *in, *out; /* [CHUNK] each */
};

static int write_all(int descriptor, const uint8_t *bytes, size_t count)
{
    while (count > 0) {
        const ssize_t written = write(descriptor, bytes, count);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return errno;
        bytes += written;
        count -= (size_t)written;
    }
    return 0;
}

static int open_in_memory(struct unpacking *unpacking, struct error *error)
{
    unpacking->in_memory = true;
    unpacking->descriptor = memfd_create("simclr", MFD_CLOEXEC);
    if (unpacking->descriptor >= 0) return SIMCLR_OK;
    return error_set(error, SIMCLR_IO, "%s: cannot be unpacked in memory: %s", unpacking->request->path,
                     strerror(errno));
}

/* A file without a name in the cache folder: it gets one when it is whole, and is gone if it never is. */
static int open_in_folder(struct unpacking *unpacking, struct error *error)
{
    const char *path = unpacking->request->path;
    if (unpacking->folder == NULL)
        return error_set(error, SIMCLR_IO,
                         "%s: unpacks to more than fits in memory, and there is no cache folder: set SIMCLR_CACHE to a "
                         "folder, or unpack it",
                         path);
    int status = file_make_folder(unpacking->folder, error);
    if (status != SIMCLR_OK) return status;
    unpacking->descriptor = open(unpacking->folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0666);
    unpacking->may_keep = unpacking->descriptor >= 0;
    if (unpacking->descriptor < 0) { /* some file systems have no such files: then it is not kept */
        char *name = file_join(unpacking->folder, "unpacked-XXXXXX");
        if (name == NULL) return error_no_memory(error, "a path", strlen(unpacking->folder) + 32);
        unpacking->descriptor = mkostemp(name, O_CLOEXEC);
        if (unpacking->descriptor >= 0) unlink(name);
        memory_free(name);
    }
    if (unpacking->descriptor < 0)
        return error_set(error, SIMCLR_IO, "%s: cannot unpack %s there: %s", unpacking->folder, path, strerror(errno));
    unpacking->in_memory = false;
    log_info(unpacking->request->log, "%s is packed as a whole: unpacking it to %s", path,
             unpacking->may_keep ? unpacking->kept : unpacking->folder);
    return SIMCLR_OK;
}

static int no_room(const struct unpacking *unpacking, int failure, struct error *error)
{
    return error_set(error, SIMCLR_IO, "%s: cannot unpack to %s: %s: unpack it elsewhere, or set SIMCLR_CACHE",
                     unpacking->request->path, unpacking->in_memory ? "memory" : unpacking->folder, strerror(failure));
}

/* Too large for memory: goes on in the folder, with what there is. */
static int move_to_folder(struct unpacking *unpacking, struct error *error)
{
    const struct blob memory = {.descriptor = unpacking->descriptor, .size = unpacking->size};
    const int before = unpacking->descriptor;
    int status = open_in_folder(unpacking, error), failure = 0;
    for (int64_t at = 0; status == SIMCLR_OK && failure == 0 && at < memory.size; at += CHUNK) {
        const size_t count = memory.size - at < CHUNK ? (size_t)(memory.size - at) : CHUNK;
        failure = blob_read(&memory, at, unpacking->in, count);
        if (failure == 0) failure = write_all(unpacking->descriptor, unpacking->in, count);
    }
    close(before);
    if (status != SIMCLR_OK) unpacking->descriptor = -1;
    return failure == 0 ? status : no_room(unpacking, failure, error);
}

static int keep_bytes(struct unpacking *unpacking, size_t count, struct error *error)
{
    struct statvfs disk;
    int failure = write_all(unpacking->descriptor, unpacking->out, count);
    unpacking->size += (int64_t)count;
    if (failure == 0 && !unpacking->in_memory && fstatvfs(unpacking->descriptor, &disk) == 0 &&
        (uint64_t)disk.f_bavail * disk.f_frsize < spare_room)
        failure = ENOSPC;
    return failure == 0 ? SIMCLR_OK : no_room(unpacking, failure, error);
}

static int pump(struct unpacking *unpacking, struct unpacker *unpacker, struct error *error)
{
    const uint8_t *in = unpacking->in;
    size_t in_bytes = 0;
    int64_t at = 0;
    bool ended = false, output_is_full = false;
    for (;;) {
        int status = SIMCLR_OK;
        if (in_bytes == 0 && !output_is_full) {
            const int64_t left = unpacking->packed.size - at;
            if (left == 0) break;
            in = unpacking->in;
            in_bytes = left < CHUNK ? (size_t)left : CHUNK;
            status = blob_read_named(&unpacking->packed, at, unpacking->in, in_bytes, unpacking->request->path, error);
            if (status != SIMCLR_OK) return status;
            at += (int64_t)in_bytes;
        }
        uint8_t *out = unpacking->out;
        size_t room = CHUNK;
        const char *wrong = unpacker->step(unpacker->self, &in, &in_bytes, &out, &room, &ended);
        if (wrong == unpacker_no_memory) return error_no_memory(error, "unpacking an archive", CHUNK);
        if (wrong != NULL)
            return error_set(error, SIMCLR_CORRUPT, "%s: cannot be unpacked (%s): copy or download it again",
                             unpacking->request->path, wrong);
        output_is_full = room == 0 && !ended; /* else there may be more without more input */
        if (room == CHUNK) continue;
        if (unpacking->in_memory && (uint64_t)unpacking->size + CHUNK - room > unpacking->request->memory_limit) {
            const size_t pending = in_bytes; /* the input's buffer serves the move: save what is left of it */
            uint8_t *saved = memory_allocate(pending);
            if (saved == NULL) return error_no_memory(error, "unpacking", pending);
            memcpy(saved, in, pending);
            status = move_to_folder(unpacking, error);
            memcpy(unpacking->in, saved, pending);
            memory_free(saved);
            in = unpacking->in;
        }
        if (status == SIMCLR_OK) status = keep_bytes(unpacking, CHUNK - room, error);
        if (status != SIMCLR_OK) return status;
    }
    unpacking->cut = !ended;
    return SIMCLR_OK;
}

/* Gives the unpacked file its name, so that the next opening finds it. Failing costs nothing but time. */
static void keep_file(struct unpacking *unpacking)
{
    char link[64];
    if (unpacking->in_memory || unpacking->cut || !unpacking->may_keep || fsync(unpacking->descriptor) != 0) return;
    snprintf(link, sizeof link, "/proc/self/fd/%d", unpacking->descriptor);
    if (linkat(AT_FDCWD, link, AT_FDCWD, unpacking->kept, AT_SYMLINK_FOLLOW) != 0)
        log_debug(unpacking->request->log, "%s is not kept: %s", unpacking->kept, strerror(errno));
}

/* The unpacked file of an earlier opening. It has its name only since it was whole. */
static bool find_kept(struct unpacking *unpacking, struct blob *out)
{
    if (unpacking->kept == NULL || blob_open(out, unpacking->kept, NULL, NULL) != SIMCLR_OK) return false;
    log_info(unpacking->request->log, "%s: using the unpacked copy %s", unpacking->request->path, unpacking->kept);
    return true;
}

static int unpack(struct unpacking *unpacking, struct blob *out, struct error *error)
{
    struct unpacker unpacker = {0};
    uint8_t head[4] = {0};
    const size_t head_bytes = unpacking->packed.size < 4 ? (size_t)unpacking->packed.size : 4;
    int status = blob_read_named(&unpacking->packed, 0, head, head_bytes, unpacking->request->path, error);
    if (status == SIMCLR_OK)
        status = unpack_is_zstd(head, 4) ? unpacker_open_zstd(&unpacker, error) : unpacker_open_gzip(&unpacker, error);
    if (status == SIMCLR_UNSUPPORTED) error_prefix(error, "%s", unpacking->request->path);
    if (status == SIMCLR_OK) status = open_in_memory(unpacking, error);
    if (status == SIMCLR_OK) status = pump(unpacking, &unpacker, error);
    if (unpacker.close != NULL) unpacker.close(unpacker.self);
    if (status != SIMCLR_OK) return status;
    keep_file(unpacking);
    if (unpacking->cut)
        log_warning(unpacking->request->log, "%s: ends too early: what was whole is used; copy or download it again",
                    unpacking->request->path);
    *out = (struct blob){.descriptor = unpacking->descriptor, .size = unpacking->size};
    unpacking->descriptor = -1;
    return SIMCLR_OK;
}

int unpack_open(struct blob *out, const struct unpack_request *request, struct error *error)
{
    struct unpacking unpacking = {.request = request, .descriptor = -1};
    *out = (struct blob){.descriptor = -1};
    int status = blob_open(&unpacking.packed, request->path, &unpacking.stamp, error);
    if (status != SIMCLR_OK) return status;
    unpacking.packed.stop = request->stop;
    unpacking.folder = archive_cache_folder(request->cache_folder);
    if (unpacking.folder != NULL)
        unpacking.kept = archive_cache_path(unpacking.folder, request->path, &unpacking.stamp, ".tar");
    unpacking.in = memory_allocate(CHUNK);
    unpacking.out = memory_allocate(CHUNK);
    if (unpacking.in == NULL || unpacking.out == NULL || (unpacking.folder != NULL && unpacking.kept == NULL))
        status = error_no_memory(error, "unpacking", CHUNK);
    else if (!find_kept(&unpacking, out))
        status = unpack(&unpacking, out, error);
    if (unpacking.descriptor >= 0) close(unpacking.descriptor);
    blob_close(&unpacking.packed);
    memory_free(unpacking.in);
    memory_free(unpacking.out);
    memory_free(unpacking.folder);
    memory_free(unpacking.kept);
    return status;
}
