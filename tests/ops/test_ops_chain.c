/* Operations after one another without leaving the private layout: convolution of images, batch norm, max pool, a block
 * with a residual and a strided convolution, global pool, and all their backward passes. Batches and channels that fill
 * no block show whether padding images and channels do harm. Every buffer starts as NaN. So a padding value that is not
 * written, or a gradient's that is not zero, would reach the weights' gradients.
 *
 * Tolerance, each type against ref in the same type: in float32 five operations of 1e-6 each in a row, amplified by the
 * batch norms: 1e-4 in norm. In bf16 both round every stored tensor, mostly alike. Sums that differ in their last bits
 * may fall on either side of a rounding, so one number in a thousand or so differs by 2^-8: BF16_FORWARD,
 * BF16_BACKWARD. */
#include "ops/ops.h"

static const double BF16_FORWARD = 1e-3, BF16_BACKWARD = 1e-2;
enum { HEIGHT = 9, WIDTH = 7, CONVS = 4, NORMS = 3 };

struct chain {
    struct ops_target *target;
    struct ops_buffers buffers;
    enum dtype dtype;
    int batch, narrow, wide; /* channels of the first and of the second part */
    struct conv_plan *conv[CONVS];
    struct batch_norm_plan *norm[NORMS];
    struct max_pool_plan *max;
    struct global_pool_plan *global;
    float *weight[CONVS], *d_weight[CONVS], *gamma[NORMS], *beta[NORMS], *d_gamma[NORMS], *d_beta[NORMS];
    void *mask[NORMS], *saved[NORMS];
    double *statistics[CONVS], *sums[NORMS];
    int64_t count[NORMS];
    size_t weights[CONVS];
    float *features, *d_features; /* canonical [batch][wide] */
};

static void *tensor(struct chain *chain, int channels, int height, int width)
{
    const struct tensor_desc desc = ops_tensor(chain->dtype, chain->batch, channels, height, width);
    return ops_upload(&chain->buffers, chain->target, &desc, NULL);
}

static void add_conv(struct chain *chain, int index, const struct conv_desc *desc)
{
    struct error error;
    const struct backend_ops *ops = chain->target->backend->ops;
    if (ops->conv_create(chain->target->backend, desc, &chain->conv[index], &error) != SIMCLR_OK)
        fail_msg("%s", error.text);
    const size_t area = (size_t)(desc->kernel * desc->kernel);
    const float scale = 1.7f / sqrtf((float)area * (float)desc->in_channels);
    chain->weights[index] = (size_t)desc->out_channels * (size_t)desc->in_channels * area;
    chain->weight[index] =
        ops_random(&chain->buffers, chain->weights[index], 9000 + (uint32_t)index, -scale, scale, true);
    chain->d_weight[index] = ops_floats(&chain->buffers, chain->weights[index]);
    chain->statistics[index] = ops_statistics(&chain->buffers, chain->target, desc->out_channels);
    ops->conv_set_weights(chain->conv[index], chain->weight[index]);
}

static void add_norm(struct chain *chain, int index, int channels, int height, int width, bool residual)
{
    struct error error;
    const struct backend_ops *ops = chain->target->backend->ops;
    const struct batch_norm_desc desc = {.dtype = chain->dtype,
                                         .batch = chain->batch,
                                         .channels = channels,
                                         .height = height,
                                         .width = width,
                                         .relu = true,
                                         .residual = residual,
                                         .training = true,
                                         .accumulate_residual = false,
                                         .epsilon = 1e-5f,
                                         .momentum = 0.1f};
    if (ops->batch_norm_create(chain->target->backend, &desc, &chain->norm[index], &error) != SIMCLR_OK)
        fail_msg("%s", error.text);
    const size_t count = (size_t)channels;
    chain->gamma[index] = ops_random(&chain->buffers, count, 9100 + (uint32_t)index, 0.5f, 1.5f, false);
    chain->beta[index] = ops_random(&chain->buffers, count, 9200 + (uint32_t)index, -0.5f, 0.5f, false);
    chain->saved[index] = ops_new(&chain->buffers, ops->batch_norm_saved_bytes(chain->norm[index]));
    chain->sums[index] = ops_statistics(&chain->buffers, chain->target, channels);
    chain->count[index] = ops_norm_count(&desc);
    chain->mask[index] =
        ops_new(&chain->buffers, chain->target->backend->ops->batch_norm_mask_bytes(chain->norm[index]));
    chain->d_gamma[index] = ops_floats(&chain->buffers, count);
    chain->d_beta[index] = ops_floats(&chain->buffers, count);
}

/* conv0 (images) - norm0 - max pool - [conv1/2 - norm1 - conv2] + [conv3/2] - norm2 - global pool */
static void plan(struct chain *chain)
{
    struct conv_desc desc = {.dtype = chain->dtype,
                             .input_layout = LAYOUT_IMAGES,
                             .batch = chain->batch,
                             .in_channels = 3,
                             .out_channels = chain->narrow,
                             .in_height = HEIGHT,
                             .in_width = WIDTH,
                             .kernel = 3,
                             .stride = 1,
                             .padding = 1,
                             .training = true,
                             .statistics = true};
    const struct max_pool_desc max = {chain->dtype, chain->batch, chain->narrow, HEIGHT, WIDTH, 3, 2, 1, true};
    const struct global_pool_desc global = {chain->dtype, chain->batch, chain->wide, 3, 2};
    struct backend *backend = chain->target->backend;
    add_conv(chain, 0, &desc);
    add_norm(chain, 0, chain->narrow, HEIGHT, WIDTH, false);
    desc.input_layout = LAYOUT_PRIVATE, desc.input_gradient = true, desc.in_height = 5, desc.in_width = 4;
    desc.in_channels = chain->narrow, desc.out_channels = chain->wide, desc.stride = 2;
    add_conv(chain, 1, &desc);
    desc.kernel = 1, desc.padding = 0, desc.accumulate = true; /* its gradient joins that of conv1 */
    add_conv(chain, 3, &desc);
    desc.accumulate = false;
    desc.kernel = 3, desc.padding = 1, desc.stride = 1, desc.in_height = 3, desc.in_width = 2,
    desc.in_channels = chain->wide;
    add_conv(chain, 2, &desc);
    add_norm(chain, 1, chain->wide, 3, 2, false);
    add_norm(chain, 2, chain->wide, 3, 2, true);
    assert_int_equal(backend->ops->max_pool_create(backend, &max, &chain->max, NULL), SIMCLR_OK);
    assert_int_equal(backend->ops->global_pool_create(backend, &global, &chain->global, NULL), SIMCLR_OK);
}

static void forward_norm(struct chain *chain, int index, void *y, const void *x, const void *residual,
                         const double *given)
{
    const struct batch_norm_forward_args args = {.y = y,
                                                 .mask = chain->mask[index],
                                                 .saved = chain->saved[index],
                                                 .x = x,
                                                 .residual = residual,
                                                 .statistics = given,
                                                 .count = chain->count[index],
                                                 .gamma = chain->gamma[index],
                                                 .beta = chain->beta[index]};
    chain->target->backend->ops->batch_norm_forward(chain->norm[index], &args);
    ops_check(&chain->buffers, "batch_norm_forward");
}

static void backward_norm(struct chain *chain, int index, void *d_y, void *d_residual, const void *x)
{
    const struct batch_norm_backward_args args = {.d_x = d_y,
                                                  .d_residual = d_residual,
                                                  .count = chain->count[index],
                                                  .d_y = d_y,
                                                  .x = x,
                                                  .mask = chain->mask[index],
                                                  .saved = chain->saved[index],
                                                  .gamma = chain->gamma[index]};
    ops_norm_backward(chain->target->backend->ops, chain->norm[index], &args, chain->sums[index], chain->d_gamma[index],
                      chain->d_beta[index]);
    ops_check(&chain->buffers, "batch_norm_backward");
}

static void run(struct chain *chain)
{
    const struct backend_ops *ops = chain->target->backend->ops;
    const int narrow = chain->narrow, wide = chain->wide;
    const struct tensor_desc pooled = ops_tensor(DTYPE_F32, chain->batch, wide, 1, 1);
    const size_t outputs = (size_t)chain->batch * (size_t)wide;
    float *x = ops_random(&chain->buffers, (size_t)chain->batch * 3 * HEIGHT * WIDTH, 9300, 0, 1, true);
    float *d_pooled = ops_random(&chain->buffers, outputs, 9301, -1, 1, false);
    void *c0 = tensor(chain, narrow, HEIGHT, WIDTH), *n0 = tensor(chain, narrow, HEIGHT, WIDTH);
    void *m = tensor(chain, narrow, 5, 4), *saved = ops_new(&chain->buffers, ops->max_pool_saved_bytes(chain->max));
    void *c1 = tensor(chain, wide, 3, 2), *n1 = tensor(chain, wide, 3, 2), *c2 = tensor(chain, wide, 3, 2);
    void *c3 = tensor(chain, wide, 3, 2), *n2 = tensor(chain, wide, 3, 2);
    void *mean = ops_upload(&chain->buffers, chain->target, &pooled, NULL);
    ops->conv_forward(chain->conv[0], c0, chain->statistics[0], x, NULL);
    forward_norm(chain, 0, n0, c0, NULL, chain->statistics[0]);
    ops->max_pool_forward(chain->max, m, saved, n0);
    ops->conv_forward(chain->conv[1], c1, chain->statistics[1], m, NULL);
    forward_norm(chain, 1, n1, c1, NULL, NULL); /* takes its own statistics: padding images must not count */
    ops->conv_forward(chain->conv[2], c2, chain->statistics[2], n1, NULL);
    ops->conv_forward(chain->conv[3], c3, chain->statistics[3], m, NULL);
    forward_norm(chain, 2, n2, c2, c3, chain->statistics[2]);
    ops->global_pool_forward(chain->global, mean, n2);
    chain->features = ops_download(&chain->buffers, chain->target, &pooled, mean);

    void *d_wide = tensor(chain, wide, 3, 2), *d_residual = tensor(chain, wide, 3, 2),
         *d_n1 = tensor(chain, wide, 3, 2);
    void *d_m = tensor(chain, narrow, 5, 4), *d_n0 = tensor(chain, narrow, HEIGHT, WIDTH);
    ops->global_pool_backward(chain->global, d_wide, ops_upload(&chain->buffers, chain->target, &pooled, d_pooled));
    backward_norm(chain, 2, d_wide, d_residual, c2);
    ops->conv_backward_weights(chain->conv[2], chain->d_weight[2], NULL, d_wide, n1);
    ops->conv_backward_data(chain->conv[2], d_n1, d_wide);
    backward_norm(chain, 1, d_n1, NULL, c1);
    ops->conv_backward_weights(chain->conv[1], chain->d_weight[1], NULL, d_n1, m);
    ops->conv_backward_data(chain->conv[1], d_m, d_n1);
    ops->conv_backward_weights(chain->conv[3], chain->d_weight[3], NULL, d_residual, m);
    ops->conv_backward_data(chain->conv[3], d_m, d_residual);
    ops->max_pool_backward(chain->max, d_n0, d_m, saved);
    backward_norm(chain, 0, d_n0, NULL, c0);
    ops->conv_backward_weights(chain->conv[0], chain->d_weight[0], NULL, d_n0, x);
    ops_check(&chain->buffers, "the chain");
}

static void start(struct chain *chain, struct ops_target *target, enum dtype dtype, int batch, int narrow, int wide)
{
    memset(chain, 0, sizeof *chain);
    chain->target = target;
    chain->dtype = dtype;
    chain->batch = batch;
    chain->narrow = narrow;
    chain->wide = wide;
    plan(chain);
    run(chain);
}

static void finish(struct chain *chain)
{
    const struct backend_ops *ops = chain->target->backend->ops;
    for (int i = 0; i < CONVS; i++) ops->conv_destroy(&chain->conv[i]);
    for (int i = 0; i < NORMS; i++) ops->batch_norm_destroy(&chain->norm[i]);
    ops->max_pool_destroy(&chain->max);
    ops->global_pool_destroy(&chain->global);
    ops_free(&chain->buffers);
}

static void within(const struct chain *chain, const char *what, int index, const float *got, const float *want,
                   size_t count, double tolerance)
{
    const double distance = ops_distance(got, want, count);
    if (!(distance <= tolerance))
        fail_msg("%s, %s, batch %d, channels %d, %d: %s %d off by %.3g", chain->target->label, dtype_name(chain->dtype),
                 chain->batch, chain->narrow, chain->wide, what, index, distance);
}

static void compare(const struct chain *got, const struct chain *want, double forward, double backward)
{
    within(got, "features", 0, got->features, want->features, (size_t)got->batch * (size_t)got->wide, forward);
    for (int i = 0; i < CONVS; i++)
        within(got, "d_weight", i, got->d_weight[i], want->d_weight[i], got->weights[i], backward);
    for (int i = 0; i < NORMS; i++) {
        const size_t channels = (size_t)(i == 0 ? got->narrow : got->wide);
        within(got, "d_gamma", i, got->d_gamma[i], want->d_gamma[i], channels, backward);
        within(got, "d_beta", i, got->d_beta[i], want->d_beta[i], channels, backward);
    }
}

static const struct {
    int batch, narrow, wide;
} CHAINS[] = {{3, 20, 33}, {17, 8, 48}, {16, 32, 64}, {33, 3, 20}};

static void chains(void **state)
{
    struct ops_suite *suite = *state;
    for (size_t i = 0; i < sizeof CHAINS / sizeof CHAINS[0]; i++)
        for (int type = 0; type < 2; type++) {
            const enum dtype dtype = type ? DTYPE_BF16 : DTYPE_F32;
            struct chain want, got;
            start(&want, &suite->ref, dtype, CHAINS[i].batch, CHAINS[i].narrow, CHAINS[i].wide);
            for (int j = 0; j < suite->count; j++) {
                start(&got, &suite->target[j], dtype, CHAINS[i].batch, CHAINS[i].narrow, CHAINS[i].wide);
                compare(&got, &want, type ? BF16_FORWARD : 1e-4, type ? BF16_BACKWARD : 1e-4);
                finish(&got);
            }
            finish(&want);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(chains)};
    return run_cases(tests, ops_suite_open, ops_suite_close);
}
