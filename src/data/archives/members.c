/* data/archives/members.c -- see members.h; the file form is in members_file.c. */
#include "data/archives/members.h"

#include <string.h>

#include "base/memory.h"
#include "data/bytes/zip.h"

void members_free(struct members *members)
{
    catalog_free(&members->names);
    memory_free(members->at);
    labels_free(&members->labels);
    catalog_free(&members->others);
    memory_free(members->other);
    *members = (struct members){0};
}

int members_add(struct members *members, const char *name, size_t length, const struct member *at, struct error *error)
{
    if (members->names.count == members->room) {
        const size_t old = (size_t)members->room, larger = old == 0 ? 64 : 2 * old;
        struct member *grown = memory_grow(members->at, old, larger, sizeof *grown);
        if (grown == NULL) return error_no_memory(error, "the index of an archive", larger * sizeof *grown);
        members->at = grown;
        members->room = (int64_t)larger;
    }
    members->at[members->names.count] = *at;
    return catalog_add_joined(&members->names, "", 0, name, length, -1, error);
}

int members_add_other(struct members *members, const char *name, const struct member *at, struct error *error)
{
    if (members->others.count == members->other_room) {
        const size_t old = (size_t)members->other_room, larger = old == 0 ? 16 : 2 * old;
        struct member *grown = memory_grow(members->other, old, larger, sizeof *grown);
        if (grown == NULL) return error_no_memory(error, "the index of an archive", larger * sizeof *grown);
        members->other = grown;
        members->other_room = (int64_t)larger;
    }
    members->other[members->others.count] = *at;
    return catalog_add(&members->others, name, -1, error);
}

int members_append(struct members *all, const struct members *one, uint32_t file, struct error *error)
{
    const size_t texts = (size_t)one->labels.names.count;
    int32_t *id = memory_array(texts, sizeof *id);
    if (id == NULL) return error_no_memory(error, "the labels of an archive", texts * sizeof *id);
    int status = SIMCLR_OK;
    for (size_t i = 0; status == SIMCLR_OK && i < texts; i++) {
        const char *text = catalog_name(&one->labels.names, (int64_t)i);
        status = labels_intern(&all->labels, text, strlen(text), &id[i], error);
    }
    for (int64_t i = 0; status == SIMCLR_OK && i < one->names.count; i++) {
        struct member at = one->at[i];
        at.file |= file;
        const char *name = catalog_name(&one->names, i);
        status = members_add(all, name, strlen(name), &at, error);
        if (status == SIMCLR_OK && one->names.label[i] >= 0)
            all->names.label[all->names.count - 1] = id[one->names.label[i]];
    }
    for (int64_t i = 0; status == SIMCLR_OK && i < one->others.count; i++) {
        struct member at = one->other[i];
        at.file |= file;
        status = members_add_other(all, catalog_name(&one->others, i), &at, error);
    }
    memory_free(id);
    passed_merge(&all->passed, &one->passed);
    all->label_files += one->label_files;
    all->apart += one->apart;
    all->cut |= one->cut;
    return status;
}

int member_fetch(const struct blob *archive, bool zip, const struct member *member, const char *name, size_t at_most,
                 struct encoded *out, struct error *error)
{
    *out = (struct encoded){.count = member->size < at_most ? member->size : at_most, .total = member->size};
    out->whole = out->count == member->size;
    out->bytes = memory_allocate(out->count);
    if (!out->bytes) {
        const size_t count = out->count;
        *out = (struct encoded){0};
        return error_no_memory(error, name, count);
    }
    const struct zip_place place = {.offset = member->offset,
                                    .stored = member->stored,
                                    .size = member->size,
                                    .crc = member->crc,
                                    .deflated = (member->file & MEMBER_DEFLATED) != 0};
    const int status = zip ? zip_read(archive, &place, name, out->bytes, &out->count, error)
                           : blob_read_named(archive, member->offset, out->bytes, out->count, name, error);
    if (status == SIMCLR_OK) return SIMCLR_OK;
    memory_free(out->bytes);
    *out = (struct encoded){0};
    return status;
}

const char *members_clean_name(const char *name)
{
    while (name[0] == '/' || (name[0] == '.' && name[1] == '/')) name += name[0] == '/' ? 1 : 2;
    for (const char *part = name; *part != '\0';) {
        const size_t length = strcspn(part, "/");
        if (length > 0 && passed_is_hidden(part, length)) return NULL;
        part += length;
        while (*part == '/') part++;
    }
    return name[0] == '\0' ? NULL : name;
}

bool members_is_wanted(const char *name)
{
    const size_t length = strlen(name);
    return length > 4 && (strcmp(name + length - 4, ".bin") == 0 || strcmp(name + length - 4, ".txt") == 0 ||
                          strcmp(name + length - 4, ".mat") == 0);
}
