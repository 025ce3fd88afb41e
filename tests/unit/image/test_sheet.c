/* Contact sheets: pictures land where they should, enlarged by whole pixels; text is drawn and cut; nothing is written
 * outside. */

#include "support/run.h"

#include "image/sheet.h"

static const struct color red = {255, 0, 0}, black = {0, 0, 0};

static int count_color(const struct image *image, struct color color)
{
    int count = 0;
    for (int i = 0; i < image->width * image->height; i++)
        count += image->rgb[3 * i] == color.red && image->rgb[3 * i + 1] == color.green &&
                 image->rgb[3 * i + 2] == color.blue;
    return count;
}

static void pictures_are_enlarged_by_whole_pixels(void **state)
{
    (void)state;
    struct sheet sheet;
    uint8_t rgb[12] = {10, 0, 0, 20, 0, 0, 30, 0, 0, 40, 0, 0};
    const struct image picture = {2, 2, rgb};
    assert_int_equal(sheet_create(&sheet, 3, 2, 36, NULL), SIMCLR_OK);
    sheet_place(&sheet, 2, 1, &picture, red);
    for (int i = 0; i < 4; i++) assert_int_equal(count_color(&sheet.image, (struct color){rgb[3 * i], 0, 0}), 16 * 16);
    assert_int_equal(count_color(&sheet.image, red), 36 * 36 - 32 * 32);
    sheet_free(&sheet);
}

static void large_pictures_are_reduced(void **state)
{
    (void)state;
    struct sheet sheet;
    struct image wide;
    assert_int_equal(image_create(4000, 3, &wide, NULL), SIMCLR_OK);
    assert_int_equal(sheet_create(&sheet, 1, 1, 64, NULL), SIMCLR_OK);
    sheet_place(&sheet, 0, 0, &wide, red);
    assert_int_equal(count_color(&sheet.image, black), 60); /* 60 x 1 pixels of the black picture */
    image_free(&wide);
    sheet_free(&sheet);
}

static void views_are_clamped_to_bytes(void **state)
{
    (void)state;
    struct sheet sheet;
    const float view[12] = {0, 1, 2, -1, 0.5f, 0.5f, 0.5f, 0.5f, 0, 0, 0, 0};
    assert_int_equal(sheet_create(&sheet, 1, 1, 8, NULL), SIMCLR_OK);
    sheet_place_view(&sheet, 0, 0, view, 2, red);
    assert_int_equal(count_color(&sheet.image, (struct color){255, 128, 0}), 8);
    assert_int_equal(count_color(&sheet.image, (struct color){0, 128, 0}), 8);
    sheet_free(&sheet);
}

static void text_is_drawn_and_cut(void **state)
{
    (void)state;
    struct sheet sheet;
    assert_int_equal(sheet_create(&sheet, 1, 1, 24, NULL), SIMCLR_OK);
    sheet_text(&sheet, 0, 0, "I", black);
    assert_int_equal(count_color(&sheet.image, black), (2 + 7 + 2) * 4 + 4); /* and its four inner corners rounded */
    sheet_text(&sheet, 0, 0, "I\xffIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIII",
               black); /* runs off the edge: cut, as a sanitizer would see */
    assert_true(count_color(&sheet.image, black) > 44);
    sheet_free(&sheet);
}

static void absurd_sheets_are_refused(void **state)
{
    (void)state;
    struct sheet sheet;
    assert_int_equal(sheet_create(&sheet, 0, 1, 32, NULL), SIMCLR_INVALID);
    assert_int_equal(sheet_create(&sheet, 1, 1, 100000, NULL), SIMCLR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pictures_are_enlarged_by_whole_pixels),
        cmocka_unit_test(large_pictures_are_reduced),
        cmocka_unit_test(views_are_clamped_to_bytes),
        cmocka_unit_test(text_is_drawn_and_cut),
        cmocka_unit_test(absurd_sheets_are_refused),
    };
    return run_cases(tests, NULL, NULL);
}
