/* data/archives/samples.c -- see samples.h. */
#include "data/archives/samples.h"

#include <string.h>

#include "base/checksum.h"
#include "base/memory.h"
#include "data/names/endings.h"
#include "data/names/sample_label.h"

enum { JSON_MAX = 1 << 20, CLS_MAX = 4096 };

/* Where the suffix begins: at the first dot of the last component. */
static const char *suffix_of(const char *name)
{
    const char *slash = strrchr(name, '/'), *dot = strchr(slash ? slash : name, '.');
    return dot ? dot : name + strlen(name);
}

void samples_begin(struct samples *samples)
{
    samples->begin = samples->first = samples->members->names.count;
    samples->label = -1;
}

/* ---- labels that lie apart ---- */

static int put_apart(struct samples *samples, struct error *error)
{
    int32_t id;
    const int64_t before = samples->apart.names.count;
    int status = labels_intern(&samples->apart, samples->key, samples->key_length, &id, error);
    if (status) return status;
    if ((size_t)id >= samples->room_apart) {
        const size_t larger = samples->room_apart ? 2 * samples->room_apart : 256;
        int32_t *grown = memory_grow(samples->label_apart, samples->room_apart, larger, sizeof *grown);
        if (!grown) return error_no_memory(error, "the labels of an archive", larger * sizeof *grown);
        samples->label_apart = grown;
        samples->room_apart = larger;
    }
    if (id == before)
        samples->label_apart[id] = samples->label;
    else if (samples->label_apart[id] != samples->label)
        samples->label_apart[id] = -1;
    return SIMCLR_OK;
}

static int32_t find_apart(const struct samples *samples, int64_t image)
{
    const char *name = catalog_name(&samples->members->names, image) + samples->prefix;
    return labels_find(&samples->apart, name, (size_t)(suffix_of(name) - name));
}

/* A key that has a label beside its image too, another one, says nothing. */
static void drop_contradictions(struct samples *samples, int64_t from)
{
    const struct catalog *names = &samples->members->names;
    for (int64_t i = from; i < names->count; i++) {
        const int32_t id = names->label[i] < 0 ? -1 : find_apart(samples, i);
        if (id >= 0 && samples->label_apart[id] != names->label[i]) samples->label_apart[id] = -1;
    }
}

/* Gives the labels to images from `from` on. *used: marks those that an image has, by id. */
static void join_apart(struct samples *samples, int64_t from, bool *used)
{
    struct catalog *names = &samples->members->names;
    for (int64_t i = from; i < names->count; i++) {
        const int32_t id = names->label[i] >= 0 ? -1 : find_apart(samples, i);
        if (id < 0 || samples->label_apart[id] < 0) continue;
        names->label[i] = samples->label_apart[id];
        used[id] = true;
    }
}

static int settle_apart(struct samples *samples, int64_t from, struct error *error)
{
    struct members *members = samples->members;
    const int64_t count = samples->apart.names.count;
    if (count == 0) return SIMCLR_OK;
    bool *used = memory_array((size_t)count, sizeof *used);
    if (!used) return error_no_memory(error, "the labels of an archive", (size_t)count);
    drop_contradictions(samples, from);
    join_apart(samples, from, used);
    for (int64_t id = 0; id < count; id++) {
        members->label_files += used[id];
        members->apart += used[id];
        if (!used[id]) passed_add(&members->passed, PASSED_LABEL, catalog_name(&samples->apart.names, id));
    }
    memory_free(used);
    return SIMCLR_OK;
}

/* ---- one sample ---- */

static int end_sample(struct samples *samples, struct error *error)
{
    struct members *members = samples->members;
    struct catalog *names = &members->names;
    const bool images = names->count > samples->first;
    int status = SIMCLR_OK;
    for (int64_t i = samples->first; samples->label >= 0 && i < names->count; i++) names->label[i] = samples->label;
    if (images)
        members->label_files += samples->label_files;
    else if (samples->label >= 0)
        status = put_apart(samples, error);
    passed_add_many(&members->passed, images ? PASSED_BAD_LABEL : PASSED_OTHER, samples->bad, samples->bad_name);
    samples->first = names->count;
    samples->label = -1;
    samples->from_cls = false;
    samples->label_files = samples->files = samples->bad = 0;
    return status;
}

static bool has_suffix(const struct samples *samples, uint64_t digest)
{
    for (int i = 0; i < samples->files; i++)
        if (samples->suffix[i] == digest) return true;
    return false;
}

int samples_next(struct samples *samples, const char *name, struct error *error)
{
    const char *suffix = suffix_of(name);
    const size_t key_length = (size_t)(suffix - name);
    const uint64_t digest = hash64(suffix, strlen(suffix), 0);
    const bool same = key_length == samples->key_length && memcmp(name, samples->key, key_length) == 0;
    int status = SIMCLR_OK;
    /* A file that the sample has already is of the next one, which has the same key: two sets in one tar. */
    if (!same || has_suffix(samples, digest)) {
        status = end_sample(samples, error);
        memcpy(samples->key, name, key_length);
        samples->key_length = key_length;
    }
    if (samples->files < SAMPLE_FILES) samples->suffix[samples->files++] = digest;
    return status;
}

static void note_bad(struct samples *samples, const char *name)
{
    struct passed bad = {0};
    passed_add(&bad, PASSED_OTHER, name); /* cuts it */
    if (samples->bad++ == 0) memcpy(samples->bad_name, bad.example[PASSED_OTHER], sizeof samples->bad_name);
}

static int read_label(struct samples *samples, const struct tar_member *member, bool cls, char label[SAMPLE_LABEL_MAX],
                      struct error *error)
{
    char *text = memory_allocate((size_t)member->size + 1);
    if (!text) return error_no_memory(error, "a label", (size_t)member->size + 1);
    int status = blob_read_named(samples->tar, member->offset, text, (size_t)member->size, samples->path, error);
    if (!status)
        status = cls ? sample_label_of_cls(text, (size_t)member->size, label)
                     : sample_label_of_json(text, (size_t)member->size, label);
    memory_free(text);
    return status;
}

int samples_take(struct samples *samples, const char *name, const struct tar_member *member, bool *taken,
                 struct error *error)
{
    char label[SAMPLE_LABEL_MAX] = "";
    const char *suffix = suffix_of(name);
    const bool cls = ending_is(suffix, ".cls");
    *taken = cls || ending_is(suffix, ".json");
    if (!*taken) return SIMCLR_OK;
    int status = SIMCLR_OK;
    if (member->size <= (cls ? CLS_MAX : JSON_MAX))
        status = read_label(samples, member, cls, label, error);
    else if (cls)
        status = SIMCLR_CORRUPT;
    if (status == SIMCLR_NO_MEMORY) return error_no_memory(error, "a label", (size_t)member->size + 1);
    if (status == SIMCLR_CORRUPT) note_bad(samples, name);
    if (status == SIMCLR_CORRUPT) return SIMCLR_OK;
    if (status) return status;
    if (label[0] == '\0') { /* annotations of another kind */
        passed_add_file(&samples->members->passed, name);
        return SIMCLR_OK;
    }
    samples->label_files++;
    if (samples->from_cls) return SIMCLR_OK; /* a cls file goes before json */
    samples->from_cls = cls;
    return labels_intern(&samples->members->labels, label, strlen(label), &samples->label, error);
}

int samples_end(struct samples *samples, struct error *error)
{
    const int status = end_sample(samples, error);
    return status ? status : settle_apart(samples, samples->begin, error);
}

void samples_free(struct samples *samples)
{
    labels_free(&samples->apart);
    memory_free(samples->label_apart);
    samples->label_apart = NULL;
}

/* ---- what the labels of a set are ---- */

/* Bytes of the folders that all images lie in. */
static size_t shared_folders(const struct catalog *names)
{
    const char *first = catalog_name(names, 0), *slash = strrchr(first, '/');
    size_t shared = slash ? (size_t)(slash - first) + 1 : 0;
    for (int64_t i = 1; shared > 0 && i < names->count; i++) {
        const char *name = catalog_name(names, i);
        size_t same = 0;
        for (size_t k = 0; k < shared && name[k] == first[k]; k++)
            if (name[k] == '/') same = k + 1;
        shared = same;
    }
    return shared;
}

bool samples_are_labels(const struct members *members)
{
    const struct catalog *names = &members->names;
    int64_t labelled = 0;
    for (int64_t i = 0; i < names->count; i++) labelled += names->label[i] >= 0;
    if (labelled == 0 || 2 * labelled >= names->count) return labelled > 0;
    const size_t shared = shared_folders(names);
    for (int64_t i = 0; i < names->count; i++)
        if (!strchr(catalog_name(names, i) + shared, '/')) return true;
    return false;
}
