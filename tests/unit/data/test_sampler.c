/* The order of an epoch and class-balanced subsets. */
#include "unit/data/data_support.h"

#include "data/sampler.h"

static void permutation_is_one(void **state)
{
    (void)state;
    static const uint32_t counts[] = {1, 2, 3, 17, 1000};
    for (int k = 0; k < 5; k++) {
        const uint32_t count = counts[k];
        uint32_t *order = memory_array(count, sizeof *order);
        uint8_t *seen = memory_allocate(count);
        sampler_permutation(5, 3, count, order);
        for (uint32_t i = 0; i < count; i++) {
            assert_true(order[i] < count);
            assert_int_equal(seen[order[i]]++, 0);
        }
        memory_free(order);
        memory_free(seen);
    }
    sampler_permutation(5, 3, 0, NULL); /* nothing to order is fine */
}

/* The same numbers on every machine, or a resumed run would see other batches. */
static void permutation_is_fixed(void **state)
{
    (void)state;
    uint32_t order[8], again[8], other[8];
    static const uint32_t expected[8] = {5, 4, 7, 1, 0, 3, 2, 6};
    sampler_permutation(1, 0, 8, order);
    sampler_permutation(1, 0, 8, again);
    assert_memory_equal(order, again, sizeof order);
    assert_memory_equal(order, expected, sizeof order);
    sampler_permutation(1, 1, 8, other);
    assert_memory_not_equal(order, other, sizeof order);
    sampler_permutation(2, 0, 8, other);
    assert_memory_not_equal(order, other, sizeof order);
}

/* Every item comes to every place equally often: chi-square over 10 places, 9 degrees of freedom, each item. */
static void permutation_is_uniform(void **state)
{
    (void)state;
    enum { N = 10, EPOCHS = 20000 };
    int times[N][N] = {{0}};
    for (uint32_t epoch = 0; epoch < EPOCHS; epoch++) {
        uint32_t order[N];
        sampler_permutation(9, epoch, N, order);
        for (int i = 0; i < N; i++) times[order[i]][i]++;
    }
    for (int item = 0; item < N; item++) {
        double chi = 0;
        for (int i = 0; i < N; i++)
            chi += (times[item][i] - EPOCHS / N) * (times[item][i] - EPOCHS / N) / (double)(EPOCHS / N);
        assert_true(chi < 33.7); /* p = 1e-4; the numbers are fixed, so this either always holds or never */
    }
}

/* A list that names one picture often, with class sizes 40, 10, 1 and an unlabelled rest. */
static struct dataset *uneven_set(void)
{
    put_png(at("x.png"), 4, 4, 1);
    FILE *file = fopen(at("uneven.txt"), "w");
    assert_non_null(file);
    for (int i = 0; i < 60; i++) fprintf(file, "x.png\t%d\n", i < 40 ? 0 : i < 50 ? 1 : i < 51 ? 3 : -1);
    fclose(file);
    return open_set(at("uneven.txt"), DATASET_TRAIN, 0);
}

static struct sampler_labels share_of(double share)
{
    return (struct sampler_labels){.share = share};
}

/* n of each class, or all that it has; those of fewer are among those of more. */
static void subset_has_n_of_each_class(void **state)
{
    (void)state;
    struct dataset *set = uneven_set();
    static const int64_t wanted[] = {1, 3, 12, 100};
    static const int expected[][4] = {{1, 1, 0, 1}, {3, 3, 0, 1}, {12, 10, 0, 1}, {40, 10, 0, 1}};
    bool before[60] = {false};
    for (int k = 0; k < 4; k++) {
        uint32_t *chosen, count;
        int of_class[4] = {0}, kept = 0, were = 0;
        const struct sampler_labels labels = {.per_class = wanted[k]};
        assert_int_equal(sampler_subset(set, labels, 3, &chosen, &count, NULL), SIMCLR_OK);
        for (int i = 0; i < 60; i++) were += before[i];
        for (uint32_t i = 0; i < count; i++) {
            of_class[dataset_label(set, chosen[i])]++;
            kept += before[chosen[i]];
            before[chosen[i]] = true;
        }
        assert_memory_equal(of_class, expected[k], sizeof of_class);
        assert_int_equal(kept, were);
        memory_free(chosen);
    }
    dataset_close(&set);
}

static void a_tenth_is_held_out(void **state)
{
    (void)state;
    struct dataset *set = uneven_set();
    uint8_t held[60], again[60];
    assert_int_equal(sampler_hold_tenth(set, 3, held, NULL), 5); /* of 51 with a label */
    int of_class[4] = {0};
    for (int i = 0; i < 60; i++) {
        assert_true(held[i] <= 1);
        if (held[i]) of_class[dataset_label(set, i)]++; /* an unlabelled one would write before it */
    }
    assert_int_equal(of_class[0], 4);
    assert_int_equal(of_class[1], 1);
    assert_int_equal(of_class[3], 0);
    assert_int_equal(sampler_hold_tenth(set, 3, again, NULL), 5);
    assert_memory_equal(held, again, sizeof held);
    assert_int_equal(sampler_hold_tenth(set, 4, again, NULL), 5);
    assert_memory_not_equal(held, again, sizeof held);
    dataset_close(&set);
    static const int sizes[][2] = {{0, 0}, {1, 0}, {2, 1}, {5, 1}, {6, 1}, {15, 1}, {16, 2}};
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        FILE *file = fopen(at("few.txt"), "w");
        assert_non_null(file);
        for (int i = 0; i < 20; i++) fprintf(file, "x.png\t%d\n", i < sizes[k][0] ? i % 3 : -1);
        fclose(file);
        set = open_set(at("few.txt"), DATASET_TRAIN, 0);
        assert_int_equal(sampler_hold_tenth(set, 1, held, NULL), sizes[k][1]);
        int count = 0;
        for (int i = 0; i < 20; i++) count += held[i];
        assert_int_equal(count, sizes[k][1]);
        dataset_close(&set);
    }
}

static void subset_is_balanced(void **state)
{
    (void)state;
    struct dataset *set = uneven_set();
    static const struct {
        double share;
        int of_class[4];
    } cases[] = {{0.01, {1, 1, 0, 1}}, {0.1, {4, 1, 0, 1}}, {0.26, {10, 3, 0, 1}}, {1, {40, 10, 0, 1}}};
    for (int k = 0; k < 4; k++) {
        uint32_t *chosen, count;
        int of_class[4] = {0};
        assert_int_equal(sampler_subset(set, share_of(cases[k].share), 3, &chosen, &count, NULL), SIMCLR_OK);
        for (uint32_t i = 0; i < count; i++) {
            assert_true(i == 0 || chosen[i] > chosen[i - 1]); /* sorted, none twice */
            of_class[dataset_label(set, chosen[i])]++;
        }
        assert_memory_equal(of_class, cases[k].of_class, sizeof of_class);
        memory_free(chosen);
    }
    dataset_close(&set);
}

static void subset_is_seeded(void **state)
{
    (void)state;
    struct dataset *set = uneven_set();
    uint32_t *a, *b, *c, count;
    assert_int_equal(sampler_subset(set, share_of(0.5), 3, &a, &count, NULL), SIMCLR_OK);
    assert_int_equal(sampler_subset(set, share_of(0.5), 3, &b, &count, NULL), SIMCLR_OK);
    assert_int_equal(sampler_subset(set, share_of(0.5), 4, &c, &count, NULL), SIMCLR_OK);
    assert_int_equal(count, 26);
    assert_memory_equal(a, b, count * sizeof *a);
    assert_memory_not_equal(a, c, count * sizeof *a);
    memory_free(a);
    memory_free(b);
    memory_free(c);
    dataset_close(&set);
}

static void subset_refusals(void **state)
{
    (void)state;
    struct dataset *set = uneven_set();
    struct error error = {0};
    uint32_t *chosen, count;
    assert_int_equal(sampler_subset(set, share_of(0), 1, &chosen, &count, &error), SIMCLR_INVALID);
    assert_int_equal(sampler_subset(set, share_of(1.01), 1, &chosen, &count, &error), SIMCLR_INVALID);
    assert_int_equal(sampler_subset(set, share_of(0.0 / 0.0), 1, &chosen, &count, &error), SIMCLR_INVALID);
    assert_null(chosen);
    dataset_close(&set);
    put_text(at("plain.txt"), "x.png\n");
    set = open_set(at("plain.txt"), DATASET_TRAIN, 0);
    assert_int_equal(sampler_subset(set, share_of(0.5), 1, &chosen, &count, &error), SIMCLR_DATA);
    assert_non_null(strstr(error.text, "no labels"));
    dataset_close(&set);
    put_text(at("one.txt"), "x.png\tonly\nx.png\tonly\n"); /* one class is enough */
    set = open_set(at("one.txt"), DATASET_TRAIN, 0);
    assert_int_equal(sampler_subset(set, share_of(0.01), 1, &chosen, &count, &error), SIMCLR_OK);
    assert_int_equal(count, 1);
    memory_free(chosen);
    dataset_close(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(permutation_is_one),     cmocka_unit_test(permutation_is_fixed),
        cmocka_unit_test(permutation_is_uniform), cmocka_unit_test(subset_is_balanced),
        cmocka_unit_test(subset_is_seeded),       cmocka_unit_test(subset_refusals),
        cmocka_unit_test(a_tenth_is_held_out),    cmocka_unit_test(subset_has_n_of_each_class),
    };
    return run_cases(tests, support_open, remove_folder);
}
