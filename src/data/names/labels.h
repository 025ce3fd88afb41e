/* data/names/labels.h -- labels as they are written, each distinct text kept once, and the class numbers made of them.
 */
#ifndef DATA_LABELS_H
#define DATA_LABELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "data/names/catalog.h"

/* Start from {0}; release with labels_free. */
struct labels {
    struct catalog names; /* text of each id */
    uint32_t *slot;       /* [slots]: id + 1, 0: free; open addressing, slots is a power of two */
    size_t slots;
};
void labels_free(struct labels *labels);

/* The id of a text of `length` bytes (cut at a NUL), the same for equal texts, counted from 0. */
int labels_intern(struct labels *labels, const char *text, size_t length, int32_t *id, struct error *error);

/* The id of a text that is there, else -1. */
int32_t labels_find(const struct labels *labels, const char *text, size_t length);

/* Replaces the ids in catalog->label (-1: none) by class numbers and adds the classes. If all texts are integers (and
 * `names_only` is not set) a negative one means no label; the others are class numbers where they are dense: below
 * 1000, or at least half of the numbers up to the largest are there. All else are class names: integers (numbers of
 * products or persons) in the order of their values, texts in the order of their bytes. */
int labels_resolve(const struct labels *labels, struct catalog *catalog, bool names_only, struct error *error);

#endif
