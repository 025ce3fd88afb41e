/* Files: whole or absent; folders; locks between processes. */
#include "support/run.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "support/folder.h"

static size_t names_in_folder(void)
{
    struct file_list list;
    assert_int_equal(file_list_folder(folder, &list, NULL), SIMCLR_OK);
    const size_t count = list.count;
    file_list_free(&list);
    return count;
}

static void write_and_read(void **state)
{
    (void)state;
    char *path = file_join(folder, "a.bin");
    uint8_t *bytes;
    size_t count;
    struct error error;
    assert_int_equal(file_write_atomic(path, "first\0second", 12, &error), SIMCLR_OK);
    assert_int_equal(file_write_atomic(path, "hello\0", 6, &error), SIMCLR_OK);
    assert_int_equal(names_in_folder(), 1);
    assert_int_equal(file_size(path), 6);
    assert_int_equal(file_read(path, 6, &bytes, &count, &error), SIMCLR_OK);
    assert_int_equal(count, 6);
    assert_memory_equal(bytes, "hello\0\0", 7); /* and one NUL after the end */
    memory_free(bytes);
    assert_int_equal(file_read(path, 5, &bytes, &count, &error), SIMCLR_DATA);
    assert_null(bytes);
    assert_non_null(strstr(error.text, "a.bin"));
    assert_int_equal(file_read(folder, 100, &bytes, &count, &error), SIMCLR_IO);
    unlink(path);
    assert_int_equal(file_read(path, 100, &bytes, &count, &error), SIMCLR_IO);
    assert_int_equal(file_size(path), -1);
    assert_false(file_exists(path));
    mkfifo(path, 0600);
    assert_int_equal(file_read(path, 100, &bytes, &count, &error), SIMCLR_IO); /* refused, not waited for */
    assert_non_null(strstr(error.text, "is a pipe, but a file is needed"));
    FILE *file;
    assert_int_equal(file_append(path, &file, &error), SIMCLR_IO);
    assert_non_null(strstr(error.text, "nobody reads"));
    unlink(path);
    assert_int_equal(file_read("/dev/null", 100, &bytes, &count, &error), SIMCLR_IO);
    assert_non_null(strstr(error.text, "is a device"));
    for (int i = 0; i < 2; i++) { /* makes the file, and goes on with it */
        assert_int_equal(file_append(path, &file, &error), SIMCLR_OK);
        fputs("ab", file);
        fclose(file);
    }
    assert_int_equal(file_size(path), 4);
    unlink(path);
    memory_free(path);
}

/* Of a file that is long, and of one that is not; the rest of a long one is not asked for. */
static void starts_are_read(void **state)
{
    (void)state;
    char *path = file_join(folder, "long.bin");
    uint8_t *bytes;
    size_t count;
    assert_int_equal(file_write_atomic(path, "0123456789", 10, NULL), SIMCLR_OK);
    assert_int_equal(truncate(path, (off_t)1 << 43), 0); /* a hole */
    assert_int_equal(file_read_start(path, 12, &bytes, &count, NULL), SIMCLR_OK);
    assert_int_equal(count, 12);
    assert_memory_equal(bytes, "0123456789\0\0", 13);
    memory_free(bytes);
    assert_int_equal(file_read(path, SIZE_MAX / 2, &bytes, &count, NULL), SIMCLR_NO_MEMORY); /* nor allocated */
    assert_int_equal(truncate(path, 3), 0);
    assert_int_equal(file_read_start(path, 12, &bytes, &count, NULL), SIMCLR_OK);
    assert_int_equal(count, 3);
    memory_free(bytes);
    unlink(path);
    memory_free(path);
}

static void touch_name(const char *name)
{
    char *path = file_join(folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fclose(file);
    memory_free(path);
}

/* What a killed process left goes when the same file is written again; what somebody writes, and what only looks alike,
 * stays. */
static void leftovers_are_swept(void **state)
{
    (void)state;
    static const char *const others[] = {"a.bin.tmp-1",       "a.bin.tmp-1-",  "a.bin.tmp-x-1",
                                         "a.bin.tmp-1-1.bak", "b.bin.tmp-1-0", "a.bin.tmp-1-0.tmp-2-0"};
    char *path = file_join(folder, "a.bin");
    struct file_writer *writing;
    touch_name("a.bin.tmp-1-0");
    touch_name("a.bin.tmp-4194303-99");
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) touch_name(others[i]);
    assert_int_equal(file_writer_open(&writing, path, NULL), SIMCLR_OK);
    assert_int_equal(names_in_folder(), 7);                             /* the two are gone, ours is new */
    assert_int_equal(file_write_atomic(path, "x", 1, NULL), SIMCLR_OK); /* beside it, by a name of its own */
    assert_int_equal(names_in_folder(), 8);
    assert_int_equal(file_writer_commit(&writing, NULL), SIMCLR_OK);
    assert_int_equal(file_size(path), 0);
    file_sweep(folder, NULL);
    assert_int_equal(names_in_folder(), 5); /* those of every file */
    assert_true(file_is_temporary("a.bin.tmp-12-0") && !file_is_temporary("a.bin.tmp-12") && !file_is_temporary("tmp"));
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        char *other = file_join(folder, others[i]);
        unlink(other);
        memory_free(other);
    }
    unlink(path);
    memory_free(path);
}

/* None, and one that cannot be listed, are two answers. */
static void a_missing_folder_is_no_failure(void **state)
{
    (void)state;
    struct file_list list;
    bool missing = false;
    char *path = file_join(folder, "loop");
    struct error error;
    assert_int_equal(file_list_if_there(path, &list, &missing, &error), SIMCLR_OK);
    assert_true(missing && list.count == 0);
    assert_int_equal(file_list_folder(path, &list, &error), SIMCLR_IO);
    assert_int_equal(symlink("loop", path), 0); /* ELOOP: for root too */
    assert_int_equal(file_list_if_there(path, &list, &missing, &error), SIMCLR_IO);
    assert_false(missing);
    assert_non_null(strstr(error.text, "cannot list"));
    unlink(path);
    memory_free(path);
}

static void abort_leaves_nothing(void **state)
{
    (void)state;
    char *path = file_join(folder, "b.bin");
    struct file_writer *writer;
    struct error error;
    assert_int_equal(file_writer_open(&writer, path, &error), SIMCLR_OK);
    fprintf(file_writer_stream(writer), "%d", 42);
    file_writer_abort(&writer);
    assert_null(writer);
    file_writer_abort(&writer);
    assert_int_equal(names_in_folder(), 0);
    assert_int_equal(file_write_atomic(path, "old", 3, &error), SIMCLR_OK);
    assert_int_equal(file_writer_open(&writer, path, &error), SIMCLR_OK);
    file_writer_write(writer, "new", 3);
    assert_int_equal(names_in_folder(), 2);
    file_writer_abort(&writer);
    uint8_t *bytes;
    size_t count;
    assert_int_equal(file_read(path, 100, &bytes, &count, &error), SIMCLR_OK);
    assert_memory_equal(bytes, "old", 4);
    memory_free(bytes);
    unlink(path);
    memory_free(path);
}

static void failing_disk_is_reported(void **state)
{
    (void)state;
    struct error error = {0};
    if (file_exists("/dev/full")) {
        char block[10000] = {0}; /* more than one stdio buffer, so that the write itself fails */
        assert_int_equal(file_write_atomic("/dev/full", block, sizeof block, &error), SIMCLR_IO);
        assert_non_null(strstr(error.text, strerror(ENOSPC)));
        assert_int_equal(file_write_atomic("/dev/full", "x", 1, &error), SIMCLR_IO); /* only the flush fails */
        assert_true(file_exists("/dev/full"));
        struct stat info;
        assert_int_equal(stat("/dev/full", &info), 0);
        assert_true(S_ISCHR(info.st_mode)); /* a device is written to, never replaced */
    }
    assert_int_equal(file_write_atomic("/nowhere/at/all", "x", 1, &error), SIMCLR_IO);
    assert_non_null(strstr(error.text, "/nowhere/at/all"));
    assert_int_equal(file_write_atomic(folder, "x", 1, &error), SIMCLR_IO);
    char *path = file_join(folder, "gone/c.bin");
    char *parent = file_join(folder, "gone");
    struct file_writer *writer;
    assert_int_equal(mkdir(parent, 0700), 0);
    assert_int_equal(file_writer_open(&writer, path, &error), SIMCLR_OK);
    file_writer_write(writer, "x", 1);
    char command[200];
    snprintf(command, sizeof command, "rm -rf '%s'", parent);
    assert_int_equal(system(command), 0);
    assert_int_equal(file_writer_commit(&writer, &error), SIMCLR_IO); /* the rename fails */
    assert_null(writer);
    memory_free(path);
    memory_free(parent);
}

static void folders(void **state)
{
    (void)state;
    struct error error;
    char *deep = file_join(folder, "x/y//z");
    char *file = file_join(folder, "x/file");
    char *below = file_join(file, "more");
    assert_int_equal(file_make_folder(deep, &error), SIMCLR_OK);
    assert_int_equal(file_make_folder(deep, &error), SIMCLR_OK);
    assert_true(file_is_folder(deep));
    assert_int_equal(file_write_atomic(file, "", 0, &error), SIMCLR_OK);
    assert_false(file_is_folder(file));
    assert_int_equal(file_make_folder(below, &error), SIMCLR_IO);
    assert_int_equal(file_make_folder("", &error), SIMCLR_IO);
    char *x = file_join(folder, "x");
    struct file_list list;
    assert_int_equal(file_list_folder(x, &list, &error), SIMCLR_OK);
    assert_int_equal(list.count, 2);
    assert_string_equal(list.names[0], "file");
    assert_string_equal(list.names[1], "y");
    file_list_free(&list);
    assert_int_equal(file_list_folder(file, &list, &error), SIMCLR_IO);
    assert_int_equal(list.count, 0);
    char *joined = file_join("a/", "b");
    assert_string_equal(joined, "a/b");
    memory_free(joined);
    memory_free(deep);
    memory_free(file);
    memory_free(below);
    memory_free(x);
}

/* flock belongs to the open file, so a second opening in another process must find it busy. */
static void lock_excludes_other_processes(void **state)
{
    (void)state;
    struct error error;
    int lock;
    assert_int_equal(file_lock_folder(folder, &lock, &error), SIMCLR_OK);
    for (int round = 0; round < 2; round++) {
        const pid_t child = fork();
        if (child == 0) {
            int mine;
            const int status = file_lock_folder(folder, &mine, &error);
            _exit(status == SIMCLR_BUSY && strstr(error.text, folder) != NULL ? 1 : status == SIMCLR_OK ? 2 : 3);
        }
        int result;
        assert_int_equal(waitpid(child, &result, 0), child);
        assert_int_equal(WEXITSTATUS(result), round == 0 ? 1 : 2);
        file_unlock(&lock);
        assert_int_equal(lock, -1);
    }
    assert_int_equal(file_lock_folder("/nowhere", &lock, &error), SIMCLR_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(write_and_read),
        cmocka_unit_test(starts_are_read),
        cmocka_unit_test(leftovers_are_swept),
        cmocka_unit_test(a_missing_folder_is_no_failure),
        cmocka_unit_test(starts_are_read),
        cmocka_unit_test(leftovers_are_swept),
        cmocka_unit_test(a_missing_folder_is_no_failure),
        cmocka_unit_test(abort_leaves_nothing),
        cmocka_unit_test(failing_disk_is_reported),
        cmocka_unit_test(folders),
        cmocka_unit_test(lock_excludes_other_processes),
    };
    return run_cases(tests, make_folder, remove_folder);
}
