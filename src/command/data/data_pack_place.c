/* command/data/data_pack_place.c -- the folder that a pack is written to: what is there, whose it is, and what earlier
 * commands have left out of it. All parts are looked at before anything is removed or written. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "command/data/data_pack.h"
#include "data/names/class_names.h"

#define LEFT_ENDING "-left-out"

enum { NOTE_BYTES_MAX = 65536, LEFT_BYTES_MAX = 1 << 26 };

/* ---- whose files ------------------------------------------------------------------------------------------------- */

/* Would it be read as that part of a set in this folder? */
static bool belongs_to_part(const char *name, const char *part)
{
    const size_t length = strlen(part);
    return strncmp(name, part, length) == 0 && (name[length] == '-' || name[length] == '.') &&
           (strstr(name, ".tar") != NULL || strstr(name, ".pack") != NULL);
}

/* Is it called as this command calls what it writes, half-written or whole? Only such files are removed. */
static bool is_packed(const char *name, const char *part)
{
    static const char *const endings[] = {".tar", ".pack", ".pack.part", ".pack.index.part"};
    const size_t length = strlen(part), digits = name[length] == '-' ? strspn(name + length + 1, "0123456789") : 0;
    const char *rest = name + length + (digits >= 6 ? digits + 1 : 0);
    if (!belongs_to_part(name, part)) return false;
    for (size_t i = digits >= 6 ? 0 : 1; i < (digits >= 6 ? 1 : sizeof endings / sizeof *endings); i++) {
        const size_t tail = strlen(endings[i]);
        if (strncmp(rest, endings[i], tail) != 0) continue;
        if (rest[tail] == '\0' || strncmp(rest + tail, ".tmp-", 5) == 0) return true;
    }
    return false;
}

/* What a pack writes besides the images. */
static bool is_note(const char *name)
{
    return strncmp(name, ".pack-", 6) == 0 || strncmp(name, CLASS_NAMES_FILE, sizeof CLASS_NAMES_FILE - 1) == 0;
}

/* ---- is the source among them? ----------------------------------------------------------------------------------- */

static bool is_below(const char *inner, const char *outer)
{
    const size_t length = strlen(outer);
    return strncmp(inner, outer, length) == 0 && (inner[length] == '/' || outer[length - 1] == '/');
}

/* The folder of a file, or "."; new string (memory_free). */
static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = memory_string(slash ? path : ".");
    if (folder && slash) folder[slash == path ? 1 : slash - path] = '\0';
    return folder;
}

/* May files of a pack in `folder` be what `data` is read from? A folder has its archives in it or below. A file (or a
 * pattern of files) that is called like one of a pack has the others beside it. */
static bool is_source(const char *folder, const char *data)
{
    const bool set = file_is_folder(data);
    const char *slash = strrchr(data, '/'), *name = slash ? slash + 1 : data;
    if (!set && !belongs_to_part(name, "train") && !belongs_to_part(name, "test") && !strchr(name, '{')) return false;
    char *around = set ? memory_string(data) : folder_of(data);
    char *inner = realpath(folder, NULL), *outer = around ? realpath(around, NULL) : NULL;
    /* What cannot be told apart is not removed. */
    const bool source = !inner || !outer || strcmp(inner, outer) == 0 || (set && is_below(inner, outer));
    memory_free(around);
    free(inner);
    free(outer);
    return source;
}

/* ---- looking ----------------------------------------------------------------------------------------------------- */

/* What must be the same for going on: the images and all options that change a byte. */
static void describe(struct pack_place *place, const struct dataset *set)
{
    const struct config *config = place->config;
    text_add(&place->note,
             "images: %016" PRIx64 "\nformat: %s\ncodec: %s\nquality: %" PRId64 "\nshorter-side: %" PRId64
             "\nshard-images: %" PRId64 "\n",
             dataset_fingerprint(set), config->format, config->codec, config->quality, config->shorter_side,
             config->shard_images);
}

static char *note_path(const struct pack_place *place, const char *ending)
{
    char name[64];
    snprintf(name, sizeof name, ".pack-%s%s", place->part, ending);
    return file_join(place->config->out, name);
}

/* Compares with the note that an earlier command left. One that cannot be read is not "none". */
static int read_note(struct pack_place *place, struct error *error)
{
    uint8_t *found = NULL;
    size_t count = 0;
    char *path = note_path(place, "");
    if (!path) return error_no_memory(error, "a path", strlen(place->config->out));
    place->noted = file_exists(path);
    const int status = place->noted ? file_read(path, NOTE_BYTES_MAX, &found, &count, error) : SIMCLR_OK;
    place->same = !status && place->noted && count == place->note.length && count > 0 &&
                  memcmp(found, place->note.bytes, count) == 0;
    memory_free(found);
    memory_free(path);
    return status;
}

static int look_for_files(struct pack_place *place, struct error *error)
{
    struct file_list names;
    const int status = file_list_folder(place->config->out, &names, error);
    if (status) return status;
    for (size_t i = 0; i < names.count; i++) {
        if (file_is_temporary(names.names[i]) || !belongs_to_part(names.names[i], place->part)) continue;
        const bool ours = is_packed(names.names[i], place->part);
        if (ours ? place->files++ == 0 : place->strangers++ == 0)
            snprintf(ours ? place->example : place->stranger, sizeof place->example, "%.99s", names.names[i]);
    }
    file_list_free(&names);
    return SIMCLR_OK;
}

/* What is there may be gone on with, replaced where that is wished, or neither. */
static int judge(const struct pack_place *place, struct error *error)
{
    const char *out = place->config->out;
    if (place->strangers > 0)
        return error_set(error, SIMCLR_INVALID,
                         "%s: holds %s, which would be read as a part of the pack; move it away, or use another --out",
                         out, place->stranger);
    if (place->same) return SIMCLR_OK;
    if (!place->noted && place->files == 0) return SIMCLR_OK;
    if (!place->config->overwrite && place->noted)
        return error_set(
            error, SIMCLR_INVALID,
            "%s: holds a pack of other images or made with other options; use --overwrite or another --out", out);
    if (!place->config->overwrite)
        return error_set(error, SIMCLR_INVALID,
                         "%s: holds %s, which no pack here has begun (there is no .pack-%s); use another --out, or "
                         "--overwrite to remove it",
                         out, place->example, place->part);
    if (place->files > 0 && is_source(out, place->config->data))
        return error_set(error, SIMCLR_INVALID,
                         "%s: --overwrite would remove %s, which the images may be read from (--data %s); use another "
                         "--out",
                         out, place->example, place->config->data);
    return SIMCLR_OK;
}

int pack_place_look(struct pack_place *place, const struct config *config, const char *part, const struct dataset *set,
                    struct error *error)
{
    *place = (struct pack_place){.config = config, .part = part};
    if (set) describe(place, set);
    if (place->note.failed) return error_no_memory(error, "a note", 256);
    int status = read_note(place, error);
    if (!status) status = look_for_files(place, error);
    return status ? status : judge(place, error);
}

void pack_place_free(struct pack_place *place)
{
    text_free(&place->note);
    memory_free(place->left);
    *place = (struct pack_place){0};
}

/* ---- taking ------------------------------------------------------------------------------------------------------ */

static int remove_file(const char *folder, const char *name, struct error *error)
{
    char *path = file_join(folder, name);
    if (!path) return error_no_memory(error, "a path", strlen(folder));
    const bool gone = unlink(path) == 0 || errno == ENOENT;
    const int status =
        gone ? SIMCLR_OK : error_set(error, SIMCLR_IO, "%s: cannot be removed: %s", path, strerror(errno));
    memory_free(path);
    return status;
}

/* Removes what a killed command left half-written, or with `all` every file of the part. */
static int clean(const struct pack_place *place, bool all, struct error *error)
{
    struct file_list names;
    int status = file_list_folder(place->config->out, &names, error);
    if (status) return status;
    for (size_t i = 0; i < names.count && !status; i++) {
        const char *name = names.names[i];
        const bool ours = is_packed(name, place->part);
        if ((ours && all) || (file_is_temporary(name) && (ours || is_note(name))))
            status = remove_file(place->config->out, name, error);
    }
    file_list_free(&names);
    if (!status && all) {
        char left[64];
        snprintf(left, sizeof left, ".pack-%s" LEFT_ENDING, place->part);
        status = remove_file(place->config->out, left, error);
    }
    return status;
}

int pack_place_take(struct pack_place *place, struct error *error)
{
    int status = clean(place, !place->same, error);
    if (status || place->same) return status;
    char *path = note_path(place, "");
    if (!path) return error_no_memory(error, "a path", strlen(place->config->out));
    if (place->note.length > 0)
        status = file_write_atomic(path, place->note.bytes, place->note.length, error);
    else if (place->noted && unlink(path) != 0) /* the set has no such part */
        status = error_set(error, SIMCLR_IO, "%s: cannot be removed: %s", path, strerror(errno));
    memory_free(path);
    return status;
}

/* ---- what was left out ------------------------------------------------------------------------------------------- */

static int bad_line(const char *path, struct error *error)
{
    return error_set(error, SIMCLR_CORRUPT,
                     "%s: is not as this command has written it: remove it, or start again with --overwrite", path);
}

/* Lines of "shard count"; the last one for a shard counts. */
static int parse_left(struct pack_place *place, const char *path, char *text, struct error *error)
{
    char *rest = text;
    while (*rest != '\0') {
        char *end;
        const long long shard = strtoll(rest, &end, 10);
        if (end == rest || *end != ' ') return bad_line(path, error);
        rest = end + 1;
        const long long count = strtoll(rest, &end, 10);
        if (end == rest || *end != '\n' || shard < 0 || count < 0) return bad_line(path, error);
        rest = end + 1;
        if (shard >= place->shards || count > place->config->shard_images) return bad_line(path, error);
        place->left[shard] = count;
    }
    return SIMCLR_OK;
}

int pack_place_read_left(struct pack_place *place, int64_t shards, struct error *error)
{
    uint8_t *text = NULL;
    size_t count;
    char *path = note_path(place, LEFT_ENDING);
    place->left = memory_array((size_t)shards + 1, sizeof *place->left);
    place->shards = shards;
    int status = path && place->left ? SIMCLR_OK : error_no_memory(error, "a list of shards", (size_t)shards * 8);
    if (!status && file_exists(path)) {
        status = file_read(path, LEFT_BYTES_MAX, &text, &count, error);
        if (!status) status = parse_left(place, path, (char *)text, error);
    }
    memory_free(text);
    memory_free(path);
    return status;
}

int pack_place_note_left(struct pack_place *place, int64_t shard, int64_t count, struct error *error)
{
    if (place->left[shard] == count) return SIMCLR_OK;
    struct text text = {0};
    place->left[shard] = count;
    for (int64_t i = 0; i < place->shards; i++)
        if (place->left[i] > 0) text_add(&text, "%" PRId64 " %" PRId64 "\n", i, place->left[i]);
    char *path = note_path(place, LEFT_ENDING);
    const int status = !path || text.failed
                           ? error_no_memory(error, "a list of shards", text.capacity)
                           : file_write_atomic(path, text.length > 0 ? text.bytes : "", text.length, error);
    text_free(&text);
    memory_free(path);
    return status;
}
