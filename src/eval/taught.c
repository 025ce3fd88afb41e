/* eval/taught.c -- see taught.h. */
#include "eval/taught.h"

#include "base/memory.h"

int taught_find(struct taught *out, const int32_t *labels, int64_t rows, int classes, struct error *error)
{
    const size_t all = (size_t)(classes > 0 ? classes : 0);
    *out = (struct taught){.classes = (int)all,
                           .place = memory_array(all, sizeof *out->place),
                           .number = memory_array(all, sizeof *out->number)};
    if (!out->place || !out->number) {
        taught_free(out);
        return error_no_memory(error, "the classes that are taught", all * sizeof *out->place);
    }
    for (size_t c = 0; c < all; c++) out->place[c] = -1;
    for (int64_t i = 0; i < rows; i++)
        if (labels[i] >= 0 && labels[i] < classes) out->place[labels[i]] = 0;
    for (int32_t c = 0; c < classes; c++) {
        if (out->place[c] < 0) continue;
        out->number[out->count] = c;
        out->place[c] = out->count++;
    }
    return SIMCLR_OK;
}

void taught_free(struct taught *taught)
{
    memory_free(taught->place);
    memory_free(taught->number);
    *taught = (struct taught){0};
}
