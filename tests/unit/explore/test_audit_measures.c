/* Measures of pictures against Pillow and NumPy, and sizes of a set. */
#include "support/run.h"

#include <math.h>

#include "explore/audit/measures.h"

static void draw(struct image *image, int kind)
{
    for (int y = 0; y < image->height; y++)
        for (int x = 0; x < image->width; x++) {
            uint8_t *rgb = image->rgb + 3 * (y * image->width + x);
            if (kind == 0) {
                rgb[0] = (uint8_t)(x * 7 + y * 13);
                rgb[1] = (uint8_t)(x * 3 + y * 5);
                rgb[2] = (uint8_t)(x * x + y);
            } else {
                rgb[0] = rgb[1] = rgb[2] = (uint8_t)(kind == 1 ? 10 + (x + y) % 40 : 246 + x * y % 10);
            }
        }
}

/* The 99 and 5 % quantiles are numpy.percentile's, edges ImageFilter.FIND_EDGES, the entropy Image.entropy, the
 * deviation that of Image.histogram of convert("L"); Pillow 13, NumPy 2.4. */
static void pictures_are_measured_as_pillow_does(void **state)
{
    (void)state;
    static const struct {
        int width, height, kind;
        float score[PICTURE_SHAPE + 1]; /* to the shape */
    } cases[] = {
        {40, 30, 0, {0.844131f, 0.765540f, 0.464812f, 0.947412f, 0.750000f}},
        {32, 32, 1, {0.192157f, 0.952941f, 0.181214f, 0.690048f, 1.000000f}},
        {64, 20, 2, {1.000000f, 0.035294f, 0.813366f, 0.461582f, 0.312500f}},
        {17, 23, 0, {0.604329f, 0.878692f, 0.420874f, 0.912655f, 0.739130f}},
    };
    static const unsigned faults[] = {0, 1u << PICTURE_DARK | 1u << PICTURE_BLURRED | 1u << PICTURE_GRAY,
                                      1u << PICTURE_BRIGHT | 1u << PICTURE_SHAPE | 1u << PICTURE_GRAY, 0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct image image;
        struct picture got;
        assert_int_equal(image_create(cases[i].width, cases[i].height, &image, NULL), SIMCLR_OK);
        draw(&image, cases[i].kind);
        assert_int_equal(picture_measure(&got, 0, &image, NULL), SIMCLR_OK);
        for (int k = 0; k <= PICTURE_SHAPE; k++)
            if (fabsf(got.score[k] - cases[i].score[k]) > (k <= PICTURE_BRIGHT ? 2.5e-4f : 1e-4f))
                fail_msg("case %zu, %s: %.6f, expected %.6f", i, picture_rules[k].name, (double)got.score[k],
                         (double)cases[i].score[k]);
        assert_int_equal(got.faults, faults[i]);
        assert_true(got.digest != 0 && got.width == cases[i].width && got.height == cases[i].height);
        image_free(&image);
    }
}

/* One pixel more or less is another picture; so are the same bytes in another shape. */
static void digests_tell_pictures_apart(void **state)
{
    (void)state;
    struct image image, other;
    struct picture a, b;
    assert_int_equal(image_create(8, 6, &image, NULL), SIMCLR_OK);
    assert_int_equal(image_create(6, 8, &other, NULL), SIMCLR_OK);
    assert_int_equal(picture_measure(&a, 0, &image, NULL), SIMCLR_OK);
    assert_int_equal(picture_measure(&b, 0, &other, NULL), SIMCLR_OK);
    assert_true(a.digest != b.digest);
    assert_true(a.faults >> PICTURE_EMPTY & 1);
    image.rgb[77]++;
    assert_int_equal(picture_measure(&b, 0, &image, NULL), SIMCLR_OK);
    assert_true(a.digest != b.digest);
    image_free(&image);
    image_free(&other);
}

static void sizes_are_judged_by_those_of_others(void **state)
{
    (void)state;
    struct picture pictures[9] = {{0}};
    double limits[2];
    for (int i = 0; i < 9; i++) pictures[i].width = pictures[i].height = 100 + i;
    pictures[8].width = pictures[8].height = 200;
    assert_int_equal(sizes_judge(pictures, 9, limits, NULL), SIMCLR_OK);
    /* sides 100 to 107 and 200: quartiles 102 and 106 */
    assert_true(fabs(limits[0] - 90) < 1e-4 && fabs(limits[1] - 118) < 1e-4);
    for (int i = 0; i < 9; i++) assert_int_equal(pictures[i].faults >> PICTURE_SIZE & 1, i == 8);
    assert_true(pictures[8].score[PICTURE_SIZE] < 0.5f && pictures[0].score[PICTURE_SIZE] > 0.5f);
    for (int i = 0; i < 9; i++) pictures[i] = (struct picture){.width = 64, .height = 64};
    assert_int_equal(sizes_judge(pictures, 9, limits, NULL), SIMCLR_OK); /* all the same: none is odd */
    for (int i = 0; i < 9; i++) assert_true(pictures[i].faults == 0 && pictures[i].score[PICTURE_SIZE] == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pictures_are_measured_as_pillow_does),
        cmocka_unit_test(digests_tell_pictures_apart),
        cmocka_unit_test(sizes_are_judged_by_those_of_others),
    };
    return run_cases(tests, NULL, NULL);
}
