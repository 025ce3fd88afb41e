/* evaluate/label_share.c -- see label_share.h. */
#include "evaluate/label_share.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/lines.h"
#include "base/memory.h"
#include "base/number.h"
#include "base/text.h"
#include "data/sampler.h"
#include "evaluate/name_index.h"

enum { LIST_BYTES_MAX = 256 << 20 };

static int compare_numbers(const void *a, const void *b)
{
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static const char *name_in(const void *set, int64_t index)
{
    return dataset_name(set, index);
}

static int match_lines(const struct name_index *index, struct lines *lines, const char *path, uint32_t *out,
                       uint32_t *count, struct error *error)
{
    const char *wanted;
    int status;
    while (!(status = lines_next(lines, path, &wanted, error)) && wanted) {
        int64_t found;
        const int matches = name_index_find(index, wanted, &found);
        if (matches != 1)
            return error_set(error, SIMCLR_DATA,
                             "%s:%ld: %s images of the data set are called %.200s: name one of them", path,
                             lines->number, matches == 0 ? "no" : "several", wanted);
        if (*count == index->count)
            return error_set(error, SIMCLR_DATA, "%s: names more images than the data set has: remove repetitions",
                             path);
        out[(*count)++] = (uint32_t)found;
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
    struct name_index index = {0};
    struct lines lines;
    *out = memory_array(images, sizeof **out);
    if (*out == NULL) status = error_no_memory(error, "a list of labelled images", images * sizeof **out);
    if (!status) status = name_index_open(&index, name_in, dataset, (int64_t)images, error);
    if (!status) status = lines_open(&lines, (char *)text, bytes, path, error);
    if (!status) status = match_lines(&index, &lines, path, *out, count, error);
    if (status == SIMCLR_OK && *count == 0) status = error_set(error, SIMCLR_DATA, "%s: names no image", path);
    if (status == SIMCLR_OK) *count = sort_unique(*out, *count);
    name_index_close(&index);
    memory_free(text);
    return status;
}

/* "10%" or "5/class"; *counted is false for all else, which names a file. */
static int read_labels(const char *spec, struct sampler_labels *out, bool *counted, struct error *error)
{
    char *end;
    const double number = number_read(spec, &end);
    *out = (struct sampler_labels){0};
    *counted = !label_share_is_list(spec);
    const bool share = *counted && *end == '%', per_class = *counted && *end == '/';
    if (share && !(number > 0 && number <= 100))
        return error_set(error, SIMCLR_INVALID, "--labels %s: a share lies above 0%% and up to 100%%", spec);
    if (per_class && !(number >= 1 && number <= 4294967295.0 && number == floor(number)))
        return error_set(error, SIMCLR_INVALID, "--labels %s: give a whole number of images of each class, from 1 on",
                         spec);
    if (share) out->share = number / 100;
    if (per_class) out->per_class = (int64_t)number;
    return SIMCLR_OK;
}

bool label_share_is_list(const char *spec)
{
    char *end;
    number_read(spec, &end);
    return end == spec || (strcmp(end, "%") != 0 && strcmp(end, "/class") != 0);
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

void label_share_say_few(const struct dataset *dataset, const char *spec, const struct log *log)
{
    enum { NAMED = 5 };
    bool counted;
    struct sampler_labels labels;
    struct text names = {0};
    int few = 0;
    const int classes = dataset_classes(dataset);
    if (read_labels(spec, &labels, &counted, NULL) || labels.per_class < 1) return;
    int64_t *images = memory_array((size_t)classes, sizeof *images);
    for (int64_t i = 0; images && i < dataset_count(dataset); i++)
        if (dataset_label(dataset, i) >= 0) images[dataset_label(dataset, i)]++;
    for (int c = 0; images && c < classes; c++) {
        if (images[c] == 0 || images[c] >= labels.per_class) continue;
        if (few < NAMED)
            text_add(&names, "%s%.60s: %lld", few ? ", " : "", dataset_class_name(dataset, c), (long long)images[c]);
        if (few++ == NAMED) text_add(&names, ", ...");
    }
    if (few > 0 && !names.failed)
        log_info(log, "--labels %s: %d class%s fewer images, all of which lend their labels (%s)", spec, few,
                 few == 1 ? " has" : "es have", names.bytes);
    text_free(&names);
    memory_free(images);
}
