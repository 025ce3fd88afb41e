/* data/sampler.c -- see sampler.h. */
#include "data/sampler.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/rng.h"

void sampler_permutation(uint64_t seed, uint32_t epoch, uint32_t count, uint32_t *order)
{
    struct rng rng = rng_open(seed, RNG_SHUFFLE, epoch, 0, 0);
    for (uint32_t i = 0; i < count; i++) order[i] = i;
    for (uint32_t i = count; i > 1; i--) {
        const uint32_t j = rng_below(&rng, i), swap = order[i - 1];
        order[i - 1] = order[j];
        order[j] = swap;
    }
}

int sampler_sample(uint64_t seed, uint32_t count, uint32_t **out, struct error *error)
{
    *out = memory_array(count, sizeof **out);
    if (!*out) return error_no_memory(error, "a sample of the images", count * sizeof **out);
    sampler_permutation(seed, UINT32_MAX, count, *out); /* no epoch of training has this number */
    return SIMCLR_OK;
}

static int compare_numbers(const void *a, const void *b)
{
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Moves a random choice of `wanted` of the `count` members to the front. */
static void choose(uint64_t seed, uint32_t class, uint32_t *member, uint32_t count, uint32_t wanted)
{
    struct rng rng = rng_open(seed, RNG_SUBSET, 0, class, 0);
    for (uint32_t i = 0; i < wanted; i++) {
        const uint32_t j = i + rng_below(&rng, count - i), swap = member[i];
        member[i] = member[j];
        member[j] = swap;
    }
}

/* start[c]: where class c begins in `member`, the images sorted by class; start has classes + 1 entries. */
static void sort_by_class(const struct dataset *dataset, int classes, uint32_t *start, uint32_t *member)
{
    const int64_t count = dataset_count(dataset);
    for (int64_t i = 0; i < count; i++) {
        const int label = dataset_label(dataset, i);
        if (label >= 0) start[label + 1]++;
    }
    for (int c = 0; c < classes; c++) start[c + 1] += start[c];
    for (int64_t i = 0; i < count; i++) { /* start[c] runs up to start[c + 1] while the class fills */
        const int label = dataset_label(dataset, i);
        if (label >= 0) member[start[label]++] = (uint32_t)i;
    }
    for (int c = classes; c > 0; c--) start[c] = start[c - 1];
    start[0] = 0;
}

int sampler_subset(const struct dataset *dataset, double share, uint64_t seed, uint32_t **out, uint32_t *count,
                   struct error *error)
{
    *out = NULL;
    *count = 0;
    const int classes = dataset_classes(dataset);
    if (!(share > 0 && share <= 1))
        return error_set(error, SIMCLR_INVALID, "a share of %g of the labels: give one above 0 and up to 1 (100%%)",
                         share);
    if (classes == 0)
        return error_set(error, SIMCLR_DATA,
                         "%s: no labels: put the images of each class into a folder of its own, or give"
                         " a list with labels",
                         dataset_description(dataset));
    const size_t images = (size_t)dataset_count(dataset);
    uint32_t *start = memory_array((size_t)classes + 1, sizeof *start), *member = memory_array(images, sizeof *member);
    if (start == NULL || member == NULL) {
        memory_free(start);
        memory_free(member);
        return error_no_memory(error, "a subset of labels", images * sizeof *member);
    }
    sort_by_class(dataset, classes, start, member);
    uint32_t kept = 0;
    for (int c = 0; c < classes; c++) {
        const uint32_t size = start[c + 1] - start[c];
        uint32_t wanted = (uint32_t)lround(share * size);
        if (wanted == 0 && size > 0) wanted = 1;
        choose(seed, (uint32_t)c, member + start[c], size, wanted);
        for (uint32_t i = 0; i < wanted; i++) member[kept++] = member[start[c] + i];
    }
    qsort(member, kept, sizeof *member, compare_numbers);
    memory_free(start);
    *out = member;
    *count = kept;
    return SIMCLR_OK;
}
