/* Training with labels against PyTorch's float64, that of the reference folder, on `ref` and on every cpu variant:
 * - steps of SGD on a network with a classifier;
 * - a network cut after a layer of its head, and its steps by LARS;
 * - every cut, on given features.
 * These references have no kink within float32's reach, so their tolerances hold
 * outright, by direct kernels and by Winograd's. bf16: 1.25 times PyTorch's own error. */
#include "golden/golden.h"
#include "loss/cross_entropy.h"
#include "nn/ops/ops.h"
#include "train/step.h"

/* bf16 in PyTorch, from the reference's README; `logits` in training and in inference. */
static const struct {
    double losses, change, worst_change;
} STEPS_BF16 = {0.0031, 0.14, 0.66};
static const struct {
    double train, eval, running, gradients, worst_gradient;
} CUT_BF16 = {0.023, 0.0084, 0.0055, 0.098, 0.34};

struct run {
    struct bench_backend bench;
    struct model *model;
    struct step step;
    const struct reference *file;
    enum dtype dtype;
    float *logits;
};

/* ---- weights ------------------------------------------------------------------------------------------------ */

static const struct job *open_file(void **state, struct reference *file, const char *name)
{
    if (!reference_open(file, name)) skip_reference(name);
    return *state;
}

/* Every row of the table that is trained, or that the file has a value of: `prefix` and the row's name, with the
 * encoder's prefix where the file has one. Others stay as the model starts. */
static struct reference_tensor tensor_of(const struct reference *file, const char *prefix, const struct parameter *item,
                                         bool encoder_prefix)
{
    const bool encoder = encoder_prefix && !(item->flags & PARAMETER_HEAD);
    char name[160];
    snprintf(name, sizeof name, "%s.%s%s", prefix, encoder ? "encoder." : "", item->name);
    if (item->flags & PARAMETER_BUFFER && !reference_has(file, "%s", name)) return (struct reference_tensor){.rank = 0};
    return reference_get(file, "%s", name);
}

static void load(struct parameters *parameters, const struct reference *file, const char *prefix, bool encoder_prefix)
{
    for (int i = 0; i < parameters->count; i++) {
        const struct parameter *item = &parameters->items[i];
        const struct reference_tensor values = tensor_of(file, prefix, item, encoder_prefix);
        if (!values.data) continue;
        assert_int_equal(values.count, item->count);
        memcpy(parameter_weights(parameters, i), reference_f32(values), item->count * sizeof(float));
    }
}

/* How far weights are from `prefix`, against how far they moved from `from`: all together, and the worst tensor. */
static void measure_change(const struct run *run, const char *prefix, const char *from, bool encoder_prefix,
                           double *all, double *worst)
{
    const struct parameters *parameters = &run->model->parameters;
    struct distance sum = {0, 0};
    *worst = 0;
    for (int i = 0; i < parameters->count; i++) {
        const struct parameter *item = &parameters->items[i];
        if (item->flags & PARAMETER_BUFFER) continue;
        const float *exact = reference_f32(tensor_of(run->file, prefix, item, encoder_prefix));
        struct distance one = {0, 0}, moved = {0, 0};
        distance_add(&one, parameter_weights(parameters, i), exact, item->count);
        distance_add(&moved, reference_f32(tensor_of(run->file, from, item, encoder_prefix)), exact, item->count);
        one.norm = moved.difference;
        sum.difference += one.difference;
        sum.norm += one.norm;
        *worst = fmax(*worst, distance_ratio(one));
    }
    *all = distance_ratio(sum);
}

/* ---- runs ----------------------------------------------------------------------------------------------------- */

/* ResNet-18 with the CIFAR stem, width and head of the file, 10 classes. */
static void open_run(struct run *run, const struct job *job, const struct reference *file, enum optimizer_kind kind,
                     const char *prefix, bool encoder_prefix)
{
    struct error error = {0};
    const struct reference_tensor x = reference_get(file, "x0");
    const struct model_config model = {
        .resnet = {.depth = 18, .width = reference_metadata(file, "width", 0), .stem = STEM_CIFAR},
        .image_size = (int)x.dim[2],
        .head_layers = (int)reference_metadata(file, "head_layers", 0),
        .head_dim = (int)reference_metadata(file, "head_dim", 32),
        .classes = 10,
        .cut = (int)reference_metadata(file, "cut", 0)};
    *run = (struct run){.bench = open_backend(job->variant), .file = file, .dtype = job->dtype};
    const struct step_config config = {
        .loss = &step_cross_entropy,
        .images = (int)x.dim[0],
        .dtype = job->dtype,
        .planning = run->bench.options,
        .optimizer = {.kind = kind,
                      .momentum = (float)reference_metadata(file, "momentum", 0),
                      .weight_decay = (float)reference_metadata(file, "weight_decay", 0),
                      .trust = (float)reference_metadata(file, "eta", 0.001)},
        .schedule = step_schedule_constant(1),
    };
    CHECK_OK(model_create(&run->model, &model, run->bench.backend, 1, &error), error);
    load(&run->model->parameters, file, prefix, encoder_prefix);
    CHECK_OK(step_open(&run->step, &config, run->bench.backend, run->model, &error), error);
    run->logits = memory_array((size_t)x.dim[0] * 10, sizeof *run->logits);
    assert_non_null(run->logits);
}

static void close_run(struct run *run)
{
    memory_free(run->logits);
    step_close(&run->step);
    model_destroy(&run->model);
    close_backend(&run->bench);
}

/* Step i of the file at this rate; returns how far the loss is off. update: or only the gradients are wanted. */
static double take_step(struct run *run, int i, double rate, double loss, bool update)
{
    struct error error = {0};
    struct step_report report;
    struct step *step = &run->step;
    const struct reference_tensor labels = reference_get(run->file, "labels%d", i);
    int32_t label[64];
    for (int64_t k = 0; k < labels.count; k++) label[k] = (int32_t)reference_number(labels, k);
    void *images = images_of(step->network, reference_f32(reference_get(run->file, "x%d", i)));
    const struct batch batch = {.count = (int)labels.count, .views = images, .labels = label};
    step->schedule = step_schedule_constant(rate);
    step_forward(step, &batch);
    network_read(step->network, step->tensors.z, run->logits);
    step_loss(step);
    step_backward(step);
    double off = fabs(step->numbers->cross_entropy.loss / loss - 1);
    if (update) {
        CHECK_OK(step_update(step, &report, &error), error);
        assert_false(report.skipped);
        off = fabs(report.loss / loss - 1);
    }
    memory_free(images);
    return off;
}

/* The logits of x0 in inference mode. */
static double measure_inference(struct run *run)
{
    struct error error = {0};
    struct network *network;
    struct model_tensors tensors;
    const struct reference_tensor x = reference_get(run->file, "x0");
    const struct model_plan_args args = {.backend = run->bench.backend,
                                         .mode = NETWORK_INFERENCE,
                                         .dtype = run->dtype,
                                         .batch = (int)x.dim[0],
                                         .options = run->bench.options};
    CHECK_OK(model_plan(run->model, &args, &network, &tensors, &error), error);
    void *images = images_of(network, reference_f32(x));
    network_forward(network, images);
    network_read(network, tensors.z, run->logits);
    memory_free(images);
    network_destroy(&network);
    return relative(run->logits, reference_f32(reference_get(run->file, "eval.logits")), (size_t)x.dim[0] * 10);
}

static double measure_running(const struct run *run, const char *prefix, bool encoder_prefix)
{
    const struct parameters *parameters = &run->model->parameters;
    double worst = 0;
    for (int i = 0; i < parameters->count; i++) {
        const struct parameter *item = &parameters->items[i];
        if (!(item->flags & PARAMETER_BUFFER)) continue;
        const float *theirs = reference_f32(tensor_of(run->file, prefix, item, encoder_prefix));
        worst = fmax(worst, relative(parameter_weights(parameters, i), theirs, item->count));
    }
    return worst;
}

/* ---- steps by SGD: `supervised_step` --------------------------------------------------------------------------- */

static void test_steps(void **state)
{
    enum { STEPS = 3 };
    struct reference file;
    struct run run;
    const struct job *job = open_file(state, &file, "supervised_step");
    const bool exact = job->dtype != DTYPE_BF16;
    open_run(&run, job, &file, OPTIMIZER_SGD, "w0", false);
    for (int i = 0; i < STEPS; i++) {
        char prefix[8];
        double all, worst;
        snprintf(prefix, sizeof prefix, "w%d", i + 1);
        const double loss = reference_number(reference_get(&file, "losses"), i);
        const double rate = reference_number(reference_get(&file, "learning_rates"), i);
        const double off = take_step(&run, i, rate, loss, true);
        measure_change(&run, prefix, "w0", false, &all, &worst);
        print_message("%s, step %d: loss %.2g off, change of weights %.2g (worst tensor %.2g)\n", job->name, i, off,
                      all, worst);
        CHECK_WITHIN(off, exact ? 1e-5 : 1.25 * STEPS_BF16.losses, "the loss");
        CHECK_WITHIN(all, exact ? 1e-4 : 1.25 * STEPS_BF16.change, "the change of all weights");
        CHECK_WITHIN(worst, exact ? 1e-3 : 1.25 * STEPS_BF16.worst_change, "the change of a tensor");
    }
    if (exact) {
        CHECK_WITHIN(measure_running(&run, "running", false), 1e-5, "running statistics");
        CHECK_WITHIN(measure_inference(&run), 1e-5, "logits in inference");
    }
    close_run(&run);
    reference_close(&file);
}

/* ---- a cut network: `finetune_cut` ------------------------------------------------------------------------------ */

static void test_cut(void **state)
{
    struct reference file;
    struct run run;
    const struct job *job = open_file(state, &file, "finetune_cut");
    const bool exact = job->dtype != DTYPE_BF16;
    open_run(&run, job, &file, OPTIMIZER_LARS, "weights", true);
    const struct parameters *parameters = &run.model->parameters;
    assert_true(parameters_find(parameters, "head.fcs.0.weight") >= 0);
    assert_int_equal(parameters_find(parameters, "head.fcs.1.weight"), -1); /* neither run nor trained */
    const double off = take_step(&run, 0, 1, reference_number(reference_get(&file, "loss"), 0), false);
    const struct reference_tensor logits = reference_get(&file, "train.logits");
    const double train = relative(run.logits, reference_f32(logits), (size_t)logits.count);
    struct distance gradients = {0, 0};
    double worst = 0;
    for (int i = 0; i < parameters->count; i++) {
        const struct parameter *item = &parameters->items[i];
        if (item->flags & PARAMETER_BUFFER) continue;
        const float *theirs = reference_f32(tensor_of(&file, "train.grad", item, true));
        distance_add(&gradients, parameter_gradients(parameters, i), theirs, item->count);
        worst = fmax(worst, relative(parameter_gradients(parameters, i), theirs, item->count));
    }
    commit_statistics(&run.model->parameters);
    const double running = measure_running(&run, "train", true), eval = measure_inference(&run);
    print_message("%s: loss %.2g off, logits %.2g and %.2g, running %.2g, gradients %.2g (worst %.2g)\n", job->name,
                  off, train, eval, running, distance_ratio(gradients), worst);
    CHECK_WITHIN(off, exact ? 1e-5 : 1.25 * CUT_BF16.train, "the loss");
    CHECK_WITHIN(train, exact ? 1e-5 : 1.25 * CUT_BF16.train, "logits in training");
    CHECK_WITHIN(eval, exact ? 1e-5 : 1.25 * CUT_BF16.eval, "logits in inference");
    CHECK_WITHIN(running, exact ? 1e-5 : 1.25 * CUT_BF16.running, "running statistics");
    CHECK_WITHIN(distance_ratio(gradients), exact ? 1e-4 : 1.25 * CUT_BF16.gradients, "all gradients");
    CHECK_WITHIN(worst, exact ? 1e-4 : 1.25 * CUT_BF16.worst_gradient, "a gradient");
    close_run(&run);
    reference_close(&file);
}

/* LARS: the kept layers adapt, the classifier has trust 1. */
static void test_lars(void **state)
{
    struct reference file;
    struct run run;
    const struct job *job = open_file(state, &file, "finetune_cut");
    open_run(&run, job, &file, OPTIMIZER_LARS, "weights", true);
    for (int i = 0; i < 2; i++) {
        char prefix[16];
        double all, worst;
        snprintf(prefix, sizeof prefix, "lars.w%d", i + 1);
        const double loss = reference_number(reference_get(&file, "lars.losses"), i);
        const double off = take_step(&run, i, reference_metadata(&file, "lr", 0), loss, true);
        measure_change(&run, prefix, "weights", true, &all, &worst);
        print_message("%s, step %d: loss %.2g off, change of weights %.2g (worst tensor %.2g)\n", job->name, i, off,
                      all, worst);
        CHECK_WITHIN(off, 1e-5, "the loss");
        CHECK_WITHIN(all, 1e-4, "the change of all weights");
        CHECK_WITHIN(worst, 1e-3, "the change of a tensor");
    }
    close_run(&run);
    reference_close(&file);
}

/* ---- every cut, on given features ------------------------------------------------------------------------------- */

enum { ROWS = 24, FEATURES = 64, CLASSES = 10 };

/* Images of 4 x 4 x 4 -> the same numbers as features (a convolution over the whole image, by the identity) -> the kept
 * layers -> logits. */
struct cut_run {
    struct parameters parameters;
    struct network *network;
    int logits;
};

static void build_cut(struct cut_run *run, const struct model_config *config, enum network_mode mode,
                      struct bench_backend *bench)
{
    struct error error = {0};
    const struct network_conv identity = {
        .out_channels = FEATURES, .kernel = 4, .stride = 4, .init = INIT_TRUNCATED_NORMAL};
    const bool first = !run->parameters.weights;
    CHECK_OK(network_create(&run->network, &run->parameters, mode, DTYPE_F32, &error), error);
    const int h = network_conv(run->network, "features", network_input(run->network, ROWS, 4, 4, 4), identity);
    run->logits = classifier_build(run->network, config, h);
    CHECK_OK(network_check(run->network, &error), error);
    const struct tensor_memory memory = backend_memory(bench->backend);
    if (first) CHECK_OK(parameters_allocate(&run->parameters, &memory, &error), error);
    CHECK_OK(network_plan(run->network, bench->backend, &bench->options, &error), error);
}

/* weights.head.*, cutK.fc.*, and the identity. */
static void load_cut(struct parameters *parameters, const struct reference *file, int cut)
{
    for (int i = 0; i < parameters->count; i++) {
        const struct parameter *item = &parameters->items[i];
        float *to = parameter_weights(parameters, i);
        if (strcmp(item->name, "features.weight") == 0) {
            for (int k = 0; k < FEATURES * FEATURES; k++) to[k] = k % (FEATURES + 1) == 0;
            continue;
        }
        const struct reference_tensor values = strncmp(item->name, "fc.", 3) == 0
                                                   ? reference_get(file, "cut%d.%s", cut, item->name)
                                                   : reference_get(file, "weights.%s", item->name);
        assert_int_equal(values.count, item->count);
        memcpy(to, reference_f32(values), item->count * sizeof *to);
    }
}

/* The gradient of the identity's weights is the sum over rows of d_h h': from the file's d_h. */
static void check_d_h(const float *ours, const struct reference *file, int cut)
{
    const float *h = reference_f32(reference_get(file, "cut.h"));
    const float *d_h = reference_f32(reference_get(file, "cut%d.grad.h", cut));
    static float expected[FEATURES * FEATURES];
    for (int o = 0; o < FEATURES; o++)
        for (int i = 0; i < FEATURES; i++) {
            double sum = 0;
            for (int n = 0; n < ROWS; n++) sum += (double)d_h[n * FEATURES + o] * h[n * FEATURES + i];
            expected[o * FEATURES + i] = (float)sum;
        }
    CHECK_WITHIN(relative(ours, expected, FEATURES * FEATURES), 1e-4, "the gradient of h");
}

static void check_cut_parameters(const struct parameters *parameters, const struct reference *file, int cut)
{
    for (int i = 0; i < parameters->count; i++) {
        const struct parameter *item = &parameters->items[i];
        const bool buffer = item->flags & PARAMETER_BUFFER;
        if (strcmp(item->name, "features.weight") == 0) {
            check_d_h(parameter_gradients(parameters, i), file, cut);
            continue;
        }
        const float *ours = buffer ? parameter_next(parameters, i) : parameter_gradients(parameters, i);
        const float *theirs =
            reference_f32(reference_get(file, "cut%d.%s.%s", cut, buffer ? "train" : "grad", item->name));
        CHECK_WITHIN(relative(ours, theirs, item->count), buffer ? 1e-5 : 1e-4, item->name);
    }
}

/* images: of the network, which reads them again in its backward pass. */
static double logits_off(const struct cut_run *run, const void *images, const struct reference *file, int cut,
                         const char *what)
{
    float logits[ROWS * CLASSES];
    network_set_weights(run->network);
    network_forward(run->network, images);
    network_read(run->network, run->logits, logits);
    return relative(logits, reference_f32(reference_get(file, "cut%d.%s.logits", cut, what)), ROWS * CLASSES);
}

static void check_cut(const struct job *job, const struct reference *file, int cut)
{
    struct error error = {0};
    struct bench_backend bench = open_backend(job->variant);
    struct cut_run run = {.logits = 0};
    struct cross_entropy *loss;
    struct cross_entropy_result *result = bench.backend->ops->allocate(bench.backend, sizeof *result, &error);
    int32_t labels[ROWS];
    const struct model_config config = {.resnet = {.depth = 18, .width = reference_metadata(file, "width", 0)},
                                        .head_layers = (int)reference_metadata(file, "head_layers", 0),
                                        .head_dim = (int)reference_metadata(file, "head_dim", 0),
                                        .classes = CLASSES,
                                        .cut = cut};
    for (int i = 0; i < ROWS; i++) labels[i] = (int32_t)reference_number(reference_get(file, "cut.labels"), i);
    build_cut(&run, &config, NETWORK_TRAINING, &bench);
    load_cut(&run.parameters, file, cut);
    CHECK_OK(cross_entropy_create(&loss, bench.backend, ROWS, CLASSES, &error), error);
    cross_entropy_set_labels(loss, labels, ROWS);
    const float *h = reference_f32(reference_get(file, "cut.h"));
    void *images = images_of(run.network, h);
    const double train = logits_off(&run, images, file, cut, "train");
    cross_entropy_run(loss, result, network_gradient(run.network, run.logits), network_value(run.network, run.logits));
    network_backward(run.network, run.logits, NULL);
    CHECK_WITHIN(train, 1e-5, "logits in training");
    CHECK_WITHIN(fabs(result->loss / reference_number(reference_get(file, "cut%d.loss", cut), 0) - 1), 1e-5,
                 "the loss");
    check_cut_parameters(&run.parameters, file, cut);
    commit_statistics(&run.parameters);
    network_destroy(&run.network);
    memory_free(images);
    build_cut(&run, &config, NETWORK_INFERENCE, &bench);
    images = images_of(run.network, h);
    CHECK_WITHIN(logits_off(&run, images, file, cut, "eval"), 1e-5, "logits in inference");
    network_destroy(&run.network);
    memory_free(images);
    parameters_free(&run.parameters);
    cross_entropy_destroy(&loss);
    bench.backend->ops->release(bench.backend, result);
    close_backend(&bench);
}

static void test_cuts(void **state)
{
    struct reference file;
    const struct job *job = open_file(state, &file, "finetune_cut");
    for (int cut = 0; cut <= 3; cut++) check_cut(job, &file, cut);
    reference_close(&file);
}

/* ---- the list of tests ------------------------------------------------------------------------------------------ */

static void add_variant(struct list *list, const char *variant, bool all, int i)
{
    (void)all;
    add(list, test_steps, "steps", NULL, variant, DTYPE_F32);
    add(list, test_cut, "cut", NULL, variant, DTYPE_F32);
    add(list, test_lars, "steps by LARS", NULL, variant, DTYPE_F32);
    if (i > 0) return;
    add(list, test_cuts, "every cut", NULL, variant, DTYPE_F32);
    add(list, test_steps, "steps", NULL, variant, DTYPE_BF16);
    add(list, test_cut, "cut", NULL, variant, DTYPE_BF16);
}

int main(int argc, char **argv)
{
    static struct list list;
    if (argc > 1) run_state.filter = argv[1];
    static const enum dtype types[] = {DTYPE_F64, DTYPE_F32};
    for (int i = 0; i < 2; i++) {
        add(&list, test_steps, "steps", NULL, "ref", types[i]);
        add(&list, test_cut, "cut", NULL, "ref", types[i]);
        add(&list, test_lars, "steps by LARS", NULL, "ref", types[i]);
    }
    add(&list, test_cuts, "every cut", NULL, "ref", DTYPE_F32);
    add_variants(&list, true, add_variant);
    return run_group("golden_supervised", list.tests, (size_t)list.count, NULL, NULL);
}
