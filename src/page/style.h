/* page/style.h -- the colours and the style sheet of our pages. */
#ifndef PAGE_STYLE_H
#define PAGE_STYLE_H

#include <stdint.h>

#include "base/text.h"

enum { STYLE_HUES = 8, STYLE_SHADE = 35 };

/* Colours as 0xRRGGBB. Every colour of words (ink, muted, link, hues) has a contrast of at least 4.5 to 1 (WCAG 2,
 * level AA) on `ground`, `panel`, and ink on a ground that is shaded by STYLE_SHADE percent of the first hue too:
 * tests/unit/page/test_style.c computes it. The hues differ in lightness as well, for those who do not tell red from
 * green; each has a dash of its own besides. */
struct style_colors {
    uint32_t ground, panel, ink, muted, line, link, hues[STYLE_HUES];
};
extern const struct style_colors style_light, style_dark;

/* Dashes of the hues, as SVG's stroke-dasharray. */
extern const char *const style_dashes[STYLE_HUES];

/* The style sheet: variables for light (print too) and dark, then the rules. */
void style_add(struct text *out);

#endif
