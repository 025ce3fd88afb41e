/* data/tally.c -- see tally.h. */
#include "data/tally.h"

#include <inttypes.h>

enum { DARK = 64 /* of 256: pictures of 16 bits that use 14 or fewer */ };

int tally_brightest(const struct image *image)
{
    const size_t bytes = 3 * (size_t)image->width * (size_t)image->height;
    int largest = 0;
    for (size_t i = 0; i < bytes && largest < 255; i++) largest = image->rgb[i] > largest ? image->rgb[i] : largest;
    return largest;
}

void tally_add(struct tally *tally, const struct image_header *header, int brightest)
{
    tally->looked_at++;
    tally->profiles += header->profile;
    if (header->depth <= 8) return;
    if (tally->deep++ >= TALLY_DEEP || brightest < 0) return;
    tally->deep_looked_at++;
    tally->deep_brightest = brightest > tally->deep_brightest ? brightest : tally->deep_brightest;
}

bool tally_is_dark(const struct tally *tally)
{
    return tally->deep_looked_at > 0 && tally->deep_brightest < DARK;
}

void tally_say_profiles(const struct tally *tally, bool sampled, const struct log *log)
{
    if (tally->profiles == 0) return;
    log_info(log,
             "%" PRId64 " of %" PRId64 " images%s have an ICC colour profile, which is ignored: their colours "
             "are taken as sRGB",
             tally->profiles, tally->looked_at, sampled ? " that were looked at" : "");
}

void tally_say_deep(const struct tally *tally, const char *path, const struct log *log)
{
    if (tally->deep == 0) return;
    if (tally_is_dark(tally))
        log_warning(
            log,
            "%s: %lld pictures have 16 bits a channel, of which the high 8 are used. The %d that were looked at "
            "are nearly black: their values end at %d of 65535. Scale them to 16 bits (ImageMagick: convert IN "
            "-auto-level OUT)",
            path, (long long)tally->deep, tally->deep_looked_at, 256 * (tally->deep_brightest + 1) - 1);
    else
        log_info(log, "%s: %lld pictures have 16 bits a channel, of which the high 8 are used", path,
                 (long long)tally->deep);
}
