/* explore/similar.h -- what is most similar to pictures of the user's, or to each image of the collection, and the
 * files that say so. */
#ifndef EXPLORE_SIMILAR_H
#define EXPLORE_SIMILAR_H

#include "explore/collection.h"

enum {
    SIMILAR_K_MOST = 1000, /* neighbours of a query */
    SIMILAR_SHOWN = 48,    /* queries that a page or a sheet shows */
    SIMILAR_SHOWN_K = 50   /* and of each so many neighbours */
};

/* Release with similar_free. */
struct similar {
    int64_t count;          /* of queries */
    int k;                  /* places of a list */
    struct neighbour *list; /* [count][k], most similar first; row -1: there are no more */
    struct dataset *set;    /* of the queries; NULL: they are the collection's rows */
    double recall;          /* of a graph; 1: exact */
};

/* The k nearest of each image of `query`: an image, a folder, a list or an archive; or, where it is empty, of each row
 * of the collection but itself (k of its graph). Queries are searched exactly, and a query that is in the collection
 * too finds itself. Where the collection has fewer images a warning says so, and lists end in -1. SIMCLR_INVALID: a
 * query for a table of features, or more than COLLECTION_NEIGHBOURS of a graph; SIMCLR_DATA: the query is no image and
 * holds none; errors of features_extract and neighbours_search. */
int similar_find(struct similar *out, struct collection *collection, const char *query, int k, struct error *error);
void similar_free(struct similar *similar);
const char *similar_name(const struct similar *similar, const struct collection *collection, int64_t query);
/* Places of a list that hold a row. */
int similar_length(const struct similar *similar, int64_t query);

/* What a file of this name is written as: SIMILAR_OTHER for an ending that is none of these. */
enum similar_format {
    SIMILAR_OTHER,
    SIMILAR_NPZ,
    SIMILAR_CSV,
    SIMILAR_JSONL,
    SIMILAR_PARQUET,
    SIMILAR_HTML,
    SIMILAR_PNG
};
#define SIMILAR_ENDINGS ".npz, .csv, .jsonl, .parquet, .html or .png" /* for sentences */
enum similar_format similar_format(const char *path);
bool similar_shows_images(enum similar_format format);
/* Writes the lists as the ending says (docs/formats.md): whole or not at all. A page and a sheet show SIMILAR_SHOWN
 * queries, spread evenly, which the log says where there are more. */
int similar_write(const char *path, const struct similar *similar, const struct collection *collection,
                  struct error *error);
/* Appends the object of one query: its name, and of each neighbour name, similarity and class. */
void similar_json(struct text *json, const struct similar *similar, const struct collection *collection, int64_t query);

#endif
