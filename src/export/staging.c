/* export/staging.c -- see staging.h. */
#include "export/staging.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"

enum { SUFFIX = 48, ATTEMPTS = 100, CONFIG_MOST = 1 << 24 };
#define PYTHON_CACHE "__pycache__"

static int fail(const struct staging *staging, int number, struct error *error)
{
    return error_set(error, SIMCLR_IO, "%s: cannot write: %s", staging->target, strerror(number));
}

static void staging_free(struct staging *staging)
{
    if (staging->folder && staging->lock >= 0) close(staging->lock);
    memory_free(staging->target);
    memory_free(staging->folder);
    *staging = (struct staging){.lock = -1};
}

/* ---- what is removed ---- */

/* Of files that exports have. */
static const char *const own_names[] = {"model.safetensors", "config.json", "README.md", "model.py", "model.onnx"};
enum { OWN_NAMES = sizeof own_names / sizeof *own_names };

static bool is_own_name(const char *name)
{
    for (size_t i = 0; i < OWN_NAMES; i++)
        if (strcmp(name, own_names[i]) == 0) return true;
    return false;
}

static void remove_file(const char *folder, const char *name)
{
    char *path = file_join(folder, name);
    if (path) unlink(path);
    memory_free(path);
}

/* What importing model.py makes. */
static void remove_python_cache(const char *folder)
{
    struct file_list files;
    char *path = file_join(folder, PYTHON_CACHE);
    if (path && file_list_folder(path, &files, NULL) == SIMCLR_OK) {
        for (size_t i = 0; i < files.count; i++)
            if (strncmp(files.names[i], "model.", 6) == 0) remove_file(path, files.names[i]);
        file_list_free(&files);
        rmdir(path);
    }
    memory_free(path);
}

/* What can be removed without memory for a list. */
static void remove_own_names(const char *path)
{
    const int folder = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder < 0) return;
    for (size_t i = 0; i < OWN_NAMES; i++) unlinkat(folder, own_names[i], 0);
    close(folder);
    rmdir(path);
}

/* Removes a folder with the files of an export in it. Others stay, and so does it. */
static void remove_folder(const char *path)
{
    struct file_list files;
    if (rmdir(path) == 0) return;
    if (file_list_folder(path, &files, NULL)) {
        remove_own_names(path);
        return;
    }
    for (size_t i = 0; i < files.count; i++)
        if (is_own_name(files.names[i]) || file_is_temporary(files.names[i])) remove_file(path, files.names[i]);
    file_list_free(&files);
    remove_python_cache(path);
    rmdir(path);
}

/* Nobody who works in such a folder is without its lock: a killed process left it. */
static void remove_if_left(const char *path)
{
    const int lock = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (lock < 0) return;
    if (flock(lock, LOCK_EX | LOCK_NB) == 0) remove_folder(path);
    close(lock);
}

/* The folder that holds the target. New string, or NULL. */
static char *parent_of(const char *target)
{
    char *folder = memory_string(target), *slash = folder ? strrchr(folder, '/') : NULL;
    if (slash) slash[slash == folder] = '\0';
    if (slash || !folder) return folder;
    memory_free(folder);
    return memory_string(".");
}

static void sweep(const char *target)
{
    struct file_list files;
    const char *slash = strrchr(target, '/'), *name = slash ? slash + 1 : target;
    const size_t length = strlen(name);
    char *folder = parent_of(target);
    if (folder && file_list_folder(folder, &files, NULL) == SIMCLR_OK) {
        for (size_t i = 0; i < files.count; i++) {
            if (strncmp(files.names[i], name, length) != 0 || strncmp(files.names[i] + length, ".tmp-", 5) != 0 ||
                !file_is_temporary(files.names[i]))
                continue;
            char *path = file_join(folder, files.names[i]);
            if (path) remove_if_left(path);
            memory_free(path);
        }
        file_list_free(&files);
    }
    memory_free(folder);
}

/* ---- what may be replaced ---- */

/* config.json of an export has our mark. */
static bool is_ours(const char *folder)
{
    uint8_t *text = NULL;
    size_t length = 0;
    struct json json = {0};
    char *path = file_join(folder, "config.json");
    bool ours = path && file_read(path, CONFIG_MOST, &text, &length, NULL) == SIMCLR_OK &&
                json_read(&json, (const char *)text, length, false, NULL) == SIMCLR_OK &&
                json_is(json_member(json.values, "simclr"), JSON_OBJECT);
    json_free(&json);
    memory_free(text);
    memory_free(path);
    return ours;
}

int staging_check_folder(const char *target, struct error *error)
{
    struct file_list files;
    bool missing;
    int status = SIMCLR_OK;
    if (file_exists(target) && !file_is_folder(target))
        return error_set(error, SIMCLR_INVALID, "%s: is a file, and a folder is to be made: give another --out",
                         target);
    status = file_list_if_there(target, &files, &missing, error);
    if (status || missing) return status;
    for (size_t i = 0; i < files.count && !status; i++)
        if (!is_own_name(files.names[i]) && strcmp(files.names[i], PYTHON_CACHE) != 0)
            status = error_set(error, SIMCLR_INVALID,
                               "%s: holds %s, which is no part of an export: give a folder that is new or empty",
                               target, files.names[i]);
    if (!status && files.count > 0 && !is_ours(target))
        status =
            error_set(error, SIMCLR_INVALID,
                      "%s: holds a model that this program did not export: give a folder that is new or empty", target);
    file_list_free(&files);
    return status;
}

/* ---- making and naming ---- */
static int make_folder(struct staging *staging, struct error *error)
{
    const size_t bytes = strlen(staging->target) + SUFFIX;
    staging->folder = memory_allocate(bytes);
    if (!staging->folder) return error_no_memory(error, "a path", bytes);
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        snprintf(staging->folder, bytes, "%s.tmp-%ld-%d", staging->target, (long)getpid(), attempt);
        if (mkdir(staging->folder, 0777) != 0) {
            if (errno != EEXIST) return fail(staging, errno, error);
            continue;
        }
        staging->lock = open(staging->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (staging->lock >= 0) flock(staging->lock, LOCK_EX | LOCK_NB); /* without locks nothing is ever swept */
        return SIMCLR_OK;
    }
    return fail(staging, EEXIST, error);
}

int staging_open(struct staging *staging, const char *target, struct error *error)
{
    *staging = (struct staging){.lock = -1};
    staging->target = memory_string(target);
    if (!staging->target) return error_no_memory(error, "a path", strlen(target));
    for (size_t length = strlen(staging->target); length > 1 && staging->target[length - 1] == '/';)
        staging->target[--length] = '\0';
    sweep(staging->target);
    const int status = make_folder(staging, error);
    if (status) staging_free(staging);
    return status;
}

char *staging_path(const struct staging *staging, const char *name)
{
    return file_join(staging->folder, name);
}

/* A name is durable once the folder that holds it is. */
static void sync_folder(const char *path)
{
    const int folder = path ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (folder < 0) return;
    fsync(folder);
    close(folder);
}

static void sync_parent(const char *target)
{
    char *parent = parent_of(target);
    sync_folder(parent);
    memory_free(parent);
}

int staging_commit_folder(struct staging *staging, struct error *error)
{
    sync_folder(staging->folder);
    if (rename(staging->folder, staging->target) != 0) {
        /* an earlier export is there: both change places at once, and the old one goes */
        if ((errno != ENOTEMPTY && errno != EEXIST) ||
            renameat2(AT_FDCWD, staging->folder, AT_FDCWD, staging->target, RENAME_EXCHANGE) != 0) {
            const int status = fail(staging, errno, error);
            staging_abort(staging);
            return status;
        }
        remove_folder(staging->folder);
    }
    sync_parent(staging->target);
    staging_free(staging);
    return SIMCLR_OK;
}

int staging_commit_file(struct staging *staging, const char *name, struct error *error)
{
    int status = SIMCLR_OK;
    char *path = staging_path(staging, name);
    if (!path)
        status = error_no_memory(error, "a path", strlen(staging->folder));
    else if (rename(path, staging->target) != 0)
        status = fail(staging, errno, error);
    else
        sync_parent(staging->target);
    memory_free(path);
    staging_abort(staging);
    return status;
}

void staging_abort(struct staging *staging)
{
    if (staging->folder) remove_folder(staging->folder);
    staging_free(staging);
}
