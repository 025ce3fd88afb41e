/* Folders, lists and CIFAR binaries: what is found, in which order, with which labels and pixels. */
#include "base/text.h"
#include "unit/data/data_support.h"

static const size_t caches[2] = {0, NOT_CACHED};

static void make_tree(const char *root)
{
    put_folder(at("%s/cat/deep/er", root));
    put_folder(at("%s/dog", root));
    put_folder(at("%s/.hidden", root));
    put_png(at("%s/cat/1.png", root), 8, 6, 1);
    put_jpeg(at("%s/cat/2.JPG", root), 10, 12, 2);
    put_jpeg(at("%s/cat/deep/er/3.JpEg", root), 5, 5, 3);
    put_jpeg(at("%s/dog/1.jpeg", root), 9, 9, 4);
    put_png(at("%s/dog/.thumbnail.png", root), 9, 9, 5);
    put_png(at("%s/.hidden/x.png", root), 9, 9, 6);
    put_text(at("%s/dog/readme.txt", root), "no image");
    put_text(at("%s/dog/jpg", root), "no image");
}

static void folder_with_classes(void **state)
{
    (void)state;
    make_tree("tree");
    for (int i = 0; i < 2; i++) {
        struct dataset *set = open_set(at("tree"), DATASET_TRAIN, caches[i]);
        static const char *const files[4] = {"cat/1.png", "cat/2.JPG", "cat/deep/er/3.JpEg", "dog/1.jpeg"};
        static const int labels[4] = {0, 0, 0, 1};
        assert_int_equal(dataset_count(set), 4);
        assert_int_equal(dataset_classes(set), 2);
        assert_string_equal(dataset_class_name(set, 0), "cat");
        assert_string_equal(dataset_class_name(set, 1), "dog");
        assert_string_equal(dataset_class_name(set, 2), "");
        for (int k = 0; k < 4; k++) {
            assert_int_equal(dataset_label(set, k), labels[k]);
            assert_string_equal(dataset_name(set, k), at("tree/%s", files[k]));
            expect_image(set, k, at("tree/%s", files[k]));
        }
        int width, height;
        dataset_max_size(set, &width, &height);
        assert_int_equal(width, 10);
        assert_int_equal(height, 12);
        assert_int_equal(dataset_bad_count(set), 0);
        assert_non_null(strstr(dataset_description(set), "4 images in 2 classes"));
        assert_int_equal(strstr(dataset_description(set), "in memory") != NULL, i == 0);
        struct image storage = {0};
        const struct image *image;
        assert_int_equal(dataset_image(set, 4, &storage, &image, NULL), SIMCLR_INVALID);
        assert_int_equal(dataset_image(set, -1, &storage, &image, NULL), SIMCLR_INVALID);
        assert_int_equal(dataset_label(set, 4), -1);
        dataset_close(&set);
        assert_null(set);
    }
}

static void fingerprint_of_contents_not_of_place(void **state)
{
    (void)state;
    make_tree("here");
    struct dataset *set = open_set(at("here"), DATASET_TRAIN, 0);
    const uint64_t first = dataset_fingerprint(set);
    dataset_close(&set);
    assert_int_equal(rename(at("here"), at("there")), 0);
    set = open_set(at("there/"), DATASET_TRAIN, NOT_CACHED);
    assert_true(dataset_fingerprint(set) == first);
    dataset_close(&set);
    put_png(at("there/dog/2.png"), 4, 4, 1);
    set = open_set(at("there"), DATASET_TRAIN, 0);
    assert_true(dataset_fingerprint(set) != first);
    dataset_close(&set);
    assert_int_equal(unlink(at("there/dog/2.png")), 0);
    assert_int_equal(rename(at("there/dog/1.jpeg"), at("there/cat/4.jpeg")), 0);
    set = open_set(at("there"), DATASET_TRAIN, 0);
    assert_true(dataset_fingerprint(set) != first);
    dataset_close(&set);
}

static void folder_with_parts(void **state)
{
    (void)state;
    put_folder(at("parts/train/a"));
    put_folder(at("parts/train/b"));
    put_folder(at("parts/val/b"));
    put_png(at("parts/train/a/1.png"), 4, 4, 1);
    put_png(at("parts/train/b/1.png"), 4, 4, 2);
    put_png(at("parts/val/b/9.png"), 4, 4, 3);
    put_png(at("parts/outside.png"), 4, 4, 3);
    struct dataset *train = open_set(at("parts"), DATASET_TRAIN, 0), *test = open_set(at("parts"), DATASET_TEST, 0);
    assert_int_equal(dataset_count(train), 2);
    assert_int_equal(dataset_count(test), 1);
    assert_string_equal(dataset_name(test, 0), at("parts/val/b/9.png"));
    /* The test part lacks class a; the numbers agree all the same. */
    assert_int_equal(dataset_label(test, 0), dataset_label(train, 1));
    assert_int_equal(dataset_classes(test), 2);
    assert_true(dataset_fingerprint(train) != dataset_fingerprint(test));
    dataset_close(&train);
    dataset_close(&test);
    put_folder(at("parts/test/a"));
    put_png(at("parts/test/a/5.png"), 4, 4, 3);
    test = open_set(at("parts"), DATASET_TEST, 0); /* `test` goes before `val` */
    assert_string_equal(dataset_name(test, 0), at("parts/test/a/5.png"));
    dataset_close(&test);
    put_folder(at("only/train/a"));
    put_png(at("only/train/a/1.png"), 4, 4, 1);
    refuse_set(at("only"), DATASET_TEST, SIMCLR_DATA, "neither `test` nor `val`");
}

/* The median tells what size most images have; who judges by labels leaves the others out. */
static void typical_side_and_labelled_ones(void **state)
{
    (void)state;
    put_folder(at("mixed/a"));
    put_folder(at("mixed/b"));
    put_png(at("mixed/stray.png"), 4, 4, 1);
    put_png(at("mixed/a/1.png"), 8, 6, 1);
    put_png(at("mixed/a/2.png"), 6, 9, 2);
    put_png(at("mixed/b/1.png"), 90, 80, 3);
    put_text(at("mixed/b/2.png"), "no picture");
    for (int i = 0; i < 2; i++) {
        struct pool *pool = support_pool(2);
        struct dataset_config config = dataset_config_default();
        struct dataset *set;
        int64_t left_out;
        config.path = at("mixed");
        config.max_bad = 0.5;
        config.cache_bytes = caches[i];
        assert_int_equal(dataset_open(&set, &config, pool, NULL, NULL), SIMCLR_OK);
        assert_int_equal(dataset_typical_side(set), 6);
        assert_int_equal(dataset_count(set), 4);
        const uint64_t fingerprint = dataset_fingerprint(set);
        assert_int_equal(dataset_leave_out_unlabelled(set, &left_out, NULL), SIMCLR_OK);
        assert_int_equal(left_out, 1);
        assert_int_equal(dataset_count(set), 3);
        for (int k = 0; k < 3; k++) assert_int_equal(dataset_label(set, k), k / 2);
        expect_image(set, 2, at("mixed/b/1.png"));
        assert_int_equal(dataset_leave_out_unlabelled(set, &left_out, NULL), SIMCLR_OK);
        assert_int_equal(left_out, 0);
        assert_true(dataset_fingerprint(set) == fingerprint);
        dataset_close(&set);
        pool_destroy(&pool);
    }
}

static void flat_folder_has_no_labels(void **state)
{
    (void)state;
    put_folder(at("flat/empty"));
    put_png(at("flat/b.png"), 4, 4, 1);
    put_png(at("flat/a.png"), 4, 4, 2);
    struct dataset *set = open_set(at("flat"), DATASET_TEST, 0);
    assert_int_equal(dataset_count(set), 2);
    assert_int_equal(dataset_classes(set), 0);
    assert_int_equal(dataset_label(set, 0), -1);
    assert_string_equal(dataset_name(set, 0), at("flat/a.png"));
    dataset_close(&set);
}

static void links_and_their_loops(void **state)
{
    (void)state;
    put_folder(at("links/a/in"));
    put_folder(at("links/b"));
    put_folder(at("elsewhere"));
    put_png(at("links/a/1.png"), 4, 4, 1);
    put_png(at("links/b/2.png"), 4, 4, 2);
    put_png(at("elsewhere/3.png"), 4, 4, 3);
    assert_int_equal(symlink("../..", at("links/a/in/up")), 0); /* to the root */
    assert_int_equal(symlink("..", at("links/a/in/back")), 0);  /* to the class */
    assert_int_equal(symlink(".", at("links/b/self")), 0);
    assert_int_equal(symlink("../links", at("links/again")), 0);          /* a class that is the root */
    assert_int_equal(symlink("../../elsewhere", at("links/b/more")), 0);  /* followed once ... */
    assert_int_equal(symlink("../../elsewhere", at("links/b/more2")), 0); /* ... not twice */
    struct dataset *set = open_set(at("links"), DATASET_TRAIN, 0);
    assert_int_equal(dataset_count(set), 3);
    assert_int_equal(dataset_classes(set), 2);
    assert_string_equal(dataset_name(set, 2), at("links/b/more/3.png"));
    assert_int_equal(dataset_label(set, 2), 1);
    dataset_close(&set);
}

/* A JPEG with an ICC profile after its first marker. */
static void put_profiled(const char *path, uint32_t seed)
{
    static const char segment[] = "\xFF\xE2\x00\x1FICC_PROFILE\0\1\1no real profile";
    struct image image = support_picture(9, 9, seed);
    uint8_t *bytes, *all;
    size_t count;
    assert_int_equal(image_encode_jpeg(&image, 90, &bytes, &count, NULL), SIMCLR_OK);
    all = memory_allocate(count + sizeof segment - 1);
    memcpy(all, bytes, 2);
    memcpy(all + 2, segment, sizeof segment - 1);
    memcpy(all + 1 + sizeof segment, bytes + 2, count - 2);
    put_bytes(path, all, count + sizeof segment - 1);
    memory_free(all);
    memory_free(bytes);
    image_free(&image);
}

static void profiles_are_counted(void **state)
{
    (void)state;
    make_tree("colours");
    for (uint32_t i = 0; i < 3; i++) put_profiled(at("colours/dog/wide%u.jpg", i), i);
    put_text(at("colours/dog/bad.jpg"), "no picture");
    for (int i = 0; i < 2; i++) {
        struct dataset *set;
        struct pool *pool = support_pool(3);
        struct dataset_config config = dataset_config_default();
        config.path = at("colours");
        config.cache_bytes = caches[i];
        config.max_bad = 0.5;
        assert_int_equal(dataset_open(&set, &config, pool, NULL, NULL), SIMCLR_OK);
        assert_int_equal(dataset_tally(set)->profiles, 3);
        assert_int_equal(dataset_tally(set)->looked_at, 8);
        dataset_close(&set);
        pool_destroy(&pool);
    }
    struct dataset *set = open_set("synthetic", DATASET_TRAIN, 0);
    assert_int_equal(dataset_tally(set)->profiles, 0);
    dataset_close(&set);
}

static void missing_and_empty(void **state)
{
    (void)state;
    refuse_set(at("nowhere"), DATASET_TRAIN, SIMCLR_DATA, "no such data");
    put_folder(at("void/a/b"));
    refuse_set(at("void"), DATASET_TRAIN, SIMCLR_DATA, "no images");
    put_text(at("empty.txt"), "\n\n");
    refuse_set(at("empty.txt"), DATASET_TRAIN, SIMCLR_DATA, "empty");
    refuse_set("", DATASET_TRAIN, SIMCLR_INVALID, "no data");
}

static void lists(void **state)
{
    (void)state;
    char text[2048];
    put_folder(at("list/sub"));
    put_png(at("list/a.png"), 4, 4, 1);
    put_png(at("list/sub/b c.png"), 6, 4, 2);
    put_png(at("other.png"), 7, 4, 3);
    snprintf(text, sizeof text, "a.png\t2\r\n\nsub/b c.png\t0\n%s\na.png\t-1", at("other.png"));
    put_text(at("list/numbers.txt"), text);
    struct dataset *set = open_set(at("list/numbers.txt"), DATASET_TRAIN, 0);
    assert_int_equal(dataset_count(set), 4);
    assert_int_equal(dataset_classes(set), 3);
    assert_string_equal(dataset_class_name(set, 2), "2");
    static const int labels[4] = {2, 0, -1, -1};
    for (int i = 0; i < 4; i++) assert_int_equal(dataset_label(set, i), labels[i]);
    expect_image(set, 1, at("list/sub/b c.png"));
    expect_image(set, 2, at("other.png"));
    dataset_close(&set);
    put_text(at("list/names.txt"), "a.png\twolf\nsub/b c.png\tape\na.png\t12\na.png\n");
    set = open_set(at("list/names.txt"), DATASET_TRAIN, 0);
    assert_int_equal(dataset_classes(set), 3);
    assert_string_equal(dataset_class_name(set, 0), "12"); /* one name makes all of them names */
    assert_string_equal(dataset_class_name(set, 1), "ape");
    static const int named[4] = {2, 1, 0, -1};
    for (int i = 0; i < 4; i++) assert_int_equal(dataset_label(set, i), named[i]);
    dataset_close(&set);
    put_text(at("list/plain.txt"), "a.png\nsub/b c.png\n");
    set = open_set(at("list/plain.txt"), DATASET_TRAIN, 0);
    assert_int_equal(dataset_classes(set), 0);
    assert_int_equal(dataset_count(set), 2);
    dataset_close(&set);
}

/* The lists that people have: all of them name the same six images of two classes. */
static void lists_of_other_programs(void **state)
{
    (void)state;
    static const struct {
        const char *before, *between, *quote, *end;
        const char *said; /* "" where nothing is to be said */
        bool labelled;
        const char *column; /* before the path */
    } cases[] = {
        {"", "\t", "", "\n", "", true, ""},
        {"\xEF\xBB\xBF", "\t", "", "\r\n", "", true, ""},
        {"", " ", "", "\n", "a space between them", true, ""},
        {"", ",", "", "\n", "commas between them", true, ""},
        {"", ";", "", "\n", "semicolons between them", true, ""},
        {"filename,label\n", ",", "", "\n", "below a heading", true, ""},
        {"\xEF\xBB\xBFImage_Path;Class\r\n", ";", "\"", "\r\n", "below a heading", true, ""},
        {"id\tpath\ttarget\n", "\t", "", "\n", "column 2", true, "7\t"},
        {"\npath\tlabel\n", "\t", "", "\n", "below a heading", true, ""},
        {"path\n", NULL, "", "\n", "no labels", false, ""},
        {"", NULL, "", "\n", "", false, ""},
    };
    put_folder(at("kinds/cat"));
    put_folder(at("kinds/dog"));
    for (int i = 0; i < 3; i++) {
        put_png(at("kinds/cat/%d.png", i), 4, 4, 1);
        put_png(at("kinds/dog/%d.png", i), 4, 4, 2);
    }
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *quote = cases[i].quote;
        struct text text = {0};
        struct kept_log *kept = memory_allocate(sizeof *kept);
        struct error error = {0};
        struct dataset *set;
        text_add(&text, "%s", cases[i].before);
        for (int k = 0; k < 6; k++) {
            const char *class = k < 3 ? "cat" : "dog";
            text_add(&text, "%s%skinds/%s/%d.png%s", cases[i].column, quote, class, k % 3, quote);
            if (cases[i].labelled) text_add(&text, "%s%s%s%s", cases[i].between, quote, class, quote);
            text_add(&text, "%s", cases[i].end);
        }
        put_bytes(at("kinds.txt"), text.bytes, text.length);
        text_free(&text);
        if (open_logged(&set, at("kinds.txt"), DATASET_TRAIN, "none", kept, &error)) fail_msg("%zu: %s", i, error.text);
        assert_int_equal(dataset_count(set), 6);
        assert_int_equal(dataset_bad_count(set), 0);
        assert_int_equal(dataset_classes(set), cases[i].labelled ? 2 : 0);
        for (int k = 0; k < 6; k++) assert_int_equal(dataset_label(set, k), cases[i].labelled ? k / 3 : -1);
        if (cases[i].labelled) assert_string_equal(dataset_class_name(set, 1), "dog");
        if (!strstr(kept->text, cases[i].said)) fail_msg("%zu: %s", i, kept->text);
        if (cases[i].said[0] == '\0') assert_string_equal(kept->text, "");
        dataset_close(&set);
        memory_free(kept);
    }
    put_text(at("kinds.txt"), "elsewhere/a b.png 0\n");
    struct kept_log *kept = memory_allocate(sizeof *kept);
    struct dataset *set;
    assert_int_equal(open_logged(&set, at("kinds.txt"), DATASET_TRAIN, "none", kept, NULL), SIMCLR_DATA);
    assert_non_null(strstr(kept->text, "write path<tab>label"));
    memory_free(kept);
    put_bytes(at("kinds.txt"), "\xFF\xFEk\0i\0\n\0", 8);
    refuse_set(at("kinds.txt"), DATASET_TRAIN, SIMCLR_DATA, "UTF-16");
}

static void hostile_lists(void **state)
{
    (void)state;
    put_bytes(at("nul.txt"), "a.png\nb\0.png\n", 13);
    refuse_set(at("nul.txt"), DATASET_TRAIN, SIMCLR_CORRUPT, "line 2 has a NUL");
    put_text(at("tab.txt"), "a.png\n\t3\n");
    refuse_set(at("tab.txt"), DATASET_TRAIN, SIMCLR_CORRUPT, "line 2 has a label, but no path");
    FILE *file = fopen(at("long.txt"), "w");
    assert_non_null(file);
    for (int i = 0; i < 1 << 20; i++) putc('x', file);
    fclose(file);
    refuse_set(at("long.txt"), DATASET_TRAIN, SIMCLR_CORRUPT, "line 1 is longer");
    /* A gigabyte without a newline: a hole in a file, refused at its first byte. */
    put_text(at("huge.txt"), "");
    assert_int_equal(truncate(at("huge.txt"), 1 << 30), 0);
    refuse_set(at("huge.txt"), DATASET_TRAIN, SIMCLR_DATA, "this is no text");
}

/* Files that are no set: each is told what it is and what to do. */
static void files_of_other_kinds(void **state)
{
    (void)state;
    put_png(at("picture.png"), 4, 4, 1);
    refuse_set(at("picture.png"), DATASET_TRAIN, SIMCLR_DATA, "this is a PNG picture: give the folder");
    put_bytes(at("set.tar.xz"),
              "\xFD"
              "7zXZ\0\0\4",
              8);
    refuse_set(at("set.tar.xz"), DATASET_TRAIN, SIMCLR_DATA, "this is an xz archive (as .tar.xz): unpack it");
    put_text(at("page.html"), "<!DOCTYPE html>\n<html></html>\n");
    refuse_set(at("page.html"), DATASET_TRAIN, SIMCLR_DATA, "this is an HTML page: download it again");
    put_bytes(at("noise"), "\1\0\2\n\0", 5);
    refuse_set(at("noise"), DATASET_TRAIN, SIMCLR_DATA, "no file of a kind that is known");
    assert_int_equal(mkdir(at("parquets"), 0777), 0);
    put_bytes(at("parquets/0.parquet"), "PAR1", 4);
    put_bytes(at("parquets/1.parquet"), "PAR1", 4);
    put_text(at("parquets/README.md"), "a set\n");
    refuse_set(at("parquets"), DATASET_TRAIN, SIMCLR_DATA, "2 files such as 0.parquet, which is a Parquet file");
}

/* Records whose pixel (c, i) is (seed * 7 + c * 31 + i) mod 256 with seed growing. */
static void put_cifar(const char *path, int label_bytes, int records, int first_seed, size_t extra)
{
    const size_t record = (size_t)label_bytes + 3072;
    uint8_t *bytes = memory_array((size_t)records + 1, record);
    for (int r = 0; r < records; r++) {
        uint8_t *at_record = bytes + (size_t)r * record;
        at_record[0] = (uint8_t)(label_bytes == 1 ? (first_seed + r) % 10 : 1);
        if (label_bytes == 2) at_record[1] = (uint8_t)((first_seed + r) % 100);
        for (int i = 0; i < 3072; i++)
            at_record[label_bytes + i] = (uint8_t)((first_seed + r) * 7 + i / 1024 * 31 + i % 1024);
    }
    put_bytes(path, bytes, (size_t)records * record + extra);
    memory_free(bytes);
}

static void expect_cifar(struct dataset *set, int64_t index, int seed)
{
    struct image storage = {0};
    const struct image *image;
    assert_int_equal(dataset_image(set, index, &storage, &image, NULL), SIMCLR_OK);
    assert_int_equal(image->width, 32);
    assert_int_equal(image->height, 32);
    for (int i = 0; i < 3072; i++) assert_int_equal(image->rgb[i], (uint8_t)(seed * 7 + i % 3 * 31 + i / 3));
    image_free(&storage);
}

static void cifar_binaries(void **state)
{
    (void)state;
    put_folder(at("c10"));
    put_cifar(at("c10/data_batch_1.bin"), 1, 300, 0, 0);
    put_cifar(at("c10/data_batch_3.bin"), 1, 5, 1000, 0);
    put_cifar(at("c10/test_batch.bin"), 1, 4, 2003, 0);
    for (int i = 0; i < 2; i++) {
        struct dataset *set = open_set(at("c10"), DATASET_TRAIN, caches[i]);
        assert_int_equal(dataset_count(set), 305);
        assert_int_equal(dataset_classes(set), 10);
        assert_string_equal(dataset_class_name(set, 9), "truck");
        assert_string_equal(dataset_name(set, 302), "data_batch_3.bin/2");
        assert_int_equal(dataset_label(set, 299), 9);
        assert_int_equal(dataset_label(set, 302), 2);
        expect_cifar(set, 299, 299);
        expect_cifar(set, 300, 1000);
        dataset_close(&set);
    }
    struct dataset *set = open_set(at("c10"), DATASET_TEST, 0);
    assert_int_equal(dataset_count(set), 4);
    assert_int_equal(dataset_label(set, 0), 3);
    dataset_close(&set);
    put_folder(at("c100"));
    put_cifar(at("c100/train.bin"), 2, 102, 0, 0);
    char names[2000] = "";
    for (int i = 0; i < 100; i++) sprintf(names + strlen(names), "fine%d\n", i);
    put_text(at("c100/fine_label_names.txt"), names);
    set = open_set(at("c100"), DATASET_TRAIN, 0);
    assert_int_equal(dataset_classes(set), 100);
    assert_int_equal(dataset_label(set, 101), 1);
    assert_string_equal(dataset_class_name(set, 99), "fine99");
    expect_cifar(set, 101, 101);
    dataset_close(&set);
    refuse_set(at("c100"), DATASET_TEST, SIMCLR_DATA, "without test.bin");
}

static void hostile_cifar(void **state)
{
    (void)state;
    put_folder(at("odd"));
    put_cifar(at("odd/data_batch_1.bin"), 1, 3, 0, 17);
    refuse_set(at("odd"), DATASET_TRAIN, SIMCLR_CORRUPT, "whole number");
    put_text(at("odd/data_batch_1.bin"), "");
    refuse_set(at("odd"), DATASET_TRAIN, SIMCLR_CORRUPT, "whole number");
    put_cifar(at("odd/data_batch_1.bin"), 1, 3, 0, 0);
    uint8_t *bytes;
    size_t count;
    assert_int_equal(file_read(at("odd/data_batch_1.bin"), 1 << 20, &bytes, &count, NULL), SIMCLR_OK);
    bytes[2 * 3073] = 10;
    put_bytes(at("odd/data_batch_1.bin"), bytes, count);
    memory_free(bytes);
    refuse_set(at("odd"), DATASET_TRAIN, SIMCLR_CORRUPT, "record 2 has label 10");
}

/* Every allocation of opening fails once: a clear status, nothing lost, nothing broken. */
static void no_memory(void **state)
{
    (void)state;
    make_tree("memory");
    put_text(at("memory.txt"), "memory/cat/1.png\tcat\nmemory/dog/1.jpeg\tdog\n");
    put_folder(at("memory10"));
    put_cifar(at("memory10/test_batch.bin"), 1, 2, 0, 0);
    const char *const paths[4] = {"memory", "memory.txt", "memory10", "synthetic"};
    struct pool *pool = support_pool(1);
    for (int p = 0; p < 4; p++) {
        struct dataset_config config = dataset_config_default();
        config.path = p < 3 ? at("%s", paths[p]) : paths[p];
        config.part = DATASET_TEST;
        config.synthetic_count = 3;
        int status = SIMCLR_NO_MEMORY;
        long n = 1;
        for (; status == SIMCLR_NO_MEMORY && n < 2000; n++) {
            struct dataset *set;
            struct error error = {0};
            memory_fail_after(n);
            status = dataset_open(&set, &config, pool, NULL, &error);
            memory_fail_after(0);
            assert_true(status == SIMCLR_OK || (status == SIMCLR_NO_MEMORY && set == NULL && error.text[0] != '\0'));
            if (status == SIMCLR_OK) dataset_close(&set);
        }
        assert_int_equal(status, SIMCLR_OK);
        assert_true(n > 20); /* that many different allocations have failed */
    }
    pool_destroy(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folder_with_classes),
        cmocka_unit_test(fingerprint_of_contents_not_of_place),
        cmocka_unit_test(folder_with_parts),
        cmocka_unit_test(flat_folder_has_no_labels),
        cmocka_unit_test(links_and_their_loops),
        cmocka_unit_test(profiles_are_counted),
        cmocka_unit_test(missing_and_empty),
        cmocka_unit_test(lists),
        cmocka_unit_test(typical_side_and_labelled_ones),
        cmocka_unit_test(lists_of_other_programs),
        cmocka_unit_test(hostile_lists),
        cmocka_unit_test(files_of_other_kinds),
        cmocka_unit_test(cifar_binaries),
        cmocka_unit_test(hostile_cifar),
        cmocka_unit_test(no_memory),
    };
    return run_cases(tests, support_open, remove_folder);
}
