/* Any bytes as a tar archive: refused with a sentence, or every image lies inside it. Its index survives being stored,
 * and a set can be made of it. How much of it is read at a time changes nothing. */
#include <stdio.h>
#include <string.h>

#include "base/checksum.h"
#include "base/memory.h"
#include "data/archives/index_tar.h"
#include "data/archives/layout.h"
#include "data/bytes/tar.h"
#include "fuzz.h"

long fuzz_accepted;

static void arrange(const struct members *members, int part)
{
    char *names[1] = {"fuzz.tar"};
    const struct layout_request request = {.path = "fuzz", .archive_names = names, .part = part};
    struct catalog catalog = {0};
    struct member *places = NULL;
    struct error error = {0};
    const int status = layout_arrange(members, &request, &catalog, &places, &error);
    FUZZ_CHECK(status == SIMCLR_OK || error.text[0] != '\0');
    for (int64_t i = 0; status == SIMCLR_OK && i < catalog.count; i++)
        FUZZ_CHECK(catalog.label[i] >= -1 && catalog.label[i] < catalog.classes);
    memory_free(places);
    catalog_free(&catalog);
}

static void store(const struct members *members, int64_t size)
{
    const struct blob_stamp stamp = {.size = size};
    struct members again;
    uint8_t *bytes;
    size_t count;
    FUZZ_CHECK(members_pack(members, &stamp, &bytes, &count, NULL) == SIMCLR_OK);
    FUZZ_CHECK(members_unpack(&again, &stamp, size, bytes, count, NULL) == SIMCLR_OK);
    FUZZ_CHECK(again.names.count == members->names.count && again.others.count == members->others.count);
    for (int64_t i = 0; i < again.names.count; i++) {
        FUZZ_CHECK(memcmp(&again.at[i], &members->at[i], sizeof again.at[i]) == 0);
        FUZZ_CHECK(strcmp(catalog_name(&again.names, i), catalog_name(&members->names, i)) == 0);
    }
    members_free(&again);
    memory_free(bytes);
}

/* Gives headers their right checksum, so that changes of other fields get through; not those whose checksum begins with
 * an X. */
static void seal_headers(uint8_t *bytes, size_t count)
{
    for (size_t at = 0; at + TAR_BLOCK <= count; at += TAR_BLOCK) {
        uint8_t *header = bytes + at;
        char text[8];
        unsigned sum = 0;
        if (memcmp(header + 257, "ustar", 5) != 0 || header[148] == 'X') continue;
        memset(header + 148, ' ', 8);
        for (int i = 0; i < TAR_BLOCK; i++) sum += header[i];
        snprintf(text, sizeof text, "%06o", sum & 0777777);
        memcpy(header + 148, text, 7);
    }
}

/* What a walk saw, as one number. */
static int note(void *context, const struct tar_member *member, struct error *error)
{
    uint64_t *seen = context;
    const int64_t place[3] = {member->offset, member->size, (int64_t)member->type};
    (void)error;
    *seen = hash64(member->name, strlen(member->name), hash64(place, sizeof place, *seen));
    return SIMCLR_OK;
}

/* A window that holds the archive and one that holds a header show the same. */
static void check_windows(const struct blob *blob)
{
    uint64_t seen[2] = {0, 0};
    struct tar_end end[2];
    int status[2];
    for (int i = 0; i < 2; i++)
        status[i] = tar_walk_window(blob, "fuzz", i == 0 ? TAR_BLOCK : 1 << 16, note, &seen[i], &end[i], NULL);
    FUZZ_CHECK(status[0] == status[1] && seen[0] == seen[1]);
    FUZZ_CHECK(end[0].cut == end[1].cut && end[0].joined_at == end[1].joined_at && end[0].left_at == end[1].left_at);
    FUZZ_CHECK(end[0].joined_at <= blob->size && end[0].left_at <= blob->size);
}

static void check(const uint8_t *bytes, size_t count)
{
    const struct blob blob = blob_of_memory(bytes, count);
    check_windows(&blob);
    struct members members = {0};
    struct error error = {0};
    if (index_tar(&members, &blob, "fuzz", &error) == SIMCLR_OK) {
        fuzz_accepted++;
        for (int64_t i = 0; i < members.names.count; i++) {
            const struct member *at = &members.at[i];
            FUZZ_CHECK(at->offset >= 0 && (size_t)at->offset <= count && at->stored <= count - (size_t)at->offset);
            FUZZ_CHECK(members.names.label[i] < members.labels.names.count);
        }
        store(&members, (int64_t)count);
        arrange(&members, 0);
        arrange(&members, 1);
    } else {
        FUZZ_CHECK(error.text[0] != '\0');
    }
    members_free(&members);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    uint8_t *copy = memory_allocate(count);
    memcpy(copy, bytes, count);
    seal_headers(copy, count);
    check(copy, count);
    memory_free(copy);
    return 0;
}
