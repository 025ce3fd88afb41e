/* What lies in a set and is not taken: counted by reason, the same in a folder, a tar and a zip, and said once. */
#include "unit/data/archive_support.h"

#include <errno.h>

#include "data/names/passed.h"

/* One file of each kind, under `root`; returns how many there are. */
static int make_mixture(const char *root)
{
    static const char *const others[] = {"cat/notes.txt",   "cat/IMG_1.HEIC",       "dog/moving.gif", "dog/.thumb.png",
                                         "dog/drawing.SVG", "__MACOSX/cat/._1.png", "readme"};
    put_folder(at("%s/cat", root));
    put_folder(at("%s/dog/deeper", root));
    put_folder(at("%s/__MACOSX/cat", root));
    put_png(at("%s/cat/1.png", root), 8, 6, 1);
    put_jpeg(at("%s/cat/2.jfif", root), 8, 6, 2);
    put_jpeg(at("%s/dog/deeper/3.JPE", root), 8, 6, 3);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) put_text(at("%s/%s", root, others[i]), "none");
    return 3 + (int)(sizeof others / sizeof *others);
}

static void expect_mixture(const struct dataset *set)
{
    const struct passed *passed = dataset_passed(set);
    assert_int_equal(dataset_count(set), 3);
    assert_int_equal(dataset_classes(set), 2);
    assert_int_equal(passed->count[PASSED_OTHER], 2);
    assert_int_equal(passed->count[PASSED_FORMAT], 3);
    assert_int_equal(passed->count[PASSED_HIDDEN], 2);
    assert_int_equal(passed_total(passed), 7);
    int endings = 0;
    for (; endings < PASSED_ENDINGS && passed->ending[endings].text[0] != '\0'; endings++)
        assert_int_equal(passed->ending[endings].count, 1);
    assert_int_equal(endings, 3);
}

static void counts_are_the_same_in_every_container(void **state)
{
    (void)state;
    static const char *const packed[] = {"mix", "mix.tar", "mix.zip"};
    const int files = make_mixture("mix");
    assert_int_equal(files, 10);
    run_python("import tarfile, zipfile, os\n"
               "names = sorted(os.path.join(d, f) for d, _, fs in os.walk('mix') for f in fs)\n"
               "with tarfile.open('mix.tar', 'w') as t, zipfile.ZipFile('mix.zip', 'w') as z:\n"
               "    for n in names: t.add(n), z.write(n)\n");
    for (int i = 0; i < 3; i++) {
        struct kept_log *kept = memory_allocate(sizeof *kept);
        struct error error = {0};
        struct dataset *set;
        if (open_logged(&set, at("%s", packed[i]), DATASET_TRAIN, "none", kept, &error)) fail_msg("%s", error.text);
        expect_mixture(set);
        assert_int_equal(times_in(kept->text, "passed over: "), 1);
        assert_int_equal(times_in(kept->text, "2 files that are no pictures ("), 1);
        assert_int_equal(times_in(kept->text, "3 pictures of formats that are not read ("), 1);
        assert_int_equal(times_in(kept->text, "1 .heic"), 1);
        dataset_close(&set);
        memory_free(kept);
    }
}

static void nothing_is_said_where_all_is_taken(void **state)
{
    (void)state;
    struct kept_log *kept = memory_allocate(sizeof *kept);
    struct dataset *set;
    put_folder(at("whole/a"));
    put_png(at("whole/a/1.png"), 8, 6, 1);
    assert_int_equal(open_logged(&set, at("whole"), DATASET_TRAIN, "none", kept, NULL), SIMCLR_OK);
    assert_int_equal(passed_total(dataset_passed(set)), 0);
    assert_int_equal(times_in(kept->text, "passed over"), 0);
    dataset_close(&set);
    memory_free(kept);
}

static void put_shard(const char *path)
{
    struct text tar = {0};
    tar_add_jpeg(&tar, "cat/1.jpg", 1);
    tar_put(&tar, path);
}

static void expect_outside(const char *path, enum dataset_part part, int count, const char *line)
{
    struct kept_log *kept = memory_allocate(sizeof *kept);
    struct error error = {0};
    struct dataset *set;
    if (open_logged(&set, path, part, "none", kept, &error)) fail_msg("%s: %s", path, error.text);
    assert_int_equal(dataset_passed(set)->count[PASSED_OUTSIDE], count);
    assert_int_equal(passed_total(dataset_passed(set)), count);
    if (times_in(kept->text, line) != (count > 0)) fail_msg("%s: %s", path, kept->text);
    dataset_close(&set);
    memory_free(kept);
}

/* Archives that no part takes, and those of the other word for the test part. */
static void archives_beside_the_parts(void **state)
{
    (void)state;
    static const char *const words[] = {"train", "test", "val", "extra", "more"};
    put_folder(at("shards"));
    put_folder(at("zips"));
    for (int i = 0; i < 5; i++) put_shard(at("shards/%s-000.tar", words[i]));
    put_png(at("1.png"), 8, 6, 1);
    run_python("import zipfile\n"
               "for name in 'zips/train', 'zips/test', 'zips/val', 'zips/more', 'shards/rest':\n"
               "    with zipfile.ZipFile(name + '.zip', 'w') as z: z.write('1.png', 'cat/1.png')\n");
    expect_outside(at("shards"), DATASET_TRAIN, 3, "passed over: 3 files beside the parts (extra-000.tar, ...)");
    expect_outside(at("shards"), DATASET_TEST, 1, "passed over: 1 file beside the parts (val-000.tar)");
    expect_outside(at("zips"), DATASET_TRAIN, 1, "passed over: 1 file beside the parts (more.zip)");
    expect_outside(at("zips"), DATASET_TEST, 1, "passed over: 1 file beside the parts (val.zip)");
    put_folder(at("mixed")); /* without parts */
    assert_int_equal(rename(at("shards/train-000.tar"), at("mixed/a.tar")), 0);
    assert_int_equal(rename(at("shards/rest.zip"), at("mixed/b.zip")), 0);
    expect_outside(at("mixed"), DATASET_TRAIN, 1, "passed over: 1 file beside the parts (b.zip)");
    assert_int_equal(rename(at("mixed/b.zip"), at("zips/b.zip")), 0);
    expect_outside(at("mixed"), DATASET_TRAIN, 0, "passed over");
}

/* A set without images says what there is instead. */
static void a_set_of_other_formats(void **state)
{
    (void)state;
    put_folder(at("phone"));
    put_text(at("phone/1.heic"), "none");
    put_text(at("phone/2.HEIC"), "none");
    refuse_set(at("phone"), DATASET_TRAIN, SIMCLR_DATA, "2 pictures of formats that are not read (2 .heic)");
    struct text tar = {0};
    tar_add_text(&tar, "a/1.gif", "none");
    tar_put(&tar, at("phone.tar"));
    refuse_set(at("phone.tar"), DATASET_TRAIN, SIMCLR_DATA, "(1 .gif)");
}

/* What torchvision leaves: pickles are not run. */
static void cifar_of_python(void **state)
{
    (void)state;
    put_folder(at("data/cifar-10-batches-py"));
    put_text(at("data/cifar-10-batches-py/batches.meta"), "a pickle");
    put_text(at("data/cifar-10-batches-py/data_batch_1"), "a pickle");
    refuse_set(at("data"), DATASET_TRAIN, SIMCLR_DATA, "simclr data fetch cifar10");
    refuse_set(at("data/cifar-10-batches-py"), DATASET_TRAIN, SIMCLR_DATA, "simclr data fetch cifar10");
    struct text tar = {0};
    tar_add_text(&tar, "cifar-100-python/meta", "a pickle");
    tar_add_text(&tar, "cifar-100-python/train", "a pickle");
    tar_put(&tar, at("hundred.tar"));
    refuse_set(at("hundred.tar"), DATASET_TRAIN, SIMCLR_DATA, "simclr data fetch cifar100");
}

static void deep_folders_and_links(void **state)
{
    (void)state;
    struct text path = {0};
    text_add(&path, "%s", at("deep/a"));
    for (int i = 0; i < 70; i++) text_add(&path, "/d");
    put_folder(path.bytes);
    text_add(&path, "/lost.png");
    put_png(path.bytes, 4, 4, 1);
    text_free(&path);
    put_png(at("deep/a/1.png"), 4, 4, 1);
    assert_int_equal(symlink("..", at("deep/a/up")), 0);
    struct dataset *set = open_set(at("deep"), DATASET_TRAIN, 0);
    assert_int_equal(dataset_count(set), 1);
    assert_int_equal(dataset_passed(set)->count[PASSED_DEEP], 1);
    assert_int_equal(dataset_passed(set)->count[PASSED_LOOP], 1);
    dataset_close(&set);
}

/* lost+found at the root of a disk, and a folder in a class. */
static void folders_that_may_not_be_listed(void **state)
{
    (void)state;
    put_folder(at("disk/cat/private"));
    put_folder(at("disk/lost+found"));
    put_png(at("disk/cat/1.png"), 4, 4, 1);
    assert_int_equal(chmod(at("disk/lost+found"), 0700), 0);
    assert_int_equal(chmod(at("disk/cat/private"), 0700), 0);
    assert_int_equal(chmod(folder, 0755), 0);
    const bool root = geteuid() == 0;
    if (root) {
        assert_int_equal(seteuid(65534), 0);
    } else {
        assert_int_equal(chmod(at("disk/lost+found"), 0), 0);
        assert_int_equal(chmod(at("disk/cat/private"), 0), 0);
    }
    struct dataset *set;
    const int status = support_dataset(&set, at("disk"), DATASET_TRAIN, 0, NULL);
    if (root) assert_int_equal(seteuid(0), 0);
    assert_int_equal(chmod(at("disk/lost+found"), 0700), 0);
    assert_int_equal(chmod(at("disk/cat/private"), 0700), 0);
    assert_int_equal(status, SIMCLR_OK);
    assert_int_equal(dataset_classes(set), 1);
    assert_int_equal(dataset_passed(set)->count[PASSED_UNREADABLE], 2);
    dataset_close(&set);
}

/* pretrain --data photos --out photos/run */
static void the_folder_of_a_run(void **state)
{
    (void)state;
    put_folder(at("photos/cat/old-run/checkpoints"));
    put_folder(at("photos/run/checkpoints"));
    put_folder(at("photos/checkpoints")); /* no run: a class of that name */
    put_text(at("photos/run/train.log"), "");
    put_text(at("photos/cat/old-run/train.log"), "");
    put_png(at("photos/run/sheet.png"), 4, 4, 1);
    put_png(at("photos/cat/1.png"), 4, 4, 1);
    put_png(at("photos/checkpoints/1.png"), 4, 4, 1);
    struct dataset *set = open_set(at("photos"), DATASET_TRAIN, 0);
    assert_int_equal(dataset_count(set), 2);
    assert_int_equal(dataset_classes(set), 2);
    assert_int_equal(dataset_passed(set)->count[PASSED_RUN], 2);
    dataset_close(&set);
}

static void counts_are_added(void **state)
{
    (void)state;
    struct passed one = {0}, all = {0};
    char name[32];
    for (int i = 0; i < 20; i++) {
        static const char *const endings[] = {"gif", "bmp", "heic", "psd", "avif", "jxl", "jp2",
                                              "svg", "ico", "tga",  "dds", "exr",  "hdr", "ppm"};
        snprintf(name, sizeof name, "%d.%s", i, endings[i % 14]);
        passed_add_file(&one, name);
    }
    passed_add(&one, PASSED_DEEP,
               "a name that is longer than there is place for, so that its beginning is cut off and "
               "its end is kept");
    assert_int_equal(one.count[PASSED_FORMAT], 20); /* two endings have no place of their own */
    assert_true(passed_is_sound(&one));
    passed_merge(&all, &one);
    passed_merge(&all, &one);
    assert_int_equal(passed_total(&all), 42);
    assert_int_equal(all.ending[0].count, 2 * one.ending[0].count);
    assert_int_equal(strncmp(all.example[PASSED_DEEP], "...", 3), 0);
    assert_non_null(strstr(all.example[PASSED_DEEP], "its end is kept"));
    one.count[PASSED_LINK] = -1;
    assert_false(passed_is_sound(&one));
    struct text text = {0};
    passed_json(&all, &text, NULL);
    assert_non_null(strstr(text.bytes, "\"total\": 42"));
    assert_non_null(strstr(text.bytes, "\"deep_folders\": 2"));
    text_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_are_the_same_in_every_container),
        cmocka_unit_test(nothing_is_said_where_all_is_taken),
        cmocka_unit_test(archives_beside_the_parts),
        cmocka_unit_test(a_set_of_other_formats),
        cmocka_unit_test(cifar_of_python),
        cmocka_unit_test(deep_folders_and_links),
        cmocka_unit_test(folders_that_may_not_be_listed),
        cmocka_unit_test(the_folder_of_a_run),
        cmocka_unit_test(counts_are_added),
    };
    return run_cases(tests, support_open, remove_folder);
}
