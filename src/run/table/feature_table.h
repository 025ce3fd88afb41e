/* run/table/feature_table.h -- a table of features, whoever made it: row i is name i, always. */
#ifndef RUN_TABLE_FEATURE_TABLE_H
#define RUN_TABLE_FEATURE_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "data/names/catalog.h"

/* Release with feature_table_free. */
struct feature_table {
    struct catalog catalog; /* of each row its name and its label (-1: none), and the classes */
    float *values;          /* [catalog.count][dim], finite */
    int dim;
    bool named;    /* the file has names; otherwise a row's name is its number, from 0 */
    bool labelled; /* the file has labels */
    int ignored;   /* arrays of other names that the file has, and the first of them */
    char first_ignored[64];
};

/* Reads a file of features. What it is, its first bytes say (docs/formats.md):
 *   .npy          the features; names in NAME.txt and labels in NAME.labels.txt beside NAME.npy, one a line, if there
 *   .npz          arrays features, names, labels, classes
 *   .safetensors  tensors features, names, labels, classes
 * Features are float32, or float16, [N][D] in C order. Labels are whole numbers, a negative one meaning none, or names
 * of classes, an empty one meaning none (labels_resolve). With classes, label i is called by the i-th. Everything else
 * is refused with a sentence: SIMCLR_CORRUPT for a file that lies about its shape or is damaged; SIMCLR_DATA for
 * another type, order or number of axes, names or labels that don't match the rows, an empty name, a label that no
 * class is there for, a value that is not finite (with the row's name); SIMCLR_UNSUPPORTED for pickles; SIMCLR_IO,
 * SIMCLR_NO_MEMORY. */
int feature_table_open(struct feature_table *out, const char *path, struct error *error);
void feature_table_free(struct feature_table *table);

/* Leaves out the rows without a label; the others move together. Returns how many they were. */
int64_t feature_table_leave_out_unlabelled(struct feature_table *table);

/* Puts the rows of `table` into the order of those of `like`, by their names; others are left out. Only its values then
 * belong to what `like` names. SIMCLR_DATA naming a row that is missing, or whose name stands twice. path: of `table`,
 * for sentences. */
int feature_table_align(struct feature_table *table, const struct feature_table *like, const char *path,
                        struct error *error);

/* The same from memory, without files beside it. `name` is for sentences. */
int feature_table_parse(struct feature_table *out, const uint8_t *bytes, size_t count, const char *name,
                        struct error *error);

#endif
