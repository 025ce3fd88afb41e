/* explore/audit/copies.h -- copies of the user's own images, made again as copies come about: what a search for
 * near-duplicates must find. */
#ifndef EXPLORE_AUDIT_COPIES_H
#define EXPLORE_AUDIT_COPIES_H

#include "explore/collection.h"

enum copy_kind {
    COPY_JPEG,   /* encoded anew at quality 50 */
    COPY_HALF,   /* half as wide and high */
    COPY_CROP,   /* 95 % of each side, at a place drawn from the seed */
    COPY_BRIGHT, /* 15 % brighter */
    COPY_MIRROR, /* left and right exchanged */
    COPY_KINDS
};
extern const char *const copy_names[COPY_KINDS];

/* `where`: two numbers of [0, 1) that place a crop. *out: image_free. SIMCLR_NO_MEMORY. */
int copy_make(enum simd simd, enum copy_kind kind, const double where[2], const struct image *image, struct image *out,
              struct error *error);

enum { COPIES_MOST = 1000 };

/* Start from {0}; release with copies_free. */
struct copies {
    int64_t count;
    uint32_t *row;       /* [count]: of which each is a copy; its kind is its number modulo COPY_KINDS */
    struct dataset *set; /* the copies as images */
};

/* Copies of 1,000 images, or of all where there are fewer, drawn from the seed: of each in one kind, by turns.
 * `collection` outlives them. Errors as dataset_open has them. */
int copies_open(struct copies *out, const struct collection *collection, struct error *error);
void copies_free(struct copies *copies);

#endif
