/* data/names/bad.h -- the ledger of bad images: each named once, counted, too many refused. Of several processes each
 * has a ledger of the whole: what one finds is noted by the others too (bad_collect, bad_note_theirs). */
#ifndef DATA_BAD_H
#define DATA_BAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/log.h"
#include "data/names/catalog.h"

struct bad_image {
    int64_t item;
    char *reason;
    bool theirs;    /* found, and named, by another process */
    bool collected; /* by bad_collect */
};

struct bad_ledger {
    pthread_mutex_t mutex;
    struct bad_image *image; /* in the order of finding; those past `named` are not logged yet */
    int64_t count, room, named;
    int64_t total; /* images of the set, bad ones included */
    double max_share;
    int64_t uncollected; /* own images that bad_collect has not had */
    uint8_t *known;      /* a bit for each of `items` items: it is noted; NULL: bad_share was not called */
    int64_t items;
    bool no_memory;
    const char *path; /* of the set, for sentences; borrowed */
    struct log log;
};

void bad_open(struct bad_ledger *ledger, const char *path, int64_t total, double max_share, const struct log *log);
void bad_close(struct bad_ledger *ledger);

/* May this failure be put down to the image, so that the run goes on without it? (No memory may not.) */
bool bad_is_image_fault(int status);

/* Notes that `item` is bad; the caller sees to it that it does so once. Any thread. */
void bad_note(struct bad_ledger *ledger, int64_t item, const struct error *reason);

/* ---- of several processes ---- */
/* From here on an item is noted once, whoever finds it first. items: of the catalog. */
int bad_share(struct bad_ledger *ledger, int64_t items, struct error *error);
/* Appends own images that were not collected yet to `out`, as a record each, while they fit `room` bytes in all; a
 * reason that is too long for a record is cut. Returns the bytes. mark: begins each record. Any thread. */
size_t bad_collect(struct bad_ledger *ledger, uint64_t mark, unsigned char *out, size_t room);
/* One record. Returns its bytes, 0 where `count` bytes hold none. reason: [length] within the record. */
struct bad_record {
    uint64_t mark;
    int64_t item;
    const char *reason;
    size_t length;
};
size_t bad_read_record(struct bad_record *record, const unsigned char *bytes, size_t count);
/* Notes what another process has found and named. Nothing is logged. Any thread. */
void bad_note_theirs(struct bad_ledger *ledger, const struct bad_record *record);

/* Logs what this process has noted since the last call, in the order of items, and judges: SIMCLR_DATA when more than
 * the accepted share is bad, or all. Any thread. */
int bad_judge(struct bad_ledger *ledger, const struct catalog *catalog, struct error *error);

/* Notes all of `other` in `ledger`, and empties it. Not while others use them. */
void bad_move(struct bad_ledger *ledger, struct bad_ledger *other);

int64_t bad_count(struct bad_ledger *ledger);

#endif
