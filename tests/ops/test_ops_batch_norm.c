/* Batch norm: every variant of the cpu backend against ref, with 1, 2 and 3 threads, each operation twice (bit-equal),
 * and ref with three threads against ref with one (bit-equal). As in ops_conv.h ref works in float32 from inputs that
 * the type under test holds exactly, and bf16 outputs are allowed half a unit in the last place (2^-8 |value|) beyond
 * the following.
 *
 * (x - mean) / std in float32 loses 2^-24 |x| / std. With ratio = max over channels of |mean| / std all of it is
 * allowed 1e-6 (2 + ratio) of the rms, and 1 / std and the variance that much of themselves. A ratio below 0.8 counts
 * as 0.8 for elements, and outputs are allowed 1e-6 of their own size more. Backward, where three such terms are added,
 * is allowed four times that in an element, 1.5 times in the norm (float32). The mean is allowed 1e-6 of itself and
 * 5e-7 of the std. */
#include "backend/cpu/cpu.h"
#include "ops/ops.h"
#include "ops/ops_padding.h"
#include "ops/resnet_shapes.h"
#include "support/short.h"

struct norm_data {
    struct batch_norm_desc desc;
    float low, high;                                                  /* of x */
    bool given;                                                       /* statistics come from outside */
    float *x, *residual, *d_y, *mask, *before, *gamma, *beta, *saved; /* inputs (saved: of backward) */
    double *statistics;
};

struct norm_results { /* canonical */
    enum dtype dtype; /* of x and y when it ran */
    float *y, *saved, *running_mean, *running_var, *inference, *d_x, *d_residual, *d_gamma, *d_beta;
};

/* The mask that says where data->mask is positive, the same for every backend: of a forward pass that adds it to
 * nothing. */
static void *mask_of(struct ops_buffers *buffers, struct ops_target *target, const struct batch_norm_desc *like,
                     const struct norm_data *data)
{
    const struct backend_ops *ops = target->backend->ops;
    const struct tensor_desc shape = ops_tensor(like->dtype, like->batch, like->channels, like->height, like->width);
    const size_t channels = (size_t)like->channels;
    struct batch_norm_desc desc = *like;
    struct batch_norm_plan *plan;
    struct error error;
    desc.residual = desc.relu = true;
    if (ops->batch_norm_create(target->backend, &desc, &plan, &error) != SIMCLR_OK) fail_msg("%s", error.text);
    void *x = ops_upload(buffers, target, &shape, data->x), *y = ops_upload(buffers, target, &shape, NULL);
    void *values = ops_upload(buffers, target, &shape, data->mask),
         *mask = ops_new(buffers, ops->batch_norm_mask_bytes(plan));
    float *zeros = ops_floats(buffers, channels);
    memset(zeros, 0, channels * sizeof *zeros);
    ops->batch_norm_forward(
        plan, &(struct batch_norm_forward_args){.y = y,
                                                .mask = mask,
                                                .saved = ops_new(buffers, ops->batch_norm_saved_bytes(plan)),
                                                .x = x,
                                                .residual = values,
                                                .count = ops_norm_count(&desc),
                                                .gamma = zeros});
    ops_check(buffers, "batch_norm_forward for its mask");
    ops->batch_norm_destroy(&plan);
    return mask;
}

/* Made again, in a place of its own or the residual's, the output is the same to the bit. */
static void norm_again(struct ops_buffers *buffers, struct ops_target *target, const struct norm_data *data,
                       struct batch_norm_plan *plan, const struct norm_results *out, const void *x,
                       const void *residual)
{
    const struct backend_ops *ops = target->backend->ops;
    const struct tensor_desc shape =
        ops_tensor(out->dtype, data->desc.batch, data->desc.channels, data->desc.height, data->desc.width);
    void *again = ops_upload(buffers, target, &shape, NULL);
    struct batch_norm_again_args args = {
        .y = again, .x = x, .residual = residual, .saved = out->saved, .gamma = data->gamma, .beta = data->beta};
    ops->batch_norm_again(plan, &args);
    ops_check(buffers, "batch_norm_again");
    const float *values = ops_download(buffers, target, &shape, again);
    assert_memory_equal(values, out->y, tensor_elements(&shape) * sizeof *values);
    if (!residual) return;
    void *place = ops_upload(buffers, target, &shape, data->residual);
    args.y = place, args.residual = place;
    ops->batch_norm_again(plan, &args);
    ops_check(buffers, "batch_norm_again in the residual's place");
    values = ops_download(buffers, target, &shape, place);
    assert_memory_equal(values, out->y, tensor_elements(&shape) * sizeof *values);
}

struct norm_tensors {
    void *y;
    const void *x, *residual;
};

/* The next running statistics in a place of their own, the present ones left as they are; and over them, the same. */
static void norm_forward(struct ops_buffers *buffers, struct ops_target *target, const struct norm_data *data,
                         struct batch_norm_plan *plan, const struct norm_results *out,
                         const struct norm_tensors *tensors)
{
    const size_t channels = (size_t)data->desc.channels, bytes = channels * sizeof(float);
    float *mean = ops_floats(buffers, channels), *variance = ops_floats(buffers, channels);
    float *mean_before = memcpy(ops_floats(buffers, channels), out->running_mean, bytes);
    float *variance_before = memcpy(ops_floats(buffers, channels), out->running_var, bytes);
    struct batch_norm_forward_args args = {.y = tensors->y,
                                           .saved = out->saved,
                                           .next_mean = mean,
                                           .next_var = variance,
                                           .x = tensors->x,
                                           .residual = tensors->residual,
                                           .statistics = data->given ? data->statistics : NULL,
                                           .count = ops_norm_count(&data->desc),
                                           .gamma = data->gamma,
                                           .beta = data->beta,
                                           .running_mean = out->running_mean,
                                           .running_var = out->running_var};
    target->backend->ops->batch_norm_forward(plan, &args);
    ops_check(buffers, "batch_norm_forward");
    assert_memory_equal(mean_before, out->running_mean, bytes);
    assert_memory_equal(variance_before, out->running_var, bytes);
    args.next_mean = out->running_mean, args.next_var = out->running_var;
    target->backend->ops->batch_norm_forward(plan, &args);
    ops_check(buffers, "batch_norm_forward over its running statistics");
    assert_memory_equal(mean, out->running_mean, bytes);
    assert_memory_equal(variance, out->running_var, bytes);
}

/* Another pass of the same plan with another gamma: what is made again later must not lean on the plan's last pass. */
static void norm_spoil(struct ops_buffers *buffers, struct ops_target *target, const struct norm_data *data,
                       struct batch_norm_plan *plan, const struct norm_tensors *tensors)
{
    const struct backend_ops *ops = target->backend->ops;
    const size_t channels = (size_t)data->desc.channels;
    const struct batch_norm_inference_args args = {
        .y = tensors->y,
        .x = tensors->x,
        .residual = tensors->residual,
        .gamma = ops_random(buffers, channels, 903, 2, 3, false),
        .beta = ops_random(buffers, channels, 904, 2, 3, false),
        .running_mean = ops_random(buffers, channels, 905, -1, 1, false),
        .running_var = ops_random(buffers, channels, 906, 0.5f, 2, false),
    };
    ops->batch_norm_inference(plan, &args);
    ops_check(buffers, "batch_norm_inference after the forward pass");
}

static void norm_padding(const struct ops_target *target, const struct tensor_desc *shape, const void *d_x,
                         const void *d_residual)
{
    if (strcmp(target->name, "cpu") != 0) return;
    check_padding("batch norm's d_x", shape, d_x, true);
    if (d_residual) check_padding("batch norm's d_residual", shape, d_residual, true);
}

static struct norm_results norm_execute(struct ops_buffers *buffers, struct ops_target *target,
                                        const struct norm_data *data, enum dtype dtype)
{
    const struct backend_ops *ops = target->backend->ops;
    struct batch_norm_desc desc = data->desc;
    desc.dtype = dtype;
    const struct tensor_desc shape = ops_tensor(dtype, desc.batch, desc.channels, desc.height, desc.width);
    const size_t channels = (size_t)desc.channels;
    struct norm_results out = {.dtype = dtype};
    struct batch_norm_plan *plan;
    struct error error;
    if (ops->batch_norm_create(target->backend, &desc, &plan, &error) != SIMCLR_OK) fail_msg("%s", error.text);
    void *x = ops_upload(buffers, target, &shape, data->x), *y = ops_upload(buffers, target, &shape, NULL);
    void *residual = desc.residual ? ops_upload(buffers, target, &shape, data->residual) : NULL;
    out.saved = ops_new(buffers, ops->batch_norm_saved_bytes(plan));
    out.running_mean = ops_random(buffers, channels, 901, -1, 1, false);
    out.running_var = ops_random(buffers, channels, 902, 0.5f, 2, false);
    ops->batch_norm_inference(plan, &(struct batch_norm_inference_args){.y = y,
                                                                        .x = x,
                                                                        .residual = residual,
                                                                        .gamma = data->gamma,
                                                                        .beta = data->beta,
                                                                        .running_mean = out.running_mean,
                                                                        .running_var = out.running_var});
    ops_check(buffers, "batch_norm_inference");
    out.inference = ops_download(buffers, target, &shape, y);
    const struct norm_tensors tensors = {y, x, residual};
    norm_forward(buffers, target, data, plan, &out, &tensors);
    if (strcmp(target->name, "cpu") == 0) check_padding_images("batch norm's y", &shape, y);
    out.y = ops_download(buffers, target, &shape, y);
    norm_spoil(buffers, target, data, plan, &tensors);
    norm_again(buffers, target, data, plan, &out, x, residual);
    if (data->mask) {
        void *d_y = ops_upload(buffers, target, &shape, data->d_y);
        void *mask = desc.relu ? mask_of(buffers, target, &desc, data) : NULL;
        void *d_residual = NULL;
        if (desc.residual)
            d_residual = ops_upload(buffers, target, &shape, desc.accumulate_residual ? data->before : NULL);
        out.d_gamma = ops_floats(buffers, channels);
        out.d_beta = data->beta ? ops_floats(buffers, channels) : NULL;
        /* d_x over d_y, as the network does it */
        const struct batch_norm_backward_args args = {.d_x = d_y,
                                                      .d_residual = d_residual,
                                                      .count = ops_norm_count(&desc),
                                                      .d_y = d_y,
                                                      .x = x,
                                                      .mask = mask,
                                                      .saved = data->saved,
                                                      .gamma = data->gamma};
        ops_norm_backward(ops, plan, &args, ops_statistics(buffers, target, desc.channels), out.d_gamma, out.d_beta);
        ops_check(buffers, "batch_norm_backward");
        norm_padding(target, &shape, d_y, d_residual);
        out.d_x = ops_download(buffers, target, &shape, d_y);
        if (desc.residual) out.d_residual = ops_download(buffers, target, &shape, d_residual);
    }
    ops->batch_norm_destroy(&plan);
    return out;
}

struct norm_compare {
    const struct ops_target *target;
    const struct norm_data *data;
    double tolerance; /* of an element, in units of the rms */
    double whole;     /* of all elements together, in units of their norm; of 1 / std, of itself */
};

static void norm_near(const struct norm_compare *compare, const char *what, const float *got, const float *want,
                      size_t count, double relative, double factor)
{
    const struct batch_norm_desc *desc = &compare->data->desc;
    char label[256];
    if (!want) return;
    snprintf(label, sizeof label, "%s, %s, batch norm %d x %d x %d x %d%s%s%s%s: %s", compare->target->label,
             dtype_name(desc->dtype), desc->batch, desc->channels, desc->height, desc->width, desc->relu ? " relu" : "",
             desc->residual ? " residual" : "", desc->accumulate_residual ? " accumulate" : "",
             compare->data->given ? " statistics" : "", what);
    ops_near(label, got, want, count, relative, factor * compare->tolerance * ops_rms(want, count));
}

static void norm_distance(const struct norm_compare *compare, const char *what, const float *got, const float *want,
                          size_t count, double allowed)
{
    if (!want) return;
    const double distance = ops_distance(got, want, count);
    const struct batch_norm_desc *desc = &compare->data->desc;
    if (!(distance <= allowed))
        fail_msg("%s, batch norm %d x %d x %d x %d: %s off by %.3g of its norm, allowed %.3g", compare->target->label,
                 desc->batch, desc->channels, desc->height, desc->width, what, distance, allowed);
}

/* All elements together, in float32; sums over the batch where they are so many that not all may cancel. */
static void norm_distances(const struct norm_compare *compare, const struct norm_results *got,
                           const struct norm_results *want, size_t count, size_t channels)
{
    const double allowed = 1.5 * compare->whole;
    norm_distance(compare, "d_x", got->d_x, want->d_x, count, allowed);
    norm_distance(compare, "d_residual", got->d_residual, want->d_residual, count, 1e-6);
    if (channels < 7) return;
    norm_distance(compare, "d_gamma", got->d_gamma, want->d_gamma, channels, allowed);
    norm_distance(compare, "d_beta", got->d_beta, want->d_beta, channels, 2e-6);
}

/* ref with three threads has the bits of ref with one. */
static void norm_shared(struct ops_suite *suite, const struct norm_data *data, size_t count, size_t channels)
{
    struct ops_buffers buffers = {0};
    const struct norm_results one = norm_execute(&buffers, &suite->ref, data, data->desc.dtype);
    const struct norm_results three = norm_execute(&buffers, &suite->ref_shared, data, data->desc.dtype);
    assert_memory_equal(one.y, three.y, count * sizeof(float));
    assert_memory_equal(one.inference, three.inference, count * sizeof(float));
    assert_memory_equal(one.saved, three.saved, 2 * channels * (sizeof(float) + sizeof(double)));
    assert_memory_equal(one.running_mean, three.running_mean, channels * sizeof(float));
    assert_memory_equal(one.running_var, three.running_var, channels * sizeof(float));
    assert_memory_equal(one.d_x, three.d_x, count * sizeof(float));
    if (one.d_residual) assert_memory_equal(one.d_residual, three.d_residual, count * sizeof(float));
    assert_memory_equal(one.d_gamma, three.d_gamma, channels * sizeof(float));
    if (one.d_beta) assert_memory_equal(one.d_beta, three.d_beta, channels * sizeof(float));
    ops_free(&buffers);
}

/* On the targets [first, end) of the suite. */
static void norm_check(struct ops_suite *suite, int first, int end, struct norm_data *data, uint32_t item)
{
    struct ops_target *ref = &suite->ref, *targets = suite->target;
    struct ops_buffers buffers = {0};
    const struct batch_norm_desc *desc = &data->desc;
    const struct tensor_desc shape = ops_tensor(DTYPE_F32, desc->batch, desc->channels, desc->height, desc->width);
    const size_t channels = (size_t)desc->channels, count = tensor_elements(&shape),
                 plane = count / channels / (size_t)desc->batch;
    const bool bf16 = desc->dtype == DTYPE_BF16;
    data->x = ops_random(&buffers, count, item + 1, data->low, data->high, bf16);
    data->residual = ops_random(&buffers, count, item + 2, -2, 2, bf16);
    data->d_y = ops_random(&buffers, count, item + 3, -1, 1, bf16);
    data->before = ops_random(&buffers, count, item + 4, -1, 1, bf16);
    data->gamma = ops_random(&buffers, channels, item + 5, 0.5f, 1.5f, false);
    data->beta = item % 5 ? ops_random(&buffers, channels, item + 6, -1, 1, false) : NULL;
    data->statistics = ops_new(&buffers, 2 * channels * sizeof(double));
    memset(data->statistics, 0, 2 * channels * sizeof(double));
    for (size_t i = 0; i < count; i++) {
        data->statistics[i / plane % channels] += data->x[i];
        data->statistics[channels + i / plane % channels] += (double)data->x[i] * data->x[i];
    }
    data->mask = NULL; /* forward first: backward wants its y and saved */
    struct norm_results want = norm_execute(&buffers, ref, data, DTYPE_F32);
    data->mask = want.y;
    for (size_t i = 0; bf16 && i < count; i++) want.y[i] = bf16_to_float(bf16_from_float(want.y[i]));
    data->saved = want.saved;
    want = norm_execute(&buffers, ref, data, DTYPE_F32);
    double ratio = 0, deviation = 0;
    for (size_t c = 0; c < channels; c++) {
        ratio = fmax(ratio, fabs((double)want.saved[c]) * (double)want.saved[channels + c]);
        deviation = fmax(deviation, 1 / (double)want.saved[channels + c]);
    }

    norm_shared(suite, data, count, channels);
    const double more = ratio < 0.8 ? 1e-6 : 0;
    for (int i = first; i < end; i++) {
        struct ops_buffers first_buffers = {0}, again_buffers = {0};
        const struct norm_compare compare = {&targets[i], data, 1e-6 * (2 + fmax(ratio, 0.8)), 1e-6 * (2 + ratio)};
        /* Outputs that stay in the cache, and the same again past it. */
        cpu_backend_of(targets[i].backend)->cache_bytes = (size_t)1 << 40;
        const struct norm_results got = norm_execute(&first_buffers, &targets[i], data, desc->dtype);
        cpu_backend_of(targets[i].backend)->cache_bytes = 0;
        const struct norm_results again = norm_execute(&again_buffers, &targets[i], data, desc->dtype);
        norm_near(&compare, "y", got.y, want.y, count, ops_half_unit(desc->dtype) + more, 1);
        norm_near(&compare, "inference", got.inference, want.inference, count, ops_half_unit(desc->dtype) + more, 1);
        ops_near("mean", got.saved, want.saved, channels, 1e-6, 5e-7 * deviation);
        norm_near(&compare, "1/std", got.saved + channels, want.saved + channels, channels, compare.whole, 0);
        norm_near(&compare, "running mean", got.running_mean, want.running_mean, channels, 1e-6, 1);
        norm_near(&compare, "running variance", got.running_var, want.running_var, channels, compare.whole, 0);
        norm_near(&compare, "d_x", got.d_x, want.d_x, count, ops_half_unit(desc->dtype), 4);
        norm_near(&compare, "d_residual", got.d_residual, want.d_residual, count, ops_half_unit(desc->dtype), 1);
        norm_near(&compare, "d_gamma", got.d_gamma, want.d_gamma, channels, 0, 4);
        norm_near(&compare, "d_beta", got.d_beta, want.d_beta, channels, 0, 4);
        if (!bf16) norm_distances(&compare, &got, &want, count, channels);
        assert_memory_equal(got.y, again.y, count * sizeof(float));
        assert_memory_equal(got.inference, again.inference, count * sizeof(float));
        assert_memory_equal(got.d_x, again.d_x, count * sizeof(float));
        if (got.d_residual) assert_memory_equal(got.d_residual, again.d_residual, count * sizeof(float));
        assert_memory_equal(got.saved, again.saved, 2 * channels * sizeof(float));
        assert_memory_equal(got.d_gamma, again.d_gamma, channels * sizeof(float));
        if (got.d_beta) assert_memory_equal(got.d_beta, again.d_beta, channels * sizeof(float));
        ops_free(&first_buffers);
        ops_free(&again_buffers);
    }
    ops_free(&buffers);
}

/* ---- the cases --------------------------------------------------------------------------------------------------- */
static void batch_norm(void **state)
{
    struct ops_suite *suite = *state;
    static const struct {
        int batch, channels, height, width;
        float mean, spread; /* of x: a mean far from 0 costs its share of float32's digits */
    } SHAPES[] = {{16, 1, 5, 7, 1, 2},  {3, 3, 7, 7, 1, 2},   {17, 8, 1, 1, 1, 2},   {1, 16, 8, 8, 1, 2},
                  {16, 20, 4, 4, 1, 2}, {17, 33, 3, 5, 1, 2}, {3, 48, 6, 2, 1, 2},   {1, 64, 9, 9, 1, 2},
                  {33, 96, 2, 2, 1, 2}, {32, 32, 4, 4, 1, 2}, {40, 64, 1, 1, 1, 2},  {16, 32, 4, 4, 0, 1},
                  {3, 64, 9, 9, 0, 1},  {33, 7, 1, 1, 30, 1}, {1, 33, 20, 20, 0, 1}, {17, 40, 5, 3, 0.5f, 1}};
    for (uint32_t i = 0; i < sizeof SHAPES / sizeof SHAPES[0]; i++)
        for (uint32_t flags = 0; flags < 4; flags++)
            for (int type = 0; type < 2; type++) {
                const uint32_t item = 3000 + 8 * (i * 8 + flags * 2 + (uint32_t)type);
                struct norm_data data = {.low = SHAPES[i].mean - SHAPES[i].spread,
                                         .high = SHAPES[i].mean + SHAPES[i].spread,
                                         .given = (i + flags) % 2 != 0};
                data.desc = (struct batch_norm_desc){.dtype = type ? DTYPE_BF16 : DTYPE_F32,
                                                     .batch = SHAPES[i].batch,
                                                     .channels = SHAPES[i].channels,
                                                     .height = SHAPES[i].height,
                                                     .width = SHAPES[i].width,
                                                     .relu = (flags & 1) != 0,
                                                     .residual = (flags & 2) != 0,
                                                     .training = true,
                                                     .accumulate_residual = (flags & 2) != 0 && i / 2 % 2 == 0,
                                                     .epsilon = 1e-5f,
                                                     .momentum = 0.1f};
                norm_check(suite, 0, suite->count, &data, item);
            }
}

/* Every batch norm of ResNet-18 and 50 at 32, 96 and 224: those up to 16 x 16 on all variants, the rest on the best. */
static void batch_norm_resnet(void **state)
{
    static const int DEPTHS[] = {18, 50}, SIZES[] = {32, 96, 224};
    struct ops_suite *suite = *state;
    struct layer_shapes layers = {0}, norms = {0};
    const int sizes = test_short_without("batch norms of images of 224") ? 2 : 3; /* 96: the same on smaller planes */
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < sizes; j++) layers_add_resnet(&layers, DEPTHS[i], SIZES[j]);
    for (int i = 0; i < layers.count; i++) {
        const struct layer_shape *layer = &layers.item[i];
        layers_add(&norms, layer->out, layer->out, conv_out(layer->size, layer->kernel, layer->stride, layer->padding),
                   1, 1);
    }
    for (int i = 0; i < norms.count; i++) {
        const int channels = norms.item[i].out, size = norms.item[i].size;
        struct norm_data data = {.low = -1, .high = 3, .given = true};
        data.desc = (struct batch_norm_desc){.dtype = i % 2 ? DTYPE_BF16 : DTYPE_F32,
                                             .batch = size > 32 ? 1 : 3,
                                             .channels = channels,
                                             .height = size,
                                             .width = size,
                                             .relu = i % 3 != 0,
                                             .residual = i % 3 == 2,
                                             .training = true,
                                             .epsilon = 1e-5f,
                                             .momentum = 0.1f};
        norm_check(suite, 1, size <= 16 && channels <= 512 ? suite->count : 2, &data, 5000 + 8 * (uint32_t)i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(batch_norm), cmocka_unit_test(batch_norm_resnet)};
    return run_cases(tests, ops_suite_open, ops_suite_close);
}
