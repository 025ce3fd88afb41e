/* data/sets/archive_set.c -- see archive_set.h. */
#include "data/sets/archive_set.h"

#include "base/memory.h"
#include "data/archives/layout.h"
#include "data/archives/samples.h"
#include "data/sets/cifar.h"
#include "data/sets/imagenet.h"
#include "data/sets/stl10.h"

enum { ANNOTATIONS_MAX = 64 << 20 };

static struct archive_request archive_request_of(const struct set_request *request)
{
    return (struct archive_request){.path = request->path,
                                    .part = request->part,
                                    .cache_folder = request->config->cache_folder,
                                    .limits = request->config->limits,
                                    .log = request->log,
                                    .stop = request->stop};
}

int archive_set_add(struct archives *archives, const char *path, struct blob *unpacked, archive_indexer *indexer,
                    const struct set_request *request, struct error *error)
{
    const struct archive_request how = archive_request_of(request);
    return archives_add(archives, path, unpacked, indexer, &how, error);
}

/* One tar archive without images: records may lie in it. */
static bool may_hold_records(const struct archives *archives)
{
    return archives->count == 1 && archives->members.names.count == 0 && !archives->zip;
}

/* A label file inside, Tiny ImageNet's, or beside, ImageNet's. *annotations stays empty when there is none. */
static int read_annotations(struct annotations *annotations, const struct archives *archives,
                            const struct set_request *request, struct error *error)
{
    char *text = NULL, *path;
    if (archives->count != 1) return SIMCLR_OK;
    if (!samples_are_labels(&archives->members) && imagenet_is_validation(&archives->members.names))
        return imagenet_read_labels(annotations, &archives->members.names, archives->archive[0].path, request, error);
    const struct shelf shelf = archives_shelf(archives);
    int status = layout_labels_file(&archives->members, &path, error);
    if (!status && path) status = shelf_read_text(&shelf, path, ANNOTATIONS_MAX, &text, error);
    if (!status && text) status = annotations_parse(annotations, text, path, error);
    memory_free(text);
    memory_free(path);
    return status;
}

static int open_images(struct source *out, struct catalog *catalog, struct archives *archives, const char *what,
                       const struct set_request *request, struct error *error)
{
    const struct archive_request how = archive_request_of(request);
    struct annotations annotations = {0};
    int status = read_annotations(&annotations, archives, request, error);
    const bool annotated = annotations.images.names.count > 0;
    if (status == SIMCLR_OK)
        status = archives_open(out, catalog, archives, what, annotated ? &annotations : NULL, &how, error);
    annotations_free(&annotations);
    return status;
}

static int open_archives(struct source *out, struct catalog *catalog, struct archives *archives, const char *what,
                         const struct set_request *request, struct error *error)
{
    if (may_hold_records(archives)) {
        const struct shelf shelf = archives_shelf(archives);
        bool cifar, stl10;
        int status = cifar_on_shelf(&shelf, &cifar, error);
        if (!status) status = stl10_on_shelf(&shelf, &stl10, error);
        if (status) return status;
        if (cifar) return cifar_open_shelf(out, catalog, &shelf, request->part, error);
        if (stl10) return stl10_open_shelf(out, catalog, &shelf, request->part, request->config->stl10_part, error);
    }
    return open_images(out, catalog, archives, what, request, error);
}

int archive_set_open(struct source *out, struct catalog *catalog, const struct set_request *request, const char *what,
                     archive_set_fill *fill, struct error *error)
{
    struct archives archives = {0};
    int status = fill(&archives, request, error);
    if (status == SIMCLR_OK) status = open_archives(out, catalog, &archives, what, request, error);
    archives_free(&archives);
    return status;
}

static int have_test(const struct archives *archives, bool *out, struct error *error)
{
    if (!may_hold_records(archives)) {
        *out = layout_has_test(&archives->members);
        return SIMCLR_OK;
    }
    const struct shelf shelf = archives_shelf(archives);
    const int status = cifar_test_on_shelf(&shelf, out, error);
    return status || *out ? status : stl10_test_on_shelf(&shelf, out, error);
}

int archive_set_has_test(const char *path, archive_set_fill *fill, bool *out, struct error *error)
{
    const struct dataset_config config = dataset_config_default();
    const struct log log = {0};
    const struct set_request request = {.path = path, .config = &config, .log = &log};
    struct archives archives = {0};
    *out = false;
    int status = fill(&archives, &request, error);
    if (!status) status = have_test(&archives, out, error);
    archives_free(&archives);
    return status;
}
