/* data/dataset_numbers.c -- which images have numbers: the good ones, or those that a run's numbering has. */
#include <string.h>

#include "base/checksum.h"
#include "base/memory.h"
#include "data/dataset_private.h"
#include "data/names/match.h"

/* A digest of what `hash` is one of, and an item. */
static uint64_t chain(uint64_t hash, const struct catalog *catalog, int64_t item)
{
    const char *name = catalog_short_name(catalog, item);
    return hash64(name, strlen(name), hash + (uint64_t)(uint32_t)catalog->label[item]);
}

/* Of all items, good and bad; never 0. */
static uint64_t digest_listing(const struct catalog *catalog)
{
    uint64_t hash = catalog->salt;
    for (int64_t i = 0; i < catalog->count; i++) hash = chain(hash, catalog, i);
    return hash64(&catalog->count, sizeof catalog->count, hash) | 1;
}

/* Is an item of no use? Of a set of which a sample was looked at nobody knows yet. */
static bool is_bad_now(const struct dataset *set, int64_t item)
{
    return set->cache.image != NULL && set->cache.image[item].width == 0;
}

/* Numbers images without gaps: those that are good (or all, where only a sample was looked at), or those that the
 * `numbering` has. */
static int number_items(struct dataset *set, const struct numbering *numbering, struct error *error)
{
    const struct catalog *catalog = &set->catalog;
    const bool all = numbering != NULL ? numbering->count == 0 : set->cache.sampled;
    if (!all) {
        set->item = memory_array((size_t)catalog->count, sizeof *set->item);
        if (set->item == NULL)
            return error_no_memory(error, "the table of images", (size_t)catalog->count * sizeof *set->item);
    }
    uint64_t hash = catalog->salt;
    int64_t out = 0;
    for (int64_t i = 0; i < catalog->count; i++) {
        while (numbering != NULL && out < numbering->count && numbering->left_out[out] < i) out++;
        const bool left_out =
            numbering != NULL ? out < numbering->count && numbering->left_out[out] == i : is_bad_now(set, i);
        if (left_out) continue;
        hash = chain(hash, catalog, i);
        if (set->item != NULL) set->item[set->count] = (uint32_t)i;
        set->numbered_bad += is_bad_now(set, i);
        set->count++;
    }
    set->fingerprint = hash64(&set->count, sizeof set->count, hash);
    set->listing = set->count == catalog->count ? set->fingerprint | 1 : digest_listing(catalog);
    return SIMCLR_OK;
}

/* The number of an item, -1: it has none. */
static int64_t number_of(const struct dataset *set, int64_t item)
{
    int64_t low = 0, high = set->count;
    if (set->item == NULL) return item;
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        if (set->item[middle] < item)
            low = middle + 1;
        else
            high = middle;
    }
    return low < set->count && set->item[low] == item ? low : -1;
}

/* Others stand in for numbered images that are bad already. */
static int mark_bad(struct dataset *set, struct error *error)
{
    if (set->cache.block != NULL && set->numbered_bad == 0) return SIMCLR_OK;
    set->found_bad = memory_array((size_t)set->count, sizeof *set->found_bad);
    if (set->found_bad == NULL) return error_no_memory(error, "the table of images", (size_t)set->count);
    for (int64_t i = 0; set->numbered_bad > 0 && i < set->count; i++)
        set->found_bad[i] = is_bad_now(set, dataset_item(set, i));
    for (int64_t i = 0; set->cache.sampled && i < set->ledger.count; i++) {
        const int64_t number = number_of(set, set->ledger.image[i].item);
        if (number >= 0) set->found_bad[number] = 1;
    }
    return SIMCLR_OK;
}

int dataset_number_images(struct dataset *set, const struct numbering *numbering, struct error *error)
{
    const struct catalog *catalog = &set->catalog;
    if (numbering != NULL && numbering->listing != digest_listing(catalog)) numbering = NULL;
    int status = number_items(set, numbering, error);
    if (status) return status;
    if (set->cache.sheets > 0)
        passed_add_many(&set->catalog.passed, PASSED_SHEET, set->cache.sheets,
                        catalog_name(catalog, set->cache.first_sheet));
    if (set->count == 0) return passed_no_images(&catalog->passed, set->path, error);
    return mark_bad(set, error);
}

/* flags: [count], or NULL: images without a label are meant. */
static bool is_meant(const struct dataset *set, const uint8_t *flags, int64_t index)
{
    return flags != NULL ? flags[index] != 0 : set->catalog.label[dataset_item(set, index)] < 0;
}

int dataset_leave_out(struct dataset *set, const uint8_t *flags, int64_t *left_out, struct error *error)
{
    int64_t kept = 0;
    *left_out = 0;
    for (int64_t i = 0; i < set->count; i++) *left_out += is_meant(set, flags, i);
    if (*left_out == 0) return SIMCLR_OK;
    if (set->item == NULL) {
        set->item = memory_array((size_t)set->count, sizeof *set->item);
        if (set->item == NULL)
            return error_no_memory(error, "the table of images", (size_t)set->count * sizeof *set->item);
        for (int64_t i = 0; i < set->count; i++) set->item[i] = (uint32_t)i;
    }
    for (int64_t i = 0; i < set->count; i++) {
        if (is_meant(set, flags, i)) continue;
        if (set->found_bad != NULL) set->found_bad[kept] = set->found_bad[i];
        set->item[kept++] = set->item[i];
    }
    set->count = kept;
    return SIMCLR_OK;
}

int dataset_leave_out_unlabelled(struct dataset *set, int64_t *left_out, struct error *error)
{
    return dataset_leave_out(set, NULL, left_out, error);
}

int dataset_match_classes(struct dataset *train, struct dataset *test, int64_t *comparable, const struct log *log,
                          struct error *error)
{
    const struct match_part parts[2] = {{&train->catalog, train->path, train->item, train->count},
                                        {&test->catalog, test->path, test->item, test->count}};
    return match_parts(&parts[0], &parts[1], comparable, log, error);
}

int dataset_numbering(const struct dataset *set, struct numbering *out, struct error *error)
{
    const int64_t left_out = set->catalog.count - set->count;
    *out = (struct numbering){.listing = set->listing};
    out->left_out = memory_array((size_t)left_out, sizeof *out->left_out);
    if (out->left_out == NULL)
        return error_no_memory(error, "the list of images left out", (size_t)left_out * sizeof *out->left_out);
    for (int64_t i = 0, number = 0; left_out > 0 && i < set->catalog.count; i++)
        if (number < set->count && set->item[number] == i)
            number++;
        else
            out->left_out[out->count++] = (uint32_t)i;
    return SIMCLR_OK;
}
