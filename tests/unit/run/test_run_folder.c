/* The checkpoints of a run's folder: none, some, and some that cannot be seen. */
#include "support/run.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "run/run_folder.h"
#include "support/folder.h"

static void checkpoints_that_cannot_be_listed_are_an_error(void **state)
{
    (void)state;
    const struct log log = {0};
    struct checkpoint *checkpoint;
    struct error error = {0};
    assert_int_equal(mkdir(at("run"), 0777), 0);
    assert_int_equal(run_folder_newest(at("run"), &log, &checkpoint, &error), SIMCLR_OK);
    assert_null(checkpoint);
    assert_int_equal(symlink("checkpoints", at("run/checkpoints")), 0); /* ELOOP: for root too */
    assert_int_equal(run_folder_newest(at("run"), &log, &checkpoint, &error), SIMCLR_IO);
    assert_non_null(strstr(error.text, "checkpoints: cannot list"));
    assert_null(checkpoint);
    unlink(at("run/checkpoints"));
    assert_int_equal(mkdir(at("run/checkpoints"), 0777), 0);
    assert_int_equal(run_folder_newest(at("run"), &log, &checkpoint, &error), SIMCLR_OK);
    assert_null(checkpoint);
    assert_int_equal(file_write_atomic(at("run/checkpoints/step-00000001.safetensors"), "damaged", 7, NULL), SIMCLR_OK);
    assert_int_equal(run_folder_newest(at("run"), &log, &checkpoint, &error), SIMCLR_CORRUPT);
    assert_int_equal(run_folder_newest(at("run/checkpoints"), &log, &checkpoint, &error), SIMCLR_CORRUPT);
    assert_int_equal(run_folder_newest(at("nowhere"), &log, &checkpoint, &error), SIMCLR_IO);
}

/* Predictions may be opened before the folder that they lie in. */
static void files_that_somebody_writes_stay(void **state)
{
    (void)state;
    const struct log log = {0};
    struct run_folder run;
    struct file_writer *writer;
    assert_int_equal(mkdir(at("used"), 0777), 0);
    assert_int_equal(mkdir(at("used/exported"), 0777), 0);
    assert_int_equal(file_write_atomic(at("used/log.tmp-4194303-7"), "half", 4, NULL), SIMCLR_OK);
    assert_int_equal(file_write_atomic(at("used/exported/config.json.tmp-4194303-7"), "half", 4, NULL), SIMCLR_OK);
    assert_int_equal(file_writer_open(&writer, at("used/p.npz"), NULL), SIMCLR_OK);
    file_writer_write(writer, "whole", 5);
    assert_int_equal(run_folder_open(&run, &log, at("used"), NULL), SIMCLR_OK);
    run_folder_clear(&run);
    assert_false(file_exists(at("used/log.tmp-4194303-7")));
    assert_false(file_exists(at("used/exported/config.json.tmp-4194303-7")));
    assert_int_equal(file_writer_commit(&writer, NULL), SIMCLR_OK);
    assert_true(file_exists(at("used/p.npz")));
    run_folder_close(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checkpoints_that_cannot_be_listed_are_an_error),
        cmocka_unit_test(files_that_somebody_writes_stay),
    };
    return run_cases(tests, make_folder, remove_folder);
}
