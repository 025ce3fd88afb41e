/* explore/collection_map.h -- a collection as points of the plane (eval/map.h), and as drawings of them. */
#ifndef EXPLORE_COLLECTION_MAP_H
#define EXPLORE_COLLECTION_MAP_H

#include "explore/collection.h"
#include "page/page.h"

enum {
    MAP_CLUSTERS = 12,       /* that points without classes are coloured by */
    MAP_NAMES_MOST = 40,     /* classes that a drawing names */
    MAP_POINTS_MOST = 60000, /* that a drawing shows */
    ATLAS_SIDE = 40,         /* thumbnails of an atlas in a row, at most */
    ATLAS_CELL = 40          /* pixels of each, with its border */
};

/* Release with collection_map_free. */
struct collection_map {
    float *points;               /* [rows][2] */
    double kept, principal_kept; /* map_kept of the map, and of the principal plane; NaN where there are too few rows */
    double recall;               /* of the graph */
    int64_t kept_rows;           /* rows that it was counted on */
    int32_t *groups;             /* [rows]: classes, -1 without a label; else clusters of k-means on unit rows */
    const char **names;          /* [group_count] borrowed from the collection; NULL: the groups are clusters */
    int group_count;
};

/* The map of all rows, from the session's seed. The same bits with any number of threads. Errors as collection_graph
 * and map_make have them. */
int collection_map_make(struct collection_map *out, struct collection *collection, struct error *error);
void collection_map_free(struct collection_map *map);

/* Draws the points into the element that is open (page_cloud): at most `most` of them, every n-th; 0: MAP_POINTS_MOST.
 */
void collection_map_draw(struct page *page, const struct collection_map *map, const struct collection *collection,
                         int64_t most);

/* An atlas: pictures in a grid as square as they fill it, each near where its point lies. *out is a new picture. Of
 * more than ATLAS_SIDE x ATLAS_SIDE rows so many are shown, spread evenly over the rows. *shown: how many they are.
 * SIMCLR_DATA for tables; errors of collection_image. */
int collection_map_atlas(struct image *out, int64_t *shown, const struct collection_map *map,
                         const struct collection *collection, struct error *error);

/* What a file of this name is written as: MAP_OTHER for an ending that is none of these. */
enum map_format { MAP_OTHER, MAP_NPY, MAP_CSV, MAP_PARQUET, MAP_SVG, MAP_PNG };
#define MAP_ENDINGS ".npy, .csv, .parquet, .svg or .png" /* for sentences */
enum map_format collection_map_format(const char *path);
/* Writes the map as the ending says (docs/formats.md): whole or not at all. Files beside it: the names, of .npy. */
int collection_map_write(const char *path, const struct collection_map *map, const struct collection *collection,
                         struct error *error);

#endif
