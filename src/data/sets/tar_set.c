/* data/sets/tar_set.c -- sets that are one tar archive. */
#include "data/archives/index_tar.h"
#include "data/bytes/tar.h"
#include "data/sets/archive_set.h"

static int tar_is(const struct set_place *place, bool *out, struct error *error)
{
    (void)error;
    return kind_answer(out, tar_is_header(place->head, place->head_bytes));
}

static int fill(struct archives *archives, const struct set_request *request, struct error *error)
{
    return archive_set_add(archives, request->path, NULL, index_tar, request, error);
}

static int tar_open(struct source *out, struct catalog *catalog, const struct set_request *request, struct error *error)
{
    return archive_set_open(out, catalog, request, "tar archive", fill, error);
}

static int tar_has_test(const char *path, bool *out, struct error *error)
{
    return archive_set_has_test(path, fill, out, error);
}

const struct set_kind tar_kind = {.name = "tar archive", .is = tar_is, .open = tar_open, .has_test = tar_has_test};
