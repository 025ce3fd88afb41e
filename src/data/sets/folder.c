/* data/sets/folder.c -- a folder of images: sub-folders of the first level are classes, deeper ones belong to them. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "data/archives/shelf.h"
#include "data/names/annotations.h"
#include "data/sets/files.h"
#include "data/sets/folder_parts.h"
#include "data/sets/kind.h"

enum { MAX_DEPTH = 64, MAX_LINKS = 1024, ANNOTATIONS_MAX = 64 << 20 };

struct place {
    dev_t device;
    ino_t inode;
};

/* One walk through a class. Symbolic links may form loops: one that leads to a folder we are in, or to a folder
 * that a link has led to before, is not followed. What is not taken is counted in the catalog. */
struct walk {
    struct catalog *catalog;
    int32_t label;
    struct place inside[MAX_DEPTH];
    int depth;
    struct place *followed; /* [MAX_LINKS] */
    int links;
};

static struct place place_of(const struct stat *info)
{
    return (struct place){info->st_dev, info->st_ino};
}

static bool same_place(struct place a, struct place b)
{
    return a.device == b.device && a.inode == b.inode;
}

static bool refuse_folder(struct walk *walk, enum passed_reason reason, const char *path)
{
    passed_add(&walk->catalog->passed, reason, path);
    return false;
}

static bool is_link(const char *path)
{
    struct stat link;
    return lstat(path, &link) == 0 && S_ISLNK(link.st_mode);
}

/* Whether `path`, which is the folder `info`, is a link to one that it lies in. */
static bool leads_up(const char *path, const struct stat *info)
{
    if (!is_link(path)) return false;
    char folder[PATH_MAX]; /* a longer one cannot be opened */
    const char *slash = strrchr(path, '/');
    if (!slash || slash - path >= PATH_MAX) return false;
    snprintf(folder, sizeof folder, "%.*s", (int)(slash - path), path);
    return folder_leads_up(folder, info);
}

static bool may_enter(struct walk *walk, const char *path, const struct stat *info)
{
    const struct place here = place_of(info);
    for (int i = 0; i < walk->depth; i++)
        if (same_place(walk->inside[i], here)) return refuse_folder(walk, PASSED_LOOP, path);
    if (walk->depth == MAX_DEPTH) return refuse_folder(walk, PASSED_DEEP, path);
    if (!is_link(path)) return true;
    if (leads_up(path, info)) return refuse_folder(walk, PASSED_LOOP, path);
    for (int i = 0; i < walk->links; i++)
        if (same_place(walk->followed[i], here)) return refuse_folder(walk, PASSED_LOOP, path);
    if (walk->links == MAX_LINKS) return refuse_folder(walk, PASSED_LINK, path);
    walk->followed[walk->links++] = here;
    return true;
}

/* ---- folders that are none of the set ---- */

/* Of a folder inside the set, which may be left out; PASSED_REASONS: it is one of the set. Looks at the folder alone,
 * so it is asked once for a class. A run's folder has a log and checkpoints from its first moment on. */
static enum passed_reason folder_verdict(const char *path)
{
    const int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) return errno == EACCES || errno == EPERM ? PASSED_UNREADABLE : PASSED_REASONS;
    const bool run = folder_is_run(folder);
    close(folder);
    return run ? PASSED_RUN : PASSED_REASONS;
}

static int compare_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool is_class(const struct catalog *catalog, const char *name)
{
    return catalog->classes > 0 &&
           bsearch(&name, catalog->class_name, (size_t)catalog->classes, sizeof(char *), compare_text) != NULL;
}

static int walk_folder(struct walk *walk, const char *path, bool deeper, struct error *error);

/* A folder beside the classes, which were chosen by add_classes: why it is none. */
static void note_folder(struct walk *walk, const char *path, const char *name, const struct stat *info)
{
    if (is_class(walk->catalog, name)) return;
    refuse_folder(walk, leads_up(path, info) ? PASSED_LOOP : folder_verdict(path), path);
}

/* What `name` is, links followed. What cannot be looked at may be a folder, whose images must not be missing without a
 * word; one that is named like a picture counts as a bad image, and what may not be reached as a file. */
static int look(const char *path, const char *name, struct stat *info, bool *found, struct error *error)
{
    *found = stat(path, info) == 0;
    if (*found || errno == EACCES || errno == EPERM || source_is_image_name(name)) return SIMCLR_OK;
    enum file_kind kind;
    return file_look_at(path, &kind, error);
}

static int walk_entry(struct walk *walk, const char *path, const char *name, bool deeper, struct error *error)
{
    struct stat info;
    bool found;
    const int failure = look(path, name, &info, &found, error);
    if (failure) return failure;
    if (found && S_ISDIR(info.st_mode)) {
        if (!deeper) note_folder(walk, path, name, &info);
        if (!deeper || !may_enter(walk, path, &info)) return SIMCLR_OK;
        walk->inside[walk->depth++] = place_of(&info);
        const int status = walk_folder(walk, path, true, error);
        walk->depth--;
        return status;
    }
    /* A link that leads nowhere is listed, so that it is named among the bad images. */
    if (!source_is_image_name(name))
        passed_add_file(&walk->catalog->passed, path);
    else if (found && !S_ISREG(info.st_mode))
        passed_add(&walk->catalog->passed, PASSED_SPECIAL, path);
    else
        return catalog_add(walk->catalog, path, walk->label, error);
    return SIMCLR_OK;
}

static bool is_listed(const struct file_list *names, const char *name)
{
    return names->count > 0 && bsearch(&name, names->names, names->count, sizeof(char *), compare_text) != NULL;
}

static int walk_names(struct walk *walk, const char *path, const struct file_list *names, bool deeper,
                      struct error *error)
{
    int status = SIMCLR_OK;
    for (size_t i = 0; status == SIMCLR_OK && i < names->count; i++) {
        const char *name = names->names[i];
        if (stop_is_asked(walk->catalog->stop)) return stop_error(error, path);
        char *full = file_join(path, name);
        if (full == NULL)
            status = error_no_memory(error, "a path", strlen(path) + 256);
        else if (passed_is_hidden(name, strlen(name))) /* thumbnails, notebooks' copies */
            passed_add(&walk->catalog->passed, PASSED_HIDDEN, full);
        else
            status = walk_entry(walk, full, name, deeper, error);
        memory_free(full);
    }
    return status;
}

static int walk_folder(struct walk *walk, const char *path, bool deeper, struct error *error)
{
    struct file_list names;
    const bool inside = walk->depth > 1; /* the set itself must be what it was said to be */
    int status = file_list_folder(path, &names, error);
    if (status == SIMCLR_IO && inside && folder_verdict(path) == PASSED_UNREADABLE) {
        passed_add(&walk->catalog->passed, PASSED_UNREADABLE, path);
        return SIMCLR_OK;
    }
    if (status) return status;
    if (inside && is_listed(&names, "train.log") && is_listed(&names, "checkpoints"))
        passed_add(&walk->catalog->passed, PASSED_RUN, path);
    else
        status = walk_names(walk, path, &names, deeper, error);
    file_list_free(&names);
    return status;
}

/* Adds the first-level folders of `path` to the classes that are not there yet. */
static int add_classes(struct catalog *catalog, const char *path, struct error *error)
{
    struct stat info;
    struct file_list names;
    bool found = false;
    int status = file_list_folder(path, &names, error);
    const int before = catalog->classes; /* sorted already */
    for (size_t i = 0; status == SIMCLR_OK && i < names.count; i++) {
        const char *name = names.names[i];
        if (passed_is_hidden(name, strlen(name))) continue;
        char *full = file_join(path, name);
        if (full == NULL)
            status = error_no_memory(error, "a path", strlen(path) + 256);
        else
            status = look(full, name, &info, &found, error);
        if (status == SIMCLR_OK && found && S_ISDIR(info.st_mode) && !leads_up(full, &info) &&
            (before == 0 ||
             bsearch(&name, catalog->class_name, (size_t)before, sizeof(char *), compare_text) == NULL) &&
            folder_verdict(full) == PASSED_REASONS)
            status = catalog_add_class(catalog, name, error);
        memory_free(full);
    }
    file_list_free(&names);
    if (status == SIMCLR_OK && catalog->classes > 1)
        qsort(catalog->class_name, (size_t)catalog->classes, sizeof(char *), compare_text);
    return status;
}

static int scan(struct catalog *catalog, const char *path, struct error *error)
{
    struct stat root;
    if (stat(path, &root) != 0) root = (struct stat){0};
    struct walk walk = {.catalog = catalog, .label = -1, .inside = {place_of(&root)}, .depth = 1};
    walk.followed = memory_array(MAX_LINKS, sizeof *walk.followed);
    if (walk.followed == NULL) return error_no_memory(error, "a list of links", MAX_LINKS * sizeof *walk.followed);
    int status = walk_folder(&walk, path, false, error); /* images that lie beside the classes have no label */
    for (int i = 0; status == SIMCLR_OK && i < catalog->classes; i++) {
        enum file_kind kind = FILE_NONE; /* the other part may have a class that this one lacks */
        char *full = file_join(path, catalog->class_name[i]);
        walk.label = i;
        walk.links = 0;
        status = full ? file_look_at(full, &kind, error) : error_no_memory(error, "a path", strlen(path) + 256);
        if (status == SIMCLR_OK && kind == FILE_FOLDER)
            status = walk_entry(&walk, full, catalog->class_name[i], true, error);
        memory_free(full);
    }
    memory_free(walk.followed);
    return status;
}

/* ---- a file that says the labels: Tiny ImageNet's val ---- */

static int read_annotations(struct annotations *annotations, const char *path, struct error *error)
{
    const struct shelf shelf = shelf_of_folder(path);
    char *text = NULL;
    int status = shelf_read_text(&shelf, ANNOTATIONS_FILE, ANNOTATIONS_MAX, &text, error);
    if (!status && text) status = annotations_parse(annotations, text, path, error);
    memory_free(text);
    return status;
}

/* Adds the file's labels to the classes, whether or not each has an image here, and numbers all of them by name (or by
 * value: `names_only` as of labels_resolve). With `labelled` the images have the labels of the file. */
static int add_annotated_classes(struct catalog *catalog, const struct annotations *annotations, bool labelled,
                                 bool names_only, struct error *error)
{
    const struct catalog *texts = &annotations->texts.names;
    struct labels labels = {0};
    int32_t id;
    int status = SIMCLR_OK;
    for (int i = 0; !status && i < catalog->classes; i++)
        status = labels_intern(&labels, catalog->class_name[i], strlen(catalog->class_name[i]), &id, error);
    for (int64_t i = 0; !status && i < texts->count; i++)
        status = labels_intern(&labels, catalog_name(texts, i), strlen(catalog_name(texts, i)), &id, error);
    for (int64_t i = 0; !status && labelled && i < catalog->count; i++) {
        id = annotations_find(annotations, catalog_name(catalog, i));
        const char *name = id < 0 ? NULL : catalog_name(texts, id);
        catalog->label[i] = name ? labels_find(&labels, name, strlen(name)) : -1;
    }
    if (!status) {
        for (int i = 0; i < catalog->classes; i++) memory_free(catalog->class_name[i]);
        catalog->classes = 0;
        status = labels_resolve(&labels, catalog, names_only, error);
    }
    labels_free(&labels);
    return status;
}

/* All images of a folder, in whatever folders they lie, without labels. */
static int scan_unlabelled(struct catalog *catalog, const char *path, struct error *error)
{
    struct stat root;
    if (stat(path, &root) != 0) root = (struct stat){0};
    struct walk walk = {.catalog = catalog, .label = -1, .inside = {place_of(&root)}, .depth = 1};
    walk.followed = memory_array(MAX_LINKS, sizeof *walk.followed);
    if (!walk.followed) return error_no_memory(error, "a list of links", MAX_LINKS * sizeof *walk.followed);
    const int status = walk_folder(&walk, path, true, error);
    memory_free(walk.followed);
    return status;
}

/* Classes without an image in either part are none: their names go, and the numbers close up. `other`: the folder of
 * the other part, or NULL. */
static int drop_empty_classes(struct catalog *catalog, const char *other, struct error *error)
{
    const int classes = catalog->classes;
    int32_t *number = memory_array((size_t)classes + 1, sizeof *number);
    if (!number) return error_no_memory(error, "the classes", (size_t)classes * sizeof *number);
    for (int64_t i = 0; i < catalog->count; i++)
        if (catalog->label[i] >= 0) number[catalog->label[i]] = 1;
    int status = SIMCLR_OK;
    for (int i = 0; !status && other && i < classes; i++) {
        bool has;
        if (number[i]) continue;
        char *full = file_join(other, catalog->class_name[i]);
        status =
            full ? folder_has_images(full, &has, NULL, error) : error_no_memory(error, "a path", strlen(other) + 256);
        memory_free(full);
        if (!status) number[i] = has;
    }
    catalog->classes = status ? classes : 0;
    for (int i = 0; !status && i < classes; i++) {
        char *name = catalog->class_name[i];
        if (number[i]) {
            number[i] = catalog->classes;
            catalog->class_name[catalog->classes++] = name;
        } else {
            memory_free(name);
        }
    }
    for (int64_t i = 0; !status && i < catalog->count; i++)
        if (catalog->label[i] >= 0) catalog->label[i] = number[catalog->label[i]];
    memory_free(number);
    return status;
}

static int scan_annotated(struct catalog *catalog, const struct folder_parts *found, int part, struct error *error)
{
    const bool divided = found->part[0], labelled = !divided || part == 1;
    struct annotations annotations = {0};
    int status = read_annotations(&annotations, divided ? found->part[1] : found->root, error);
    if (!status && divided) status = add_classes(catalog, found->part[0], error);
    if (!status && divided && part == 0) status = scan(catalog, found->part[0], error);
    if (!status && divided) status = drop_empty_classes(catalog, part == 1 ? found->part[0] : NULL, error);
    if (!status && labelled) status = scan_unlabelled(catalog, divided ? found->part[1] : found->root, error);
    if (!status) status = add_annotated_classes(catalog, &annotations, labelled, divided, error);
    annotations_free(&annotations);
    return status;
}

/* Class numbers come from both parts, so that they agree even if one part lacks a class. */
static int scan_part(struct catalog *catalog, const struct folder_parts *found, int part, struct error *error)
{
    const bool divided = found->part[0];
    if (found->annotated) return scan_annotated(catalog, found, part, error);
    int status = add_classes(catalog, divided ? found->part[0] : found->root, error);
    if (!status && found->part[1]) status = add_classes(catalog, found->part[1], error);
    if (!status) status = scan(catalog, divided ? found->part[part] : found->root, error);
    return status ? status : drop_empty_classes(catalog, divided ? found->part[1 - part] : NULL, error);
}

/* Counts what lies in `path` beside the folders that are kept; pictures are files beside the parts. */
static int count_beside(struct catalog *catalog, const char *path, const char *const kept[2], struct error *error)
{
    struct catalog beside = {.stop = catalog->stop};
    struct file_list names;
    struct stat root;
    if (stat(path, &root) != 0) root = (struct stat){0};
    struct walk walk = {.catalog = &beside, .label = -1, .inside = {place_of(&root)}, .depth = 1};
    int status = file_list_folder(path, &names, error);
    if (status) return status;
    size_t count = 0;
    for (size_t i = 0; i < names.count; i++) {
        char *name = names.names[i];
        if (strcmp(name, kept[0]) != 0 && strcmp(name, kept[1]) != 0)
            names.names[count++] = name;
        else
            memory_free(name);
    }
    names.count = count;
    walk.followed = memory_array(MAX_LINKS, sizeof *walk.followed);
    status = walk.followed ? walk_names(&walk, path, &names, true, error)
                           : error_no_memory(error, "a list of links", MAX_LINKS * sizeof *walk.followed);
    if (beside.count > 0) passed_add_many(&catalog->passed, PASSED_OUTSIDE, beside.count, catalog_name(&beside, 0));
    passed_merge(&catalog->passed, &beside.passed);
    memory_free(walk.followed);
    file_list_free(&names);
    catalog_free(&beside);
    return status;
}

/* What lies beside the folders that lead to the set, and beside its parts. */
static int count_outside(struct catalog *catalog, const struct folder_parts *found, const char *path,
                         struct error *error)
{
    const struct parts *parts = &found->parts;
    int status = SIMCLR_OK;
    char *level = memory_string(found->root);
    if (!level) return error_no_memory(error, "a path", strlen(found->root) + 1);
    const char *const kept[2] = {parts->train < 0 ? "" : parts->folder[parts->train].name,
                                 parts->test < 0 ? "" : parts->folder[parts->test].name};
    if (parts->train >= 0) status = count_beside(catalog, level, kept, error);
    while (!status && strlen(level) > strlen(path)) {
        char *slash = strrchr(level, '/');
        const char *const only[2] = {slash + 1, ""};
        *slash = '\0'; /* a path that ends in / keeps it: it has the length that ends the loop */
        status = count_beside(catalog, slash == level ? "/" : level, only, error);
    }
    memory_free(level);
    return status;
}

static int scan_parts(struct catalog *catalog, const struct set_request *request, struct error *error)
{
    struct folder_parts found;
    const char *path = request->path;
    int status = folder_parts_find(&found, path, error);
    if (status) return status;
    const char *place = found.part[0] ? found.part[request->part] : found.root;
    if (!place) {
        status = parts_refuse(&found.parts, path, error);
        folder_parts_free(&found);
        return status;
    }
    status = scan_part(catalog, &found, request->part, error);
    if (!status && request->part == 0) status = count_outside(catalog, &found, path, error);
    if (!status && strcmp(place, path) != 0)
        snprintf(catalog->place, sizeof catalog->place, "%.90s/",
                 place + strlen(path) + (path[strlen(path) - 1] != '/'));
    folder_parts_free(&found);
    return status;
}

static int folder_is(const struct set_place *place, bool *out, struct error *error)
{
    (void)error;
    return kind_answer(out, place->folder);
}

static int folder_open(struct source *out, struct catalog *catalog, const struct set_request *request,
                       struct error *error)
{
    const char *path = request->path;
    source_open_files(out, &request->config->limits);
    const int status = scan_parts(catalog, request, error);
    if (status != SIMCLR_OK) return status;
    catalog->prefix = file_join(path, "");
    if (catalog->prefix == NULL) return error_no_memory(error, "a path", strlen(path) + 2);
    strcpy(catalog->what, "folder of images");
    if (catalog->count == 0 && catalog->passed.count[PASSED_FORMAT] == 0 && kind_refuse_folder(path, error))
        return SIMCLR_DATA;
    if (catalog->count == 0) return passed_no_images(&catalog->passed, path, error);
    return SIMCLR_OK;
}

static int folder_has_test(const char *path, bool *out, struct error *error)
{
    struct folder_parts found;
    const int status = folder_parts_find(&found, path, error);
    *out = !status && found.part[1];
    folder_parts_free(&found);
    return status;
}

const struct set_kind folder_kind = {
    .name = "folder of images", .is = folder_is, .open = folder_open, .has_test = folder_has_test};
