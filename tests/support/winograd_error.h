/* support/winograd_error.h -- tests only: how far Winograd's backward passes and inference may be off where they round
 * their transformed operands to bf16, element by element, from the data.
 *
 * Winograd multiplies V = B^T d B by U (backward weights: by W = A d_y A^T) and transforms the sums back.
 *  - Rounding an operand v to bf16 errs by at most 2^-8 |v|, evenly distributed: a variance of at most 2^-16 v^2 / 3.
 *    That is where v is just above a power of two; it is about half of that on average.
 *  - A product's error then has a variance of at most 2 * 2^-16 / 3 (V U)^2.
 *  - Products err independently of each other, so variances add up, through the squares of the coefficients of the
 *    transform back.
 * With s the root of what comes out:
 *     every element is within 6 s     (a sum of evenly distributed errors passes that less than once in 10^7 at the
 *                                      worst, and once in 10^15 with the average rounding)
 *     the rms of all errors is within that of s
 * This follows zeros beside the image, few images, and corners of tiles (which the transforms amplify most) as they
 * are: no figure is fitted to what the kernels do. It is in double, in one dimension after the other, with matrices of
 * its own. `exact` is the same sum without rounding, which says whether they are right. */
#ifndef SUPPORT_WINOGRAD_ERROR_H
#define SUPPORT_WINOGRAD_ERROR_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/memory.h"

#define WINOGRAD_ROUNDING (2.0 / 3.0 / 65536.0)

/* The convolution: 3 x 3, padding 1, stride 1 or 2; NCHW and OIHW. */
struct winograd_shape {
    int batch, in, out, height, width, stride;
};

/* One direction of a tile: v = input d, u = weights g, y = output (v u), point p of v meeting point shared[p] of u. */
struct winograd_line {
    int points, x_edge, x_step, x_from, y_edge;
    double input[9][9], output[8][9], weights[6][3];
    int shared[9];
};

/* F(4, 3), or for stride 2 F(4, 2) and four plain products; `data`: of backward data at stride 2. */
static inline struct winograd_line winograd_line(int stride, bool data)
{
    const double a = sqrt(0.5), b = sqrt(2), e = -2.0 / 3, f = 1.0 / 6;
    const double input3[6][6] = {{1, 0, -2.5, 0, 1, 0},        {0, -2 * a, -2, a, 1, 0},     {0, 2 * a, -2, -a, 1, 0},
                                 {0, -0.5 * b, -0.5, b, 1, 0}, {0, 0.5 * b, -0.5, -b, 1, 0}, {0, 1, 0, -2.5, 0, 1}};
    const double weights3[6][3] = {{1, 0, 0},         {e, e * a, e / 2},  {e, -e * a, e / 2},
                                   {f, f * b, 2 * f}, {f, -f * b, 2 * f}, {0, 0, 1}};
    const double output2[4][5] = {
        {1, 1, 1, 1, 0}, {a, -a, b, -b, 0}, {0.5, 0.5, 2, 2, 0}, {a / 2, -a / 2, 2 * b, -2 * b, 1}};
    const double input2[5][5] = {{-2 * a, -2, a, 1, 0},
                                 {-2 * a, 2, a, -1, 0},
                                 {-0.5 * b, -0.5, b, 1, 0},
                                 {-0.5 * b, 0.5, b, -1, 0},
                                 {1, 0, -2.5, 0, 1}};
    const double weights2[6][3] = {{e * a, 0, e / 2},  {e * a, 0, -e / 2}, {f * b, 0, 2 * f},
                                   {f * b, 0, -2 * f}, {0, 0, 1},          {0, 1, 0}};
    struct winograd_line line;
    memset(&line, 0, sizeof line);
    if (stride == 1) {
        line.points = line.x_edge = 6;
        line.x_step = line.y_edge = 4;
        line.x_from = -1;
        for (int p = 0; p < 6; p++) {
            line.shared[p] = p;
            memcpy(line.input[p], input3[p], sizeof input3[p]);
            for (int k = 0; k < 4; k++) line.output[k][p] = p == 0 ? k == 0 : output2[k][p - 1];
        }
        memcpy(line.weights, weights3, sizeof weights3);
        return line;
    }
    line.points = 9;
    line.x_edge = data ? 5 : 9;
    line.x_step = data ? 4 : 8;
    line.x_from = data ? 0 : -1;
    line.y_edge = data ? 8 : 4;
    memcpy(line.weights, weights2, sizeof weights2);
    for (int p = 0; p < 9; p++) {
        line.shared[p] = p < 5 ? p : 5;
        for (int i = 0; i < 5 && p < 5; i++) line.input[p][data ? i : 2 * i] = input2[p][i];
        if (p >= 5) line.input[p][data ? p - 5 : 2 * (p - 5) + 1] = 1;
        for (int k = 0; k < 4; k++) {
            if (p < 5) line.output[k * (data ? 2 : 1) + data][p] = output2[k][p];
            if (p >= 5 && p - 5 == k) line.output[k * (data ? 2 : 1)][p] = 1;
        }
    }
    return line;
}

/* out[rows][rows] = matrix in matrix^T with in [edge][edge], 9 to a row; `turn`: by its transpose, rows and edge of it.
 */
static inline void winograd_transform(double *out, const double *in, const double *matrix, int pitch, int rows,
                                      int edge, bool turn)
{
    double half[9][9];
    for (int p = 0; p < rows; p++)
        for (int j = 0; j < edge; j++) {
            half[p][j] = 0;
            for (int i = 0; i < edge; i++) half[p][j] += matrix[turn ? i * pitch + p : p * pitch + i] * in[i * 9 + j];
        }
    for (int p = 0; p < rows; p++)
        for (int q = 0; q < rows; q++) {
            double sum = 0;
            for (int j = 0; j < edge; j++) sum += matrix[turn ? j * pitch + q : q * pitch + j] * half[p][j];
            out[p * 9 + q] = sum;
        }
}

/* The edge x edge values of a plane from (row, column) on, 9 to a row; zero outside. */
static inline void winograd_read(double *tile, const float *plane, int height, int width, int row, int column, int edge)
{
    memset(tile, 0, 81 * sizeof *tile);
    for (int i = 0; i < edge; i++)
        for (int j = 0; j < edge; j++)
            if (row + i >= 0 && row + i < height && column + j >= 0 && column + j < width)
                tile[i * 9 + j] = (double)plane[(ptrdiff_t)(row + i) * width + column + j];
}

struct winograd_image {
    const float *values; /* [channels][height][width] */
    int channels, height, width;
};

/* Points of every channel of one tile of an image, x or y: v [points^2][channels]. */
static inline void winograd_points(double *v, const struct winograd_line *line, bool of_y, struct winograd_image image,
                                   int down, int across)
{
    const int edge = of_y ? line->y_edge : line->x_edge, step = of_y ? line->y_edge : line->x_step;
    const int from = of_y ? 0 : line->x_from;
    double tile[81], points[81];
    const int channels = image.channels, height = image.height, width = image.width;
    for (int c = 0; c < channels; c++) {
        winograd_read(tile, image.values + (ptrdiff_t)c * height * width, height, width, down * step + from,
                      across * step + from, edge);
        if (of_y)
            winograd_transform(points, tile, line->output[0], 9, line->points, edge, true);
        else
            winograd_transform(points, tile, line->input[0], 9, line->points, edge, false);
        for (int p = 0; p < line->points; p++)
            for (int q = 0; q < line->points; q++)
                v[(ptrdiff_t)(p * line->points + q) * channels + c] = points[p * 9 + q];
    }
}

static inline void winograd_square(double *out, const double *in, size_t count)
{
    for (size_t i = 0; i < count; i++) out[i] = in[i] * in[i];
}

/* Backward data: exact (NULL: not wanted) and variance [batch][in][height][width]. 0, or -1: no memory. */
static inline int winograd_data_error(double *exact, double *variance, const struct winograd_shape *s, const float *d_y,
                                      const float *weight)
{
    const struct winograd_line line = winograd_line(s->stride, true);
    struct winograd_line squares = line;
    const int out_height = (s->height - 1) / s->stride + 1, out_width = (s->width - 1) / s->stride + 1;
    const int down = (s->height + line.y_edge - 1) / line.y_edge, across = (s->width + line.y_edge - 1) / line.y_edge;
    const size_t pairs = (size_t)s->in * (size_t)s->out;
    double *u = memory_array(36 * pairs, sizeof *u), *v = memory_array(81 * (size_t)s->out, sizeof *v);
    double *m = memory_array(81 * (size_t)s->in * 2, sizeof *m), *m2 = m ? m + (ptrdiff_t)81 * s->in : NULL;
    if (u && v && m) {
        for (int i = 0; i < 8; i++) winograd_square(squares.output[i], line.output[i], 9);
        for (int k = 0; k < s->out; k++)
            for (int c = 0; c < s->in; c++) {
                double taps[81], points[81];
                for (int t = 0; t < 9; t++)
                    taps[t / 3 * 9 + t % 3] = (double)weight[((ptrdiff_t)k * s->in + c) * 9 + 8 - t];
                winograd_transform(points, taps, line.weights[0], 3, 6, 3, false);
                for (int p = 0; p < 36; p++) u[((ptrdiff_t)p * s->out + k) * s->in + c] = points[p / 6 * 9 + p % 6];
            }
        for (int tile = 0; tile < s->batch * down * across; tile++) {
            const int n = tile / (down * across), row = tile / across % down, column = tile % across;
            const float *image = d_y + (ptrdiff_t)n * s->out * out_height * out_width;
            winograd_points(v, &line, false, (struct winograd_image){image, s->out, out_height, out_width}, row,
                            column);
            memset(m, 0, 81 * (size_t)s->in * 2 * sizeof *m);
            for (int p = 0; p < line.points * line.points; p++)
                for (int k = 0; k < s->out; k++) {
                    const int point = line.shared[p / line.points] * 6 + line.shared[p % line.points];
                    const double value = v[(ptrdiff_t)p * s->out + k];
                    const double *restrict with = u + ((ptrdiff_t)point * s->out + k) * s->in;
                    double *restrict sum = m + (ptrdiff_t)p * s->in, *restrict sum2 = m2 + (ptrdiff_t)p * s->in;
                    for (int c = 0; c < s->in; c++) {
                        const double product = value * with[c];
                        sum[c] += product;
                        sum2[c] += product * product;
                    }
                }
            for (int c = 0; c < s->in; c++)
                for (int what = 0; what < 2; what++) {
                    double points[81], y[81];
                    for (int p = 0; p < line.points * line.points; p++)
                        points[p / line.points * 9 + p % line.points] = (what ? m2 : m)[(ptrdiff_t)p * s->in + c];
                    winograd_transform(y, points, (what ? &squares : &line)->output[0], 9, line.y_edge, line.points,
                                       false);
                    double *to = what ? variance : exact;
                    for (int i = 0; to && i < line.y_edge; i++)
                        for (int j = 0; j < line.y_edge; j++) {
                            const int h = row * line.y_edge + i, w = column * line.y_edge + j;
                            if (h < s->height && w < s->width)
                                to[(((ptrdiff_t)n * s->in + c) * s->height + h) * s->width + w] =
                                    y[i * 9 + j] * (what ? WINOGRAD_ROUNDING : 1);
                        }
                }
        }
    }
    const int status = u && v && m ? 0 : -1;
    memory_free(u);
    memory_free(v);
    memory_free(m);
    return status;
}

/* Backward weights: exact (NULL: not wanted) and variance [out][in][3][3]. 0, or -1: no memory. */
static inline int winograd_weights_error(double *exact, double *variance, const struct winograd_shape *s,
                                         const float *x, const float *d_y)
{
    const struct winograd_line line = winograd_line(s->stride, false);
    struct winograd_line squares = line;
    const int out_height = (s->height - 1) / s->stride + 1, out_width = (s->width - 1) / s->stride + 1;
    const int down = (out_height + line.y_edge - 1) / line.y_edge, across = (out_width + line.y_edge - 1) / line.y_edge;
    const size_t pairs = (size_t)s->in * (size_t)s->out;
    double *v = memory_array(81 * (size_t)s->in, sizeof *v), *w = memory_array(81 * (size_t)s->out, sizeof *w);
    double *u = memory_array(36 * pairs * 2, sizeof *u), *u2 = u ? u + 36 * pairs : NULL;
    if (u && v && w) {
        for (int i = 0; i < 6; i++) winograd_square(squares.weights[i], line.weights[i], 3);
        memset(u, 0, 36 * pairs * 2 * sizeof *u);
        for (int tile = 0; tile < s->batch * down * across; tile++) {
            const int n = tile / (down * across), row = tile / across % down, column = tile % across;
            const struct winograd_image of_x = {x + (ptrdiff_t)n * s->in * s->height * s->width, s->in, s->height,
                                                s->width};
            const struct winograd_image of_y = {d_y + (ptrdiff_t)n * s->out * out_height * out_width, s->out,
                                                out_height, out_width};
            winograd_points(v, &line, false, of_x, row, column);
            winograd_points(w, &line, true, of_y, row, column);
            for (int p = 0; p < line.points * line.points; p++)
                for (int k = 0; k < s->out; k++) {
                    const int point = line.shared[p / line.points] * 6 + line.shared[p % line.points];
                    const double value = w[(ptrdiff_t)p * s->out + k];
                    const double *restrict with = v + (ptrdiff_t)p * s->in;
                    double *restrict sum = u + ((ptrdiff_t)point * s->out + k) * s->in;
                    double *restrict sum2 = u2 + ((ptrdiff_t)point * s->out + k) * s->in;
                    for (int c = 0; c < s->in; c++) {
                        const double product = value * with[c];
                        sum[c] += product;
                        sum2[c] += product * product;
                    }
                }
        }
        for (int k = 0; k < s->out; k++)
            for (int c = 0; c < s->in; c++)
                for (int what = 0; what < 2; what++) {
                    double points[81], taps[81];
                    for (int p = 0; p < 36; p++)
                        points[p / 6 * 9 + p % 6] = (what ? u2 : u)[((ptrdiff_t)p * s->out + k) * s->in + c];
                    winograd_transform(taps, points, (what ? &squares : &line)->weights[0], 3, 3, 6, true);
                    double *to = what ? variance : exact;
                    for (int t = 0; to && t < 9; t++)
                        to[((ptrdiff_t)k * s->in + c) * 9 + t] =
                            taps[t / 3 * 9 + t % 3] * (what ? WINOGRAD_ROUNDING : 1);
                }
    }
    const int status = u && v && w ? 0 : -1;
    memory_free(u);
    memory_free(v);
    memory_free(w);
    return status;
}

#endif
