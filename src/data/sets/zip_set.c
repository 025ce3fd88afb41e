/* data/sets/zip_set.c -- sets that are zip archives. */
#include "data/archives/archive.h"
#include "data/bytes/zip.h"

bool zip_is(const struct set_place *place)
{
    return kind_starts_with(place, "PK\3\4", 4) || kind_starts_with(place, "PK\5\6", 4);
}

int zip_open(struct source *out, struct catalog *catalog, const struct set_request *request, struct error *error)
{
    struct archives archives = {.zip = true};
    int status = archives_add(&archives, request->path, NULL, index_zip, request, error);
    if (status == SIMCLR_OK) status = archives_open(out, catalog, &archives, "zip archive", request, error);
    archives_free(&archives);
    return status;
}

bool zip_has_test(const char *path)
{
    const struct dataset_config config = dataset_config_default();
    const struct log log = {0};
    const struct set_request request = {.path = path, .config = &config, .log = &log};
    struct archives archives = {.zip = true};
    const bool found =
        archives_add(&archives, path, NULL, index_zip, &request, NULL) == SIMCLR_OK && archives_have_test(&archives);
    archives_free(&archives);
    return found;
}
