/* data/bad_exchange.h -- the bad images of sets that several processes read: what one finds counts for all. */
#ifndef DATA_BAD_EXCHANGE_H
#define DATA_BAD_EXCHANGE_H

#include "data/dataset.h"

/* The open sets of a process. Start from {0}. All calls are of one thread, which opens and closes the sets too. */
struct bad_exchange {
    struct dataset *first;
};

/* Until it is closed; `exchange` stays where it is as long. Each process has opened the same set, by the same files. */
int bad_exchange_join(struct bad_exchange *exchange, struct dataset *dataset, struct error *error);
/* What this process found since the last call, as bytes for the others: at most `room`, the rest the next time. */
size_t bad_exchange_collect(struct bad_exchange *exchange, unsigned char *out, size_t room);
/* What another one found. It is counted, and not named again if it is found here too; here it is replaced only once it
 * is found here, so that views do not hang on when messages come. Of a set that is not open here it is passed over. */
void bad_exchange_deliver(struct bad_exchange *exchange, const unsigned char *bytes, size_t count);
/* SIMCLR_DATA where a set has more bad images, over all processes, than are accepted. */
int bad_exchange_judge(struct bad_exchange *exchange, struct error *error);

#endif
