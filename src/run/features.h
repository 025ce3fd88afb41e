/* run/features.h -- features of a whole data set: the encoder in inference mode on evaluation views. */
#ifndef RUN_FEATURES_H
#define RUN_FEATURES_H

#include "data/dataset.h"
#include "run/feature_rows.h"

/* features: [count][dim], labels: [count] (-1: none); release with features_free. */
struct features {
    float *values;
    int32_t *labels;
    uint8_t *replaced; /* [count]: the image was found to be bad, and the row is another's; NULL: none was */
    int64_t count;
    int dim;
    bool borrowed; /* they are another's: features_free leaves them alone */
};

struct features_request {
    enum features_kind kind;
    struct model *model;
    const struct view_policy *policy;
    struct dataset *dataset;
    int64_t limit;          /* 0: all in the data set's order, else the first `limit` of a seeded permutation */
    const uint32_t *subset; /* [subset_count] these images in this order instead; NULL: as `limit` says */
    int64_t subset_count;
    int layer; /* of FEATURES_HEAD */
    int views; /* 0 or 1: the evaluation view; else the mean of so many random crops, at most LOADER_MAX_VIEWS, flipped
                  at random (view_policy_supervised), by the session's seed */
};

/* Rows of a batch of images, in their order. */
struct features_block {
    int count, dim;
    const uint32_t *indices; /* [count] numbers in the data set */
    const int32_t *labels;   /* [count] -1: none */
    const uint8_t *replaced; /* [count] the image was found to be bad, and another stands in for it */
    float *values;           /* [count][dim], finite; the visitor may change them */
};
/* What it returns ends the extraction where it is no SIMCLR_OK. */
typedef int features_visit(void *context, const struct features_block *block, struct error *error);

/* The rows of the images that the request asks for, shown to `visit` batch after batch; nothing else is kept. Errors as
 * features_extract has them. Of a session on several ranks each makes every so many batches; rank 0 alone is shown the
 * rows, all of them and in their order, and no rank has more than a batch of each at a time. It is collective then. */
int features_stream(struct session *session, const struct features_request *request, features_visit *visit,
                    void *context, struct error *error);

/* The same into memory. Of a session on several ranks each makes some of the batches, and all get all rows; it is
 * collective then, and returns the same status everywhere. SIMCLR_INTERRUPTED when asked to stop; SIMCLR_CORRUPT, with
 * the image's name, when a feature is not finite. */
int features_extract(struct session *session, const struct features_request *request, struct features *out,
                     struct error *error);
/* The same of FEATURES_H or FEATURES_HEAD of all images (limit 0), which may come from the cache, and are kept in it.
 * *from_cache: they were there. */
int features_extract_cached(struct session *session, const struct features_request *request, struct features *out,
                            bool *from_cache, struct error *error);
/* Takes the rows of images that were found to be bad out of features of all images of the set, and these images out of
 * the set: row i is image i again. The log says how many they were. SIMCLR_DATA where no image is left. */
int features_leave_out_bad(const struct session *session, struct dataset *dataset, struct features *features,
                           struct error *error);
void features_free(struct features *features);
/* Images of size x size at once, where there are so many and nothing else is asked for: enough to keep every kernel
 * busy, small enough for 224 pixels to fit anywhere. */
int features_usual_batch(int size);
/* A damaged encoder makes NaN or infinity of an image: whatever were computed from that would be a guess.
 * SIMCLR_CORRUPT, with the image's name, for a row [dim] that is not finite. */
int features_check_row(const char *name, const float *row, int dim, struct error *error);

#endif
