/* Classes of two sets matched by their names: lists, folders, tar shards, CIFAR; what only one set has; numbers and
 * names. */
#include "unit/data/archive_support.h"

#include "data/names/match.h"
#include "data/shared.h"

/* ---- class lists alone ---- */

/* A catalog of classes, ended by NULL, with one image of each. */
static struct catalog catalog_of(const char *const *names)
{
    struct catalog catalog = {0};
    for (int i = 0; names[i]; i++) {
        assert_int_equal(catalog_add_class(&catalog, names[i], NULL), SIMCLR_OK);
        assert_int_equal(catalog_add(&catalog, names[i], i, NULL), SIMCLR_OK);
    }
    return catalog;
}

static void expect_classes(const struct catalog *catalog, const char *const *names)
{
    int count = 0;
    for (; names[count]; count++) assert_string_equal(catalog->class_name[count], names[count]);
    assert_int_equal(catalog->classes, count);
}

static void by_name(void **state)
{
    (void)state;
    static const struct {
        const char *train[6], *test[6], *both[8];
        int32_t labels[6];
    } pairs[] = {
        {{"apple", "bird", "cat"}, {"bird", "cat"}, {"apple", "bird", "cat"}, {1, 2}},
        {{"apple", "bird", "cat"}, {"bird", "cat", "dog"}, {"apple", "bird", "cat", "dog"}, {1, 2, 3}},
        {{"b", "c"}, {"a", "b", "a c", "c"}, {"b", "c", "a", "a c"}, {2, 0, 3, 1}},
        /* two classes of one name stay two, in their order */
        {{"crane", "x", "crane"}, {"x", "crane", "crane"}, {"crane", "x", "crane"}, {1, 0, 2}},
        {{"crane", "x"}, {"crane", "crane"}, {"crane", "x", "crane"}, {0, 2}},
        /* names that are digits are names: some are shared */
        {{"0", "1", "2"}, {"2", "7"}, {"0", "1", "2", "7"}, {2, 3}},
        {{"Cat", "dog"}, {"cat", "dog"}, {"Cat", "dog", "cat"}, {2, 1}},
        {{"a"}, {"b"}, {"a", "b"}, {1}},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        struct catalog train = catalog_of(pairs[i].train), test = catalog_of(pairs[i].test);
        const int64_t images = test.count;
        enum match_way way;
        for (int again = 0; again < 2; again++) {
            assert_int_equal(match_classes(&train, "a", &test, "b", &way, NULL), SIMCLR_OK);
            assert_int_equal(way, again ? MATCH_SAME : MATCH_BY_NAME);
            expect_classes(&train, pairs[i].both);
            expect_classes(&test, pairs[i].both);
            for (int64_t k = 0; k < images; k++) assert_int_equal(test.label[k], pairs[i].labels[k]);
            for (int64_t k = 0; k < train.count; k++) assert_int_equal(train.label[k], k);
        }
        catalog_free(&train);
        catalog_free(&test);
    }
}

static void without_classes(void **state)
{
    (void)state;
    static const char *const none[] = {NULL}, *const two[] = {"0", "1", NULL};
    struct catalog train = catalog_of(two), test = catalog_of(none);
    enum match_way way;
    assert_int_equal(match_classes(&train, "a", &test, "b", &way, NULL), SIMCLR_OK);
    assert_int_equal(match_classes(&test, "a", &train, "b", &way, NULL), SIMCLR_OK);
    expect_classes(&train, two);
    expect_classes(&test, none);
    catalog_free(&train);
    catalog_free(&test);
}

static void numbers_and_names(void **state)
{
    (void)state;
    static const char *const numbers[] = {"0", "1", "2", NULL}, *const names[] = {"ant", "bee", "cat", NULL};
    struct catalog train = catalog_of(names), test = catalog_of(numbers);
    struct error error = {0};
    enum match_way way;
    assert_int_equal(match_classes(&train, "photos", &test, "val.txt", &way, &error), SIMCLR_DATA);
    assert_string_equal(error.text, "val.txt: its classes are numbers (0 to 2), and those of photos have names: name "
                                    "its folders, or put a file classes.txt beside a list or an archive, one name a "
                                    "line, class 0 first");
    expect_classes(&train, names);
    expect_classes(&test, numbers);
    assert_int_equal(match_classes(&test, "x.tar", &train, "photos", &way, &error), SIMCLR_DATA);
    assert_non_null(strstr(error.text, "x.tar: its classes are numbers"));
    catalog_free(&train);
    catalog_free(&test);
}

/* The lists that go round with ImageNet number the 1000 wnids in their order. */
static void imagenet_numbers(void **state)
{
    (void)state;
    static const char *const numbers[] = {"0", "1", "2", NULL};
    for (int wnids = 999; wnids <= 1001; wnids++)
        for (int swapped = 0; swapped < 2; swapped++) {
            struct catalog named = {0}, numbered = catalog_of(numbers);
            enum match_way way;
            char name[16];
            for (int i = 0; i < wnids; i++) {
                snprintf(name, sizeof name, "n%08d", 1440764 + 7 * i);
                assert_int_equal(catalog_add_class(&named, name, NULL), SIMCLR_OK);
            }
            const int status = swapped ? match_classes(&numbered, "a", &named, "b", &way, NULL)
                                       : match_classes(&named, "a", &numbered, "b", &way, NULL);
            assert_int_equal(status, wnids == 1000 ? SIMCLR_OK : SIMCLR_DATA);
            if (wnids == 1000) {
                assert_int_equal(way, MATCH_WNIDS);
                assert_int_equal(numbered.classes, 1000);
                assert_string_equal(numbered.class_name[2], "n01440778");
                for (int i = 0; i < 3; i++) assert_int_equal(numbered.label[i], i);
            }
            catalog_free(&named);
            catalog_free(&numbered);
        }
}

static int attempt(void *context, const char *path, bool *opened, struct error *error)
{
    static const char *const a[] = {"a", "b", "c", NULL}, *const b[] = {"b", "d", "c", NULL};
    struct catalog train = {0}, test = {0};
    enum match_way way;
    int status = SIMCLR_OK;
    (void)context, (void)path;
    for (int i = 0; !status && i < 3; i++) status = catalog_add_class(&train, a[i], error);
    for (int i = 0; !status && i < 3; i++) status = catalog_add_class(&test, b[i], error);
    if (!status) status = match_classes(&train, "a", &test, "b", &way, error);
    *opened = status && (train.classes > 3 || test.classes > 3); /* changed by half */
    catalog_free(&train);
    catalog_free(&test);
    return status;
}

static void no_memory(void **state)
{
    (void)state;
    assert_true(no_memory_steps(attempt, NULL, "") >= 12);
}

/* ---- sets of every kind ---- */

/* Matches `test`, which is `places[..]`, with the folder `train`: label 1 must be bee, 0 cat (trained as ant, bee, cat:
 * bee is 1 and cat 2). Returns what was told. */
static const char *match_sets(const char *train_path, const char *test_path, int64_t comparable, const char *labels)
{
    static struct kept_log kept;
    const struct log log = {keep_line, &kept};
    struct dataset *train = open_set(train_path, DATASET_TRAIN, 0), *test = open_set(test_path, DATASET_TEST, 0);
    struct error error = {0};
    int64_t found;
    memset(&kept, 0, sizeof kept);
    if (dataset_match_classes(train, test, &found, &log, &error)) fail_msg("%s: %s", test_path, error.text);
    assert_int_equal(found, comparable);
    assert_int_equal(dataset_classes(train), dataset_classes(test));
    for (int64_t i = 0; i < dataset_count(test); i++) {
        char letter[2] = {dataset_class_name(test, dataset_label(test, i))[0], '\0'};
        assert_string_equal(dataset_class_name(train, dataset_label(test, i)),
                            dataset_class_name(test, dataset_label(test, i)));
        if (labels[i] != letter[0]) fail_msg("%s: image %d is %s", test_path, (int)i, letter);
    }
    assert_true(labels[dataset_count(test)] == '\0');
    dataset_close(&train);
    dataset_close(&test);
    return kept.text;
}

static void every_kind(void **state)
{
    (void)state;
    static const char *const classes[] = {"ant", "bee", "cat"};
    for (int c = 0; c < 3; c++)
        for (int i = 0; i < 2; i++) {
            put_folder(at("train/%s", classes[c]));
            put_png(at("train/%s/%d.png", classes[c], i), 8, 8, (uint32_t)(4 * c + i));
        }
    /* a folder with fewer classes, and with one that is new */
    put_folder(at("few/bee"));
    put_folder(at("few/cat"));
    put_folder(at("few/dog"));
    put_png(at("few/bee/1.png"), 8, 8, 40);
    put_png(at("few/cat/2.png"), 8, 8, 41);
    put_png(at("few/dog/3.png"), 8, 8, 42);
    char train[256];
    snprintf(train, sizeof train, "%s", at("train"));
    const char *told = match_sets(train, at("few"), 2, "bcd");
    assert_non_null(strstr(told, "1 of 3 test images are of 1 class without a training image (dog)"));
    assert_non_null(strstr(told, "1 of 4 classes has no test image (ant)"));
    assert_int_equal(times_in(told, "\n"), 2);
    assert_string_equal(match_sets(train, train, 6, "aabbcc"), "");
    /* a list with names; one with numbers, which classes.txt beside it names in another order */
    put_text(at("few/list.txt"), "cat/2.png\tcat\nbee/1.png\tbee\n");
    match_sets(train, at("few/list.txt"), 2, "cb");
    put_text(at("few/numbers.txt"), "cat/2.png\t0\nbee/1.png\t1\ndog/3.png\t2\n");
    put_text(at("few/classes.txt"), "cat\nbee\ndog\n");
    match_sets(train, at("few/numbers.txt"), 2, "cbd");
    /* tar shards with numbers, and with names */
    struct text tar = {0};
    tar_add_jpeg(&tar, "a.jpg", 1);
    tar_add_text(&tar, "a.cls", "1");
    tar_add_jpeg(&tar, "b.jpg", 2);
    tar_add_text(&tar, "b.cls", "0");
    tar_put(&tar, at("few/shard.tar"));
    match_sets(train, at("few/shard.tar"), 2, "bc");
    tar_add_jpeg(&tar, "a.jpg", 1);
    tar_add_text(&tar, "a.cls", "cat");
    tar_put(&tar, at("named.tar"));
    match_sets(train, at("named.tar"), 1, "c");
    tar_add_jpeg(&tar, "x/cat/a.jpg", 1);
    tar_add_jpeg(&tar, "x/bee/a.jpg", 1);
    tar_put(&tar, at("folders.tar"));
    match_sets(train, at("folders.tar"), 2, "cb");
    /* without their names, numbers are refused */
    tar_add_jpeg(&tar, "a.jpg", 1);
    tar_add_text(&tar, "a.cls", "1");
    tar_put(&tar, at("numbers.tar"));
    struct dataset *set = open_set(train, DATASET_TRAIN, 0), *test = open_set(at("numbers.tar"), DATASET_TEST, 0);
    struct error error = {0};
    int64_t comparable;
    assert_int_equal(dataset_match_classes(set, test, &comparable, NULL, &error), SIMCLR_DATA);
    assert_non_null(strstr(error.text, "numbers.tar: its classes are numbers (0 to 1)"));
    assert_int_equal(dataset_classes(set), 3);
    dataset_close(&set);
    dataset_close(&test);
}

/* CIFAR-10's numbers have names, those of another order too. */
static void cifar_names(void **state)
{
    (void)state;
    static uint8_t record[3073];
    put_folder(at("cifar/x"));
    record[0] = 5;
    put_bytes(at("cifar/data_batch_1.bin"), record, sizeof record);
    put_folder(at("animals/bird"));
    put_folder(at("animals/dog"));
    put_png(at("animals/bird/1.png"), 8, 8, 1);
    put_png(at("animals/dog/2.png"), 8, 8, 2);
    char train[256];
    snprintf(train, sizeof train, "%s", at("cifar"));
    match_sets(train, at("animals"), 1, "bd");
}

/* CIFAR-100's binaries alone have numbers; the names may lie beside them. */
static void cifar_100_names(void **state)
{
    (void)state;
    static uint8_t record[3074];
    struct text names = {0};
    put_folder(at("hundred"));
    record[1] = 7;
    put_bytes(at("hundred/train.bin"), record, sizeof record);
    struct dataset *set = open_set(at("hundred"), DATASET_TRAIN, 0);
    assert_string_equal(dataset_class_name(set, 7), "7");
    dataset_close(&set);
    for (int i = 0; i < 100; i++) text_add(&names, "class %d\n", i);
    put_text(at("hundred/classes.txt"), names.bytes);
    set = open_set(at("hundred"), DATASET_TRAIN, 0);
    assert_string_equal(dataset_class_name(set, 7), "class 7");
    dataset_close(&set);
    text_free(&names);
}

/* ---- the same images in both ---- */

static int64_t count_shared(const char *train_path, const char *test_path, int64_t *looked_at)
{
    struct dataset *train = open_set(train_path, DATASET_TRAIN, NOT_CACHED);
    struct dataset *test = open_set(test_path, DATASET_TRAIN, NOT_CACHED);
    int64_t comparable, shared, example;
    assert_int_equal(dataset_match_classes(train, test, &comparable, NULL, NULL), SIMCLR_OK);
    dataset_count_shared(train, test, looked_at, &shared, &example);
    if (shared > 0) assert_true(example >= 0 && example < dataset_count(test));
    dataset_close(&train);
    dataset_close(&test);
    return shared;
}

static void shared_images(void **state)
{
    (void)state;
    struct text tar = {0};
    int64_t looked_at;
    char one[256], other[256];
    for (int i = 0; i < 100; i++) {
        put_folder(at("one/%d", i % 2));
        put_folder(at("other/%d", i % 2));
        put_png(at("one/%d/%d.png", i % 2, i), 4, 4, (uint32_t)i);
        put_png(at("other/%d/%d.png", i % 2, i), 4, 4, (uint32_t)(i == 6 ? 6 : 1000 + i));
        uint8_t *bytes;
        size_t count;
        assert_int_equal(file_read(at("one/%d/%d.png", i % 2, i), 65536, &bytes, &count, NULL), SIMCLR_OK);
        char name[32];
        snprintf(name, sizeof name, "%d/%d.png", i % 2, i);
        if (i < 10) tar_add(&tar, name, bytes, count);
        memory_free(bytes);
    }
    tar_put(&tar, at("part.tar"));
    snprintf(one, sizeof one, "%s", at("one"));
    snprintf(other, sizeof other, "%s", at("other"));
    assert_int_equal(count_shared(one, one, &looked_at), 64);
    assert_int_equal(looked_at, 64);
    assert_int_equal(count_shared(one, at("part.tar"), &looked_at), 10); /* a copy of some of them, packed */
    assert_int_equal(looked_at, 10);
    assert_int_equal(count_shared(at("part.tar"), other, &looked_at), 1); /* the same names are not the same images */
    assert_int_equal(count_shared("synthetic", "synthetic", &looked_at), 64); /* pixels that never were encoded */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_name),          cmocka_unit_test(without_classes), cmocka_unit_test(numbers_and_names),
        cmocka_unit_test(imagenet_numbers), cmocka_unit_test(no_memory),       cmocka_unit_test(every_kind),
        cmocka_unit_test(cifar_names),      cmocka_unit_test(cifar_100_names), cmocka_unit_test(shared_images),
    };
    return run_cases(tests, support_open, remove_folder);
}
