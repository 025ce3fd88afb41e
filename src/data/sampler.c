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

/* Moves a random choice of `wanted` of the `count` members to the front; a larger choice begins with a smaller one. */
static void choose(struct rng rng, uint32_t *member, uint32_t count, uint32_t wanted)
{
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

/* The images by class: class c has member[start[c]] to member[start[c + 1] - 1]. */
struct by_class {
    int classes;
    uint32_t *start, *member;
};

static void by_class_free(struct by_class *sorted)
{
    memory_free(sorted->start);
    memory_free(sorted->member);
}

static int by_class_open(struct by_class *sorted, const struct dataset *dataset, struct error *error)
{
    const size_t images = (size_t)dataset_count(dataset);
    sorted->classes = dataset_classes(dataset);
    sorted->start = memory_array((size_t)sorted->classes + 1, sizeof *sorted->start);
    sorted->member = memory_array(images, sizeof *sorted->member);
    if (!sorted->start || !sorted->member) {
        by_class_free(sorted);
        return error_no_memory(error, "the images by class", images * sizeof *sorted->member);
    }
    sort_by_class(dataset, sorted->classes, sorted->start, sorted->member);
    return SIMCLR_OK;
}

int64_t sampler_hold_tenth(const struct dataset *dataset, uint64_t seed, uint8_t *held, struct error *error)
{
    struct by_class sorted;
    const int status = by_class_open(&sorted, dataset, error);
    if (status) return status;
    for (int64_t i = 0; i < dataset_count(dataset); i++) held[i] = 0;
    for (int c = 0; c < sorted.classes; c++) {
        const uint32_t first = sorted.start[c], size = sorted.start[c + 1] - first;
        choose(rng_open(seed, RNG_SPLIT, 1, (uint32_t)c, 0), sorted.member + first, size, size);
    }
    /* Every tenth of all, class after class: small classes share what is theirs together. */
    const uint32_t labelled = sorted.start[sorted.classes], offset = labelled > 5 ? 5 : 0;
    int64_t count = 0;
    for (uint32_t i = offset; i < labelled && labelled > 1; i += 10, count++) held[sorted.member[i]] = 1;
    by_class_free(&sorted);
    return count;
}

/* How many labels of a class of `size` images are wanted. */
static uint32_t wanted_of(const struct sampler_labels *labels, uint32_t size)
{
    if (labels->per_class > 0) return labels->per_class < size ? (uint32_t)labels->per_class : size;
    const uint32_t wanted = (uint32_t)lround(labels->share * size);
    return wanted == 0 && size > 0 ? 1 : wanted;
}

int sampler_subset(const struct dataset *dataset, struct sampler_labels labels, uint64_t seed, uint32_t **out,
                   uint32_t *count, struct error *error)
{
    *out = NULL;
    *count = 0;
    if (labels.per_class < 1 && !(labels.share > 0 && labels.share <= 1))
        return error_set(error, SIMCLR_INVALID, "a share of %g of the labels: give one above 0 and up to 1 (100%%)",
                         labels.share);
    if (dataset_classes(dataset) == 0)
        return error_set(error, SIMCLR_DATA,
                         "%s: no labels: put the images of each class into a folder of its own, or give"
                         " a list with labels",
                         dataset_description(dataset));
    struct by_class sorted;
    const int status = by_class_open(&sorted, dataset, error);
    if (status) return status;
    uint32_t kept = 0;
    for (int c = 0; c < sorted.classes; c++) {
        const uint32_t first = sorted.start[c], size = sorted.start[c + 1] - first;
        const uint32_t wanted = wanted_of(&labels, size);
        choose(rng_open(seed, RNG_SUBSET, 0, (uint32_t)c, 0), sorted.member + first, size, wanted);
        for (uint32_t i = 0; i < wanted; i++) sorted.member[kept++] = sorted.member[first + i];
    }
    qsort(sorted.member, kept, sizeof *sorted.member, compare_numbers);
    memory_free(sorted.start);
    *out = sorted.member;
    *count = kept;
    return SIMCLR_OK;
}
