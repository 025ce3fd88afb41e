/* Encoded images kept in memory: once read, their files are not needed any more; never more than the limit. */
#include "unit/data/data_support.h"

#include "data/names/keep.h"

enum { PHOTOS = 12, SIDE = 64 };

static size_t size_of(const char *path)
{
    struct stat about;
    assert_int_equal(stat(path, &about), 0);
    return (size_t)about.st_size;
}

/* A folder of noise, and what keeping all of it takes. */
static size_t make_photos(const char *root)
{
    size_t bytes = PHOTOS * sizeof(void *);
    put_folder(at("%s", root));
    for (int i = 0; i < PHOTOS; i++) {
        struct image image = support_noise(SIDE, SIDE, (uint32_t)i);
        uint8_t *encoded;
        size_t count;
        assert_int_equal(image_encode_jpeg(&image, 30, &encoded, &count, NULL), SIMCLR_OK);
        put_bytes(at("%s/%02d.jpg", root, i), encoded, count);
        memory_free(encoded);
        image_free(&image);
        bytes += keep_cost(0) + size_of(at("%s/%02d.jpg", root, i)); /* a bound: costs are rounded */
    }
    return bytes;
}

/* The lower half of an image, or of the next one that can be read. */
static int read_half(struct dataset *set, int64_t index, struct image_store *store)
{
    struct dataset_fetched fetched;
    struct image_part part;
    struct error failure = {0};
    for (int64_t number = index;; number = (number + 1) % dataset_count(set)) {
        int status = dataset_fetch(set, number, store, &fetched, &failure);
        if (status == SIMCLR_OK) {
            const struct box half = {0, fetched.height / 2, fetched.width, fetched.height / 2};
            assert_null(fetched.image);
            status = image_decode_box(&fetched.encoded, half, 1, store, &part, &failure);
            dataset_release(&fetched);
        }
        if (status == SIMCLR_OK) return SIMCLR_OK;
        status = dataset_refuse(set, number, &failure, NULL);
        if (status != SIMCLR_OK) return status;
    }
}

/* Reads all images, the odd ones in part only: a checksum of the pixels of each, 0 where it is given by another. */
static void read_all(struct dataset *set, uint64_t *sums)
{
    struct image storage = {0};
    struct image_store store = {.bytes = 0};
    for (int i = 0; i < PHOTOS; i++) {
        char name[16];
        snprintf(name, sizeof name, "/%02d.jpg", i);
        const struct image *image = &store.image;
        const int status = i % 2 ? read_half(set, i, &store) : dataset_image(set, i, &storage, &image, NULL);
        assert_int_equal(status, SIMCLR_OK);
        sums[i] = 1;
        for (int k = 0; k < image->width * image->height * 3; k++) sums[i] = sums[i] * 31 + image->rgb[k];
        if (strstr(dataset_name(set, i), name) == NULL) sums[i] = 0;
    }
    image_free(&storage);
    image_store_free(&store);
}

static struct dataset *open_limited(const char *path, size_t limit)
{
    struct dataset_config config = dataset_config_default();
    struct pool *pool = support_pool(2);
    struct dataset *set;
    struct error error = {0};
    config.path = path;
    config.cache_bytes = limit;
    config.max_bad = 0.99;
    if (dataset_open(&set, &config, pool, NULL, &error) != SIMCLR_OK) fail_msg("%s", error.text);
    pool_destroy(&pool);
    return set;
}

/* share: of what keeping all takes. */
static void after_the_files_are_gone(double share, int least, int most)
{
    char name[32];
    snprintf(name, sizeof name, "photos%d", (int)(100 * share));
    const size_t limit = (size_t)((double)make_photos(name) * share);
    struct dataset *set = open_limited(at("%s", name), limit);
    uint64_t first[PHOTOS], again[PHOTOS], gone[PHOTOS];
    const bool all = least == PHOTOS;
    assert_true(dataset_kept_bytes(set) <= limit);
    assert_int_equal(strstr(dataset_description(set), "files kept in memory once read (") != NULL, all);
    assert_int_equal(strstr(dataset_description(set), "MiB of files kept in memory once read") != NULL, !all);
    read_all(set, first);
    read_all(set, again);
    assert_memory_equal(first, again, sizeof first);
    for (int i = 0; i < PHOTOS; i++) assert_int_equal(unlink(at("%s/%02d.jpg", name, i)), 0);
    read_all(set, gone);
    int kept = 0;
    for (int i = 0; i < PHOTOS; i++) {
        kept += gone[i] != 0;
        assert_true(gone[i] == 0 || gone[i] == first[i]);
    }
    assert_in_range(kept, least, most);
    assert_int_equal(dataset_bad_count(set), PHOTOS - kept);
    dataset_close(&set);
}

static void files_are_read_once(void **state)
{
    (void)state;
    after_the_files_are_gone(1.0, PHOTOS, PHOTOS);
    after_the_files_are_gone(0.5, 1, PHOTOS / 2);
}

/* Decoded images that fit, and limits that not even the table fits in: nothing of the files is kept. */
static void nothing_where_it_helps_nothing(void **state)
{
    (void)state;
    make_photos("decoded");
    struct dataset *set = open_limited(at("decoded"), 0);
    assert_non_null(strstr(dataset_description(set), "decoded in memory"));
    assert_int_equal(dataset_kept_bytes(set), 0);
    dataset_close(&set);
    set = open_limited(at("decoded"), NOT_CACHED);
    assert_null(strstr(dataset_description(set), "memory"));
    assert_int_equal(dataset_kept_bytes(set), 0);
    dataset_close(&set);
    /* what was unpacked into memory is there already: 5.4 MB that fit neither decoded nor twice */
    put_folder(at("large"));
    for (int i = 0; i < 3; i++) put_jpeg_share(at("large/%d.jpg", i), 900, 2000, (uint32_t)i, 0.999);
    char command[3 * sizeof folder + 64];
    snprintf(command, sizeof command, "tar -cf '%s/packed.tar' -C '%s' large", folder, folder);
    assert_int_equal(system(command), 0);
    snprintf(command, sizeof command, "gzip -k '%s/packed.tar'", folder);
    assert_int_equal(system(command), 0);
    set = open_limited(at("packed.tar"), 14000000);
    assert_non_null(strstr(dataset_description(set), "kept in memory"));
    dataset_close(&set);
    set = open_limited(at("packed.tar.gz"), 14000000);
    assert_null(strstr(dataset_description(set), "kept in memory"));
    assert_int_equal(dataset_kept_bytes(set), 0);
    dataset_close(&set);
}

struct crowd {
    struct keep keep;
    uint8_t bytes[PHOTOS][1000];
};

static void add_and_find(void *context, int64_t index, int thread)
{
    (void)thread;
    struct crowd *crowd = context;
    const int item = (int)(index % PHOTOS);
    size_t count;
    const uint8_t *found = keep_find(&crowd->keep, item, &count);
    if (found == NULL) keep_add(&crowd->keep, item, crowd->bytes[item], 100 + (size_t)item);
    found = keep_find(&crowd->keep, item, &count);
    if (found == NULL) return;
    assert_int_equal(count, 100 + item);
    assert_memory_equal(found, crowd->bytes[item], count);
}

/* Many threads with the same items: each is kept once, and the limit holds. */
static void crowds(void **state)
{
    (void)state;
    struct crowd *crowd = memory_allocate(sizeof *crowd);
    struct pool *pool = support_pool(4);
    for (int i = 0; i < PHOTOS; i++) memset(crowd->bytes[i], i, sizeof crowd->bytes[i]);
    for (int room = 0; room <= PHOTOS; room += 3) {
        size_t limit = PHOTOS * sizeof(void *) + 1, count;
        for (int i = 0; i < room; i++) limit += keep_cost(100 + PHOTOS);
        assert_int_equal(keep_open(&crowd->keep, PHOTOS, limit, NULL), SIMCLR_OK);
        pool_run(pool, 500, add_and_find, crowd);
        size_t used = PHOTOS * sizeof(void *);
        int kept = 0;
        for (int i = 0; i < PHOTOS; i++)
            if (keep_find(&crowd->keep, i, &count) != NULL) kept++, used += keep_cost(count);
        assert_int_equal(atomic_load(&crowd->keep.bytes), used);
        assert_true(used <= limit && kept >= room);
        keep_close(&crowd->keep);
        assert_null(keep_find(&crowd->keep, 0, &count));
    }
    assert_int_equal(keep_open(&crowd->keep, PHOTOS, 1 << 20, NULL), SIMCLR_OK);
    memory_fail_after(1);
    keep_add(&crowd->keep, 3, crowd->bytes[3], 100); /* no memory: not kept, and not counted */
    size_t count;
    assert_null(keep_find(&crowd->keep, 3, &count));
    assert_int_equal(atomic_load(&crowd->keep.bytes), PHOTOS * sizeof(void *));
    keep_close(&crowd->keep);
    memory_fail_after(1);
    assert_int_equal(keep_open(&crowd->keep, PHOTOS, 1 << 20, NULL), SIMCLR_NO_MEMORY);
    memory_fail_after(0);
    pool_destroy(&pool);
    memory_free(crowd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_read_once),
        cmocka_unit_test(nothing_where_it_helps_nothing),
        cmocka_unit_test(crowds),
    };
    return run_cases(tests, support_open, remove_folder);
}
