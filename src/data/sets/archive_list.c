/* data/sets/archive_list.c -- see archive_list.h. */
#include "data/sets/archive_list.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/memory.h"
#include "data/names/passed.h"
#include "data/names/source.h"
#include "data/sets/imagenet.h"

static bool ends_with(const char *name, const char *ending)
{
    const size_t length = strlen(name), count = strlen(ending);
    if (length <= count) return false;
    for (size_t i = 0; i < count; i++) {
        const char letter = name[length - count + i];
        if ((letter >= 'A' && letter <= 'Z' ? letter - 'A' + 'a' : letter) != ending[i]) return false;
    }
    return true;
}

enum archive_ending archive_ending_of(const char *name)
{
    static const char *const others[] = {".zip", ".tgz", ".tar.gz", ".tar.zst"};
    if (name[0] == '.') return ARCHIVE_NONE;
    if (ends_with(name, ".tar")) return ARCHIVE_TAR;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (ends_with(name, others[i])) return ARCHIVE_OTHER;
    return ARCHIVE_NONE;
}

static enum part_word word_of(const char *name)
{
    const int part = imagenet_part_of(name);
    return part == 0 ? PART_TRAIN : part == 1 ? PART_VALIDATION : part_word_of_file(name);
}

static int add(struct archive_list *list, const char *folder, const char *name, enum part_word word,
               struct error *error)
{
    if (list->count == list->room) {
        const int larger = list->room == 0 ? 16 : 2 * list->room;
        struct listed_archive *grown =
            memory_grow(list->archive, (size_t)list->count, (size_t)larger, sizeof *list->archive);
        if (!grown) return error_no_memory(error, "a list of archives", (size_t)larger * sizeof *grown);
        list->archive = grown;
        list->room = larger;
    }
    char *path = file_join(folder, name);
    if (!path) return error_no_memory(error, "a path", strlen(folder) + strlen(name) + 2);
    if (!word) word = word_of(name);
    list->archive[list->count++] = (struct listed_archive){path, word};
    list->has[word] = true;
    return SIMCLR_OK;
}

/* Archives of the other kinds beside those of one kind. Those of ImageNet have their own rules. */
static int add_unwanted(struct archive_list *list, const char *folder, const char *name, struct error *error)
{
    if (archive_ending_of(name) == ARCHIVE_NONE || strstr(name, "devkit") || imagenet_is_other(name)) return SIMCLR_OK;
    if (list->unwanted++ > 0) return SIMCLR_OK;
    list->first_unwanted = file_join(folder, name);
    return list->first_unwanted ? SIMCLR_OK : error_no_memory(error, "a path", strlen(folder) + strlen(name) + 2);
}

static int read_folder(struct archive_list *list, const char *path, enum part_word word, archive_filter *wanted,
                       struct error *error);

/* A folder in the set's folder; `word`: what our own folder's name says. */
static int take_folder(struct archive_list *list, const char *path, const char *name, enum part_word word,
                       archive_filter *wanted, struct error *error)
{
    const enum part_word own = part_word_of(name, strlen(name));
    if (strcmp(name, "ILSVRC2012_devkit_t12") == 0) return SIMCLR_OK; /* ImageNet's, unpacked: labels, no images */
    list->other |= word || !own;
    if (list->other) return SIMCLR_OK;
    char *full = file_join(path, name);
    if (!full) return error_no_memory(error, "a path", strlen(path) + strlen(name) + 2);
    const int status = read_folder(list, full, own, wanted, error);
    memory_free(full);
    return status;
}

/* Stops as soon as something else is found: a flat folder of a million images is told by its first one. */
static int read_folder(struct archive_list *list, const char *path, enum part_word word, archive_filter *wanted,
                       struct error *error)
{
    DIR *folder = opendir(path);
    const struct dirent *entry = NULL;
    int status = SIMCLR_OK;
    if (!folder) return error_set(error, SIMCLR_IO, "%s: cannot list folder: %s", path, strerror(errno));
    errno = 0;
    while (!status && !list->other && (entry = readdir(folder))) {
        struct stat info;
        const char *name = entry->d_name;
        errno = 0;
        if (passed_is_hidden(name, strlen(name))) continue;
        if (source_is_image_name(name))
            list->other = true;
        else if (entry->d_type != DT_REG && fstatat(dirfd(folder), name, &info, 0) == 0 && S_ISDIR(info.st_mode))
            status = take_folder(list, path, name, word, wanted, error);
        else
            status = wanted(name) ? add(list, path, name, word, error) : add_unwanted(list, path, name, error);
        errno = 0;
    }
    if (!status && !entry && !list->other && errno != 0)
        status = error_set(error, SIMCLR_IO, "%s: cannot list folder: %s", path, strerror(errno));
    closedir(folder);
    return status;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct listed_archive *)a)->path, ((const struct listed_archive *)b)->path);
}

int archive_list_read(struct archive_list *out, const char *path, archive_filter *wanted, struct error *error)
{
    *out = (struct archive_list){0};
    const int status = read_folder(out, path, PART_NONE, wanted, error);
    if (status) archive_list_free(out);
    if (out->count > 1) qsort(out->archive, (size_t)out->count, sizeof *out->archive, by_path);
    return status;
}

void archive_list_free(struct archive_list *list)
{
    for (int i = 0; i < list->count; i++) memory_free(list->archive[i].path);
    memory_free(list->archive);
    memory_free(list->first_unwanted);
    *list = (struct archive_list){0};
}

bool archive_list_is_divided(const struct archive_list *list)
{
    return list->has[PART_TRAIN] && (list->has[PART_VALIDATION] || list->has[PART_TEST]);
}

enum part_word archive_list_test_word(const struct archive_list *list)
{
    return list->has[PART_TEST] ? PART_TEST : PART_VALIDATION;
}

/* What of `whole`, a path in the folder `path`, comes after the folder. */
static const char *inside(const char *whole, const char *path)
{
    whole += strlen(path);
    return whole + (*whole == '/');
}

void archive_list_pass_over(const struct archive_list *list, const char *path, int part, enum part_word test,
                            struct passed *passed)
{
    const bool divided = archive_list_is_divided(list);
    for (int i = 0; divided && i < list->count; i++) {
        const enum part_word word = list->archive[i].word;
        if (part == 0 ? word == PART_NONE : word != PART_NONE && word != PART_TRAIN && word != test)
            passed_add(passed, PASSED_OUTSIDE, inside(list->archive[i].path, path));
    }
    if (part == 0 && list->unwanted > 0)
        passed_add_many(passed, PASSED_OUTSIDE, list->unwanted, inside(list->first_unwanted, path));
}
