/* Archives that are written: read back member by member, whole or not at all, and the same bytes whether a member is
 * given at once or comes by and by. */
#include "support/run.h"

#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "data/bytes/zip.h"
#include "data/bytes/zip_write.h"
#include "support/folder.h"
#include "support/no_memory.h"

static const char HEAD[] = "head", BODY[] = "of a body";

/* The first one while it is made. */
static int write_streamed(const char *path, struct error *error)
{
    struct zip_writer *writer;
    int status = zip_writer_open(&writer, path, error);
    if (!status) status = zip_writer_begin(writer, "one.npy", 4, 100, error);
    for (int i = 0; !status && i < 9; i++) zip_writer_put(writer, BODY + i, 1);
    if (!status) status = zip_writer_end(writer, HEAD, error);
    if (!status) status = zip_writer_begin(writer, "empty", 0, 0, error);
    if (!status) status = zip_writer_end(writer, NULL, error);
    if (!status) status = zip_writer_commit(&writer, error);
    zip_writer_abort(&writer);
    return status;
}

static int write_two(const char *path, struct error *error)
{
    struct zip_writer *writer;
    int status = zip_writer_open(&writer, path, error);
    if (!status) status = zip_writer_add(writer, "one.npy", HEAD, 4, BODY, 9, error);
    if (!status) status = zip_writer_add(writer, "empty", NULL, 0, NULL, 0, error);
    if (!status) status = zip_writer_commit(&writer, error);
    zip_writer_abort(&writer);
    return status;
}

struct seen {
    const struct blob *zip;
    int members;
};

static int look(void *context, const struct zip_member *member, struct error *error)
{
    struct seen *seen = context;
    uint8_t bytes[32];
    size_t count = (size_t)member->size;
    const struct zip_place place = {.offset = (int64_t)member->offset,
                                    .stored = (uint32_t)member->stored,
                                    .size = (uint32_t)member->size,
                                    .crc = member->crc};
    assert_int_equal(member->method, ZIP_STORED);
    assert_string_equal(member->name, seen->members ? "empty" : "one.npy");
    assert_int_equal(count, seen->members++ ? 0 : 13);
    assert_int_equal(zip_read(seen->zip, &place, member->name, bytes, &count, error), SIMCLR_OK);
    if (count > 0) assert_memory_equal(bytes, "headof a body", 13);
    return SIMCLR_OK;
}

static void members_come_back(void **state)
{
    (void)state;
    struct error error = {0};
    struct blob zip;
    uint8_t *bytes[2];
    size_t count[2];
    const char *paths[2] = {at("a.zip"), at("b.zip")};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(i ? write_streamed(paths[i], &error) : write_two(paths[i], &error), SIMCLR_OK);
        assert_int_equal(file_read(paths[i], 1 << 20, &bytes[i], &count[i], &error), SIMCLR_OK);
    }
    assert_int_equal(count[0], count[1]);
    assert_memory_equal(bytes[0], bytes[1], count[0]);
    for (int i = 0; i < 2; i++) memory_free(bytes[i]);
    assert_int_equal(blob_open(&zip, paths[0], NULL, &error), SIMCLR_OK);
    struct seen seen = {&zip, 0};
    assert_int_equal(zip_walk(&zip, paths[0], look, &seen, &error), SIMCLR_OK);
    assert_int_equal(seen.members, 2);
    blob_close(&zip);
}

static void what_is_too_large_is_refused(void **state)
{
    (void)state;
    struct error error = {0};
    struct zip_writer *writer;
    assert_int_equal(zip_writer_open(&writer, at("large.zip"), &error), SIMCLR_OK);
    /* Nothing of these bytes is read. */
    assert_int_equal(zip_writer_add(writer, "x", NULL, 0, BODY, (size_t)UINT32_MAX + 1, &error), SIMCLR_UNSUPPORTED);
    assert_non_null(strstr(error.text, "4 GiB"));
    zip_writer_abort(&writer);
    assert_null(writer);
    zip_writer_abort(&writer);
    assert_false(file_exists(at("large.zip")));
    assert_int_equal(zip_writer_open(&writer, at("no/such/folder.zip"), &error), SIMCLR_IO);
    assert_null(writer);
}

static int attempt(void *context, const char *path, bool *opened, struct error *error)
{
    (void)context;
    remove(path);
    const int status = write_two(path, error);
    *opened = status && file_exists(path);
    return status;
}

static void memory_may_run_out(void **state)
{
    (void)state;
    assert_true(no_memory_steps(attempt, NULL, at("scarce.zip")) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_come_back),
        cmocka_unit_test(what_is_too_large_is_refused),
        cmocka_unit_test(memory_may_run_out),
    };
    return run_cases(tests, make_folder, remove_folder);
}
