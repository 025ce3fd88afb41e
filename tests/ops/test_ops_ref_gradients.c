/* Finite differences on `ref` with float64 activations: every backward pass is the derivative of its forward pass.
 *
 * The scalar is L = sum(r y) with fixed random r. Along a direction v the central difference must equal sum(d_x v):
 *
 *     (L(x + h v) - L(x - h v)) / 2h = sum(d_x v)
 *
 * to 1e-6 of the size that the sum could have had, |d_x| |v| / sqrt(n). (It is a sum of n random terms, and may be near
 * zero by chance.)
 *
 * Parameters, NT-Xent's rows and pooled features are float32. So directions consist of small multiples of 2^-6 and h is
 * a power of two. Inputs are rounded to multiples of 2^-10 below 8, so every perturbed value is exact in float32.
 * Where L is quadratic or linear in what is perturbed (convolutions, global pooling, beta) h is large and only
 * rounding remains. Elsewhere Richardson's extrapolation of two steps (4 D(h) - D(2h)) / 3 removes the h^2 term. */
#include "ops/ops.h"

struct check {
    struct ops_target target;
    struct ops_buffers buffers;
    uint32_t draw; /* stream number of the next random buffer */
};

static const double TOLERANCE = 1e-6;

/* Multiples of 2^-10 in [low, high). */
static float *draw_floats(struct check *check, size_t count, float low, float high)
{
    float *values = ops_random(&check->buffers, count, ++check->draw, low, high, false);
    for (size_t i = 0; i < count; i++) values[i] = roundf(values[i] * 1024) / 1024;
    return values;
}

/* Multiples of 2^-6 in [-1, 1]. */
static float *draw_direction(struct check *check, size_t count)
{
    float *values = ops_random(&check->buffers, count, ++check->draw, -1, 1, false);
    for (size_t i = 0; i < count; i++) values[i] = roundf(values[i] * 64) / 64;
    return values;
}

static double *new_doubles(struct check *check, size_t count)
{
    return ops_new(&check->buffers, count * sizeof(double));
}

static double *draw_doubles(struct check *check, size_t count, float low, float high)
{
    float *values = draw_floats(check, count, low, high);
    double *out = new_doubles(check, count);
    for (size_t i = 0; i < count; i++) out[i] = values[i];
    return out;
}

static double dot(const double *a, const double *b, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++) sum += a[i] * b[i];
    return sum;
}

/* The loss as a function of whatever is being perturbed. */
typedef double loss_function(void *context);

/* What is perturbed (float64 or float32), and its gradient as the backward pass gave it, of the same type. */
struct variable {
    const char *name;
    bool single;
    void *values;
    const void *gradient;
    size_t count;
};

static double element(const void *values, bool single, size_t i)
{
    return single ? (double)((const float *)values)[i] : ((const double *)values)[i];
}

static void move(const struct variable *variable, const float *direction, double step)
{
    for (size_t i = 0; i < variable->count; i++) {
        if (variable->single)
            ((float *)variable->values)[i] += (float)(step * direction[i]);
        else
            ((double *)variable->values)[i] += step * direction[i];
    }
}

static double central(loss_function *loss, void *context, const struct variable *variable, const float *direction,
                      double h)
{
    move(variable, direction, h);
    const double above = loss(context);
    move(variable, direction, -2 * h);
    const double below = loss(context);
    move(variable, direction, h);
    return (above - below) / (2 * h);
}

/* Three random directions; `smooth` asks for Richardson's extrapolation. */
static void verify(struct check *check, loss_function *loss, void *context, const struct variable *variable, double h,
                   bool smooth)
{
    for (int trial = 0; trial < 3; trial++) {
        const float *direction = draw_direction(check, variable->count);
        double slope = central(loss, context, variable, direction, h);
        if (smooth) slope = (4 * slope - central(loss, context, variable, direction, 2 * h)) / 3;
        double want = 0, gradient_squares = 0, direction_squares = 0;
        for (size_t i = 0; i < variable->count; i++) {
            const double gradient = element(variable->gradient, variable->single, i);
            want += gradient * direction[i];
            gradient_squares += gradient * gradient;
            direction_squares += (double)direction[i] * (double)direction[i];
        }
        const double size = fmax(fabs(want), sqrt(gradient_squares * direction_squares / (double)variable->count));
        const double error = fabs(slope - want) / size;
        if (!(size > 0) || !(error <= TOLERANCE))
            fail_msg("%s: slope %.15g, gradient says %.15g, error %.3g", variable->name, slope, want, error);
    }
}

static int open_ref(void **state)
{
    struct check *check = calloc(1, sizeof *check);
    if (!check) return 1;
    ops_open(&check->target, "ref", NULL, 1);
    *state = check;
    return 0;
}

static int close_ref(void **state)
{
    struct check *check = *state;
    ops_close(&check->target);
    free(check);
    return 0;
}

/* ---- convolution ------------------------------------------------------------------------------------------------- */
struct conv_context {
    const struct backend_ops *ops;
    struct conv_plan *plan;
    double *x, *y, *r, *statistics;
    float *weight, *bias;
    size_t outputs;
};

static double conv_loss(void *pointer)
{
    struct conv_context *context = pointer;
    context->ops->conv_set_weights(context->plan, context->weight);
    context->ops->conv_forward(context->plan, context->y, context->statistics, context->x, context->bias);
    return dot(context->r, context->y, context->outputs);
}

static void check_conv_gradients(struct check *check, const struct conv_desc *desc)
{
    const int out_height = conv_out(desc->in_height, desc->kernel, desc->stride, desc->padding);
    const int out_width = conv_out(desc->in_width, desc->kernel, desc->stride, desc->padding);
    const size_t inputs = (size_t)(desc->batch * desc->in_channels * desc->in_height * desc->in_width);
    const size_t weights = (size_t)(desc->out_channels * desc->in_channels * desc->kernel * desc->kernel);
    const size_t filters = (size_t)desc->out_channels;
    const size_t outputs = (size_t)(desc->batch * desc->out_channels * out_height * out_width);
    struct conv_context context = {.ops = check->target.backend->ops, .outputs = outputs};
    struct error error;
    if (context.ops->conv_create(check->target.backend, desc, &context.plan, &error) != SIMCLR_OK)
        fail_msg("%s", error.text);
    context.x = draw_doubles(check, inputs, -2, 2);
    context.r = draw_doubles(check, outputs, -1, 1);
    context.y = new_doubles(check, outputs);
    context.weight = draw_floats(check, weights, -1, 1);
    context.bias = desc->bias ? draw_floats(check, filters, -1, 1) : NULL;
    context.statistics = desc->statistics ? new_doubles(check, 2 * filters) : NULL;
    double *d_x = new_doubles(check, inputs), *before = draw_doubles(check, inputs, -1, 1);
    float *d_weight = ops_floats(&check->buffers, weights);
    float *d_bias = desc->bias ? ops_floats(&check->buffers, filters) : NULL;
    conv_loss(&context);
    memcpy(d_x, before, inputs * sizeof *d_x);
    context.ops->conv_backward_data(context.plan, d_x, context.r);
    context.ops->conv_backward_weights(context.plan, d_weight, d_bias, context.r, context.x);
    for (size_t i = 0; desc->accumulate && i < inputs; i++) d_x[i] -= before[i];
    verify(check, conv_loss, &context, &(struct variable){"conv x", false, context.x, d_x, inputs}, 1, false);
    verify(check, conv_loss, &context, &(struct variable){"conv weight", true, context.weight, d_weight, weights}, 1,
           false);
    if (desc->bias)
        verify(check, conv_loss, &context, &(struct variable){"conv bias", true, context.bias, d_bias, filters}, 1,
               false);
    context.ops->conv_destroy(&context.plan);
    ops_free(&check->buffers);
}

static void convolution(void **state)
{
    static const struct {
        int n, c, k, h, w, kernel, stride, padding;
        bool bias, accumulate, statistics;
    } CASES[] = {{2, 3, 5, 7, 5, 3, 1, 1, false, false, true},  {3, 4, 3, 6, 9, 3, 2, 1, true, false, false},
                 {2, 3, 4, 11, 13, 7, 2, 3, false, true, true}, {2, 5, 6, 5, 4, 1, 2, 0, false, true, false},
                 {5, 9, 7, 1, 1, 1, 1, 0, true, false, true},   {1, 2, 3, 6, 5, 5, 3, 2, true, true, true}};
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct conv_desc desc = {.dtype = DTYPE_F64,
                                 .batch = CASES[i].n,
                                 .in_channels = CASES[i].c,
                                 .out_channels = CASES[i].k,
                                 .in_height = CASES[i].h,
                                 .in_width = CASES[i].w,
                                 .kernel = CASES[i].kernel,
                                 .stride = CASES[i].stride,
                                 .padding = CASES[i].padding,
                                 .bias = CASES[i].bias,
                                 .training = true,
                                 .input_gradient = true,
                                 .accumulate = CASES[i].accumulate,
                                 .statistics = CASES[i].statistics};
        check_conv_gradients(*state, &desc);
    }
}

/* ---- batch norm -------------------------------------------------------------------------------------------------- */
struct norm_context {
    const struct backend_ops *ops;
    struct batch_norm_plan *plan;
    double *x, *residual, *y, *r;
    float *gamma, *beta;
    void *saved, *mask; /* mask: NULL without ReLU */
    size_t count;
    int64_t values; /* of a channel */
};

static double norm_loss(void *pointer)
{
    struct norm_context *context = pointer;
    context->ops->batch_norm_forward(context->plan, &(struct batch_norm_forward_args){.y = context->y,
                                                                                      .mask = context->mask,
                                                                                      .saved = context->saved,
                                                                                      .x = context->x,
                                                                                      .residual = context->residual,
                                                                                      .count = context->values,
                                                                                      .gamma = context->gamma,
                                                                                      .beta = context->beta});
    return dot(context->r, context->y, context->count);
}

/* Keeps the input of a ReLU away from its corner, so that no perturbation crosses it: values of the residual are
 * pushed away; without a residual x is drawn again. context->plan has no ReLU here. */
static void avoid_corner(struct norm_context *context)
{
    for (int round = 0; round < 200; round++) {
        norm_loss(context);
        bool close = false;
        for (size_t i = 0; i < context->count; i++) {
            if (fabs(context->y[i]) > 0.05) continue;
            close = true;
            if (context->residual) context->residual[i] += context->residual[i] > 0 ? 0.125 : -0.125;
        }
        if (!close) return;
        struct rng rng = rng_open(7, RNG_TEST, 0, (uint32_t)round, 0);
        for (size_t i = 0; !context->residual && i < context->count; i++) context->x[i] = rng_between(&rng, -1, 3);
    }
    fail_msg("batch norm of %zu values: no input found that stays clear of the corner", context->count);
}

static void check_norm_gradients(struct check *check, struct batch_norm_desc desc)
{
    const size_t channels = (size_t)desc.channels;
    const size_t count = channels * (size_t)(desc.batch * desc.height * desc.width);
    struct norm_context context = {.ops = check->target.backend->ops, .count = count, .values = ops_norm_count(&desc)};
    struct error error;
    context.x = draw_doubles(check, count, -1, 3);
    context.residual = desc.residual ? draw_doubles(check, count, -2, 2) : NULL;
    context.r = draw_doubles(check, count, -1, 1);
    context.y = new_doubles(check, count);
    context.gamma = draw_floats(check, channels, 0.5f, 1.5f);
    context.beta = draw_floats(check, channels, -1, 1);
    context.saved = ops_new(&check->buffers, 2 * channels * (sizeof(float) + sizeof(double))); /* of ref */
    if (desc.relu) { /* seen without the ReLU, moved, then seen with it */
        struct batch_norm_desc linear = desc;
        linear.relu = false;
        assert_int_equal(context.ops->batch_norm_create(check->target.backend, &linear, &context.plan, &error),
                         SIMCLR_OK);
        avoid_corner(&context);
        context.ops->batch_norm_destroy(&context.plan);
    }
    if (context.ops->batch_norm_create(check->target.backend, &desc, &context.plan, &error) != SIMCLR_OK)
        fail_msg("%s", error.text);
    assert_int_equal(context.ops->batch_norm_saved_bytes(context.plan),
                     2 * channels * (sizeof(float) + sizeof(double)));
    if (desc.relu) context.mask = ops_new(&check->buffers, context.ops->batch_norm_mask_bytes(context.plan));
    double *d_x = new_doubles(check, count), *d_residual = NULL, *before = draw_doubles(check, count, -1, 1);
    float *d_gamma = ops_floats(&check->buffers, channels), *d_beta = ops_floats(&check->buffers, channels);
    if (desc.residual) {
        d_residual = new_doubles(check, count);
        memcpy(d_residual, before, count * sizeof *before);
    }
    norm_loss(&context);
    double *sums = ops_statistics(&check->buffers, &check->target, desc.channels);
    struct batch_norm_backward_args back = {.d_x = d_x,
                                            .d_residual = d_residual,
                                            .count = context.values,
                                            .d_y = context.r,
                                            .x = context.x,
                                            .mask = context.mask,
                                            .saved = context.saved,
                                            .gamma = context.gamma};
    ops_norm_backward(context.ops, context.plan, &back, sums, d_gamma, d_beta);
    for (size_t i = 0; desc.accumulate_residual && i < count; i++) d_residual[i] -= before[i];
    const double h = 1.0 / 512;
    verify(check, norm_loss, &context, &(struct variable){"batch norm x", false, context.x, d_x, count}, h, true);
    verify(check, norm_loss, &context, &(struct variable){"gamma", true, context.gamma, d_gamma, channels}, h, true);
    verify(check, norm_loss, &context, &(struct variable){"beta", true, context.beta, d_beta, channels}, h, true);
    if (desc.residual)
        verify(check, norm_loss, &context, &(struct variable){"residual", false, context.residual, d_residual, count},
               h, true);
    back.d_x = context.r; /* d_x may be d_y */
    back.d_residual = NULL;
    ops_norm_backward(context.ops, context.plan, &back, sums, d_gamma, NULL);
    assert_memory_equal(context.r, d_x, count * sizeof *d_x);
    context.ops->batch_norm_destroy(&context.plan);
    ops_free(&check->buffers);
}

static void batch_norm(void **state)
{
    struct batch_norm_desc desc = {.dtype = DTYPE_F64,
                                   .batch = 3,
                                   .channels = 4,
                                   .height = 5,
                                   .width = 3,
                                   .training = true,
                                   .epsilon = 1e-5f,
                                   .momentum = 0.1f};
    check_norm_gradients(*state, desc);
    desc.residual = true;
    check_norm_gradients(*state, desc);
    desc.relu = true;
    check_norm_gradients(*state, desc);
    desc.accumulate_residual = true;
    check_norm_gradients(*state, desc);
    desc.batch = 17, desc.height = desc.width = 1;
    check_norm_gradients(*state, desc);
    desc.batch = 3, desc.height = desc.width = desc.channels = 2;
    desc.residual = desc.accumulate_residual = false;
    check_norm_gradients(*state, desc);
}

/* ---- pools ------------------------------------------------------------------------------------------------------- */
struct pool_context {
    const struct backend_ops *ops;
    struct max_pool_plan *max;
    struct global_pool_plan *global;
    double *x, *y, *r;
    float *mean;
    size_t count;
};

static double max_loss(void *pointer)
{
    struct pool_context *context = pointer;
    context->ops->max_pool_forward(context->max, context->y, NULL, context->x);
    return dot(context->r, context->y, context->count);
}

static double mean_loss(void *pointer)
{
    struct pool_context *context = pointer;
    double sum = 0;
    context->ops->global_pool_forward(context->global, context->mean, context->x);
    for (size_t i = 0; i < context->count; i++) sum += context->r[i] * (double)context->mean[i];
    return sum;
}

static void max_pool(void **state)
{
    static const struct {
        int n, c, h, w, kernel, stride, padding;
    } CASES[] = {{2, 3, 7, 9, 3, 2, 1}, {1, 4, 6, 6, 2, 2, 0}, {3, 2, 5, 4, 3, 1, 1}};
    struct check *check = *state;
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct max_pool_desc desc = {DTYPE_F64,       CASES[i].n,      CASES[i].c,       CASES[i].h, CASES[i].w,
                                     CASES[i].kernel, CASES[i].stride, CASES[i].padding, true};
        const size_t inputs = (size_t)(desc.batch * desc.channels * desc.in_height * desc.in_width);
        const size_t outputs =
            (size_t)(desc.batch * desc.channels * conv_out(desc.in_height, desc.kernel, desc.stride, desc.padding) *
                     conv_out(desc.in_width, desc.kernel, desc.stride, desc.padding));
        struct pool_context context = {.ops = check->target.backend->ops, .count = outputs};
        struct error error;
        if (context.ops->max_pool_create(check->target.backend, &desc, &context.max, &error) != SIMCLR_OK)
            fail_msg("%s", error.text);
        context.x = new_doubles(check, inputs);
        for (size_t j = 0; j < inputs; j++) /* a permutation: all values at least 1/16 apart */
            context.x[j] = (double)((j * 7919 + 13) % 10007 % 4096) / 16;
        context.r = draw_doubles(check, outputs, -1, 1);
        context.y = new_doubles(check, outputs);
        double *d_x = new_doubles(check, inputs);
        void *saved = ops_new(&check->buffers, context.ops->max_pool_saved_bytes(context.max));
        context.ops->max_pool_forward(context.max, context.y, saved, context.x);
        context.ops->max_pool_backward(context.max, d_x, context.r, saved);
        verify(check, max_loss, &context, &(struct variable){"max pool", false, context.x, d_x, inputs}, 1.0 / 256,
               false);
        context.ops->max_pool_destroy(&context.max);
        ops_free(&check->buffers);
    }
}

/* Linear, so a large step is exact; means are float32, hence sums of multiples of 2^-10 over 32 pixels, also exact. */
static void global_pool(void **state)
{
    struct check *check = *state;
    struct global_pool_desc desc = {DTYPE_F64, 3, 5, 4, 8};
    struct pool_context context = {.ops = check->target.backend->ops, .count = 15};
    struct error error;
    if (context.ops->global_pool_create(check->target.backend, &desc, &context.global, &error) != SIMCLR_OK)
        fail_msg("%s", error.text);
    context.x = draw_doubles(check, 480, -2, 2);
    context.r = draw_doubles(check, 15, -1, 1);
    context.mean = ops_floats(&check->buffers, 15);
    float *d_mean = ops_floats(&check->buffers, 15);
    double *d_x = new_doubles(check, 480);
    for (int i = 0; i < 15; i++) d_mean[i] = (float)context.r[i];
    context.ops->global_pool_backward(context.global, d_x, d_mean);
    verify(check, mean_loss, &context, &(struct variable){"global pool", false, context.x, d_x, 480}, 1, false);
    context.ops->global_pool_destroy(&context.global);
    ops_free(&check->buffers);
}

/* ---- NT-Xent ----------------------------------------------------------------------------------------------------- */
struct loss_context {
    const struct backend_ops *ops;
    const struct ops_target *target;
    const struct nt_xent_desc *desc;
    struct nt_xent_plan *plan;
    float *z;
};

static double nt_xent_loss(void *pointer)
{
    struct loss_context *context = pointer;
    struct nt_xent_result result;
    ops_nt_xent_run(context->target, context->plan, context->desc, &result, NULL, context->z);
    return result.loss;
}

static void nt_xent(void **state)
{
    static const struct {
        int images, dim;
        float temperature;
    } CASES[] = {{2, 3, 0.5f}, {5, 8, 0.5f}, {17, 33, 0.1f}};
    struct check *check = *state;
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct nt_xent_desc desc = {CASES[i].images, CASES[i].dim, CASES[i].temperature, true, 0, 0};
        const size_t count = 2 * (size_t)desc.images * (size_t)desc.dim;
        struct loss_context context = {.ops = check->target.backend->ops, .target = &check->target, .desc = &desc};
        struct nt_xent_result result;
        struct error error;
        if (context.ops->nt_xent_create(check->target.backend, &desc, &context.plan, &error) != SIMCLR_OK)
            fail_msg("%s", error.text);
        context.z = draw_floats(check, count, -4, 4);
        float *d_z = ops_floats(&check->buffers, count);
        ops_nt_xent_run(context.target, context.plan, &desc, &result, d_z, context.z);
        verify(check, nt_xent_loss, &context, &(struct variable){"nt-xent", true, context.z, d_z, count}, 1.0 / 128,
               true);
        context.ops->nt_xent_destroy(&context.plan);
        ops_free(&check->buffers);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(convolution, open_ref, close_ref),
        cmocka_unit_test_setup_teardown(batch_norm, open_ref, close_ref),
        cmocka_unit_test_setup_teardown(max_pool, open_ref, close_ref),
        cmocka_unit_test_setup_teardown(global_pool, open_ref, close_ref),
        cmocka_unit_test_setup_teardown(nt_xent, open_ref, close_ref),
    };
    return run_cases(tests, NULL, NULL);
}
