/* explore/audit/groups.c -- see groups.h. */
#include "explore/audit/groups.h"

#include "base/memory.h"

int groups_open(struct groups *groups, int64_t rows, struct error *error)
{
    *groups = (struct groups){memory_array((size_t)rows, sizeof *groups->parent), rows};
    if (!groups->parent) return error_no_memory(error, "groups", (size_t)rows * sizeof *groups->parent);
    for (int64_t i = 0; i < rows; i++) groups->parent[i] = (int32_t)i;
    return SIMCLR_OK;
}

void groups_free(struct groups *groups)
{
    memory_free(groups->parent);
    *groups = (struct groups){0};
}

/* A parent is never larger than its child, so the root is the least of its group. */
int32_t groups_first(struct groups *groups, int32_t row)
{
    int32_t *parent = groups->parent;
    while (parent[row] != row) {
        parent[row] = parent[parent[row]];
        row = parent[row];
    }
    return row;
}

bool groups_join(struct groups *groups, int32_t a, int32_t b)
{
    const int32_t x = groups_first(groups, a), y = groups_first(groups, b);
    if (x < y)
        groups->parent[y] = x;
    else
        groups->parent[x] = y;
    return x != y;
}

int64_t groups_number(struct groups *groups, int32_t *number)
{
    int64_t count = 0;
    for (int64_t i = 0; i < groups->rows; i++) number[i] = -1;
    for (int64_t i = 0; i < groups->rows; i++) {
        const int32_t first = groups_first(groups, (int32_t)i);
        if (first == i) continue; /* the others come after it */
        if (number[first] < 0) number[first] = -2;
    }
    for (int64_t i = 0; i < groups->rows; i++)
        if (number[i] == -2) number[i] = (int32_t)count++;
    for (int64_t i = 0; i < groups->rows; i++) {
        const int32_t first = groups_first(groups, (int32_t)i);
        if (first != i) number[i] = number[first];
    }
    return count;
}
