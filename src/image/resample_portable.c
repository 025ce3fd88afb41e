/* image/resample_portable.c -- the resize in plain C: float32 throughout, for any reduction, on any CPU. */
#include "image/resample_body.h"

enum { CHUNK = 256 }; /* elements filtered vertically at a time: a block of rows of them stays in the L1 cache */

/* out[i] = w[0] * a[i] + ..., over 1 to 4 rows of bytes that lie `stride` apart, added to what is in `out`. */
static inline void blend(const uint8_t *a, size_t stride, const float *restrict w, int rows, int count,
                         float *restrict out)
{
    const uint8_t *b = rows > 1 ? a + stride : a, *c = rows > 2 ? b + stride : a, *d = rows > 3 ? c + stride : a;
    if (rows >= 4)
        for (int i = 0; i < count; i++)
            out[i] = out[i] + w[0] * (float)a[i] + w[1] * (float)b[i] + w[2] * (float)c[i] + w[3] * (float)d[i];
    else if (rows == 3)
        for (int i = 0; i < count; i++) out[i] = out[i] + w[0] * (float)a[i] + w[1] * (float)b[i] + w[2] * (float)c[i];
    else if (rows == 2)
        for (int i = 0; i < count; i++) out[i] = out[i] + w[0] * (float)a[i] + w[1] * (float)b[i];
    else
        for (int i = 0; i < count; i++) out[i] = out[i] + w[0] * (float)a[i];
}

/* Filters output rows y .. y + count - 1, count <= VEC_LANES, and leaves them turned; other lanes are 0. */
static void vertical(const struct resampler *r, const struct resample_axis *axis, int y, int count, float *columns)
{
    _Alignas(64) float tile[VEC_LANES][CHUNK];
    const int elements = 3 * r->box.width;
    for (int start = 0; start < elements; start += CHUNK) {
        const int width = elements - start < CHUNK ? elements - start : CHUNK;
        memset(tile, 0, sizeof tile);
        for (int row = 0; row < count; row++) {
            const float *weight = axis->weight + (size_t)(y + row) * (size_t)axis->taps;
            const int taps = axis->count[y + row];
            const uint8_t *source = r->rows + (size_t)axis->first[y + row] * r->stride + start;
            for (int tap = 0; tap < taps; tap += 4)
                blend(source + (size_t)tap * r->stride, r->stride, weight + tap, taps - tap, width, tile[row]);
        }
        for (int element = 0; element < width; element += VEC_LANES) {
            vec turned[VEC_LANES];
            for (int row = 0; row < VEC_LANES; row++) turned[row] = vec_load(&tile[row][element]);
            transpose(turned);
            for (int i = 0; i < VEC_LANES; i++)
                vec_store(columns + (size_t)(start + element + i) * VEC_LANES, turned[i]);
        }
    }
}

static void down_make(void *table, struct resample_span span, int output, enum resample_filter filter, void *work)
{
    (void)work;
    char *block = (char *)table + resample_round_up(sizeof(struct resample_axis));
    *(struct resample_axis *)table = resample_axis_make(span, output, filter, false, 1.0, block);
}

static size_t work_bytes(int max_width, int max_height, int width, int height)
{
    (void)max_height, (void)width, (void)height;
    return resample_round_up(((size_t)max_width * 3 + VEC_LANES) * VEC_LANES * sizeof(float));
}

static void rows(struct resampler *r, int y, int count, float *out, size_t stride, size_t plane)
{
    for (int done = 0; done < count; done += VEC_LANES) {
        const int some = count - done < VEC_LANES ? count - done : VEC_LANES;
        vertical(r, r->down, y + done, some, r->work);
        horizontal(r->work, r->across, some, r->width, out + (size_t)done * stride, stride, plane);
    }
}

const struct resample_kernels resample_kernels_portable = {
    float_axis_bytes, float_axis_bytes, float_across_make, down_make, work_bytes, rows, INT32_MAX};
