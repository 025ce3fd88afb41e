/* data/archives/layout.c -- see layout.h. */
#include "data/archives/layout.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "data/archives/samples.h"

enum { MAX_DEPTH = 64 };

/* How the paths are divided. */
struct division {
    size_t root; /* bytes that all paths begin with */
    bool train, test, val;
};

static bool begins_with(const char *text, const char *word)
{
    return strncmp(text, word, strlen(word)) == 0;
}

/* The folders that all images share, but not `train`: it says which part they are. */
static size_t shared_root(const struct catalog *names)
{
    size_t root = 0;
    for (int depth = 0; names->count > 0 && depth < MAX_DEPTH; depth++) {
        const char *first = catalog_name(names, 0), *slash = strchr(first + root, '/');
        if (slash == NULL || begins_with(first + root, "train/")) break;
        const size_t longer = (size_t)(slash - first) + 1;
        for (int64_t i = 1; i < names->count; i++)
            if (strncmp(catalog_name(names, i), first, longer) != 0) return root;
        root = longer;
    }
    return root;
}

static struct division divide(const struct catalog *names)
{
    struct division division = {.root = shared_root(names)};
    for (int64_t i = 0; i < names->count; i++) {
        const char *path = catalog_name(names, i) + division.root;
        division.train |= begins_with(path, "train/");
        division.test |= begins_with(path, "test/");
        division.val |= begins_with(path, "val/");
    }
    return division;
}

bool layout_has_test(const struct members *members)
{
    if (samples_are_labels(members)) return false;
    const struct division division = divide(&members->names);
    return division.train && (division.test || division.val);
}

static int keep(const struct members *members, const struct layout_request *request, int64_t i, int32_t label,
                struct catalog *catalog, struct member *places, struct error *error)
{
    const char *name = catalog_name(&members->names, i);
    const char *archive = request->archive_names[members->at[i].file & ~MEMBER_DEFLATED];
    char head[512];
    const int length = snprintf(head, sizeof head, "%.510s/", archive);
    places[catalog->count] = members->at[i];
    return catalog_add_joined(catalog, head, (size_t)length, name, strlen(name), label, error);
}

/* Everything, with the labels that samples have. */
static int arrange_samples(const struct members *members, const struct layout_request *request, struct labels *labels,
                           struct catalog *catalog, struct member *places, struct error *error)
{
    int status = SIMCLR_OK;
    for (int64_t i = 0; status == SIMCLR_OK && i < members->names.count; i++) {
        int32_t label = members->names.label[i];
        if (label >= 0) { /* a label that no image has is no class */
            const char *text = catalog_name(&members->labels.names, label);
            status = labels_intern(labels, text, strlen(text), &label, error);
        }
        if (status == SIMCLR_OK) status = keep(members, request, i, label, catalog, places, error);
    }
    return status == SIMCLR_OK ? labels_resolve(labels, catalog, false, error) : status;
}

/* A label file that is for everything says which classes there are, whether or not each has an image here. */
static int intern_all(const struct annotations *annotations, struct labels *labels, struct error *error)
{
    const struct catalog *texts = &annotations->texts.names;
    int status = SIMCLR_OK;
    int32_t id;
    for (int64_t i = 0; status == SIMCLR_OK && i < texts->count; i++)
        status = labels_intern(labels, catalog_name(texts, i), strlen(catalog_name(texts, i)), &id, error);
    return status;
}

/* The label of an image: its annotation, or the folder it lies in. `path` begins after the part's folder. */
static int label_of(const struct layout_request *request, bool annotated, const char *path, struct labels *labels,
                    int32_t *label, struct error *error)
{
    const char *slash = strchr(path, '/');
    *label = -1;
    if (annotated) {
        const int32_t id = annotations_find(request->annotations, path);
        if (id < 0) return SIMCLR_OK;
        const char *text = catalog_name(&request->annotations->texts.names, id);
        return labels_intern(labels, text, strlen(text), label, error);
    }
    return slash == NULL ? SIMCLR_OK : labels_intern(labels, path, (size_t)(slash - path), label, error);
}

static int arrange_folders(const struct members *members, const struct layout_request *request, struct labels *labels,
                           struct catalog *catalog, struct member *places, struct error *error)
{
    const struct division division = divide(&members->names);
    const bool annotated = request->annotations != NULL;
    /* `test` goes before `val`, except where only val has labels (Tiny ImageNet). */
    const char *test = division.test && !(annotated && division.val) ? "test/" : "val/";
    int status = SIMCLR_OK;
    if (division.train && request->part == 1 && !division.test && !division.val)
        return error_set(error, SIMCLR_DATA, "%s: has a folder `train`, but neither `test` nor `val`: add one",
                         request->path);
    if (annotated && !division.train) status = intern_all(request->annotations, labels, error);
    for (int64_t i = 0; status == SIMCLR_OK && i < members->names.count; i++) {
        const char *path = catalog_name(&members->names, i) + division.root;
        int32_t label;
        int part = request->part;
        if (division.train) {
            part = begins_with(path, "train/") ? 0 : begins_with(path, test) ? 1 : -1;
            if (part < 0 && request->part == 0) passed_add(&catalog->passed, PASSED_OUTSIDE, path);
            if (part < 0) continue;
            path = strchr(path, '/') + 1;
        }
        /* Classes come from both parts, so that their numbers agree even if one part lacks a class. */
        status = label_of(request, annotated && (part == 1 || !division.train), path, labels, &label, error);
        if (status == SIMCLR_OK && part == request->part)
            status = keep(members, request, i, label, catalog, places, error);
    }
    if (status != SIMCLR_OK) return status;
    /* Numbers in a label file are class numbers; folders are names, whatever they look like. */
    return labels_resolve(labels, catalog, !(annotated && !division.train), error);
}

int layout_arrange(const struct members *members, const struct layout_request *request, struct catalog *catalog,
                   struct member **places, struct error *error)
{
    const size_t count = (size_t)members->names.count;
    *places = NULL;
    if (count == 0) return passed_no_images(&members->passed, request->path, error);
    size_t name_bytes = members->names.length;
    for (size_t i = 0; i < count; i++)
        name_bytes += strlen(request->archive_names[members->at[i].file & ~MEMBER_DEFLATED]) + 1;
    *places = memory_array(count, sizeof **places);
    if (*places == NULL) return error_no_memory(error, "the index of an archive", count * sizeof **places);
    int status = catalog_reserve(catalog, count, name_bytes, error);
    if (request->part == 0 || !layout_has_test(members)) passed_merge(&catalog->passed, &members->passed);
    if (!samples_are_labels(members)) passed_add_many(&catalog->passed, PASSED_LABEL, members->label_files, "");
    struct labels labels = {0};
    if (status == SIMCLR_OK)
        status = samples_are_labels(members) ? arrange_samples(members, request, &labels, catalog, *places, error)
                                             : arrange_folders(members, request, &labels, catalog, *places, error);
    labels_free(&labels);
    if (status == SIMCLR_OK && catalog->count == 0)
        status = error_set(error, SIMCLR_DATA, "%s: no images in this part", request->path);
    return status;
}
