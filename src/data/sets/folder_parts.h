/* data/sets/folder_parts.h -- where the parts of a folder of images lie: parts_decide, asked with as few looks at the
 * disk as it takes. */
#ifndef DATA_FOLDER_PARTS_H
#define DATA_FOLDER_PARTS_H

#include <sys/stat.h>

#include "data/names/parts.h"

/* Release with folder_parts_free. */
struct folder_parts {
    char *root; /* where classes or parts lie: the set's folder, or the only folder with images in it, or in that ... */
    struct parts parts;
    char *part[2];  /* the folders of train and test; both NULL: the set is not divided */
    bool annotated; /* a file says the labels of part[1], Tiny ImageNet's val, or of a set that is not divided */
};

/* SIMCLR_IO: a folder that matters cannot be listed. */
int folder_parts_find(struct folder_parts *out, const char *path, struct error *error);
void folder_parts_free(struct folder_parts *parts);

/* Whether an open folder is that of a run of this program: its pictures are none of a set. */
bool folder_is_run(int descriptor);

/* Whether a link in `folder` that leads to `target` leads to a folder that it lies in: by the names of `folder`, and
 * above the first of them. What is in there is taken already, or lies outside of the set. */
bool folder_leads_up(const char *folder, const struct stat *target);

/* Whether there is an image in a folder, however deep. *nested, unless NULL: whether one lies in a folder of it. Stops
 * at the first that answers. */
int folder_has_images(const char *path, bool *has, bool *nested, struct error *error);

#endif
