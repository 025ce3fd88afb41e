/* Which images of a batch a rank has. */
#include "support/run.h"

#include "comm/shares.h"

/* first and count of each rank's images, and of its groups. */
struct row {
    int images, group, ranks;
    struct share images_of[6], groups_of[6];
};

static void shares_are_those_of_the_table(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {8, 8, 1, {{0, 8}}, {{0, 1}}},
        {8, 8, 2, {{0, 4}, {4, 4}}, {{0, 1}, {0, 1}}},
        {26, 26, 3, {{0, 8}, {8, 9}, {17, 9}}, {{0, 1}, {0, 1}, {0, 1}}},
        {26, 26, 4, {{0, 6}, {6, 7}, {13, 6}, {19, 7}}, {{0, 1}, {0, 1}, {0, 1}, {0, 1}}},
        {3, 3, 3, {{0, 1}, {1, 1}, {2, 1}}, {{0, 1}, {0, 1}, {0, 1}}},
        {24, 6, 1, {{0, 24}}, {{0, 4}}},
        {24, 6, 2, {{0, 12}, {12, 12}}, {{0, 2}, {2, 2}}},
        {24, 6, 3, {{0, 6}, {6, 6}, {12, 12}}, {{0, 1}, {1, 1}, {2, 2}}}, /* whole groups, uneven */
        {24, 6, 4, {{0, 6}, {6, 6}, {12, 6}, {18, 6}}, {{0, 1}, {1, 1}, {2, 1}, {3, 1}}},
        {10, 5, 4, {{0, 2}, {2, 3}, {5, 2}, {7, 3}}, {{0, 1}, {0, 1}, {1, 1}, {1, 1}}}, /* two ranks a group */
        {9, 3, 6, {{0, 1}, {1, 2}, {3, 1}, {4, 2}, {6, 1}, {7, 2}}, {{0, 1}, {0, 1}, {1, 1}, {1, 1}, {2, 1}, {2, 1}}},
        {2000000000,
         2000000000,
         3,
         {{0, 666666666}, {666666666, 666666667}, {1333333333, 666666667}},
         {{0, 1}, {0, 1}, {0, 1}}}, /* no overflow on the way */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct row *row = &rows[i];
        const struct shares shares = {row->images, row->group, row->ranks};
        struct error error = {0};
        if (shares_check(&shares, &error)) fail_msg("row %zu: %s", i, error.text);
        for (int r = 0; r < row->ranks; r++) {
            const struct share images = shares_of(&shares, r), groups = shares_groups(&shares, r);
            if (memcmp(&images, &row->images_of[r], sizeof images) != 0)
                fail_msg("row %zu, rank %d: images %d + %d", i, r, images.first, images.count);
            if (memcmp(&groups, &row->groups_of[r], sizeof groups) != 0)
                fail_msg("row %zu, rank %d: groups %d + %d", i, r, groups.first, groups.count);
        }
    }
}

/* Every image belongs to one rank, in order; no rank has none; whole groups or parts of one. */
static void every_image_has_one_rank(void **state)
{
    (void)state;
    int checked = 0;
    for (int images = 1; images <= 48; images++)
        for (int group = 1; group <= images; group++)
            for (int ranks = 1; ranks <= 20; ranks++) {
                const struct shares shares = {images, group, ranks};
                if (shares_check(&shares, NULL)) continue;
                int next = 0;
                for (int r = 0; r < ranks; r++) {
                    const struct share own = shares_of(&shares, r), groups = shares_groups(&shares, r);
                    assert_int_equal(own.first, next);
                    assert_true(own.count >= 1);
                    assert_true(own.first >= groups.first * group);
                    assert_true(own.first + own.count <= (groups.first + groups.count) * group);
                    next = own.first + own.count;
                    checked++;
                }
                assert_int_equal(next, images);
            }
    assert_true(checked > 3000);
}

static void refuse(int images, int group, int ranks, const char *part)
{
    const struct shares shares = {images, group, ranks};
    struct error error = {0};
    assert_int_equal(shares_check(&shares, &error), SIMCLR_INVALID);
    if (!strstr(error.text, part)) fail_msg("%s", error.text);
}

static void refusals_name_what_would_do(void **state)
{
    (void)state;
    refuse(3, 3, 4, "give --batch 4 or more, or start 3 ranks or fewer");
    refuse(24, 7, 1, "give --batch 21 or 28");
    refuse(24, 6, 6, "start 1 to 4, 4 or 8 ranks");
    refuse(24, 0, 1, "cannot be shared");
    refuse(24, 25, 1, "cannot be shared");
    refuse(0, 1, 1, "cannot be shared");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares_are_those_of_the_table),
        cmocka_unit_test(every_image_has_one_rank),
        cmocka_unit_test(refusals_name_what_would_do),
    };
    return run_cases(tests, NULL, NULL);
}
