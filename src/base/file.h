/* base/file.h -- files that are either whole or absent. */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/error.h"

/* Opens a regular file by open(2)'s `flags` (not O_CREAT); anything else is refused: a folder, and a pipe or a device,
 * which is never waited for. `info` may be NULL. SIMCLR_IO; *descriptor is -1 then. */
int file_open(const char *path, int flags, int *descriptor, struct stat *info, struct error *error);

/* SIMCLR_IO, with what it is, for what is no regular file; `mode` is of stat. */
int file_refuse_special(const char *path, mode_t mode, struct error *error);

/* fopen for appending, made if missing. Never waits for the reader of a pipe. */
int file_append(const char *path, FILE **out, struct error *error);

/* Reads a whole regular file of at most max_bytes into a new block (memory_free), with one NUL byte after
 * the end that is not counted. SIMCLR_IO when missing or unreadable, SIMCLR_DATA when larger. */
int file_read(const char *path, size_t max_bytes, uint8_t **out, size_t *bytes, struct error *error);

/* The first bytes of a regular file, at most `most`: a new block as above. */
int file_read_start(const char *path, size_t most, uint8_t **out, size_t *bytes, struct error *error);

bool file_exists(const char *path);
bool file_is_folder(const char *path);

/* What `folder` has under this name. "There is none" and "it could not be looked at" are different answers: SIMCLR_IO
 * for the second. */
enum file_kind { FILE_NONE, FILE_FOLDER, FILE_OTHER };
int file_find(const char *folder, const char *name, enum file_kind *out, struct error *error);
/* The same for a path. */
int file_look_at(const char *path, enum file_kind *out, struct error *error);

int64_t file_size(const char *path); /* -1 when missing */

/* mkdir -p. */
int file_make_folder(const char *path, struct error *error);

/* The names in a folder (not . and ..), sorted by bytes; release with file_list_free. */
struct file_list {
    char **names;
    size_t count;
};
int file_list_folder(const char *path, struct file_list *out, struct error *error);
/* The same; *missing, and no failure, where there is no such folder. A folder that is there and cannot be listed is
 * SIMCLR_IO: it must not be taken for none. */
int file_list_if_there(const char *path, struct file_list *out, bool *missing, struct error *error);
void file_list_free(struct file_list *list);

/* Joins "folder/name" into a new string (memory_free); NULL when there is no memory. */
char *file_join(const char *folder, const char *name);

/* The name of a file beside `path`: "dir/features.npy" with ".npy" and ".txt" gives "dir/features.txt"; a name without
 * that ending gets the other behind it. memory_free; NULL without memory. */
char *file_beside(const char *path, const char *ending, const char *other);

/* Atomic writing: everything goes to a temporary name in the same folder; commit flushes, fsyncs, renames and
 * fsyncs the folder; abort (or a failed commit) removes it. Every write's failure (disk full) is remembered
 * and reported by commit.
 *
 * The temporary name is that of the file with ".tmp-<pid>-<n>". Whoever writes it holds its lock. What a killed process
 * left is therefore known, and goes when the same file is written again. */
struct file_writer;
int file_writer_open(struct file_writer **out, const char *path, struct error *error);
void file_writer_write(struct file_writer *writer, const void *bytes, size_t count);
/* Writes over `count` bytes that begin `at` bytes into the file and were written before. What comes next goes to its
 * end. Where it cannot go back (a pipe or a device), commit fails. */
void file_writer_patch(struct file_writer *writer, int64_t at, const void *bytes, size_t count);
bool file_writer_goes_back(const struct file_writer *writer);
FILE *file_writer_stream(struct file_writer *writer); /* for fprintf; same stream */
int file_writer_commit(struct file_writer **writer, struct error *error);
void file_writer_abort(struct file_writer **writer);

/* The three calls above for contents already in memory. */
int file_write_atomic(const char *path, const void *bytes, size_t count, struct error *error);

/* Removes a file, if it is there, that would be taken for a part of `whole`: "labels" of it, for instance. SIMCLR_IO.
 */
int file_remove_part(const char *path, const char *part, const char *whole, struct error *error);

/* Whether a name has the form of such a temporary file's. */
bool file_is_temporary(const char *name);
/* Removes temporary files in `folder` that nobody writes any more: those of the file `name`, or all (NULL). */
void file_sweep(const char *folder, const char *name);

/* flock on `folder`/.lock: SIMCLR_BUSY when another process holds it. Released by file_unlock or by exit. */
int file_lock_folder(const char *folder, int *lock, struct error *error);
void file_unlock(int *lock);
/* Whether another process holds that lock. Writes nothing. */
bool file_is_locked_folder(const char *folder);

#endif
