/* What an audit is made of: groups, likeness of thumbnails, what neighbours say of a row. */
#include "support/run.h"

#include <math.h>

#include "base/memory.h"
#include "base/rng.h"
#include "explore/audit/audit.h"
#include "explore/audit/groups.h"
#include "explore/audit/likeness.h"
#include "explore/audit/rows.h"

/* ---- groups ---- */

static void pairs_become_groups(void **state)
{
    (void)state;
    struct groups groups;
    int32_t number[8];
    assert_int_equal(groups_open(&groups, 8, NULL), SIMCLR_OK);
    assert_int_equal(groups_number(&groups, number), 0);
    for (int i = 0; i < 8; i++) assert_int_equal(number[i], -1);
    assert_true(groups_join(&groups, 5, 3));
    assert_true(groups_join(&groups, 7, 5));
    assert_false(groups_join(&groups, 3, 7));
    assert_true(groups_join(&groups, 2, 1));
    assert_int_equal(groups_first(&groups, 7), 3);
    assert_int_equal(groups_number(&groups, number), 2);
    const int32_t want[8] = {-1, 0, 0, 1, -1, 1, -1, 1};
    assert_memory_equal(number, want, sizeof want);
    assert_true(groups_join(&groups, 7, 2)); /* two groups become one */
    assert_int_equal(groups_number(&groups, number), 1);
    const int32_t one[8] = {-1, 0, 0, 0, -1, 0, -1, 0};
    assert_memory_equal(number, one, sizeof one);
    groups_free(&groups);
}

/* ---- likeness ---- */

enum { BIG = 64 };

/* A picture with large and small shapes: blobs of four sizes at random places. */
static void draw(uint8_t *out, int side, uint64_t seed)
{
    struct rng rng = rng_open(seed, RNG_TEST, 0, 0, 0);
    float value[BIG * BIG] = {0};
    for (int i = 0; i < 60; i++) {
        const float x = (float)rng_uniform(&rng) * (float)side, y = (float)rng_uniform(&rng) * (float)side;
        const float size = (float)side * (0.03f + 0.2f * (float)rng_uniform(&rng));
        const float height = 200 * (float)rng_uniform(&rng) - 100;
        for (int v = 0; v < side; v++)
            for (int u = 0; u < side; u++) {
                const float dx = ((float)u - x) / size, dy = ((float)v - y) / size;
                value[v * side + u] += height * expf(-(dx * dx + dy * dy));
            }
    }
    for (int i = 0; i < side * side; i++) {
        const float level = 128 + value[i];
        out[i] = (uint8_t)(level < 0 ? 0 : level > 255 ? 255 : level);
    }
}

/* A part of a picture of 64 pixels a side at 32: bilinear at four points of each pixel. */
static void take_part(uint8_t *out, const uint8_t *big, double left, double top, double side)
{
    for (int y = 0; y < 32; y++)
        for (int x = 0; x < 32; x++) {
            double sum = 0;
            for (int k = 0; k < 4; k++) {
                const double u = left + (x + 0.25 + 0.5 * (k & 1)) * side / 32 - 0.5;
                const double v = top + (y + 0.25 + 0.5 * (k >> 1)) * side / 32 - 0.5;
                const int a = (int)fmax(0, fmin(BIG - 2, floor(u))), b = (int)fmax(0, fmin(BIG - 2, floor(v)));
                const double s = u - a, t = v - b;
                sum += (1 - t) * ((1 - s) * big[b * BIG + a] + s * big[b * BIG + a + 1]) +
                       t * ((1 - s) * big[(b + 1) * BIG + a] + s * big[(b + 1) * BIG + a + 1]);
            }
            out[y * 32 + x] = (uint8_t)(sum / 4 + 0.5);
        }
}

static float like(const uint8_t *a, const uint8_t *b)
{
    static float views[LIKENESS_VIEWS * LIKENESS_VALUES];
    struct likeness_tables tables;
    float plain[LIKENESS_VALUES];
    likeness_tables_make(&tables);
    likeness_views(views, &tables, a);
    likeness_plain(plain, b);
    return likeness(views, plain);
}

static void copies_are_alike_and_others_are_not(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        uint8_t big[BIG * BIG], other[BIG * BIG], whole[1024], changed[1024];
        draw(big, BIG, seed);
        draw(other, BIG, seed + 1000);
        take_part(whole, big, 0, 0, BIG);
        assert_true(like(whole, whole) > 0.9999f);
        for (int i = 0; i < 1024; i++) changed[i] = (uint8_t)fmin(255, whole[i] * 0.8 + 10);
        assert_true(like(whole, changed) > 0.99f);
        for (int y = 0; y < 32; y++)
            for (int x = 0; x < 32; x++) changed[32 * y + x] = whole[32 * y + 31 - x];
        assert_true(like(whole, changed) > 0.9999f);
        take_part(changed, big, 1.6, 1.6, 0.95 * BIG);
        assert_true(like(whole, changed) > 0.97f);
        take_part(changed, big, 0, 0.1 * BIG, 0.9 * BIG);
        assert_true(like(whole, changed) > 0.97f);
        take_part(changed, other, 0, 0, BIG);
        assert_true(like(whole, changed) < 0.6f);
        assert_true(like(changed, whole) < 0.6f);
    }
}

/* Of a picture without structure nothing can be said: it is like none, itself neither. */
static void a_flat_picture_is_like_none(void **state)
{
    (void)state;
    uint8_t flat[1024], ramp[1024];
    memset(flat, 90, sizeof flat);
    for (int i = 0; i < 1024; i++) ramp[i] = (uint8_t)(100 + (i & 1));
    assert_true(like(flat, flat) == 0);
    assert_true(like(ramp, ramp) == 0); /* differences of one are what rounding makes */
}

/* The large shapes do not count: the same horizon is no likeness. */
static void a_horizon_is_no_likeness(void **state)
{
    (void)state;
    uint8_t a[1024], b[1024];
    struct rng rng = rng_open(9, RNG_TEST, 0, 0, 0);
    for (int i = 0; i < 1024; i++) {
        const int sky = i / 32 < 16 ? 200 : 60;
        a[i] = (uint8_t)(sky + (int)(40 * (float)rng_uniform(&rng)));
        b[i] = (uint8_t)(sky + (int)(40 * (float)rng_uniform(&rng)));
    }
    assert_true(like(a, b) < 0.6f);
}

/* ---- rows ---- */

static void outliers_lie_far(void **state)
{
    (void)state;
    enum { ROWS = 40, K = 12 };
    static struct neighbour list[ROWS][K];
    float distance[ROWS];
    double cut;
    for (int i = 0; i < ROWS; i++)
        for (int j = 0; j < K; j++) list[i][j] = (struct neighbour){0.9f - 0.001f * (float)i, (i + j + 1) % ROWS};
    for (int j = 0; j < K; j++) list[7][j].similarity = 0.5f;
    for (int j = 4; j < K; j++) list[8][j] = (struct neighbour){0, -1}; /* fewer are there */
    const struct graph graph = {list[0], ROWS, K};
    assert_int_equal(outliers_find(distance, &cut, &graph, NULL), SIMCLR_OK);
    assert_true(fabsf(distance[3] - 0.103f) < 1e-6f);
    assert_true(fabsf(distance[8] - 0.108f) < 1e-6f);
    /* numpy.percentile of the 40 distances, of which row 7's is 0.5: 0.11075 and 0.13025 */
    int found = 0;
    for (int i = 0; i < ROWS; i++) found += outlier_is(distance[i], cut);
    assert_true(outlier_is(distance[7], cut));
    assert_int_equal(found, 1);
    assert_true(fabs(cut - (0.13025 + 1.7 * (0.13025 - 0.11075))) < 1e-6);
}

/* All the same: nobody is an outlier, whatever the last bits of sums are. */
static void equal_rows_have_no_outliers(void **state)
{
    (void)state;
    enum { ROWS = 30, K = 10 };
    static struct neighbour list[ROWS][K];
    float distance[ROWS];
    double cut;
    for (int i = 0; i < ROWS; i++)
        for (int j = 0; j < K; j++) list[i][j] = (struct neighbour){1 - 1e-7f * (float)(i % 3), (i + j + 1) % ROWS};
    const struct graph graph = {list[0], ROWS, K};
    assert_int_equal(outliers_find(distance, &cut, &graph, NULL), SIMCLR_OK);
    for (int i = 0; i < ROWS; i++) assert_false(outlier_is(distance[i], cut));
}

static void neighbours_vote_for_labels(void **state)
{
    (void)state;
    /* row 0 of class 0 among three of class 1 and one of class 2, all equally near: 0, 0.75, 0.25 */
    const struct neighbour near[6][4] = {
        {{0.8f, 1}, {0.8f, 2}, {0.8f, 3}, {0.8f, 4}},
        {{0.8f, 2}, {0.7f, 0}, {0.7f, 5}, {0, -1}}, /* class 1: weight 1 for 1, exp(-1) for 0; row 5 has no label */
        {{0.8f, 0}, {0.8f, 3}, {0, -1}, {0, -1}},   /* one each: the own class is not less */
        {{0.8f, 5}, {0, -1}, {0, -1}, {0, -1}},     /* none that has a label */
        {{0.8f, 0}, {0.8f, 1}, {0, -1}, {0, -1}},   /* class 2: half 0, half 1; the lower class is suggested */
        {{0.8f, 1}, {0, -1}, {0, -1}, {0, -1}},
    };
    const int32_t labels[6] = {0, 1, 1, 1, 2, -1};
    const struct graph graph = {near[0], 6, 4};
    struct label_vote vote[6];
    assert_int_equal(labels_vote(vote, &graph, labels, 3, NULL), SIMCLR_OK);
    assert_true(vote[0].given == 0 && fabsf(vote[0].other - 0.75f) < 1e-6f && vote[0].suggested == 1);
    assert_true(vote[0].suspect && label_score(&vote[0]) == 0);
    const double small = exp(-1.0) / (1 + exp(-1.0));
    assert_true(fabs((double)vote[1].other - small) < 1e-6 && fabs((double)vote[1].given - (1 - small)) < 1e-6);
    assert_true(vote[1].suggested == 0 && !vote[1].suspect && label_score(&vote[1]) == 1);
    assert_true(!vote[2].suspect && label_score(&vote[2]) == 1);
    assert_true(vote[3].suggested == -1 && !vote[3].suspect && label_score(&vote[3]) == 1);
    assert_true(vote[4].suspect && vote[4].suggested == 0);
    assert_true(vote[5].suggested == -1 && !vote[5].suspect);
}

/* Many suspect images have no vote for their class: the surer the neighbours are of another, the nearer to the top. */
static void the_surest_suspect_is_first(void **state)
{
    (void)state;
    struct label_vote vote[5] = {{.other = 0.6f, .suspect = true},
                                 {.given = 0.05f, .other = 0.9f, .suspect = true},
                                 {.other = 1.0f, .suspect = false},
                                 {.other = 0.9f, .suspect = true},
                                 {.given = 0.01f, .other = 0.9f, .suspect = true}};
    bool absent[5] = {false};
    const struct audit audit = {.rows = 5, .votes = vote, .absent = absent};
    int64_t count;
    int64_t *rows = audit_list_rows(&audit, LIST_LABELS, &count);
    const int64_t expected[4] = {3, 0, 4, 1};
    assert_non_null(rows);
    assert_int_equal(count, 4);
    assert_memory_equal(rows, expected, sizeof expected);
    memory_free(rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pairs_become_groups),
        cmocka_unit_test(copies_are_alike_and_others_are_not),
        cmocka_unit_test(a_flat_picture_is_like_none),
        cmocka_unit_test(a_horizon_is_no_likeness),
        cmocka_unit_test(outliers_lie_far),
        cmocka_unit_test(equal_rows_have_no_outliers),
        cmocka_unit_test(neighbours_vote_for_labels),
        cmocka_unit_test(the_surest_suspect_is_first),
    };
    return run_cases(tests, NULL, NULL);
}
