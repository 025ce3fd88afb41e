/* data/names/annotations.h -- a label file: which label each of the named images has (Tiny ImageNet's
 * val_annotations.txt, val.txt, LOC_val_solution.csv). */
#ifndef DATA_ANNOTATIONS_H
#define DATA_ANNOTATIONS_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "data/names/labels.h"

#define ANNOTATIONS_FILE "val_annotations.txt" /* Tiny ImageNet's, in its val folder */

/* Start from {0}; release with annotations_free. */
struct annotations {
    struct labels images; /* names without folders and extension */
    struct labels texts;  /* labels */
    int32_t *text_of;     /* [images]: id of its label */
    size_t room;
};
void annotations_free(struct annotations *annotations);

int annotations_add(struct annotations *annotations, const char *image, size_t length, const char *label,
                    size_t label_length, struct error *error);

/* Lines of `image<separator>label`, the separator being a tab, spaces or a comma; what follows on the line is not
 * read. Lines without a label are passed over. SIMCLR_CORRUPT when no line has one. `name` is for the sentence. */
int annotations_parse(struct annotations *annotations, const char *text, const char *name, struct error *error);

/* The id of the label of an image, by the last component of its path; -1: none. */
int32_t annotations_find(const struct annotations *annotations, const char *path);

#endif
