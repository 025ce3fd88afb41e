/* data/names/class_names.h -- names for classes that shards and lists know only by number: classes.txt beside them, as
 * `simclr data pack` writes it, one name a line, escaped where its first line says so
 * (base/lines.h). */
#ifndef DATA_CLASS_NAMES_H
#define DATA_CLASS_NAMES_H

#include <stdbool.h>

#include "base/error.h"
#include "base/log.h"
#include "data/names/catalog.h"

#define CLASS_NAMES_FILE "classes.txt"

/* Whether all classes are called 0, 1, 2 ..., as labels without names are. */
bool class_names_are_numbers(const struct catalog *catalog);

/* Where the catalog's classes are numbers, and there is such a file in the folder of the file `archive` (an archive or
 * a list): its lines are the classes, all of them, so that a part which lacks the last ones counts the same. A file
 * that cannot belong to the labels (too few names, a NUL, more than 64 MiB) is not used, with a warning. SIMCLR_IO,
 * SIMCLR_NO_MEMORY. */
int class_names_read(struct catalog *catalog, const char *archive, const struct log *log, struct error *error);

#endif
