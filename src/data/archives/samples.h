/* data/archives/samples.h -- WebDataset's convention: the files of a sample lie side by side in a tar and have the same
 * path up to the first dot of their names. Tars that do not keep to it are read too: labels that lie elsewhere in the
 * tar, keys that come twice, files that look like labels and are none. */
#ifndef DATA_SAMPLES_H
#define DATA_SAMPLES_H

#include <stdbool.h>

#include "data/archives/members.h"
#include "data/bytes/tar.h"

enum { SAMPLE_FILES = 32 };

/* The walk through one tar. */
struct samples {
    struct members *members; /* where images and labels go */
    const struct blob *tar;
    const char *path; /* of the archive, for sentences */
    size_t prefix;    /* bytes of the images' names before what they are called in this tar */
    int64_t begin;    /* the first image of the tar */
    /* The sample that is being read. */
    char key[TAR_NAME_MAX];
    size_t key_length;
    uint64_t suffix[SAMPLE_FILES]; /* digests of the endings it has */
    int files;
    int64_t first; /* its first image */
    int32_t label;
    bool from_cls;
    int label_files;
    int bad; /* label files that cannot be read */
    char bad_name[PASSED_EXAMPLE];
    /* Labels whose sample has no image there: by key, the label's id, or -1 where two of them differ. */
    struct labels apart;
    int32_t *label_apart; /* [apart.names.count] */
    size_t room_apart;
};

/* Begins: `samples` is {0} but for members, tar, path and prefix. */
void samples_begin(struct samples *samples);
/* The next file: of the sample that is being read, or the first of another. */
int samples_next(struct samples *samples, const char *name, struct error *error);
/* Takes a file that may be a label: *taken says whether its name is one of a label. A file that is no label is counted
 * among those passed over, and the sample has no label. SIMCLR_IO, SIMCLR_NO_MEMORY. */
int samples_take(struct samples *samples, const char *name, const struct tar_member *member, bool *taken,
                 struct error *error);
/* Ends the last sample, and gives labels that lie apart to the images with their keys. */
int samples_end(struct samples *samples, struct error *error);
void samples_free(struct samples *samples);

/* Whether labels of samples are the labels of the set. They are not where no image has one, nor where all images lie in
 * folders, which may be classes, and most have none. */
bool samples_are_labels(const struct members *members);

#endif
