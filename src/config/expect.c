/* config/expect.c -- see expect.h. */
#include "config/expect.h"

#include <math.h>

#include "base/memory.h"

int expectations_add(struct expectations *list, const struct expectation *row)
{
    if (!(row->epoch > 0) || !isfinite(row->epoch) || !(row->low <= row->high) || !row->metric || !row->metric[0] ||
        !row->source || !row->source[0] || list->count >= EXPECT_ROWS_MOST)
        return SIMCLR_INVALID;
    struct expectation *grown = memory_grow(list->rows, list->count, list->count + 1, sizeof *grown);
    if (!grown) return SIMCLR_NO_MEMORY;
    list->rows = grown;
    struct expectation *added = &list->rows[list->count];
    *added = *row;
    added->metric = memory_string(row->metric);
    added->source = memory_string(row->source);
    list->count++; /* what it has is freed with the others */
    return added->metric && added->source ? SIMCLR_OK : SIMCLR_NO_MEMORY;
}

int expectations_copy(struct expectations *out, const struct expectations *list)
{
    int status = SIMCLR_OK;
    *out = (struct expectations){0};
    for (size_t i = 0; i < list->count && !status; i++) status = expectations_add(out, &list->rows[i]);
    if (status) expectations_free(out);
    return status;
}

void expectations_free(struct expectations *list)
{
    for (size_t i = 0; i < list->count; i++) {
        memory_free(list->rows[i].metric);
        memory_free(list->rows[i].source);
    }
    memory_free(list->rows);
    *list = (struct expectations){0};
}
