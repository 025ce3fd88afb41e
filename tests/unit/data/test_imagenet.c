/* ImageNet as it is downloaded: the training tar of tars, the validation tar, and the labels of it, which lie in lists
 * or in the devkit. tests/fuzz/corpus/mat/{plain,packed}.mat are by scipy.io.savemat: three classes in the devkit's
 * order (1 n02119789, 2 n01440764, 3 n03041632) and two synsets that have children. */
#include "unit/data/archive_support.h"

#include <zlib.h>

#include "data/names/devkit.h"

static const size_t caches[2] = {0, NOT_CACHED};
static const char plain[] = "tests/fuzz/corpus/mat/plain.mat", packed[] = "tests/fuzz/corpus/mat/packed.mat";
static const char *const wnids[3] = {"n01440764", "n02119789", "n03041632"};

static void read_file(const char *path, uint8_t **bytes, size_t *count)
{
    if (file_read(path, 1 << 20, bytes, count, NULL) != SIMCLR_OK) fail_msg("%s is missing", path);
}

static void make_training(const char *path)
{
    static const char zeros[1024];
    struct text outer = {0}, inner = {0};
    for (int s = 0; s < 3; s++) {
        char name[64];
        for (int i = 0; i < 3; i++) {
            snprintf(name, sizeof name, "%s_%d.JPEG", wnids[s], i);
            tar_add_jpeg(&inner, name, 10 * s + i);
        }
        text_add_bytes(&inner, zeros, sizeof zeros);
        snprintf(name, sizeof name, "%s.tar", wnids[s]);
        tar_add(&outer, name, inner.bytes, inner.length);
        text_free(&inner);
    }
    tar_put(&outer, path);
}

/* Images 1 ... `count`, the last first: labels go by number, not by place. */
static void make_validation(const char *path, int count)
{
    struct text tar = {0};
    for (int i = count; i >= 1; i--) {
        char name[64];
        snprintf(name, sizeof name, "ILSVRC2012_val_%08d.JPEG", i);
        tar_add_jpeg(&tar, name, i);
    }
    tar_put(&tar, path);
}

static void training(void **state)
{
    (void)state;
    make_training(at("ILSVRC2012_img_train.tar"));
    for (int i = 0; i < 2; i++) {
        struct dataset *set = open_set(at("ILSVRC2012_img_train.tar"), DATASET_TRAIN, caches[i]);
        assert_int_equal(dataset_count(set), 9);
        assert_int_equal(dataset_classes(set), 3);
        assert_string_equal(dataset_class_name(set, 1), "n02119789");
        expect_item(set, 2, "ILSVRC2012_img_train.tar/n01440764/n01440764_2.JPEG", 0, 2);
        expect_item(set, 4, "ILSVRC2012_img_train.tar/n02119789/n02119789_1.JPEG", 1, 11);
        dataset_close(&set);
    }
}

/* ---- lists ---- */

struct list_case {
    const char *name, *text;
    int classes, label[3]; /* of images 1, 2, 3 */
};

static void expect_labels(const char *path, const struct list_case *expected)
{
    struct kept_log *kept = memory_allocate(sizeof *kept);
    struct error error = {0};
    struct dataset *set;
    char name[64], line[80];
    if (open_logged(&set, path, DATASET_TRAIN, "none", kept, &error) != SIMCLR_OK) fail_msg("%s", error.text);
    assert_int_equal(dataset_count(set), 3);
    assert_int_equal(dataset_classes(set), expected->classes);
    for (int i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "ILSVRC2012_img_val.tar/ILSVRC2012_val_%08d.JPEG", 3 - i);
        expect_item(set, i, name, expected->label[2 - i], 3 - i);
    }
    snprintf(line, sizeof line, "labels from %s", expected->name);
    assert_int_equal(times_in(kept->text, line), 1);
    assert_int_equal(times_in(kept->text, "no labels"), 0);
    dataset_close(&set);
    memory_free(kept);
}

static void lists(void **state)
{
    (void)state;
    static const struct list_case good[] = {
        {"val.txt", "ILSVRC2012_val_00000001.JPEG 2\nILSVRC2012_val_00000002.JPEG 0\n", 3, {2, 0, -1}},
        {"LOC_val_solution.csv",
         "ImageId,PredictionString\nILSVRC2012_val_00000002,n01440764 1 2 3 4\n"
         "ILSVRC2012_val_00000001,n01751748 9 8 7 6 \nILSVRC2012_val_00000009,n00000001\n",
         3,
         {2, 1, -1}}, /* a class that only a missing image has is one all the same */
        {"ILSVRC2012_val_labels.txt", "val/ILSVRC2012_val_00000003.JPEG 4\n", 5, {-1, -1, 4}},
        {"ILSVRC2012_val_labels.txt", "999\r\n 0 \n7", 1000, {999, 0, 7}},
        {"imagenet_2012_validation_synset_labels.txt", "n03041632\nn01440764\nn03041632\nn02119789\n\n", 3, {2, 0, 2}},
    };
    static const struct list_case bad[] = {
        {"val.txt", "\njunk\n", 0, {0}},
        {"ILSVRC2012_val_labels.txt", "1\n2\n", 0, {0}},
        {"ILSVRC2012_val_labels.txt", "1\n\n2\n3\n", 0, {0}},
        {"ILSVRC2012_val_labels.txt", "1\n2 3\n4\n", 0, {0}},
        {"ILSVRC2012_val_labels.txt", "1\n1000\n4\n", 0, {0}},
    };
    static const char *const why[] = {"no line has an image and a label", "has 2 labels, but there is an image 3",
                                      "line 2 is no label", "line 2 is no label",
                                      "line 2: classes are numbered from 0 to 999"};
    struct kept_log *kept = memory_allocate(sizeof *kept);
    struct dataset *set;
    char path[512];
    put_folder(at("val"));
    snprintf(path, sizeof path, "%s", at("val/ILSVRC2012_img_val.tar"));
    make_validation(path, 3);
    assert_int_equal(open_logged(&set, path, DATASET_TRAIN, "none", kept, NULL), SIMCLR_OK);
    assert_int_equal(dataset_classes(set), 0);
    assert_int_equal(times_in(kept->text, "no labels: put ILSVRC2012_devkit_t12.tar.gz beside it"), 1);
    dataset_close(&set);
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        put_text(at("val/%s", good[i].name), good[i].text);
        expect_labels(path, &good[i]);
        unlink(at("val/%s", good[i].name));
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        put_text(at("val/%s", bad[i].name), bad[i].text);
        refuse_set(path, DATASET_TRAIN, SIMCLR_CORRUPT, why[i]);
        unlink(at("val/%s", bad[i].name));
    }
    memory_free(kept);
}

/* ---- the devkit ---- */

static const char truth[] = "3\n1\n2\n";     /* n03041632, n02119789, n01440764 */
static const int truth_label[3] = {2, 1, 0}; /* in the order of the wnids, as the training archive has them */
static const char truth_name[] = "ILSVRC2012_validation_ground_truth.txt";

static void put_devkit(const char *inner, const char *meta, const char *ground_truth)
{
    uint8_t *bytes;
    size_t count;
    put_folder(inner);
    if (meta != NULL) {
        char path[600];
        read_file(meta, &bytes, &count);
        snprintf(path, sizeof path, "%s/meta.mat", inner);
        put_bytes(path, bytes, count);
        memory_free(bytes);
    }
    if (ground_truth != NULL) {
        char path[600];
        snprintf(path, sizeof path, "%s/%s", inner, truth_name);
        put_text(path, ground_truth);
    }
}

/* ILSVRC2012_devkit_t12.tar.gz, with what is not NULL. */
static void put_devkit_archive(const char *path, const char *meta, const char *ground_truth)
{
    static const char zeros[1024];
    struct text tar = {0};
    uint8_t *bytes;
    size_t count;
    tar_add_typed(&tar, "ILSVRC2012_devkit_t12/data/", '5', "", 0);
    tar_add_text(&tar, "ILSVRC2012_devkit_t12/readme.txt", "the devkit");
    if (ground_truth != NULL)
        tar_add_text(&tar, "ILSVRC2012_devkit_t12/data/ILSVRC2012_validation_ground_truth.txt", ground_truth);
    if (meta != NULL) {
        read_file(meta, &bytes, &count);
        tar_add(&tar, "ILSVRC2012_devkit_t12/data/meta.mat", bytes, count);
        memory_free(bytes);
    }
    text_add_bytes(&tar, zeros, sizeof zeros);
    gzFile file = gzopen(path, "wb");
    assert_int_equal(gzwrite(file, tar.bytes, (unsigned)tar.length), tar.length);
    assert_int_equal(gzclose(file), Z_OK);
    text_free(&tar);
}

static void expect_devkit_labels(const char *path, const char *from)
{
    struct list_case expected = {from, NULL, 3, {0}};
    memcpy(expected.label, truth_label, sizeof truth_label);
    expect_labels(path, &expected);
}

static void devkits(void **state)
{
    (void)state;
    static const char *const places[3] = {"", "/ILSVRC2012_devkit_t12/data", "/data"};
    for (int i = 0; i < 3; i++) {
        char inner[64], path[512];
        snprintf(inner, sizeof inner, "kit%d", i);
        put_devkit(at("%s%s", inner, places[i]), i == 1 ? packed : plain, truth);
        snprintf(path, sizeof path, "%s", at("%s/ILSVRC2012_img_val.tar", inner));
        make_validation(path, 3);
        expect_devkit_labels(path, truth_name);
    }
    /* As downloaded goes before unpacked; the set that one archive of a folder is has the labels too. */
    put_devkit_archive(at("kit0/ILSVRC2012_devkit_t12.tar.gz"), packed, truth);
    put_text(at("kit0/%s", truth_name), "1\n1\n1\n");
    expect_devkit_labels(at("kit0/ILSVRC2012_img_val.tar"), "ILSVRC2012_devkit_t12.tar.gz");
    struct dataset *set = open_set(at("kit0"), DATASET_TRAIN, 0);
    assert_int_equal(dataset_label(set, 0), truth_label[2]);
    dataset_close(&set);
    /* Two images of one class: the numbers are those of all classes all the same. */
    put_devkit_archive(at("kit0/ILSVRC2012_devkit_t12.tar.gz"), packed, "3\n3\n");
    make_validation(at("kit0/ILSVRC2012_img_val.tar"), 2);
    set = open_set(at("kit0/ILSVRC2012_img_val.tar"), DATASET_TRAIN, 0);
    assert_int_equal(dataset_classes(set), 3);
    assert_int_equal(dataset_label(set, 0), 2);
    assert_string_equal(dataset_class_name(set, 2), "n03041632");
    dataset_close(&set);
}

static void missing_mapping(void **state)
{
    (void)state;
    char path[512];
    put_devkit(at("half"), NULL, truth);
    snprintf(path, sizeof path, "%s", at("half/ILSVRC2012_img_val.tar"));
    make_validation(path, 3);
    refuse_set(path, DATASET_TRAIN, SIMCLR_DATA,
               "only the devkit's meta.mat explains, but not that: put ILSVRC2012_devkit_t12");
    put_devkit(at("half"), plain, NULL);
    static const char *const bad[] = {"3\n4\n1\n",         "3\n0\n1\n",  "3\n9\n1\n",
                                      "3\nn01440764\n1\n", "3\n-1\n1\n", "3\n99999999999999999999\n1\n"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) { /* 4 has children: it is no class */
        put_text(at("half/%s", truth_name), bad[i]);
        refuse_set(path, DATASET_TRAIN, SIMCLR_CORRUPT, "is no class of meta.mat");
    }
    put_text(at("half/%s", truth_name), "1\n2\n");
    refuse_set(path, DATASET_TRAIN, SIMCLR_CORRUPT, "has 2 labels, but there is an image 3");
    unlink(at("half/%s", truth_name));
    put_devkit_archive(at("half/ILSVRC2012_devkit_t12.tar.gz"), NULL, truth);
    refuse_set(path, DATASET_TRAIN, SIMCLR_DATA, "only the devkit's meta.mat explains, but not that");
    put_devkit_archive(at("half/ILSVRC2012_devkit_t12.tar.gz"), plain, NULL);
    refuse_set(path, DATASET_TRAIN, SIMCLR_DATA, "has no ILSVRC2012_validation_ground_truth.txt");
    put_text(at("half/ILSVRC2012_devkit_t12.tar.gz"), "no archive");
    refuse_set(path, DATASET_TRAIN, SIMCLR_CORRUPT, "ILSVRC2012_devkit_t12.tar.gz: cannot be unpacked");
}

/* A folder of what was downloaded: both parts, with the same numbers for the same classes. */
static void whole_download(void **state)
{
    (void)state;
    char inner[512];
    snprintf(inner, sizeof inner, "%s", at("imagenet"));
    put_folder(inner);
    make_training(at("imagenet/ILSVRC2012_img_train.tar"));
    make_validation(at("imagenet/ILSVRC2012_img_val.tar"), 3);
    make_validation(at("imagenet/ILSVRC2012_img_test_v10102019.tar"), 3); /* not used */
    put_devkit_archive(at("imagenet/ILSVRC2012_devkit_t12.tar.gz"), packed, truth);
    put_devkit(at("imagenet/ILSVRC2012_devkit_t12/data"), plain, truth);
    assert_true(has_test_part(inner));
    struct dataset *train = open_set(inner, DATASET_TRAIN, 0), *test = open_set(inner, DATASET_TEST, 0);
    assert_int_equal(dataset_count(train), 9);
    assert_int_equal(dataset_count(test), 3);
    assert_int_equal(dataset_classes(train), 3);
    assert_int_equal(dataset_classes(test), 3);
    for (int i = 0; i < 3; i++) {
        assert_string_equal(dataset_class_name(train, i), wnids[i]);
        assert_string_equal(dataset_class_name(test, i), wnids[i]);
        assert_int_equal(dataset_label(train, 3 * i), i);
        assert_int_equal(dataset_label(test, i), truth_label[2 - i]);
    }
    dataset_close(&train);
    dataset_close(&test);
}

/* ---- meta.mat ---- */

static int parse(const uint8_t *bytes, size_t count, struct devkit *devkit, struct error *error)
{
    uint8_t *exact = memory_allocate(count); /* so that a sanitizer sees reading past the end */
    memcpy(exact, bytes, count);
    const int status = devkit_parse(devkit, exact, count, "meta.mat", error);
    memory_free(exact);
    return status;
}

static void expect_refused(const uint8_t *bytes, size_t count, int status, const char *word)
{
    struct devkit devkit;
    struct error error = {0};
    assert_int_equal(parse(bytes, count, &devkit, &error), status);
    if (strstr(error.text, word) == NULL) fail_msg("`%s` is not in: %s", word, error.text);
    devkit_free(&devkit);
}

static void meta_files(void **state)
{
    (void)state;
    static const char *const files[2] = {plain, packed};
    for (int f = 0; f < 2; f++) {
        struct devkit devkit;
        struct error error = {0};
        uint8_t *bytes;
        size_t count;
        int accepted = 0;
        read_file(files[f], &bytes, &count);
        if (parse(bytes, count, &devkit, &error) != SIMCLR_OK) fail_msg("%s", error.text);
        assert_int_equal(devkit.classes, 3);
        assert_int_equal(devkit.ids, 5);
        assert_string_equal(devkit.wnid[1], "n02119789");
        assert_string_equal(devkit.wnid[2], "n01440764");
        assert_string_equal(devkit.wnid[3], "n03041632");
        assert_string_equal(devkit.wnid[4], "");
        devkit_free(&devkit);
        for (size_t cut = 0; cut < count; cut++) { /* zeros at the end, a checksum of zlib: not all of it is needed */
            if (parse(bytes, cut, &devkit, &error) == SIMCLR_OK)
                accepted++;
            else
                assert_true(error.text[0] != '\0');
            devkit_free(&devkit);
        }
        assert_true(accepted <= 16);
        for (size_t i = 0; i < count; i++) {
            bytes[i] ^= 0x11;
            const int status = parse(bytes, count, &devkit, &error);
            assert_true(status == SIMCLR_OK || status == SIMCLR_CORRUPT || status == SIMCLR_UNSUPPORTED);
            devkit_free(&devkit);
            bytes[i] ^= 0x11;
        }
        memory_free(bytes);
    }
}

/* Where `word` begins in a file, which it must. */
static uint8_t *find(uint8_t *bytes, size_t count, const char *word)
{
    uint8_t *found = memmem(bytes, count, word, strlen(word));
    assert_non_null(found);
    return found;
}

static void bad_meta_files(void **state)
{
    (void)state;
    uint8_t *bytes;
    size_t count;
    read_file(plain, &bytes, &count);
    expect_refused((const uint8_t *)"\x89HDF\r\n\x1A\n", 8, SIMCLR_UNSUPPORTED, "version 7.3");
    expect_refused(bytes, 128, SIMCLR_CORRUPT, "no `synsets`");
    expect_refused(bytes, 100, SIMCLR_CORRUPT, "no MAT-file of level 5");
    memcpy(bytes + 126, "MI", 2);
    expect_refused(bytes, count, SIMCLR_UNSUPPORTED, "big-endian");
    memcpy(bytes + 126, "IM", 2);
    static const struct {
        const char *word, *instead, *why;
    } changes[] = {
        {"synsets", "sunsets", "no `synsets`"},       {"WNID", "WMID", "lack ILSVRC2012_ID, WNID"},
        {"n01440764", "n02119789", "is there twice"}, {"n01440764", "n0144/764", "a WNID is none"},
        {"n01440764", "n0144\001764", "is damaged"},
    };
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        uint8_t *place = find(bytes, count, changes[i].word), kept[16];
        memcpy(kept, place, strlen(changes[i].word));
        memcpy(place, changes[i].instead, strlen(changes[i].word));
        if (strstr(changes[i].why, "twice") == NULL) {
            expect_refused(bytes, count, SIMCLR_CORRUPT, changes[i].why);
        } else { /* seen when classes are numbered */
            put_devkit(at("twice"), NULL, truth);
            put_bytes(at("twice/meta.mat"), bytes, count);
            make_validation(at("twice/ILSVRC2012_img_val.tar"), 3);
            refuse_set(at("twice/ILSVRC2012_img_val.tar"), DATASET_TRAIN, SIMCLR_CORRUPT, changes[i].why);
        }
        memcpy(place, kept, strlen(changes[i].word));
    }
    memory_free(bytes);
}

static void no_memory(void **state)
{
    (void)state;
    put_folder(at("scarce"));
    make_validation(at("scarce/ILSVRC2012_img_val.tar"), 3);
    put_devkit_archive(at("scarce/ILSVRC2012_devkit_t12.tar.gz"), packed, truth);
    survive_no_memory(at("scarce/ILSVRC2012_img_val.tar"), 40);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(training),        cmocka_unit_test(lists),          cmocka_unit_test(devkits),
        cmocka_unit_test(missing_mapping), cmocka_unit_test(whole_download), cmocka_unit_test(meta_files),
        cmocka_unit_test(bad_meta_files),  cmocka_unit_test(no_memory),
    };
    return run_cases(tests, support_open, remove_folder);
}
