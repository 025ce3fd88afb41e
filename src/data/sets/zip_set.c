/* data/sets/zip_set.c -- sets that are zip archives. */
#include "data/archives/index_zip.h"
#include "data/bytes/blob.h"
#include "data/sets/archive_set.h"

static int zip_is(const struct set_place *place, bool *out, struct error *error)
{
    (void)error;
    return kind_answer(out, kind_starts_with(place, "PK\3\4", 4) || kind_starts_with(place, "PK\5\6", 4));
}

static int fill(struct archives *archives, const struct set_request *request, struct error *error)
{
    archives->zip = true;
    return archive_set_add(archives, request->path, NULL, index_zip, request, error);
}

static int zip_open(struct source *out, struct catalog *catalog, const struct set_request *request, struct error *error)
{
    const int status = archive_set_open(out, catalog, request, "zip archive", fill, error);
    if (status != SIMCLR_DATA) return status;
    uint8_t head[KIND_HEAD_BYTES]; /* arrays of NumPy and weights of PyTorch are zip archives without images */
    struct blob blob;
    if (blob_open(&blob, request->path, NULL, NULL) != SIMCLR_OK) return status;
    const size_t count = blob.size < KIND_HEAD_BYTES ? (size_t)blob.size : KIND_HEAD_BYTES;
    if (blob_read(&blob, 0, head, count) == 0) kind_refuse_file(head, count, request->path, error);
    blob_close(&blob);
    return status;
}

static int zip_has_test(const char *path, bool *out, struct error *error)
{
    return archive_set_has_test(path, fill, out, error);
}

const struct set_kind zip_kind = {.name = "zip archive", .is = zip_is, .open = zip_open, .has_test = zip_has_test};
