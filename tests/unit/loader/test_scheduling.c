/* Who makes batches, and when: one to eight workers with readers that are slow, that fail and that are cancelled, and
 * runs that go on in the middle. Whatever happens, a batch has the same pixels, and no reader is further ahead than the
 * ring. Runs under ThreadSanitizer too (./dev tsan). */
#include "unit/data/data_support.h"

#include <stdatomic.h>
#include <time.h>

#include "data/names/source.h"
#include "data/sampler.h"
#include "loader/loader.h"
#include "support/short.h"

enum { IMAGES = 61, BATCH = 7, SIZE = 12, PLANE = 3 * SIZE * SIZE, STEPS = IMAGES / BATCH, MOST_WORKERS = 8 };

/* A set whose reader does what it is told. Item i is a picture of its own; counters are what the test looks at. */
struct odd_source {
    int slow;                   /* every image takes up to this many microseconds, one in 16 ten times that */
    atomic_uchar fails[IMAGES]; /* how many more times reading it ends with `failure` */
    int failure;
    atomic_int reading, most_reading; /* at this moment; at any */
    atomic_int reads;
    atomic_int furthest; /* item that was read, of a set in its own order */
};

static struct image picture_of(int64_t item)
{
    return support_picture(14 + (int)(item % 9), 20 - (int)(item % 7), (uint32_t)item);
}

static int odd_size(void *self, const struct catalog *catalog, int64_t item, int *width, int *height,
                    struct error *error)
{
    (void)self, (void)catalog, (void)error;
    *width = 14 + (int)(item % 9);
    *height = 20 - (int)(item % 7);
    return SIMCLR_OK;
}

static void raise_to(atomic_int *value, int to)
{
    int now = atomic_load(value);
    while (now < to && !atomic_compare_exchange_weak(value, &now, to)) continue;
}

/* One unit fewer, if there is one. */
static bool take_one(atomic_uchar *left)
{
    unsigned char now = atomic_load(left);
    while (now > 0 && !atomic_compare_exchange_weak(left, &now, (unsigned char)(now - 1))) continue;
    return now > 0;
}

static int odd_read(void *self, const struct catalog *catalog, int64_t item, struct image *storage, struct error *error)
{
    struct odd_source *odd = self;
    raise_to(&odd->most_reading, atomic_fetch_add(&odd->reading, 1) + 1);
    raise_to(&odd->furthest, (int)item);
    const int number = atomic_fetch_add(&odd->reads, 1);
    if (odd->slow > 0) {
        const long micros = (number * 37L) % odd->slow * (number % 16 == 0 ? 10 : 1);
        nanosleep(&(struct timespec){.tv_nsec = micros * 1000}, NULL);
    }
    int status = SIMCLR_OK;
    if (take_one(&odd->fails[item])) {
        status = error_set(error, odd->failure, "%s: failed as it was told", catalog_name(catalog, item));
    } else {
        image_free(storage);
        *storage = picture_of(item);
    }
    atomic_fetch_sub(&odd->reading, 1);
    return status;
}

static struct dataset *open_odd(struct odd_source *odd, double max_bad)
{
    struct source source = {.self = odd, .size = odd_size, .read = odd_read};
    struct catalog catalog = {0};
    struct dataset_config config = dataset_config_default();
    struct pool *pool = support_pool(1);
    struct dataset *set;
    struct error error = {0};
    for (int i = 0; i < IMAGES; i++) {
        char name[16];
        snprintf(name, sizeof name, "item/%d", i);
        assert_int_equal(catalog_add(&catalog, name, i % 5, NULL), SIMCLR_OK);
    }
    for (int i = 0; i < 5; i++) assert_int_equal(catalog_add_class(&catalog, "class", NULL), SIMCLR_OK);
    config.path = "odd";
    config.cache_bytes = NOT_CACHED;
    config.max_bad = max_bad;
    if (dataset_open_source(&set, &source, &catalog, &config, pool, NULL, &error) != SIMCLR_OK)
        fail_msg("%s", error.text);
    pool_destroy(&pool);
    return set;
}

static struct loader_config plain_config(int workers, int ring)
{
    struct loader_config config = {
        .purpose = RNG_VIEW, .seed = 5, .batch = BATCH, .views = 2, .shuffle = true, .workers = workers, .ring = ring};
    config.policy = view_policy_cifar(SIZE);
    return config;
}

static struct loader *open_loader(const struct loader_config *config, struct dataset *set, struct pool *pool)
{
    struct loader *loader;
    struct error error = {0};
    if (loader_open(&loader, config, set, pool, &error) != SIMCLR_OK) fail_msg("%s", error.text);
    return loader;
}

/* What the batch of `step` must be: made here, one view after another, without the set. instead[i]: the item that
 * stands for item i, NULL: itself. */
static void expect_batch(const struct batch *batch, const struct loader_config *config, int64_t step,
                         const int *instead)
{
    uint32_t order[IMAGES];
    static float expected[PLANE];
    void *scratch = memory_allocate(view_scratch_bytes(&config->policy, 22, 20));
    view_scratch_prepare(&config->policy, 22, 20, scratch);
    const uint32_t epoch = (uint32_t)(step / STEPS);
    for (uint32_t i = 0; i < IMAGES; i++) order[i] = i;
    if (config->shuffle) sampler_permutation(config->seed, epoch, IMAGES, order);
    assert_int_equal(batch->step, step);
    assert_int_equal(batch->epoch, epoch);
    assert_int_equal(batch->count, BATCH);
    for (int i = 0; i < BATCH; i++) {
        const uint32_t index = order[step % STEPS * BATCH + i];
        const int item = instead != NULL ? instead[index] : (int)index;
        struct image image = picture_of(item);
        assert_int_equal(batch->indices[i], index);
        assert_int_equal(batch->labels[i], item % 5);
        for (uint32_t v = 0; v < 2; v++) {
            const struct view_draw draw = view_draw_random(&config->policy, config->seed, config->purpose, epoch, index,
                                                           v, image.width, image.height);
            view_render(&config->policy, &draw, &image, expected, scratch);
            assert_memory_equal((const float *)batch->views + (v * BATCH + (size_t)i) * PLANE, expected,
                                sizeof expected);
        }
        image_free(&image);
    }
    memory_free(scratch);
}

static const struct batch *next(struct loader *loader, int64_t step)
{
    const struct batch *batch;
    struct error error = {0};
    if (loader_next(loader, step, &batch, &error) != SIMCLR_OK) fail_msg("step %lld: %s", (long long)step, error.text);
    return batch;
}

static int rounds(void)
{
    return test_short() ? 1 : 3;
}

/* Slow readers: all workers read at once, none further ahead than the ring, and every batch is right. */
static void slow_readers(void **state)
{
    (void)state;
    struct pool *pool = support_pool(2);
    for (int workers = 0; workers <= MOST_WORKERS; workers++) {
        for (int ring = 1; ring <= 5; ring += 2) {
            struct odd_source odd = {.slow = 300};
            struct dataset *set = open_odd(&odd, 0);
            struct loader_config config = plain_config(workers, ring);
            config.shuffle = false; /* then an item says how far ahead its reader is */
            struct loader *loader = open_loader(&config, set, pool);
            for (int64_t step = 0; step < STEPS; step++) {
                expect_batch(next(loader, step), &config, step, NULL);
                const int64_t ahead = workers == 0 ? 0 : ring, last = step + ahead < STEPS ? step + ahead : STEPS - 1;
                assert_in_range(atomic_load(&odd.furthest), 0, (last + 1) * BATCH - 1);
            }
            loader_close(&loader);
            const int most = atomic_load(&odd.most_reading), hands = workers == 0 ? 2 : workers;
            assert_in_range(most, hands > 1 && ring > 1 ? 2 : 1, hands);
            assert_int_equal(atomic_load(&odd.reading), 0);
            dataset_close(&set);
        }
    }
    pool_destroy(&pool);
}

/* Images that cannot be read, again and again, while others read slowly: the same neighbours stand in for them. */
static void bad_images(void **state)
{
    (void)state;
    static const int bad[] = {3, 4, 17, 29, 60}; /* 3 and 4: the one stands in for nobody; 60: the first stands in */
    int instead[IMAGES];
    struct pool *pool = support_pool(2);
    for (int i = 0; i < IMAGES; i++) instead[i] = i;
    instead[3] = instead[4] = 5;
    instead[17] = 18;
    instead[29] = 30;
    instead[60] = 0;
    for (int workers = 0; workers <= MOST_WORKERS; workers++) {
        for (int round = 0; round < rounds(); round++) {
            struct odd_source odd = {.slow = 100 * round, .failure = round == 1 ? SIMCLR_IO : SIMCLR_CORRUPT};
            for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) atomic_store(&odd.fails[bad[i]], 255);
            struct dataset *set = open_odd(&odd, 0.1);
            const struct loader_config config = plain_config(workers, 1 + round);
            struct loader *loader = open_loader(&config, set, pool);
            /* Every epoch leaves five images out. */
            for (int64_t step = 0; step < 6 * STEPS; step++) expect_batch(next(loader, step), &config, step, instead);
            assert_int_equal(dataset_bad_count(set), 5);
            loader_close(&loader);
            for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) /* for each draw anew, and before another stands in */
                assert_in_range(atomic_load(&odd.fails[bad[i]]), 255 - 2 * (6 + 2), 255 - 6);
            dataset_close(&set);
        }
    }
    pool_destroy(&pool);
}

/* Failures that are not the image's (no memory): the batch fails with that of its first such row, whoever met it when,
 * and can be asked for again. Those before it and after it are right. */
static void failing_readers(void **state)
{
    (void)state;
    struct pool *pool = support_pool(3);
    for (int workers = 0; workers <= MOST_WORKERS; workers++) {
        for (int round = 0; round < 2 * rounds(); round++) {
            struct odd_source odd = {.slow = 150 * round, .failure = SIMCLR_NO_MEMORY};
            struct dataset *set = open_odd(&odd, 0);
            struct loader_config config = plain_config(workers, 1 + round % 3);
            config.shuffle = false;
            /* The rows 2, 5 and 6 of batch 3, twice each. Rows behind a failure may or may not be tried. */
            atomic_store(&odd.fails[3 * BATCH + 2], 2);
            atomic_store(&odd.fails[3 * BATCH + 5], 2);
            atomic_store(&odd.fails[3 * BATCH + 6], 2);
            struct loader *loader = open_loader(&config, set, pool);
            for (int64_t step = 0; step < 3; step++) expect_batch(next(loader, step), &config, step, NULL);
            int failures = 0;
            const struct batch *batch;
            struct error error = {0};
            char wanted[64];
            int status;
            while ((status = loader_next(loader, 3, &batch, &error)) != SIMCLR_OK) {
                snprintf(wanted, sizeof wanted, "item/%d: failed as it was told", 3 * BATCH + 2);
                assert_int_equal(status, SIMCLR_NO_MEMORY);
                if (failures < 2) assert_string_equal(error.text, wanted); /* of the rows that fail, the first */
                failures++;
                assert_true(failures <= 6);
                if (failures == 1) expect_batch(next(loader, 6), &config, 6, NULL); /* something else meanwhile */
            }
            assert_in_range(failures, 2, 6);
            expect_batch(batch, &config, 3, NULL);
            for (int64_t step = 4; step < STEPS + 2; step++) expect_batch(next(loader, step), &config, step, NULL);
            assert_int_equal(dataset_bad_count(set), 0);
            loader_close(&loader);
            dataset_close(&set);
        }
    }
    pool_destroy(&pool);
}

/* Seeking to anywhere while readers are in the midst of it, and closing: nobody reads afterwards. */
static void cancelled(void **state)
{
    (void)state;
    struct pool *pool = support_pool(1);
    struct rng rng = rng_open(3, RNG_TEST, 0, 0, 0);
    for (int workers = 1; workers <= MOST_WORKERS; workers++) {
        for (int round = 0; round < 4 * rounds(); round++) {
            struct odd_source odd = {.slow = 1 + (int)rng_below(&rng, 600)};
            struct dataset *set = open_odd(&odd, 0);
            const struct loader_config config = plain_config(workers, 1 + (int)rng_below(&rng, 4));
            struct loader *loader = open_loader(&config, set, pool);
            for (int i = 0; i < round % 4; i++) {
                const int64_t step = rng_below(&rng, 1000);
                expect_batch(next(loader, step), &config, step, NULL);
                if (rng_below(&rng, 2)) nanosleep(&(struct timespec){.tv_nsec = 1000L * rng_below(&rng, 1500)}, NULL);
            }
            loader_close(&loader);
            const int reads = atomic_load(&odd.reads);
            assert_int_equal(atomic_load(&odd.reading), 0);
            nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
            assert_int_equal(atomic_load(&odd.reads), reads);
            dataset_close(&set);
        }
    }
    pool_destroy(&pool);
}

/* A run that is stopped in the middle of an epoch, with readers under way, and goes on with other workers, as after a
 * restart: the batches are those of a run that was never stopped. */
static void resumed(void **state)
{
    (void)state;
    struct pool *pool = support_pool(2);
    struct rng rng = rng_open(4, RNG_TEST, 0, 0, 0);
    for (int round = 0; round < 4 * rounds(); round++) {
        int64_t step = 0;
        while (step < 3 * STEPS) {
            struct odd_source odd = {.slow = (int)rng_below(&rng, 200)};
            struct dataset *set = open_odd(&odd, 0);
            const struct loader_config config =
                plain_config((int)rng_below(&rng, MOST_WORKERS + 1), 1 + (int)rng_below(&rng, 5));
            struct loader *loader = open_loader(&config, set, pool);
            for (int64_t stop = step + 1 + rng_below(&rng, 6); step < stop; step++)
                expect_batch(next(loader, step), &config, step, NULL);
            loader_close(&loader);
            dataset_close(&set);
        }
    }
    pool_destroy(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slow_readers), cmocka_unit_test(bad_images), cmocka_unit_test(failing_readers),
        cmocka_unit_test(cancelled),    cmocka_unit_test(resumed),
    };
    test_short_without("two rounds of three");
    return run_cases(tests, NULL, NULL);
}
