/* explore/similar_show.h -- lists of neighbours for people: the two forms of similar_write that show pictures. */
#ifndef EXPLORE_SIMILAR_SHOW_H
#define EXPLORE_SIMILAR_SHOW_H

#include "explore/similar.h"

int similar_write_page(const char *path, const struct similar *similar, const struct collection *collection,
                       struct error *error);
int similar_write_sheet(const char *path, const struct similar *similar, const struct collection *collection,
                        struct error *error);

#endif
