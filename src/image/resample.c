/* image/resample.c -- the filter's weights, and which variant resizes what.
 *
 * Weights as Pillow's ImagingResample and PyTorch's antialiased interpolation compute them: output i has its centre
 * at (i + 1/2) * scale in the input and takes the inputs within support * max(scale, 1) of it. */
#include "image/resample.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "image/resample_kernels.h"

static const struct resample_kernels *kernels_of(enum simd simd)
{
#if defined(__x86_64__)
    if (simd_has(simd, SIMD_AVX512_VBMI)) return &resample_kernels_avx512vbmi;
#endif
    return SIMD_CHOOSE(simd, &resample_kernels_avx512, &resample_kernels_avx2, &resample_kernels_portable);
}

int resample_most_taps(int input, int output, enum resample_filter filter)
{
    const double scale = input > output ? (double)input / output : 1.0;
    return (int)ceil(2.0 * resample_half_width(filter) * scale) + 1;
}

/* ---- weights as floats ---- */

size_t resample_axis_bytes(int input, int output)
{
    const size_t outputs = (size_t)output;
    return 2 * resample_round_up(outputs * sizeof(int)) +
           resample_round_up(outputs * (size_t)resample_most_taps(input, output, RESAMPLE_BICUBIC) * sizeof(float));
}

/* Keys' cubic with a = -1/2, without branches so that the loop over taps becomes vectors. */
static inline float cubic(float x)
{
    const float d = fabsf(x);
    const float near = (1.5f * d - 2.5f) * d * d + 1.0f;
    const float far = ((-0.5f * d + 2.5f) * d - 4.0f) * d + 2.0f;
    return d < 1.0f ? near : d < 2.0f ? far : 0.0f;
}

static inline float triangle(float x)
{
    const float d = 1.0f - fabsf(x);
    return d > 0.0f ? d : 0.0f;
}

/* The distance of the first tap is computed in double, so that wide pictures lose nothing. */
struct resample_axis resample_axis_make(struct resample_span span, int output, enum resample_filter filter, bool flip,
                                        double total, void *block)
{
    const int input = span.input;
    const double scale = span.length / output;
    const double stretch = scale > 1.0 ? scale : 1.0;
    const double support = resample_half_width(filter) * stretch;
    struct resample_axis axis = {.taps = resample_most_taps(input, output, filter), .first = block};
    const size_t ints = resample_round_up((size_t)output * sizeof(int));
    axis.count = (int *)(void *)((char *)block + ints);
    axis.weight = (float *)(void *)((char *)block + 2 * ints);
    const float step = (float)(1.0 / stretch);
    for (int i = 0; i < output; i++) {
        const double centre = span.begin + ((flip ? output - 1 - i : i) + 0.5) * scale;
        const double low = centre - support + 0.5, high = centre + support + 0.5;
        const int first = low > 0.0 ? (int)low : 0;
        const int end = high < input ? (int)high : input;
        const int count = end - first < axis.taps ? end - first : axis.taps;
        const float offset = (float)((first - centre + 0.5) / stretch);
        float *weight = axis.weight + (size_t)i * (size_t)axis.taps;
        if (filter == RESAMPLE_BICUBIC)
            for (int tap = 0; tap < count; tap++) weight[tap] = cubic(offset + (float)tap * step);
        else
            for (int tap = 0; tap < count; tap++) weight[tap] = triangle(offset + (float)tap * step);
        float sum = 0.0f;
        for (int tap = 0; tap < count; tap++) sum += weight[tap];
        const float factor = (float)(total / sum);
        for (int tap = 0; tap < count; tap++) weight[tap] *= factor;
        axis.first[i] = first;
        axis.count[i] = count;
    }
    return axis;
}

/* ---- tables made once ---- */

/* Worth it only where a view is small: tables of larger ones cost little beside its pixels and fill the cache. */
size_t resample_cache_bytes(enum simd simd, int max_width, int max_height, int width, int height)
{
    const struct resample_kernels *kernels = kernels_of(simd);
    if (width > 64 || height > 64 || max_width > 2 * width || max_height > 2 * height) return 0;
    return 2 * (size_t)max_width * kernels->across_bytes(max_width, width) +
           (size_t)max_height * kernels->down_bytes(max_height, height) +
           kernels->work_bytes(max_width, max_height, width, height);
}

void resample_cache_make(struct resample_cache *cache, const struct resample_to *to, int max_width, int max_height,
                         void *block)
{
    const struct resample_kernels *kernels = kernels_of(to->simd);
    *cache = (struct resample_cache){.filter = to->filter,
                                     .max_width = max_width,
                                     .max_height = max_height,
                                     .width = to->width,
                                     .height = to->height,
                                     .across_bytes = kernels->across_bytes(max_width, to->width),
                                     .down_bytes = kernels->down_bytes(max_height, to->height),
                                     .tables = block};
    char *next = block,
         *work = next + 2 * (size_t)max_width * cache->across_bytes + (size_t)max_height * cache->down_bytes;
    for (int flip = 0; flip < 2; flip++)
        for (int size = 1; size <= max_width; size++, next += cache->across_bytes)
            kernels->across_make(next, resample_whole(size), to->width, to->filter, flip, work);
    for (int size = 1; size <= max_height; size++, next += cache->down_bytes)
        kernels->down_make(next, resample_whole(size), to->height, to->filter, work);
}

/* ---- resizing ---- */

static size_t scratch_of(const struct resample_kernels *kernels, int max_width, int max_height, int width, int height)
{
    return kernels->across_bytes(max_width, width) + kernels->down_bytes(max_height, height) +
           kernels->work_bytes(max_width, max_height, width, height);
}

/* The portable variant may have to do what the chosen one cannot (begin). */
size_t resample_scratch_bytes(enum simd simd, int max_width, int max_height, int width, int height)
{
    const size_t chosen = scratch_of(kernels_of(simd), max_width, max_height, width, height);
    const size_t portable = scratch_of(&resample_kernels_portable, max_width, max_height, width, height);
    const size_t block = (size_t)3 * RESAMPLE_BLOCK * resample_round_up((size_t)width * sizeof(float)); /* resample */
    return (chosen > portable ? chosen : portable) + block;
}

/* Which variant does it, and where it reads. */
static const struct resample_kernels *begin(struct resampler *resampler, const struct resample_to *to,
                                            const struct image *image, struct box box)
{
    const struct resample_kernels *kernels = kernels_of(to->simd);
    if (box.width / to->width >= kernels->most_scale || box.height / to->height >= kernels->most_scale)
        kernels = &resample_kernels_portable;
    const size_t stride = (size_t)image->width * 3;
    *resampler = (struct resampler){.kernels = kernels,
                                    .rows = image->rgb + (size_t)box.y * stride + (size_t)box.x * 3,
                                    .end = image->rgb + (size_t)image->height * stride,
                                    .stride = stride,
                                    .box = box,
                                    .width = to->width,
                                    .height = to->height};
    return kernels;
}

/* Makes the tables in the scratch. */
static void make_tables(struct resampler *resampler, const struct resample_to *to, struct resample_span across_span,
                        struct resample_span down_span, void *scratch)
{
    const struct resample_kernels *kernels = resampler->kernels;
    char *across = scratch, *down = across + kernels->across_bytes(across_span.input, to->width);
    resampler->across = across;
    resampler->down = down;
    resampler->work = down + kernels->down_bytes(down_span.input, to->height);
    kernels->across_make(across, across_span, to->width, to->filter, to->flip, resampler->work);
    kernels->down_make(down, down_span, to->height, to->filter, resampler->work);
}

void resample_open(struct resampler *resampler, const struct resample_to *to, const struct image *image, struct box box,
                   const struct resample_cache *cache, void *scratch)
{
    const struct resample_kernels *kernels = begin(resampler, to, image, box);
    if (cache == NULL || kernels != kernels_of(to->simd) || box.width > cache->max_width ||
        box.height > cache->max_height) {
        make_tables(resampler, to, resample_whole(box.width), resample_whole(box.height), scratch);
        return;
    }
    const size_t across = (size_t)(to->flip ? cache->max_width : 0) + (size_t)(box.width - 1);
    resampler->across = cache->tables + across * cache->across_bytes;
    resampler->down = cache->tables + 2 * (size_t)cache->max_width * cache->across_bytes +
                      (size_t)(box.height - 1) * cache->down_bytes;
    resampler->work = scratch;
}

/* The pixels that an interval touches. */
static struct resample_span span_of(double begin, double length, int pixels, int *first)
{
    const double end = begin + length;
    const int low = begin > 0.0 ? (int)begin : 0, high = end < pixels ? (int)ceil(end) : pixels;
    *first = low < pixels ? low : pixels - 1;
    return (struct resample_span){high > *first ? high - *first : 1, begin - *first, length};
}

void resample_open_area(struct resampler *resampler, const struct resample_to *to, const struct image *image,
                        struct resample_area area, void *scratch)
{
    struct box box;
    const struct resample_span across = span_of(area.x, area.width, image->width, &box.x);
    const struct resample_span down = span_of(area.y, area.height, image->height, &box.y);
    box.width = across.input;
    box.height = down.input;
    begin(resampler, to, image, box);
    make_tables(resampler, to, across, down, scratch);
}

void resample_rows(struct resampler *resampler, int y, int count, float *out, size_t stride, size_t plane)
{
    resampler->kernels->rows(resampler, y, count, out, stride, plane);
}

void resample(const struct resample_to *to, const struct image *image, struct box box, float *out, void *scratch)
{
    const int width = to->width, height = to->height;
    const size_t stride = resample_round_up((size_t)width * sizeof(float)) / sizeof(float);
    const size_t plane = (size_t)width * (size_t)height;
    float *block = scratch;
    struct resampler resampler;
    resample_open(&resampler, to, image, box, NULL, block + (size_t)3 * RESAMPLE_BLOCK * stride);
    for (int y = 0; y < height; y += RESAMPLE_BLOCK) {
        const int count = height - y < RESAMPLE_BLOCK ? height - y : RESAMPLE_BLOCK;
        resample_rows(&resampler, y, count, block, stride, RESAMPLE_BLOCK * stride);
        for (int channel = 0; channel < 3; channel++)
            for (int row = 0; row < count; row++)
                memcpy(out + (size_t)channel * plane + (size_t)(y + row) * (size_t)width,
                       block + (size_t)(channel * RESAMPLE_BLOCK + row) * stride, (size_t)width * sizeof *out);
    }
}
