/* run/torch/torch.c -- see torch.h. */
#include "run/torch/torch.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "run/torch/archive.h"
#include "run/torch/tensors.h"
#include "run/torch/values.h"

struct torch_file {
    struct archive archive;
    uint8_t *pickle_bytes;
    struct torch_tensors tensors;
    char *path;
    const struct archive_member *kept; /* the storage that was read last */
    uint8_t *storage;
};

static void close_file(void *self)
{
    struct torch_file *file = self;
    archive_close(&file->archive);
    torch_tensors_free(&file->tensors);
    memory_free(file->pickle_bytes);
    memory_free(file->storage);
    memory_free(file->path);
    memory_free(file);
}

/* ---- opening ----------------------------------------------------------------------------------------------------- */

/* Files of the first versions say nothing: they are little-endian, as this program is. */
static int check_byte_order(const struct torch_file *file, struct error *error)
{
    const struct archive_member *member = archive_find(&file->archive, "byteorder", strlen("byteorder"));
    uint8_t *word;
    size_t count;
    if (!member) return SIMCLR_OK;
    const int status = archive_read(&file->archive, member, &word, &count, error);
    if (status) return status;
    const bool little = count == 6 && memcmp(word, "little", 6) == 0;
    memory_free(word);
    if (little) return SIMCLR_OK;
    return error_set(error, SIMCLR_CORRUPT,
                     "%s: its numbers are not little-endian: load and save it again on a machine that is", file->path);
}

/* The storage of a tensor, or NULL. */
static const struct archive_member *find_storage(const struct torch_file *file, const struct torch_tensor *tensor)
{
    char name[160];
    if (tensor->key.length > 120) return NULL;
    const int length = snprintf(name, sizeof name, "data/%.*s", (int)tensor->key.length,
                                (const char *)file->pickle_bytes + tensor->key.at);
    return archive_find(&file->archive, name, (size_t)length);
}

/* Every storage is there, and as long as the pickle says. */
static int check_storages(const struct torch_file *file, struct error *error)
{
    for (int i = 0; i < file->tensors.count; i++) {
        const struct torch_tensor *tensor = &file->tensors.tensors[i];
        const size_t size = torch_type_bytes(tensor->type);
        if (size == 0) continue;
        const struct archive_member *member = find_storage(file, tensor);
        if (!member)
            return error_set(error, SIMCLR_CORRUPT,
                             "%s: the storage of tensor %.160s is missing: the file is damaged, use another copy",
                             file->path, file->tensors.entries[i].name);
        if (!member->unread && member->place.size != (uint64_t)tensor->elements * size)
            return error_set(error, SIMCLR_CORRUPT,
                             "%s: the storage of tensor %.160s has %u bytes, not those of its elements: the file is "
                             "damaged, use another copy",
                             file->path, file->tensors.entries[i].name, (unsigned)member->place.size);
    }
    return SIMCLR_OK;
}

static int read_pickle(struct torch_file *file, struct error *error)
{
    const struct archive_member *member = archive_find(&file->archive, "data.pkl", strlen("data.pkl"));
    struct pickle pickle;
    size_t count;
    if (!member) return error_set(error, SIMCLR_CORRUPT, "%s: has no data.pkl", file->path);
    if (member->place.size > PICKLE_BYTES_MAX)
        return error_set(error, SIMCLR_CORRUPT,
                         "%s: its pickle has %u bytes, more than 64 MiB: save the state_dict alone", file->path,
                         (unsigned)member->place.size);
    int status = archive_read(&file->archive, member, &file->pickle_bytes, &count, error);
    if (!status) status = pickle_read(&pickle, file->pickle_bytes, count, file->path, error);
    if (status) return status;
    status = torch_tensors_find(&file->tensors, &pickle, file->path, error);
    pickle_free(&pickle);
    return status;
}

/* ---- values ------------------------------------------------------------------------------------------------------ */

static int load(void *self, const struct safetensors_entry *entry, void **data, struct error *error)
{
    struct torch_file *file = self;
    const struct torch_tensor *tensor = entry->owner;
    const struct archive_member *member = find_storage(file, tensor);
    size_t count;
    if (!member || torch_type_bytes(tensor->type) == 0)
        return error_set(error, SIMCLR_CORRUPT, "%s: tensor %.160s has values of a type that is not read", file->path,
                         entry->name);
    if (member != file->kept) {
        memory_free(file->storage);
        file->storage = NULL;
        file->kept = NULL;
        const int status = archive_read(&file->archive, member, &file->storage, &count, error);
        if (status) return status;
        file->kept = member;
    }
    *data = memory_allocate(entry->bytes);
    if (!*data) return error_no_memory(error, "a tensor", entry->bytes);
    torch_values(*data, file->storage, tensor, entry);
    return SIMCLR_OK;
}

static int read_file(struct torch_file *file, const struct blob *blob, const char *path, bool *found,
                     struct error *error)
{
    file->archive.blob = *blob;
    file->path = memory_string(path);
    if (!file->path) return error_no_memory(error, "a path", strlen(path));
    int status = archive_open(&file->archive, blob, file->path, found, error);
    if (status || !*found) return status;
    status = check_byte_order(file, error);
    if (!status) status = read_pickle(file, error);
    return status ? status : check_storages(file, error);
}

/* The blob is the file's afterwards, or closed. */
static int open_blob(struct safetensors **out, struct torch_told *told, struct blob blob, const char *path,
                     struct error *error)
{
    struct torch_file *file = memory_allocate(sizeof *file);
    bool found = false;
    if (!file) {
        blob_close(&blob);
        return error_no_memory(error, "a checkpoint", sizeof *file);
    }
    const int status = read_file(file, &blob, path, &found, error);
    if (status || !found) {
        close_file(file);
        return status;
    }
    struct torch_tensors *tensors = &file->tensors;
    for (int i = 0; i < tensors->count; i++) tensors->entries[i].owner = &tensors->tensors[i];
    told->globals = tensors->globals;
    memcpy(told->global_names, tensors->global_names, sizeof told->global_names);
    memcpy(told->running, tensors->running, sizeof told->running);
    const struct safetensors_source source = {file, load, close_file};
    return safetensors_from(out, tensors->entries, tensors->count, &source, path, error);
}

int torch_open(struct safetensors **out, struct torch_told *told, const char *path, struct error *error)
{
    struct blob blob;
    *out = NULL;
    *told = (struct torch_told){0};
    const int status = blob_open(&blob, path, NULL, error);
    return status ? status : open_blob(out, told, blob, path, error);
}

int torch_parse(struct safetensors **out, struct torch_told *told, const uint8_t *bytes, size_t count, const char *name,
                struct error *error)
{
    *out = NULL;
    *told = (struct torch_told){0};
    return open_blob(out, told, blob_of_memory(bytes, count), name, error);
}
