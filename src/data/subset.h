/* data/subset.h -- the images of a set that a list names, whatever kind of set it is. */
#ifndef DATA_SUBSET_H
#define DATA_SUBSET_H

#include "base/error.h"
#include "base/log.h"
#include "base/stop.h"
#include "data/names/catalog.h"
#include "data/names/source.h"
#include "data/sets/request.h"

/* Leaves of an opened set what the list config->subset names (base/lines.h), in the set's own order and with its
 * classes. An image is named by catalog_short_name, or by catalog_name. One list serves both parts: its names must be
 * of this part or of the other. A test part of which it names nothing stays whole. The log says how many are taken.
 * What else follows from the names, the numbering, fingerprint and share of bad images, is that of the smaller set.
 *
 * SIMCLR_DATA: names that stand there twice, that no part has, or none of a training part. On failure source and
 * catalog are still the caller's to release. */
int subset_take(struct source *source, struct catalog *catalog, const struct dataset_config *config, struct stop stop,
                const struct log *log, struct error *error);

#endif
