/* A collection's graph by cells, as sets above COLLECTION_EXACT rows have it: the limit is lowered, so that a small
 * table is large. */
#include "unit/explore/explore_fixture.h"

#include <math.h>

#include "base/memory.h"
#include "base/npy.h"
#include "eval/cells.h"
#include "explore/similar.h"
#include "support/random.h"

enum { ROWS = 2500, DIM = 12, K = COLLECTION_NEIGHBOURS };

static const char KEPT[] = "the graph of neighbours comes from the cache", SEARCHED[] = "in its nearest cells",
                  ALL[] = "among all", SAID[] = "neighbours by cells: ";

struct case_of {
    struct explore_fixture f;
    struct collection c;
    const struct neighbour *graph;
    double recall;
};

/* A table without structure, so that cells do not find all; `last` is its last value. */
static const char *write_table(const char *name, float last)
{
    float *rows = memory_array((size_t)ROWS * DIM, sizeof *rows);
    random_normals(rows, (size_t)ROWS * DIM, 1);
    rows[ROWS * DIM - 1] = last;
    const char *path = at("%s", name);
    assert_int_equal(npy_write_float(path, rows, ROWS, DIM, NULL), SIMCLR_OK);
    memory_free(rows);
    return path;
}

/* option: one more with its value, or NULL. limit: rows up to which the search is exact; 0: as it was opened. */
static void open_graph(struct case_of *one, const char *path, int threads, const char *const *option, int64_t limit)
{
    char number[16];
    snprintf(number, sizeof number, "%d", threads);
    const char *const options[] = {
        "features", path, "threads", number, "device", "cpu", option ? option[0] : NULL, option ? option[1] : NULL,
        NULL};
    explore_open(&one->f, COMMAND_NEIGHBOURS, options);
    if (collection_open(&one->c, &one->f.session, &one->f.error)) fail_msg("%s", one->f.error.text);
    assert_int_equal(collection_count(&one->c), ROWS);
    if (limit > 0) one->c.exact_rows = limit;
    if (collection_graph(&one->c, &one->graph, &one->recall, &one->f.error)) fail_msg("%s", one->f.error.text);
}

static void close_graph(struct case_of *one)
{
    collection_close(&one->c);
    explore_close(&one->f);
}

static bool says(const struct case_of *one, const char *words)
{
    return strstr(one->f.log.bytes, words) != NULL;
}

static double cosine(const float *rows, int64_t a, int64_t b)
{
    double ab = 0, aa = 0, bb = 0;
    for (int d = 0; d < DIM; d++) {
        const double x = (double)rows[a * DIM + d], y = (double)rows[b * DIM + d];
        ab += x * y, aa += x * x, bb += y * y;
    }
    return ab / sqrt(aa * bb);
}

/* The similarity of the last of the CELLS_RECALL_K nearest, among all rows. */
static double last_of_nearest(const float *rows, int64_t row)
{
    double best[CELLS_RECALL_K];
    int count = 0;
    for (int64_t i = 0; i < ROWS; i++) {
        if (i == row) continue;
        const double value = cosine(rows, row, i);
        int at_place = count < CELLS_RECALL_K ? count++ : CELLS_RECALL_K;
        if (at_place == CELLS_RECALL_K && value <= best[CELLS_RECALL_K - 1]) continue;
        if (at_place == CELLS_RECALL_K) at_place--;
        for (; at_place > 0 && best[at_place - 1] < value; at_place--) best[at_place] = best[at_place - 1];
        best[at_place] = value;
    }
    return best[CELLS_RECALL_K - 1];
}

/* How many of the nearest of the judged rows are in their lists; `slack`: one that is less similar by so little counts
 * too. */
static int count_found(const float *rows, const struct neighbour *graph, double slack)
{
    int found = 0;
    for (int64_t i = 0; i < CELLS_EXACT_ROWS; i++) {
        const int64_t row = cells_judged_row(i, ROWS);
        const double last = last_of_nearest(rows, row);
        for (int k = 0; k < CELLS_RECALL_K; k++) {
            const int32_t other = graph[row * K + k].row;
            found += other >= 0 && cosine(rows, row, other) >= last - slack;
        }
    }
    return found;
}

/* One row of each stretch, and not the first of each. */
static void assert_rows_are_drawn(void)
{
    int begins = 0;
    for (int64_t i = 0; i < CELLS_EXACT_ROWS; i++) {
        const int64_t begin = i * ROWS / CELLS_EXACT_ROWS, end = (i + 1) * ROWS / CELLS_EXACT_ROWS;
        const int64_t row = cells_judged_row(i, ROWS);
        assert_true(row >= begin && row < end);
        begins += row == begin;
    }
    assert_true(begins < CELLS_EXACT_ROWS * 3 / 4);
}

/* What float32 makes of a cosine differs from it by (DIM + 4) roundings at most; the search takes 1e-6 for one. */
static void the_recall_is_that_of_a_search_among_all(void **state)
{
    (void)state;
    const double slack = 1e-6 + 2 * (DIM + 4) * 0x1p-24;
    char words[96];
    struct case_of one;
    open_graph(&one, write_table("rows.npy", 1), 2, NULL, ROWS - 1);
    assert_rows_are_drawn();
    const int found = (int)lround(one.recall * CELLS_EXACT_ROWS * CELLS_RECALL_K);
    const int least = count_found(one.c.values, one.graph, 0), most = count_found(one.c.values, one.graph, slack);
    assert_true(found >= least && found <= most && most - least <= 2);
    assert_true(one.recall < 0.999 && one.recall > 0.9); /* as many cells are searched as find 95 % */
    assert_true(fabs(one.recall * CELLS_EXACT_ROWS * CELLS_RECALL_K - found) < 1e-6);
    assert_true(says(&one, SEARCHED) && !says(&one, ALL) && !says(&one, KEPT));
    snprintf(words, sizeof words, "%s%.2f %% of the 10 nearest are found (counted on 1000 rows", SAID,
             (double)found / (CELLS_EXACT_ROWS * CELLS_RECALL_K) * 100);
    if (!says(&one, words)) fail_msg("%s is not in: %s", words, one.f.log.bytes);
    close_graph(&one);
}

static void no_row_is_its_own_neighbour(void **state)
{
    (void)state;
    struct case_of one;
    open_graph(&one, write_table("rows.npy", 1), 2, NULL, ROWS - 1);
    for (int64_t i = 0; i < ROWS; i++)
        for (int k = 0; k < K; k++) {
            const struct neighbour other = one.graph[i * K + k];
            assert_true(other.row >= 0 && other.row < ROWS && other.row != i);
            assert_true(fabs((double)other.similarity - cosine(one.c.values, i, other.row)) < 1e-5);
            if (k > 0) assert_true(other.similarity <= one.graph[i * K + k - 1].similarity);
            for (int j = 0; j < k; j++) assert_true(one.graph[i * K + j].row != other.row);
        }
    close_graph(&one);
}

static void threads_change_nothing(void **state)
{
    (void)state;
    static const char *const fresh[] = {"feature-cache", "false"};
    struct case_of one, other;
    const char *path = write_table("rows.npy", 1);
    open_graph(&one, path, 1, fresh, ROWS - 1);
    for (int threads = 2; threads <= 3; threads++) {
        open_graph(&other, path, threads, fresh, ROWS - 1);
        assert_true(says(&other, SEARCHED) && !says(&other, KEPT));
        assert_memory_equal(one.graph, other.graph, (size_t)ROWS * K * sizeof *one.graph);
        assert_memory_equal(&one.recall, &other.recall, sizeof one.recall);
        close_graph(&other);
    }
    close_graph(&one);
}

/* The graph that is kept is the same graph, and its recall is said again. It is no exact one, nor one of other rows. */
static void a_kept_graph_says_its_recall_again(void **state)
{
    (void)state;
    static const char *const exact[] = {"exact", "true"};
    struct case_of first, one;
    const char *path = write_table("kept.npy", 2);
    open_graph(&first, path, 2, NULL, ROWS - 1);
    assert_true(says(&first, SEARCHED) && !says(&first, KEPT));
    const char *said = strstr(first.f.log.bytes, SAID);
    assert_non_null(said);
    for (int threads = 1; threads <= 3; threads += 2) {
        open_graph(&one, path, threads, NULL, ROWS - 1);
        assert_true(says(&one, KEPT) && !says(&one, SEARCHED));
        if (!says(&one, said)) fail_msg("%s is not in: %s", said, one.f.log.bytes);
        assert_memory_equal(&first.recall, &one.recall, sizeof one.recall);
        assert_memory_equal(first.graph, one.graph, (size_t)ROWS * K * sizeof *one.graph);
        close_graph(&one);
    }
    open_graph(&one, path, 2, exact, 0);
    assert_true(says(&one, ALL) && !says(&one, KEPT) && !says(&one, SAID));
    assert_true(one.recall == 1);
    close_graph(&one);
    open_graph(&one, path, 2, NULL, ROWS - 1); /* both are kept */
    assert_true(says(&one, KEPT) && says(&one, said));
    close_graph(&one);
    open_graph(&one, write_table("other.npy", 3), 2, NULL, ROWS - 1); /* but for one value the same rows */
    assert_true(says(&one, SEARCHED) && !says(&one, KEPT));
    close_graph(&one);
    close_graph(&first);
}

/* So many rows are searched among all, one more is not; --exact searches all, however many they are. */
static void the_limit_is_a_number_of_rows(void **state)
{
    (void)state;
    static const char *const exact[] = {"exact", "true"};
    struct case_of one;
    const char *path = write_table("limit.npy", 4);
    open_graph(&one, path, 2, NULL, ROWS);
    assert_true(says(&one, ALL) && !says(&one, SAID));
    assert_true(one.recall == 1);
    assert_int_equal(count_found(one.c.values, one.graph, 1e-6), CELLS_EXACT_ROWS * CELLS_RECALL_K);
    close_graph(&one);
    open_graph(&one, path, 2, NULL, 0);
    assert_int_equal(one.c.exact_rows, COLLECTION_EXACT);
    close_graph(&one);
    open_graph(&one, path, 2, exact, 0);
    assert_true(one.c.exact_rows > INT32_MAX);
    close_graph(&one);
}

/* What `neighbours` writes and says is that graph, and its recall. */
static void lists_have_its_recall(void **state)
{
    (void)state;
    enum { FEW = 7 };
    struct case_of one;
    struct similar lists;
    open_graph(&one, write_table("rows.npy", 1), 2, NULL, ROWS - 1);
    assert_int_equal(similar_find(&lists, &one.c, "", FEW, &one.f.error), SIMCLR_OK);
    assert_true(lists.recall == one.recall && lists.recall < 1);
    for (int64_t i = 0; i < ROWS; i++)
        assert_memory_equal(lists.list + i * FEW, one.graph + i * K, FEW * sizeof *one.graph);
    similar_free(&lists);
    close_graph(&one);
}

static int open_folder(void **state)
{
    return make_folder(state) || setenv("SIMCLR_CACHE", at("cache"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_recall_is_that_of_a_search_among_all),
        cmocka_unit_test(no_row_is_its_own_neighbour),
        cmocka_unit_test(threads_change_nothing),
        cmocka_unit_test(a_kept_graph_says_its_recall_again),
        cmocka_unit_test(the_limit_is_a_number_of_rows),
        cmocka_unit_test(lists_have_its_recall),
    };
    return run_cases(tests, open_folder, remove_folder);
}
