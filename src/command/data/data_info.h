/* command/data/data_info.h -- what one part of a data set holds, gathered and then shown. Inside the room only. */
#ifndef COMMAND_DATA_INFO_H
#define COMMAND_DATA_INFO_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"
#include "data/dataset.h"
#include "image/image.h"
#include "run/session.h"

enum { SIZES = 3, FORMATS = IMAGE_FORMATS }; /* width, height, shorter side */

/* Start from {0}; release with part_free. */
struct part_info {
    struct dataset *set;             /* borrowed */
    const char *name;                /* "train" or "test" */
    int64_t images, bad, unlabelled; /* images: without those that were found to be bad, of which all below is */
    int64_t *in_class;               /* [classes] */
    int32_t *size[SIZES];            /* [images] and room for those that are bad, sorted by part_gather */
    int64_t format[FORMATS];         /* IMAGE_OTHER: pixels that were never encoded */
    int64_t turned, profiles;
    int64_t encoded_bytes; /* of all images that are encoded */
    double pixels;
    double decoded_per_second; /* 0: not measured */
    int64_t decoded;           /* images that were decoded */
};

/* SIMCLR_INTERRUPTED when asked to stop. */
int part_gather(struct session *session, struct part_info *part, struct error *error);
void part_free(struct part_info *part);

void part_show(const struct session *session, const struct part_info *part);
void part_json(struct text *text, const struct part_info *part);

#endif
