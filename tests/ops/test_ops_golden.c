/* Every operation of every backend in float32 against PyTorch's float64 (tests/golden/data/ops_*.safetensors, made by
 * tools/make_golden_ops.py). Tolerances: docs/numerics.md; here K is at most 63, so 2e-5 of the rms covers all. */
#include "ops/ops.h"
#include "support/reference.h"

static const double TOLERANCE = 2e-5;

struct golden {
    struct reference file;
    struct ops_target *target;
    struct ops_buffers buffers;
    int number; /* of the case */
};

static bool open_case(struct golden *golden, struct ops_target *target, const char *name, int number)
{
    char path[200];
    memset(golden, 0, sizeof *golden);
    snprintf(path, sizeof path, "tests/golden/data/ops_%s.safetensors", name);
    if (!reference_open_path(&golden->file, path)) fail_msg("%s is missing", path);
    golden->target = target;
    golden->number = number;
    if (reference_has(&golden->file, "case%d.d_y", number) || reference_has(&golden->file, "case%d.z", number))
        return true;
    reference_close(&golden->file);
    return false;
}

static void close_case(struct golden *golden)
{
    ops_free(&golden->buffers);
    reference_close(&golden->file);
}

/* A guarded copy, so that reading beyond it meets the guard. */
static float *get(struct golden *golden, const char *name)
{
    struct reference_tensor tensor = reference_get(&golden->file, "case%d.%s", golden->number, name);
    float *copy = ops_floats(&golden->buffers, (size_t)tensor.count);
    memcpy(copy, reference_f32(tensor), (size_t)tensor.count * sizeof *copy);
    return copy;
}

static double number_of(const struct golden *golden, const char *name)
{
    return reference_number(reference_get(&golden->file, "case%d.%s", golden->number, name), 0);
}

static int geometry(const struct golden *golden, int index)
{
    return (int)reference_number(reference_get(&golden->file, "case%d.geometry", golden->number), index);
}

static void compare(struct golden *golden, const char *name, const float *got)
{
    struct reference_tensor want = reference_get(&golden->file, "case%d.%s", golden->number, name);
    char what[160];
    snprintf(what, sizeof what, "%s, case %d, %s", golden->target->label, golden->number, name);
    ops_check(&golden->buffers, what);
    const float *values = reference_f32(want);
    ops_near(what, got, values, (size_t)want.count, 0, TOLERANCE * ops_rms(values, (size_t)want.count));
}

static void compare_tensor(struct golden *golden, const char *name, const struct tensor_desc *desc, const void *tensor)
{
    compare(golden, name, ops_download(&golden->buffers, golden->target, desc, tensor));
}

/* ---- operations -------------------------------------------------------------------------------------------------- */
static void convolution_case(struct golden *golden)
{
    const struct backend_ops *ops = golden->target->backend->ops;
    struct ops_buffers *buffers = &golden->buffers;
    struct conv_desc desc = {.dtype = DTYPE_F32,
                             .batch = geometry(golden, 0),
                             .in_channels = geometry(golden, 1),
                             .out_channels = geometry(golden, 2),
                             .in_height = geometry(golden, 3),
                             .in_width = geometry(golden, 4),
                             .kernel = geometry(golden, 5),
                             .stride = geometry(golden, 6),
                             .padding = geometry(golden, 7),
                             .bias = geometry(golden, 8) != 0,
                             .training = true,
                             .input_gradient = true};
    struct tensor_desc in = ops_tensor(DTYPE_F32, desc.batch, desc.in_channels, desc.in_height, desc.in_width);
    struct tensor_desc out = ops_tensor(DTYPE_F32, desc.batch, desc.out_channels,
                                        conv_out(desc.in_height, desc.kernel, desc.stride, desc.padding),
                                        conv_out(desc.in_width, desc.kernel, desc.stride, desc.padding));
    const size_t weights = (size_t)desc.in_channels * (size_t)desc.out_channels * (size_t)(desc.kernel * desc.kernel);
    struct conv_plan *plan;
    struct error error;
    if (ops->conv_create(golden->target->backend, &desc, &plan, &error) != SIMCLR_OK) fail_msg("%s", error.text);
    ops->conv_set_weights(plan, get(golden, "weight"));
    void *x = ops_upload(buffers, golden->target, &in, get(golden, "x"));
    void *d_y = ops_upload(buffers, golden->target, &out, get(golden, "d_y"));
    void *y = ops_upload(buffers, golden->target, &out, NULL), *d_x = ops_upload(buffers, golden->target, &in, NULL);
    float *d_weight = ops_floats(buffers, weights);
    float *d_bias = desc.bias ? ops_floats(buffers, (size_t)desc.out_channels) : NULL;
    ops->conv_forward(plan, y, NULL, x, desc.bias ? get(golden, "bias") : NULL);
    compare_tensor(golden, "y", &out, y);
    ops->conv_backward_data(plan, d_x, d_y);
    compare_tensor(golden, "d_x", &in, d_x);
    ops->conv_backward_weights(plan, d_weight, d_bias, d_y, x);
    compare(golden, "d_weight", d_weight);
    if (desc.bias) compare(golden, "d_bias", d_bias);
    ops->conv_destroy(&plan);
    assert_null(plan);
}

static void batch_norm_case(struct golden *golden)
{
    struct ops_target *target = golden->target;
    const struct backend_ops *ops = target->backend->ops;
    struct ops_buffers *buffers = &golden->buffers;
    struct batch_norm_desc desc = {.dtype = DTYPE_F32,
                                   .batch = geometry(golden, 0),
                                   .channels = geometry(golden, 1),
                                   .height = geometry(golden, 2),
                                   .width = geometry(golden, 3),
                                   .relu = geometry(golden, 4) != 0,
                                   .residual = geometry(golden, 5) != 0,
                                   .training = true,
                                   .epsilon = 1e-5f,
                                   .momentum = 0.1f};
    struct tensor_desc shape = ops_tensor(DTYPE_F32, desc.batch, desc.channels, desc.height, desc.width);
    const size_t channels = (size_t)desc.channels;
    struct batch_norm_plan *plan;
    struct error error;
    if (ops->batch_norm_create(target->backend, &desc, &plan, &error) != SIMCLR_OK) fail_msg("%s", error.text);
    void *x = ops_upload(buffers, target, &shape, get(golden, "x"));
    void *residual = desc.residual ? ops_upload(buffers, target, &shape, get(golden, "residual")) : NULL;
    void *d_y = ops_upload(buffers, target, &shape, get(golden, "d_y"));
    void *y = ops_upload(buffers, target, &shape, NULL), *d_x = ops_upload(buffers, target, &shape, NULL);
    void *d_residual = desc.residual ? ops_upload(buffers, target, &shape, NULL) : NULL;
    float *gamma = get(golden, "gamma"), *beta = get(golden, "beta"), *mean = get(golden, "mean"),
          *var = get(golden, "var");
    void *saved = ops_new(buffers, ops->batch_norm_saved_bytes(plan));
    float *d_gamma = ops_floats(buffers, channels), *d_beta = ops_floats(buffers, channels);
    ops->batch_norm_inference(plan, &(struct batch_norm_inference_args){.y = y,
                                                                        .x = x,
                                                                        .residual = residual,
                                                                        .gamma = gamma,
                                                                        .beta = beta,
                                                                        .running_mean = mean,
                                                                        .running_var = var});
    compare_tensor(golden, "inference", &shape, y);
    void *mask = desc.relu ? ops_new(buffers, ops->batch_norm_mask_bytes(plan)) : NULL;
    float *next_mean = ops_floats(buffers, channels), *next_var = ops_floats(buffers, channels);
    ops->batch_norm_forward(plan, &(struct batch_norm_forward_args){.y = y,
                                                                    .mask = mask,
                                                                    .saved = saved,
                                                                    .next_mean = next_mean,
                                                                    .next_var = next_var,
                                                                    .x = x,
                                                                    .residual = residual,
                                                                    .count = ops_norm_count(&desc),
                                                                    .gamma = gamma,
                                                                    .beta = beta,
                                                                    .running_mean = mean,
                                                                    .running_var = var});
    compare_tensor(golden, "y", &shape, y);
    compare(golden, "new_mean", next_mean);
    compare(golden, "new_var", next_var);
    const struct batch_norm_backward_args back = {.d_x = d_x,
                                                  .d_residual = d_residual,
                                                  .count = ops_norm_count(&desc),
                                                  .d_y = d_y,
                                                  .x = x,
                                                  .mask = mask,
                                                  .saved = saved,
                                                  .gamma = gamma};
    ops_norm_backward(ops, plan, &back, ops_statistics(buffers, target, desc.channels), d_gamma, d_beta);
    compare_tensor(golden, "d_x", &shape, d_x);
    compare(golden, "d_gamma", d_gamma);
    compare(golden, "d_beta", d_beta);
    if (desc.residual) compare_tensor(golden, "d_residual", &shape, d_residual);
    ops->batch_norm_destroy(&plan);
}

static void pool_case(struct golden *golden)
{
    struct ops_target *target = golden->target;
    const struct backend_ops *ops = target->backend->ops;
    struct ops_buffers *buffers = &golden->buffers;
    struct max_pool_desc desc = {.dtype = DTYPE_F32,
                                 .batch = geometry(golden, 0),
                                 .channels = geometry(golden, 1),
                                 .in_height = geometry(golden, 2),
                                 .in_width = geometry(golden, 3),
                                 .kernel = geometry(golden, 4),
                                 .stride = geometry(golden, 5),
                                 .padding = geometry(golden, 6),
                                 .training = true};
    struct global_pool_desc global = {.dtype = DTYPE_F32,
                                      .batch = desc.batch,
                                      .channels = desc.channels,
                                      .height = desc.in_height,
                                      .width = desc.in_width};
    struct tensor_desc in = ops_tensor(DTYPE_F32, desc.batch, desc.channels, desc.in_height, desc.in_width);
    struct tensor_desc out = ops_tensor(DTYPE_F32, desc.batch, desc.channels,
                                        conv_out(desc.in_height, desc.kernel, desc.stride, desc.padding),
                                        conv_out(desc.in_width, desc.kernel, desc.stride, desc.padding));
    struct tensor_desc pooled = ops_tensor(DTYPE_F32, desc.batch, desc.channels, 1, 1);
    struct max_pool_plan *plan;
    struct global_pool_plan *global_plan;
    struct error error;
    if (ops->max_pool_create(target->backend, &desc, &plan, &error) != SIMCLR_OK) fail_msg("%s", error.text);
    if (ops->global_pool_create(target->backend, &global, &global_plan, &error) != SIMCLR_OK)
        fail_msg("%s", error.text);
    void *x = ops_upload(buffers, target, &in, get(golden, "x")), *d_x = ops_upload(buffers, target, &in, NULL);
    void *y = ops_upload(buffers, target, &out, NULL), *d_y = ops_upload(buffers, target, &out, get(golden, "d_y"));
    void *saved = ops_new(buffers, ops->max_pool_saved_bytes(plan));
    ops->max_pool_forward(plan, y, saved, x);
    compare_tensor(golden, "y", &out, y);
    ops->max_pool_backward(plan, d_x, d_y, saved);
    compare_tensor(golden, "d_x", &in, d_x);
    void *mean = ops_upload(buffers, target, &pooled, NULL);
    ops->global_pool_forward(global_plan, mean, x);
    compare_tensor(golden, "mean", &pooled, mean);
    ops->global_pool_backward(global_plan, d_x, ops_upload(buffers, target, &pooled, get(golden, "d_mean")));
    compare_tensor(golden, "d_x_mean", &in, d_x);
    ops->max_pool_destroy(&plan);
    ops->global_pool_destroy(&global_plan);
}

static void nt_xent_case(struct golden *golden)
{
    const struct backend_ops *ops = golden->target->backend->ops;
    const struct reference_tensor rows = reference_get(&golden->file, "case%d.z", golden->number);
    struct nt_xent_desc desc = {.images = (int)rows.dim[0] / 2,
                                .dim = (int)rows.dim[1],
                                .temperature = (float)number_of(golden, "temperature"),
                                .training = true};
    struct nt_xent_plan *plan;
    struct nt_xent_result result;
    struct error error;
    if (ops->nt_xent_create(golden->target->backend, &desc, &plan, &error) != SIMCLR_OK) fail_msg("%s", error.text);
    float *z = get(golden, "z"), *d_z = ops_floats(&golden->buffers, (size_t)rows.count);
    ops_nt_xent_run(golden->target, plan, &desc, &result, d_z, z);
    if (desc.images > 1)
        compare(golden, "d_z", d_z);
    else /* one pair alone: the loss is 0 whatever z */
        for (int64_t i = 0; i < rows.count; i++) assert_float_equal(d_z[i], 0, 1e-6);
    assert_float_equal(result.loss, number_of(golden, "loss"), 1e-5);
    assert_float_equal(result.top1, number_of(golden, "top1"), 1e-7); /* stored as float32 */
    assert_float_equal(result.entropy, number_of(golden, "entropy"), 1e-5);
    assert_float_equal(result.positive_similarity, number_of(golden, "positive"), 1e-5);
    assert_float_equal(result.negative_similarity, number_of(golden, "negative"), 1e-5);
    ops->nt_xent_destroy(&plan);
}

/* ---- optimisers -------------------------------------------------------------------------------------------------- */
static const struct {
    enum optimizer_kind kind;
    const char *name;
    float rate_scale;
} OPTIMIZERS[] = {{OPTIMIZER_LARS, "lars", 1}, {OPTIMIZER_SGD, "sgd", 1}, {OPTIMIZER_ADAMW, "adamw", 0.01f}};

static void optimizer_cases(struct ops_target *target)
{
    struct golden golden = {.target = target};
    if (!reference_open_path(&golden.file, "tests/golden/data/ops_optimizer.safetensors"))
        fail_msg("golden file missing");
    const struct reference_tensor start = reference_get(&golden.file, "w");
    const size_t count = (size_t)start.count;
    for (int which = 0; which < 6; which++) {
        const bool plain = which % 2 != 0;
        float *weight = ops_floats(&golden.buffers, count), *gradient = ops_floats(&golden.buffers, count);
        float *state1 = ops_floats(&golden.buffers, count), *state2 = ops_floats(&golden.buffers, count);
        memcpy(weight, reference_f32(start), count * sizeof(float));
        memset(state1, 0, count * sizeof(float));
        memset(state2, 0, count * sizeof(float));
        for (int i = 0; i < 4; i++) {
            const double rate = reference_number(reference_get(&golden.file, "rates"), i);
            const struct optimizer_segment segment = {weight, state1, state2, gradient, count, !plain, !plain, 1};
            const struct optimizer_desc desc = {.kind = OPTIMIZERS[which / 2].kind,
                                                .momentum = 0.9f,
                                                .trust = 0.001f,
                                                .weight_decay = 0.01f,
                                                .beta2 = 0.999f,
                                                .epsilon = 1e-8f,
                                                .segments = &segment,
                                                .count = 1};
            const struct step_inputs inputs = {.step = i + 1,
                                               .learning_rate = (float)rate * OPTIMIZERS[which / 2].rate_scale};
            memcpy(gradient, reference_f32(reference_get(&golden.file, "g%d", i)), count * sizeof(float));
            ops_optimizer_run(target, &desc, inputs);
            char what[160];
            snprintf(what, sizeof what, "%s, %s, step %d", target->label, OPTIMIZERS[which / 2].name, i + 1);
            ops_check(&golden.buffers, what);
            const float *want = reference_f32(
                reference_get(&golden.file, "%s.%s.w%d", OPTIMIZERS[which / 2].name, plain ? "plain" : "decay", i));
            ops_near(what, weight, want, count, 1e-6, 2e-6 * ops_rms(want, count));
            if (which / 2 != 0) continue;
            want = reference_f32(reference_get(&golden.file, "lars.%s.v%d", plain ? "plain" : "decay", i));
            ops_near(what, state1, want, count, 1e-6, 2e-6 * ops_rms(want, count));
        }
    }
    close_case(&golden);
}

/* ---- the program ------------------------------------------------------------------------------------------------- */
static int golden_cases(struct ops_target *target, const char *name, void (*run)(struct golden *))
{
    struct golden golden;
    int count = 0;
    for (; open_case(&golden, target, name, count); count++) {
        run(&golden);
        close_case(&golden);
    }
    return count;
}

static void everything(struct ops_target *target)
{
    assert_int_equal(golden_cases(target, "conv", convolution_case), 6);
    assert_int_equal(golden_cases(target, "batch_norm", batch_norm_case), 4);
    assert_int_equal(golden_cases(target, "pool", pool_case), 3);
    assert_int_equal(golden_cases(target, "nt_xent", nt_xent_case), 4);
    optimizer_cases(target);
}

static void golden_on_ref(void **state)
{
    (void)state;
    struct ops_target target;
    ops_open(&target, "ref", NULL, 1);
    everything(&target);
    ops_close(&target);
}

static void visit(const char *variant, void *context)
{
    (void)context;
    struct ops_target target;
    ops_open(&target, "cpu", variant, 2);
    everything(&target);
    ops_close(&target);
}

static void golden_on_cpu(void **state)
{
    (void)state;
    ops_report_variants();
    assert_true(ops_each_variant(visit, NULL) >= 2); /* portable and emulated run anywhere */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(golden_on_ref), cmocka_unit_test(golden_on_cpu)};
    return run_cases(tests, NULL, NULL);
}
