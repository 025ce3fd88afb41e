/* What to label next: each strategy on clouds whose answer is known, lists of what is labelled, and what is refused. */
#include "unit/explore/explore_fixture.h"

#include <math.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/npy.h"
#include "explore/choice.h"
#include "explore/names.h"
#include "support/random.h"

enum { DIM = 4, CLOUDS = 4, ROWS = 100 };
/* Clouds of 40, 30, 20 and 10 rows along the axes. Row 0, 40, 70 and 90 lie on them. */
static const int begins[CLOUDS + 1] = {0, 40, 70, 90, 100};

static int cloud_of(int64_t row)
{
    int cloud = 0;
    while (row >= begins[cloud + 1]) cloud++;
    return cloud;
}

static void write_text(const char *path, const char *text)
{
    assert_int_equal(file_write_atomic(path, text, strlen(text), NULL), SIMCLR_OK);
}

static void open_clouds(struct explore_fixture *f, struct collection *c, const char *threads)
{
    float rows[ROWS * DIM];
    random_floats(rows, ROWS * DIM, 1);
    for (int i = 0; i < ROWS; i++) {
        const int cloud = cloud_of(i);
        for (int d = 0; d < DIM; d++) rows[i * DIM + d] *= 0.1F;
        for (int d = 0; d < DIM && i == begins[cloud]; d++) rows[i * DIM + d] = 0;
        rows[i * DIM + cloud] += 1;
    }
    assert_int_equal(npy_write_float(at("clouds.npy"), rows, ROWS, DIM, NULL), SIMCLR_OK);
    const char *const options[] = {"features", at("clouds.npy"), "threads", threads, "device", "cpu", NULL};
    explore_open(f, COMMAND_SELECT, options);
    if (collection_open(c, &f->session, &f->error)) fail_msg("%s", f->error.text);
}

static void read_list(struct labelled *out, struct explore_fixture *f, const struct collection *c, const char *text)
{
    write_text(at("labelled.txt"), text);
    if (labelled_read(out, c, at("labelled.txt"), &f->error)) fail_msg("%s", f->error.text);
}

static void choose(struct choice *out, struct explore_fixture *f, const struct collection *c,
                   const struct labelled *labelled, enum choice_strategy strategy, int64_t count)
{
    const struct choice_args args = {.count = count, .strategy = strategy, .seed = 1};
    if (choice_make(out, c, labelled, &args, &f->error)) fail_msg("%s", f->error.text);
    for (int64_t i = 0; i < out->count; i++) {
        assert_int_equal(labelled->label[out->rows[i]], -1);
        for (int64_t j = 0; j < i; j++) assert_int_not_equal(out->rows[i], out->rows[j]);
    }
}

/* One of each cloud, larger ones first; then the clouds whose rows are labelled come last. */
static void typical_rows_are_of_clusters_without_labels(void **state)
{
    (void)state;
    struct explore_fixture f;
    struct collection c;
    struct labelled labelled;
    struct choice choice;
    open_clouds(&f, &c, "2");
    assert_int_equal(labelled_read(&labelled, &c, "", &f.error), SIMCLR_OK);
    choose(&choice, &f, &c, &labelled, CHOICE_AUTO, CLOUDS);
    assert_int_equal(choice.strategy, CHOICE_TYPICAL);
    for (int i = 0; i < CLOUDS; i++) {
        const float *row = c.values + choice.rows[i] * DIM;
        assert_int_equal(cloud_of(choice.rows[i]), i);
        for (int d = 0; d < DIM; d++) /* near the middle of its cloud */
            if (d != i) assert_true(fabsf(row[d]) < 0.07F);
    }
    choice_free(&choice);
    labelled_free(&labelled);
    read_list(&labelled, &f, &c, "3\tbig\n41\tsecond\n");
    assert_int_equal(labelled.count, 2);
    choose(&choice, &f, &c, &labelled, CHOICE_TYPICAL, 2);
    assert_int_equal(cloud_of(choice.rows[0]), 2);
    assert_int_equal(cloud_of(choice.rows[1]), 3);
    choice_free(&choice);
    labelled_free(&labelled);
    collection_close(&c);
    explore_close(&f);
}

static double distance(const struct collection *c, int64_t a, int64_t b)
{
    double ab = 0, aa = 0, bb = 0;
    for (int d = 0; d < DIM; d++) {
        const double x = (double)c->values[a * DIM + d], y = (double)c->values[b * DIM + d];
        ab += x * y, aa += x * x, bb += y * y;
    }
    return 1 - ab / sqrt(aa * bb);
}

static void diverse_rows_are_the_farthest(void **state)
{
    (void)state;
    struct explore_fixture f;
    struct collection c;
    struct labelled labelled;
    struct choice choice;
    open_clouds(&f, &c, "2");
    read_list(&labelled, &f, &c, "0\n");
    choose(&choice, &f, &c, &labelled, CHOICE_DIVERSE, 10);
    for (int64_t k = 0; k < 10; k++) { /* nobody who is not chosen yet is farther from row 0 and those before */
        double best = -1, own = 0;
        for (int64_t i = 1; i < ROWS; i++) {
            double nearest = distance(&c, i, 0);
            for (int64_t j = 0; j < k; j++) nearest = fmin(nearest, distance(&c, i, choice.rows[j]));
            if (nearest > best) best = nearest;
            if (i == choice.rows[k]) own = nearest;
        }
        assert_true(own > best - 1e-6);
    }
    choice_free(&choice);
    labelled_free(&labelled);
    collection_close(&c);
    explore_close(&f);
}

/* Two clouds are labelled: what lies between them is uncertain. */
static void uncertain_rows_lie_between_the_classes(void **state)
{
    (void)state;
    static const float rows[] = {1, 0, 0.9F, 0.1F, 0, 1, 0.1F, 0.9F, 0.75F, 0.7F, 0.95F, 0.02F, 0.03F, 0.97F};
    struct explore_fixture f;
    struct collection c;
    struct labelled labelled;
    struct choice choice;
    assert_int_equal(npy_write_float(at("two.npy"), rows, 7, 2, NULL), SIMCLR_OK);
    const char *const options[] = {"features", at("two.npy"), "threads", "1", "device", "cpu", NULL};
    explore_open(&f, COMMAND_SELECT, options);
    assert_int_equal(collection_open(&c, &f.session, &f.error), SIMCLR_OK);
    read_list(&labelled, &f, &c, "0\tx\n1\tx\n2\ty\n3\ty\n");
    assert_int_equal(labelled.classes, 2);
    choose(&choice, &f, &c, &labelled, CHOICE_UNCERTAIN, 1);
    assert_int_equal(choice.rows[0], 4);
    choice_free(&choice);
    labelled_free(&labelled);
    read_list(&labelled, &f, &c, "0\tx\n1\tx\n");
    const struct choice_args args = {.count = 1, .strategy = CHOICE_UNCERTAIN, .seed = 1};
    assert_int_equal(choice_make(&choice, &c, &labelled, &args, &f.error), SIMCLR_INVALID);
    assert_non_null(strstr(f.error.text, "needs labels of two classes"));
    labelled_free(&labelled);
    collection_close(&c);
    explore_close(&f);
}

/* auto: typical until every class has 20 labels in the mean, then uncertain. */
static void auto_changes_with_the_labels(void **state)
{
    (void)state;
    struct explore_fixture f;
    struct collection c;
    struct labelled labelled;
    struct choice choice;
    struct text list = {0};
    open_clouds(&f, &c, "2");
    for (int count = 39; count <= 40; count++) {
        list.length = 0;
        for (int i = 0; i < count; i++) text_add(&list, "%d\t%s\n", 20 + i, i < 20 ? "one" : "other");
        read_list(&labelled, &f, &c, list.bytes);
        choose(&choice, &f, &c, &labelled, CHOICE_AUTO, 5);
        assert_int_equal(choice.strategy, count < 40 ? CHOICE_TYPICAL : CHOICE_UNCERTAIN);
        choice_free(&choice);
        labelled_free(&labelled);
    }
    /* A name without a class is labelled, and teaches nothing. */
    list.length = 0;
    for (int i = 0; i < 45; i++) text_add(&list, i < 20 ? "%d\t%s\n" : "%d\n", 20 + i, i < 10 ? "one" : "other");
    read_list(&labelled, &f, &c, list.bytes);
    assert_true(labelled.classes == 2 && labelled.count == 45);
    choose(&choice, &f, &c, &labelled, CHOICE_AUTO, 5);
    assert_int_equal(choice.strategy, CHOICE_TYPICAL);
    choice_free(&choice);
    /* The set has two classes, and all that is labelled is of one. */
    for (int i = 0; i < ROWS; i++) labelled.label[i] = i < 45 ? 0 : -1;
    choose(&choice, &f, &c, &labelled, CHOICE_AUTO, 5);
    assert_int_equal(choice.strategy, CHOICE_TYPICAL);
    choice_free(&choice);
    labelled_free(&labelled);
    text_free(&list);
    collection_close(&c);
    explore_close(&f);
}

/* With any number of threads, and all rows where more are asked for. */
static void choices_are_repeatable(void **state)
{
    (void)state;
    static const char *const threads[] = {"1", "2", "3"};
    for (int strategy = CHOICE_TYPICAL; strategy <= CHOICE_RANDOM; strategy++) {
        int64_t first[ROWS];
        for (int t = 0; t < 3; t++) {
            struct explore_fixture f;
            struct collection c;
            struct labelled labelled;
            struct choice choice;
            open_clouds(&f, &c, threads[t]);
            read_list(&labelled, &f, &c, "5\tx\n50\ty\n");
            choose(&choice, &f, &c, &labelled, (enum choice_strategy)strategy, 1000);
            assert_int_equal(choice.count, ROWS - 2);
            if (t == 0) memcpy(first, choice.rows, (size_t)choice.count * sizeof *first);
            assert_memory_equal(first, choice.rows, (size_t)choice.count * sizeof *first);
            choice_free(&choice);
            labelled_free(&labelled);
            collection_close(&c);
            explore_close(&f);
        }
    }
}

static void refuse(struct explore_fixture *f, const struct collection *c, const char *text, const char *words)
{
    struct labelled labelled;
    write_text(at("bad.txt"), text);
    assert_int_equal(labelled_read(&labelled, c, at("bad.txt"), &f->error), SIMCLR_DATA);
    if (!strstr(f->error.text, words)) fail_msg("%s", f->error.text);
}

static void lists_are_checked(void **state)
{
    (void)state;
    struct explore_fixture f;
    struct collection c;
    struct labelled labelled;
    struct choice choice;
    open_clouds(&f, &c, "1");
    refuse(&f, &c, "7\nnobody\n", "bad.txt:2: no image is called nobody");
    refuse(&f, &c, "7\n8\n7\n", "bad.txt:3: 7 is named twice");
    refuse(&f, &c, "#simclr-list 1\n\\q\n", "bad.txt:2: a backslash begins no escape");
    read_list(&labelled, &f, &c,
              "\xEF\xBB\xBF"
              "7\tyes\r\n\n8\tno \r\n9\n"); /* as an editor on Windows writes it */
    assert_int_equal(labelled.count, 3);
    assert_int_equal(labelled.classes, 2);
    assert_int_equal(labelled.label[9], -2);
    assert_non_null(strstr(f.log.bytes, "1 lines have no class"));
    labelled_free(&labelled);
    assert_int_equal(names_write(at("all.txt"), &c, NULL, ROWS, &f.error), SIMCLR_OK);
    assert_int_equal(labelled_read(&labelled, &c, at("all.txt"), &f.error), SIMCLR_OK);
    const struct choice_args args = {.count = 1, .strategy = CHOICE_RANDOM};
    assert_int_equal(choice_make(&choice, &c, &labelled, &args, &f.error), SIMCLR_DATA);
    assert_non_null(strstr(f.error.text, "all 100 images are labelled"));
    labelled_free(&labelled);
    collection_close(&c);
    explore_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(typical_rows_are_of_clusters_without_labels),
        cmocka_unit_test(diverse_rows_are_the_farthest),
        cmocka_unit_test(uncertain_rows_lie_between_the_classes),
        cmocka_unit_test(auto_changes_with_the_labels),
        cmocka_unit_test(choices_are_repeatable),
        cmocka_unit_test(lists_are_checked),
    };
    return run_cases(tests, make_folder, remove_folder);
}
