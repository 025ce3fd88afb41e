/* Max-pool windows whose two largest values are 2e-7 apart, from tools/make_golden_ties.py: every float32 program sends
 * the gradient to the other value than exact arithmetic. support/kinks.h must tell that from a mistake. */
#include "golden/golden.h"
#include "nn/ops/ops.h"

struct tie_run {
    struct bench_backend bench;
    struct parameters parameters;
    struct network *network;
    int h;
    float out[64], gradient[64];
};

static void open_run(struct tie_run *run, const struct reference *file, const char *variant, enum dtype dtype)
{
    struct error error;
    const struct reference_tensor x = reference_get(file, "x"), weight = reference_get(file, "weight");
    *run = (struct tie_run){.bench = open_backend(variant)};
    CHECK_OK(network_create(&run->network, &run->parameters, NETWORK_TRAINING, dtype, &error), error);
    const struct network_conv conv = {
        .out_channels = (int)weight.dim[0], .kernel = 1, .stride = 1, .init = INIT_TRUNCATED_NORMAL};
    int tensor = network_input(run->network, (int)x.dim[0], (int)x.dim[1], (int)x.dim[2], (int)x.dim[3]);
    tensor = network_conv(run->network, "conv", tensor, conv);
    run->h = network_global_pool(run->network, network_max_pool(run->network, tensor, 3, 2, 1));
    CHECK_OK(network_check(run->network, &error), error);
    CHECK_OK(parameters_allocate(&run->parameters, NULL, &error), error);
    CHECK_OK(network_plan(run->network, run->bench.backend, &run->bench.options, &error), error);
    memcpy(parameter_weights(&run->parameters, 0), reference_f32(weight), (size_t)weight.count * sizeof(float));
    network_set_weights(run->network);
}

static void close_run(struct tie_run *run)
{
    network_destroy(&run->network);
    parameters_free(&run->parameters);
    close_backend(&run->bench);
}

static void pass(struct tie_run *run, const struct reference *file)
{
    void *images = images_of(run->network, reference_f32(reference_get(file, "x")));
    network_forward(run->network, images);
    network_read(run->network, run->h, run->out);
    network_backward(run->network, run->h, reference_f32(reference_get(file, "r")));
    memcpy(run->gradient, parameter_gradients(&run->parameters, 0), sizeof(float) * run->parameters.items[0].count);
    memory_free(images);
}

static double off(const struct reference *file, const char *name, const float *ours)
{
    const struct reference_tensor wanted = reference_get(file, "%s", name);
    return relative(ours, reference_f32(wanted), (size_t)wanted.count);
}

static void open_ties(struct reference *file)
{
    assert_true(reference_open_path(file, "tests/golden/data/pool_ties.safetensors"));
}

/* In float64 `ref` finds the exact maxima by itself. */
static void exact_arithmetic_takes_the_larger(void **state)
{
    (void)state;
    struct reference file;
    struct tie_run run;
    open_ties(&file);
    open_run(&run, &file, "ref", DTYPE_F64);
    pass(&run, &file);
    CHECK_WITHIN(off(&file, "h", run.out), 1e-6, "h");
    CHECK_WITHIN(off(&file, "exact", run.gradient), 1e-6, "the gradient of the exact branch");
    assert_true(off(&file, "other", run.gradient) > 1e-2); /* the branches are told apart */
    close_run(&run);
    reference_close(&file);
}

/* A float32 program takes the first; ref on its branch, in float64, has the same gradient, and names the ties. */
static void float32_is_on_the_other_branch(void **state)
{
    const struct job *job = *state;
    struct reference file;
    struct tie_run run, oracle;
    struct kinks kinks;
    open_ties(&file);
    open_run(&run, &file, job->variant, DTYPE_F32);
    kinks_record(&kinks, run.network);
    pass(&run, &file);
    CHECK_WITHIN(off(&file, "h", run.out), 1e-5, "h");
    CHECK_WITHIN(off(&file, "other", run.gradient), 1e-5, "the gradient of the other branch");
    open_run(&oracle, &file, "ref", DTYPE_F64);
    kinks_impose(&kinks, oracle.network);
    pass(&oracle, &file);
    CHECK_WITHIN(relative(run.gradient, oracle.gradient, run.parameters.items[0].count), 1e-5, "beside ref, imposed");
    assert_int_equal(kinks.flips, (int)reference_number(reference_get(&file, "ties"), 0));
    CHECK_WITHIN(kinks.furthest, 1e-6, "distance of a tie");
    kinks_free(&kinks);
    close_run(&oracle);
    close_run(&run);
    reference_close(&file);
}

/* A wrong choice far from a tie is no kink: it is counted, and its distance says so. */
static void a_mistake_is_no_tie(void **state)
{
    (void)state;
    struct reference file;
    struct tie_run run;
    struct kinks kinks;
    open_ties(&file);
    open_run(&run, &file, "ref", DTYPE_F64);
    kinks_record(&kinks, run.network);
    pass(&run, &file);
    float *read = kinks.values[1]; /* operations: convolution, max-pool, global pool */
    assert_non_null(read);
    read[0] += 100; /* as if the first window had chosen its corner */
    kinks_impose(&kinks, run.network);
    pass(&run, &file);
    assert_true(kinks.flips > 0);
    assert_true(kinks.furthest > 5e-5); /* CHECK_KINKS fails */
    kinks_free(&kinks);
    close_run(&run);
    reference_close(&file);
}

static void each(struct list *list, const char *variant, bool all, int i)
{
    if (i == 0 || all) add(list, float32_is_on_the_other_branch, "ties", NULL, variant, DTYPE_F32);
}

int main(void)
{
    static struct list list;
    add(&list, exact_arithmetic_takes_the_larger, "exact arithmetic", NULL, "ref", DTYPE_F64);
    add(&list, a_mistake_is_no_tie, "a mistake", NULL, "ref", DTYPE_F64);
    add(&list, float32_is_on_the_other_branch, "ties", NULL, "ref", DTYPE_F32);
    add_variants(&list, false, each);
    return run_group("golden_ties", list.tests, (size_t)list.count, NULL, NULL);
}
