/* data/sets/folder_parts.c -- see folder_parts.h. */
#include "data/sets/folder_parts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "data/names/annotations.h"
#include "data/names/passed.h"
#include "data/names/source.h"

enum {
    DEPTH = 64, /* of looking for an image, and of folders that hold one folder only */
    FOLDERS_MAX = 100000
};

/* ---- looking ---- */

/* What an entry of an open folder is, links followed. A stat is made only where the entry does not say it. */
static enum file_kind kind_of(DIR *folder, const struct dirent *entry)
{
    struct stat info;
    if (entry->d_type == DT_REG) return FILE_OTHER;
    if (entry->d_type == DT_DIR) return FILE_FOLDER;
    if (fstatat(dirfd(folder), entry->d_name, &info, 0) != 0) return FILE_OTHER; /* a link that leads nowhere */
    return S_ISDIR(info.st_mode) ? FILE_FOLDER : S_ISREG(info.st_mode) ? FILE_OTHER : FILE_NONE;
}

/* A folder that may not be listed has no images for us; another failure may hide some. */
static int open_folder(DIR **out, const char *path, bool needed, struct error *error)
{
    *out = opendir(path);
    if (*out || (!needed && (errno == EACCES || errno == EPERM || errno == ENOENT || errno == ELOOP))) return SIMCLR_OK;
    return error_set(error, SIMCLR_IO, "%s: cannot list folder: %s", path, strerror(errno));
}

/* The next entry that is not passed over; NULL at the end, and where *status says that it is a failure. */
static const struct dirent *next_entry(DIR *folder, const char *path, int *status, struct error *error)
{
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(folder);
        if (!entry && errno != 0)
            *status = error_set(error, SIMCLR_IO, "%s: cannot list folder: %s", path, strerror(errno));
        if (!entry || !passed_is_hidden(entry->d_name, strlen(entry->d_name))) return entry;
    }
}

bool folder_is_run(int descriptor)
{
    return faccessat(descriptor, "train.log", F_OK, 0) == 0 && faccessat(descriptor, "checkpoints", F_OK, 0) == 0;
}

/* Up from where `path` begins, "/" or the folder that we are in. */
static bool leads_above(const char *path, const struct stat *target)
{
    char above[3 * DEPTH + 1] = "";
    struct stat here, below = {0};
    if (path[0] == '/') return false;
    for (size_t i = 0; i < DEPTH; i++) {
        if (stat(i ? above : ".", &here) != 0) return false;
        if (here.st_dev == target->st_dev && here.st_ino == target->st_ino) return true;
        if (i && here.st_dev == below.st_dev && here.st_ino == below.st_ino) return false; /* the root of all */
        below = here;
        memcpy(above + 3 * i, "../", sizeof "../");
    }
    return false;
}

bool folder_leads_up(const char *folder, const struct stat *target)
{
    struct stat here;
    char path[PATH_MAX]; /* a longer one cannot be opened */
    bool up = false;
    if (strlen(folder) >= sizeof path) return false;
    memcpy(path, folder, strlen(folder) + 1);
    while (!up) {
        up = stat(path[0] ? path : "/", &here) == 0 && here.st_dev == target->st_dev && here.st_ino == target->st_ino;
        char *slash = strrchr(path, '/');
        if (path[0] == '\0' || !slash) break;
        *slash = '\0';
    }
    return up || leads_above(folder, target);
}

/* One search. Links can form loops, and more ways to a folder than there is time for. */
struct search {
    struct stat inside[DEPTH]; /* the folders that we are in */
    int depth, folders;
    struct error *error;
};

static bool may_enter(struct search *search, DIR *folder)
{
    struct stat *here = &search->inside[search->depth];
    if (search->depth == DEPTH || search->folders == FOLDERS_MAX || fstat(dirfd(folder), here) != 0) return false;
    for (int i = 0; i < search->depth; i++)
        if (search->inside[i].st_dev == here->st_dev && search->inside[i].st_ino == here->st_ino) return false;
    search->folders++;
    return !folder_is_run(dirfd(folder));
}

/* Whether an entry of an open folder, which is a folder, is a link to one that it lies in. */
static bool leads_up(DIR *folder, const struct dirent *entry, const char *path)
{
    struct stat info;
    const int file = dirfd(folder);
    if (entry->d_type == DT_DIR) return false;
    if (fstatat(file, entry->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISLNK(info.st_mode)) return false;
    return fstatat(file, entry->d_name, &info, 0) == 0 && folder_leads_up(path, &info);
}

/* Looks until *has, or with `nested` until *nested. */
static int look_for_images(struct search *search, const char *path, bool *has, bool *nested)
{
    DIR *folder;
    const struct dirent *entry;
    *has = false;
    if (nested) *nested = false;
    int status = open_folder(&folder, path, false, search->error);
    if (!folder) return status;
    const bool enter = may_enter(search, folder);
    search->depth += enter;
    while (enter && !(nested ? *nested : *has) && (entry = next_entry(folder, path, &status, search->error))) {
        const enum file_kind kind = kind_of(folder, entry);
        bool inside = false;
        if (kind == FILE_OTHER) *has |= source_is_image_name(entry->d_name);
        if (kind != FILE_FOLDER || leads_up(folder, entry, path)) continue;
        char *full = file_join(path, entry->d_name);
        status = full ? look_for_images(search, full, &inside, NULL)
                      : error_no_memory(search->error, "a path", strlen(path) + 256);
        memory_free(full);
        if (status) break;
        *has |= inside;
        if (nested) *nested |= inside;
    }
    search->depth -= enter;
    closedir(folder);
    return status;
}

int folder_has_images(const char *path, bool *has, bool *nested, struct error *error)
{
    struct search *search = memory_allocate(sizeof *search);
    if (!search) return error_no_memory(error, "a search", sizeof *search);
    search->error = error;
    const int status = look_for_images(search, path, has, nested);
    memory_free(search);
    return status;
}

/* The same for a folder in a folder. */
static int has_images(const char *path, const char *name, bool *has, bool *nested, struct error *error)
{
    char *full = file_join(path, name);
    if (!full) return error_no_memory(error, "a path", strlen(path) + strlen(name) + 2);
    const int status = folder_has_images(full, has, nested, error);
    memory_free(full);
    return status;
}

/* ---- the top of a set ---- */

/* What lies in a folder itself. */
struct top {
    struct file_list folders;
    size_t room;
    bool loose; /* an image lies there */
    bool train; /* a folder's name means training */
};

static int add_folder(struct top *top, const char *name, struct error *error)
{
    if (top->folders.count == top->room) {
        const size_t larger = top->room == 0 ? 64 : 2 * top->room;
        char **grown = memory_grow(top->folders.names, top->folders.count, larger, sizeof *grown);
        if (!grown) return error_no_memory(error, "a list of folders", larger * sizeof *grown);
        top->folders.names = grown;
        top->room = larger;
    }
    char *copy = memory_string(name);
    if (!copy) return error_no_memory(error, "the name of a folder", strlen(name) + 1);
    top->folders.names[top->folders.count++] = copy;
    top->train |= part_word_of(name, strlen(name)) == PART_TRAIN;
    return SIMCLR_OK;
}

static int read_top(struct top *top, const char *path, struct error *error)
{
    DIR *folder;
    const struct dirent *entry;
    int status = open_folder(&folder, path, true, error);
    if (status) return status;
    while (!status && (entry = next_entry(folder, path, &status, error))) {
        const bool image = source_is_image_name(entry->d_name);
        if (image && entry->d_type == DT_REG)
            top->loose = true; /* nearly every entry of a flat set */
        else if (kind_of(folder, entry) != FILE_FOLDER)
            top->loose |= image;
        else if (!leads_up(folder, entry, path))
            status = add_folder(top, entry->d_name, error);
    }
    closedir(folder);
    return status;
}

/* The only folder with images, where there is but one and it has folders with images itself; else *out is NULL. */
static int find_only(const struct top *top, const char *path, char **out, struct error *error)
{
    const char *only = NULL;
    bool has, nested = false;
    *out = NULL;
    if (top->loose) return SIMCLR_OK;
    for (size_t i = 0; i < top->folders.count; i++) {
        const int status = has_images(path, top->folders.names[i], &has, NULL, error);
        if (status || (has && only)) return status;
        if (has) only = top->folders.names[i];
    }
    if (only && part_word_of(only, strlen(only)) == PART_TRAIN) return SIMCLR_OK; /* it says which part it is */
    const int status = only ? has_images(path, only, &has, &nested, error) : SIMCLR_OK;
    if (status || !nested) return status;
    *out = file_join(path, only);
    return *out ? SIMCLR_OK : error_no_memory(error, "a path", strlen(path) + strlen(only) + 2);
}

/* ---- the decision ---- */

/* Adds the folders whose names are words, if they have images. */
static int add_parts(struct folder_parts *found, const struct top *top, struct error *error)
{
    int status = SIMCLR_OK;
    for (size_t i = 0; !status && i < top->folders.count; i++) {
        const char *name = top->folders.names[i];
        bool has = false;
        enum file_kind labels = FILE_NONE;
        if (!part_word_of(name, strlen(name))) continue;
        status = has_images(found->root, name, &has, NULL, error);
        struct part_folder *folder = has && !status ? parts_add(&found->parts, name, strlen(name)) : NULL;
        if (!folder || folder->word != PART_VALIDATION) continue;
        char *full = file_join(found->root, name);
        status = full ? file_find(full, ANNOTATIONS_FILE, &labels, error)
                      : error_no_memory(error, "a path", strlen(found->root) + 256);
        folder->labelled = labels == FILE_OTHER;
        memory_free(full);
    }
    return status;
}

/* Adds the folders of other names; `nested`: and whether they have folders. */
static int add_others(struct folder_parts *found, const struct top *top, bool nested, struct error *error)
{
    struct parts *parts = &found->parts;
    int status = SIMCLR_OK;
    for (size_t i = 0; !status && i < top->folders.count && !(nested ? parts->others_nested : parts->others); i++) {
        const char *name = top->folders.names[i];
        bool has = false, deep = false;
        if (part_word_of(name, strlen(name))) continue;
        status = has_images(found->root, name, &has, nested ? &deep : NULL, error);
        parts->others |= has;
        parts->others_nested |= deep;
    }
    return status;
}

/* Looks for folders in the folders whose names are words. */
static int add_nested(struct folder_parts *found, struct error *error)
{
    int status = SIMCLR_OK;
    bool has;
    for (int i = 0; !status && i < found->parts.folders; i++)
        status = has_images(found->root, found->parts.folder[i].name, &has, &found->parts.folder[i].nested, error);
    return status;
}

/* Most sets have a training part and one other: for these, names and an image in each are enough. */
static int add_all(struct folder_parts *found, const struct top *top, struct error *error)
{
    bool has[PART_TEST + 1] = {false};
    if (!top->train) return SIMCLR_OK;
    int status = add_parts(found, top, error);
    for (int i = 0; i < found->parts.folders; i++) has[found->parts.folder[i].word] = true;
    if (status || !has[PART_TRAIN]) return status;
    const bool alone = !has[PART_VALIDATION] && !has[PART_TEST], both = has[PART_VALIDATION] && has[PART_TEST];
    status = add_others(found, top, false, error);
    if (!status && (both || (alone && found->parts.others))) status = add_nested(found, error);
    if (!status && alone && found->parts.others) status = add_others(found, top, true, error);
    return status;
}

static int take_part(struct folder_parts *found, int part, int folder, struct error *error)
{
    if (folder < 0) return SIMCLR_OK;
    found->part[part] = file_join(found->root, found->parts.folder[folder].name);
    return found->part[part] ? SIMCLR_OK : error_no_memory(error, "a path", strlen(found->root) + PART_NAME_MAX);
}

static int decide(struct folder_parts *found, const struct top *top, struct error *error)
{
    const struct parts *parts = &found->parts;
    int status = add_all(found, top, error);
    parts_decide(&found->parts);
    if (!status) status = take_part(found, 0, parts->train, error);
    if (!status) status = take_part(found, 1, parts->test, error);
    if (status) return status;
    enum file_kind labels = FILE_NONE;
    if (parts->train < 0) status = file_find(found->root, ANNOTATIONS_FILE, &labels, error);
    found->annotated = labels == FILE_OTHER || (parts->test >= 0 && parts->folder[parts->test].labelled);
    return status;
}

static int find(struct folder_parts *found, struct error *error)
{
    int status = SIMCLR_OK;
    char *only = found->root;
    for (int depth = 0; !status && only; depth++) {
        struct top top = {0};
        if (only != found->root) memory_free(found->root);
        found->root = only;
        only = NULL;
        status = read_top(&top, found->root, error);
        if (!status && depth < DEPTH) status = find_only(&top, found->root, &only, error);
        if (!status && !only) status = decide(found, &top, error);
        file_list_free(&top.folders);
    }
    return status;
}

int folder_parts_find(struct folder_parts *out, const char *path, struct error *error)
{
    *out = (struct folder_parts){.root = memory_string(path)};
    if (!out->root) return error_no_memory(error, "a path", strlen(path) + 1);
    const int status = find(out, error);
    if (status) folder_parts_free(out);
    return status;
}

void folder_parts_free(struct folder_parts *parts)
{
    memory_free(parts->root);
    memory_free(parts->part[0]);
    memory_free(parts->part[1]);
    *parts = (struct folder_parts){0};
}
