/* evaluate/name_index.c -- see name_index.h. */
#include "evaluate/name_index.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

struct name_place {
    const char *base; /* after the last slash of the name */
    int64_t index;
};

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL ? path : slash + 1;
}

static int by_base(const void *a, const void *b)
{
    return strcmp(((const struct name_place *)a)->base, ((const struct name_place *)b)->base);
}

/* Does `name` end in `wanted`, at the start of a path component? */
static bool ends_in(const char *name, const char *wanted)
{
    const size_t length = strlen(name), tail = strlen(wanted);
    return length >= tail && strcmp(name + length - tail, wanted) == 0 &&
           (length == tail || name[length - tail - 1] == '/');
}

int name_index_open(struct name_index *out, name_of *name, const void *set, int64_t count, struct error *error)
{
    *out = (struct name_index){.name = name, .set = set, .count = count};
    out->place = memory_array((size_t)count, sizeof *out->place);
    if (!out->place) return error_no_memory(error, "the names of a set", (size_t)count * sizeof *out->place);
    for (int64_t i = 0; i < count; i++) out->place[i] = (struct name_place){base_name(name(set, i)), i};
    qsort(out->place, (size_t)count, sizeof *out->place, by_base);
    return SIMCLR_OK;
}

void name_index_close(struct name_index *index)
{
    memory_free(index->place);
    *index = (struct name_index){0};
}

int name_index_find(const struct name_index *index, const char *wanted, int64_t *found)
{
    const struct name_place key = {.base = base_name(wanted)}, *end = index->place + index->count;
    const struct name_place *hit = bsearch(&key, index->place, (size_t)index->count, sizeof key, by_base);
    int matches = 0;
    if (hit == NULL) return 0;
    while (hit > index->place && strcmp(hit[-1].base, key.base) == 0) hit--;
    for (; hit < end && strcmp(hit->base, key.base) == 0 && matches < 2; hit++) {
        if (!ends_in(index->name(index->set, hit->index), wanted)) continue;
        *found = hit->index;
        matches++;
    }
    return matches;
}
