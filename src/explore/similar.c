/* explore/similar.c -- see similar.h. */
#include "explore/similar.h"

#include <inttypes.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "data/listing.h"
#include "data/sets/files.h"

void similar_free(struct similar *similar)
{
    dataset_close(&similar->set);
    memory_free(similar->list);
    *similar = (struct similar){0};
}

const char *similar_name(const struct similar *similar, const struct collection *collection, int64_t query)
{
    return similar->set ? dataset_name(similar->set, query) : collection_name(collection, query);
}

int similar_length(const struct similar *similar, int64_t query)
{
    const struct neighbour *list = similar->list + query * similar->k;
    int length = 0;
    while (length < similar->k && list[length].row >= 0) length++;
    return length;
}

/* ---- the queries ----------------------------------------------------------------------------------------------- */

static struct dataset_config config_of(const struct session *session, const char *path)
{
    struct dataset_config config = dataset_config_default();
    config.path = path;
    config.max_bad = session->config->max_bad;
    config.keep_nothing = true;
    return config;
}

static int open_picture(struct dataset **out, const struct session *session, const char *path, struct error *error)
{
    const struct dataset_config config = config_of(session, path);
    struct source source;
    struct catalog catalog = {0};
    strcpy(catalog.what, "query image");
    const int status = catalog_add(&catalog, path, -1, error);
    if (status) {
        catalog_free(&catalog);
        return status;
    }
    source_open_files(&source, &config.limits);
    return dataset_open_source(out, &source, &catalog, &config, session->pool, &session->log, error);
}

static int open_queries(struct dataset **out, const struct session *session, const char *path, struct error *error)
{
    const struct dataset_config config = config_of(session, path);
    struct error reason = {0};
    enum file_kind kind;
    int status = file_look_at(path, &kind, error);
    if (status) return status;
    if (kind == FILE_NONE) return error_set(error, SIMCLR_DATA, "--query %s: there is no such file", path);
    if (listing_is_picture(path)) return open_picture(out, session, path, error);
    status = dataset_open(out, &config, session->pool, &session->log, &reason);
    if (status == SIMCLR_DATA || status == SIMCLR_CORRUPT)
        return error_set(error, SIMCLR_DATA, "--query %.160s is no image, and no folder, list or archive of images: %s",
                         path, reason.text);
    if (status) return error_set(error, status, "%s", reason.text);
    log_info(&session->log, "queries: %s", dataset_description(*out));
    return SIMCLR_OK;
}

/* ---- searching ------------------------------------------------------------------------------------------------- */

static void warn_of_few(const struct collection *c, int64_t others, int k)
{
    if (others < k)
        log_warning(&c->session->log, "there are only %" PRId64 " images to find, fewer than %d: lists are shorter",
                    others, k);
}

static int take_graph(struct similar *out, struct collection *c, int k, struct error *error)
{
    const struct neighbour *graph;
    if (k > COLLECTION_NEIGHBOURS)
        return error_set(
            error, SIMCLR_INVALID,
            "-k %d: of the whole set %d neighbours of each image are found at most: give fewer, or --query", k,
            COLLECTION_NEIGHBOURS);
    const int status = collection_graph(c, &graph, &out->recall, error);
    if (status) return status;
    warn_of_few(c, collection_count(c) - 1, k);
    out->count = collection_count(c);
    out->list = memory_array((size_t)out->count * (size_t)k, sizeof *out->list);
    if (!out->list) return error_no_memory(error, "lists of neighbours", (size_t)out->count * (size_t)k * 8);
    for (int64_t i = 0; i < out->count; i++)
        memcpy(out->list + i * k, graph + i * COLLECTION_NEIGHBOURS, (size_t)k * sizeof *graph);
    return SIMCLR_OK;
}

static int search(struct similar *out, struct collection *c, int k, struct error *error)
{
    const int layer = (int)c->session->config->layer;
    const struct features_request request = {
        .kind = features_of_layer(layer), .layer = layer, .model = c->model, .policy = &c->policy, .dataset = out->set};
    struct features features;
    int status = features_extract(c->session, &request, &features, error);
    if (!status) status = features_leave_out_bad(c->session, out->set, &features, error);
    if (status) {
        features_free(&features);
        return status;
    }
    out->count = features.count;
    out->list = memory_array((size_t)out->count * (size_t)k, sizeof *out->list);
    if (!out->list) status = error_no_memory(error, "lists of neighbours", (size_t)out->count * (size_t)k * 8);
    const struct neighbours_args args = {.rows = c->values,
                                         .query = features.values,
                                         .count = collection_count(c),
                                         .query_count = out->count,
                                         .dim = c->dim,
                                         .k = k};
    if (!status) status = neighbours_search(c->session->backend, out->list, &args, error);
    features_free(&features);
    return status;
}

int similar_find(struct similar *out, struct collection *collection, const char *query, int k, struct error *error)
{
    int status;
    *out = (struct similar){.k = k, .recall = 1};
    if (!query[0]) {
        status = take_graph(out, collection, k, error);
    } else if (!collection->model) {
        status = error_set(error, SIMCLR_INVALID,
                           "--query needs the encoder that made the features: give MODEL and --data instead of "
                           "--features");
    } else {
        warn_of_few(collection, collection_count(collection), k);
        status = open_queries(&out->set, collection->session, query, error);
        if (!status) status = search(out, collection, k, error);
    }
    if (status) similar_free(out);
    return status;
}
