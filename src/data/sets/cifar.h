/* data/sets/cifar.h -- the CIFAR binaries, wherever they lie: a folder, or the archive they are downloaded as. */
#ifndef DATA_CIFAR_H
#define DATA_CIFAR_H

#include "data/archives/shelf.h"
#include "data/names/source.h"

bool cifar_on_shelf(const struct shelf *shelf);
bool cifar_test_on_shelf(const struct shelf *shelf);
/* part: 0 train, 1 test. SIMCLR_CORRUPT for wrong sizes or labels. */
int cifar_open_shelf(struct source *out, struct catalog *catalog, const struct shelf *shelf, int part,
                     struct error *error);

#endif
