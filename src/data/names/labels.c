/* data/names/labels.c -- see labels.h. */
#include "data/names/labels.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checksum.h"
#include "base/memory.h"

enum { MAX_LABEL = 1000000 };

void labels_free(struct labels *labels)
{
    catalog_free(&labels->names);
    memory_free(labels->slot);
    *labels = (struct labels){0};
}

/* Where a text is, or the free place where it belongs. */
static size_t find_slot(const struct labels *labels, const char *text, size_t length)
{
    size_t at = (size_t)hash64(text, length, 0) & (labels->slots - 1);
    for (; labels->slot[at] != 0; at = (at + 1) & (labels->slots - 1)) {
        const char *other = catalog_name(&labels->names, labels->slot[at] - 1);
        if (strncmp(other, text, length) == 0 && other[length] == '\0') break;
    }
    return at;
}

static int grow(struct labels *labels, struct error *error)
{
    const size_t larger = labels->slots == 0 ? 64 : 2 * labels->slots;
    uint32_t *slot = memory_array(larger, sizeof *slot);
    if (slot == NULL) return error_no_memory(error, "the labels of a set", larger * sizeof *slot);
    memory_free(labels->slot);
    labels->slot = slot;
    labels->slots = larger;
    for (int64_t id = 0; id < labels->names.count; id++) {
        const char *text = catalog_name(&labels->names, id);
        slot[find_slot(labels, text, strlen(text))] = (uint32_t)id + 1;
    }
    return SIMCLR_OK;
}

int labels_intern(struct labels *labels, const char *text, size_t length, int32_t *id, struct error *error)
{
    *id = -1;
    length = strnlen(text, length);
    if (2 * (size_t)(labels->names.count + 1) > labels->slots) {
        const int status = grow(labels, error);
        if (status != SIMCLR_OK) return status;
    }
    const size_t at = find_slot(labels, text, length);
    if (labels->slot[at] == 0) {
        if (labels->names.count >= INT32_MAX - 1)
            return error_set(error, SIMCLR_UNSUPPORTED,
                             "more than 2^31 - 2 different labels: is this a list of labels?");
        const int status = catalog_add_joined(&labels->names, "", 0, text, length, -1, error);
        if (status != SIMCLR_OK) return status;
        labels->slot[at] = (uint32_t)labels->names.count;
    }
    *id = (int32_t)(labels->slot[at] - 1);
    return SIMCLR_OK;
}

int32_t labels_find(const struct labels *labels, const char *text, size_t length)
{
    if (labels->slots == 0) return -1;
    return (int32_t)labels->slot[find_slot(labels, text, strnlen(text, length))] - 1;
}

static bool is_integer(const char *text)
{
    if (*text == '-' || *text == '+') text++;
    if (*text == '\0') return false;
    while (isdigit((unsigned char)*text)) text++;
    return *text == '\0';
}

static int number_of(const char *text, const char *path, int32_t *out, struct error *error)
{
    errno = 0;
    const long value = strtol(text, NULL, 10);
    if (errno != 0 || value > MAX_LABEL)
        return error_set(error, SIMCLR_CORRUPT, "%s: label %.40s is above %d", path, text, MAX_LABEL);
    *out = value < 0 ? -1 : (int32_t)value;
    return SIMCLR_OK;
}

/* Integers are the class numbers themselves. */
static int add_numbers(const struct labels *labels, struct catalog *catalog, int32_t *class_of, const char *path,
                       struct error *error)
{
    int32_t largest = -1;
    int status = SIMCLR_OK;
    for (int64_t id = 0; status == SIMCLR_OK && id < labels->names.count; id++) {
        status = number_of(catalog_name(&labels->names, id), path, &class_of[id], error);
        largest = class_of[id] > largest ? class_of[id] : largest;
    }
    for (int32_t value = 0; status == SIMCLR_OK && value <= largest; value++) {
        char name[32];
        snprintf(name, sizeof name, "%d", value);
        status = catalog_add_class(catalog, name, error);
    }
    return status;
}

struct named {
    const char *name;
    int32_t id;
};

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const struct named *)a)->name, ((const struct named *)b)->name);
}

/* Names are numbered in the order of their bytes, as folders are. */
static int add_names(const struct labels *labels, struct catalog *catalog, int32_t *class_of, struct error *error)
{
    const size_t count = (size_t)labels->names.count;
    struct named *sorted = memory_array(count, sizeof *sorted);
    if (sorted == NULL) return error_no_memory(error, "the labels of a set", count * sizeof *sorted);
    for (size_t id = 0; id < count; id++)
        sorted[id] = (struct named){catalog_name(&labels->names, (int64_t)id), (int32_t)id};
    qsort(sorted, count, sizeof *sorted, compare_names);
    int status = SIMCLR_OK;
    for (size_t i = 0; status == SIMCLR_OK && i < count; i++) {
        class_of[sorted[i].id] = (int32_t)i;
        status = catalog_add_class(catalog, sorted[i].name, error);
    }
    memory_free(sorted);
    return status;
}

int labels_resolve(const struct labels *labels, struct catalog *catalog, bool names_only, const char *path,
                   struct error *error)
{
    const size_t count = (size_t)labels->names.count;
    if (count == 0) return SIMCLR_OK;
    bool integers = !names_only;
    for (size_t id = 0; integers && id < count; id++) integers = is_integer(catalog_name(&labels->names, (int64_t)id));
    int32_t *class_of = memory_array(count, sizeof *class_of);
    if (class_of == NULL) return error_no_memory(error, "the labels of a set", count * sizeof *class_of);
    const int status =
        integers ? add_numbers(labels, catalog, class_of, path, error) : add_names(labels, catalog, class_of, error);
    for (int64_t i = 0; status == SIMCLR_OK && i < catalog->count; i++)
        if (catalog->label[i] >= 0) catalog->label[i] = class_of[catalog->label[i]];
    memory_free(class_of);
    return status;
}
