/* data/sets/cifar.h -- the CIFAR binaries, wherever they lie: a folder, or the archive they are downloaded as. */
#ifndef DATA_CIFAR_H
#define DATA_CIFAR_H

#include "data/archives/shelf.h"
#include "data/names/source.h"

/* Whether they are there, and those of the test part. */
int cifar_on_shelf(const struct shelf *shelf, bool *out, struct error *error);
int cifar_test_on_shelf(const struct shelf *shelf, bool *out, struct error *error);
/* part: 0 train, 1 test. SIMCLR_CORRUPT for wrong sizes or labels. */
int cifar_open_shelf(struct source *out, struct catalog *catalog, const struct shelf *shelf, int part,
                     struct error *error);

#endif
