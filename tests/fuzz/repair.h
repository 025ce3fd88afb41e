/* tests/fuzz/repair.h -- the right checksum for a mutated safetensors file: a random one is nearly never right, and
 * what lies behind its check would never be reached. */
#ifndef FUZZ_REPAIR_H
#define FUZZ_REPAIR_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/checksum.h"
#include "fuzz.h"

/* Puts the digits (docs/formats.md: CRC-32C of the file with them as zeros) after the first "file_crc32c": " of the
 * header, and returns them in `digits`; false: there is no such place. */
static inline bool repair_checksum(uint8_t *bytes, size_t count, char digits[9])
{
    static const char key[] = "\"file_crc32c\": \"";
    uint64_t length = 0;
    for (int i = 7; count >= 8 && i >= 0; i--) length = length << 8 | bytes[i];
    if (count < 8 || length > count - 8) return false;
    uint8_t *at = memmem(bytes + 8, (size_t)length, key, sizeof key - 1);
    if (at == NULL || bytes + 8 + length - (at + sizeof key - 1) < 8) return false;
    at += sizeof key - 1;
    memset(at, '0', 8);
    snprintf(digits, 9, "%08x", (unsigned)crc32c(bytes, count));
    memcpy(at, digits, 8);
    return true;
}

#endif
