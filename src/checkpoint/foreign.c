/* checkpoint/foreign.c -- see foreign.h. Told by the bytes, never by the name. */
#include "checkpoint/foreign.h"

#include <string.h>

#include "base/signature.h"

#define GIVE_OTHER "give a run folder, a checkpoint or an exported encoder"

/* What may be a data set is not in the table of signatures. */
static const struct {
    const char *magic;
    size_t length;
    struct signature signature;
} packed[] = {
    {"PK\x03\x04", 4, {.what = "a zip archive", .as_weights = "unpack it first"}},
    {"\x1f\x8b", 2, {.what = "packed with gzip", .as_weights = "unpack it first (gunzip)"}},
    {"\x28\xb5\x2f\xfd", 4, {.what = "packed with zstd", .as_weights = "unpack it first (unzstd)"}},
};

static const struct signature *find(const uint8_t *bytes, size_t count)
{
    const struct signature *known = signature_find(bytes, count);
    for (size_t i = 0; !known && i < sizeof packed / sizeof *packed; i++)
        if (count >= packed[i].length && memcmp(bytes, packed[i].magic, packed[i].length) == 0)
            return &packed[i].signature;
    return known;
}

int foreign_refuse(const uint8_t *bytes, size_t count, const char *path, struct error *error)
{
    const struct signature *known = find(bytes, count);
    if (!known) return SIMCLR_OK;
    return error_set(error, SIMCLR_CORRUPT, "%.160s: is %s, not a safetensors file: %s", path, known->what,
                     known->as_weights ? known->as_weights : GIVE_OTHER);
}
