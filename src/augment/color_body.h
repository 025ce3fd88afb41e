/* augment/color_body.h -- the colour loops, compiled once per instruction set: the including file defines KERNELS
 * (the table's name). Plain loops over planes without branches, which the compiler turns into vectors; sums have a
 * fixed order, so that every variant gives the same bits. Clamps are written so that a NaN becomes 0. */
#include <stddef.h>

#include "augment/color.h"

static const float RED = 0.2989f, GREEN = 0.587f, BLUE = 0.114f;

static inline float clamp(float x)
{
    const float positive = x > 0.0f ? x : 0.0f;
    return positive < 1.0f ? positive : 1.0f;
}

static void brightness(float *restrict view, int pixels, float factor)
{
    const size_t count = (size_t)pixels * 3;
    for (size_t i = 0; i < count; i++) view[i] = clamp(factor * view[i]);
}

enum { SUM_LANES = 16, SUM_BLOCK = 64 };

/* Mean of gray: 16 partial sums in float over 1,024 pixels at a time, then in double. */
static double mean_gray(const float *view, int pixels)
{
    const float *red = view, *green = view + pixels, *blue = view + 2 * (size_t)pixels;
    double total = 0.0;
    int i = 0;
    while (i + SUM_LANES <= pixels) {
        float part[SUM_LANES] = {0};
        const int rounds = (pixels - i) / SUM_LANES < SUM_BLOCK ? (pixels - i) / SUM_LANES : SUM_BLOCK;
        for (int round = 0; round < rounds; round++, i += SUM_LANES)
            for (int lane = 0; lane < SUM_LANES; lane++)
                part[lane] += RED * red[i + lane] + GREEN * green[i + lane] + BLUE * blue[i + lane];
        for (int lane = 0; lane < SUM_LANES; lane++) total += (double)part[lane];
    }
    for (; i < pixels; i++) total += (double)(RED * red[i] + GREEN * green[i] + BLUE * blue[i]);
    return total / pixels;
}

static void contrast(float *restrict view, int pixels, float factor)
{
    const float rest = (float)((1.0 - (double)factor) * mean_gray(view, pixels));
    const size_t count = (size_t)pixels * 3;
    for (size_t i = 0; i < count; i++) view[i] = clamp(factor * view[i] + rest);
}

static void saturation(float *view, int pixels, float factor)
{
    float *restrict red = view, *restrict green = view + pixels, *restrict blue = view + 2 * (size_t)pixels;
    const float rest = 1.0f - factor;
    for (int i = 0; i < pixels; i++) {
        const float gray = rest * (RED * red[i] + GREEN * green[i] + BLUE * blue[i]);
        red[i] = clamp(factor * red[i] + gray);
        green[i] = clamp(factor * green[i] + gray);
        blue[i] = clamp(factor * blue[i] + gray);
    }
}

/* One channel from hue (in sixths of the circle), value and chroma: v - c * clamp(min(k, 4 - k), 0, 1), where
 * k = (n + hue) mod 6 and n is 5, 3, 1 for red, green, blue. torchvision's table of p, q, t says the same. */
static inline float channel(float hue, float n, float value, float chroma)
{
    const float turned = hue + n;
    const float k = turned - (turned < 6.0f ? 0.0f : 6.0f);
    const float other = 4.0f - k;
    return clamp(value - chroma * clamp(k < other ? k : other));
}

static void hue(float *view, int pixels, float shift)
{
    float *restrict red = view, *restrict green = view + pixels, *restrict blue = view + 2 * (size_t)pixels;
    const float whole = shift - (float)(int)shift; /* (-1, 1) */
    const float turn = 6.0f * (whole < 0.0f ? whole + 1.0f : whole);
    const float turn_green = turn + 2.0f, turn_blue = turn + 4.0f;
    for (int i = 0; i < pixels; i++) {
        const float r = red[i], g = green[i], b = blue[i];
        const float larger = r > g ? r : g, smaller = r < g ? r : g;
        const float value = larger > b ? larger : b, least = smaller < b ? smaller : b;
        const float chroma = value - least;
        const float scale = 1.0f / (chroma > 0.0f ? chroma : 1.0f);
        const float minuend = value == r ? g : value == g ? b : r;
        const float subtrahend = value == r ? b : value == g ? r : g;
        const float sector = value == r ? turn : value == g ? turn_green : turn_blue;
        const float sextant = (minuend - subtrahend) * scale + sector; /* -1 to 11 */
        const float positive = sextant + (sextant < 0.0f ? 6.0f : 0.0f);
        const float h = positive - (positive < 6.0f ? 0.0f : 6.0f);
        red[i] = channel(h, 5.0f, value, chroma);
        green[i] = channel(h, 3.0f, value, chroma);
        blue[i] = channel(h, 1.0f, value, chroma);
    }
}

static void gray(float *view, int pixels)
{
    float *restrict red = view, *restrict green = view + pixels, *restrict blue = view + 2 * (size_t)pixels;
    for (int i = 0; i < pixels; i++)
        red[i] = green[i] = blue[i] = clamp(RED * red[i] + GREEN * green[i] + BLUE * blue[i]);
}

static void solarize(float *restrict view, int pixels)
{
    const size_t count = (size_t)pixels * 3;
    for (size_t i = 0; i < count; i++)
        view[i] = (view[i] > 0.5f ? 1.0f : 0.0f) + (view[i] > 0.5f ? -1.0f : 1.0f) * view[i];
}

static void normalize(float *restrict plane, int pixels, float mean, float deviation)
{
    const float scale = 1.0f / deviation;
    for (int i = 0; i < pixels; i++) plane[i] = (plane[i] - mean) * scale;
}

const struct color_kernels KERNELS = {brightness, contrast, saturation, hue, gray, solarize, normalize};
