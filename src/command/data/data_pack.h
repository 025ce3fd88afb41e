/* command/data/data_pack.h -- one image on its way into a pack. Inside the room only. */
#ifndef COMMAND_DATA_PACK_H
#define COMMAND_DATA_PACK_H

#include "base/text.h"
#include "config/config.h"
#include "data/dataset.h"
#include "image/image.h"
#include "simd/simd.h"

/* Start from {0}; release with packed_free. */
struct packed {
    struct error error; /* status other than SIMCLR_OK: it could not be made */
    struct image image; /* for --format raw */
    uint8_t *bytes;     /* for --format tar: encoded */
    size_t count;
    const char *ending; /* "jpg", "png", "webp" */
};

/* Reads image `index` and makes what the options ask for: reduced to --shorter-side, upright, encoded by --codec. With
 * --codec auto a file that need not change is copied byte for byte (it is decoded all the same: bad ones are found),
 * JPEG stays JPEG, and what was lossless becomes PNG. */
void packed_make(struct packed *packed, struct dataset *set, int64_t index, const struct config *config,
                 enum simd simd);
void packed_free(struct packed *packed);

/* ---- the folder that a pack is written to (data_pack_place.c) ---- */

/* The place of a part in it. Start with pack_place_look; release with pack_place_free, also after a failure. */
struct pack_place {
    const struct config *config;
    const char *part;                 /* "train", "test" */
    struct text note;                 /* of what the part is made: .pack-PART */
    bool noted, same;                 /* there is such a note; it says the same */
    int files;                        /* of the part, that are there and called as this command calls them */
    int strangers;                    /* others that would be read as the part */
    char example[100], stranger[100]; /* the first of each */
    int64_t *left, shards;            /* [shards] images left out of each */
};

/* Looks at what is there and changes nothing. set: NULL where the set has no such part. SIMCLR_INVALID: files of
 * another pack, or of none that this command has begun, without --overwrite; or with it, where the images may be read
 * from these files. */
int pack_place_look(struct pack_place *place, const struct config *config, const char *part, const struct dataset *set,
                    struct error *error);
/* Removes what is in the way, and leaves the note (without a set: none). */
int pack_place_take(struct pack_place *place, struct error *error);
void pack_place_free(struct pack_place *place);

/* How many images earlier commands have left out of each shard. */
int pack_place_read_left(struct pack_place *place, int64_t shards, struct error *error);
/* To be told before the shard gets its name. */
int pack_place_note_left(struct pack_place *place, int64_t shard, int64_t count, struct error *error);

#endif
