/* data/bad_exchange.c -- see bad_exchange.h. */
#include "data/bad_exchange.h"

#include "data/dataset_private.h"

int bad_exchange_join(struct bad_exchange *exchange, struct dataset *dataset, struct error *error)
{
    const int status = bad_share(&dataset->ledger, dataset->catalog.count, error);
    if (status) return status;
    dataset->exchange = exchange;
    dataset->next_shared = exchange->first;
    exchange->first = dataset;
    return SIMCLR_OK;
}

void bad_exchange_leave(struct dataset *dataset)
{
    if (dataset->exchange == NULL) return;
    struct dataset **at = &dataset->exchange->first;
    while (*at != dataset) at = &(*at)->next_shared;
    *at = dataset->next_shared;
    dataset->exchange = NULL;
}

size_t bad_exchange_collect(struct bad_exchange *exchange, unsigned char *out, size_t room)
{
    size_t used = 0;
    for (struct dataset *set = exchange->first; set != NULL; set = set->next_shared)
        used += bad_collect(&set->ledger, set->listing, out + used, room - used);
    return used;
}

/* A set may be open twice: both have the image. */
void bad_exchange_deliver(struct bad_exchange *exchange, const unsigned char *bytes, size_t count)
{
    struct bad_record record;
    for (size_t at = 0, length; (length = bad_read_record(&record, bytes + at, count - at)) > 0; at += length)
        for (struct dataset *set = exchange->first; set != NULL; set = set->next_shared)
            if (set->listing == record.mark) bad_note_theirs(&set->ledger, &record);
}

int bad_exchange_judge(struct bad_exchange *exchange, struct error *error)
{
    int status = SIMCLR_OK;
    for (struct dataset *set = exchange->first; status == SIMCLR_OK && set != NULL; set = set->next_shared)
        status = bad_judge(&set->ledger, &set->catalog, error);
    return status;
}
