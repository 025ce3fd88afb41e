/* data/subset.c -- see subset.h. A source of a part of another source: items are counted anew, and looked up there. */
#include "data/subset.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/escape.h"
#include "base/file.h"
#include "base/lines.h"
#include "base/memory.h"
#include "data/sets/kind.h"

enum { LIST_BYTES_MAX = 1 << 30 };

/* ---- the list -------------------------------------------------------------------------------------------------- */

struct wanted {
    const char *name;
    long line;
    bool found;
};

struct list {
    const char *path;
    uint8_t *text;
    struct wanted *item; /* [count], by name */
    size_t count;
    bool escaped; /* it has the mark */
};

static void list_free(struct list *list)
{
    memory_free(list->text);
    memory_free(list->item);
}

static int by_name(const void *a, const void *b)
{
    const struct wanted *x = a, *y = b;
    const int order = strcmp(x->name, y->name);
    return order ? order : (x->line > y->line) - (x->line < y->line);
}

static int by_name_alone(const void *a, const void *b)
{
    return strcmp(((const struct wanted *)a)->name, ((const struct wanted *)b)->name);
}

static int refuse_repeated(const struct list *list, struct error *error)
{
    int64_t repeated = 0;
    const struct wanted *first = NULL;
    for (size_t i = 1; i < list->count; i++) {
        if (strcmp(list->item[i].name, list->item[i - 1].name) != 0) continue;
        repeated++;
        if (!first || list->item[i].line < first->line) first = &list->item[i];
    }
    if (!first) return SIMCLR_OK;
    return error_set(error, SIMCLR_DATA,
                     "%s: %" PRId64 " line%s a name that stands there already, the first is line %ld, %.200s: name "
                     "each image once",
                     list->path, repeated, repeated == 1 ? " has" : "s have", first->line, first->name);
}

static int list_read(struct list *list, const char *path, struct error *error)
{
    size_t bytes, room = 1;
    struct lines lines;
    *list = (struct list){.path = path};
    int status = file_read(path, LIST_BYTES_MAX, &list->text, &bytes, error);
    if (status) return error_prefix(error, "--subset");
    for (size_t i = 0; i < bytes; i++) room += list->text[i] == '\n';
    list->item = memory_array(room, sizeof *list->item);
    if (!list->item) return error_no_memory(error, "a list of images", room * sizeof *list->item);
    status = lines_open(&lines, (char *)list->text, bytes, path, error);
    if (status) return status;
    list->escaped = lines.escaped;
    for (const char *name; !(status = lines_next(&lines, path, &name, error)) && name; list->count++)
        list->item[list->count] = (struct wanted){name, lines.number, false};
    if (status) return status;
    if (list->count == 0) return error_set(error, SIMCLR_DATA, "%s: the list names no image", path);
    qsort(list->item, list->count, sizeof *list->item, by_name);
    return refuse_repeated(list, error);
}

static struct wanted *list_find(const struct list *list, const char *name)
{
    const struct wanted key = {.name = name};
    return bsearch(&key, list->item, list->count, sizeof key, by_name_alone);
}

/* Marks what the catalog has of the list. chosen: [catalog->count], 1 for each such item; NULL: nobody asks. Returns
 * how many items they are: several may have one name. */
static int64_t mark(const struct list *list, const struct catalog *catalog, uint8_t *chosen)
{
    int64_t count = 0;
    for (int64_t i = 0; i < catalog->count; i++) {
        struct wanted *found = list_find(list, catalog_short_name(catalog, i));
        if (!found) found = list_find(list, catalog_name(catalog, i));
        if (!found) continue;
        found->found = true;
        if (chosen) chosen[i] = 1;
        count++;
    }
    return count;
}

/* ---- the other part -------------------------------------------------------------------------------------------- */

static int64_t count_missing(const struct list *list, const struct wanted **first)
{
    int64_t missing = 0;
    *first = NULL;
    for (size_t i = 0; i < list->count; i++) {
        if (list->item[i].found) continue;
        missing++;
        if (!*first || list->item[i].line < (*first)->line) *first = &list->item[i];
    }
    return missing;
}

/* Marks what the other part has of the list; only its names are looked at. */
static int mark_other_part(const struct list *list, const struct dataset_config *config, struct stop stop,
                           struct error *error)
{
    const char *path = config->other_part ? config->other_part : config->path;
    const struct log silent = {0};
    const struct set_kind *kind;
    struct dataset_config other = *config;
    struct source source = {0};
    struct catalog catalog = {.stop = stop};
    other.path = path;
    other.part = config->part == DATASET_TEST ? DATASET_TRAIN : DATASET_TEST;
    const struct set_request request = {
        .path = path, .part = other.part == DATASET_TEST, .config = &other, .log = &silent, .stop = stop};
    bool there = config->other_part != NULL;
    int status = kind_find(&kind, path, error);
    if (!status && !there && kind->has_test) status = kind->has_test(path, &there, error);
    if (!status && there) status = kind->open(&source, &catalog, &request, error);
    if (!status && there) mark(list, &catalog, NULL);
    if (source.close) source.close(source.self);
    catalog_free(&catalog);
    return status;
}

/* Would a name that is of no image be another one below the mark? */
static bool lacks_mark(const struct list *list)
{
    for (size_t i = 0; i < list->count && !list->escaped; i++) {
        if (list->item[i].found || !strchr(list->item[i].name, '\\')) continue;
        char *copy = memory_string(list->item[i].name);
        const bool escaped = copy && escape_undo(copy, strlen(copy)) != (size_t)-1;
        memory_free(copy);
        if (escaped) return true;
    }
    return false;
}

static int check_names(const struct list *list, const struct dataset_config *config, struct stop stop,
                       struct error *error)
{
    const struct wanted *first;
    if (count_missing(list, &first) == 0) return SIMCLR_OK;
    const int status = mark_other_part(list, config, stop, error);
    if (status) return status;
    const int64_t missing = count_missing(list, &first);
    if (missing == 0) return SIMCLR_OK;
    return error_set(
        error, SIMCLR_DATA, "%s: %" PRId64 " of %zu names %s of no image of %.200s, the first is line %ld, %.200s: %s",
        list->path, missing, list->count, missing == 1 ? "is" : "are", config->path, first->line, first->name,
        lacks_mark(list) ? "names with escapes, as `simclr embed` writes them, need the first line " LINES_MARK
                           ", which this list has not"
                         : "give names as `simclr embed` writes them");
}

/* ---- the smaller set ------------------------------------------------------------------------------------------- */

struct subset {
    struct source whole;
    struct catalog catalog; /* of the whole, without classes and prefix */
    uint32_t *item;         /* of the whole, for each of the subset */
};

static int subset_fetch(const struct source *source, const struct catalog *catalog, int64_t item, size_t at_most,
                        struct encoded *out, struct error *error)
{
    const struct subset *self = source->self;
    (void)catalog;
    return self->whole.fetch(&self->whole, &self->catalog, self->item[item], at_most, out, error);
}

static int subset_size(void *subset, const struct catalog *catalog, int64_t item, int *width, int *height,
                       struct error *error)
{
    const struct subset *self = subset;
    (void)catalog;
    return self->whole.size(self->whole.self, &self->catalog, self->item[item], width, height, error);
}

static int subset_read(void *subset, const struct catalog *catalog, int64_t item, struct image *storage,
                       struct error *error)
{
    const struct subset *self = subset;
    (void)catalog;
    return self->whole.read(self->whole.self, &self->catalog, self->item[item], storage, error);
}

static void subset_close(void *subset)
{
    struct subset *self = subset;
    if (self->whole.close) self->whole.close(self->whole.self);
    catalog_free(&self->catalog);
    memory_free(self->item);
    memory_free(self);
}

/* Adds the chosen items to the catalog `out`. */
static int copy_chosen(struct catalog *out, uint32_t *item, const struct catalog *whole, const uint8_t *chosen,
                       struct error *error)
{
    int status = SIMCLR_OK;
    for (int64_t i = 0; !status && i < whole->count; i++) {
        if (!chosen[i]) continue;
        item[out->count] = (uint32_t)i;
        status = catalog_add(out, catalog_name(whole, i), whole->label[i], error);
    }
    return status;
}

/* Makes source and catalog those of the chosen items. */
static int narrow(struct source *source, struct catalog *catalog, const uint8_t *chosen, int64_t count,
                  struct error *error)
{
    struct subset *self = memory_allocate(sizeof *self);
    uint32_t *item = memory_array((size_t)count, sizeof *item);
    struct catalog few = {.stop = catalog->stop};
    int status = self && item ? SIMCLR_OK : error_no_memory(error, "a subset", (size_t)count * sizeof *item);
    if (!status) status = catalog_reserve(&few, (size_t)count, 1, error);
    if (!status) status = copy_chosen(&few, item, catalog, chosen, error);
    if (status) {
        catalog_free(&few);
        memory_free(item);
        memory_free(self);
        return status;
    }
    *self = (struct subset){*source, *catalog, item};
    self->catalog.class_name = NULL;
    self->catalog.classes = self->catalog.class_room = 0;
    self->catalog.prefix = NULL;
    struct catalog narrowed = *catalog;
    narrowed.bytes = few.bytes, narrowed.length = few.length, narrowed.capacity = few.capacity;
    narrowed.offset = few.offset, narrowed.label = few.label;
    narrowed.count = few.count, narrowed.room = few.room;
    *catalog = narrowed;
    *source = (struct source){.self = self,
                              .limits = self->whole.limits,
                              .in_memory = self->whole.in_memory,
                              .fetch = self->whole.fetch ? subset_fetch : NULL,
                              .size = self->whole.size ? subset_size : NULL,
                              .read = self->whole.read ? subset_read : NULL,
                              .close = subset_close};
    return SIMCLR_OK;
}

/* A class that the list takes all images from is said: whoever counts by class would wonder. */
static int say_lost_classes(const struct list *list, const struct catalog *catalog, const uint8_t *chosen,
                            const struct log *log, struct error *error)
{
    enum { HAD = 1, HAS = 2 };
    uint8_t *seen = memory_array((size_t)catalog->classes, 1);
    int lost = 0, first = 0;
    if (!seen) return error_no_memory(error, "the classes", (size_t)catalog->classes);
    for (int64_t i = 0; i < catalog->count; i++)
        if (catalog->label[i] >= 0) seen[catalog->label[i]] |= chosen[i] ? HAD | HAS : HAD;
    for (int i = catalog->classes - 1; i >= 0; i--)
        if (seen[i] == HAD) lost++, first = i;
    memory_free(seen);
    if (lost > 0)
        log_warning(log, "%s: %d class%s no image in it, %.120s %s", list->path, lost, lost == 1 ? " has" : "es have",
                    catalog->class_name[first], lost == 1 ? "alone" : "for one");
    return SIMCLR_OK;
}

static int say_taken(const struct list *list, const struct dataset_config *config, int64_t count, int64_t all,
                     const struct log *log, struct error *error)
{
    const bool test = config->part == DATASET_TEST;
    if (count == 0 && !test)
        return error_set(error, SIMCLR_DATA, "%s: names no training image of %.200s", list->path, config->path);
    if (count == 0)
        log_info(log, "%s: names none of the %" PRId64 " test images: all are taken", list->path, all);
    else
        log_info(log, "%s: %" PRId64 " of %" PRId64 " %s images are taken, %" PRId64 " are left out", list->path, count,
                 all, test ? "test" : "training", all - count);
    return SIMCLR_OK;
}

int subset_take(struct source *source, struct catalog *catalog, const struct dataset_config *config, struct stop stop,
                const struct log *log, struct error *error)
{
    const struct log silent = {0};
    const int64_t all = catalog->count;
    int64_t count = 0;
    struct list list;
    uint8_t *chosen = NULL;
    if (!log) log = &silent;
    int status = list_read(&list, config->subset, error);
    if (!status && !(chosen = memory_array((size_t)all, 1)))
        status = error_no_memory(error, "the images of a subset", (size_t)all);
    if (!status) count = mark(&list, catalog, chosen);
    if (!status) status = check_names(&list, config, stop, error);
    if (!status) status = say_taken(&list, config, count, all, log, error);
    if (!status && count > 0 && count < all) {
        status = say_lost_classes(&list, catalog, chosen, log, error);
        if (!status) status = narrow(source, catalog, chosen, count, error);
    }
    memory_free(chosen);
    list_free(&list);
    return status;
}
