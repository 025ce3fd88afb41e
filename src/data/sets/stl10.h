/* data/sets/stl10.h -- the STL-10 binaries, wherever they lie: a folder, or the archive they are downloaded as. */
#ifndef DATA_STL10_H
#define DATA_STL10_H

#include "data/archives/shelf.h"
#include "data/names/source.h"

/* Whether they are there, and those of the test part. */
int stl10_on_shelf(const struct shelf *shelf, bool *out, struct error *error);
int stl10_test_on_shelf(const struct shelf *shelf, bool *out, struct error *error);

/* part: 0 train, 1 test; `choice` says what belongs to train: `train` (5000 labelled images), `unlabeled` (100,000),
 * `train+unlabeled`, `fold0` to `fold9` (1000 of train each, by fold_indices.txt). SIMCLR_INVALID for another word. */
int stl10_open_shelf(struct source *out, struct catalog *catalog, const struct shelf *shelf, int part,
                     const char *choice, struct error *error);

#endif
