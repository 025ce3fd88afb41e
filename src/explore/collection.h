/* explore/collection.h -- a set of images as rows: what can be looked at, searched, cleaned and chosen from. */
#ifndef EXPLORE_COLLECTION_H
#define EXPLORE_COLLECTION_H

#include "data/dataset.h"
#include "eval/neighbours.h"
#include "model/model.h"
#include "run/features.h"
#include "run/session.h"
#include "run/table/feature_table.h"

enum {
    COLLECTION_NEIGHBOURS = 50, /* of each row in the graph */
    COLLECTION_EXACT = 200000,  /* rows up to which searches among them are exact */
    THUMBNAIL_SIDE = 32,
    THUMBNAIL_BYTES = THUMBNAIL_SIDE * THUMBNAIL_SIDE
};

/* Rows are those of the training part, then those of the test part. Row i is name i, always. */
struct collection {
    struct session *session;
    struct model *model; /* NULL: --features gives the rows */
    struct view_policy policy;
    struct dataset *sets[2];        /* by enum dataset_part; NULL: not asked for, or there is none, or a table */
    struct feature_table tables[2]; /* of --features, --test-features */
    int64_t begin[3];               /* rows of part p are begin[p] to begin[p + 1] - 1; begin[2] is their number */
    int64_t left_out;               /* images that cannot be read: they have no row */
    int64_t exact_rows;             /* rows up to which searches are exact: of collection_open, see there */
    int dim;
    float *values;           /* [begin[2]][dim], finite */
    int32_t *labels;         /* [begin[2]]: -1 none; classes of both parts are matched by name */
    struct neighbour *graph; /* once it was asked for */
    double recall;           /* of it */
    uint8_t *thumbnails;     /* once they were asked for */
};

/* Opens what the configuration names: --checkpoint with --data, as --part says, or --features with or without
 * --test-features. Labels are not needed. Features come from the cache where they are in it, which the log says.
 * Errors as model_open, dataset_open, feature_table_open and features_extract have them; SIMCLR_DATA where one part
 * has numbers for classes and the other names, or tables have rows of different widths. After a failure nothing is
 * open. exact_rows is COLLECTION_EXACT, or with --exact more than any set has; who opens may set another number before
 * the first search. */
int collection_open(struct collection *out, struct session *session, struct error *error);
void collection_close(struct collection *collection);

static inline int64_t collection_count(const struct collection *collection)
{
    return collection->begin[2];
}
/* DATASET_TRAIN or DATASET_TEST; the row's number in its set is row - begin[part]. */
static inline int collection_part(const struct collection *collection, int64_t row)
{
    return row >= collection->begin[1];
}

const char *collection_name(const struct collection *collection, int64_t row); /* the same wherever the set lies */
int collection_classes(const struct collection *collection);                   /* 0: no labels */
const char *collection_class_name(const struct collection *collection, int label);

/* The set's graph: of each row the COLLECTION_NEIGHBOURS most similar others (neighbours_search), -1 where there are
 * fewer. *out: borrowed, [rows][COLLECTION_NEIGHBOURS]. Made once, and kept in the cache folder, which the log says. Up
 * to exact_rows rows it is exact, and *recall is 1. Above it is searched by cells (cells.h), and *recall is as there;
 * the log says it, of a kept graph too. Errors as these searches have them; SIMCLR_DATA for a single row. */
int collection_graph(struct collection *collection, const struct neighbour **out, double *recall, struct error *error);

/* Gray thumbnails: *out is borrowed, [rows][THUMBNAIL_SIDE][THUMBNAIL_SIDE]: the whole picture, whatever its shape, at
 * that size (image_resize), as luma (299 R + 587 G + 114 B) / 1000. Made once, and kept in the cache folder.
 * SIMCLR_DATA for tables, which have no images; SIMCLR_INTERRUPTED; errors of dataset_image. */
int collection_thumbnails(struct collection *collection, const uint8_t **out, struct error *error);

/* The same of one image: out [THUMBNAIL_BYTES]. SIMCLR_NO_MEMORY. */
int thumbnail_make(uint8_t *out, enum simd simd, const struct image *image, struct error *error);

/* The image of a row, as dataset_image gives it, upright. SIMCLR_DATA for tables. */
int collection_image(const struct collection *collection, int64_t row, struct image *storage, const struct image **out,
                     struct error *error);

/* Shows an image to `visit`, which may be called on any thread of the pool, several at once; `number` counts the rows
 * that were asked for. What it returns ends the showing where it is no SIMCLR_OK. */
typedef int collection_visit(void *context, int64_t number, const struct image *image, struct error *error);
/* Shows the images of rows[0] to rows[count - 1], or of all rows where `rows` is NULL. `what` names the work in the
 * sentence of SIMCLR_INTERRUPTED. Errors of collection_image and of the visit. */
int collection_each_image(const struct collection *collection, const int64_t *rows, int64_t count,
                          collection_visit *visit, void *context, const char *what, struct error *error);

#endif
