/* loader/loader.h -- batches of view pairs, the same pixels whatever makes them.
 *
 * With workers == 0 the pool's own threads make a batch when it is asked for. That is for few cores: a third busy
 * thread would halve the speed of the convolutions. With workers > 0 that many threads keep a bounded ring full. */
#ifndef DATA_LOADER_H
#define DATA_LOADER_H

#include <stdint.h>

#include "augment/views.h"
#include "base/pool.h"
#include "data/dataset.h"
#include "loader/grouping.h"

struct loader;

enum { LOADER_MAX_VIEWS = 16 };

/* Where batches of views lie: a backend may want memory of a kind that it reads fast. All zeros: plain memory. */
struct batch_memory {
    void *owner;
    void *(*allocate)(void *owner, size_t bytes); /* NULL: there is none */
    void (*release)(void *owner, void *block);
};

struct loader_config {
    struct view_policy policy;
    enum rng_purpose purpose; /* RNG_VIEW, or RNG_FINETUNE for supervised phases */
    uint64_t seed;
    int batch; /* N images; incomplete last batches are dropped unless keep_last */
    /* Of several processes that share each batch: this one's images of it, [share_first, share_first + share_count) of
     * the N. share_count 0: all. An epoch's order and steps are those of the whole batch. Not with keep_last. */
    int share_first, share_count;
    int views; /* views per image: 2 for SimCLR, 1 for supervised phases */
    bool keep_last;
    bool shuffle;           /* false: dataset order */
    int group;              /* images of a group (grouping.h): rows go by groups, and views is 2; 0: no groups */
    bool group_shuffle;     /* view B of an image in another group than view A */
    bool by_parts;          /* a batch is handed out a group at a time, twice (loader_next_part) */
    bool evaluation;        /* evaluation views instead of random ones (views must be 1) */
    const uint32_t *subset; /* borrowed: only these images, or NULL */
    uint32_t subset_count;
    int workers, ring;    /* ring: batches made ahead, 0: 2 */
    bool scaled_decoding; /* JPEGs whose crops are at least twice the view's size: decoded to half, a quarter ... of it
                           */
    struct batch_memory memory;
    bool pin; /* the pool's threads and the workers on processors of their own, where there are enough for both */
};

/* One batch, owned by the loader. Row i of view v is number v * count + i of the views, each 3 * S * S values: the
 * first half of the rows is view A, the second half view B (row i and i + N are a positive pair). With groups the rows
 * are those of grouping.h. A part has the rows of one group; shuffled, its images are those of its views A. */
struct batch {
    int count;               /* N images in this batch or in this process's share of it, n in a part */
    enum view_type type;     /* the policy's */
    const void *views;       /* [views * count][3][S][S] of this type */
    const uint32_t *indices; /* [count] dataset numbers */
    const int32_t *labels;   /* [count], -1 none */
    const uint8_t
        *replaced; /* [count] 1: the image is bad, and another of the set or subset stands in, label and all */
    uint32_t epoch;
    int64_t step; /* global step: epoch * steps_per_epoch + position */
};

/* dataset and pool are borrowed. Allocates everything that loader_next will need.
 * SIMCLR_INVALID, among what cannot be meant, when there are no images, or when batch > images unless keep_last: an
 * epoch is then one batch of all images (count says how many). */
int loader_open(struct loader **out, const struct loader_config *config, struct dataset *dataset, struct pool *pool,
                struct error *error);
void loader_close(struct loader **loader);

int64_t loader_steps_per_epoch(const struct loader *loader);

/* The batch of global step `step` (any step: seeking is free, resume is exact). Valid until the next call. */
int loader_next(struct loader *loader, int64_t step, const struct batch **out, struct error *error);

/* Part `part` of a batch by parts, whose groups are wanted twice: part p below the number of groups is group p; those
 * after them are the groups from the last but one down to the first. (The last one is at hand when the first round
 * ends.) The pixels are the same both times. loader_next gives part 0. */
int loader_next_part(struct loader *loader, int64_t step, int part, const struct batch **out, struct error *error);
int loader_parts(const struct loader *loader); /* of a batch; 1: batches are handed out whole */

/* Seconds that loader_next has spent since opening: the time training waited for views. */
double loader_wait_seconds(const struct loader *loader);

#endif
