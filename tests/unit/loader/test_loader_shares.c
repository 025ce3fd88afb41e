/* Processes that share a batch have the images and the views of it that one process has, each its own part. */
#include "unit/data/data_support.h"

#include "comm/shares.h"
#include "loader/loader.h"

enum { IMAGES = 26, BATCH = 12, SIZE = 16, STEPS = 4 }; /* two steps an epoch: the order changes on the way */

static void make_photos(const char *root)
{
    put_folder(at("%s/a", root));
    for (int i = 0; i < IMAGES; i++) put_jpeg(at("%s/a/%02d.jpg", root, i), 40 + 3 * i, 90 - 2 * i, (uint32_t)i);
}

static struct loader_config config_of(struct share share, int workers)
{
    struct loader_config config = {.purpose = RNG_VIEW,
                                   .seed = 5,
                                   .batch = BATCH,
                                   .share_first = share.first,
                                   .share_count = share.count,
                                   .views = 2,
                                   .shuffle = true,
                                   .workers = workers};
    config.policy = view_policy_cifar(SIZE);
    return config;
}

static struct loader *open_loader(struct share share, int workers, struct dataset *set, struct pool *pool)
{
    const struct loader_config config = config_of(share, workers);
    struct loader *loader;
    struct error error = {0};
    if (loader_open(&loader, &config, set, pool, &error) != SIMCLR_OK) fail_msg("%s", error.text);
    return loader;
}

static const struct batch *next(struct loader *loader, int64_t step)
{
    const struct batch *batch;
    struct error error = {0};
    if (loader_next(loader, step, &batch, &error) != SIMCLR_OK) fail_msg("%s", error.text);
    return batch;
}

/* Rows first .. first + count of view A and of view B. */
static void compare(const struct batch *part, const struct batch *whole, struct share share)
{
    const size_t bytes = (size_t)3 * SIZE * SIZE * view_type_bytes(whole->type);
    assert_int_equal(part->count, share.count);
    assert_int_equal(part->epoch, whole->epoch);
    assert_int_equal(part->step, whole->step);
    assert_memory_equal(part->indices, whole->indices + share.first, (size_t)share.count * sizeof *part->indices);
    assert_memory_equal(part->labels, whole->labels + share.first, (size_t)share.count * sizeof *part->labels);
    for (int view = 0; view < 2; view++)
        assert_memory_equal((const char *)part->views + (size_t)(view * share.count) * bytes,
                            (const char *)whole->views + (size_t)(view * BATCH + share.first) * bytes,
                            (size_t)share.count * bytes);
}

static void shares_are_parts_of_the_batch(void **state)
{
    (void)state;
    make_photos("photos");
    struct dataset *set = open_set(at("photos"), DATASET_TRAIN, 0);
    struct pool *pool = support_pool(2);
    for (int ranks = 1; ranks <= 5; ranks++)
        for (int rank = 0; rank < ranks; rank++) {
            const struct shares shares = {BATCH, BATCH, ranks};
            const struct share share = shares_of(&shares, rank);
            struct loader *whole = open_loader((struct share){0, 0}, 0, set, pool);
            struct loader *part = open_loader(share, rank % 2, set, pool);
            assert_int_equal(loader_steps_per_epoch(part), loader_steps_per_epoch(whole));
            for (int64_t step = 0; step < STEPS; step++) compare(next(part, step), next(whole, step), share);
            loader_close(&part);
            loader_close(&whole);
        }
    pool_destroy(&pool);
    dataset_close(&set);
}

static void impossible_shares_are_refused(void **state)
{
    (void)state;
    static const struct share bad[] = {{-1, 4}, {9, 4}, {0, 13}, {0, -1}};
    make_photos("refused");
    struct dataset *set = open_set(at("refused"), DATASET_TRAIN, 0);
    struct pool *pool = support_pool(1);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const struct loader_config config = config_of(bad[i], 0);
        struct loader *loader;
        struct error error = {0};
        assert_int_equal(loader_open(&loader, &config, set, pool, &error), SIMCLR_INVALID);
        assert_true(strstr(error.text, "no share of it") != NULL);
    }
    pool_destroy(&pool);
    dataset_close(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares_are_parts_of_the_batch),
        cmocka_unit_test(impossible_shares_are_refused),
    };
    return run_cases(tests, make_folder, remove_folder);
}
