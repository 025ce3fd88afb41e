/* data/archives/layout.c -- see layout.h. */
#include "data/archives/layout.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "data/archives/samples.h"
#include "data/names/parts.h"

enum { MAX_DEPTH = 64 };

/* How the paths are divided. */
struct division {
    size_t root; /* bytes that all paths begin with */
    struct parts parts;
};

/* Whether any path has a folder after `root` bytes and the folder that follows them. */
static bool is_nested(const struct catalog *names, size_t root)
{
    for (int64_t i = 0; i < names->count; i++)
        if (strchr(catalog_name(names, i) + root, '/')) return true;
    return false;
}

/* The folders that all images share, as long as folders with images lie in them: the last one is a class. Not one whose
 * name means training: it says which part they are. */
static size_t shared_root(const struct catalog *names)
{
    size_t root = 0;
    for (int depth = 0; names->count > 0 && depth < MAX_DEPTH; depth++) {
        const char *first = catalog_name(names, 0), *slash = strchr(first + root, '/');
        if (!slash || part_word_of(first + root, (size_t)(slash - first) - root) == PART_TRAIN) break;
        const size_t longer = (size_t)(slash - first) + 1;
        for (int64_t i = 1; i < names->count; i++)
            if (strncmp(catalog_name(names, i), first, longer) != 0) return root;
        if (!is_nested(names, longer)) break;
        root = longer;
    }
    return root;
}

/* Adds the folder at the top in which an image lies. */
static void add_top(struct parts *parts, const char *path, bool labelled)
{
    const char *slash = strchr(path, '/');
    if (!slash) return;
    struct part_folder *folder = parts_add(parts, path, (size_t)(slash - path));
    bool *nested = folder ? &folder->nested : &parts->others_nested;
    if (!*nested) *nested = strchr(slash + 1, '/');
    if (folder)
        folder->labelled |= labelled;
    else
        parts->others = true;
}

/* Whether `folder` ("": the top) has the file with the labels of its images; `root`: bytes that all paths begin with.
 */
static bool has_labels_file(const struct members *members, size_t root, const char *folder)
{
    const char *head = catalog_name(&members->names, 0);
    const size_t length = strlen(folder);
    for (int64_t i = 0; i < members->others.count; i++) {
        const char *path = catalog_name(&members->others, i);
        if (strncmp(path, head, root) != 0 || strncmp(path + root, folder, length) != 0) continue;
        path += root + length;
        if (length > 0 && *path++ != '/') continue;
        if (strcmp(path, ANNOTATIONS_FILE) == 0) return true;
    }
    return false;
}

static struct division divide(const struct members *members)
{
    const struct catalog *names = &members->names;
    struct division division = {.root = shared_root(names)};
    struct parts *parts = &division.parts;
    const bool samples = samples_are_labels(members);
    for (int64_t i = 0; i < names->count; i++)
        add_top(parts, catalog_name(names, i) + division.root, samples && names->label[i] >= 0);
    for (int i = 0; i < parts->folders; i++)
        parts->folder[i].labelled |=
            parts->folder[i].word == PART_VALIDATION && has_labels_file(members, division.root, parts->folder[i].name);
    parts_decide(parts);
    /* WebDataset's samples say their labels wherever they lie: training alone is all of them. */
    if (samples && parts->test < 0) parts->train = -1;
    return division;
}

/* Whether a path, after the root, lies in folder number `folder` of the parts. */
static bool lies_in(const struct parts *parts, int folder, const char *path)
{
    const size_t length = folder < 0 ? 0 : strlen(parts->folder[folder].name);
    return folder >= 0 && strncmp(path, parts->folder[folder].name, length) == 0 && path[length] == '/';
}

/* The part of a path after the root: 0 train, 1 test, -1 neither. A set that is not divided is all of both. */
static int part_of(const struct parts *parts, const char *path, int wanted)
{
    if (parts->train < 0) return wanted;
    return lies_in(parts, parts->train, path) ? 0 : lies_in(parts, parts->test, path) ? 1 : -1;
}

bool layout_has_test(const struct members *members)
{
    return divide(members).parts.test >= 0;
}

int layout_labels_file(const struct members *members, char **path, struct error *error)
{
    *path = NULL;
    if (members->names.count == 0) return SIMCLR_OK;
    const struct division division = divide(members);
    const struct parts *parts = &division.parts;
    const bool divided = parts->train >= 0;
    if (divided && (parts->test < 0 || parts->folder[parts->test].word != PART_VALIDATION)) return SIMCLR_OK;
    const char *folder = divided ? parts->folder[parts->test].name : "";
    if (!has_labels_file(members, division.root, folder)) return SIMCLR_OK;
    const size_t bytes = division.root + strlen(folder) + sizeof "/" ANNOTATIONS_FILE;
    *path = memory_allocate(bytes);
    if (!*path) return error_no_memory(error, "a path", bytes);
    snprintf(*path, bytes, "%.*s%s%s" ANNOTATIONS_FILE, (int)division.root, catalog_name(&members->names, 0), folder,
             divided ? "/" : "");
    return SIMCLR_OK;
}

/* Where the part lies, for whoever tells it: the root and its folder. */
static void note_place(const struct members *members, const struct division *division, int part,
                       struct catalog *catalog)
{
    const struct parts *parts = &division->parts;
    const int folder = part ? parts->test : parts->train;
    snprintf(catalog->place, sizeof catalog->place, "%.*s%s%s", (int)(division->root < 60 ? division->root : 60),
             catalog_name(&members->names, 0), parts->train < 0 ? "" : parts->folder[folder].name,
             parts->train < 0 ? "" : "/");
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

/* The labels that samples have. */
static int arrange_samples(const struct members *members, const struct layout_request *request,
                           const struct division *division, struct labels *labels, struct catalog *catalog,
                           struct member *places, struct error *error)
{
    int status = SIMCLR_OK;
    for (int64_t i = 0; status == SIMCLR_OK && i < members->names.count; i++) {
        const char *path = catalog_name(&members->names, i) + division->root;
        const int part = part_of(&division->parts, path, request->part);
        int32_t label = members->names.label[i];
        if (part < 0 && request->part == 0) passed_add(&catalog->passed, PASSED_OUTSIDE, path);
        if (part < 0) continue;
        if (label >= 0) { /* a label that no image has is no class; classes come from both parts */
            const char *text = catalog_name(&members->labels.names, label);
            status = labels_intern(labels, text, strlen(text), &label, error);
        }
        if (status == SIMCLR_OK && part == request->part)
            status = keep(members, request, i, label, catalog, places, error);
    }
    return status == SIMCLR_OK ? labels_resolve(labels, catalog, false, error) : status;
}

/* A label file says which classes there are, whether or not each has an image here. */
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

static int arrange_folders(const struct members *members, const struct layout_request *request,
                           const struct division *division, struct labels *labels, struct catalog *catalog,
                           struct member *places, struct error *error)
{
    const struct parts *parts = &division->parts;
    const bool divided = parts->train >= 0;
    /* A label file is for the validation part, or for everything. */
    const bool annotated =
        request->annotations && (!divided || (parts->test >= 0 && parts->folder[parts->test].word == PART_VALIDATION));
    int status = SIMCLR_OK;
    if (annotated) status = intern_all(request->annotations, labels, error);
    for (int64_t i = 0; status == SIMCLR_OK && i < members->names.count; i++) {
        const char *path = catalog_name(&members->names, i) + division->root;
        int32_t label;
        const int part = part_of(parts, path, request->part);
        if (part < 0 && request->part == 0) passed_add(&catalog->passed, PASSED_OUTSIDE, path);
        if (part < 0) continue;
        if (divided) path = strchr(path, '/') + 1;
        /* Classes come from both parts, so that their numbers agree even if one part lacks a class. */
        status = label_of(request, annotated && (part == 1 || !divided), path, labels, &label, error);
        if (status == SIMCLR_OK && part == request->part)
            status = keep(members, request, i, label, catalog, places, error);
    }
    if (status != SIMCLR_OK) return status;
    /* Numbers in a label file are class numbers; folders are names, whatever they look like. */
    return labels_resolve(labels, catalog, !(annotated && !divided), error);
}

static int arrange(const struct members *members, const struct layout_request *request, struct catalog *catalog,
                   struct member *places, struct error *error)
{
    const struct division division = divide(members);
    struct labels labels = {0};
    if (request->part == 1 && division.parts.train >= 0 && division.parts.test < 0)
        return parts_refuse(&division.parts, request->path, error);
    note_place(members, &division, request->part, catalog);
    const bool samples = samples_are_labels(members);
    if (request->part == 0 || division.parts.test < 0) {
        passed_merge(&catalog->passed, &members->passed);
        if (!samples) passed_add_many(&catalog->passed, PASSED_LABEL, members->label_files, "");
    }
    const int status = samples ? arrange_samples(members, request, &division, &labels, catalog, places, error)
                               : arrange_folders(members, request, &division, &labels, catalog, places, error);
    labels_free(&labels);
    return status;
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
    if (status == SIMCLR_OK) status = arrange(members, request, catalog, *places, error);
    if (status == SIMCLR_OK && catalog->count == 0)
        status = error_set(error, SIMCLR_DATA, "%s: no images in this part", request->path);
    return status;
}
