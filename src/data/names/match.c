/* data/names/match.c -- see match.h. */
#include "data/names/match.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "data/names/class_names.h"

enum { WNIDS = 1000, WNID_DIGITS = 8 };

static bool is_wnid(const char *name)
{
    return name[0] == 'n' && strlen(name) == WNID_DIGITS + 1 && strspn(name + 1, "0123456789") == WNID_DIGITS;
}

/* All classes of ImageNet, in the order of their wnids. */
static bool are_wnids(const struct catalog *catalog)
{
    if (catalog->classes != WNIDS) return false;
    for (int i = 0; i < WNIDS; i++)
        if (!is_wnid(catalog->class_name[i]) ||
            (i > 0 && strcmp(catalog->class_name[i - 1], catalog->class_name[i]) >= 0))
            return false;
    return true;
}

static bool are_the_same(const struct catalog *a, const struct catalog *b)
{
    if (a->classes != b->classes) return false;
    for (int i = 0; i < a->classes; i++)
        if (strcmp(a->class_name[i], b->class_name[i]) != 0) return false;
    return true;
}

struct named {
    const char *name;
    int32_t number;
};

static int by_name(const void *a, const void *b)
{
    const struct named *x = a, *y = b;
    const int order = strcmp(x->name, y->name);
    return order ? order : (x->number > y->number) - (x->number < y->number);
}

static struct named *sort_names(const struct catalog *catalog, struct error *error)
{
    const size_t count = (size_t)catalog->classes;
    struct named *sorted = memory_array(count, sizeof *sorted);
    if (!sorted) {
        error_no_memory(error, "the names of the classes", count * sizeof *sorted);
        return NULL;
    }
    for (int i = 0; i < catalog->classes; i++) sorted[i] = (struct named){catalog->class_name[i], i};
    qsort(sorted, count, sizeof *sorted, by_name);
    return sorted;
}

/* The number in `train` of each class of `test`, -1 where it has none. *shared: how many it has. */
static int find_classes(const struct catalog *train, const struct catalog *test, int32_t *number_of, int *shared,
                        struct error *error)
{
    struct named *ours = sort_names(train, error);
    struct named *theirs = ours ? sort_names(test, error) : NULL;
    *shared = 0;
    for (int i = 0, k = 0; theirs && i < test->classes; i++) {
        while (k < train->classes && strcmp(ours[k].name, theirs[i].name) < 0) k++;
        const bool found = k < train->classes && strcmp(ours[k].name, theirs[i].name) == 0;
        number_of[theirs[i].number] = found ? ours[k++].number : -1;
        *shared += found;
    }
    const bool made = theirs;
    memory_free(ours);
    memory_free(theirs);
    return made ? SIMCLR_OK : SIMCLR_NO_MEMORY;
}

static int copy_classes(struct catalog *to, const struct catalog *from, const int32_t *number_of, struct error *error)
{
    int status = SIMCLR_OK;
    for (int i = 0; !status && i < from->classes; i++)
        if (!number_of || number_of[i] < 0) status = catalog_add_class(to, from->class_name[i], error);
    return status;
}

/* Exchanges the classes of two catalogs. */
static void swap_classes(struct catalog *a, struct catalog *b)
{
    const struct catalog old = *a;
    a->class_name = b->class_name;
    a->classes = b->classes;
    a->class_room = b->class_room;
    b->class_name = old.class_name;
    b->classes = old.classes;
    b->class_room = old.class_room;
}

/* Both sets get the classes of train, then those that only test has; number_of[i] becomes complete. */
static int join(struct catalog *train, struct catalog *test, int32_t *number_of, struct error *error)
{
    struct catalog ours = {0}, theirs = {0};
    int status = copy_classes(&ours, train, NULL, error);
    if (!status) status = copy_classes(&ours, test, number_of, error);
    if (!status) status = copy_classes(&theirs, &ours, NULL, error);
    if (!status) {
        int32_t next = train->classes;
        for (int i = 0; i < test->classes; i++)
            if (number_of[i] < 0) number_of[i] = next++;
        for (int64_t i = 0; i < test->count; i++)
            if (test->label[i] >= 0) test->label[i] = number_of[test->label[i]];
        swap_classes(train, &ours);
        swap_classes(test, &theirs);
    }
    catalog_free(&ours);
    catalog_free(&theirs);
    return status;
}

/* Numbers that are the places of the wnids: both sets get these names. */
static int name_by_wnids(struct catalog *numbers, const struct catalog *wnids, struct error *error)
{
    struct catalog named = {0};
    const int status = copy_classes(&named, wnids, NULL, error);
    if (!status) swap_classes(numbers, &named);
    catalog_free(&named);
    return status;
}

/* Numbers on one side only, and no name is in both. */
static int match_numbers(struct catalog *train, const char *train_path, struct catalog *test, const char *test_path,
                         enum match_way *way, struct error *error)
{
    const bool train_numbered = class_names_are_numbers(train);
    struct catalog *numbers = train_numbered ? train : test, *names = train_numbered ? test : train;
    if (are_wnids(names) && numbers->classes <= WNIDS) {
        *way = MATCH_WNIDS;
        return name_by_wnids(numbers, names, error);
    }
    return error_set(error, SIMCLR_DATA,
                     "%.120s: its classes are numbers (0 to %d), and those of %.120s have names: name its folders, or "
                     "put a file %s beside a list or an archive, one name a line, class 0 first",
                     train_numbered ? train_path : test_path, numbers->classes - 1,
                     train_numbered ? test_path : train_path, CLASS_NAMES_FILE);
}

int match_classes(struct catalog *train, const char *train_path, struct catalog *test, const char *test_path,
                  enum match_way *way, struct error *error)
{
    *way = MATCH_SAME;
    if (train->classes == 0 || test->classes == 0 || are_the_same(train, test)) return SIMCLR_OK;
    int32_t *number_of = memory_array((size_t)test->classes, sizeof *number_of);
    if (!number_of) return error_no_memory(error, "the classes", (size_t)test->classes * sizeof *number_of);
    int shared = 0;
    int status = find_classes(train, test, number_of, &shared, error);
    if (!status && shared == 0 && class_names_are_numbers(train) != class_names_are_numbers(test)) {
        status = match_numbers(train, train_path, test, test_path, way, error);
    } else if (!status) {
        status = join(train, test, number_of, error);
        *way = MATCH_BY_NAME;
    }
    memory_free(number_of);
    return status;
}
