/* explore/collection_map.c -- see collection_map.h. */
#include "explore/collection_map.h"

#include <inttypes.h>

#include "base/format.h"
#include "base/memory.h"
#include "eval/kmeans.h"
#include "eval/map.h"
#include "page/chart.h"

void collection_map_free(struct collection_map *map)
{
    memory_free(map->points);
    memory_free(map->groups);
    memory_free(map->names);
    *map = (struct collection_map){0};
}

/* ---- points ---------------------------------------------------------------------------------------------------- */

/* Blocks that are needed while the map is made. */
struct making {
    int32_t *rows;             /* [rows][COLLECTION_NEIGHBOURS] */
    float *similarities;       /* the same */
    double *plane, *principal; /* [rows][2] */
};

static void making_free(struct making *making)
{
    memory_free(making->rows);
    memory_free(making->similarities);
    memory_free(making->plane);
    memory_free(making->principal);
}

static int making_open(struct making *making, const struct neighbour *graph, int64_t rows, struct error *error)
{
    const size_t places = (size_t)rows * COLLECTION_NEIGHBOURS;
    *making = (struct making){
        .rows = memory_array(places, sizeof *making->rows),
        .similarities = memory_array(places, sizeof *making->similarities),
        .plane = memory_array(2 * (size_t)rows, sizeof *making->plane),
        .principal = memory_array(2 * (size_t)rows, sizeof *making->principal),
    };
    if (!making->rows || !making->similarities || !making->plane || !making->principal)
        return error_no_memory(error, "a map", places * 8 + 32 * (size_t)rows);
    for (size_t i = 0; i < places; i++) {
        making->rows[i] = graph[i].row;
        making->similarities[i] = graph[i].similarity;
    }
    return SIMCLR_OK;
}

static int make_points(struct collection_map *out, struct collection *c, struct error *error)
{
    const int64_t rows = collection_count(c);
    const struct neighbour *graph;
    struct making making;
    struct pool *pool = c->session->pool;
    int status = collection_graph(c, &graph, &out->recall, error);
    if (status) return status;
    status = making_open(&making, graph, rows, error);
    const struct map_args args = {.rows = c->values,
                                  .neighbours = making.rows,
                                  .similarity = making.similarities,
                                  .count = rows,
                                  .dim = c->dim,
                                  .k = COLLECTION_NEIGHBOURS,
                                  .seed = (uint64_t)c->session->config->seed};
    if (!status) status = map_make(making.plane, making.principal, pool, &args, error);
    if (!status) status = map_kept(&out->kept, &out->kept_rows, pool, &args, making.plane, error);
    if (!status) status = map_kept(&out->principal_kept, &out->kept_rows, pool, &args, making.principal, error);
    for (int64_t i = 0; !status && i < 2 * rows; i++) out->points[i] = (float)making.plane[i];
    making_free(&making);
    return status;
}

/* ---- groups ---------------------------------------------------------------------------------------------------- */

static int group_by_class(struct collection_map *out, const struct collection *c, struct error *error)
{
    out->group_count = collection_classes(c);
    out->names = memory_array((size_t)out->group_count, sizeof *out->names);
    if (!out->names) return error_no_memory(error, "the names of classes", (size_t)out->group_count);
    for (int i = 0; i < out->group_count; i++) out->names[i] = collection_class_name(c, i);
    for (int64_t i = 0; i < collection_count(c); i++) out->groups[i] = c->labels[i];
    return SIMCLR_OK;
}

static int group_by_cluster(struct collection_map *out, const struct collection *c, struct error *error)
{
    const int64_t rows = collection_count(c);
    struct kmeans result;
    out->group_count = rows < MAP_CLUSTERS ? (int)rows : MAP_CLUSTERS;
    const struct kmeans_args args = {.rows = c->values,
                                     .count = rows,
                                     .dim = c->dim,
                                     .clusters = out->group_count,
                                     .starts = 1,
                                     .iterations = 50,
                                     .seed = (uint64_t)c->session->config->seed};
    return kmeans_run(c->session->backend, &result, out->groups, NULL, &args, error);
}

int collection_map_make(struct collection_map *out, struct collection *collection, struct error *error)
{
    const size_t rows = (size_t)collection_count(collection);
    *out = (struct collection_map){.points = memory_array(2 * rows, sizeof *out->points),
                                   .groups = memory_array(rows, sizeof *out->groups)};
    int status = out->points && out->groups ? SIMCLR_OK : error_no_memory(error, "a map", rows * 12);
    if (!status) status = make_points(out, collection, error);
    if (!status)
        status = collection_classes(collection) > 0 ? group_by_class(out, collection, error)
                                                    : group_by_cluster(out, collection, error);
    if (status) collection_map_free(out);
    return status;
}

/* ---- drawing --------------------------------------------------------------------------------------------------- */

void collection_map_draw(struct page *page, const struct collection_map *map, const struct collection *collection,
                         int64_t most)
{
    const int64_t rows = collection_count(collection);
    const bool named = map->names && map->group_count <= MAP_NAMES_MOST;
    char words[256];
    format_write(words, sizeof words,
                 "%" PRId64 " images as points, near each other where the encoder finds them alike. Colours are %d %s.",
                 rows, map->group_count,
                 named        ? "classes, whose names stand where they are densest"
                 : map->names ? "classes, too many to be named"
                              : "clusters of k-means");
    const struct chart_cloud cloud = {.title = "Map of the features",
                                      .summary = words,
                                      .points = map->points,
                                      .groups = map->groups,
                                      .names = named ? map->names : NULL,
                                      .group_count = map->group_count,
                                      .count = (size_t)rows,
                                      .most = (size_t)(most > 0 ? most : MAP_POINTS_MOST)};
    page_cloud(page, &cloud);
}
