/* data/archives/members.h -- the index of archives: which images they have, where their bytes lie, what is said of
 * their labels. Made by reading the archives once, kept in the user's cache folder. */
#ifndef DATA_MEMBERS_H
#define DATA_MEMBERS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/log.h"
#include "data/bytes/blob.h"
#include "data/names/catalog.h"
#include "data/names/labels.h"
#include "data/names/source.h"

/* Where an image lies. In a zip archive `offset` is that of its local header. */
struct member {
    int64_t offset;
    uint32_t stored, size; /* bytes in the archive and of the image: the same unless deflated */
    uint32_t crc;          /* zip: of the image */
    uint32_t file;         /* which archive; bit 31: deflated */
};
#define MEMBER_DEFLATED 0x80000000u

/* Start from {0}; release with members_free. */
struct members {
    struct catalog names; /* paths inside the archives; label: an id of `labels` or -1 */
    struct member *at;    /* [names.count] */
    int64_t room;
    struct labels labels;
    /* Other files that are wanted by name. */
    struct catalog others;
    struct member *other; /* [others.count] */
    int64_t other_room;
    struct passed passed;
    int64_t label_files; /* that say the label of an image */
    int64_t apart;       /* of them those that do not lie beside it */
    bool cut;            /* an archive ends in the middle */
    int64_t joined_at;   /* of one tar: struct tar_end's, in bytes of the whole */
    int64_t left_at;     /* the same */
    bool backslashes;    /* names had them where folders have slashes, and were changed */
};
void members_free(struct members *members);

int members_add(struct members *members, const char *name, size_t length, const struct member *at, struct error *error);
int members_add_other(struct members *members, const char *name, const struct member *at, struct error *error);
/* Appends `one`, the index of a single archive, as archive number `file`. */
int members_append(struct members *all, const struct members *one, uint32_t file, struct error *error);

/* The first `at_most` bytes of a member of `archive`, which is a zip archive or holds members as they are. On failure
 * *out is {0}. */
int member_fetch(const struct blob *archive, bool zip, const struct member *member, const char *name, size_t at_most,
                 struct encoded *out, struct error *error);

/* A path as it is compared: without ./ and / before it. NULL for one that is passed over: hidden files and folders,
 * __MACOSX, and WebDataset's metadata (__name__). */
const char *members_clean_name(const char *name);

/* Whether a file that is no image is worth noting: the parts of CIFAR and STL-10, label files. */
bool members_is_wanted(const char *name);

/* The index of one archive as bytes for a file of ours. *out: memory_free. */
int members_pack(const struct members *members, const struct blob_stamp *stamp, uint8_t **out, size_t *bytes,
                 struct error *error);
/* Reads what members_pack wrote for an archive of this stamp; `limit` is how many bytes its members lie in. Anything
 * else, damaged or of another state of the archive, is SIMCLR_CORRUPT, and *members is {0}. */
int members_unpack(struct members *members, const struct blob_stamp *stamp, int64_t limit, const uint8_t *bytes,
                   size_t count, struct error *error);

#endif
