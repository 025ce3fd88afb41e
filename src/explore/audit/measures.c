/* explore/audit/measures.c -- see measures.h. */
#include "explore/audit/measures.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/checksum.h"
#include "base/memory.h"
#include "image/resize.h"

enum { BINS = 4096, BLUR_SIDE = 64 };

const struct picture_rule picture_rules[PICTURE_FAULTS] = {
    [PICTURE_DARK] = {"dark", "99 % of the pixels are darker than 0.32", 0.32f},
    [PICTURE_BRIGHT] = {"bright", "95 % of the pixels are brighter than 0.95", 0.05f},
    [PICTURE_BLURRED] = {"blurred", "its edges at 64 pixels score below 0.29", 0.29f},
    [PICTURE_EMPTY] = {"low information", "its values have an entropy below 3 bits", 0.3f},
    [PICTURE_SHAPE] = {"odd shape", "its shorter side is less than 0.35 of the longer", 0.35f},
    [PICTURE_SIZE] = {"odd size", "its size is 3 quartile distances beyond the quartiles", 0.5f},
    [PICTURE_GRAY] = {"gray", "every pixel has R = G = B", 0.5f},
};

/* ---- brightness and values ------------------------------------------------------------------------------------- */

struct histograms {
    int64_t brightness[BINS], value[3][256]; /* value: of each channel */
    bool gray;
};

static void count_pixels(struct histograms *out, const struct image *image)
{
    const int64_t pixels = (int64_t)image->width * image->height;
    memset(out, 0, sizeof *out);
    out->gray = true;
    for (int64_t i = 0; i < pixels; i++) {
        const int r = image->rgb[3 * i], g = image->rgb[3 * i + 1], b = image->rgb[3 * i + 2];
        const float bright = sqrtf((float)(241 * r * r + 691 * g * g + 68 * b * b) * 1e-3f);
        const int bin = (int)(bright * ((BINS - 1) / 255.0f) + 0.5f);
        out->brightness[bin < BINS ? bin : BINS - 1]++;
        out->value[0][r]++;
        out->value[1][g]++;
        out->value[2][b]++;
        out->gray &= r == g && g == b;
    }
}

/* The value of a rank that lies between two of the pixels. */
static double bin_of_rank(const struct histograms *histograms, int64_t rank)
{
    int64_t below = 0;
    int bin = 0;
    while (bin < BINS - 1 && (below += histograms->brightness[bin]) <= rank) bin++;
    return (double)bin / (BINS - 1);
}

static float brightness_quantile(const struct histograms *histograms, int64_t pixels, double p)
{
    const double at = p * (double)(pixels - 1);
    const int64_t low = (int64_t)at;
    const double a = bin_of_rank(histograms, low), b = low + 1 < pixels ? bin_of_rank(histograms, low + 1) : a;
    return (float)(a + (b - a) * (at - (double)low));
}

/* In bits. Pillow, whose entropy cleanvision takes, has one histogram of 3 x 256 bins. */
static float entropy(const struct histograms *histograms, int64_t pixels)
{
    double bits = 0;
    for (int c = 0; c < 3; c++)
        for (int v = 0; v < 256; v++) {
            if (histograms->value[c][v] == 0) continue;
            const double share = (double)histograms->value[c][v] / (3.0 * (double)pixels);
            bits -= share * log2(share);
        }
    return (float)bits;
}

/* ---- edges ----------------------------------------------------------------------------------------------------- */

static uint8_t luma(const uint8_t *rgb)
{
    return (uint8_t)((19595 * rgb[0] + 38470 * rgb[1] + 7471 * rgb[2] + 32768) >> 16);
}

/* Standard deviation of 8 x centre - neighbours, cut to bytes; at the borders the pixel stands for itself. */
static double edge_deviation(const uint8_t *gray, int width, int height)
{
    double sum = 0, squares = 0;
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            const uint8_t *at = gray + (int64_t)y * width + x;
            int value = *at;
            if (x > 0 && y > 0 && x < width - 1 && y < height - 1) {
                value = 9 * value;
                for (int dy = -1; dy <= 1; dy++)
                    for (int dx = -1; dx <= 1; dx++) value -= at[dy * width + dx];
                value = value < 0 ? 0 : value > 255 ? 255 : value;
            }
            sum += value;
            squares += (double)value * value;
        }
    const double pixels = (double)width * height, mean = sum / pixels, variance = squares / pixels - mean * mean;
    return variance > 0 ? sqrt(variance) : 0;
}

static double histogram_deviation(const uint8_t *gray, int64_t pixels)
{
    int64_t count[256] = {0};
    double squares = 0;
    for (int64_t i = 0; i < pixels; i++) count[gray[i]]++;
    const double mean = (double)pixels / 256;
    for (int v = 0; v < 256; v++) squares += ((double)count[v] - mean) * ((double)count[v] - mean);
    return sqrt(squares / 256);
}

static float blur_score(const struct image *image)
{
    uint8_t gray[BLUR_SIDE * BLUR_SIDE] = {0};
    const int64_t pixels = (int64_t)image->width * image->height;
    for (int64_t i = 0; i < pixels; i++) gray[i] = luma(image->rgb + 3 * i);
    const double edges = 1 - exp(-edge_deviation(gray, image->width, image->height) * 0.01);
    const double spread = 1 - exp(-histogram_deviation(gray, pixels) * 0.01);
    return (float)fmin(edges + (spread > 0.18 ? spread : 0), 1);
}

/* In cleanvision's words: the longer side becomes 64, the other is cut to whole pixels. */
static int measure_blur(float *out, enum simd simd, const struct image *image, struct error *error)
{
    const int longer = image->width > image->height ? image->width : image->height;
    if (longer <= BLUR_SIDE) {
        *out = blur_score(image);
        return SIMCLR_OK;
    }
    const int width = (int)((int64_t)image->width * BLUR_SIDE / longer);
    const int height = (int)((int64_t)image->height * BLUR_SIDE / longer);
    struct image small;
    const int status = image_resize(simd, image, width < 1 ? 1 : width, height < 1 ? 1 : height, &small, error);
    if (status) return status;
    *out = blur_score(&small);
    image_free(&small);
    return SIMCLR_OK;
}

/* ---- all ------------------------------------------------------------------------------------------------------- */

int picture_measure(struct picture *out, enum simd simd, const struct image *image, struct error *error)
{
    const int64_t pixels = (int64_t)image->width * image->height, size[2] = {image->width, image->height};
    const int longer = image->width > image->height ? image->width : image->height;
    const int shorter = image->width + image->height - longer;
    struct histograms histograms;
    count_pixels(&histograms, image);
    *out = (struct picture){.width = image->width, .height = image->height};
    out->digest = hash64(image->rgb, 3 * (size_t)pixels, hash64(size, sizeof size, 2)) | 1;
    out->score[PICTURE_DARK] = brightness_quantile(&histograms, pixels, 0.99);
    out->score[PICTURE_BRIGHT] = 1 - brightness_quantile(&histograms, pixels, 0.05);
    out->score[PICTURE_EMPTY] = fminf(entropy(&histograms, pixels) * 0.1f, 1);
    out->score[PICTURE_SHAPE] = (float)shorter / (float)longer;
    out->score[PICTURE_SIZE] = 1;
    out->score[PICTURE_GRAY] = histograms.gray ? 0 : 1;
    const int status = measure_blur(&out->score[PICTURE_BLURRED], simd, image, error);
    for (int i = 0; i < PICTURE_FAULTS; i++)
        if (i != PICTURE_SIZE && out->score[i] < picture_rules[i].limit) out->faults |= 1u << i;
    return status;
}

static int by_value(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

double quantile_of_sorted(const float *sorted, int64_t count, double p)
{
    const double at = p * (double)(count - 1);
    const int64_t low = (int64_t)at, high = low + 1 < count ? low + 1 : low;
    return (double)sorted[low] + ((double)sorted[high] - (double)sorted[low]) * (at - (double)low);
}

/* cleanvision's score: 1 in the middle of the limits, 0.5 at them. */
int sizes_judge(struct picture *pictures, int64_t count, double limits[2], struct error *error)
{
    float *size = memory_array((size_t)count, sizeof *size), *sorted = memory_array((size_t)count, sizeof *sorted);
    const int status = size && sorted ? SIMCLR_OK : error_no_memory(error, "sizes", (size_t)count * sizeof *size);
    for (int64_t i = 0; !status && i < count; i++)
        size[i] = sqrtf((float)pictures[i].width * (float)pictures[i].height);
    if (!status) {
        memcpy(sorted, size, (size_t)count * sizeof *size);
        qsort(sorted, (size_t)count, sizeof *sorted, by_value);
        const double q1 = quantile_of_sorted(sorted, count, 0.25), q3 = quantile_of_sorted(sorted, count, 0.75);
        limits[0] = q1 - 3 * (q3 - q1);
        limits[1] = q3 + 3 * (q3 - q1);
    }
    const double middle = status ? 0 : (limits[0] + limits[1]) / 2, gap = status ? 0 : limits[1] - limits[0];
    for (int64_t i = 0; !status && i < count; i++) {
        const double far = fabs((double)size[i] - middle);
        const bool odd = (double)size[i] < limits[0] || (double)size[i] > limits[1];
        const double score = gap > 0 ? 1 - far / gap : odd ? 0.5 * (1 - fmin(far / middle, 1)) : 1;
        pictures[i].score[PICTURE_SIZE] = (float)(score < 0 ? 0 : score);
        if (odd) pictures[i].faults |= 1u << PICTURE_SIZE;
    }
    memory_free(size);
    memory_free(sorted);
    return status;
}
