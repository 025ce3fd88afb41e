/* evaluate/label_sets.h -- a file that says of which classes each image is: `--label-sets`. */
#ifndef EVALUATE_LABEL_SETS_H
#define EVALUATE_LABEL_SETS_H

#include "data/names/labels.h"
#include "evaluate/evaluation.h"

/* Start from {0}; release with label_sets_free. */
struct label_sets {
    struct labels names; /* of the classes, in the order in which the file first names them */
    int classes;
    struct label_sets_part {
        uint8_t *member; /* [images][classes] of MEMBER_NO, MEMBER_YES, MEMBER_UNKNOWN (eval/average_precision.h) */
        uint8_t *named;  /* [images]: 1 where the file has a line for it; of others all classes are unknown */
        int64_t count;   /* of images with a line */
    } part[PART_COUNT];
};

/* Reads the file: a line for an image, NAME, then a tab before each of its classes; `?CLASS` where it is not known
 * whether it is of that one. It is of no other class. Lines of one image add up; a name alone says that it is of none.
 * An image is named by its path or the end of it, as for --labels. What the parts lack, and what the file lacks, is
 * logged. SIMCLR_DATA: two images may be meant, a class is said and not known, or no image of a part is named. */
int label_sets_read(struct label_sets *out, const struct evaluation *evaluation, const char *path, struct error *error);
/* The same of text that was read: `bytes` bytes, after which a NUL stands; it is written into. path is for sentences.
 */
int label_sets_parse(struct label_sets *out, const struct evaluation *evaluation, const char *path, char *text,
                     size_t bytes, struct error *error);
void label_sets_free(struct label_sets *sets);

#endif
