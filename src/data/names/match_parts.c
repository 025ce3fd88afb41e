/* data/names/match_parts.c -- the classes of two parts: matched by name, counted, and told where only one part has
 * them. */
#include "base/memory.h"
#include "base/text.h"
#include "data/names/match.h"

/* How many images each class has; `counts` has room for all. */
static void count_classes(const struct match_part *part, int64_t *counts)
{
    for (int64_t i = 0; i < part->count; i++) {
        const int32_t label = part->catalog->label[part->item ? part->item[i] : i];
        if (label >= 0) counts[label]++;
    }
}

/* Classes that `has` images and `lacks` none: the first few names. Returns how many there are; *images: of them. */
static int lacking(const struct catalog *catalog, const int64_t *has, const int64_t *lacks, struct text *names,
                   int64_t *images)
{
    enum { NAMED = 5 };
    int found = 0;
    *images = 0;
    for (int i = 0; i < catalog->classes; i++) {
        if (has[i] == 0 || lacks[i] > 0) continue;
        if (found < NAMED) text_add(names, "%s%.60s", found ? ", " : "", catalog->class_name[i]);
        if (found == NAMED) text_add(names, ", ...");
        *images += has[i];
        found++;
    }
    return found;
}

static void tell_one_sided(const struct match_part *train, const struct match_part *test, const int64_t *trained,
                           const int64_t *tested, const struct log *log)
{
    struct text names = {0};
    int64_t images;
    int classes = lacking(test->catalog, tested, trained, &names, &images);
    if (classes > 0)
        log_warning(log,
                    "%lld of %lld test images are of %d class%s without a training image (%s): none can be named right",
                    (long long)images, (long long)test->count, classes, classes == 1 ? "" : "es",
                    names.failed ? "" : names.bytes);
    text_free(&names);
    classes = lacking(train->catalog, trained, tested, &names, &images);
    if (classes > 0)
        log_warning(log, "%d of %d classes ha%s no test image (%s): scores are of the others", classes,
                    train->catalog->classes, classes == 1 ? "s" : "ve", names.failed ? "" : names.bytes);
    text_free(&names);
}

int match_parts(const struct match_part *train, const struct match_part *test, int64_t *comparable,
                const struct log *log, struct error *error)
{
    enum match_way way;
    *comparable = 0;
    const int status = match_classes(train->catalog, train->path, test->catalog, test->path, &way, error);
    if (status || train->catalog->classes == 0 || test->catalog->classes == 0) return status;
    if (way == MATCH_WNIDS)
        log_info(log,
                 "%s, %s: numbers on one side are places in the list of the 1000 wnids on the other, as in "
                 "ImageNet's lists",
                 train->path, test->path);
    const size_t classes = (size_t)train->catalog->classes;
    int64_t *counts = memory_array(2 * classes, sizeof *counts);
    if (!counts) return error_no_memory(error, "the counts of classes", 2 * classes * sizeof *counts);
    count_classes(train, counts);
    count_classes(test, counts + classes);
    for (size_t i = 0; i < classes; i++) *comparable += counts[i] > 0 ? counts[classes + i] : 0;
    tell_one_sided(train, test, counts, counts + classes, log);
    memory_free(counts);
    return SIMCLR_OK;
}
