/* data/names/labels.c -- see labels.h. */
#include "data/names/labels.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checksum.h"
#include "base/memory.h"

enum {
    FEW_CLASSES = 1000, /* numbers below are class numbers, whichever of them are there */
    DENSE_MAX = 10000000
};

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
    text += *text == '-' || *text == '+';
    return *text != '\0' && text[strspn(text, "0123456789")] == '\0';
}

static bool is_negative(const char *text)
{
    return *text == '-' && text[1 + strspn(text + 1, "0")] != '\0';
}

/* The digits of an integer that is not negative, without zeros before them. */
static const char *digits_of(const char *text)
{
    text += *text == '-' || *text == '+';
    return text + strspn(text, "0");
}

/* The value of an integer that is not negative, at most DENSE_MAX + 1. */
static int32_t value_of(const char *text)
{
    const char *digits = digits_of(text);
    int32_t value = 0;
    if (strlen(digits) > 8) return DENSE_MAX + 1;
    for (; *digits != '\0'; digits++) value = 10 * value + (*digits - '0');
    return value > DENSE_MAX ? DENSE_MAX + 1 : value;
}

/* What the texts are. */
enum reading { READ_NAMES, READ_INTEGERS /* names that are numbers */, READ_NUMBERS /* class numbers */ };

static enum reading read_texts(const struct labels *labels)
{
    int32_t largest = -1;
    int64_t classes = 0;
    for (int64_t id = 0; id < labels->names.count; id++) {
        const char *text = catalog_name(&labels->names, id);
        if (!is_integer(text)) return READ_NAMES;
        if (is_negative(text)) continue;
        classes++;
        if (value_of(text) > largest) largest = value_of(text);
    }
    const bool dense = largest <= DENSE_MAX && (largest < FEW_CLASSES || 2 * classes > largest);
    return dense ? READ_NUMBERS : READ_INTEGERS;
}

/* Integers are the class numbers themselves. */
static int add_numbers(const struct labels *labels, struct catalog *catalog, int32_t *class_of, struct error *error)
{
    int32_t largest = -1;
    int status = SIMCLR_OK;
    for (int64_t id = 0; id < labels->names.count; id++) {
        const char *text = catalog_name(&labels->names, id);
        class_of[id] = is_negative(text) ? -1 : value_of(text);
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

static int compare_integers(const void *a, const void *b)
{
    const char *x = digits_of(((const struct named *)a)->name), *y = digits_of(((const struct named *)b)->name);
    const size_t m = strlen(x), n = strlen(y);
    const int order = m != n ? (m > n) - (m < n) : strcmp(x, y);
    return order ? order : compare_names(a, b);
}

/* Names are numbered in the order of their bytes, as folders are; integers in that of their values. */
static int add_names(const struct labels *labels, bool integers, struct catalog *catalog, int32_t *class_of,
                     struct error *error)
{
    const size_t count = (size_t)labels->names.count;
    struct named *sorted = memory_array(count, sizeof *sorted);
    if (sorted == NULL) return error_no_memory(error, "the labels of a set", count * sizeof *sorted);
    for (size_t id = 0; id < count; id++)
        sorted[id] = (struct named){catalog_name(&labels->names, (int64_t)id), (int32_t)id};
    qsort(sorted, count, sizeof *sorted, integers ? compare_integers : compare_names);
    int status = SIMCLR_OK;
    for (size_t i = 0; status == SIMCLR_OK && i < count; i++) {
        const bool none = integers && is_negative(sorted[i].name);
        class_of[sorted[i].id] = none ? -1 : catalog->classes;
        if (!none) status = catalog_add_class(catalog, sorted[i].name, error);
    }
    memory_free(sorted);
    return status;
}

int labels_resolve(const struct labels *labels, struct catalog *catalog, bool names_only, struct error *error)
{
    const size_t count = (size_t)labels->names.count;
    if (count == 0) return SIMCLR_OK;
    const enum reading reading = names_only ? READ_NAMES : read_texts(labels);
    int32_t *class_of = memory_array(count, sizeof *class_of);
    if (class_of == NULL) return error_no_memory(error, "the labels of a set", count * sizeof *class_of);
    const int status = reading == READ_NUMBERS ? add_numbers(labels, catalog, class_of, error)
                                               : add_names(labels, reading == READ_INTEGERS, catalog, class_of, error);
    for (int64_t i = 0; status == SIMCLR_OK && i < catalog->count; i++)
        if (catalog->label[i] >= 0) catalog->label[i] = class_of[catalog->label[i]];
    memory_free(class_of);
    return status;
}
