/* Batches: which images, which rows, and the same pixels whoever makes them and in whatever order they are asked for.
 */
#include "unit/data/data_support.h"

#include <math.h>

#include "data/sampler.h"
#include "loader/loader.h"

enum { IMAGES = 23, BATCH = 5, SIZE = 16, PLANE = 3 * SIZE * SIZE };

static void make_photos(const char *root)
{
    put_folder(at("%s/a", root));
    put_folder(at("%s/b", root));
    for (int i = 0; i < IMAGES; i++)
        put_jpeg(at("%s/%s/%02d.jpg", root, i < 10 ? "a" : "b", i), 20 + i, 40 - i, (uint32_t)i);
}

static struct loader_config plain_config(void)
{
    struct loader_config config = {.purpose = RNG_VIEW, .seed = 11, .batch = BATCH, .views = 2, .shuffle = true};
    config.policy = view_policy_cifar(SIZE);
    config.policy.blur_probability = 0.5;
    config.policy.blur_radius = 1;
    return config;
}

static struct loader *open_loader(const struct loader_config *config, struct dataset *set, struct pool *pool)
{
    struct loader *loader;
    struct error error = {0};
    if (loader_open(&loader, config, set, pool, &error) != SIMCLR_OK) fail_msg("%s", error.text);
    return loader;
}

static const struct batch *next(struct loader *loader, int64_t step)
{
    const struct batch *batch;
    struct error error = {0};
    if (loader_next(loader, step, &batch, &error) != SIMCLR_OK) fail_msg("%s", error.text);
    assert_int_equal(batch->step, step);
    return batch;
}

/* A batch made the slow way, straight from the rooms below. */
static void expect_batch(const struct batch *batch, const struct loader_config *config, struct dataset *set)
{
    const int64_t images = config->subset != NULL ? config->subset_count : dataset_count(set);
    const int64_t steps = config->keep_last ? (images + config->batch - 1) / config->batch : images / config->batch;
    const int64_t epoch = batch->step / steps, first = batch->step % steps * config->batch;
    int width, height;
    dataset_max_size(set, &width, &height);
    uint32_t *order = memory_array((size_t)images, sizeof *order);
    void *scratch = memory_allocate(view_scratch_bytes(&config->policy, width, height));
    const size_t bytes = PLANE * view_type_bytes(config->policy.type);
    void *expected = memory_allocate(bytes);
    struct image storage = {0};
    view_scratch_prepare(&config->policy, width, height, scratch);
    for (uint32_t i = 0; i < images; i++) order[i] = i;
    if (config->shuffle) sampler_permutation(config->seed, (uint32_t)epoch, (uint32_t)images, order);
    assert_int_equal(batch->type, config->policy.type);
    assert_int_equal(batch->epoch, epoch);
    assert_int_equal(batch->count, images - first < config->batch ? images - first : config->batch);
    for (int i = 0; i < batch->count; i++) {
        const uint32_t index = config->subset != NULL ? config->subset[order[first + i]] : order[first + i];
        const struct image *image;
        assert_int_equal(batch->indices[i], index);
        assert_int_equal(batch->labels[i], dataset_label(set, index));
        assert_int_equal(dataset_image(set, index, &storage, &image, NULL), SIMCLR_OK);
        for (int v = 0; v < config->views; v++) {
            if (config->evaluation) {
                view_render_evaluation(&config->policy, image, expected, scratch);
            } else {
                const struct view_draw draw =
                    view_draw_random(&config->policy, config->seed, config->purpose, (uint32_t)epoch, index,
                                     (uint32_t)v, image->width, image->height);
                view_render(&config->policy, &draw, image, expected, scratch);
            }
            assert_memory_equal((const char *)batch->views + (size_t)(v * batch->count + i) * bytes, expected, bytes);
        }
    }
    image_free(&storage);
    memory_free(expected);
    memory_free(scratch);
    memory_free(order);
}

/* Steps in sequence over three epochs, then resumed in mid-epoch, back, the same again, far ahead. */
static const int64_t journey[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 6, 7, 8, 7, 7, 3, 4, 1000, 1001, 0, 2, 4, 6};
enum { JOURNEY = sizeof journey / sizeof journey[0] };

static void same_pixels_whoever_makes_them(void **state)
{
    (void)state;
    make_photos("photos");
    struct loader_config config = plain_config();
    for (int cached = 0; cached < 2; cached++) {
        struct dataset *set = open_set(at("photos"), DATASET_TRAIN, cached ? 0 : NOT_CACHED);
        for (int makers = 1; makers <= 7; makers++) { /* pools of 1, 2, 3 threads, then 1 to 4 workers */
            struct pool *pool = support_pool(makers <= 3 ? makers : 1);
            config.workers = makers <= 3 ? 0 : makers - 3;
            config.ring = makers == 5 ? 1 : makers == 6 ? 7 : 0;
            config.pin = makers % 2; /* where a pool of one thread leaves processors to others */
            config.policy.type = makers % 2 != cached ? VIEW_BF16 : VIEW_FLOAT32;
            struct loader *loader = open_loader(&config, set, pool);
            assert_int_equal(loader_steps_per_epoch(loader), IMAGES / BATCH);
            for (int i = 0; i < JOURNEY; i++) expect_batch(next(loader, journey[i]), &config, set);
            assert_true(loader_wait_seconds(loader) > 0);
            loader_close(&loader);
            assert_null(loader);
            pool_destroy(&pool);
        }
        dataset_close(&set);
    }
}

/* Last short batches, subsets, one view, dataset order and evaluation views, by pool and by workers. */
static void every_mode(void **state)
{
    (void)state;
    make_photos("modes");
    static const uint32_t subset[12] = {1, 2, 3, 5, 8, 11, 13, 17, 18, 20, 21, 22};
    struct dataset *set = open_set(at("modes"), DATASET_TRAIN, 0);
    struct pool *pool = support_pool(2);
    for (int mode = 0; mode < 64; mode++) {
        struct loader_config config = plain_config();
        config.keep_last = mode & 1;
        config.shuffle = mode & 2;
        config.evaluation = mode & 4;
        config.views = mode & 8 && !config.evaluation ? 3 : 1;
        config.subset = mode & 16 ? subset : NULL;
        config.subset_count = 12;
        config.workers = mode & 32 ? 2 : 0;
        config.purpose = mode & 8 ? RNG_FINETUNE : RNG_VIEW;
        struct loader *loader = open_loader(&config, set, pool);
        const int64_t images = config.subset != NULL ? 12 : IMAGES;
        assert_int_equal(loader_steps_per_epoch(loader),
                         config.keep_last ? (images + BATCH - 1) / BATCH : images / BATCH);
        for (int64_t step = 0; step < 11; step++) expect_batch(next(loader, step), &config, set);
        loader_close(&loader);
    }
    pool_destroy(&pool);
    dataset_close(&set);
}

/* In an epoch with keep_last every image comes once. */
static void epoch_is_complete(void **state)
{
    (void)state;
    make_photos("epoch");
    struct dataset *set = open_set(at("epoch"), DATASET_TRAIN, 0);
    struct pool *pool = support_pool(1);
    struct loader_config config = plain_config();
    config.keep_last = true;
    config.workers = 1;
    struct loader *loader = open_loader(&config, set, pool);
    for (int64_t epoch = 0; epoch < 3; epoch++) {
        int seen[IMAGES] = {0};
        for (int64_t step = 0; step < loader_steps_per_epoch(loader); step++) {
            const struct batch *batch = next(loader, epoch * loader_steps_per_epoch(loader) + step);
            for (int i = 0; i < batch->count; i++) seen[batch->indices[i]]++;
        }
        for (int i = 0; i < IMAGES; i++) assert_int_equal(seen[i], 1);
    }
    loader_close(&loader);
    pool_destroy(&pool);
    dataset_close(&set);
}

/* Closing and seeking while workers are in the midst of it. */
static void cancelled_at_any_moment(void **state)
{
    (void)state;
    make_photos("cancel");
    struct dataset *set = open_set(at("cancel"), DATASET_TRAIN, NOT_CACHED);
    struct pool *pool = support_pool(1);
    struct loader_config config = plain_config();
    struct rng rng = rng_open(1, RNG_TEST, 0, 0, 0);
    config.ring = 3;
    for (int round = 0; round < 20; round++) {
        config.workers = 1 + round % 8;
        struct loader *loader = open_loader(&config, set, pool);
        for (int i = 0; i < round % 5; i++) {
            expect_batch(next(loader, rng_below(&rng, 100)), &config, set);
            if (round % 2) usleep(rng_below(&rng, 2000));
        }
        loader_close(&loader);
    }
    pool_destroy(&pool);
    dataset_close(&set);
}

/* Workers that are slower than the caller, and some images that take a hundred times as long as others: batches still
 * come whole, in order, also after going back in the midst of an epoch. */
static void slow_images(void **state)
{
    (void)state;
    make_photos("slow");
    for (int i = 0; i < IMAGES; i += 7) put_jpeg(at("slow/%s/%02d.jpg", i < 10 ? "a" : "b", i), 700, 500, (uint32_t)i);
    struct dataset *set = open_set(at("slow"), DATASET_TRAIN, NOT_CACHED);
    struct pool *pool = support_pool(1);
    struct loader_config config = plain_config();
    for (config.workers = 1; config.workers <= 8; config.workers++) {
        config.ring = 1 + config.workers % 3;
        struct loader *loader = open_loader(&config, set, pool);
        for (int64_t step = 0; step < 6; step++) expect_batch(next(loader, step), &config, set);
        for (int64_t step = 2; step < 5; step++) expect_batch(next(loader, step), &config, set);
        loader_close(&loader);
    }
    pool_destroy(&pool);
    dataset_close(&set);
}

/* The caller and its workers keep to processors of their own while the loader is open, and not afterwards; a second
 * loader in the meantime changes nothing. */
static void pinned_and_let_go(void **state)
{
    (void)state;
    make_photos("pinned");
    struct dataset *set = open_set(at("pinned"), DATASET_TRAIN, 0);
    struct pool *pool = support_pool(1);
    struct loader_config config = plain_config();
    const struct affinity before = affinity_now();
    config.workers = 1;
    config.pin = true;
    struct loader *outer = open_loader(&config, set, pool), *inner = open_loader(&config, set, pool);
    const struct affinity during = affinity_now();
    if (affinity_count(&before) > 1) assert_int_equal(affinity_count(&during), 1);
    next(inner, 0);
    loader_close(&inner);
    struct affinity now = affinity_now();
    assert_memory_equal(&now, &during, sizeof now);
    next(outer, 0);
    loader_close(&outer);
    now = affinity_now();
    assert_memory_equal(&now, &before, sizeof now);
    pool_destroy(&pool);
    dataset_close(&set);
}

/* Scaled decoding, of which large photos are decoded to an eighth at most: the views look the same, the photos that are
 * small or in memory give the same bits, and so do all without it. */
static void scaled_decoding_is_close(void **state)
{
    (void)state;
    make_photos("scaled");
    for (int i = 0; i < IMAGES; i += 2)
        put_jpeg(at("scaled/%s/%02d.jpg", i < 10 ? "a" : "b", i), 400 + 10 * i, 300 + 7 * i, (uint32_t)i);
    struct pool *pool = support_pool(2);
    struct loader_config config = plain_config();
    config.policy.crop_area_min = 0.3;
    for (int cached = 0; cached < 2; cached++) {
        struct dataset *set = open_set(at("scaled"), DATASET_TRAIN, cached ? 0 : NOT_CACHED);
        config.scaled_decoding = false;
        struct loader *full = open_loader(&config, set, pool);
        config.scaled_decoding = true;
        struct loader *scaled = open_loader(&config, set, pool);
        int same = 0, other = 0;
        for (int64_t step = 0; step < 4; step++) {
            const struct batch *a = next(full, step), *b = next(scaled, step);
            expect_batch(a, &config, set);
            for (int row = 0; row < 2 * BATCH; row++) {
                const float *x = (const float *)a->views + (size_t)row * PLANE;
                const float *y = (const float *)b->views + (size_t)row * PLANE;
                const bool equal = memcmp(x, y, PLANE * sizeof *x) == 0;
                const bool large = a->indices[row % BATCH] % 2 == 0;
                float worst = 0;
                for (int i = 0; i < PLANE; i++) worst = fmaxf(worst, fabsf(x[i] - y[i]));
                if (worst > 4.0f / 255)
                    fail_msg("image %u: off by %g/255", a->indices[row % BATCH], 255.0 * (double)worst);
                assert_true(equal || (large && !cached));
                same += equal;
                other += !equal;
            }
        }
        assert_true(same > 0 && (other > 8 || cached));
        loader_close(&full);
        loader_close(&scaled);
        dataset_close(&set);
    }
    pool_destroy(&pool);
}

static void refusals(void **state)
{
    (void)state;
    make_photos("refuse");
    struct dataset *set = open_set(at("refuse"), DATASET_TRAIN, 0);
    struct pool *pool = support_pool(1);
    static const uint32_t beyond[1] = {IMAGES};
    for (int k = 0; k < 9; k++) {
        struct loader_config config = plain_config();
        struct loader *loader;
        struct error error = {0};
        if (k == 0) config.batch = IMAGES + 1;
        if (k == 1) config.batch = 0;
        if (k == 2) config.views = 0;
        if (k == 3) config.evaluation = true; /* with two views */
        if (k == 4) config.workers = -1;
        if (k == 5) config.ring = 1000;
        if (k == 6) config.policy.size = 0;
        if (k == 7) config.subset = beyond, config.subset_count = 1, config.batch = 1;
        if (k == 8) config.subset = beyond, config.subset_count = 0, config.keep_last = true;
        assert_int_equal(loader_open(&loader, &config, set, pool, &error), SIMCLR_INVALID);
        assert_null(loader);
        assert_true(error.text[0] != '\0');
        if (k == 0) assert_non_null(strstr(error.text, "only 23 images"));
    }
    struct loader_config config = plain_config();
    config.batch = IMAGES + 1;
    config.keep_last = true; /* then one short batch is an epoch */
    struct loader *loader = open_loader(&config, set, pool);
    assert_int_equal(loader_steps_per_epoch(loader), 1);
    assert_int_equal(next(loader, 3)->count, IMAGES);
    const struct batch *batch;
    assert_int_equal(loader_next(loader, -1, &batch, NULL), SIMCLR_INVALID);
    assert_int_equal(loader_next(loader, INT64_MAX, &batch, NULL), SIMCLR_INVALID);
    loader_close(&loader);
    pool_destroy(&pool);
    dataset_close(&set);
}

/* One picture, batch 1, one class. */
static void smallest_set(void **state)
{
    (void)state;
    put_folder(at("single/only"));
    put_png(at("single/only/1.png"), 1, 1, 3);
    struct dataset *set = open_set(at("single"), DATASET_TRAIN, 0);
    struct pool *pool = support_pool(2);
    struct loader_config config = plain_config();
    config.batch = 1;
    for (config.workers = 0; config.workers < 3; config.workers++) {
        struct loader *loader = open_loader(&config, set, pool);
        for (int64_t step = 0; step < 9; step++) {
            const struct batch *batch = next(loader, step);
            expect_batch(batch, &config, set);
            assert_int_equal(batch->epoch, step);
            assert_int_equal(batch->labels[0], 0);
        }
        loader_close(&loader);
    }
    pool_destroy(&pool);
    dataset_close(&set);
}

/* Files go bad under a running loader: replaced while they are few; a failure, and another when asked again, later. */
static void images_go_bad(void **state)
{
    (void)state;
    static const int counts[] = {0, 1, 2, 5, 8};
    for (int k = 0; k < 5; k++) {
        const int workers = counts[k];
        char root[16];
        snprintf(root, sizeof root, "bad%d", workers);
        make_photos(root);
        struct pool *pool = support_pool(2);
        struct dataset_config set_config = dataset_config_default();
        struct dataset *set;
        struct loader_config config = plain_config();
        struct error error = {0};
        set_config.path = at("%s", root);
        set_config.cache_bytes = NOT_CACHED;
        set_config.max_bad = 0.1; /* two of 23 */
        config.workers = workers;
        config.keep_last = true;
        assert_int_equal(dataset_open(&set, &set_config, pool, NULL, &error), SIMCLR_OK);
        put_text(at("%s/a/03.jpg", root), "gone");
        struct loader *loader = open_loader(&config, set, pool);
        const int64_t steps = loader_steps_per_epoch(loader);
        for (int64_t step = 0; step < steps; step++) next(loader, step);
        assert_int_equal(dataset_bad_count(set), 1);
        for (int64_t step = 0; step < steps; step++) expect_batch(next(loader, step), &config, set);
        for (int i = 15; i < 20; i++) put_text(at("%s/b/%02d.jpg", root, i), "gone");
        const struct batch *batch;
        int failures = 0;
        for (int64_t step = 0; step < 2 * steps; step++) {
            const int status = loader_next(loader, step, &batch, &error);
            assert_true(status == SIMCLR_OK || status == SIMCLR_DATA);
            if (status == SIMCLR_OK) continue;
            failures++;
            assert_non_null(strstr(error.text, "of 23 images cannot be used"));
        }
        assert_true(failures > 0);
        loader_close(&loader);
        dataset_close(&set);
        pool_destroy(&pool);
    }
}

static struct dataset *open_cut(const char *root, struct pool *pool)
{
    struct dataset_config config = dataset_config_default();
    struct dataset *set;
    struct error error = {0};
    config.path = at("%s", root);
    config.cache_bytes = NOT_CACHED;
    config.max_bad = 0.5;
    if (dataset_open(&set, &config, pool, NULL, &error) != SIMCLR_OK) fail_msg("%s", error.text);
    return set;
}

/* A JPEG that is cut serves the draws whose crops lie above the cut, before and after others that do not. So batches
 * from the middle on are those of a run from the beginning. */
static void damage_is_judged_by_each_draw(void **state)
{
    (void)state;
    enum { CUT = 4, EPOCHS = 40 };
    make_photos("cut");
    put_jpeg_share(at("cut/a/%02d.jpg", CUT), 64, 64, 1, 0.65);
    struct pool *pool = support_pool(2);
    struct dataset *whole = open_cut("cut", pool), *later = open_cut("cut", pool);
    struct loader_config config = plain_config();
    config.keep_last = true;
    config.views = 1;
    struct loader *loader = open_loader(&config, whole, pool), *other = open_loader(&config, later, pool);
    const int64_t steps = loader_steps_per_epoch(loader);
    int replaced = 0, used_after = 0;
    for (int64_t step = 0; step < EPOCHS * steps; step++) {
        const struct batch *batch = next(loader, step);
        for (int i = 0; i < batch->count; i++) {
            if (batch->indices[i] != CUT)
                assert_int_equal(batch->replaced[i], 0);
            else if (batch->replaced[i])
                replaced++;
            else
                used_after += replaced > 0;
        }
        if (step < EPOCHS / 2 * steps) continue;
        const struct batch *again = next(other, step);
        const size_t views = (size_t)config.views * (size_t)batch->count;
        assert_memory_equal(batch->views, again->views, views * PLANE * view_type_bytes(config.policy.type));
        assert_memory_equal(batch->replaced, again->replaced, (size_t)batch->count);
    }
    if (replaced == 0 || used_after == 0) fail_msg("%d draws replaced, %d used after one was", replaced, used_after);
    loader_close(&loader);
    loader_close(&other);
    dataset_close(&whole);
    dataset_close(&later);
    pool_destroy(&pool);
}

/* Of a subset only its own images stand in: the labels of others may not be known. */
static void a_subset_stands_in_for_itself(void **state)
{
    (void)state;
    static const uint32_t subset[] = {1, 4, 15};
    make_photos("some");
    put_text(at("some/a/04.jpg"), "");
    struct pool *pool = support_pool(2);
    struct dataset *set = open_cut("some", pool);
    assert_int_equal(dataset_count(set), IMAGES - 1); /* found at opening: 04 has no number, and 05 is number 4 */
    put_jpeg_share(at("some/a/05.jpg"), 25, 35, 1, 0.1);
    struct loader_config config = plain_config();
    config.subset = subset;
    config.subset_count = 3;
    config.batch = 3;
    struct loader *loader = open_loader(&config, set, pool);
    for (int64_t step = 0; step < 4; step++) {
        const struct batch *batch = next(loader, step);
        for (int i = 0; i < batch->count; i++) {
            assert_int_equal(batch->replaced[i], batch->indices[i] == 4);
            assert_int_equal(batch->labels[i], batch->indices[i] == 1 ? 0 : 1); /* of 15, which comes behind 4 */
        }
    }
    loader_close(&loader);
    put_text(at("some/a/01.jpg"), "gone");
    put_text(at("some/b/16.jpg"), "gone");
    loader = open_loader(&config, set, pool);
    const struct batch *batch;
    struct error error = {0};
    assert_int_equal(loader_next(loader, 0, &batch, &error), SIMCLR_DATA);
    assert_string_equal(error.text, "none of the 3 images that are used can be read");
    loader_close(&loader);
    dataset_close(&set);
    pool_destroy(&pool);
}

/* A set in memory: nothing is allocated after opening. */
static void no_allocation_after_opening(void **state)
{
    (void)state;
    make_photos("heap");
    struct dataset *set = open_set(at("heap"), DATASET_TRAIN, 0);
    struct pool *pool = support_pool(1);
    struct loader_config config = plain_config();
    for (config.workers = 0; config.workers < 2; config.workers++) {
        struct loader *loader = open_loader(&config, set, pool);
        memory_fail_after(1);
        for (int64_t step = 0; step < 12; step++) next(loader, step);
        memory_fail_after(0);
        loader_close(&loader);
        int status = SIMCLR_NO_MEMORY;
        long n = 1;
        for (; status == SIMCLR_NO_MEMORY && n < 100; n++) { /* each allocation of opening fails once */
            memory_fail_after(n);
            status = loader_open(&loader, &config, set, pool, NULL);
            memory_fail_after(0);
            assert_true(status == SIMCLR_OK || loader == NULL);
        }
        assert_int_equal(status, SIMCLR_OK);
        assert_true(n > 6);
        loader_close(&loader);
    }
    pool_destroy(&pool);
    dataset_close(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_pixels_whoever_makes_them),
        cmocka_unit_test(every_mode),
        cmocka_unit_test(epoch_is_complete),
        cmocka_unit_test(cancelled_at_any_moment),
        cmocka_unit_test(slow_images),
        cmocka_unit_test(scaled_decoding_is_close),
        cmocka_unit_test(pinned_and_let_go),
        cmocka_unit_test(refusals),
        cmocka_unit_test(smallest_set),
        cmocka_unit_test(images_go_bad),
        cmocka_unit_test(damage_is_judged_by_each_draw),
        cmocka_unit_test(a_subset_stands_in_for_itself),
        cmocka_unit_test(no_allocation_after_opening),
    };
    return run_cases(tests, support_open, remove_folder);
}
