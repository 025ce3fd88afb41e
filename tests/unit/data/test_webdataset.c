/* WebDataset's convention: samples of consecutive members, their labels, and shards of them. */
#include "unit/data/archive_support.h"

#include <pthread.h>

static const size_t caches[2] = {0, NOT_CACHED};

static void webdataset_samples(void **state)
{
    (void)state;
    struct text tar = {0};
    tar_add_text(&tar, "__meta__/about.json", "not JSON, and not read");
    tar_add_text(&tar, "a/0001.cls", "7\n");
    tar_add_jpeg(&tar, "a/0001.jpg", 1);
    tar_add_jpeg(&tar, "./a/0002.JPEG", 2);
    tar_add_text(&tar, "./a/0002.cls", " 3");
    tar_add_text(&tar, "a/0002.json", "{\"label\": 9}"); /* cls goes before json */
    tar_add_jpeg(&tar, "0003.left.jpg", 3);
    tar_add_jpeg(&tar, "0003.right.jpg", 4);
    tar_add_text(&tar, "0003.json", "{\"caption\": \"a cat\", \"cls\": 0, \"label\": 5}");
    tar_add_jpeg(&tar, "0004.jpg", 5);
    tar_add_text(&tar, "0004.json", "{\"url\": \"x\"}");
    tar_add_jpeg(&tar, "0005.jpg", 6);
    tar_add_text(&tar, "0005.txt", "a caption");
    tar_add_jpeg(&tar, "._0006.jpg", 9);
    tar_put(&tar, at("samples.tar"));
    for (int i = 0; i < 2; i++) {
        struct dataset *set = open_set(at("samples.tar"), i == 0 ? DATASET_TRAIN : DATASET_TEST, caches[i]);
        assert_int_equal(dataset_count(set), 6);
        assert_int_equal(dataset_classes(set), 8);
        expect_item(set, 0, "samples.tar/a/0001.jpg", 7, 1);
        expect_item(set, 1, "samples.tar/a/0002.JPEG", 3, 2);
        expect_item(set, 2, "samples.tar/0003.left.jpg", 0, 3);
        expect_item(set, 3, "samples.tar/0003.right.jpg", 0, 4);
        expect_item(set, 4, "samples.tar/0004.jpg", -1, 5);
        expect_item(set, 5, "samples.tar/0005.jpg", -1, 6);
        assert_non_null(strstr(dataset_description(set), "tar archive"));
        dataset_close(&set);
    }
    assert_false(dataset_has_test_part(at("samples.tar")));
}

static void label_names(void **state)
{
    (void)state;
    struct text tar = {0};
    tar_add_jpeg(&tar, "1.jpg", 1);
    tar_add_text(&tar, "1.json", "{\"class\": \"wolf\"}");
    tar_add_jpeg(&tar, "2.jpg", 2);
    tar_add_text(&tar, "2.cls", "ape");
    tar_put(&tar, at("names.tar"));
    struct dataset *set = open_set(at("names.tar"), DATASET_TRAIN, 0);
    assert_string_equal(dataset_class_name(set, 0), "ape");
    assert_int_equal(dataset_label(set, 0), 1);
    assert_int_equal(dataset_label(set, 1), 0);
    dataset_close(&set);
    static const char *const bad[][3] = {
        {"1.json", "[1]", "1.json is no label"},
        {"1.json", "{\"cls\":", "1.json is no label"},
        {"1.cls", "", "1.cls is no label"},
        {"1.cls", "a\nb", "1.cls is no label"},
        {"1.cls", "99999999", "label 99999999 is above"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        tar_add_jpeg(&tar, "1.jpg", 1);
        tar_add_text(&tar, bad[i][0], bad[i][1]);
        tar_put(&tar, at("bad.tar"));
        refuse_set(at("bad.tar"), DATASET_TRAIN, SIMCLR_CORRUPT, bad[i][2]);
    }
}

static void shards(void **state)
{
    (void)state;
    struct text tar = {0};
    put_folder(at("wds"));
    for (int shard = 8; shard <= 11; shard++) {
        for (int i = 0; i < 3; i++) {
            char name[32], label[8];
            snprintf(name, sizeof name, "%05d.jpg", i);
            snprintf(label, sizeof label, "%d", shard - 8 + i);
            tar_add_jpeg(&tar, name, shard + i);
            snprintf(name, sizeof name, "%05d.cls", i);
            tar_add_text(&tar, name, label);
        }
        tar_put(&tar, at("wds/train-%03d.tar", shard));
    }
    struct dataset *set = open_set(at("wds/train-{008..011}.tar"), DATASET_TRAIN, NOT_CACHED);
    assert_int_equal(dataset_count(set), 12);
    assert_int_equal(dataset_classes(set), 6);
    expect_item(set, 5, "train-009.tar/00002.jpg", 3, 11);
    const uint64_t fingerprint = dataset_fingerprint(set);
    dataset_close(&set);
    set = open_set(at("wds"), DATASET_TRAIN, 0); /* all shards of a folder are the same set */
    assert_true(dataset_fingerprint(set) == fingerprint);
    dataset_close(&set);
    set = open_set(at("wds/{train-010,train-008}.tar"), DATASET_TRAIN, 0);
    assert_int_equal(dataset_count(set), 6);
    expect_item(set, 0, "train-010.tar/00000.jpg", 2, 10);
    dataset_close(&set);
    assert_false(dataset_has_test_part(at("wds")));
    assert_int_equal(rename(at("wds/train-011.tar"), at("wds/val-0.tar")), 0);
    assert_true(dataset_has_test_part(at("wds")));
    set = open_set(at("wds"), DATASET_TEST, 0);
    assert_int_equal(dataset_count(set), 3);
    expect_item(set, 0, "val-0.tar/00000.jpg", 3, 11);
    dataset_close(&set);
    refuse_set(at("wds/train-{008..011}.tar"), DATASET_TRAIN, SIMCLR_IO, "train-011.tar: cannot open");
    refuse_set(at("wds/train-{008..}.tar"), DATASET_TRAIN, SIMCLR_INVALID, "write braces as");
    refuse_set(at("wds/train-{0..999999}.tar"), DATASET_TRAIN, SIMCLR_INVALID, "more than 100000");
    refuse_set(at("wds/train-{a,{b,c}}.tar"), DATASET_TRAIN, SIMCLR_INVALID, "write braces as");
}

/* classes.txt beside shards whose labels are numbers, as data pack leaves it: names, and how many classes there are. */
static void class_names(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int classes;
        const char *name[3]; /* of classes 0, 1, 2 */
        const char *warning; /* or NULL */
    } cases[] = {
        {"ape\nwild cat\nwolf\n", 3, {"ape", "wild cat", "wolf"}, NULL},
        {"ape\r\n\r\nwolf", 3, {"ape", "1", "wolf"}, NULL},
        {"ape\ncat\n", 2, {"ape", "cat", ""}, NULL}, /* only the largest label matters */
        {"ape\n", 2, {"0", "1", ""}, "has 1 names, but there is a label 1: it is not used"},
        {"", 2, {"0", "1", ""}, "has 0 names"},
    };
    struct kept_log *kept = memory_allocate(sizeof *kept);
    struct text tar = {0};
    struct dataset *set;
    struct error error = {0};
    put_folder(at("named"));
    for (int shard = 0; shard < 2; shard++) {
        tar_add_text(&tar, "1.cls", shard == 0 ? "1" : "0");
        tar_add_jpeg(&tar, "1.jpg", shard);
        tar_put(&tar, at("named/train-%d.tar", shard));
    }
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        static const char *const paths[3] = {"named", "named/train-{0..1}.tar", "named/train-0.tar"};
        put_text(at("named/classes.txt"), cases[i].text);
        for (int p = 0; p < 3; p++) {
            if (open_logged(&set, at("%s", paths[p]), DATASET_TRAIN, "none", kept, &error) != SIMCLR_OK)
                fail_msg("%s", error.text);
            assert_int_equal(dataset_classes(set), cases[i].classes);
            for (int k = 0; k < 3; k++) assert_string_equal(dataset_class_name(set, k), cases[i].name[k]);
            assert_int_equal(dataset_label(set, 0), 1);
            assert_int_equal(times_in(kept->text, "classes.txt"), cases[i].warning != NULL);
            if (cases[i].warning != NULL) assert_non_null(strstr(kept->text, cases[i].warning));
            dataset_close(&set);
        }
    }
    put_bytes(at("named/classes.txt"), "a\nb\0\nc\n", 7);
    assert_int_equal(open_logged(&set, at("named"), DATASET_TRAIN, "none", kept, &error), SIMCLR_OK);
    assert_non_null(strstr(kept->text, "is no list of class names, and is not used"));
    assert_string_equal(dataset_class_name(set, 1), "1");
    dataset_close(&set);
    /* Labels that are names already need none. */
    put_text(at("named/classes.txt"), "x\ny\nz\n");
    tar_add_text(&tar, "1.cls", "cat");
    tar_add_jpeg(&tar, "1.jpg", 1);
    tar_put(&tar, at("named/own.tar"));
    set = open_set(at("named/own.tar"), DATASET_TRAIN, 0);
    assert_int_equal(dataset_classes(set), 1);
    assert_string_equal(dataset_class_name(set, 0), "cat");
    dataset_close(&set);
    survive_no_memory(at("named/train-{0..1}.tar"), 20);
    memory_free(kept);
}

/* More shards than are kept open, read by many threads. */
struct reader {
    struct dataset *set;
    int64_t first;
    int failures;
};

static void *read_all(void *argument)
{
    struct reader *reader = argument;
    struct image storage = {0};
    const struct image *image;
    const int64_t count = dataset_count(reader->set);
    for (int64_t i = 0; i < count; i++) {
        const int64_t index = (reader->first + 7 * i) % count;
        if (dataset_image(reader->set, index, &storage, &image, NULL) != SIMCLR_OK ||
            image->width != 16 + (int)(index % 5))
            reader->failures++;
    }
    image_free(&storage);
    return NULL;
}

static void many_shards_many_threads(void **state)
{
    (void)state;
    struct text tar = {0};
    put_folder(at("many"));
    for (int i = 0; i < 300; i++) {
        tar_add_jpeg(&tar, "x.jpg", i % 5);
        tar_put(&tar, at("many/%03d.tar", i));
    }
    struct dataset *set = open_set(at("many/{000..299}.tar"), DATASET_TRAIN, NOT_CACHED);
    assert_int_equal(dataset_count(set), 300);
    struct reader readers[4];
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) {
        readers[i] = (struct reader){set, 71 * i, 0};
        assert_int_equal(pthread_create(&threads[i], NULL, read_all, &readers[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(readers[i].failures, 0);
    }
    /* A shard that is opened again must be the one that was indexed. */
    tar_add_jpeg(&tar, "y.jpg", 9);
    tar_add_jpeg(&tar, "z.jpg", 9);
    tar_put(&tar, at("many/299.tar"));
    struct image storage = {0};
    const struct image *image;
    struct error error = {0};
    assert_int_equal(dataset_image(set, 299, &storage, &image, &error), SIMCLR_OK); /* another in its stead */
    assert_int_equal(dataset_bad_count(set), 1);
    image_free(&storage);
    dataset_close(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(webdataset_samples),
        cmocka_unit_test(label_names),
        cmocka_unit_test(shards),
        cmocka_unit_test(class_names),
        cmocka_unit_test(many_shards_many_threads),
    };
    return run_cases(tests, support_open, remove_folder);
}
