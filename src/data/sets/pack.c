/* data/sets/pack.c -- reads raw packs. */
#include "data/sets/pack.h"

#include <stdio.h>
#include <string.h>

#include "base/checksum.h"
#include "base/file.h"
#include "base/memory.h"
#include "data/archives/shelf.h"
#include "data/names/class_names.h"
#include "data/sets/kind.h"

struct pack {
    struct blob blob;
    uint64_t images, index_at;
    uint8_t *index; /* [images][PACK_ENTRY_BYTES] */
    struct image_limits limits;
};

struct entry {
    uint64_t offset;
    uint32_t width, height, crc;
    int32_t label;
};

static uint64_t number(const uint8_t *bytes, int count)
{
    uint64_t value = 0;
    for (int i = count - 1; i >= 0; i--) value = value << 8 | bytes[i];
    return value;
}

static struct entry entry_of(const struct pack *pack, uint64_t item)
{
    const uint8_t *bytes = pack->index + item * PACK_ENTRY_BYTES;
    return (struct entry){number(bytes, 8), (uint32_t)number(bytes + 8, 4), (uint32_t)number(bytes + 12, 4),
                          (uint32_t)number(bytes + 20, 4), (int32_t)(uint32_t)number(bytes + 16, 4)};
}

/* ---- opening ---- */

static int pack_is(const struct set_place *place, bool *out, struct error *error)
{
    const struct shelf shelf = shelf_of_folder(place->path);
    if (place->folder) return shelf_has(&shelf, "train.pack", out, error);
    return kind_answer(out, kind_starts_with(place, PACK_MAGIC, 8));
}

static int pack_has_test(const char *path, bool *out, struct error *error)
{
    const struct shelf shelf = shelf_of_folder(path);
    const int status = shelf_has(&shelf, "train.pack", out, error);
    return status || !*out ? status : shelf_has(&shelf, "test.pack", out, error);
}

static int corrupt(const char *path, const char *what, struct error *error)
{
    return error_set(error, SIMCLR_CORRUPT, "%s: not a sound pack (%s); pack the set again", path, what);
}

/* The header's numbers, each checked against the file's size, so that what follows cannot overflow. */
static int read_header(struct pack *pack, const char *path, uint8_t header[PACK_HEADER_BYTES], struct error *error)
{
    const int status = blob_read_named(&pack->blob, 0, header, PACK_HEADER_BYTES, path, error);
    if (status != SIMCLR_OK) return status;
    if (memcmp(header, PACK_MAGIC, 8) != 0) return corrupt(path, "its first bytes are others", error);
    if (number(header + 8, 4) != PACK_VERSION)
        return error_set(error, SIMCLR_UNSUPPORTED, "%s: a pack of version %u, and this program reads version %d", path,
                         (unsigned)number(header + 8, 4), PACK_VERSION);
    if (number(header + 124, 4) != crc32c(header, 124)) return corrupt(path, "its header's checksum is another", error);
    const uint64_t size = (uint64_t)pack->blob.size, names_at = number(header + 32, 8), names = number(header + 40, 8);
    pack->images = number(header + 16, 8);
    pack->index_at = number(header + 24, 8);
    if (pack->images > UINT32_MAX - 1 || pack->index_at < PACK_HEADER_BYTES || pack->index_at > size ||
        names_at != pack->index_at + pack->images * PACK_ENTRY_BYTES || names_at > size || names != size - names_at ||
        names > (uint64_t)PACK_CLASSES_MAX * 4096 || number(header + 48, 4) > PACK_CLASSES_MAX)
        return corrupt(path, "its header does not fit the file", error);
    return pack->images > 0 ? SIMCLR_OK : error_set(error, SIMCLR_DATA, "%s: a pack without images", path);
}

static int add_images(struct pack *pack, struct catalog *catalog, const char *path, int classes, struct error *error)
{
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    int status = SIMCLR_OK;
    for (uint64_t i = 0; status == SIMCLR_OK && i < pack->images; i++) {
        const struct entry entry = entry_of(pack, i);
        const uint64_t bytes = 3 * (uint64_t)entry.width * entry.height;
        char name[320];
        if (entry.width < 1 || entry.height < 1 || entry.width > 65535 || entry.height > 65535 || entry.label < -1 ||
            entry.label >= classes || entry.offset < PACK_HEADER_BYTES || entry.offset > pack->index_at ||
            bytes > pack->index_at - entry.offset)
            return corrupt(path, "an image lies outside of it", error);
        snprintf(name, sizeof name, "%.255s/%llu", base, (unsigned long long)i);
        status = catalog_add(catalog, name, entry.label, error);
    }
    return status;
}

static int add_classes(struct catalog *catalog, const char *path, const char *names, size_t bytes, int classes,
                       struct error *error)
{
    size_t at = 0;
    int status = SIMCLR_OK;
    for (int i = 0; status == SIMCLR_OK && i < classes; i++) {
        const size_t length = strnlen(names + at, bytes - at);
        if (length == bytes - at) return corrupt(path, "its class names are cut", error);
        status = catalog_add_class(catalog, names + at, error);
        at += length + 1;
    }
    return status == SIMCLR_OK && at != bytes ? corrupt(path, "its class names do not fit", error) : status;
}

static int read_index(struct pack *pack, struct catalog *catalog, const char *path, struct error *error)
{
    uint8_t header[PACK_HEADER_BYTES] = {0};
    int status = read_header(pack, path, header, error);
    if (status != SIMCLR_OK) return status;
    const size_t bytes = (size_t)pack->images * PACK_ENTRY_BYTES, names = (size_t)number(header + 40, 8);
    const int classes = (int)number(header + 48, 4);
    catalog->stamp = hash64(header, sizeof header, 1); /* a checksum of checksums of pixels is in it */
    pack->index = memory_allocate(bytes + names);
    if (pack->index == NULL) return error_no_memory(error, "the index of a pack", bytes + names);
    status = blob_read_named(&pack->blob, (int64_t)pack->index_at, pack->index, bytes + names, path, error);
    if (status == SIMCLR_OK && crc32c(pack->index, bytes + names) != number(header + 60, 4))
        status = corrupt(path, "its index's checksum is another", error);
    if (status == SIMCLR_OK) status = add_images(pack, catalog, path, classes, error);
    if (status == SIMCLR_OK)
        status = add_classes(catalog, path, (const char *)pack->index + bytes, names, classes, error);
    return status;
}

/* ---- the source ---- */

static int pack_size(void *self, const struct catalog *catalog, int64_t item, int *width, int *height,
                     struct error *error)
{
    const struct pack *pack = self;
    const struct entry entry = entry_of(pack, (uint64_t)item);
    *width = (int)entry.width;
    *height = (int)entry.height;
    return image_check_size(entry.width, entry.height, &pack->limits, catalog_name(catalog, item), error);
}

static int pack_read(void *self, const struct catalog *catalog, int64_t item, struct image *storage,
                     struct error *error)
{
    const struct pack *pack = self;
    const struct entry entry = entry_of(pack, (uint64_t)item);
    const char *name = catalog_name(catalog, item);
    const size_t bytes = 3 * (size_t)entry.width * entry.height;
    int status = source_reserve(storage, (int)entry.width, (int)entry.height, error);
    if (status == SIMCLR_OK)
        status = blob_read_named(&pack->blob, (int64_t)entry.offset, storage->rgb, bytes, name, error);
    if (status == SIMCLR_OK && crc32c(storage->rgb, bytes) != entry.crc)
        status = error_set(error, SIMCLR_CORRUPT,
                           "%s: its checksum is another: the pack is damaged; pack the set again", name);
    return status;
}

static void pack_close(void *self)
{
    struct pack *pack = self;
    blob_close(&pack->blob);
    memory_free(pack->index);
    memory_free(pack);
}

int pack_open_blob(struct source *out, struct catalog *catalog, struct blob *blob, const char *path,
                   const struct image_limits *limits, struct error *error)
{
    struct pack *pack = memory_allocate(sizeof *pack);
    if (pack == NULL) return error_no_memory(error, "a reader of packs", sizeof *pack);
    pack->blob = *blob;
    pack->limits = *limits;
    *blob = (struct blob){.descriptor = -1};
    *out = (struct source){.self = pack, .size = pack_size, .read = pack_read, .close = pack_close};
    strcpy(catalog->what, "raw pack");
    return read_index(pack, catalog, path, error);
}

static int pack_open(struct source *out, struct catalog *catalog, const struct set_request *request,
                     struct error *error)
{
    const char *path = request->path;
    struct blob blob;
    char *file =
        file_is_folder(path) ? file_join(path, request->part ? "test.pack" : "train.pack") : memory_string(path);
    if (file == NULL) return error_no_memory(error, "a path", strlen(path) + 16);
    enum file_kind kind;
    blob = (struct blob){.descriptor = -1};
    int status = file_look_at(file, &kind, error);
    if (status == SIMCLR_OK && kind == FILE_NONE)
        status = error_set(error, SIMCLR_DATA, "%s: there is none: this pack has only the other part", file);
    if (status == SIMCLR_OK) status = blob_open(&blob, file, NULL, error);
    if (status == SIMCLR_OK) status = pack_open_blob(out, catalog, &blob, file, &request->config->limits, error);
    if (status == SIMCLR_OK) status = class_names_read(catalog, file, request->log, error);
    blob_close(&blob);
    memory_free(file);
    return status;
}

const struct set_kind pack_kind = {.name = "raw pack", .is = pack_is, .open = pack_open, .has_test = pack_has_test};
