/* What is counted of pictures: profiles, 16 bits, and whether the first of those are nearly black. */
#include "support/run.h"

#include <string.h>

#include "data/tally.h"

static void add(struct tally *tally, int pictures, bool profile, int depth, int brightest)
{
    const struct image_header header = {.profile = profile, .depth = depth};
    for (int i = 0; i < pictures; i++) tally_add(tally, &header, brightest);
}

static void the_first_deep_pictures_decide(void **state)
{
    (void)state;
    struct tally tally = {0};
    add(&tally, 3, true, 8, -1);
    assert_true(!tally_is_dark(&tally)); /* nothing was looked at */
    add(&tally, TALLY_DEEP - 1, false, 16, 15);
    add(&tally, 1, false, 16, -1); /* damaged: one of the first, and it tells nothing */
    add(&tally, 5, true, 16, 200); /* beyond the first */
    assert_int_equal(tally.looked_at, 8 + TALLY_DEEP);
    assert_int_equal(tally.profiles, 8);
    assert_int_equal(tally.deep, 5 + TALLY_DEEP);
    assert_int_equal(tally.deep_looked_at, TALLY_DEEP - 1);
    assert_int_equal(tally.deep_brightest, 15);
    assert_true(tally_is_dark(&tally));
    struct tally bright = {0};
    add(&bright, 2, false, 16, 15);
    add(&bright, 1, false, 16, 64); /* needs the fifteenth bit */
    assert_true(!tally_is_dark(&bright));
}

static void brightest_is_that_of_any_channel(void **state)
{
    (void)state;
    uint8_t rgb[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 77, 12};
    const struct image image = {.width = 2, .height = 2, .rgb = rgb};
    assert_int_equal(tally_brightest(&image), 77);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_deep_pictures_decide),
        cmocka_unit_test(brightest_is_that_of_any_channel),
    };
    return run_cases(tests, NULL, NULL);
}
