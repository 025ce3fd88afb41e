/* data/shared.c -- see shared.h. */
#include "data/shared.h"

#include <string.h>

#include "base/checksum.h"
#include "base/memory.h"

enum { LOOKED_AT = 64, SLOTS = 256, TRIES = 4 /* training images that one test image is compared with */ };

struct probe {
    int64_t index; /* in the test set, -1: the slot is free */
    uint64_t hash;
    int tries;
    bool found;
};

static uint64_t hash_of(const struct dataset *set, int64_t index)
{
    const char *name = dataset_name(set, index), *slash = strrchr(name, '/');
    if (slash) name = slash + 1;
    return hash64(name, strlen(name), (uint64_t)(int64_t)dataset_label(set, index));
}

static bool same_pixels(struct dataset *train, int64_t i, struct dataset *test, int64_t k)
{
    struct image storage[2] = {{0}};
    const struct image *a, *b;
    const bool same = dataset_image(train, i, &storage[0], &a, NULL) == SIMCLR_OK &&
                      dataset_image(test, k, &storage[1], &b, NULL) == SIMCLR_OK && a->width == b->width &&
                      a->height == b->height && memcmp(a->rgb, b->rgb, 3 * (size_t)a->width * (size_t)a->height) == 0;
    image_free(&storage[0]);
    image_free(&storage[1]);
    return same;
}

static bool same_image(struct dataset *train, int64_t i, struct dataset *test, int64_t k)
{
    uint8_t *a, *b;
    size_t a_count, b_count;
    int64_t a_total, b_total;
    int status = dataset_encoded(train, i, SIZE_MAX, &a, &a_count, &a_total, NULL);
    if (status == SIMCLR_UNSUPPORTED) return same_pixels(train, i, test, k);
    if (status) return false;
    status = dataset_encoded(test, k, SIZE_MAX, &b, &b_count, &b_total, NULL);
    const bool same = !status && a_count == b_count && memcmp(a, b, a_count) == 0;
    memory_free(a);
    if (!status) memory_free(b);
    return same;
}

/* Compares a training image with the probes of its name and class. */
static void compare(struct probe *probes, struct dataset *train, int64_t i, struct dataset *test)
{
    const uint64_t hash = hash_of(train, i);
    for (size_t at = hash % SLOTS; probes[at].index >= 0; at = (at + 1) % SLOTS) {
        struct probe *probe = &probes[at];
        if (probe->hash != hash || probe->found || probe->tries == TRIES) continue;
        probe->tries++;
        probe->found = same_image(train, i, test, probe->index);
    }
}

void dataset_count_shared(struct dataset *train, struct dataset *test, int64_t *looked_at, int64_t *shared,
                          int64_t *example)
{
    struct probe *probes = memory_array(SLOTS, sizeof *probes);
    const int64_t count = dataset_count(test), wanted = count < LOOKED_AT ? count : LOOKED_AT;
    *looked_at = wanted;
    *shared = *example = 0;
    if (!probes) return;
    for (int i = 0; i < SLOTS; i++) probes[i].index = -1;
    for (int64_t k = 0; k < wanted; k++) {
        const int64_t index = k * count / wanted;
        const uint64_t hash = hash_of(test, index);
        size_t at = hash % SLOTS;
        while (probes[at].index >= 0) at = (at + 1) % SLOTS;
        probes[at] = (struct probe){.index = index, .hash = hash};
    }
    for (int64_t i = 0; i < dataset_count(train); i++) compare(probes, train, i, test);
    for (int i = 0; i < SLOTS; i++) {
        if (probes[i].index < 0 || !probes[i].found) continue;
        ++*shared;
        *example = probes[i].index;
    }
    memory_free(probes);
}
