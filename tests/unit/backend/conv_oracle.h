/* What a convolution and its gradients should be, from ref in float64, with the sum of the sizes of each element's
 * terms, and what Winograd on pairs of bf16 may add. Included by the one program that tests the cpu backend's
 * convolutions. */
#ifndef BACKEND_CONV_ORACLE_H
#define BACKEND_CONV_ORACLE_H

#include "ops/ops.h"

#include "support/random.h"
#include "support/winograd_error.h"

struct shape {
    int batch, in, out, height, width, kernel, stride, padding;
    bool images, bias, statistics, accumulate;
};

/* The convolution of a shape, in training, with a gradient of x unless that is images. */
static struct conv_desc shape_desc(const struct shape *s, enum dtype dtype)
{
    return (struct conv_desc){.dtype = dtype,
                              .batch = s->batch,
                              .in_channels = s->in,
                              .out_channels = s->out,
                              .in_height = s->height,
                              .in_width = s->width,
                              .kernel = s->kernel,
                              .stride = s->stride,
                              .padding = s->padding,
                              .bias = s->bias,
                              .training = true,
                              .input_gradient = !s->images};
}

struct oracle {
    int out_height, out_width;
    size_t x_count, y_count, w_count;
    float *x, *d_y, *weight, *bias, *d_x_before;
    double *y, *y_bound, *d_x, *d_x_bound, *d_weight, *d_weight_bound;
    double *d_x_variance, *d_weight_variance; /* of Winograd on pairs; NULL where it is not for this shape */
};

static bool suits_winograd(const struct shape *s)
{
    return !s->images && s->kernel == 3 && s->stride <= 2 && s->padding == 1;
}

/* Stream `item` of values from -2 to 2 that bf16 holds. */
static float *draw_array(size_t count, uint32_t item)
{
    float *values = memory_array(count, sizeof *values);
    assert_non_null(values);
    random_floats(values, count, item);
    for (size_t i = 0; i < count; i++) values[i] = bf16_to_float(bf16_from_float(2 * values[i]));
    return values;
}

static double *zeros(size_t count)
{
    double *values = memory_array(count, sizeof *values);
    assert_non_null(values);
    return values;
}

struct products {
    double *y, *d_x, *d_weight;
};

/* The same values, or their sizes. */
static double *doubles(const float *values, size_t count, bool sizes)
{
    double *out = zeros(count);
    for (size_t i = 0; i < count; i++) out[i] = sizes ? fabs((double)values[i]) : (double)values[i];
    return out;
}

/* What ref makes of the inputs, or of their sizes: then a result is the sum of the sizes of its terms. y and d_x are
 * float64; ref's gradients of weights are float32. */
static void oracle_products(const struct oracle *o, const struct shape *s, struct ops_target *ref, bool sizes,
                            struct products out)
{
    const struct backend_ops *ops = ref->backend->ops;
    struct conv_desc desc = shape_desc(s, DTYPE_F64);
    desc.input_gradient = true;
    struct ops_buffers buffers = {0};
    double *x = doubles(o->x, o->x_count, sizes), *d_y = doubles(o->d_y, o->y_count, sizes);
    float *weight = ops_floats(&buffers, o->w_count), *bias = ops_floats(&buffers, (size_t)s->out);
    float *d_weight = ops_floats(&buffers, o->w_count);
    for (size_t i = 0; i < o->w_count; i++) weight[i] = sizes ? fabsf(o->weight[i]) : o->weight[i];
    for (int k = 0; k < s->out; k++) bias[k] = sizes ? fabsf(o->bias[k]) : o->bias[k];
    struct conv_plan *plan;
    struct error error;
    if (ops->conv_create(ref->backend, &desc, &plan, &error) != SIMCLR_OK) fail_msg("%s", error.text);
    ops->conv_set_weights(plan, weight);
    ops->conv_forward(plan, out.y, NULL, x, s->bias ? bias : NULL);
    ops->conv_backward_data(plan, out.d_x, d_y);
    ops->conv_backward_weights(plan, d_weight, NULL, d_y, x);
    for (size_t i = 0; i < o->w_count; i++) out.d_weight[i] = (double)d_weight[i];
    ops->conv_destroy(&plan);
    memory_free(x);
    memory_free(d_y);
    ops_free(&buffers);
}

/* error: of the root of the sum of squares */
static void expect_near(const double *values, const double *want, size_t count, double error)
{
    double off = 0, all = 0;
    for (size_t i = 0; i < count; i++) {
        off += (values[i] - want[i]) * (values[i] - want[i]);
        all += want[i] * want[i];
    }
    assert_true(off <= error * error * all);
}

/* d_weight of one filter, channel and tap in double, term by term: the contract gives it in float32, which says too
 * little of the matrices below. */
static double plain_d_weight(const struct oracle *o, const struct shape *s, int filter, int channel, int tap)
{
    double sum = 0;
    for (int n = 0; n < s->batch; n++) {
        const float *x = o->x + (size_t)(n * s->in + channel) * (size_t)(s->height * s->width);
        const float *d_y = o->d_y + (size_t)(n * s->out + filter) * (size_t)(o->out_height * o->out_width);
        for (int row = 0; row < o->out_height; row++)
            for (int column = 0; column < o->out_width; column++) {
                const int h = row * s->stride + tap / s->kernel - s->padding;
                const int w = column * s->stride + tap % s->kernel - s->padding;
                if (h < 0 || w < 0 || h >= s->height || w >= s->width) continue;
                sum += (double)d_y[row * o->out_width + column] * (double)x[h * s->width + w];
            }
    }
    return sum;
}

/* The variances; and that the matrices behind them are right. */
static void oracle_variances(struct oracle *o, const struct shape *s)
{
    const struct winograd_shape shape = {s->batch, s->in, s->out, s->height, s->width, s->stride};
    double *exact = zeros(o->x_count > o->w_count ? o->x_count : o->w_count);
    o->d_x_variance = zeros(o->x_count);
    o->d_weight_variance = zeros(o->w_count);
    assert_int_equal(winograd_data_error(exact, o->d_x_variance, &shape, o->d_y, o->weight), 0);
    expect_near(exact, o->d_x, o->x_count, 1e-12);
    assert_int_equal(winograd_weights_error(exact, o->d_weight_variance, &shape, o->x, o->d_y), 0);
    const int taps = s->kernel * s->kernel;
    double *d_weight = zeros(o->w_count);
    for (int i = 0; i < (int)o->w_count; i++)
        d_weight[i] = plain_d_weight(o, s, i / (s->in * taps), i / taps % s->in, i % taps);
    expect_near(exact, d_weight, o->w_count, 1e-12);
    expect_near(o->d_weight, d_weight, o->w_count, 0x1p-24); /* ref's: float32 */
    memory_free(d_weight);
    memory_free(exact);
}

/* item: numbers the streams of its values. */
static struct oracle oracle_new(const struct shape *s, struct ops_target *ref, uint32_t item)
{
    struct oracle o = {
        .out_height = conv_out(s->height, s->kernel, s->stride, s->padding),
        .out_width = conv_out(s->width, s->kernel, s->stride, s->padding),
    };
    o.x_count = (size_t)s->batch * (size_t)s->in * (size_t)s->height * (size_t)s->width;
    o.y_count = (size_t)s->batch * (size_t)s->out * (size_t)o.out_height * (size_t)o.out_width;
    o.w_count = (size_t)s->out * (size_t)s->in * (size_t)s->kernel * (size_t)s->kernel;
    o.x = draw_array(o.x_count, 8 * item);
    o.d_y = draw_array(o.y_count, 8 * item + 1);
    o.weight = draw_array(o.w_count, 8 * item + 2);
    o.bias = draw_array((size_t)s->out, 8 * item + 3);
    o.d_x_before = draw_array(o.x_count, 8 * item + 4);
    o.y = zeros(o.y_count);
    o.y_bound = zeros(o.y_count);
    o.d_x = zeros(o.x_count);
    o.d_x_bound = zeros(o.x_count);
    o.d_weight = zeros(o.w_count);
    o.d_weight_bound = zeros(o.w_count);
    oracle_products(&o, s, ref, false, (struct products){o.y, o.d_x, o.d_weight});
    oracle_products(&o, s, ref, true, (struct products){o.y_bound, o.d_x_bound, o.d_weight_bound});
    if (suits_winograd(s)) oracle_variances(&o, s);
    for (size_t i = 0; i < o.x_count && s->accumulate; i++) {
        o.d_x[i] += (double)o.d_x_before[i];
        o.d_x_bound[i] += fabs((double)o.d_x_before[i]);
    }
    return o;
}

static void oracle_free(struct oracle *o)
{
    void *all[] = {
        o->x,         o->d_y,      o->weight,         o->bias,         o->d_x_before,       o->y, o->y_bound, o->d_x,
        o->d_x_bound, o->d_weight, o->d_weight_bound, o->d_x_variance, o->d_weight_variance};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) memory_free(all[i]);
}

#endif
