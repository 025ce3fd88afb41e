/* explore/keeping.c -- see keeping.h. */
#include "explore/keeping.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/checksum.h"
#include "data/contents.h"

/* ---- graphs ---------------------------------------------------------------------------------------------------- */

/* Two hashes of 64 bits with seeds of their own: other rows have the same ones by a chance of 2^-128. */
void keeping_open_graph(struct kept *out, const struct collection *collection, const char *method)
{
    const struct session *session = collection->session;
    const size_t bytes = (size_t)collection_count(collection) * (size_t)collection->dim * sizeof(float);
    struct text text = {0};
    *out = (struct kept){0};
    if (!kept_is_possible(session)) return;
    text_add(&text, "simclr-graph 1\nrows %" PRId64 " of %d: %016" PRIx64 " %016" PRIx64 "\n",
             collection_count(collection), collection->dim, hash64(collection->values, bytes, 1),
             hash64(collection->values, bytes, 2));
    text_add(&text, "neighbours %d, %s\nkernels %s %s\n", COLLECTION_NEIGHBOURS, method, session->backend->ops->name,
             simd_name(session->simd)); /* the number of threads changes nothing */
    kept_open(out, session, KEPT_GRAPH, &text);
    text_free(&text);
}

static bool is_graph(const struct neighbour *list, int64_t rows)
{
    for (int64_t i = 0; i < rows * COLLECTION_NEIGHBOURS; i++)
        if (list[i].row < -1 || list[i].row >= rows || !isfinite(list[i].similarity)) return false;
    return true;
}

bool keeping_load_graph(const struct kept *kept, const struct collection *collection, struct neighbour *list,
                        double *recall)
{
    const int64_t rows = collection_count(collection);
    const size_t bytes = (size_t)rows * COLLECTION_NEIGHBOURS * sizeof *list;
    struct safetensors *file;
    if (!kept_load(kept, collection->session, &file)) return false;
    const struct safetensors_entry *graph = safetensors_find(file, "graph");
    const struct safetensors_entry *share = safetensors_find(file, "recall");
    const bool whole = graph && share && graph->dtype == ST_U8 && graph->bytes == bytes && share->dtype == ST_F64 &&
                       share->bytes == sizeof *recall;
    if (whole) {
        memcpy(list, graph->data, bytes);
        memcpy(recall, share->data, sizeof *recall);
    }
    safetensors_close(&file);
    if (whole && is_graph(list, rows)) return true;
    kept_refuse(kept, collection->session);
    return false;
}

void keeping_store_graph(const struct kept *kept, const struct collection *collection, const struct neighbour *list,
                         double recall)
{
    const int64_t rows = collection_count(collection), width = COLLECTION_NEIGHBOURS * (int64_t)sizeof *list;
    const struct safetensors_entry entries[] = {
        {.name = "graph",
         .dtype = ST_U8,
         .rank = 2,
         .dims = {rows, width},
         .data = list,
         .bytes = (size_t)(rows * width)},
        {.name = "recall", .dtype = ST_F64, .rank = 1, .dims = {1}, .data = &recall, .bytes = sizeof recall},
    };
    kept_store(kept, collection->session, entries, 2);
}

/* ---- thumbnails ------------------------------------------------------------------------------------------------ */

int keeping_open_thumbnails(struct kept *out, const struct collection *collection, int part, struct error *error)
{
    const struct session *session = collection->session;
    struct text text = {0};
    uint64_t images;
    *out = (struct kept){0};
    if (!kept_is_possible(session)) return SIMCLR_OK;
    const int status = contents_state(collection->sets[part], session->pool, &images, error);
    if (!status && images) {
        text_add(&text, "simclr-thumbnails 2\nimages %016" PRIx64 "\nside %d\nresize by %s\n", images, THUMBNAIL_SIDE,
                 simd_name(session->simd & SIMD_VIEWS));
        kept_open(out, session, KEPT_THUMBNAILS, &text);
    }
    text_free(&text);
    return status == SIMCLR_INTERRUPTED ? status : SIMCLR_OK; /* else it is a session without a cache */
}

static size_t part_bytes(const struct collection *collection, int part)
{
    return (size_t)(collection->begin[part + 1] - collection->begin[part]) * THUMBNAIL_BYTES;
}

bool keeping_load_thumbnails(const struct kept *kept, const struct collection *collection, int part, uint8_t *bytes)
{
    struct safetensors *file;
    if (!kept_load(kept, collection->session, &file)) return false;
    const struct safetensors_entry *entry = safetensors_find(file, "thumbnails");
    const bool whole = entry && entry->dtype == ST_U8 && entry->bytes == part_bytes(collection, part);
    if (whole) memcpy(bytes, entry->data, entry->bytes);
    safetensors_close(&file);
    if (!whole) kept_refuse(kept, collection->session);
    return whole;
}

void keeping_store_thumbnails(const struct kept *kept, const struct collection *collection, int part,
                              const uint8_t *bytes)
{
    const struct safetensors_entry entry = {
        .name = "thumbnails",
        .dtype = ST_U8,
        .rank = 3,
        .dims = {collection->begin[part + 1] - collection->begin[part], THUMBNAIL_SIDE, THUMBNAIL_SIDE},
        .data = bytes,
        .bytes = part_bytes(collection, part)};
    kept_store(kept, collection->session, &entry, 1);
}
