/* data/sets/packed_set.c -- sets that are tar archives packed as a whole: .tar.gz, .tgz, .tar.zst. */
#include "data/archives/archive.h"
#include "data/archives/index_tar.h"
#include "data/bytes/tar.h"
#include "data/bytes/unpack.h"

bool packed_is(const struct set_place *place)
{
    return unpack_is_gzip(place->head, place->head_bytes) || unpack_is_zstd(place->head, place->head_bytes);
}

static int add_packed(struct archives *archives, const struct set_request *request, struct error *error)
{
    uint8_t head[TAR_BLOCK];
    struct blob blob;
    int status = unpack_open(&blob, request, error);
    if (status != SIMCLR_OK) return status;
    if (blob_read(&blob, 0, head, sizeof head) != 0 || !tar_is_header(head, sizeof head))
        status = error_set(error, SIMCLR_CORRUPT, "%s: what it unpacks to is no tar archive: unpack it yourself",
                           request->path);
    else
        status = archives_add(archives, request->path, &blob, index_tar, request, error);
    blob_close(&blob);
    return status;
}

int packed_open(struct source *out, struct catalog *catalog, const struct set_request *request, struct error *error)
{
    struct archives archives = {0};
    int status = add_packed(&archives, request, error);
    if (status == SIMCLR_OK) status = archives_open(out, catalog, &archives, "packed tar archive", request, error);
    archives_free(&archives);
    return status;
}

bool packed_has_test(const char *path)
{
    const struct dataset_config config = dataset_config_default();
    const struct log log = {0};
    const struct set_request request = {.path = path, .config = &config, .log = &log};
    struct archives archives = {0};
    const bool found = add_packed(&archives, &request, NULL) == SIMCLR_OK && archives_have_test(&archives);
    archives_free(&archives);
    return found;
}
