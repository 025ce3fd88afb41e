/* image/exif.c -- EXIF orientation (EXIF 2.32, section 4.6.4 A, tag 274) out of JPEG's APP1, PNG's eXIf and WebP's
 * EXIF. */
#include "image/exif.h"

#include <string.h>

enum { TAG_ORIENTATION = 0x0112, TYPE_SHORT = 3, TYPE_LONG = 4, ENTRY_BYTES = 12 };

static uint32_t number(const uint8_t *bytes, int count, bool little)
{
    uint32_t value = 0;
    for (int i = 0; i < count; i++) value = value << 8 | bytes[little ? count - 1 - i : i];
    return value;
}

int exif_orientation(const uint8_t *tiff, size_t count)
{
    if (count < 8) return 1;
    const bool little = memcmp(tiff, "II*\0", 4) == 0;
    if (!little && memcmp(tiff, "MM\0*", 4) != 0) return 1;
    const size_t directory = number(tiff + 4, 4, little);
    if (directory < 8 || directory > count - 2) return 1;
    size_t entries = number(tiff + directory, 2, little);
    if (entries > (count - directory - 2) / ENTRY_BYTES) entries = (count - directory - 2) / ENTRY_BYTES;
    for (size_t i = 0; i < entries; i++) {
        const uint8_t *entry = tiff + directory + 2 + i * ENTRY_BYTES;
        if (number(entry, 2, little) != TAG_ORIENTATION) continue;
        const uint32_t type = number(entry + 2, 2, little);
        if ((type != TYPE_SHORT && type != TYPE_LONG) || number(entry + 4, 4, little) != 1) return 1;
        const uint32_t value = number(entry + 8, type == TYPE_SHORT ? 2 : 4, little);
        return value >= 1 && value <= 8 ? (int)value : 1;
    }
    return 1;
}

/* "Exif\0\0" before the TIFF structure: always in a JPEG, sometimes in a WebP. */
static int orientation_of(const uint8_t *bytes, size_t count)
{
    const bool words = count >= 6 && memcmp(bytes, "Exif\0\0", 6) == 0;
    return words ? exif_orientation(bytes + 6, count - 6) : exif_orientation(bytes, count);
}

static bool is_frame(uint8_t marker)
{
    return marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
}

struct metadata jpeg_metadata(const uint8_t *bytes, size_t count)
{
    struct metadata found = {.orientation = 1};
    bool oriented = false;
    for (size_t at = 2; at + 4 <= count;) {
        /* rubbish between segments, which libjpeg passes over too, or fill */
        if (bytes[at] != 0xFF || bytes[at + 1] == 0xFF)
            at++;
        else if (bytes[at + 1] <= 0x01 || (bytes[at + 1] >= 0xD0 && bytes[at + 1] <= 0xD8))
            at += 2; /* no length */
        else {
            const uint8_t marker = bytes[at + 1];
            const size_t written = number(bytes + at + 2, 2, false);
            const size_t length = written < 2 ? 2 : written; /* libjpeg takes such a segment for an empty one */
            found.whole = is_frame(marker) || marker == 0xDA || marker == 0xD9;
            if (found.whole || length > count - at - 2) break;
            const uint8_t *contents = bytes + at + 4;
            if (marker == 0xE1 && length >= 8 && memcmp(contents, "Exif\0\0", 6) == 0 && !oriented) {
                found.orientation = orientation_of(contents, length - 2);
                oriented = true; /* the first one counts */
            }
            found.profile |= marker == 0xE2 && length >= 14 && memcmp(contents, "ICC_PROFILE", 12) == 0;
            at += 2 + length;
        }
    }
    return found;
}

struct metadata png_metadata(const uint8_t *bytes, size_t count)
{
    struct metadata found = {.orientation = 1};
    static const char sheet[] = SHEET_KEYWORD "\0" SHEET_WORDS;
    if (count > 24 && memcmp(bytes + 12, "IHDR", 4) == 0) found.depth = bytes[24];
    for (size_t at = 8; at + 8 <= count && !found.whole;) {
        const size_t length = number(bytes + at, 4, false);
        const uint8_t *name = bytes + at + 4;
        found.whole = memcmp(name, "IDAT", 4) == 0 || memcmp(name, "IEND", 4) == 0;
        found.profile |= memcmp(name, "iCCP", 4) == 0;
        if (length > count - at - 8) break;
        found.sheet |=
            memcmp(name, "tEXt", 4) == 0 && length == sizeof sheet - 1 && memcmp(name + 4, sheet, length) == 0;
        if (memcmp(name, "eXIf", 4) == 0) found.orientation = orientation_of(name + 4, length);
        if (length + 4 > count - at - 8) break; /* the checksum */
        at += 12 + length;
    }
    return found;
}

struct metadata webp_metadata(const uint8_t *bytes, size_t count)
{
    enum { FLAG_EXIF = 8, FLAG_PROFILE = 32 };
    struct metadata found = {.orientation = 1, .whole = true};
    if (count < 21 || memcmp(bytes + 12, "VP8X", 4) != 0) return found; /* the simple forms have none */
    found.profile = (bytes[20] & FLAG_PROFILE) != 0;
    found.whole = (bytes[20] & FLAG_EXIF) == 0;
    const size_t end = number(bytes + 4, 4, true); /* of the RIFF, after its first 8 bytes */
    for (size_t at = 12; at + 8 <= count && !found.whole;) {
        const size_t length = number(bytes + at + 4, 4, true);
        if (length > count - at - 8) break;
        if (memcmp(bytes + at, "EXIF", 4) == 0) {
            found.orientation = orientation_of(bytes + at + 8, length);
            found.whole = true;
        }
        at += 8 + length + (length & 1);
    }
    if (count >= 8 && end <= count - 8) found.whole = true; /* promised, but not there */
    return found;
}
