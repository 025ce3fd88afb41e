/* data/names/match.h -- the classes of two sets, matched by their names: the one place where labels of one set become
 * labels of another. */
#ifndef DATA_MATCH_H
#define DATA_MATCH_H

#include "base/error.h"
#include "base/log.h"
#include "data/names/catalog.h"

/* How the classes were matched. */
enum match_way {
    MATCH_SAME,    /* they were the same already, or one set has none */
    MATCH_BY_NAME, /* labels of `test` were changed, or classes added */
    MATCH_WNIDS    /* numbers on one side, the 1000 wnids of ImageNet on the other: number i is the i-th wnid */
};

/* Gives `test` the class numbers of `train`, by the names of the classes. A name that comes k times in both sets (two
 * classes of ImageNet are called crane) is matched k times, in the order of the numbers. Afterwards both sets have the
 * same classes: those of `train` with their old numbers, then those that only `test` has, in its order. Costs
 * O(classes log classes + images of test).
 * SIMCLR_DATA: one set has numbers (classes called 0, 1, 2 ...), the other names, and none is in both. The paths are
 * for that sentence. On failure neither set is changed. */
int match_classes(struct catalog *train, const char *train_path, struct catalog *test, const char *test_path,
                  enum match_way *way, struct error *error);

/* A set whose classes are matched: its catalog, and which items of it count. */
struct match_part {
    struct catalog *catalog;
    const char *path;
    const uint32_t *item; /* [count], or NULL: the first `count` of the catalog */
    int64_t count;
};

/* match_classes, and what came of it in one line each: a class with images in one part only is named, with how many
 * there are. *comparable: test images of classes that `train` has images of; 0 where a part has no classes. (In
 * match_parts.c.) */
int match_parts(const struct match_part *train, const struct match_part *test, int64_t *comparable,
                const struct log *log, struct error *error);

#endif
