/* image/resample.c -- the filter's weights, and the walk over blocks of output rows.
 *
 * Weights as Pillow's ImagingResample and PyTorch's antialiased interpolation compute them: output i has its centre
 * at (i + 1/2) * scale in the input and takes the inputs within support * max(scale, 1) of it. */
#include "image/resample.h"

#include <math.h>
#include <stdint.h>

#include "image/resample_kernels.h"

static const struct resample_kernels *kernels_of(enum simd level)
{
    switch (simd_resolve(level)) {
    case SIMD_AVX512:
        return &resample_kernels_avx512;
    case SIMD_AVX2:
        return &resample_kernels_avx2;
    default:
        return &resample_kernels_portable;
    }
}

static size_t round_up(size_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

static double half_width(enum resample_filter filter)
{
    return filter == RESAMPLE_BICUBIC ? 2.0 : 1.0;
}

/* No output has more taps: an interval of length 2 * support holds at most that many pixels, plus one. */
static int most_taps(int input, int output, double support)
{
    const double scale = input > output ? (double)input / output : 1.0;
    return (int)ceil(2.0 * support * scale) + 1;
}

/* The bytes of an axis's three tables, each rounded up to 64. */
static size_t axis_bytes(int input, int output)
{
    const size_t outputs = (size_t)output;
    return 2 * round_up(outputs * sizeof(int)) +
           round_up(outputs * (size_t)most_taps(input, output, half_width(RESAMPLE_BICUBIC)) * sizeof(float));
}

size_t resample_scratch_bytes(int max_width, int max_height, int width, int height)
{
    return axis_bytes(max_width, width) + axis_bytes(max_height, height) +
           round_up((size_t)max_width * 3 * RESAMPLE_LANES_MAX * sizeof(float));
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

/* Fills the tables of one axis, carving them out of *scratch; weights of an output sum to `total`. The distance of
 * the first tap is computed in double, so that wide pictures lose nothing. */
static struct resample_axis axis_make(int input, int output, enum resample_filter filter, bool flip, double total,
                                      char **scratch)
{
    const double scale = (double)input / output;
    const double stretch = scale > 1.0 ? scale : 1.0;
    const double support = half_width(filter) * stretch;
    struct resample_axis axis = {.taps = most_taps(input, output, half_width(filter))};
    axis.first = (int *)(void *)*scratch;
    axis.count = (int *)(void *)(*scratch + round_up((size_t)output * sizeof(int)));
    axis.weight = (float *)(void *)(*scratch + 2 * round_up((size_t)output * sizeof(int)));
    *scratch += 2 * round_up((size_t)output * sizeof(int)) +
                round_up((size_t)output * (size_t)axis.taps * sizeof(float));
    const float step = (float)(1.0 / stretch);
    for (int i = 0; i < output; i++) {
        const double centre = ((flip ? output - 1 - i : i) + 0.5) * scale;
        const double low = centre - support + 0.5, high = centre + support + 0.5;
        const int first = low > 0.0 ? (int)low : 0;
        const int end = high < input ? (int)high : input;
        const int count = end - first < axis.taps ? end - first : axis.taps;
        const float offset = (float)((first - centre + 0.5) / stretch);
        float *weight = axis.weight + (size_t)i * (size_t)axis.taps;
        if (filter == RESAMPLE_BICUBIC)
            for (int tap = 0; tap < count; tap++)
                weight[tap] = cubic(offset + (float)tap * step);
        else
            for (int tap = 0; tap < count; tap++)
                weight[tap] = triangle(offset + (float)tap * step);
        float sum = 0.0f;
        for (int tap = 0; tap < count; tap++)
            sum += weight[tap];
        const float factor = (float)(total / sum);
        for (int tap = 0; tap < count; tap++)
            weight[tap] *= factor;
        axis.first[i] = first;
        axis.count[i] = count;
    }
    return axis;
}

void resample_by(enum simd level, const struct image *image, struct box box, enum resample_filter filter, bool flip,
                 int width, int height, float *out, void *scratch)
{
    const struct resample_kernels *kernels = kernels_of(level);
    char *next = scratch;
    const struct resample_axis across = axis_make(box.width, width, filter, flip, 1.0 / 255.0, &next);
    const struct resample_axis down = axis_make(box.height, height, filter, false, 1.0, &next);
    float *columns = (float *)(void *)next;
    const size_t stride = (size_t)image->width * 3;
    const uint8_t *rows = image->rgb + (size_t)box.y * stride + (size_t)box.x * 3;
    for (int y = 0; y < height; y += kernels->lanes) {
        const int count = height - y < kernels->lanes ? height - y : kernels->lanes;
        kernels->vertical(rows, stride, 3 * box.width, &down, y, count, columns);
        kernels->horizontal(columns, &across, y, count, width, height, out);
    }
}

void resample(const struct image *image, struct box box, enum resample_filter filter, bool flip, int width,
              int height, float *out, void *scratch)
{
    resample_by(SIMD_BEST, image, box, filter, flip, width, height, out, scratch);
}
