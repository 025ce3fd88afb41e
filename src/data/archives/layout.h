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

/* Fills the empty catalog and *places: where image i of it lies (memory_free). If any image has a label of its own
 * (WebDataset), those are the labels and everything belongs to both parts. Else paths mean what they mean in a folder:
 * the folders that all images share are passed over; `train` and `test` or `val` are parts; the first folder is the
 * class. SIMCLR_DATA when there are no images or not the part. */
int layout_arrange(const struct members *members, const struct layout_request *request, struct catalog *catalog,
                   struct member **places, struct error *error);

/* Whether the images are divided into `train` and `test` or `val`. */
bool layout_has_test(const struct members *members);

#endif
