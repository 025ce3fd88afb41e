/* base/file_writer.c -- atomic writing: a temporary file in the same folder, fsync, rename, fsync of the folder.
 *
 * A path that names a device or a pipe (/dev/stdout) is written directly: renaming over it would replace it. */
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"

struct file_writer {
    char *path;
    char *temporary; /* NULL: writing directly */
    FILE *stream;
    int failure; /* errno of the first write that failed */
};

enum { TEMPORARY_SUFFIX_MAX = 48, ATTEMPTS = 100 };

/* ---- temporary files: their names, and what killed processes left of them ---- */

/* Where ".tmp-<digits>-<digits>" begins at the end of a name; NULL: it does not. */
static const char *suffix_of(const char *name)
{
    static const char digits[] = "0123456789", mark[] = ".tmp-";
    const char *at = NULL;
    for (const char *next = strstr(name, mark); next; next = strstr(next + 1, mark)) at = next;
    if (!at) return NULL;
    const char *pid = at + sizeof mark - 1;
    const size_t first = strspn(pid, digits);
    if (first == 0 || pid[first] != '-') return NULL;
    const size_t second = strspn(pid + first + 1, digits);
    return second > 0 && pid[first + 1 + second] == '\0' ? at : NULL;
}

bool file_is_temporary(const char *name)
{
    return suffix_of(name) != NULL;
}

/* Nobody who writes has its lock: a killed process left it. Only regular files have one. */
static void remove_if_left(int folder, const char *name)
{
    struct stat info;
    const int descriptor = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
    if (descriptor < 0) return;
    if (fstat(descriptor, &info) == 0 && S_ISREG(info.st_mode) && flock(descriptor, LOCK_EX | LOCK_NB) == 0)
        unlinkat(folder, name, 0);
    close(descriptor);
}

/* `folder` is closed. */
static void sweep_folder(DIR *folder, const char *name)
{
    const size_t length = name ? strlen(name) : 0;
    for (const struct dirent *entry; folder && (entry = readdir(folder)) != NULL;) {
        const char *suffix = suffix_of(entry->d_name);
        if (!suffix || (name && (suffix != entry->d_name + length || memcmp(name, entry->d_name, length) != 0)))
            continue;
        remove_if_left(dirfd(folder), entry->d_name);
    }
    if (folder) closedir(folder);
}

void file_sweep(const char *folder, const char *name)
{
    sweep_folder(opendir(folder), name);
}

/* Those of the file at `path`. Without memory they stay for another time. */
static void sweep_beside(const char *path)
{
    char *folder = memory_string(path), *slash = folder ? strrchr(folder, '/') : NULL;
    const char *name = strrchr(path, '/');
    if (slash) slash[slash == folder] = '\0';
    if (folder) file_sweep(slash ? folder : ".", name ? name + 1 : path);
    memory_free(folder);
}

/* ---- writing ---- */

/* Is this file still there, and locked by us alone? A sweep may have met it before it was locked. */
static bool hold(int descriptor)
{
    struct stat info;
    if (flock(descriptor, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) return false;
    return fstat(descriptor, &info) == 0 && info.st_nlink > 0; /* without locks nothing is ever swept */
}

/* Opens "<path>.tmp-<pid>-<n>" exclusively. What a killed process left of the same file goes first. */
static int open_temporary(struct file_writer *writer)
{
    const size_t bytes = strlen(writer->path) + TEMPORARY_SUFFIX_MAX;
    writer->temporary = memory_allocate(bytes);
    if (writer->temporary == NULL) {
        errno = ENOMEM;
        return -1;
    }
    sweep_beside(writer->path);
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        snprintf(writer->temporary, bytes, "%s.tmp-%ld-%d", writer->path, (long)getpid(), attempt);
        const int descriptor = open(writer->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (descriptor < 0 && errno != EEXIST) return -1;
        if (descriptor >= 0 && hold(descriptor)) return descriptor;
        if (descriptor >= 0) close(descriptor);
        errno = EEXIST;
    }
    return -1;
}

static void writer_free(struct file_writer **writer)
{
    memory_free((*writer)->path);
    memory_free((*writer)->temporary);
    memory_free(*writer);
    *writer = NULL;
}

/* Is this the file that standard output goes to, as /dev/stdout is? */
static bool is_output(const struct stat *info)
{
    struct stat output;
    return fstat(STDOUT_FILENO, &output) == 0 && output.st_dev == info->st_dev && output.st_ino == info->st_ino;
}

/* Where the file is written: a link stays one, and what it leads to is replaced. errno where there is none. */
static int open_place(struct file_writer *writer, const char *path)
{
    struct stat info, link;
    const bool there = stat(path, &info) == 0, leads = there && lstat(path, &link) == 0 && S_ISLNK(link.st_mode);
    char *real = leads && S_ISREG(info.st_mode) ? realpath(path, NULL) : NULL;
    writer->path = memory_string(real ? real : path);
    free(real);
    if (writer->path == NULL) {
        errno = ENOMEM;
        return -1;
    }
    if (there && is_output(&info)) return fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0);
    if (there && !S_ISREG(info.st_mode)) return open(path, O_WRONLY | O_CLOEXEC);
    return open_temporary(writer);
}

int file_writer_open(struct file_writer **out, const char *path, struct error *error)
{
    *out = NULL;
    if (file_is_folder(path)) return error_set(error, SIMCLR_IO, "%s: is a folder, but a file is to be written", path);
    struct file_writer *writer = memory_allocate(sizeof *writer);
    if (writer == NULL) return error_no_memory(error, path, sizeof *writer);
    const int descriptor = open_place(writer, path);
    if (descriptor >= 0) writer->stream = fdopen(descriptor, "wb");
    if (writer->stream == NULL) {
        const int failure = errno;
        if (descriptor >= 0) {
            close(descriptor);
            if (writer->temporary != NULL) unlink(writer->temporary);
        }
        writer_free(&writer);
        return error_set(error, failure == ENOMEM ? SIMCLR_NO_MEMORY : SIMCLR_IO, "%s: cannot write: %s", path,
                         strerror(failure));
    }
    *out = writer;
    return SIMCLR_OK;
}

void file_writer_write(struct file_writer *writer, const void *bytes, size_t count)
{
    if (writer->failure == 0 && count > 0 && fwrite(bytes, 1, count, writer->stream) != count)
        writer->failure = errno != 0 ? errno : EIO;
}

void file_writer_patch(struct file_writer *writer, int64_t at, const void *bytes, size_t count)
{
    const bool there = writer->failure == 0 && fseeko(writer->stream, at, SEEK_SET) == 0;
    if (there) file_writer_write(writer, bytes, count);
    if (writer->failure == 0 && (!there || fseeko(writer->stream, 0, SEEK_END) != 0))
        writer->failure = errno != 0 ? errno : EIO;
}

bool file_writer_goes_back(const struct file_writer *writer)
{
    return writer->temporary != NULL;
}

FILE *file_writer_stream(struct file_writer *writer)
{
    return writer->stream;
}

/* A rename is durable only once the folder that holds the name is. Not every file system can sync a folder; there
 * nothing more can be done. */
static void sync_folder_of(const char *path)
{
    char *folder = memory_string(path);
    if (folder == NULL) return;
    char *slash = strrchr(folder, '/');
    if (slash != NULL) slash[slash == folder] = '\0';
    const int descriptor = open(slash == NULL ? "." : folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor >= 0) {
        fsync(descriptor);
        close(descriptor);
    }
    memory_free(folder);
}

int file_writer_commit(struct file_writer **writer_pointer, struct error *error)
{
    struct file_writer *writer = *writer_pointer;
    int failure = writer->failure;
    errno = 0;
    if (failure == 0 && (ferror(writer->stream) || fflush(writer->stream) != 0)) failure = errno != 0 ? errno : EIO;
    if (failure == 0 && writer->temporary != NULL && fsync(fileno(writer->stream)) != 0) failure = errno;
    errno = 0;
    if (fclose(writer->stream) != 0 && failure == 0) failure = errno != 0 ? errno : EIO;
    if (failure == 0 && writer->temporary != NULL && rename(writer->temporary, writer->path) != 0) failure = errno;
    int status = SIMCLR_OK;
    if (failure != 0) {
        if (writer->temporary != NULL) unlink(writer->temporary);
        status = error_set(error, SIMCLR_IO, "%s: cannot write: %s", writer->path, strerror(failure));
    } else if (writer->temporary != NULL) {
        sync_folder_of(writer->path);
    }
    writer_free(writer_pointer);
    return status;
}

void file_writer_abort(struct file_writer **writer)
{
    if (writer == NULL || *writer == NULL) return;
    fclose((*writer)->stream);
    if ((*writer)->temporary != NULL) unlink((*writer)->temporary);
    writer_free(writer);
}

int file_write_atomic(const char *path, const void *bytes, size_t count, struct error *error)
{
    struct file_writer *writer = NULL;
    const int status = file_writer_open(&writer, path, error);
    if (writer == NULL) return status;
    file_writer_write(writer, bytes, count);
    return file_writer_commit(&writer, error);
}
