/* STL-10 and CIFAR as they are downloaded, and tar archives packed with gzip and zstd. */
#include "unit/data/archive_support.h"

#include "data/bytes/unpack.h"

static const size_t caches[2] = {0, NOT_CACHED};

static int open_part(struct dataset **out, const char *path, enum dataset_part part, const char *choice,
                     struct kept_log *kept, size_t cache_bytes, struct error *error)
{
    struct pool *pool = support_pool(2);
    struct dataset_config config = dataset_config_default();
    const struct log log = {keep_line, kept};
    if (kept != NULL) memset(kept, 0, sizeof *kept);
    config.path = path;
    config.part = part;
    config.stl10_part = choice;
    config.cache_bytes = cache_bytes;
    const int status = dataset_open(out, &config, pool, kept != NULL ? &log : NULL, error);
    pool_destroy(&pool);
    return status;
}

/* ---- STL-10 ---- */

enum { SIDE = 96, RECORD = 3 * SIDE * SIDE };

/* Pixel (c, x, y) of image `number` of a file, stored column after column. */
static uint8_t stl_value(int file, int number, int c, int x, int y)
{
    return (uint8_t)(file * 50 + number * 31 + c * 80 + x * 2 + y * 5);
}

static uint8_t *stl_images(int file, int count)
{
    uint8_t *bytes = memory_array((size_t)count, RECORD), *at_byte = bytes;
    for (int n = 0; n < count; n++)
        for (int c = 0; c < 3; c++)
            for (int x = 0; x < SIDE; x++)
                for (int y = 0; y < SIDE; y++) *at_byte++ = stl_value(file, n, c, x, y);
    return bytes;
}

static void make_stl10(const char *root)
{
    static const uint8_t train[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 1, 2}, test[3] = {10, 1, 5};
    static const int counts[3] = {12, 3, 5};
    static const char *const names[3] = {"train_X.bin", "test_X.bin", "unlabeled_X.bin"};
    put_folder(at("%s", root));
    for (int f = 0; f < 3; f++) {
        uint8_t *bytes = stl_images(f, counts[f]);
        put_bytes(at("%s/%s", root, names[f]), bytes, (size_t)counts[f] * RECORD);
        memory_free(bytes);
    }
    put_bytes(at("%s/train_y.bin", root), train, 12);
    put_bytes(at("%s/test_y.bin", root), test, 3);
    put_text(at("%s/class_names.txt", root), "airplane\nbird\ncar\ncat\ndeer\ndog\nhorse\nmonkey\nship\ntruck\n");
    put_text(at("%s/fold_indices.txt", root), "0 2 4 \n11 10 \n3 12 \nx\n");
}

static void expect_stl10(struct dataset *set, int64_t index, int file, int number, int label)
{
    struct image storage = {0};
    const struct image *image;
    assert_int_equal(dataset_image(set, index, &storage, &image, NULL), SIMCLR_OK);
    assert_int_equal(image->width, SIDE);
    assert_int_equal(image->height, SIDE);
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++)
            for (int c = 0; c < 3; c++)
                assert_int_equal(image->rgb[3 * (y * SIDE + x) + c], stl_value(file, number, c, x, y));
    assert_int_equal(dataset_label(set, index), label);
    image_free(&storage);
}

static void check_stl10(const char *path)
{
    for (int i = 0; i < 2; i++) {
        struct dataset *set;
        struct error error = {0};
        if (open_part(&set, path, DATASET_TRAIN, "train", NULL, caches[i], &error) != SIMCLR_OK)
            fail_msg("%s", error.text);
        assert_int_equal(dataset_count(set), 12);
        assert_int_equal(dataset_classes(set), 10);
        assert_string_equal(dataset_class_name(set, 7), "monkey");
        assert_string_equal(dataset_name(set, 11), "train_X.bin/11");
        expect_stl10(set, 11, 0, 11, 1);
        dataset_close(&set);
        assert_int_equal(open_part(&set, path, DATASET_TEST, "unlabeled", NULL, caches[i], &error), SIMCLR_OK);
        assert_int_equal(dataset_count(set), 3);
        expect_stl10(set, 0, 1, 0, 9);
        dataset_close(&set);
        assert_int_equal(open_part(&set, path, DATASET_TRAIN, "unlabeled", NULL, caches[i], &error), SIMCLR_OK);
        assert_int_equal(dataset_count(set), 5);
        assert_int_equal(dataset_classes(set), 0);
        expect_stl10(set, 4, 2, 4, -1);
        dataset_close(&set);
        assert_int_equal(open_part(&set, path, DATASET_TRAIN, "train+unlabeled", NULL, caches[i], &error), SIMCLR_OK);
        assert_int_equal(dataset_count(set), 17);
        expect_stl10(set, 3, 0, 3, 3);
        expect_stl10(set, 12, 2, 0, -1);
        dataset_close(&set);
        assert_int_equal(open_part(&set, path, DATASET_TRAIN, "fold1", NULL, caches[i], &error), SIMCLR_OK);
        assert_int_equal(dataset_count(set), 2);
        expect_stl10(set, 0, 0, 11, 1);
        expect_stl10(set, 1, 0, 10, 0);
        dataset_close(&set);
    }
    assert_true(has_test_part(path));
}

static void stl10_folder(void **state)
{
    (void)state;
    make_stl10("stl10");
    check_stl10(at("stl10"));
    struct dataset *set;
    struct error error = {0};
    assert_int_equal(open_part(&set, at("stl10"), DATASET_TRAIN, "fold2", NULL, 0, &error), SIMCLR_CORRUPT);
    assert_int_equal(open_part(&set, at("stl10"), DATASET_TRAIN, "fold3", NULL, 0, &error), SIMCLR_CORRUPT);
    assert_non_null(strstr(error.text, "fold 3 names an image that is not there"));
    assert_int_equal(open_part(&set, at("stl10"), DATASET_TRAIN, "fold4", NULL, 0, &error), SIMCLR_DATA);
    assert_int_equal(open_part(&set, at("stl10"), DATASET_TRAIN, "folds", NULL, 0, &error), SIMCLR_INVALID);
    put_bytes(at("stl10/train_y.bin"), "\1\2\3\4\5\6\7\10\11\13\1\2", 12);
    refuse_set(at("stl10"), DATASET_TRAIN, SIMCLR_CORRUPT, "label 11 of image 9");
    put_bytes(at("stl10/train_y.bin"), "\1\2", 2);
    refuse_set(at("stl10"), DATASET_TRAIN, SIMCLR_CORRUPT, "2 labels for 12 images");
    assert_int_equal(truncate(at("stl10/train_X.bin"), 5 * RECORD + 7), 0);
    refuse_set(at("stl10"), DATASET_TRAIN, SIMCLR_CORRUPT, "whole number");
    unlink(at("stl10/train_X.bin"));
    refuse_set(at("stl10"), DATASET_TRAIN, SIMCLR_DATA, "without train_X.bin");
}

/* ---- downloads ---- */

static void downloads(void **state)
{
    (void)state;
    if (!has_python()) skip_case("there is no python3");
    make_stl10("stl10_binary");
    run_python("import tarfile, os\n"
               "with tarfile.open('stl10_binary.tar.gz', 'w:gz') as tar: tar.add('stl10_binary')\n"
               "os.mkdir('cifar-10-batches-bin')\n"
               "names = ['data_batch_%d.bin' % i for i in range(1, 6)] + ['test_batch.bin']\n"
               "for f, name in enumerate(names):\n"
               "    with open('cifar-10-batches-bin/' + name, 'wb') as out:\n"
               "        for r in range(4): out.write(bytes([(f + r) % 10]) + bytes((f * 9 + r + i // 1024) % 256 for i "
               "in range(3072)))\n"
               "open('cifar-10-batches-bin/batches.meta.txt', 'w').write('\\n'.join('k%d' % i for i in range(10)) + "
               "'\\n\\n')\n"
               "with tarfile.open('cifar-10-binary.tar.gz', 'w:gz') as tar: tar.add('cifar-10-batches-bin')\n");
    check_stl10(at("stl10_binary.tar.gz"));
    uint64_t fingerprint[2];
    static const char *const places[2] = {"cifar-10-batches-bin", "cifar-10-binary.tar.gz"};
    for (int p = 0; p < 2; p++) {
        for (int i = 0; i < 2; i++) {
            struct dataset *set = open_set(at("%s", places[p]), DATASET_TRAIN, i == 0 ? 0 : 1000000);
            assert_int_equal(dataset_count(set), 20);
            assert_string_equal(dataset_class_name(set, 9), "k9");
            fingerprint[p] = dataset_fingerprint(set);
            struct image storage = {0};
            const struct image *image;
            assert_int_equal(dataset_image(set, 7, &storage, &image, NULL), SIMCLR_OK);
            for (int k = 0; k < 3072; k++) assert_int_equal(image->rgb[k], 9 + 3 + k % 3);
            assert_int_equal(dataset_label(set, 7), 4);
            image_free(&storage);
            dataset_close(&set);
        }
        struct dataset *set = open_set(at("%s", places[p]), DATASET_TEST, 0);
        assert_int_equal(dataset_count(set), 4);
        dataset_close(&set);
        assert_true(has_test_part(at("%s", places[p])));
    }
    assert_true(fingerprint[0] == fingerprint[1]); /* a run that was begun with the folder goes on with the archive */
}

/* ---- packed tars ---- */

static void make_tar(const char *path, int images)
{
    struct text tar = {0};
    for (int i = 0; i < images; i++) {
        char name[32];
        snprintf(name, sizeof name, "%s/%02d.jpg", i % 2 ? "odd" : "even", i);
        tar_add_jpeg(&tar, name, i);
    }
    tar_put(&tar, path);
}

static void shell(const char *command)
{
    char full[1024];
    snprintf(full, sizeof full, "cd '%s' && %s", folder, command);
    assert_int_equal(system(full), 0);
}

static void packed_tars(void **state)
{
    (void)state;
    if (!has_python()) skip_case("there is no python3");
    make_tar(at("p.tar"), 10);
    run_python("import gzip\n"
               "data = open('p.tar', 'rb').read()\n"
               "open('p.tar.gz', 'wb').write(gzip.compress(data))\n"
               "k = len(data) // 3\n" /* several members, then zeros: pigz, bgzip, tapes */
               "open('several.tgz', 'wb').write(gzip.compress(data[:k]) + gzip.compress(data[k:]) + bytes(100))\n");
    static const char *const names[2] = {"p.tar.gz", "several.tgz"};
    for (int n = 0; n < 2; n++)
        for (int i = 0; i < 2; i++) {
            struct dataset *set = open_set(at("%s", names[n]), DATASET_TRAIN, i == 0 ? 0 : 100000);
            assert_int_equal(dataset_count(set), 10);
            assert_int_equal(dataset_classes(set), 2);
            char name[64];
            snprintf(name, sizeof name, "%s/odd/07.jpg", names[n]);
            expect_item(set, 7, name, 1, 7);
            dataset_close(&set);
        }
    if (system("zstd --version >/dev/null 2>&1") == 0) {
        shell("zstd -q p.tar && cat p.tar.zst > twice.zst");
        struct dataset *set;
        struct error error = {0};
        const int status = open_part(&set, at("p.tar.zst"), DATASET_TRAIN, "train", NULL, 0, &error);
        if (status == SIMCLR_OK) {
            expect_item(set, 7, "p.tar.zst/odd/07.jpg", 1, 7);
            dataset_close(&set);
        } else {
            assert_int_equal(status, SIMCLR_UNSUPPORTED); /* built without libzstd */
            assert_non_null(strstr(error.text, "without libzstd"));
        }
    }
    put_text(at("text.txt"), "a text that is no tar");
    shell("gzip -k text.txt");
    refuse_set(at("text.txt.gz"), DATASET_TRAIN, SIMCLR_CORRUPT, "no tar archive");
}

/* Does not fit in memory: unpacked to the cache folder once, said in the log, used again, made again for another
 * state of the archive. */
static void unpacked_to_the_cache_folder(void **state)
{
    (void)state;
    struct kept_log *kept = memory_allocate(sizeof *kept);
    struct error error = {0};
    struct dataset *set;
    struct file_list files;
    make_tar(at("big.tar"), 40);
    shell("gzip -n big.tar");
    assert_int_equal(setenv("SIMCLR_CACHE", at("spool"), 1), 0);
    for (int i = 0; i < 3; i++) {
        if (i == 2) shell("touch -d '2020-01-01' big.tar.gz");
        if (open_part(&set, at("big.tar.gz"), DATASET_TRAIN, "train", kept, NOT_CACHED, &error) != SIMCLR_OK)
            fail_msg("%s", error.text);
        assert_int_equal(times_in(kept->text, "unpacking it to"), i != 1);
        assert_int_equal(times_in(kept->text, "using the unpacked copy"), i == 1);
        expect_item(set, 31, "big.tar.gz/odd/31.jpg", 1, 31);
        dataset_close(&set);
        assert_int_equal(file_list_folder(at("spool"), &files, NULL), SIMCLR_OK);
        assert_int_equal(files.count, i < 2 ? 1 : 2);
        file_list_free(&files);
    }
    /* Cut: a warning, what was whole, and nothing kept. */
    assert_int_equal(truncate(at("big.tar.gz"), file_size(at("big.tar.gz")) / 2), 0);
    if (open_part(&set, at("big.tar.gz"), DATASET_TRAIN, "train", kept, NOT_CACHED, &error) != SIMCLR_OK)
        fail_msg("%s", error.text);
    assert_true(dataset_count(set) >= 10 && dataset_count(set) < 30);
    assert_true(times_in(kept->text, "ends too early") >= 1);
    dataset_close(&set);
    assert_int_equal(file_list_folder(at("spool"), &files, NULL), SIMCLR_OK);
    assert_int_equal(files.count, 2);
    file_list_free(&files);
    /* Damaged in the middle. */
    uint8_t *bytes;
    size_t count;
    assert_int_equal(file_read(at("big.tar.gz"), 1 << 24, &bytes, &count, NULL), SIMCLR_OK);
    memset(bytes + count / 2, 0x5A, 200);
    put_bytes(at("big.tar.gz"), bytes, count);
    memory_free(bytes);
    refuse_set(at("big.tar.gz"), DATASET_TRAIN, SIMCLR_CORRUPT, "cannot be unpacked");
    /* No folder to unpack to. */
    make_tar(at("big2.tar"), 40);
    shell("gzip -n big2.tar");
    assert_int_equal(setenv("SIMCLR_CACHE", "none", 1), 0);
    assert_int_equal(open_part(&set, at("big2.tar.gz"), DATASET_TRAIN, "train", NULL, NOT_CACHED, &error), SIMCLR_IO);
    assert_non_null(strstr(error.text, "there is no cache folder"));
    assert_int_equal(setenv("SIMCLR_CACHE", at("user-cache"), 1), 0);
    memory_free(kept);
}

/* A quarter of a megabyte that unpacks to a quarter of a gigabyte: it goes to the folder, in pieces, and costs no
 * memory; what is in it is no tar. */
static void bomb(void **state)
{
    (void)state;
    if (!has_python()) skip_case("there is no python3");
    run_python("import zlib\n"
               "c = zlib.compressobj(9, zlib.DEFLATED, 31)\n"
               "with open('bomb.tar.gz', 'wb') as out:\n"
               "    for i in range(256): out.write(c.compress(bytes(1 << 20)))\n"
               "    out.write(c.flush())\n");
    struct dataset *set;
    struct error error = {0};
    assert_int_equal(open_part(&set, at("bomb.tar.gz"), DATASET_TRAIN, "train", NULL, 1 << 20, &error), SIMCLR_CORRUPT);
    assert_non_null(strstr(error.text, "no tar archive"));
}

static void no_memory(void **state)
{
    (void)state;
    make_tar(at("m.tar"), 2);
    shell("gzip -nk m.tar");
    survive_no_memory(at("m.tar.gz"), 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stl10_folder), cmocka_unit_test(downloads),
        cmocka_unit_test(packed_tars),  cmocka_unit_test(unpacked_to_the_cache_folder),
        cmocka_unit_test(bomb),         cmocka_unit_test(no_memory),
    };
    return run_cases(tests, support_open, remove_folder);
}
