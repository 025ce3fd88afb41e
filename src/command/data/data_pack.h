/* command/data/data_pack.h -- one image on its way into a pack. Inside the room only. */
#ifndef COMMAND_DATA_PACK_H
#define COMMAND_DATA_PACK_H

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

#endif
