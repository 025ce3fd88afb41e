/* data/numbering.h -- which items of a listing the numbers of a set stand for. It is kept with a run. So an image that
 * is damaged later keeps its number, and all others stay where they were. */
#ifndef DATA_NUMBERING_H
#define DATA_NUMBERING_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* Release with numbering_free. */
struct numbering {
    uint64_t listing;   /* digest of all items of the catalog, bad ones too: names, labels, order */
    uint32_t *left_out; /* [count]: items without a number, ascending */
    int64_t count;
};
void numbering_free(struct numbering *numbering);

/* A text of a line for the listing and one for each item, whole or absent. */
int numbering_write(const char *path, const struct numbering *numbering, struct error *error);
/* Reads one. Nothing there: SIMCLR_OK and listing 0. SIMCLR_CORRUPT, SIMCLR_DATA (too large), SIMCLR_IO,
 * SIMCLR_NO_MEMORY; *out is empty then. */
int numbering_read(const char *path, struct numbering *out, struct error *error);
/* The same for a text of `count` bytes with a NUL at its end; `path` is for the sentence. */
int numbering_parse(const char *text, size_t count, const char *path, struct numbering *out, struct error *error);

#endif
