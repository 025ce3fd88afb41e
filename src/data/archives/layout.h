/* data/archives/layout.h -- from the paths inside archives to a set: which images belong to a part, and what their
 * classes are.
 */
#ifndef DATA_LAYOUT_H
#define DATA_LAYOUT_H

#include "base/error.h"
#include "data/archives/members.h"
#include "data/names/annotations.h"
#include "data/names/catalog.h"

struct layout_request {
    const char *path;                      /* of the set, for sentences */
    char *const *archive_names;            /* [archives]: what names begin with */
    int part;                              /* 0 train, 1 test */
    const struct annotations *annotations; /* labels of `val` (or of everything, where there are no parts), or NULL */
};

/* Fills the empty catalog and *places: where image i of it lies (memory_free). Paths mean what they mean in a folder:
 * the folders that all images share are passed over; parts_decide says which are the parts; the first folder is the
 * class. Where samples have labels (samples_are_labels), those are the labels. SIMCLR_DATA when there are no images
 * or not the part. */
int layout_arrange(const struct members *members, const struct layout_request *request, struct catalog *catalog,
                   struct member **places, struct error *error);

/* *path: of the member ANNOTATIONS_FILE that has the labels of the validation part, or of a set that is not divided and
 * has it at its top; NULL: there is none. memory_free. */
int layout_labels_file(const struct members *members, char **path, struct error *error);

/* Whether the images are divided, and have a test part. */
bool layout_has_test(const struct members *members);

#endif
