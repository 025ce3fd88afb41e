/* The index of a tar archive: found by walking, kept in the cache folder, believed only where it is whole and fresh. */
#include "unit/data/archive_support.h"

#include <fcntl.h>

#include "data/archives/members.h"

/* An archive whose index is worth keeping; its second image is called `second`. */
static void put_large_tar(const char *path, const char *second)
{
    struct text tar = {0};
    char *filler = memory_allocate(17 << 20);
    tar_add_jpeg(&tar, "a/1.jpg", 1);
    tar_add_text(&tar, "a/1.cls", "cat");
    tar_add_jpeg(&tar, second, 2);
    tar_add(&tar, "filler", filler, 17 << 20);
    memory_free(filler);
    tar_put(&tar, path);
}

/* The stored index is used when nothing has changed, and made again when the archive, or the index, has. */
static void stored_index(void **state)
{
    (void)state;
    struct kept_log *kept = memory_allocate(sizeof *kept);
    struct error error = {0};
    struct dataset *set;
    char cache[512], path[512], command[1200];
    snprintf(cache, sizeof cache, "%s", at("cache"));
    snprintf(path, sizeof path, "%s", at("stored.tar"));
    put_large_tar(path, "b/2.jpg");
    uint64_t fingerprint = 0;
    for (int i = 0; i < 2; i++) {
        if (open_logged(&set, path, DATASET_TRAIN, cache, kept, &error) != SIMCLR_OK) fail_msg("%s", error.text);
        if (i == 0) fingerprint = dataset_fingerprint(set);
        assert_true(fingerprint == dataset_fingerprint(set));
        assert_int_equal(dataset_label(set, 0), 0);
        expect_item(set, 1, "stored.tar/b/2.jpg", -1, 2);
        dataset_close(&set);
    }
    struct file_list files;
    assert_int_equal(file_list_folder(cache, &files, NULL), SIMCLR_OK);
    assert_int_equal(files.count, 1);
    /* A damaged index is not believed, and made anew. */
    char index[700];
    snprintf(index, sizeof index, "%s/%s", cache, files.names[0]);
    const int64_t whole = file_size(index);
    assert_int_equal(truncate(index, whole - 1), 0);
    if (open_logged(&set, path, DATASET_TRAIN, cache, kept, &error) != SIMCLR_OK) fail_msg("%s", error.text);
    assert_true(fingerprint == dataset_fingerprint(set));
    dataset_close(&set);
    assert_int_equal(file_size(index), whole);
    file_list_free(&files);
    /* Nor that of an archive which another one of the same size and modification time replaced, as `cp -p` does. */
    struct stat before, after;
    assert_int_equal(stat(path, &before), 0);
    put_large_tar(path, "c/2.jpg");
    const struct timespec times[2] = {before.st_atim, before.st_mtim};
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    assert_int_equal(stat(path, &after), 0);
    assert_true(after.st_size == before.st_size && after.st_mtim.tv_nsec == before.st_mtim.tv_nsec);
    if (open_logged(&set, path, DATASET_TRAIN, cache, kept, &error) != SIMCLR_OK) fail_msg("%s", error.text);
    expect_item(set, 1, "stored.tar/c/2.jpg", -1, 2);
    dataset_close(&set);
    /* Another state of the archive has an index of its own. */
    snprintf(command, sizeof command, "touch '%s'", path);
    assert_int_equal(system(command), 0);
    if (open_logged(&set, path, DATASET_TRAIN, cache, kept, &error) != SIMCLR_OK) fail_msg("%s", error.text);
    dataset_close(&set);
    assert_int_equal(file_list_folder(cache, &files, NULL), SIMCLR_OK);
    assert_int_equal(files.count, 3);
    file_list_free(&files);
    memory_free(kept);
}

static void packed_indices(void **state)
{
    (void)state;
    struct members members = {0}, again;
    const struct member at_member = {.offset = 512, .stored = 10, .size = 10};
    const struct blob_stamp stamp = {.size = 2048, .changed = {.tv_sec = 5, .tv_nsec = 7}};
    struct blob_stamp other = stamp;
    uint8_t *bytes;
    size_t count;
    assert_int_equal(members_add(&members, "x/1.jpg", 7, &at_member, NULL), SIMCLR_OK);
    assert_int_equal(labels_intern(&members.labels, "cat", 3, &members.names.label[0], NULL), SIMCLR_OK);
    assert_int_equal(members_add_other(&members, "train.bin", &(struct member){.offset = 1024, .stored = 1000}, NULL),
                     SIMCLR_OK);
    members.label_files = 3;
    members.joined_at = 1536;
    members.left_at = 2047;
    passed_add_file(&members.passed, "x/2.heic");
    assert_int_equal(members_pack(&members, &stamp, &bytes, &count, NULL), SIMCLR_OK);
    assert_int_equal(members_unpack(&again, &stamp, 2048, bytes, count, NULL), SIMCLR_OK);
    assert_string_equal(catalog_name(&again.names, 0), "x/1.jpg");
    assert_string_equal(catalog_name(&again.labels.names, again.names.label[0]), "cat");
    assert_memory_equal(again.at, &at_member, sizeof at_member);
    assert_int_equal(again.other[0].offset, 1024);
    assert_int_equal(again.label_files, 3);
    assert_true(again.joined_at == 1536 && again.left_at == 2047);
    assert_int_equal(again.passed.count[PASSED_FORMAT], 1);
    assert_string_equal(again.passed.ending[0].text, ".heic");
    members_free(&again);
    other.changed.tv_nsec++;
    assert_int_equal(members_unpack(&again, &other, 2048, bytes, count, NULL), SIMCLR_CORRUPT);
    assert_int_equal(members_unpack(&again, &stamp, 520, bytes, count, NULL), SIMCLR_CORRUPT); /* beyond the archive */
    for (size_t cut = 0; cut < count; cut++)
        assert_int_equal(members_unpack(&again, &stamp, 2048, bytes, cut, NULL), SIMCLR_CORRUPT);
    for (size_t i = 0; i < count; i++) {
        bytes[i] ^= 0x10;
        assert_int_equal(members_unpack(&again, &stamp, 2048, bytes, count, NULL), SIMCLR_CORRUPT);
        bytes[i] ^= 0x10;
    }
    memory_free(bytes);
    members_free(&members);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stored_index),
        cmocka_unit_test(packed_indices),
    };
    return run_cases(tests, support_open, remove_folder);
}
