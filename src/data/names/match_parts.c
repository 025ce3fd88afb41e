/* data/names/match_parts.c -- the classes of two parts: matched by name, counted, and told where only one part has
 * them. */
#include <string.h>

#include "base/letters.h"
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

/* ---- classes that may be one ---- */

enum { FOLDED = 64, FEW = 1000 };

/* What is left of a name without the case of letters, blanks and signs between words, zeros before a number, and
 * letters with accents, which two programs may write in two ways: as one character, or as a letter and a mark. "": too
 * long. */
static void fold(const char *name, char folded[FOLDED])
{
    size_t count = 0;
    folded[0] = '\0';
    if (strlen(name) >= FOLDED) return;
    for (; *name != '\0'; name++) {
        const unsigned char byte = (unsigned char)*name, next = (unsigned char)name[1];
        if ((byte == 0xCC || (byte == 0xCD && next < 0xB0)) && next != 0) { /* U+0300 to U+036F: a mark */
            count -= count > 0;
            name++;
        } else if (byte >= 0xC3 && byte <= 0xC9 && next != 0) { /* U+00C0 to U+024F */
            name++;
        } else if (!strchr(" _-.", *name) && (*name != '0' || count > 0)) {
            folded[count++] = letter_small(*name);
        }
    }
    folded[count] = '\0';
}

/* Of classes that only one part has images of: two names that may be one, and how many such pairs there are. */
static void tell_nearly_same(const struct catalog *catalog, const int64_t *trained, const int64_t *tested,
                             const struct log *log)
{
    char ours[FOLDED], theirs[FOLDED];
    const char *first[2] = {NULL, NULL};
    int pairs = 0;
    if (catalog->classes > FEW) return; /* pairs of more take too long */
    for (int i = 0; i < catalog->classes; i++) {
        if (trained[i] == 0 || tested[i] > 0) continue;
        fold(catalog->class_name[i], ours);
        for (int k = 0; k < catalog->classes && ours[0] != '\0'; k++) {
            if (tested[k] == 0 || trained[k] > 0) continue;
            fold(catalog->class_name[k], theirs);
            if (strcmp(ours, theirs) != 0) continue;
            if (pairs++ == 0) first[0] = catalog->class_name[i], first[1] = catalog->class_name[k];
        }
    }
    if (pairs > 0)
        log_warning(log,
                    "%d of these differ only in capitals, blanks, zeros or how accents are written (%.60s, %.60s%s): "
                    "give a class one name in both parts",
                    pairs, first[0], first[1], pairs > 1 ? "; ..." : "");
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
    tell_nearly_same(train->catalog, counts, counts + classes, log);
    memory_free(counts);
    return SIMCLR_OK;
}
