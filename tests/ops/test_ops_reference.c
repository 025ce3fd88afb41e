/* NT-Xent and LARS on every backend against the reference tensors, to the tolerances that come with them:
 * loss 1e-5 relative (absolute below 1e-3), gradient 1e-4 in norm, LARS weights and momentum 1e-5 in norm. */
#include "ops/ops.h"
#include "support/reference.h"

static void nt_xent_cases(struct ops_target *target)
{
    const struct backend_ops *ops = target->backend->ops;
    struct reference file;
    assert_true(reference_open(&file, "ntxent"));
    int count = 0;
    for (; reference_has(&file, "case%d.z", count); count++) {
        const struct reference_tensor z = reference_get(&file, "case%d.z", count);
        const float *gradient = reference_f32(reference_get(&file, "case%d.grad", count));
        const double loss = reference_number(reference_get(&file, "case%d.loss", count), 0);
        const double top1 = reference_number(reference_get(&file, "case%d.top1", count), 0);
        const double temperature = reference_number(reference_get(&file, "case%d.temperature", count), 0);
        struct nt_xent_desc desc = {(int)z.dim[0] / 2, (int)z.dim[1], (float)temperature, true, 0, 0};
        struct ops_buffers buffers = {0};
        struct nt_xent_plan *plan;
        struct nt_xent_result result;
        struct error error;
        float *rows = ops_floats(&buffers, (size_t)z.count), *d_z = ops_floats(&buffers, (size_t)z.count);
        memcpy(rows, reference_f32(z), (size_t)z.count * sizeof *rows);
        if (ops->nt_xent_create(target->backend, &desc, &plan, &error) != SIMCLR_OK) fail_msg("%s", error.text);
        ops_nt_xent_run(target, plan, &desc, &result, d_z, rows);
        ops_check(&buffers, "nt_xent_run");
        const double norm = ops_rms(gradient, (size_t)z.count);
        if (!(fabs(result.loss - loss) <= 1e-5 * (loss >= 1e-3 ? loss : 1)) || result.top1 != top1)
            fail_msg("%s, case %d: loss %.12g should be %.12g, top1 %g should be %g", target->label, count, result.loss,
                     loss, result.top1, top1);
        if (norm > 0 && !(ops_distance(d_z, gradient, (size_t)z.count) <= 1e-4))
            fail_msg("%s, case %d: gradient off by %.3g of its norm", target->label, count,
                     ops_distance(d_z, gradient, (size_t)z.count));
        for (int64_t i = 0; norm == 0 && i < z.count; i++) assert_float_equal(d_z[i], 0, 1e-6);
        ops_nt_xent_run(target, plan, &desc, &result, NULL, rows); /* loss only */
        assert_true(fabs(result.loss - loss) <= 1e-5 * (loss >= 1e-3 ? loss : 1));
        ops->nt_xent_destroy(&plan);
        ops_free(&buffers);
    }
    assert_true(count >= 6);
    reference_close(&file);
}

static void lars_kind(struct ops_target *target, const struct reference *file, const char *kind)
{
    const struct reference_tensor start = reference_get(file, "%s.w0", kind);
    const size_t count = (size_t)start.count;
    const bool plain = strcmp(kind, "plain") == 0;
    struct ops_buffers buffers = {0};
    float *weight = ops_floats(&buffers, count), *momentum = ops_floats(&buffers, count);
    float *gradient = ops_floats(&buffers, count);
    memcpy(weight, reference_f32(start), count * sizeof *weight);
    memset(momentum, 0, count * sizeof *momentum);
    for (int i = 0; i < 5; i++) {
        const struct optimizer_segment segment = {weight, momentum, NULL, gradient, count, !plain, !plain, 1};
        const struct optimizer_desc desc = {.kind = OPTIMIZER_LARS,
                                            .momentum = (float)reference_metadata(file, "momentum", 0),
                                            .weight_decay = (float)reference_metadata(file, "weight_decay", 0),
                                            .trust = (float)reference_metadata(file, "eta", 0),
                                            .segments = &segment,
                                            .count = 1};
        const float rate = (float)reference_number(reference_get(file, "learning_rates"), i);
        memcpy(gradient, reference_f32(reference_get(file, "%s.g%d", kind, i)), count * sizeof *gradient);
        ops_optimizer_run(target, &desc, (struct step_inputs){.step = i + 1, .learning_rate = rate});
        ops_check(&buffers, "optimizer_run");
        const double w = ops_distance(weight, reference_f32(reference_get(file, "%s.w%d", kind, i + 1)), count);
        const double v = ops_distance(momentum, reference_f32(reference_get(file, "%s.v%d", kind, i + 1)), count);
        if (!(w <= 1e-5) || !(v <= 1e-5))
            fail_msg("%s, %s, step %d: weights off by %.3g, momentum by %.3g", target->label, kind, i + 1, w, v);
    }
    ops_free(&buffers);
}

static void lars_cases(struct ops_target *target)
{
    static const char *const KINDS[] = {"conv", "dense", "plain", "zero"};
    struct reference file;
    assert_true(reference_open(&file, "lars"));
    for (int i = 0; i < 4; i++) lars_kind(target, &file, KINDS[i]);
    reference_close(&file);
}

static void need_reference(void)
{
    static const char *const NAMES[] = {"ntxent", "lars"};
    struct reference file;
    for (int i = 0; i < 2; i++) {
        if (!reference_open(&file, NAMES[i])) skip_reference(NAMES[i]);
        reference_close(&file);
    }
}

static void reference_on_ref(void **state)
{
    (void)state;
    need_reference();
    struct ops_target target;
    ops_open(&target, "ref", NULL, 1);
    nt_xent_cases(&target);
    lars_cases(&target);
    ops_close(&target);
}

static void visit(const char *variant, void *context)
{
    (void)context;
    for (int threads = 1; threads <= 3; threads++) {
        struct ops_target target;
        ops_open(&target, "cpu", variant, threads);
        nt_xent_cases(&target);
        lars_cases(&target);
        ops_close(&target);
    }
}

static void reference_on_cpu(void **state)
{
    (void)state;
    need_reference();
    ops_report_variants();
    assert_true(ops_each_variant(visit, NULL) >= 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(reference_on_ref), cmocka_unit_test(reference_on_cpu)};
    return run_cases(tests, NULL, NULL);
}
