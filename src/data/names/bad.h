/* data/names/bad.h -- the ledger of bad images: each named once, counted, too many refused. */
#ifndef DATA_BAD_H
#define DATA_BAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/log.h"
#include "data/names/catalog.h"

struct bad_image {
    int64_t item;
    char *reason;
};

struct bad_ledger {
    pthread_mutex_t mutex;
    struct bad_image *image; /* in the order of finding; those past `named` are not logged yet */
    int64_t count, room, named;
    int64_t total; /* images of the set, bad ones included */
    double max_share;
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

/* Logs what was noted since the last call, in the order of items, and judges: SIMCLR_DATA when more than the
 * accepted share is bad, or all. Any thread. */
int bad_judge(struct bad_ledger *ledger, const struct catalog *catalog, struct error *error);

/* Notes all of `other` in `ledger`, and empties it. Not while others use them. */
void bad_move(struct bad_ledger *ledger, struct bad_ledger *other);

int64_t bad_count(struct bad_ledger *ledger);

#endif
