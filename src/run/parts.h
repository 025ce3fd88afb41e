/* run/parts.h -- the images that --part asks for, and the tables that --features names: what both kinds of rows come
 * from. */
#ifndef RUN_PARTS_H
#define RUN_PARTS_H

#include "data/dataset.h"
#include "run/session.h"
#include "run/table/feature_table.h"

/* Opens the parts of --data that --part asks for: sets[DATASET_TRAIN] and sets[DATASET_TEST], NULL where one is not
 * asked for, or where a set that is asked for as a whole has no test part. A test part that is left out is said, with
 * its number of images. The caller closes both, also after a failure. */
int parts_open(const struct session *session, struct dataset *sets[2], struct error *error);

/* feature_table_open, and a warning about arrays that are not used. */
int parts_open_table(const struct session *session, const char *path, struct feature_table *out, struct error *error);
/* The tables of --features and --test-features: rows of equal width, their classes matched by name (match_parts).
 * *comparable: as there; 0 where a table has no labels. */
int parts_match_tables(const struct session *session, struct feature_table tables[2], int64_t *comparable,
                       struct error *error);

/* features_extract_cached says nothing; this does, for whoever says it once. */
void parts_tell_cached(const struct session *session);

#endif
