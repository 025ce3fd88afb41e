/* explore/keeping.h -- the graph and the thumbnails of a collection in the cache folder (run/kept.h). */
#ifndef EXPLORE_KEEPING_H
#define EXPLORE_KEEPING_H

#include "explore/collection.h"
#include "run/kept.h"

/* Of the rows, whoever made them, of what computes, and of `method`, how the graph is searched. */
void keeping_open_graph(struct kept *out, const struct collection *collection, const char *method);
/* list: [rows][COLLECTION_NEIGHBOURS] out. False: it is not there. */
bool keeping_load_graph(const struct kept *kept, const struct collection *collection, struct neighbour *list,
                        double *recall);
void keeping_store_graph(const struct kept *kept, const struct collection *collection, const struct neighbour *list,
                         double recall);

/* Of the images of one part, and of what resizes them. SIMCLR_INTERRUPTED. */
int keeping_open_thumbnails(struct kept *out, const struct collection *collection, int part, struct error *error);
/* bytes: of that part's rows. */
bool keeping_load_thumbnails(const struct kept *kept, const struct collection *collection, int part, uint8_t *bytes);
void keeping_store_thumbnails(const struct kept *kept, const struct collection *collection, int part,
                              const uint8_t *bytes);

#endif
