/* data/sets/packed_set.c -- sets that are tar archives packed as a whole: .tar.gz, .tgz, .tar.zst. */
#include "base/memory.h"
#include "data/archives/index_tar.h"
#include "data/bytes/tar.h"
#include "data/bytes/unpack.h"
#include "data/sets/archive_set.h"

static int packed_is(const struct set_place *place, bool *out, struct error *error)
{
    (void)error;
    return kind_answer(out, unpack_is_gzip(place->head, place->head_bytes) ||
                                unpack_is_zstd(place->head, place->head_bytes));
}

/* Up to half of the memory that is given for images, or an eighth of the machine's, is for what is unpacked. */
static size_t memory_limit(const struct dataset_config *config)
{
    return config->cache_bytes > 0 ? config->cache_bytes / 2 : memory_of_machine() / 8;
}

/* SIMCLR_CORRUPT, with what it is where that is known. */
static int refuse_contents(const uint8_t *bytes, size_t count, const char *path, struct error *error)
{
    if (kind_refuse_file(bytes, count, path, error) != SIMCLR_OK) return error_prefix(error, "unpacked");
    return error_set(error, SIMCLR_CORRUPT, "%s: what it unpacks to is no tar archive: unpack it yourself", path);
}

static int fill(struct archives *archives, const struct set_request *request, struct error *error)
{
    const struct unpack_request how = {.path = request->path,
                                       .cache_folder = request->config->cache_folder,
                                       .memory_limit = memory_limit(request->config),
                                       .log = request->log,
                                       .stop = request->stop};
    uint8_t head[TAR_BLOCK];
    struct blob blob;
    int status = unpack_open(&blob, &how, error);
    if (status != SIMCLR_OK) return status;
    const size_t count = blob.size < (int64_t)sizeof head ? (size_t)blob.size : sizeof head;
    if (blob_read(&blob, 0, head, count) != 0 || !tar_is_header(head, count))
        status = refuse_contents(head, count, request->path, error);
    else
        status = archive_set_add(archives, request->path, &blob, index_tar, request, error);
    blob_close(&blob);
    return status;
}

static int packed_open(struct source *out, struct catalog *catalog, const struct set_request *request,
                       struct error *error)
{
    return archive_set_open(out, catalog, request, "packed tar archive", fill, error);
}

static int packed_has_test(const char *path, bool *out, struct error *error)
{
    return archive_set_has_test(path, fill, out, error);
}

const struct set_kind packed_kind = {
    .name = "packed tar archive", .is = packed_is, .open = packed_open, .has_test = packed_has_test};
