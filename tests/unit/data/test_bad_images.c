/* Bad images: named once, counted, skipped; too many refused; the same whether decoded at opening or when needed. */
#include "unit/data/data_support.h"

#include "data/bad_exchange.h"

enum { GOOD = 12 };

/* The kinds of bad files of the contract. */
static const char *const kinds[] = {"truncated.jpg", "cut.png",  "zero.jpg",   "random.png",
                                    "lying.png",     "text.jpg", "nowhere.jpg"};
enum { KINDS = 7 };

/* A PNG header that promises 100,000 x 100,000 pixels, with correct checksum. */
static void put_lying_png(const char *path)
{
    static const uint8_t bytes[] = {
        0x89, 'P',  'N',  'G',  0x0D, 0x0A, 0x1A, 0x0A, /* signature */
        0,    0,    0,    13,   'I',  'H',  'D',  'R',  0, 1,    0x86, 0xA0, 0,
        1,    0x86, 0xA0, 8,    2,    0,    0,    0, /* 100,000 twice */
        0x27, 0x30, 0x9C, 0x9F,                      /* CRC */
        0,    0,    0,    1,    'I',  'D',  'A',  'T',  0, 0x28, 0x38, 0x7D, 0xE8,
    };
    put_bytes(path, bytes, sizeof bytes);
}

static void put_random(const char *path)
{
    uint8_t bytes[5000];
    struct rng rng = rng_open(3, RNG_TEST, 0, 0, 0);
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)rng_word(&rng);
    put_bytes(path, bytes, sizeof bytes);
}

static void put_cut_png(const char *path)
{
    struct image image = support_noise(40, 40, 9);
    assert_int_equal(image_write_png(path, &image, NULL), SIMCLR_OK);
    image_free(&image);
    assert_int_equal(truncate(path, file_size(path) / 2), 0);
}

/* 12 good images (one is a PNG named .jpg) and the bad ones. */
static void make_mixture(const char *root)
{
    put_folder(at("%s/a", root));
    put_folder(at("%s/b", root));
    for (int i = 0; i < GOOD - 1; i++)
        put_jpeg(at("%s/%s/good%02d.jpg", root, i < 6 ? "a" : "b", i), 30 + i, 20, (uint32_t)i);
    put_png(at("%s/b/png_named.jpg", root), 13, 14, 77);
    put_jpeg_share(at("%s/a/truncated.jpg", root), 64, 64, 5, 0.6);
    put_cut_png(at("%s/a/cut.png", root));
    put_bytes(at("%s/a/zero.jpg", root), "", 0);
    put_random(at("%s/b/random.png", root));
    put_lying_png(at("%s/b/lying.png", root));
    put_text(at("%s/b/text.jpg", root), "hello");
    assert_int_equal(symlink("nothing", at("%s/b/nowhere.jpg", root)), 0);
}

static int open_mixture(struct dataset **out, const char *path, size_t cache_bytes, double max_bad,
                        struct kept_log *kept, struct error *error)
{
    struct pool *pool = support_pool(3);
    struct dataset_config config = dataset_config_default();
    const struct log log = {keep_line, kept};
    config.path = path;
    config.cache_bytes = cache_bytes;
    config.max_bad = max_bad;
    const int status = dataset_open(out, &config, pool, &log, error);
    pool_destroy(&pool);
    return status;
}

static void left_out_when_cached(void **state)
{
    (void)state;
    make_mixture("cached");
    struct dataset *set;
    struct error error = {0};
    struct kept_log *kept = memory_allocate(sizeof *kept);
    if (open_mixture(&set, at("cached"), 0, 0.5, kept, &error) != SIMCLR_OK) fail_msg("%s", error.text);
    assert_int_equal(dataset_count(set), GOOD);
    assert_int_equal(dataset_bad_count(set), KINDS);
    assert_int_equal(kept->lines, KINDS);
    for (int k = 0; k < KINDS; k++) assert_int_equal(times_in(kept->text, kinds[k]), 1);
    for (int64_t i = 0; i < GOOD; i++) {
        expect_image(set, i, dataset_name(set, i)); /* the numbering has no gap */
        assert_int_equal(dataset_label(set, i), i < 6 ? 0 : 1);
    }
    assert_string_equal(dataset_name(set, GOOD - 1), at("cached/b/png_named.jpg"));
    dataset_close(&set);
    memory_free(kept);
}

static void expect_largest(const char *path, size_t cache_bytes, int expected_width, int expected_height)
{
    struct dataset *set;
    struct error error = {0};
    struct kept_log *kept = memory_allocate(sizeof *kept);
    int width, height;
    if (open_mixture(&set, path, cache_bytes, 0.5, kept, &error) != SIMCLR_OK) fail_msg("%s", error.text);
    dataset_max_size(set, &width, &height);
    assert_int_equal(width, expected_width);
    assert_int_equal(height, expected_height);
    assert_int_equal(dataset_bad_count(set), 1);
    dataset_close(&set);
    memory_free(kept);
}

/* Buffers are made for the largest image: a header alone makes no claim on them. A picture of 2^27 x 1 pixels has no
 * more pixels than are accepted, but no side of a picture may be so long. */
static void bad_images_claim_no_memory(void **state)
{
    (void)state;
    static const uint8_t thin[] = {0x89, 'P', 'N', 'G', 0x0D, 0x0A, 0x1A, 0x0A, 0,   0, 0, 13, 'I', 'H', 'D', 'R',
                                   8,    0,   0,   0,   0,    0,    0,    1,    8,   2, 0, 0,  0,   1,   2,   3,
                                   4,    0,   0,   0,   1,    'I',  'D',  'A',  'T', 0, 0, 0,  0,   0};
    struct dataset *set;
    struct error error = {0};
    struct kept_log *kept = memory_allocate(sizeof *kept);
    put_folder(at("thin"));
    put_folder(at("cut"));
    for (int i = 0; i < 4; i++) {
        put_jpeg(at("thin/%d.jpg", i), 30 + i, 20, (uint32_t)i);
        put_jpeg(at("cut/%d.jpg", i), 30 + i, 20, (uint32_t)i);
    }
    put_bytes(at("thin/thin.png"), thin, sizeof thin);
    put_jpeg_share(at("cut/cut.jpg"), 600, 500, 5, 0.6);
    if (open_mixture(&set, at("thin"), 0, 0.5, kept, &error) != SIMCLR_OK) fail_msg("%s", error.text);
    assert_int_equal(times_in(kept->text, "thin.png: 134217728 x 1 pixels: a side must have 1 to 65535"), 1);
    dataset_close(&set);
    memory_free(kept);
    expect_largest(at("thin"), 0, 33, 20);
    expect_largest(at("thin"), NOT_CACHED, 33, 20);
    expect_largest(at("cut"), 0, 33, 20); /* found out when it was decoded */
}

/* Headers of the truncated files are fine: they are found out when they are decoded. */
static void replaced_when_not_cached(void **state)
{
    (void)state;
    make_mixture("late");
    struct dataset *set;
    struct error error = {0};
    struct kept_log *kept = memory_allocate(sizeof *kept);
    if (open_mixture(&set, at("late"), NOT_CACHED, 0.5, kept, &error) != SIMCLR_OK) fail_msg("%s", error.text);
    const int64_t count = dataset_count(set), early = dataset_bad_count(set);
    assert_int_equal(count + early, GOOD + KINDS);
    assert_true(early >= 4 && early < KINDS);
    for (int round = 0; round < 2; round++) {
        struct image storage = {0};
        for (int64_t i = 0; i < count; i++) {
            const struct image *image;
            assert_int_equal(dataset_image(set, i, &storage, &image, &error), SIMCLR_OK);
            assert_int_equal(image->height == 14 || image->height == 20, 1);
            /* Label and name are those of the image that was given. */
            expect_image(set, i, dataset_name(set, i));
            assert_int_equal(dataset_label(set, i), strstr(dataset_name(set, i), "/a/") != NULL ? 0 : 1);
        }
        image_free(&storage);
        assert_int_equal(dataset_bad_count(set), KINDS);
        assert_int_equal(kept->lines, KINDS);
        for (int k = 0; k < KINDS; k++) assert_int_equal(times_in(kept->text, kinds[k]), 1);
    }
    dataset_close(&set);
    memory_free(kept);
}

static void too_many_are_refused(void **state)
{
    (void)state;
    make_mixture("many");
    struct dataset *set;
    struct error error = {0};
    struct kept_log *kept = memory_allocate(sizeof *kept);
    assert_int_equal(open_mixture(&set, at("many"), 0, 0.01, kept, &error), SIMCLR_DATA);
    assert_null(set);
    assert_non_null(strstr(error.text, "of 19 images cannot be used, more than the accepted 1 %"));
    assert_non_null(strstr(error.text, "a/zero.jpg"));
    assert_non_null(strstr(error.text, ", ..."));
    /* 7 of 19 is 0.368: the bound itself, just below, just above. */
    assert_int_equal(open_mixture(&set, at("many"), 0, 7.0 / 19, kept, &error), SIMCLR_OK);
    dataset_close(&set);
    assert_int_equal(open_mixture(&set, at("many"), 0, 0.3684, kept, &error), SIMCLR_DATA);
    /* Not cached: 5 are bad at opening, the others when they are met. */
    assert_int_equal(open_mixture(&set, at("many"), NOT_CACHED, 0.3, kept, &error), SIMCLR_OK);
    int status = SIMCLR_OK;
    struct image storage = {0};
    for (int64_t i = 0; status == SIMCLR_OK && i < dataset_count(set); i++) {
        const struct image *image;
        status = dataset_image(set, i, &storage, &image, &error);
    }
    assert_int_equal(status, SIMCLR_DATA);
    assert_non_null(strstr(error.text, "6 of 19 images"));
    image_free(&storage);
    dataset_close(&set);
    memory_free(kept);
}

static void none_is_good(void **state)
{
    (void)state;
    put_folder(at("none"));
    put_random(at("none/1.png"));
    put_text(at("none/2.jpg"), "no");
    put_jpeg_share(at("none/3.jpg"), 64, 64, 5, 0.6);
    struct dataset *set;
    struct error error = {0};
    struct kept_log *kept = memory_allocate(sizeof *kept);
    assert_int_equal(open_mixture(&set, at("none"), 0, 1.0, kept, &error), SIMCLR_DATA);
    assert_non_null(strstr(error.text, "none of the 3 images"));
    /* Not cached: the truncated one passes until it is decoded. */
    assert_int_equal(open_mixture(&set, at("none"), NOT_CACHED, 1.0, kept, &error), SIMCLR_OK);
    struct image storage = {0};
    const struct image *image;
    assert_int_equal(dataset_image(set, 0, &storage, &image, &error), SIMCLR_DATA);
    assert_non_null(strstr(error.text, "none of the 3 images"));
    image_free(&storage);
    dataset_close(&set);
    memory_free(kept);
}

static void unreadable(void **state)
{
    (void)state;
    put_folder(at("locked"));
    put_png(at("locked/1.png"), 4, 4, 1);
    put_png(at("locked/2.png"), 4, 4, 1);
    assert_int_equal(chmod(at("locked/2.png"), 0), 0);
    assert_int_equal(chmod(folder, 0755), 0);
    const bool root = geteuid() == 0; /* root reads everything: be nobody for a while */
    if (root && seteuid(65534) != 0) skip_case("root can read every file");
    struct dataset *set;
    struct error error = {0};
    struct kept_log *kept = memory_allocate(sizeof *kept);
    const int status = open_mixture(&set, at("locked"), 0, 0.5, kept, &error);
    if (root) assert_int_equal(seteuid(0), 0);
    assert_int_equal(status, SIMCLR_OK);
    assert_int_equal(dataset_count(set), 1);
    assert_int_equal(times_in(kept->text, "ermission"), 1);
    dataset_close(&set);
    memory_free(kept);
}

/* A file that changes between opening and reading must not overrun buffers made for the sizes seen at opening. */
static void grown_since_opening(void **state)
{
    (void)state;
    put_folder(at("grown"));
    for (int i = 0; i < 4; i++) put_png(at("grown/%d.png", i), 8, 8, (uint32_t)i);
    struct dataset *set;
    struct error error = {0};
    struct kept_log *kept = memory_allocate(sizeof *kept);
    assert_int_equal(open_mixture(&set, at("grown"), NOT_CACHED, 0.5, kept, &error), SIMCLR_OK);
    put_png(at("grown/1.png"), 200, 8, 1);
    assert_int_equal(unlink(at("grown/2.png")), 0);
    struct image storage = {0};
    const struct image *image;
    assert_int_equal(dataset_image(set, 1, &storage, &image, &error), SIMCLR_OK);
    assert_int_equal(image->width, 8);
    assert_string_equal(dataset_name(set, 1), at("grown/3.png"));
    assert_int_equal(times_in(kept->text, "has grown"), 1);
    assert_int_equal(dataset_bad_count(set), 2);
    image_free(&storage);
    dataset_close(&set);
    memory_free(kept);
}

/* A run's numbers: an image that is damaged later keeps its own, and the next stands in for it. */
static void numbers_of_a_run(void **state)
{
    (void)state;
    static const size_t caches[2] = {0, NOT_CACHED};
    for (int i = 0; i < 2; i++) {
        struct pool *pool = support_pool(2);
        struct dataset_config config = dataset_config_default();
        struct dataset *set;
        struct numbering numbering, again;
        put_folder(at("run%d", i));
        for (int k = 0; k < 10; k++) put_png(at("run%d/%d.png", i, k), 4 + k, 4, 1);
        put_text(at("run%d/3.png", i), "bad from the beginning");
        config.path = at("run%d", i);
        config.max_bad = 0.5;
        config.cache_bytes = caches[i];
        assert_int_equal(dataset_open(&set, &config, pool, NULL, NULL), SIMCLR_OK);
        const uint64_t fingerprint = dataset_fingerprint(set);
        assert_int_equal(dataset_count(set), 9);
        assert_int_equal(dataset_numbering(set, &numbering, NULL), SIMCLR_OK);
        assert_int_equal(numbering.count, 1);
        assert_int_equal(numbering.left_out[0], 3);
        dataset_close(&set);
        assert_int_equal(numbering_write(at("images.txt"), &numbering, NULL), SIMCLR_OK);
        numbering_free(&numbering);
        assert_int_equal(numbering_read(at("images.txt"), &numbering, NULL), SIMCLR_OK);
        put_text(at("run%d/6.png", i), "bad since then");
        put_png(at("run%d/3.png", i), 7, 4, 1); /* good again: the run goes on without it */
        config.path = at("run%d", i);
        config.numbering = &numbering;
        assert_int_equal(dataset_open(&set, &config, pool, NULL, NULL), SIMCLR_OK);
        assert_true(dataset_fingerprint(set) == fingerprint);
        assert_int_equal(dataset_count(set), 9);
        assert_int_equal(dataset_bad_count(set), 1);
        for (int k = 0; k < 9; k++) {
            const int picture = k < 3 ? k : k == 5 ? 7 : k + 1; /* number 5 was picture 6 */
            expect_image(set, k, at("run%d/%d.png", i, picture));
            assert_string_equal(dataset_name(set, k), at("run%d/%d.png", i, picture));
        }
        assert_int_equal(dataset_numbering(set, &again, NULL), SIMCLR_OK);
        assert_int_equal(again.count, 1);
        assert_true(again.listing == numbering.listing);
        numbering_free(&again);
        dataset_close(&set);
        put_png(at("run%d/new.png", i), 5, 5, 1); /* another listing: numbers of its own */
        config.path = at("run%d", i);
        assert_int_equal(dataset_open(&set, &config, pool, NULL, NULL), SIMCLR_OK);
        assert_int_equal(dataset_count(set), 10);
        dataset_close(&set);
        numbering_free(&numbering);
        pool_destroy(&pool);
    }
    static const char *const damaged[] = {
        "", "#simclr-images 1 0123456789abcde\n", "#simclr-images 1 0123456789abcdef\n3\n3\n",
        "#simclr-images 1 0123456789abcdef\n99999999999\n", "#simclr-images 1 0123456789abcdef\n3"};
    for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++) {
        struct numbering none;
        put_text(at("images.txt"), damaged[i]);
        assert_int_equal(numbering_read(at("images.txt"), &none, NULL), SIMCLR_CORRUPT);
        assert_null(none.left_out);
    }
}

/* A set as two processes have it, each of which reads one half of the images. */
static void two_processes_have_one_count(void **state)
{
    (void)state;
    make_mixture("shared");
    enum { ROOM = 400 };
    struct dataset *sets[2];
    struct bad_exchange exchanges[2] = {{0}};
    struct kept_log *kept[2] = {memory_allocate(sizeof **kept), memory_allocate(sizeof **kept)};
    struct error error = {0};
    struct image storage = {0};
    for (int p = 0; p < 2; p++) {
        if (open_mixture(&sets[p], at("shared"), NOT_CACHED, 0.36, kept[p], &error)) fail_msg("%s", error.text);
        assert_int_equal(bad_exchange_join(&exchanges[p], sets[p], &error), SIMCLR_OK);
    }
    const int64_t count = dataset_count(sets[0]), early = dataset_bad_count(sets[0]);
    for (int round = 0; round < 2; round++) {
        for (int64_t i = 0; i < count; i++) { /* all but the last bad image are accepted; each process finds one */
            const struct image *image;
            const int p = i < count / 2;
            const bool was = dataset_bad_count(sets[p]) == KINDS;
            const int status = dataset_image(sets[p], i, &storage, &image, &error);
            if (status) assert_true(was && status == SIMCLR_DATA);
        }
        for (int p = 0; p < 2; p++) { /* in messages that do not hold all */
            unsigned char bytes[ROOM];
            size_t told;
            while ((told = bad_exchange_collect(&exchanges[p], bytes, ROOM)) > 0) {
                assert_true(told <= ROOM);
                bad_exchange_deliver(&exchanges[1 - p], bytes, told);
            }
        }
        for (int p = 0; p < 2; p++) {
            assert_int_equal(dataset_bad_count(sets[p]), KINDS);
            assert_int_equal(bad_exchange_judge(&exchanges[p], &error), SIMCLR_DATA);
            assert_non_null(strstr(error.text, "7 of 19 images cannot be used, more than the accepted 36 %"));
        }
    }
    assert_true(early < KINDS && kept[0]->lines < KINDS && kept[1]->lines < KINDS);
    assert_int_equal(kept[0]->lines + kept[1]->lines,
                     KINDS + early); /* those of the opening by both, the others once */
    image_free(&storage);
    dataset_close(&sets[0]);
    dataset_close(&sets[1]);
    assert_null(exchanges[0].first);
    memory_free(kept[0]);
    memory_free(kept[1]);
}

/* What is no record, or of another set, changes nothing. */
static void a_damaged_record_is_passed_over(void **state)
{
    (void)state;
    make_mixture("damaged");
    struct dataset *set;
    struct bad_exchange exchange = {0};
    struct kept_log *kept = memory_allocate(sizeof *kept);
    struct error error = {0};
    unsigned char bytes[2000];
    if (open_mixture(&set, at("damaged"), 0, 0.5, kept, &error) != SIMCLR_OK) fail_msg("%s", error.text);
    assert_int_equal(bad_exchange_join(&exchange, set, &error), SIMCLR_OK);
    const size_t told = bad_exchange_collect(&exchange, bytes, sizeof bytes);
    assert_true(told > 0);
    bytes[0] ^= 1; /* of the set's mark */
    for (size_t cut = 0; cut <= told; cut++) bad_exchange_deliver(&exchange, bytes, cut);
    memset(bytes + 16, 0xff, 4); /* a reason of 4 GiB */
    bad_exchange_deliver(&exchange, bytes, told);
    assert_int_equal(dataset_bad_count(set), KINDS);
    dataset_close(&set);
    memory_free(kept);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(left_out_when_cached),
        cmocka_unit_test(bad_images_claim_no_memory),
        cmocka_unit_test(replaced_when_not_cached),
        cmocka_unit_test(too_many_are_refused),
        cmocka_unit_test(none_is_good),
        cmocka_unit_test(unreadable),
        cmocka_unit_test(grown_since_opening),
        cmocka_unit_test(numbers_of_a_run),
        cmocka_unit_test(two_processes_have_one_count),
        cmocka_unit_test(a_damaged_record_is_passed_over),
    };
    return run_cases(tests, support_open, remove_folder);
}
