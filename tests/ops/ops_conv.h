/* ops/ops_conv.h -- one convolution on any backend against `ref`, for the tests that bring the shapes.
 *
 * What `ref` is asked: float32 activations, double accumulators, from inputs that the type under test holds exactly
 * (bf16: numbers rounded to bf16 first). So its results are the exact ones, unrounded.
 *
 * Tolerance (docs/numerics.md). K products are summed with random signs. Each addition of a float32 accumulation errs
 * by at most 2^-24 of the partial sum, so the total error is about 2.5e-8 sqrt(K) of the output's rms. Allowed: every
 * element  2e-6 sqrt(K) rms (room for the worst of millions and for Winograd's factor of 5)
 *                    + 2^-8 |value| when the output is bf16 (half a unit in its last place)
 *     all elements   rms of the error at most 2e-7 sqrt(K) rms, for float32 outputs
 * K = channels x kernel^2 forward, filters x kernel^2 for data, batch x output pixels for weights and bias.
 *
 * Winograd's products of pairs of bf16 are allowed more: every element six standard deviations, the rms of the error
 * one, as support/winograd_error.h derives them from the data. They are in backward passes and inference, where
 * conv_work says so. */
#ifndef OPS_OPS_CONV_H
#define OPS_OPS_CONV_H

#include "ops/ops.h"
#include "support/winograd_error.h"

struct conv_case {
    struct conv_desc desc; /* its dtype is the type of the data: BF16 means that inputs are rounded to bf16 */
    struct tensor_desc in, out;
    size_t weights;
    struct ops_buffers buffers;
    float *x, *weight, *bias, *d_y, *before; /* inputs; before: what d_x holds when it accumulates */
    float *residual;                         /* of conv_inference */
    float *y, *d_x, *d_weight, *d_bias;      /* what ref makes of them */
    double *statistics;
    double *d_x_variance, *d_weight_variance; /* of Winograd on pairs; NULL: not for this case, or no CPU for it */
    double *y_variance;                       /* the same, of inference: conv_case_inference_variance */
};

/* Is there a choice of algorithms? */
static inline bool conv_case_choice(const struct conv_desc *desc)
{
    return desc->kernel == 3 && desc->stride <= 2 && desc->padding == 1 && desc->input_layout != LAYOUT_IMAGES;
}

static inline void conv_case_label(char *text, size_t size, const struct conv_desc *desc,
                                   const struct ops_target *target, const char *what)
{
    snprintf(text, size, "%s, %s, %d x %d x %d x %d -> %d, %dx%d/%d%s%s%s%s: %s", target->label,
             dtype_name(desc->dtype), desc->batch, desc->in_channels, desc->in_height, desc->in_width,
             desc->out_channels, desc->kernel, desc->kernel, desc->stride, desc->bias ? " bias" : "",
             desc->accumulate ? " accumulate" : "", desc->statistics ? " statistics" : "",
             desc->input_layout != LAYOUT_IMAGES ? ""
             : desc->image_type == DTYPE_BF16    ? " bf16 images"
                                                 : " images",
             what);
}

struct conv_values { /* of one tensor */
    const char *what;
    const float *got, *want;
    size_t count;
    double terms;           /* K */
    bool rounded;           /* to bf16, when stored */
    const double *variance; /* of products of pairs */
};

static inline void conv_case_compare(const struct conv_case *test, const struct ops_target *target,
                                     const struct conv_values *values)
{
    char label[256];
    conv_case_label(label, sizeof label, &test->desc, target, values->what);
    const double rms = ops_rms(values->want, values->count), root = sqrt(values->terms);
    ops_near(label, values->got, values->want, values->count, values->rounded ? 1.0 / 256 : 0, 2e-6 * root * rms);
    const double distance = ops_distance(values->got, values->want, values->count);
    if (!values->rounded && !(distance <= 2e-7 * root)) fail_msg("%s: error of %.3g rms", label, distance);
}

/* The same where V, U and W were rounded to bf16, which errs with this variance. */
static inline void conv_case_compare_pairs(const struct conv_case *test, const struct ops_target *target,
                                           const struct conv_values *values)
{
    char label[256];
    conv_case_label(label, sizeof label, &test->desc, target, values->what);
    assert_non_null(values->variance);
    const double rms = ops_rms(values->want, values->count);
    double squares = 0, expected = 0;
    for (size_t i = 0; i < values->count; i++) {
        const double exact = (double)values->want[i], off = (double)values->got[i] - exact;
        const double rounding = values->rounded ? fabs(exact) / 256 : 0, variance = values->variance[i];
        if (!(fabs(off) <= rounding + 2e-6 * sqrt(values->terms) * rms + 6 * sqrt(variance)))
            fail_msg("%s: element %zu is %.9g, should be %.9g; standard deviation %.3g", label, i,
                     (double)values->got[i], exact, sqrt(variance));
        squares += off * off;
        expected += variance + (values->rounded ? exact * exact * WINOGRAD_ROUNDING / 2 : 0);
    }
    if (!(squares <= expected))
        fail_msg("%s: rms of the error %.3g of what it may be", label, sqrt(squares / expected));
}

/* Sums over the batch against those of ref, as mean and mean square: in units of the output's rms. */
static inline void conv_case_compare_statistics(const struct conv_case *test, const struct ops_target *target,
                                                const double *got, double terms)
{
    char label[256];
    conv_case_label(label, sizeof label, &test->desc, target, "statistics");
    const double count = (double)test->out.batch * test->out.height * test->out.width;
    const double rms = ops_rms(test->y, tensor_elements(&test->out));
    for (int k = 0; k < test->desc.out_channels; k++) {
        const double mean = fabs(got[k] - test->statistics[k]) / count;
        const int square = test->desc.out_channels + k;
        const double mean_square = fabs(got[square] - test->statistics[square]) / count;
        if (!(mean <= 2e-6 * sqrt(terms) * rms) || !(mean_square <= 4e-6 * sqrt(terms) * rms * rms))
            fail_msg("%s: channel %d: mean off by %.3g, mean square by %.3g of rms %.3g", label, k, mean, mean_square,
                     rms);
    }
}

/* The tensors of one run on one target. */
struct conv_run {
    struct ops_buffers buffers;
    float *y, *d_x, *d_weight, *d_bias; /* canonical */
    double *statistics;
};

/* Of IMAGES, where the case is run in activations of type `dtype`. */
static inline enum dtype conv_case_image_type(const struct conv_case *test, enum dtype dtype)
{
    return dtype == DTYPE_BF16 ? test->desc.image_type : DTYPE_F32;
}

static inline struct conv_plan *conv_case_plan(const struct conv_case *test, struct ops_target *target,
                                               enum dtype dtype)
{
    struct conv_desc desc = test->desc;
    struct conv_plan *plan;
    struct error error;
    desc.dtype = dtype;
    desc.image_type = conv_case_image_type(test, dtype);
    assert_non_null(target->backend->ops->conv_create);
    if (target->backend->ops->conv_create(target->backend, &desc, &plan, &error) != SIMCLR_OK)
        fail_msg("%s: %s", target->label, error.text);
    return plan;
}

/* All passes once, in buffers of their own, in activations of type `dtype`. */
static inline void conv_case_execute(const struct conv_case *test, struct ops_target *target, enum dtype dtype,
                                     struct conv_plan *plan, struct conv_run *run)
{
    const struct backend_ops *ops = target->backend->ops;
    const struct conv_desc *desc = &test->desc;
    struct tensor_desc in = test->in, out = test->out;
    in.dtype = out.dtype = dtype;
    if (in.layout == LAYOUT_IMAGES) in.dtype = conv_case_image_type(test, dtype);
    memset(run, 0, sizeof *run);
    struct ops_buffers *buffers = &run->buffers;
    void *x = ops_upload(buffers, target, &in, test->x), *d_y = ops_upload(buffers, target, &out, test->d_y);
    void *y = ops_upload(buffers, target, &out, NULL);
    float *weight = ops_floats(buffers, test->weights), *bias = NULL;
    memcpy(weight, test->weight, test->weights * sizeof *weight);
    if (desc->bias) {
        bias = ops_floats(buffers, (size_t)desc->out_channels);
        memcpy(bias, test->bias, (size_t)desc->out_channels * sizeof *bias);
    }
    if (desc->statistics) run->statistics = ops_new(buffers, 2 * (size_t)desc->out_channels * sizeof(double));
    ops->conv_set_weights(plan, weight);
    ops_check(buffers, "conv_set_weights");
    if (desc->relu || desc->residual) {
        const void *residual = desc->residual ? ops_upload(buffers, target, &out, test->residual) : NULL;
        ops->conv_inference(plan, y, x, residual, bias);
        ops_check(buffers, "conv_inference");
    } else {
        ops->conv_forward(plan, y, run->statistics, x, bias);
        ops_check(buffers, "conv_forward");
    }
    run->y = ops_download(buffers, target, &out, y);
    if (desc->input_gradient) {
        void *d_x = ops_upload(buffers, target, &in, desc->accumulate ? test->before : NULL);
        ops->conv_backward_data(plan, d_x, d_y);
        ops_check(buffers, "conv_backward_data");
        run->d_x = ops_download(buffers, target, &in, d_x);
    }
    if (desc->training) {
        run->d_weight = ops_floats(buffers, test->weights);
        if (desc->bias) run->d_bias = ops_floats(buffers, (size_t)desc->out_channels);
        ops->conv_backward_weights(plan, run->d_weight, run->d_bias, d_y, x);
        ops_check(buffers, "conv_backward_weights");
    }
}

static inline void conv_case_variances(struct conv_case *test)
{
    const struct conv_desc *desc = &test->desc;
    const struct winograd_shape shape = {desc->batch,     desc->in_channels, desc->out_channels,
                                         desc->in_height, desc->in_width,    desc->stride};
    if (test->d_x) {
        test->d_x_variance = ops_new(&test->buffers, tensor_elements(&test->in) * sizeof(double));
        assert_int_equal(winograd_data_error(NULL, test->d_x_variance, &shape, test->d_y, test->weight), 0);
    }
    if (test->d_weight) {
        test->d_weight_variance = ops_new(&test->buffers, test->weights * sizeof(double));
        assert_int_equal(winograd_weights_error(NULL, test->d_weight_variance, &shape, test->x, test->d_y), 0);
    }
}

/* Forward at stride 1 is backward data of the other weights: channels exchanged, taps turned. */
static inline void conv_case_inference_variance(struct conv_case *test)
{
    const struct conv_desc *desc = &test->desc;
    const bool bf16 = desc->dtype == DTYPE_BF16 && simd_runs("avx512-bf16");
    if (!bf16 || !conv_case_choice(desc) || desc->stride != 1) return;
    const struct winograd_shape shape = {desc->batch,     desc->out_channels, desc->in_channels,
                                         desc->in_height, desc->in_width,     desc->stride};
    float *turned = ops_floats(&test->buffers, test->weights);
    for (ptrdiff_t k = 0; k < desc->out_channels; k++)
        for (ptrdiff_t c = 0; c < desc->in_channels; c++)
            for (ptrdiff_t t = 0; t < 9; t++)
                turned[(c * desc->out_channels + k) * 9 + 8 - t] = test->weight[(k * desc->in_channels + c) * 9 + t];
    const size_t outputs = tensor_elements(&test->out);
    double *exact = ops_new(&test->buffers, outputs * sizeof(double));
    test->y_variance = ops_new(&test->buffers, outputs * sizeof(double));
    assert_int_equal(winograd_data_error(exact, test->y_variance, &shape, test->x, turned), 0);
    const double rms = ops_rms(test->y, outputs); /* are the weights turned as they must be? */
    const size_t plane = outputs / (size_t)(desc->batch * desc->out_channels);
    for (size_t i = 0; i < outputs; i++) {
        const double sum = exact[i] + (desc->bias ? (double)test->bias[i / plane % (size_t)desc->out_channels] : 0);
        if (!(fabs(sum - (double)test->y[i]) <= 1e-6 * rms))
            fail_msg("element %zu of the exact sum by Winograd is %.9g, of ref %.9g", i, sum, (double)test->y[i]);
    }
}

/* Draws the inputs and asks ref. `item` numbers the random streams. */
static inline void conv_case_prepare(struct conv_case *test, const struct conv_desc *desc, struct ops_target *ref,
                                     uint32_t item)
{
    const bool bf16 = desc->dtype == DTYPE_BF16;
    memset(test, 0, sizeof *test);
    test->desc = *desc;
    test->in = ops_tensor(DTYPE_F32, desc->batch, desc->in_channels, desc->in_height, desc->in_width);
    test->in.layout = desc->input_layout;
    test->out = ops_tensor(DTYPE_F32, desc->batch, desc->out_channels,
                           conv_out(desc->in_height, desc->kernel, desc->stride, desc->padding),
                           conv_out(desc->in_width, desc->kernel, desc->stride, desc->padding));
    test->weights = (size_t)desc->in_channels * (size_t)desc->out_channels * (size_t)(desc->kernel * desc->kernel);
    const size_t inputs = tensor_elements(&test->in), outputs = tensor_elements(&test->out);
    const size_t filters = (size_t)desc->out_channels;
    test->x = ops_random(&test->buffers, inputs, 8 * item + 1, -1, 1, bf16);
    test->weight = ops_random(&test->buffers, test->weights, 8 * item + 2, -1, 1, bf16);
    test->d_y = ops_random(&test->buffers, outputs, 8 * item + 3, -1, 1, bf16);
    if (desc->bias) test->bias = ops_random(&test->buffers, filters, 8 * item + 4, -1, 1, false);
    if (desc->accumulate) test->before = ops_random(&test->buffers, inputs, 8 * item + 5, -1, 1, bf16);
    struct conv_plan *plan = conv_case_plan(test, ref, DTYPE_F32);
    struct conv_run run;
    conv_case_execute(test, ref, DTYPE_F32, plan, &run);
    test->y = ops_floats(&test->buffers, outputs);
    memcpy(test->y, run.y, outputs * sizeof(float));
    if (run.d_x) test->d_x = memcpy(ops_floats(&test->buffers, inputs), run.d_x, inputs * sizeof(float));
    if (run.d_weight)
        test->d_weight = memcpy(ops_floats(&test->buffers, test->weights), run.d_weight, test->weights * sizeof(float));
    if (run.d_bias) test->d_bias = memcpy(ops_floats(&test->buffers, filters), run.d_bias, filters * sizeof(float));
    if (run.statistics)
        test->statistics =
            memcpy(ops_new(&test->buffers, 2 * filters * sizeof(double)), run.statistics, 2 * filters * sizeof(double));
    ref->backend->ops->conv_destroy(&plan);
    ops_free(&run.buffers);
    if (bf16 && conv_case_choice(desc) && simd_runs("avx512-bf16")) conv_case_variances(test);
}

static inline void conv_case_free(struct conv_case *test)
{
    ops_free(&test->buffers);
}

static inline bool by_pairs(const struct conv_work *work)
{
    return work->algorithm && strcmp(work->algorithm, "winograd") == 0 && work->operands == DTYPE_BF16;
}

/* Runs the case on a target in `dtype` as often as asked: right the first time, bit-equal every further time. */
static inline void conv_case_check_once(const struct conv_case *test, struct ops_target *target, enum dtype dtype,
                                        int runs)
{
    const struct conv_desc *desc = &test->desc;
    const bool rounded = dtype == DTYPE_BF16;
    const double area = (double)desc->kernel * desc->kernel;
    const double forward = desc->in_channels * area, data = desc->out_channels * area;
    const double pixels = (double)test->out.batch * test->out.height * test->out.width;
    const size_t inputs = tensor_elements(&test->in), outputs = tensor_elements(&test->out);
    const size_t filters = (size_t)desc->out_channels;
    struct conv_plan *plan = conv_case_plan(test, target, dtype);
    struct conv_run first, again;
    const char *algorithm = target->backend->ops->conv_algorithm(plan);
    assert_true(strlen(algorithm) > 0);
    struct conv_work work[CONV_PASSES];
    target->backend->ops->conv_work(plan, work);
    conv_case_execute(test, target, dtype, plan, &first);
    const struct {
        int pass;
        struct conv_values values;
    } made[] = {{CONV_FORWARD, {"y", first.y, test->y, outputs, forward, rounded, test->y_variance}},
                {CONV_BACKWARD_DATA, {"d_x", first.d_x, test->d_x, inputs, data, rounded, test->d_x_variance}},
                {CONV_BACKWARD_WEIGHTS,
                 {"d_weight", first.d_weight, test->d_weight, test->weights, pixels, false, test->d_weight_variance}}};
    for (size_t i = 0; i < sizeof made / sizeof made[0]; i++) {
        if (!made[i].values.got) continue;
        if (by_pairs(&work[made[i].pass]))
            conv_case_compare_pairs(test, target, &made[i].values);
        else
            conv_case_compare(test, target, &made[i].values);
    }
    if (first.statistics) conv_case_compare_statistics(test, target, first.statistics, forward);
    const struct conv_values of_bias = {"d_bias", first.d_bias, test->d_bias, filters, pixels, false, NULL};
    if (first.d_bias) conv_case_compare(test, target, &of_bias);
    for (int i = 1; i < runs; i++) {
        conv_case_execute(test, target, dtype, plan, &again);
        assert_memory_equal(again.y, first.y, outputs * sizeof(float));
        if (first.statistics) assert_memory_equal(again.statistics, first.statistics, 2 * filters * sizeof(double));
        if (first.d_x) assert_memory_equal(again.d_x, first.d_x, inputs * sizeof(float));
        if (first.d_weight) assert_memory_equal(again.d_weight, first.d_weight, test->weights * sizeof(float));
        if (first.d_bias) assert_memory_equal(again.d_bias, first.d_bias, filters * sizeof(float));
        ops_free(&again.buffers);
    }
    target->backend->ops->conv_destroy(&plan);
    assert_null(plan);
    ops_free(&first.buffers);
}

/* The same for both types of images where there are two. */
static inline void conv_case_check(const struct conv_case *test, struct ops_target *target, enum dtype dtype, int runs)
{
    struct conv_case typed = *test;
    const bool two = dtype == DTYPE_BF16 && test->desc.input_layout == LAYOUT_IMAGES;
    for (int type = DTYPE_F32; type <= (two ? DTYPE_BF16 : DTYPE_F32); type++) {
        typed.desc.image_type = (enum dtype)type;
        conv_case_check_once(&typed, target, dtype, runs);
    }
}

/* The same by every algorithm that there is for the case. */
static inline void conv_case_check_algorithms(const struct conv_case *test, struct ops_target *target, enum dtype dtype,
                                              int runs)
{
    struct conv_case by = *test;
    for (enum convolution algorithm = CONVOLUTION_DIRECT; algorithm <= CONVOLUTION_WINOGRAD; algorithm++) {
        by.desc.algorithm = algorithm;
        if (conv_case_choice(&test->desc)) conv_case_check(&by, target, dtype, runs);
    }
    conv_case_check(test, target, dtype, runs);
}

#endif
