/* k and temperature of kNN, which `evaluate` chooses by leaving out each training row, against brute force in double
 * that shares no code with it. */
#include "support/run.h"

#include <math.h>
#include <stdlib.h>

#include "base/rng.h"
#include "unit/evaluate/suite_fixture.h"

enum { ROWS = 260, TEST = 60, DIM = 16, CLASSES = 5, KS = 7, TEMPERATURES = 5 };
/* docs/evaluation.md */
static const int ks[KS] = {1, 5, 10, 20, 50, 100, 200};
static const double temperatures[TEMPERATURES] = {0.05, 0.07, 0.1, 0.2, INFINITY};

struct table {
    float train[ROWS * DIM], test[TEST * DIM];
    int32_t train_labels[ROWS], test_labels[TEST];
    int rows, dim;
};

/* ---- brute force ------------------------------------------------------------------------------------------------ */

struct near {
    double similarity;
    int row;
};

static int compare_near(const void *a, const void *b)
{
    const struct near *x = a, *y = b;
    if (x->similarity != y->similarity) return x->similarity > y->similarity ? -1 : 1;
    return x->row - y->row;
}

/* All training rows but `self`, most similar first. */
static int sort_rows(struct near *out, const struct table *table, const float *query, int self)
{
    int count = 0;
    for (int i = 0; i < table->rows; i++) {
        double dot = 0, a = 0, b = 0;
        for (int d = 0; d < table->dim; d++) {
            const double x = (double)query[d], y = (double)table->train[i * table->dim + d];
            dot += x * y, a += x * x, b += y * y;
        }
        if (i != self) out[count++] = (struct near){dot / sqrt(a * b), i};
    }
    qsort(out, (size_t)count, sizeof *out, compare_near);
    return count;
}

/* The class that the first k of a list vote for, of equal ones the lower. *sure: float32 tells it too. */
static int vote(const struct table *table, const struct near *list, int count, int k, double temperature, bool *sure)
{
    double votes[CLASSES] = {0}, second = 0;
    int best = 0;
    if (k < count) *sure &= list[k - 1].similarity - list[k].similarity > 1e-6;
    for (int i = 0; i < k && i < count; i++)
        votes[table->train_labels[list[i].row]] += exp(list[i].similarity / temperature);
    for (int c = 1; c < CLASSES; c++)
        if (votes[c] > votes[best]) best = c;
    for (int c = 0; c < CLASSES; c++)
        if (c != best) second = fmax(second, votes[c]);
    *sure &= isinf(temperature) || votes[best] - second > 2e-5 * votes[best];
    return best;
}

struct choice {
    int k, right, test_right;
    double temperature;
    bool sure;
};

/* Each row is classified by all others, with every k and temperature; then the test rows with the best. */
static struct choice brute_force(const struct table *table)
{
    static struct near lists[ROWS][ROWS];
    struct choice best = {.right = -1, .sure = true};
    for (int q = 0; q < table->rows; q++) sort_rows(lists[q], table, table->train + q * table->dim, q);
    for (int i = 0; i < KS; i++)
        for (int t = 0; t < TEMPERATURES; t++) {
            int right = 0;
            for (int q = 0; q < table->rows; q++)
                right += vote(table, lists[q], table->rows - 1, ks[i], temperatures[t], &best.sure) ==
                         table->train_labels[q];
            if (right <= best.right) continue;
            best.right = right, best.k = ks[i], best.temperature = temperatures[t];
        }
    for (int q = 0; q < TEST; q++) {
        const int count = sort_rows(lists[0], table, table->test + q * table->dim, -1);
        best.test_right += vote(table, lists[0], count, best.k, best.temperature, &best.sure) == table->test_labels[q];
    }
    return best;
}

/* ---- what `evaluate` chooses ------------------------------------------------------------------------------------- */

static void compare(const struct table *table, const struct choice *want, uint64_t seed)
{
    const struct suite_tables tables = {.values = {table->train, table->test},
                                        .labels = {table->train_labels, table->test_labels},
                                        .rows = {table->rows, TEST},
                                        .dim = table->dim,
                                        .classes = CLASSES};
    struct suite_fixture fixture;
    struct knn_choice got;
    char words[64];
    suite_fixture_open(&fixture, &tables);
    const struct suite_task task = suite_fixture_task(&fixture, "knn", seed);
    assert_int_equal(suite_knn_choose(&got, &task, NULL), SIMCLR_OK);
    if (got.k != want->k || got.temperature != want->temperature || got.right != want->right)
        fail_msg("%d rows, seed %d: k %d, temperature %g, %d right; not k %d, temperature %g, %d right", table->rows,
                 (int)seed, got.k, got.temperature, (int)got.right, want->k, want->temperature, want->right);
    assert_int_equal(got.queries, table->rows);
    suite_fixture_run(&fixture, "knn", seed);
    const struct figure *top1 = suite_fixture_figure(&fixture, "knn", "chosen", METRIC_TOP1);
    snprintf(words, sizeof words, "k %d, ", want->k);
    assert_memory_equal(top1->detail, words, strlen(words));
    snprintf(words, sizeof words, "temperature %g, ", want->temperature);
    assert_non_null(strstr(top1->detail, isinf(want->temperature) ? "equal votes" : words));
    if (fabs(top1->value * TEST - want->test_right) > 1e-9)
        fail_msg("%d rows, seed %d: %g test rows are right, not %d", table->rows, (int)seed, top1->value * TEST,
                 want->test_right);
    suite_fixture_close(&fixture);
}

/* Classes around directions of their own. `wrong`: the share of labels that are drawn anew. */
static void draw_normal(struct table *out, int rows, double apart, double wrong, uint32_t number)
{
    struct rng rng = rng_open(76, RNG_TEST, 0, number, 0);
    out->rows = rows;
    out->dim = 6;
    for (int i = 0; i < rows + TEST; i++) {
        const bool test = i >= rows;
        float *x = test ? out->test + (i - rows) * out->dim : out->train + i * out->dim;
        const int label = (int)rng_below(&rng, CLASSES);
        for (int d = 0; d < out->dim; d++) x[d] = (float)(rng_normal(&rng) + (d == label ? apart : 0));
        const bool anew = rng_uniform(&rng) < wrong;
        (test ? out->test_labels : out->train_labels)[test ? i - rows : i] =
            anew ? (int32_t)rng_below(&rng, CLASSES) : label;
    }
}

static const int sizes[] = {40, 120, ROWS};
enum { SIZES = sizeof sizes / sizeof *sizes };

/* Where float32 may tell two rows or two votes otherwise than double does, a table is passed over: few of them. */
static void the_choice_is_that_of_brute_force(void **state)
{
    (void)state;
    static const struct {
        double apart, wrong;
    } kinds[] = {{0.5, 0.1}, {1, 0.1}, {2, 0.1}, {4, 0.1}, {6, 0}, {1, 0}};
    enum { SEEDS = 4, KINDS = sizeof kinds / sizeof *kinds };
    static struct table table;
    int compared = 0, least = ks[KS - 1], most = 0, equal = 0;
    for (uint32_t seed = 1; seed <= SEEDS; seed++)
        for (uint32_t kind = 0; kind < KINDS; kind++)
            for (uint32_t s = 0; s < SIZES; s++) {
                draw_normal(&table, sizes[s], kinds[kind].apart, kinds[kind].wrong, 100 * seed + 10 * kind + s);
                const struct choice want = brute_force(&table);
                if (!want.sure) continue;
                compare(&table, &want, seed);
                compared++;
                least = want.k < least ? want.k : least;
                most = want.k > most ? want.k : most;
                equal += isinf(want.temperature);
            }
    assert_true(compared > SEEDS * KINDS * SIZES * 3 / 4);
    assert_true(least == 1 && most >= 100 && equal > 0 && equal < compared); /* the tables differ in what they want */
}

/* Rows of 1 and -1, whose similarities and votes float32 has exactly: many are equally near, and many are there twice
 * or more, under other labels. `crowd`: all but the last of the first 230 are one and the same, so that a row is not
 * among the 201 that are nearest to it. */
static void draw_signs(struct table *out, int rows, bool crowd, uint32_t number)
{
    enum { FREE = 7 };
    struct rng rng = rng_open(77, RNG_TEST, crowd, number, 0);
    out->rows = rows;
    out->dim = DIM;
    for (int i = 0; i < rows + TEST; i++) {
        const bool test = i >= rows;
        float *x = test ? out->test + (i - rows) * DIM : out->train + i * DIM;
        int sum = 0;
        for (int d = 0; d < DIM; d++) {
            x[d] = d >= FREE ? x[d - FREE] : crowd && i < 229 ? 1 : rng_below(&rng, 2) ? 1 : -1;
            sum += x[d] > 0;
        }
        (test ? out->test_labels : out->train_labels)[test ? i - rows : i] =
            (sum + (int32_t)rng_below(&rng, 2)) % CLASSES;
    }
}

static void equally_near_rows_have_an_order(void **state)
{
    (void)state;
    static struct table table;
    for (uint32_t seed = 1; seed <= 6; seed++)
        for (uint32_t s = 0; s <= SIZES; s++) {
            const bool crowd = s == SIZES;
            draw_signs(&table, crowd ? ROWS : sizes[s], crowd, 10 * seed + s);
            const struct choice want = brute_force(&table);
            compare(&table, &want, seed);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_choice_is_that_of_brute_force),
        cmocka_unit_test(equally_near_rows_have_an_order),
    };
    return run_cases(tests, NULL, NULL);
}
