/* run/kept.c -- see kept.h. */
#include "run/kept.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "data/bytes/archive_cache.h"

static const char *const words[KEPT_KINDS] = {"features", "graph", "thumbnails"};
static const char *const formats[KEPT_KINDS] = {"simclr-features", "simclr-graph", "simclr-thumbnails"};
static const char *const sayings[KEPT_KINDS] = {"the features are", "the graph of neighbours is", "the thumbnails are"};
static const char END[] = ".safetensors";

/* ---- places ---------------------------------------------------------------------------------------------------- */

bool kept_is_possible(const struct session *session)
{
    return session->traits.keeps_features && session->config->feature_cache;
}

static void make_key(struct kept *kept, const struct text *description)
{
    struct digest digest = digest_open(DIGEST_SHA256);
    digest_add(&digest, description->bytes, description->length);
    digest_close(&digest, kept->key);
}

void kept_open(struct kept *out, const struct session *session, enum kept_kind kind, const struct text *description)
{
    struct text name = {0};
    *out = (struct kept){.kind = kind};
    if (!kept_is_possible(session) || description->failed) return;
    char *folder = archive_cache_folder(NULL);
    if (!folder) return;
    make_key(out, description);
    text_add(&name, "%s-%s%s", words[kind], out->key, END);
    if (!name.failed) out->path = file_join(folder, name.bytes);
    text_free(&name);
    if (out->path)
        out->folder = folder;
    else
        memory_free(folder);
}

void kept_close(struct kept *kept)
{
    memory_free(kept->folder);
    memory_free(kept->path);
    *kept = (struct kept){0};
}

/* ---- reading --------------------------------------------------------------------------------------------------- */

static bool metadata_is(const struct safetensors *file, const char *key, const char *value)
{
    const char *found = safetensors_metadata(file, key);
    return found && (!value || strcmp(found, value) == 0);
}

static bool is_ours(const struct safetensors *file, const struct kept *kept)
{
    return metadata_is(file, "format", formats[kept->kind]) && metadata_is(file, "key", kept->key) &&
           metadata_is(file, SAFETENSORS_CHECKSUM, NULL) && safetensors_verify(file, NULL) == SIMCLR_OK;
}

void kept_refuse(const struct kept *kept, const struct session *session)
{
    log_info(&session->log, "the feature cache is not used: %s: is damaged, or another file", kept->path);
}

bool kept_load(const struct kept *kept, const struct session *session, struct safetensors **out)
{
    struct error reason = {0};
    *out = NULL;
    if (!kept->path || !file_exists(kept->path)) return false;
    if (safetensors_open(out, kept->path, &reason)) {
        log_info(&session->log, "the feature cache is not used: %s", reason.text);
        return false;
    }
    if (!is_ours(*out, kept)) {
        kept_refuse(kept, session);
        safetensors_close(out);
        return false;
    }
    utimensat(AT_FDCWD, kept->path, NULL, 0); /* used now: the last to go */
    return true;
}

/* ---- writing --------------------------------------------------------------------------------------------------- */

struct kept_file {
    char *path;
    int64_t size;
    struct timespec used;
};

static int by_age(const void *a, const void *b)
{
    const struct timespec x = ((const struct kept_file *)a)->used, y = ((const struct kept_file *)b)->used;
    if (x.tv_sec != y.tv_sec) return x.tv_sec < y.tv_sec ? -1 : 1;
    return (x.tv_nsec > y.tv_nsec) - (x.tv_nsec < y.tv_nsec);
}

static bool is_kept_name(const char *name)
{
    const size_t length = strlen(name), digits = DIGEST_TEXT - 1, end = sizeof END - 1;
    for (int kind = 0; kind < KEPT_KINDS; kind++) {
        const size_t begin = strlen(words[kind]);
        if (length != begin + 1 + digits + end || memcmp(name, words[kind], begin) != 0 || name[begin] != '-') continue;
        return strspn(name + begin + 1, "0123456789abcdef") == digits && strcmp(name + length - end, END) == 0;
    }
    return false;
}

/* Removes what was not used for longest until `room` bytes are free of `limit`. */
static void make_room(const char *folder, int64_t room, int64_t limit)
{
    struct file_list list;
    if (file_list_folder(folder, &list, NULL)) return;
    struct kept_file *files = memory_array(list.count, sizeof *files);
    size_t count = 0;
    int64_t total = room;
    for (size_t i = 0; files && i < list.count; i++) {
        struct stat info;
        char *path = is_kept_name(list.names[i]) ? file_join(folder, list.names[i]) : NULL;
        if (path && lstat(path, &info) == 0 && S_ISREG(info.st_mode)) {
            files[count++] = (struct kept_file){path, info.st_size, info.st_mtim};
            total += info.st_size;
        } else {
            memory_free(path);
        }
    }
    if (count > 0) qsort(files, count, sizeof *files, by_age);
    for (size_t i = 0; i < count; i++) {
        if (total > limit && unlink(files[i].path) == 0) total -= files[i].size;
        memory_free(files[i].path);
    }
    memory_free(files);
    file_list_free(&list);
}

void kept_store(const struct kept *kept, const struct session *session, const struct safetensors_entry *entries,
                int count)
{
    struct error reason = {0};
    const int64_t limit = session->config->feature_cache_size;
    int64_t bytes = 0;
    if (!kept->path) return;
    for (int i = 0; i < count; i++) bytes += (int64_t)entries[i].bytes;
    if (bytes > limit) {
        log_info(&session->log, "%s not kept: %lld bytes are more than --feature-cache-size", sayings[kept->kind],
                 (long long)bytes);
        return;
    }
    const struct safetensors_pair metadata[] = {{"format", formats[kept->kind]}, {"key", kept->key}};
    int status = file_make_folder(kept->folder, &reason);
    if (!status) {
        file_sweep(kept->folder, NULL); /* what killed commands left: no other would meet it */
        make_room(kept->folder, bytes, limit);
        status = safetensors_write(kept->path, entries, count, metadata, 2, &reason);
    }
    if (status) log_info(&session->log, "%s not kept: %s", sayings[kept->kind], reason.text);
}
