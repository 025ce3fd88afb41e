/* Colours of our pages. Words are readable on every ground, light and dark, by the contrast of WCAG 2. Each hue differs
 * from the others for those who do not tell red from green. The style sheet refers to nothing outside. */

#include "support/run.h"

#include <math.h>

#include "page/page.h"
#include "page/style.h"

enum { LEAST_CONTRAST_TENTHS = 45, LEAST_DISTANCE = 10 };

struct rgb {
    double channel[3]; /* linear light, 0 to 1 */
};

static double to_linear(double value)
{
    return value <= 0.04045 ? value / 12.92 : pow((value + 0.055) / 1.055, 2.4);
}

static struct rgb linear(uint32_t color)
{
    struct rgb out;
    for (int i = 0; i < 3; i++) out.channel[i] = to_linear((double)(color >> (16 - 8 * i) & 255) / 255);
    return out;
}

static double luminance(uint32_t color)
{
    const struct rgb c = linear(color);
    return 0.2126 * c.channel[0] + 0.7152 * c.channel[1] + 0.0722 * c.channel[2];
}

/* https://www.w3.org/TR/WCAG21/#dfn-contrast-ratio */
static double contrast(uint32_t a, uint32_t b)
{
    const double x = luminance(a), y = luminance(b);
    return (fmax(x, y) + 0.05) / (fmin(x, y) + 0.05);
}

static uint32_t blend(uint32_t over, uint32_t ground, double share)
{
    uint32_t out = 0;
    for (int shift = 16; shift >= 0; shift -= 8)
        out |= (uint32_t)lround((over >> shift & 255) * share + (ground >> shift & 255) * (1 - share)) << shift;
    return out;
}

static void readable(uint32_t words, uint32_t ground)
{
    if (contrast(words, ground) * 10 < LEAST_CONTRAST_TENTHS)
        fail_msg("#%06x on #%06x has a contrast of %.2f", words, ground, contrast(words, ground));
}

static void the_formula_is_the_standard_s(void **state)
{
    (void)state;
    assert_true(fabs(contrast(0, 0xFFFFFF) - 21) < 1e-9);
    assert_true(fabs(contrast(0x777777, 0xFFFFFF) - 4.48) < 0.005); /* the best known gray that just fails */
}

static void words_are_readable(void **state)
{
    (void)state;
    const struct style_colors *both[] = {&style_light, &style_dark};
    for (int i = 0; i < 2; i++) {
        const struct style_colors *colors = both[i];
        const uint32_t grounds[] = {colors->ground, colors->panel};
        for (int g = 0; g < 2; g++) {
            readable(colors->ink, grounds[g]);
            readable(colors->muted, grounds[g]);
            readable(colors->link, grounds[g]);
            for (int h = 0; h < STYLE_HUES; h++) readable(colors->hues[h], grounds[g]);
        }
        readable(colors->ink, blend(colors->hues[0], colors->ground, STYLE_SHADE / 100.0));
    }
}

/* What a dichromat sees: Vienot, Brettel and Mollon 1999, in linear light. */
static struct rgb seen_by(struct rgb c, const double matrix[3][3])
{
    struct rgb out;
    for (int i = 0; i < 3; i++) {
        out.channel[i] = 0;
        for (int k = 0; k < 3; k++) out.channel[i] += matrix[i][k] * c.channel[k];
        out.channel[i] = fmin(fmax(out.channel[i], 0), 1);
    }
    return out;
}

static double lab_root(double t)
{
    return t > 216.0 / 24389 ? cbrt(t) : (24389.0 / 27 * t + 16) / 116;
}

/* CIE 1976 colour difference of two colours in linear sRGB. */
static double distance(struct rgb a, struct rgb b)
{
    static const double to_xyz[3][3] = {{0.4124, 0.3576, 0.1805}, {0.2126, 0.7152, 0.0722}, {0.0193, 0.1192, 0.9505}};
    static const double white[3] = {0.9505, 1, 1.089};
    double f[2][3];
    for (int c = 0; c < 2; c++)
        for (int i = 0; i < 3; i++) {
            double sum = 0;
            for (int k = 0; k < 3; k++) sum += to_xyz[i][k] * (c == 0 ? a : b).channel[k];
            f[c][i] = lab_root(sum / white[i]);
        }
    const double l = 116 * (f[0][1] - f[1][1]);
    const double red = 500 * (f[0][0] - f[0][1] - f[1][0] + f[1][1]);
    const double yellow = 200 * (f[0][1] - f[0][2] - f[1][1] + f[1][2]);
    return sqrt(l * l + red * red + yellow * yellow);
}

static void hues_differ_for_everybody(void **state)
{
    (void)state;
    static const double sights[3][3][3] = {
        {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}},
        {{0.11238, 0.88762, 0}, {0.11238, 0.88762, 0}, {0.00401, -0.00401, 1}}, /* no red cones */
        {{0.29275, 0.70725, 0}, {0.29275, 0.70725, 0}, {-0.02234, 0.02234, 1}}, /* no green cones */
    };
    const struct style_colors *both[] = {&style_light, &style_dark};
    for (int c = 0; c < 2; c++)
        for (int s = 0; s < 3; s++)
            for (int i = 0; i < STYLE_HUES; i++)
                for (int k = 0; k < i; k++) {
                    const double apart = distance(seen_by(linear(both[c]->hues[i]), sights[s]),
                                                  seen_by(linear(both[c]->hues[k]), sights[s]));
                    if (apart < LEAST_DISTANCE)
                        fail_msg("%s hues %d and %d, sight %d: %.1f apart", c ? "dark" : "light", i, k, s, apart);
                }
}

static void each_hue_has_a_dash(void **state)
{
    (void)state;
    for (int i = 0; i < STYLE_HUES; i++)
        for (int k = 0; k < i; k++) assert_string_not_equal(style_dashes[i], style_dashes[k]);
    assert_int_equal((int)STYLE_HUES, (int)PAGE_HUES);
}

static void nothing_is_fetched(void **state)
{
    (void)state;
    struct text sheet = {0};
    style_add(&sheet);
    assert_false(sheet.failed);
    assert_null(strstr(sheet.bytes, "url("));
    assert_null(strstr(sheet.bytes, "@import"));
    assert_null(strstr(sheet.bytes, "</"));
    assert_non_null(strstr(sheet.bytes, "@media screen and (prefers-color-scheme:dark)"));
    int depth = 0;
    for (const char *at = sheet.bytes; *at != '\0'; at++) {
        depth += (*at == '{') - (*at == '}');
        assert_true(depth >= 0 && depth <= 2);
    }
    assert_int_equal(depth, 0);
    text_free(&sheet);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_formula_is_the_standard_s),
        cmocka_unit_test(words_are_readable),
        cmocka_unit_test(hues_differ_for_everybody),
        cmocka_unit_test(each_hue_has_a_dash),
        cmocka_unit_test(nothing_is_fetched),
    };
    return run_cases(tests, NULL, NULL);
}
