/* data/names/bad.c -- see bad.h. */
#include "data/names/bad.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"

enum { NAMED_IN_SENTENCE = 3 };

void bad_open(struct bad_ledger *ledger, const char *path, int64_t total, double max_share, const struct log *log)
{
    *ledger = (struct bad_ledger){.total = total, .max_share = max_share, .path = path};
    if (log != NULL) ledger->log = *log;
    pthread_mutex_init(&ledger->mutex, NULL);
}

void bad_close(struct bad_ledger *ledger)
{
    for (int64_t i = 0; i < ledger->count; i++) memory_free(ledger->image[i].reason);
    memory_free(ledger->image);
    memory_free(ledger->known);
    pthread_mutex_destroy(&ledger->mutex);
}

bool bad_is_image_fault(int status)
{
    return status == SIMCLR_IO || status == SIMCLR_CORRUPT || status == SIMCLR_UNSUPPORTED || status == SIMCLR_DATA;
}

static bool has_room(struct bad_ledger *ledger)
{
    if (ledger->count < ledger->room) return true;
    const size_t old = (size_t)ledger->room, larger = old == 0 ? 16 : 2 * old;
    struct bad_image *grown = memory_grow(ledger->image, old, larger, sizeof *grown);
    if (grown == NULL) return false;
    ledger->image = grown;
    ledger->room = (int64_t)larger;
    return true;
}

/* Is an item noted already? It is from now on. */
static bool take(struct bad_ledger *ledger, int64_t item)
{
    if (ledger->known == NULL || item < 0 || item >= ledger->items) return false;
    uint8_t *byte = &ledger->known[item / 8];
    const uint8_t bit = (uint8_t)(1U << item % 8);
    const bool known = (*byte & bit) != 0;
    *byte |= bit;
    return known;
}

static void note(struct bad_ledger *ledger, int64_t item, const char *reason, bool theirs)
{
    if (take(ledger, item)) return;
    char *copy = has_room(ledger) ? memory_string(reason) : NULL;
    if (copy == NULL)
        ledger->no_memory = true;
    else
        ledger->image[ledger->count++] = (struct bad_image){item, copy, theirs, theirs};
    ledger->uncollected += copy != NULL && !theirs;
}

void bad_note(struct bad_ledger *ledger, int64_t item, const struct error *reason)
{
    pthread_mutex_lock(&ledger->mutex);
    note(ledger, item, reason->text, false);
    pthread_mutex_unlock(&ledger->mutex);
}

void bad_move(struct bad_ledger *ledger, struct bad_ledger *other)
{
    for (int64_t i = 0; i < other->count; i++) {
        if (has_room(ledger))
            ledger->image[ledger->count++] = other->image[i];
        else
            memory_free(other->image[i].reason);
    }
    ledger->uncollected += other->uncollected;
    ledger->no_memory |= other->no_memory || ledger->count < other->count;
    other->count = other->named = other->uncollected = 0;
}

static int compare_items(const void *a, const void *b)
{
    const int64_t x = ((const struct bad_image *)a)->item, y = ((const struct bad_image *)b)->item;
    return (x > y) - (x < y);
}

static int refuse(const struct bad_ledger *ledger, const struct catalog *catalog, struct error *error)
{
    struct text names = {0};
    for (int64_t i = 0; i < ledger->count && i < NAMED_IN_SENTENCE; i++)
        text_add(&names, "%s%.80s", i > 0 ? ", " : "", catalog_short_name(catalog, ledger->image[i].item));
    if (ledger->count > NAMED_IN_SENTENCE) text_add(&names, ", ...");
    const char *list = names.failed || names.bytes == NULL ? "(no memory to name them)" : names.bytes;
    if (ledger->count >= ledger->total)
        error_set(error, SIMCLR_DATA, "%.120s: none of the %lld images %scan be used: %s: see the log for the reasons",
                  ledger->path, (long long)ledger->total, ledger->total < catalog->count ? "that were looked at " : "",
                  list);
    else
        error_set(error, SIMCLR_DATA,
                  "%.120s: %lld of %lld images cannot be used, more than the accepted %g %%: %s: remove them or raise "
                  "max-bad",
                  ledger->path, (long long)ledger->count, (long long)ledger->total, 100 * ledger->max_share, list);
    text_free(&names);
    return SIMCLR_DATA;
}

/* A share that was itself computed from a count must not fail by the last bit of a rounding. */
static bool exceeds(const struct bad_ledger *ledger)
{
    return (double)ledger->count > ledger->max_share * (double)ledger->total * (1 + 1e-12);
}

int bad_judge(struct bad_ledger *ledger, const struct catalog *catalog, struct error *error)
{
    int status = SIMCLR_OK;
    pthread_mutex_lock(&ledger->mutex);
    if (ledger->count > ledger->named)
        qsort(ledger->image + ledger->named, (size_t)(ledger->count - ledger->named), sizeof *ledger->image,
              compare_items);
    for (; ledger->named < ledger->count; ledger->named++) {
        const struct bad_image *image = &ledger->image[ledger->named];
        if (!image->theirs) log_warning(&ledger->log, "image left out: %s", image->reason);
    }
    if (ledger->no_memory)
        status = error_no_memory(error, "the list of bad images", sizeof(struct bad_image));
    else if (ledger->count > 0 && (ledger->count >= ledger->total || exceeds(ledger)))
        status = refuse(ledger, catalog, error);
    pthread_mutex_unlock(&ledger->mutex);
    return status;
}

int64_t bad_count(struct bad_ledger *ledger)
{
    pthread_mutex_lock(&ledger->mutex);
    const int64_t count = ledger->count;
    pthread_mutex_unlock(&ledger->mutex);
    return count;
}

/* ---- of several processes -------------------------------------------------------------------------------------- */

int bad_share(struct bad_ledger *ledger, int64_t items, struct error *error)
{
    const size_t bytes = ((size_t)items + 7) / 8;
    uint8_t *known = memory_array(bytes, 1);
    if (known == NULL) return error_no_memory(error, "the list of bad images", bytes);
    pthread_mutex_lock(&ledger->mutex);
    ledger->known = known;
    ledger->items = items;
    for (int64_t i = 0; i < ledger->count; i++) take(ledger, ledger->image[i].item);
    pthread_mutex_unlock(&ledger->mutex);
    return SIMCLR_OK;
}

/* mark, item, length of the reason, reason: as the machine has numbers, since ranks run one program. */
enum { RECORD_HEAD = 8 + 8 + 4, REASON_BYTES = sizeof((struct error){0}.text) };

size_t bad_collect(struct bad_ledger *ledger, uint64_t mark, unsigned char *out, size_t room)
{
    size_t used = 0;
    pthread_mutex_lock(&ledger->mutex);
    for (int64_t i = 0; ledger->uncollected > 0 && i < ledger->count; i++) {
        struct bad_image *image = &ledger->image[i];
        if (image->collected) continue;
        const size_t whole = strlen(image->reason);
        const uint32_t length = (uint32_t)(whole < REASON_BYTES ? whole : REASON_BYTES);
        if (used + RECORD_HEAD + length > room) break;
        memcpy(out + used, &mark, sizeof mark);
        memcpy(out + used + 8, &image->item, sizeof image->item);
        memcpy(out + used + 16, &length, sizeof length);
        memcpy(out + used + RECORD_HEAD, image->reason, length);
        used += RECORD_HEAD + length;
        image->collected = true;
        ledger->uncollected--;
    }
    pthread_mutex_unlock(&ledger->mutex);
    return used;
}

size_t bad_read_record(struct bad_record *record, const unsigned char *bytes, size_t count)
{
    uint32_t length;
    if (count < RECORD_HEAD) return 0;
    memcpy(&record->mark, bytes, sizeof record->mark);
    memcpy(&record->item, bytes + 8, sizeof record->item);
    memcpy(&length, bytes + 16, sizeof length);
    if (length > count - RECORD_HEAD) return 0;
    record->reason = (const char *)bytes + RECORD_HEAD;
    record->length = length;
    return RECORD_HEAD + length;
}

void bad_note_theirs(struct bad_ledger *ledger, const struct bad_record *record)
{
    char reason[REASON_BYTES + 1];
    const size_t length = record->length < REASON_BYTES ? record->length : REASON_BYTES;
    memcpy(reason, record->reason, length);
    reason[length] = '\0';
    pthread_mutex_lock(&ledger->mutex);
    note(ledger, record->item, reason, true);
    pthread_mutex_unlock(&ledger->mutex);
}
