/* data/tally.h -- what a user should know of pictures that were looked at: colour profiles that are ignored, and 16
 * bits of which 8 are used. */
#ifndef DATA_TALLY_H
#define DATA_TALLY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "image/image.h"

enum { TALLY_DEEP = 8 /* pictures of 16 bits whose pixels are looked at */ };

/* Starts from {0}. */
struct tally {
    int64_t looked_at, profiles, deep;  /* pictures, and of them with an ICC profile, and with 16 bits a channel */
    int deep_looked_at, deep_brightest; /* of those the ones whose pixels were looked at, and their largest byte */
};

/* The largest byte of a picture. */
int tally_brightest(const struct image *image);

/* A picture more. brightest: of its pixels, asked for where it has more than 8 bits; -1: they are not there. */
void tally_add(struct tally *tally, const struct image_header *header, int brightest);

/* Do the first pictures of 16 bits use so few of these that they are nearly black? */
bool tally_is_dark(const struct tally *tally);

/* Nothing is said where there are no such pictures. sampled: not all of the set's pictures were looked at. */
void tally_say_profiles(const struct tally *tally, bool sampled, const struct log *log);
/* path: what the set is called. */
void tally_say_deep(const struct tally *tally, const char *path, const struct log *log);

#endif
