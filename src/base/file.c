/* base/file.c -- reading, folders and locks; atomic writing is in file_writer.c. */
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"

enum { HOLE = 1 << 30 };

static int read_exactly(int descriptor, uint8_t *block, size_t bytes, size_t *got)
{
    *got = 0;
    while (*got < bytes) {
        const ssize_t count = read(descriptor, block + *got, bytes - *got);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return errno;
        if (count == 0) break;
        *got += (size_t)count;
    }
    return 0;
}

int file_refuse_special(const char *path, mode_t mode, struct error *error)
{
    if (S_ISREG(mode)) return SIMCLR_OK;
    if (S_ISDIR(mode)) return error_set(error, SIMCLR_IO, "%s: is a folder, but a file is needed", path);
    return error_set(error, SIMCLR_IO, "%s: is a %s, but a file is needed: write what comes out of it to a file first",
                     path,
                     S_ISFIFO(mode)   ? "pipe"
                     : S_ISSOCK(mode) ? "socket"
                                      : "device");
}

int file_open(const char *path, int flags, int *descriptor, struct stat *info, struct error *error)
{
    struct stat own;
    if (!info) info = &own;
    *descriptor = open(path, flags | O_CLOEXEC | O_NONBLOCK); /* to refuse a FIFO, not to wait for its other end */
    if (*descriptor < 0) return error_set(error, SIMCLR_IO, "%s: cannot open: %s", path, strerror(errno));
    int status = fstat(*descriptor, info) == 0
                     ? file_refuse_special(path, info->st_mode, error)
                     : error_set(error, SIMCLR_IO, "%s: cannot read: %s", path, strerror(errno));
    if (status == SIMCLR_OK) return SIMCLR_OK;
    close(*descriptor);
    *descriptor = -1;
    return status;
}

int file_append(const char *path, FILE **out, struct error *error)
{
    const int descriptor = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0666);
    if (descriptor >= 0) fcntl(descriptor, F_SETFL, O_APPEND); /* a pipe with a reader is waited for as usual */
    *out = descriptor >= 0 ? fdopen(descriptor, "a") : NULL;
    if (*out) return SIMCLR_OK;
    const int failure = errno;
    if (descriptor >= 0) close(descriptor);
    return error_set(error, SIMCLR_IO, "%s: cannot write: %s", path,
                     failure == ENXIO ? "it is a pipe or a device that nobody reads" : strerror(failure));
}

/* start_only: max_bytes of a longer file are enough. */
static int read_open_file(const char *path, int descriptor, const struct stat *info, size_t max_bytes, bool start_only,
                          uint8_t **out, size_t *bytes, struct error *error)
{
    size_t wanted = info->st_size < 0 ? SIZE_MAX : (size_t)info->st_size;
    if (start_only && wanted > max_bytes) wanted = max_bytes;
    if (wanted > max_bytes)
        return error_set(error, SIMCLR_DATA, "%s: has %lld bytes, more than the %zu that are accepted here", path,
                         (long long)info->st_size, max_bytes);
    if (wanted > HOLE && wanted > memory_of_machine())
        return error_no_memory(error, path, wanted); /* a hole may claim any size */
    uint8_t *block = memory_allocate(wanted + 1);
    if (block == NULL) return error_no_memory(error, path, wanted + 1);
    const int failure = read_exactly(descriptor, block, wanted, bytes);
    if (failure != 0) {
        memory_free(block);
        return error_set(error, SIMCLR_IO, "%s: cannot read: %s", path, strerror(failure));
    }
    *out = block;
    return SIMCLR_OK;
}

static int read_file(const char *path, size_t max_bytes, bool start_only, uint8_t **out, size_t *bytes,
                     struct error *error)
{
    *out = NULL;
    *bytes = 0;
    int descriptor = -1;
    struct stat info = {0};
    int status = file_open(path, O_RDONLY, &descriptor, &info, error);
    if (status) return status;
    status = read_open_file(path, descriptor, &info, max_bytes, start_only, out, bytes, error);
    close(descriptor);
    return status;
}

int file_read(const char *path, size_t max_bytes, uint8_t **out, size_t *bytes, struct error *error)
{
    return read_file(path, max_bytes, false, out, bytes, error);
}

int file_read_start(const char *path, size_t most, uint8_t **out, size_t *bytes, struct error *error)
{
    return read_file(path, most, true, out, bytes, error);
}

bool file_exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0;
}

bool file_is_folder(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

int file_look_at(const char *path, enum file_kind *out, struct error *error)
{
    struct stat info;
    const int failure = stat(path, &info) == 0 ? 0 : errno;
    *out = failure ? FILE_NONE : S_ISDIR(info.st_mode) ? FILE_FOLDER : FILE_OTHER;
    if (!failure || failure == ENOENT || failure == ENOTDIR || failure == ELOOP || failure == ENAMETOOLONG)
        return SIMCLR_OK;
    return error_set(error, SIMCLR_IO, "%s: cannot be looked at: %s", path, strerror(failure));
}

int file_find(const char *folder, const char *name, enum file_kind *out, struct error *error)
{
    char *path = file_join(folder, name);
    *out = FILE_NONE;
    if (!path) return error_no_memory(error, "a path", strlen(folder) + strlen(name) + 2);
    const int status = file_look_at(path, out, error);
    memory_free(path);
    return status;
}

int64_t file_size(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 ? (int64_t)info.st_size : -1;
}

int file_make_folder(const char *path, struct error *error)
{
    if (path[0] == '\0') return error_set(error, SIMCLR_IO, "cannot make a folder without a name: give a path");
    char *copy = memory_string(path);
    if (copy == NULL) return error_no_memory(error, "a path", strlen(path) + 1);
    int status = SIMCLR_OK;
    for (char *at = copy + 1; status == SIMCLR_OK; at++) {
        const char saved = *at;
        if (saved != '/' && saved != '\0') continue;
        *at = '\0';
        if (mkdir(copy, 0777) != 0) {
            const int reason = errno;
            if (!file_is_folder(copy))
                status = error_set(error, SIMCLR_IO, "%s: cannot make folder: %s", copy, strerror(reason));
        }
        *at = saved;
        if (saved == '\0') break;
    }
    memory_free(copy);
    return status;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool append_name(struct file_list *list, size_t *capacity, const char *name)
{
    if (list->count == *capacity) {
        const size_t larger = *capacity == 0 ? 64 : 2 * *capacity;
        char **names = memory_grow(list->names, list->count, larger, sizeof *names);
        if (names == NULL) return false;
        list->names = names;
        *capacity = larger;
    }
    char *copy = memory_string(name);
    if (copy == NULL) return false;
    list->names[list->count++] = copy;
    return true;
}

int file_list_folder(const char *path, struct file_list *out, struct error *error)
{
    return file_list_if_there(path, out, NULL, error);
}

int file_list_if_there(const char *path, struct file_list *out, bool *missing, struct error *error)
{
    *out = (struct file_list){0};
    DIR *folder = opendir(path);
    if (missing) *missing = !folder && (errno == ENOENT || errno == ENOTDIR);
    if (missing && *missing) return SIMCLR_OK;
    if (folder == NULL) return error_set(error, SIMCLR_IO, "%s: cannot list folder: %s", path, strerror(errno));
    size_t capacity = 0;
    int status = SIMCLR_OK;
    const struct dirent *entry;
    errno = 0;
    while (status == SIMCLR_OK && (entry = readdir(folder)) != NULL) {
        const bool listed = strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
        if (listed && !append_name(out, &capacity, entry->d_name))
            status = error_no_memory(error, "a list of files", out->count * sizeof *out->names);
        errno = 0;
    }
    if (status == SIMCLR_OK && errno != 0)
        status = error_set(error, SIMCLR_IO, "%s: cannot list folder: %s", path, strerror(errno));
    closedir(folder);
    if (status != SIMCLR_OK)
        file_list_free(out);
    else if (out->count > 1)
        qsort(out->names, out->count, sizeof *out->names, compare_names);
    return status;
}

void file_list_free(struct file_list *list)
{
    for (size_t i = 0; i < list->count; i++) memory_free(list->names[i]);
    memory_free(list->names);
    *list = (struct file_list){0};
}

char *file_join(const char *folder, const char *name)
{
    const size_t length = strlen(folder);
    const char *slash = length > 0 && folder[length - 1] != '/' ? "/" : "";
    const size_t bytes = length + strlen(slash) + strlen(name) + 1;
    char *path = memory_allocate(bytes);
    if (path != NULL) snprintf(path, bytes, "%s%s%s", folder, slash, name);
    return path;
}

int file_remove_part(const char *path, const char *part, const char *whole, struct error *error)
{
    if (unlink(path) == 0 || errno == ENOENT) return SIMCLR_OK;
    return error_set(error, SIMCLR_IO, "%s: it would be read as the %s of %s and cannot be removed: %s", path, part,
                     whole, strerror(errno));
}

char *file_beside(const char *path, const char *ending, const char *other)
{
    const size_t length = strlen(path), tail = strlen(ending), more = strlen(other) + 1;
    const size_t kept = length > tail && strcmp(path + length - tail, ending) == 0 ? length - tail : length;
    char *name = memory_allocate(kept + more);
    if (!name) return NULL;
    memcpy(name, path, kept);
    memcpy(name + kept, other, more);
    return name;
}

int file_lock_folder(const char *folder, int *lock, struct error *error)
{
    *lock = -1;
    char *path = file_join(folder, ".lock");
    if (path == NULL) return error_no_memory(error, "a path", strlen(folder) + 7);
    int status = SIMCLR_OK;
    const int descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (descriptor < 0) {
        status = error_set(error, SIMCLR_IO, "%s: cannot open: %s", path, strerror(errno));
    } else if (flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK)
            status = error_set(error, SIMCLR_BUSY,
                               "%s: in use by another process: wait for it or choose another folder", folder);
        else
            status = error_set(error, SIMCLR_IO, "%s: cannot lock: %s", path, strerror(errno));
        close(descriptor);
    } else {
        *lock = descriptor;
    }
    memory_free(path);
    return status;
}

bool file_is_locked_folder(const char *folder)
{
    char *path = file_join(folder, ".lock");
    const int descriptor = path ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;
    const bool locked = descriptor >= 0 && flock(descriptor, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    if (descriptor >= 0) close(descriptor);
    memory_free(path);
    return locked;
}

void file_unlock(int *lock)
{
    if (*lock >= 0) close(*lock); /* closing the last descriptor releases the flock */
    *lock = -1;
}
