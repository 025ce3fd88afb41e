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
    assert_false(has_test_part(at("samples.tar")));
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
}

/* One file that should be a label and is none costs one label. */
static void bad_label_files(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text;
        enum passed_reason reason;
    } cases[] = {
        {"1.json", "[1]", PASSED_OTHER}, /* boxes and the like: JSON, but no label */
        {"1.json", "3", PASSED_OTHER},   {"1.json", "{\"cls\":", PASSED_BAD_LABEL}, {"1.json", "", PASSED_BAD_LABEL},
        {"1.cls", "", PASSED_BAD_LABEL}, {"1.cls", "a\nb", PASSED_BAD_LABEL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct text tar = {0};
        tar_add_jpeg(&tar, "0.jpg", 0);
        tar_add_text(&tar, "0.cls",
                     "\xEF\xBB\xBF"
                     "dog");
        tar_add_jpeg(&tar, "1.jpg", 1);
        tar_add_text(&tar, cases[i].name, cases[i].text);
        tar_put(&tar, at("bad.tar"));
        struct kept_log *kept = memory_allocate(sizeof *kept);
        struct error error = {0};
        struct dataset *set;
        if (open_logged(&set, at("bad.tar"), DATASET_TRAIN, "none", kept, &error)) fail_msg("%s", error.text);
        expect_item(set, 0, "bad.tar/0.jpg", 0, 0);
        expect_item(set, 1, "bad.tar/1.jpg", -1, 1);
        assert_string_equal(dataset_class_name(set, 0), "dog");
        assert_int_equal(dataset_passed(set)->count[cases[i].reason], 1);
        assert_int_equal(passed_total(dataset_passed(set)), 1);
        assert_non_null(strstr(kept->text, cases[i].name));
        dataset_close(&set);
        memory_free(kept);
    }
}

/* tar cf shard.tar *.cls *.jpg: all labels first. */
static void labels_that_lie_apart(void **state)
{
    (void)state;
    struct text tar = {0};
    struct kept_log *kept = memory_allocate(sizeof *kept);
    struct dataset *set;
    struct error error = {0};
    tar_add_text(&tar, "a.cls", "ape");
    tar_add_text(&tar, "b.cls", "bee");
    tar_add_text(&tar, "c.json", "{\"label\": \"cow\"}"); /* no image: no class */
    tar_add_text(&tar, "d.cls", "dog");
    tar_add_text(&tar, "e.cls", "dog");
    tar_add_jpeg(&tar, "b.jpg", 1);
    tar_add_jpeg(&tar, "a.jpg", 2);
    tar_add_jpeg(&tar, "d.jpg", 3);
    tar_add_text(&tar, "d.json", "{\"label\": \"bee\"}"); /* two labels for one key, and they differ */
    tar_add_jpeg(&tar, "d.other.jpg", 4);
    tar_add_jpeg(&tar, "f.jpg", 5);
    tar_add_jpeg(&tar, "d.jpg", 6);
    tar_put(&tar, at("apart.tar"));
    if (open_logged(&set, at("apart.tar"), DATASET_TRAIN, "none", kept, &error)) fail_msg("%s", error.text);
    assert_int_equal(dataset_classes(set), 2);
    expect_item(set, 0, "apart.tar/b.jpg", 1, 1);
    expect_item(set, 1, "apart.tar/a.jpg", 0, 2);
    expect_item(set, 2, "apart.tar/d.jpg", 1, 3);
    expect_item(set, 3, "apart.tar/d.other.jpg", 1, 4);
    expect_item(set, 4, "apart.tar/f.jpg", -1, 5);
    expect_item(set, 5, "apart.tar/d.jpg", -1, 6);
    assert_non_null(strstr(kept->text, "2 labels do not lie beside their images"));
    assert_int_equal(dataset_passed(set)->count[PASSED_LABEL], 3); /* c, d, e */
    dataset_close(&set);
    survive_no_memory(at("apart.tar"), 10);
    memory_free(kept);
}

/* Two sets in one tar: equal keys, one after the other. */
static void keys_that_come_twice(void **state)
{
    (void)state;
    struct text tar = {0};
    tar_add_text(&tar, "1.cls", "ape");
    tar_add_jpeg(&tar, "1.jpg", 1);
    tar_add_text(&tar, "1.cls", "bee");
    tar_add_jpeg(&tar, "1.jpg", 2);
    tar_put(&tar, at("twice.tar"));
    struct dataset *set = open_set(at("twice.tar"), DATASET_TRAIN, 0);
    expect_item(set, 0, "twice.tar/1.jpg", 0, 1);
    expect_item(set, 1, "twice.tar/1.jpg", 1, 2);
    dataset_close(&set);
}

/* Class folders, and a file in them that says a label: the folders are the classes. COCO's large JSON too. */
static void labels_in_class_folders(void **state)
{
    (void)state;
    struct text tar = {0};
    struct kept_log *kept = memory_allocate(sizeof *kept);
    struct dataset *set;
    struct error error = {0};
    char *large = memory_allocate((1 << 20) + 2);
    memset(large, ' ', (1 << 20) + 1);
    large[0] = '{', large[1 << 20] = '}';
    tar_add_text(&tar, "x/annotations/instances.json", large);
    memory_free(large);
    tar_add_jpeg(&tar, "x/cat/1.jpg", 1);
    tar_add_text(&tar, "x/cat/1.json", "{\"label\": \"my cat\"}");
    tar_add_jpeg(&tar, "x/cat/2.jpg", 2);
    tar_add_text(&tar, "x/cat/info.json", "{\"label\": \"my cats\", \"licence\": \"CC0\"}");
    tar_add_jpeg(&tar, "x/dog/1.jpg", 3);
    tar_put(&tar, at("folders.tar"));
    if (open_logged(&set, at("folders.tar"), DATASET_TRAIN, "none", kept, &error)) fail_msg("%s", error.text);
    assert_int_equal(dataset_classes(set), 2);
    assert_string_equal(dataset_class_name(set, 0), "cat");
    assert_int_equal(dataset_label(set, 0), 0);
    assert_int_equal(dataset_label(set, 2), 1);
    assert_int_equal(dataset_passed(set)->count[PASSED_OTHER], 1);
    assert_int_equal(dataset_passed(set)->count[PASSED_LABEL], 2);
    assert_non_null(strstr(kept->text, "2 label files that are not used"));
    dataset_close(&set);
    memory_free(kept);
}

/* Numbers that are no class numbers are names. */
static void numbers_of_products(void **state)
{
    (void)state;
    static const struct {
        const char *label[3];
        int classes, number[3];
        const char *name[2];
    } cases[] = {
        {{"20210104", "20210103", "-1"}, 2, {1, 0, -1}, {"20210103", "20210104"}},
        {{"900000", "0", "900000"}, 2, {1, 0, 1}, {"0", "900000"}},
        {{"99999999999999999999", "5000", "+7"}, 3, {2, 1, 0}, {"+7", "5000"}},
        {{"999", "2", "-0"}, 1000, {999, 2, 0}, {"0", "1"}}, /* may be a few of ImageNet's */
        {{"2", "1e3", "0"}, 3, {2, 1, 0}, {"0", "1e3"}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct text tar = {0};
        for (int k = 0; k < 3; k++) {
            char name[16];
            snprintf(name, sizeof name, "%d.cls", k);
            tar_add_text(&tar, name, cases[i].label[k]);
            snprintf(name, sizeof name, "%d.jpg", k);
            tar_add_jpeg(&tar, name, k);
        }
        tar_put(&tar, at("numbers.tar"));
        struct dataset *set = open_set(at("numbers.tar"), DATASET_TRAIN, 0);
        assert_int_equal(dataset_classes(set), cases[i].classes);
        for (int k = 0; k < 3; k++) assert_int_equal(dataset_label(set, k), cases[i].number[k]);
        for (int k = 0; k < 2; k++) assert_string_equal(dataset_class_name(set, k), cases[i].name[k]);
        dataset_close(&set);
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
    assert_false(has_test_part(at("wds")));
    assert_int_equal(rename(at("wds/train-011.tar"), at("wds/val-0.tar")), 0);
    assert_true(has_test_part(at("wds")));
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
        {"\xEF\xBB\xBF"
         "ape\ncat\nwolf",
         3,
         {"ape", "cat", "wolf"},
         NULL},
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

/* Samples in folders whose names are those of parts: each part has the classes of both. */
static void parts_of_samples(void **state)
{
    (void)state;
    static const char *const labels[] = {"cat", "dog", "dog", "eel"};
    struct text tar = {0};
    for (int i = 0; i < 4; i++) {
        const char *part = i < 2 ? "Training" : "valid";
        tar_add_jpeg(&tar, at("%s/%d.jpg", part, i) + strlen(folder) + 1, i);
        tar_add_text(&tar, at("%s/%d.cls", part, i) + strlen(folder) + 1, labels[i]);
    }
    tar_put(&tar, at("parts.tar"));
    assert_true(has_test_part(at("parts.tar")));
    struct dataset *train = open_set(at("parts.tar"), DATASET_TRAIN, 0),
                   *test = open_set(at("parts.tar"), DATASET_TEST, 0);
    assert_int_equal(dataset_count(train), 2);
    assert_int_equal(dataset_classes(train), 3);
    assert_string_equal(dataset_place(train), "Training/");
    expect_item(train, 1, "parts.tar/Training/1.jpg", 1, 1);
    assert_int_equal(dataset_count(test), 2);
    assert_string_equal(dataset_place(test), "valid/");
    expect_item(test, 0, "parts.tar/valid/2.jpg", 1, 2);
    expect_item(test, 1, "parts.tar/valid/3.jpg", 2, 3);
    dataset_close(&train);
    dataset_close(&test);
    /* training alone is all of them */
    tar_add_jpeg(&tar, "train/a.jpg", 1);
    tar_add_text(&tar, "train/a.cls", "cat");
    tar_put(&tar, at("alone.tar"));
    assert_false(has_test_part(at("alone.tar")));
    test = open_set(at("alone.tar"), DATASET_TEST, 0);
    assert_int_equal(dataset_count(test), 1);
    dataset_close(&test);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(webdataset_samples),   cmocka_unit_test(label_names),
        cmocka_unit_test(bad_label_files),      cmocka_unit_test(labels_that_lie_apart),
        cmocka_unit_test(keys_that_come_twice), cmocka_unit_test(labels_in_class_folders),
        cmocka_unit_test(numbers_of_products),  cmocka_unit_test(shards),
        cmocka_unit_test(class_names),          cmocka_unit_test(many_shards_many_threads),
        cmocka_unit_test(parts_of_samples),
    };
    return run_cases(tests, support_open, remove_folder);
}
