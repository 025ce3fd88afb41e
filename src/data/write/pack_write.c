/* data/write/pack_write.c -- writes raw packs. Pixels go to PATH.part, their entries to PATH.index.part, so that a
 * writer that was killed is continued by the next. Index and header are put in place at the end, and only then the
 * name. */
#include "data/write/pack_write.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/checksum.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "data/sets/pack.h"

struct pack_writer {
    char *path, *part, *journal;
    FILE *pixels, *entries;
    uint64_t end;   /* of the pixels so far, aligned */
    int64_t images; /* entries, those of unusable images included */
};

static void put(uint8_t *bytes, int count, uint64_t value)
{
    for (int i = 0; i < count; i++) bytes[i] = (uint8_t)(value >> 8 * i);
}

static uint64_t get(const uint8_t *bytes, int count)
{
    uint64_t value = 0;
    for (int i = count - 1; i >= 0; i--) value = value << 8 | bytes[i];
    return value;
}

static uint64_t aligned(uint64_t place)
{
    return (place + PACK_ALIGN - 1) / PACK_ALIGN * PACK_ALIGN;
}

static int cannot_write(const struct pack_writer *writer, struct error *error)
{
    if (errno == ENOMEM) return error_no_memory(error, writer->part, BUFSIZ);
    return error_set(error, SIMCLR_IO, "%s: cannot write: %s; check the disk's space and run it again to go on",
                     writer->part, strerror(errno));
}

static int cannot_read(const char *path, struct error *error)
{
    return error_set(error, SIMCLR_IO,
                     "%s: cannot be read again (%s); what was packed stays, run it again to go on, or start again with "
                     "--overwrite",
                     path, errno ? strerror(errno) : "it is shorter than what was written");
}

static char *named(const char *path, const char *ending)
{
    struct text text = {0};
    text_add(&text, "%s%s", path, ending);
    char *name = text.failed ? NULL : memory_string(text.bytes);
    text_free(&text);
    return name;
}

/* Are the pixels of an entry there, with its checksum? SIMCLR_IO where they cannot be read. */
static int check_pixels(const struct pack_writer *writer, const uint8_t *entry, bool *right, struct error *error)
{
    uint8_t block[65536];
    const uint64_t offset = get(entry, 8), bytes = 3 * get(entry + 8, 4) * get(entry + 12, 4);
    uint32_t crc = 0;
    uint64_t left = bytes;
    *right = bytes == 0;
    if (*right) return SIMCLR_OK;
    if (offset != writer->end) return SIMCLR_OK;
    if (fseeko(writer->pixels, (off_t)offset, SEEK_SET) != 0) return cannot_read(writer->part, error);
    while (left > 0) {
        const size_t want = left < sizeof block ? (size_t)left : sizeof block;
        errno = 0;
        if (fread(block, 1, want, writer->pixels) != want)
            return ferror(writer->pixels) ? cannot_read(writer->part, error) : SIMCLR_OK;
        crc = crc32c_extend(crc, block, want);
        left -= want;
    }
    *right = crc == get(entry + 20, 4);
    return SIMCLR_OK;
}

/* Goes through the entries that an earlier writer left; keeps those whose pixels are there and right. The checksums of
 * all are read again: what a crash left of the last ones is not known otherwise. A failing disk is not taken for the
 * end: nothing is cut off then. */
static int resume(struct pack_writer *writer, int64_t *next, int64_t *unusable, struct error *error)
{
    uint8_t entry[PACK_ENTRY_BYTES];
    bool right = true;
    errno = 0;
    while (fread(entry, 1, sizeof entry, writer->entries) == sizeof entry) {
        const uint64_t bytes = 3 * get(entry + 8, 4) * get(entry + 12, 4);
        const int status = check_pixels(writer, entry, &right, error);
        if (status) return status;
        if (!right) break;
        if (bytes > 0) writer->end = aligned(writer->end + bytes);
        writer->images++;
        *unusable += bytes == 0;
        *next = (int64_t)get(entry + 24, 8) + 1;
        errno = 0;
    }
    if (ferror(writer->entries)) return cannot_read(writer->journal, error);
    if (ftruncate(fileno(writer->entries), (off_t)writer->images * PACK_ENTRY_BYTES) != 0 ||
        ftruncate(fileno(writer->pixels), (off_t)writer->end) != 0 ||
        fseeko(writer->entries, (off_t)writer->images * PACK_ENTRY_BYTES, SEEK_SET) != 0 ||
        fseeko(writer->pixels, (off_t)writer->end, SEEK_SET) != 0)
        return cannot_write(writer, error);
    return SIMCLR_OK;
}

int pack_writer_open(struct pack_writer **out, const char *path, int64_t *next, int64_t *unusable, struct error *error)
{
    struct pack_writer *writer = memory_allocate(sizeof *writer);
    *out = writer;
    *next = *unusable = 0;
    if (writer == NULL) return error_no_memory(error, "a writer of packs", sizeof *writer);
    writer->end = PACK_HEADER_BYTES;
    writer->path = memory_string(path);
    writer->part = named(path, ".part");
    writer->journal = named(path, ".index.part");
    int status = SIMCLR_OK;
    if (!writer->path || !writer->part || !writer->journal) {
        status = error_no_memory(error, "a path", strlen(path) + 16);
    } else {
        writer->pixels = fopen(writer->part, "a+e"); /* makes it if it is missing, keeps what is there */
        writer->entries = writer->pixels ? fopen(writer->journal, "a+e") : NULL;
        const bool there = writer->pixels && writer->entries;
        const int failure = errno;
        if (writer->pixels) fclose(writer->pixels);
        if (writer->entries) fclose(writer->entries);
        writer->pixels = there ? fopen(writer->part, "r+e") : NULL;
        writer->entries = writer->pixels ? fopen(writer->journal, "r+e") : NULL;
        if (!there) errno = failure;
        status =
            writer->pixels && writer->entries ? resume(writer, next, unusable, error) : cannot_write(writer, error);
    }
    if (status != SIMCLR_OK) pack_writer_close(out);
    return status;
}

int pack_writer_add(struct pack_writer *writer, int64_t number, const struct image *image, int label,
                    struct error *error)
{
    static const uint8_t zeros[PACK_ALIGN];
    uint8_t entry[PACK_ENTRY_BYTES] = {0};
    const size_t bytes = image != NULL ? 3 * (size_t)image->width * (size_t)image->height : 0;
    if (image != NULL) {
        put(entry, 8, writer->end);
        put(entry + 8, 4, (uint64_t)image->width);
        put(entry + 12, 4, (uint64_t)image->height);
        put(entry + 20, 4, crc32c(image->rgb, bytes));
    }
    put(entry + 16, 4, (uint32_t)label);
    put(entry + 24, 8, (uint64_t)number);
    const size_t padding = (size_t)(aligned(writer->end + bytes) - writer->end - bytes);
    if ((bytes > 0 && fwrite(image->rgb, 1, bytes, writer->pixels) != bytes) ||
        fwrite(zeros, 1, bytes > 0 ? padding : 0, writer->pixels) != (bytes > 0 ? padding : 0) ||
        fwrite(entry, 1, sizeof entry, writer->entries) != sizeof entry)
        return cannot_write(writer, error);
    if (bytes > 0) writer->end += bytes + padding;
    writer->images++;
    return SIMCLR_OK;
}

/* The pixels first: an entry must never be on the disk without them. */
int pack_writer_flush(struct pack_writer *writer, struct error *error)
{
    if (fflush(writer->pixels) != 0 || fsync(fileno(writer->pixels)) != 0 || fflush(writer->entries) != 0 ||
        fsync(fileno(writer->entries)) != 0)
        return cannot_write(writer, error);
    return SIMCLR_OK;
}

/* Index and class names behind the pixels, then the header before them. */
static int write_index(struct pack_writer *writer, const char *const *class_names, int classes, int64_t *images,
                       struct error *error)
{
    uint8_t header[PACK_HEADER_BYTES] = PACK_MAGIC, entry[PACK_ENTRY_BYTES];
    uint32_t crc = 0, width = 0, height = 0;
    uint64_t kept = 0, names = 0;
    rewind(writer->entries);
    for (int64_t i = 0; i < writer->images; i++) {
        errno = 0;
        if (fread(entry, 1, sizeof entry, writer->entries) != sizeof entry) return cannot_read(writer->journal, error);
        if (get(entry + 8, 4) == 0) continue; /* an image that could not be used */
        width = get(entry + 8, 4) > width ? (uint32_t)get(entry + 8, 4) : width;
        height = get(entry + 12, 4) > height ? (uint32_t)get(entry + 12, 4) : height;
        crc = crc32c_extend(crc, entry, sizeof entry);
        if (fwrite(entry, 1, sizeof entry, writer->pixels) != sizeof entry) return cannot_write(writer, error);
        kept++;
    }
    for (int i = 0; i < classes; i++) {
        const size_t length = strlen(class_names[i]) + 1;
        crc = crc32c_extend(crc, class_names[i], length);
        names += length;
        if (fwrite(class_names[i], 1, length, writer->pixels) != length) return cannot_write(writer, error);
    }
    put(header + 8, 4, PACK_VERSION);
    put(header + 12, 4, PACK_HEADER_BYTES);
    put(header + 16, 8, kept);
    put(header + 24, 8, writer->end);
    put(header + 32, 8, writer->end + kept * PACK_ENTRY_BYTES);
    put(header + 40, 8, names);
    put(header + 48, 4, (uint64_t)classes);
    put(header + 52, 4, width);
    put(header + 56, 4, height);
    put(header + 60, 4, crc);
    put(header + 124, 4, crc32c(header, 124));
    *images = (int64_t)kept;
    if (fseeko(writer->pixels, 0, SEEK_SET) != 0 || fwrite(header, 1, sizeof header, writer->pixels) != sizeof header)
        return cannot_write(writer, error);
    return SIMCLR_OK;
}

int pack_writer_commit(struct pack_writer **writer, const char *const *class_names, int classes, int64_t *images,
                       struct error *error)
{
    struct pack_writer *w = *writer;
    int status = pack_writer_flush(w, error);
    if (status == SIMCLR_OK) status = write_index(w, class_names, classes, images, error);
    if (status == SIMCLR_OK) status = pack_writer_flush(w, error);
    if (status == SIMCLR_OK && rename(w->part, w->path) != 0)
        status = error_set(error, SIMCLR_IO, "%s: cannot be given its name: %s", w->path, strerror(errno));
    if (status == SIMCLR_OK) unlink(w->journal);
    pack_writer_close(writer);
    return status;
}

void pack_writer_close(struct pack_writer **writer)
{
    struct pack_writer *w = *writer;
    if (w == NULL) return;
    if (w->pixels) fclose(w->pixels);
    if (w->entries) fclose(w->entries);
    memory_free(w->path);
    memory_free(w->part);
    memory_free(w->journal);
    memory_free(w);
    *writer = NULL;
}
