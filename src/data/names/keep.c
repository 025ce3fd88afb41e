/* data/names/keep.c -- see keep.h. */
#include "data/names/keep.h"

#include <string.h>

#include "base/memory.h"

struct kept {
    size_t count;
    uint8_t bytes[];
};

size_t keep_cost(size_t count)
{
    return (sizeof(struct kept) + count + 63) / 64 * 64 + 128; /* whole lines, and what the heap needs for itself */
}

int keep_open(struct keep *keep, int64_t items, size_t limit, struct error *error)
{
    const size_t table = (size_t)items * sizeof *keep->item;
    if (table >= limit) return SIMCLR_OK;
    keep->item = memory_array((size_t)items, sizeof *keep->item);
    if (keep->item == NULL) return error_no_memory(error, "the table of images", table);
    keep->items = items;
    keep->limit = limit;
    atomic_store(&keep->bytes, table);
    return SIMCLR_OK;
}

void keep_close(struct keep *keep)
{
    for (int64_t i = 0; i < keep->items; i++) memory_free(atomic_load(&keep->item[i]));
    memory_free(keep->item);
    keep->item = NULL;
    keep->items = 0;
}

const uint8_t *keep_find(const struct keep *keep, int64_t item, size_t *count)
{
    if (keep->items == 0) return NULL;
    const struct kept *kept = atomic_load_explicit(&keep->item[item], memory_order_acquire);
    if (kept == NULL) return NULL;
    *count = kept->count;
    return kept->bytes;
}

/* A file that cannot be kept, for want of memory too, is read again next time. */
void keep_add(struct keep *keep, int64_t item, const uint8_t *bytes, size_t count)
{
    if (keep->items == 0) return;
    const size_t cost = keep_cost(count), before = atomic_fetch_add(&keep->bytes, cost);
    struct kept *kept = before + cost <= keep->limit ? memory_allocate(sizeof *kept + count) : NULL, *none = NULL;
    if (kept != NULL) {
        kept->count = count;
        memcpy(kept->bytes, bytes, count);
        if (atomic_compare_exchange_strong(&keep->item[item], &none, kept)) return;
        memory_free(kept); /* another thread was first */
    }
    atomic_fetch_sub(&keep->bytes, cost);
}
