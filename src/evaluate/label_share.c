/* evaluate/label_share.c -- see label_share.h. */
#include "evaluate/label_share.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/lines.h"
#include "base/memory.h"
#include "base/number.h"
#include "data/sampler.h"

enum { LIST_BYTES_MAX = 256 << 20 };

/* An image of the data set under its file name, so that lists of any length are matched by binary search. */
struct named {
    const char *base; /* after the last slash of its name */
    uint32_t index;
};

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL ? path : slash + 1;
}

static int compare_named(const void *a, const void *b)
{
    return strcmp(((const struct named *)a)->base, ((const struct named *)b)->base);
}

static int compare_numbers(const void *a, const void *b)
{
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Does `name` end in `wanted`, at the start of a path component? */
static bool ends_in(const char *name, const char *wanted)
{
    const size_t length = strlen(name), tail = strlen(wanted);
    return length >= tail && strcmp(name + length - tail, wanted) == 0 &&
           (length == tail || name[length - tail - 1] == '/');
}

/* How many images `wanted` may mean (2 stands for more); *index is the last of them. */
static int find(const struct dataset *dataset, const struct named *named, size_t count, const char *wanted,
                uint32_t *index)
{
    const struct named key = {.base = base_name(wanted)};
    const struct named *hit = bsearch(&key, named, count, sizeof *named, compare_named);
    int matches = 0;
    if (hit == NULL) return 0;
    while (hit > named && strcmp(hit[-1].base, key.base) == 0) hit--;
    for (; hit < named + count && strcmp(hit->base, key.base) == 0 && matches < 2; hit++) {
        if (!ends_in(dataset_name(dataset, hit->index), wanted)) continue;
        *index = hit->index;
        matches++;
    }
    return matches;
}

static int match_lines(const struct dataset *dataset, const struct named *named, struct lines *lines, const char *path,
                       uint32_t *out, uint32_t *count, struct error *error)
{
    const size_t images = (size_t)dataset_count(dataset);
    const char *wanted;
    int status;
    while (!(status = lines_next(lines, path, &wanted, error)) && wanted) {
        uint32_t index;
        const int matches = find(dataset, named, images, wanted, &index);
        if (matches != 1)
            return error_set(error, SIMCLR_DATA,
                             "%s:%ld: %s images of the data set are called %.200s: name one of them", path,
                             lines->number, matches == 0 ? "no" : "several", wanted);
        if (*count == images)
            return error_set(error, SIMCLR_DATA, "%s: names more images than the data set has: remove repetitions",
                             path);
        out[(*count)++] = index;
    }
    return status;
}

static uint32_t sort_unique(uint32_t *numbers, uint32_t count)
{
    uint32_t kept = 0;
    qsort(numbers, count, sizeof *numbers, compare_numbers);
    for (uint32_t i = 0; i < count; i++)
        if (kept == 0 || numbers[kept - 1] != numbers[i]) numbers[kept++] = numbers[i];
    return kept;
}

static int choose_listed(const struct dataset *dataset, const char *path, uint32_t **out, uint32_t *count,
                         struct error *error)
{
    uint8_t *text;
    size_t bytes;
    int status = file_read(path, LIST_BYTES_MAX, &text, &bytes, error);
    if (status != SIMCLR_OK)
        return error_prefix(error, "--labels takes a share such as 10%%, a number such as 5/class, or a file");
    const size_t images = (size_t)dataset_count(dataset);
    struct named *named = memory_array(images, sizeof *named);
    *out = memory_array(images, sizeof **out);
    if (named == NULL || *out == NULL) {
        status = error_no_memory(error, "a list of labelled images", images * sizeof *named);
    } else {
        for (size_t i = 0; i < images; i++)
            named[i] = (struct named){base_name(dataset_name(dataset, (int64_t)i)), (uint32_t)i};
        qsort(named, images, sizeof *named, compare_named);
        struct lines lines;
        status = lines_open(&lines, (char *)text, bytes, path, error);
        if (!status) status = match_lines(dataset, named, &lines, path, *out, count, error);
    }
    if (status == SIMCLR_OK && *count == 0) status = error_set(error, SIMCLR_DATA, "%s: names no image", path);
    if (status == SIMCLR_OK) *count = sort_unique(*out, *count);
    memory_free(named);
    memory_free(text);
    return status;
}

/* "10%" or "5/class"; *counted is false for all else, which names a file. */
static int read_labels(const char *spec, struct sampler_labels *out, bool *counted, struct error *error)
{
    char *end;
    const double number = number_read(spec, &end);
    const bool share = end != spec && strcmp(end, "%") == 0, per_class = end != spec && strcmp(end, "/class") == 0;
    *out = (struct sampler_labels){0};
    *counted = share || per_class;
    if (share && !(number > 0 && number <= 100))
        return error_set(error, SIMCLR_INVALID, "--labels %s: a share lies above 0%% and up to 100%%", spec);
    if (per_class && !(number >= 1 && number <= 4294967295.0 && number == floor(number)))
        return error_set(error, SIMCLR_INVALID, "--labels %s: give a whole number of images of each class, from 1 on",
                         spec);
    if (share) out->share = number / 100;
    if (per_class) out->per_class = (int64_t)number;
    return SIMCLR_OK;
}

int label_share_choose(const struct dataset *dataset, const char *spec, uint64_t seed, uint32_t **out, uint32_t *count,
                       struct error *error)
{
    *out = NULL;
    *count = 0;
    if (dataset_classes(dataset) == 0)
        return error_set(error, SIMCLR_DATA, "%s: has no labels: put the images of each class in a folder of its own",
                         dataset_description(dataset));
    bool counted;
    struct sampler_labels labels;
    int status = read_labels(spec, &labels, &counted, error);
    if (status) return status;
    if (counted) return sampler_subset(dataset, labels, seed, out, count, error);
    status = choose_listed(dataset, spec, out, count, error);
    if (status != SIMCLR_OK) {
        memory_free(*out);
        *out = NULL;
    }
    return status;
}
