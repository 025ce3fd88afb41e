/* ResNets against PyTorch's float64, those of the reference folder, on `ref` and on every cpu variant that runs here.
 * The steps are in test_golden_steps.c, this project's own smaller ones in test_golden_small.c.
 *
 * Tolerances: float32 as the reference's README has them. bf16: 1.25 times PyTorch's own bf16 error (the same README).
 * Where a gradient is further off in float32, the same limit must hold against `ref` in float64 on the run's own branch
 * of the ReLUs. Every value on the other side must be at its kink (support/kinks.h). `ref` in float64 itself must hold
 * the reference's numbers outright.
 *
 * bf16 by Winograd: the same limits, on the median over nine orders of the channels inside blocks, which change nothing
 * but the order of sums. Which activations their last bit of bf16 puts on the other side of a kink hangs on it, and one
 * tensor's gradient with them (docs/numerics.md). The direct kernels are held to the limits in the order that the
 * reference has.
 */
#include "base/rng.h"
#include "golden/golden.h"

/* One program run = each of these on each backend. */
struct scenario {
    const char *file; /* without folder and ending */
    int depth;
    /* PyTorch's bf16 errors: train.h, eval.h, running, all gradients, worst gradient (0: not compared in bf16) */
    double bf16[5];
    int orders; /* of channels that bf16 by Winograd is run in */
};
enum { MOST_ORDERS = 9 };
static const struct scenario RESNET18 = {"resnet18_cifar", 18, {0.006, 0.0031, 0.0024, 0.16, 0.25}, MOST_ORDERS};
static const struct scenario RESNET50 = {"resnet50_imagenet", 50, {0.021, 0.0040, 0.012, 0.44, 0.89}, 1};

/* ---- the same network in another order ---------------------------------------------------------------------- */
/* Permuting the channels between the first two convolutions of a block changes nothing but the order of sums. */
enum { MOST_CHANNELS = 2048 };

/* The channels of block `name` (up to its second dot) in order `draw`; 0: as they are. */
static void draw_channels(int *order, int channels, const char *name, int draw)
{
    uint32_t block = 0;
    for (int dots = 0; *name && dots < 2; name++) {
        dots += *name == '.';
        block = block * 31 + (uint32_t)*name;
    }
    struct rng rng = rng_open((uint64_t)draw, RNG_TEST, 0, block, 0);
    assert_true(channels <= MOST_CHANNELS);
    for (int i = 0; i < channels; i++) order[i] = i;
    for (int i = channels - 1; i > 0 && draw > 0; i--) {
        const int other = (int)rng_below(&rng, (uint32_t)i + 1), kept = order[i];
        order[i] = order[other];
        order[other] = kept;
    }
}

/* A copy of a tensor that belongs to parameter `name`, its channels between a block's convolutions in order `draw`. */
static float *reordered(struct reference_tensor tensor, const char *name, int draw)
{
    const float *from = reference_f32(tensor);
    float *to = memory_array((size_t)tensor.count, sizeof *to);
    int order[MOST_CHANNELS];
    assert_non_null(to);
    memcpy(to, from, (size_t)tensor.count * sizeof *to);
    const bool outer = strncmp(name, "layer", 5) == 0 && (strstr(name, ".conv1.") || strstr(name, ".bn1."));
    const bool inner = strncmp(name, "layer", 5) == 0 && strstr(name, ".conv2.");
    if (!outer && !inner) return to;
    const int channels = (int)tensor.dim[inner ? 1 : 0];
    const size_t rows = inner ? (size_t)tensor.dim[0] : 1, block = (size_t)tensor.count / rows / (size_t)channels;
    draw_channels(order, channels, name, draw);
    for (size_t row = 0; row < rows; row++)
        for (size_t c = 0; c < (size_t)channels; c++)
            memcpy(to + (row * (size_t)channels + c) * block,
                   from + (row * (size_t)channels + (size_t)order[c]) * block, block * sizeof *to);
    return to;
}

/* Every row of the model from weights.<name>. */
static void load_weights(struct parameters *parameters, const struct reference *file, int draw)
{
    for (int i = 0; i < parameters->count; i++) {
        const struct parameter *item = &parameters->items[i];
        const struct reference_tensor values = reference_get(file, "weights.%s", item->name);
        assert_int_equal(values.count, item->count);
        float *ordered = reordered(values, item->name, draw);
        memcpy(parameter_weights(parameters, i), ordered, item->count * sizeof *ordered);
        memory_free(ordered);
    }
}

/* ---- one ResNet --------------------------------------------------------------------------------------------- */
/* What is measured: train.h, eval.h, running statistics, all gradients together, the worst single one. */
struct errors {
    double train, eval, running, gradients, worst_gradient, worst_running;
    char worst[96];
};

static void measure_parameters(struct errors *errors, const struct parameters *parameters, const struct reference *file,
                               int draw)
{
    struct distance running = {0, 0}, gradients = {0, 0};
    for (int i = 0; i < parameters->count; i++) {
        const struct parameter *item = &parameters->items[i];
        bool buffer = item->flags & PARAMETER_BUFFER;
        const float *ours = buffer ? parameter_next(parameters, i) : parameter_gradients(parameters, i);
        float *theirs =
            reordered(reference_get(file, "train.%s%s", buffer ? "" : "grad.", item->name), item->name, draw);
        distance_add(buffer ? &running : &gradients, ours, theirs, item->count);
        double one = relative(ours, theirs, item->count);
        memory_free(theirs);
        if (buffer && one > errors->worst_running) errors->worst_running = one;
        if (buffer || one <= errors->worst_gradient) continue;
        errors->worst_gradient = one;
        memcpy(errors->worst, item->name, sizeof errors->worst);
    }
    errors->running = distance_ratio(running);
    errors->gradients = distance_ratio(gradients);
}

/* One training pass of the reference's network and one inference pass. */
struct resnet_run {
    struct bench_backend bench;
    struct model *model;
    struct errors errors;
    int draw;      /* of the order of channels */
    bool winograd; /* some convolution in training goes by it */
};

static void open_resnet(struct resnet_run *run, const struct job *job, const struct reference *file)
{
    struct error error = {0};
    struct model_config config = {.resnet.depth = job->scenario->depth,
                                  .resnet.width = reference_metadata(file, "width", 0),
                                  .image_size = (int)reference_get(file, "x").dim[2],
                                  .resnet.stem =
                                      reference_metadata(file, "cifar_stem", 0) != 0 ? STEM_CIFAR : STEM_IMAGENET};
    *run = (struct resnet_run){.bench = open_backend(job->variant)};
    CHECK_OK(model_create(&run->model, &config, run->bench.backend, 1, &error), error);
    assert_int_equal(reference_get(file, "r").dim[1], model_feature_dim(&config));
    load_weights(&run->model->parameters, file, 0);
}

static void close_resnet(struct resnet_run *run)
{
    model_destroy(&run->model);
    close_backend(&run->bench);
}

static bool goes_by_winograd(const struct network *network)
{
    const struct network_row *rows;
    const int count = network_rows(network, &rows);
    for (int i = 0; i < count; i++)
        if (strncmp(rows[i].algorithm, "winograd", strlen("winograd")) == 0) return true;
    return false;
}

/* observe: kinks_record, kinks_impose, or NULL. Returns how far h is from the reference's `expected`. */
static double pass_resnet(struct resnet_run *run, const struct job *job, const struct reference *file,
                          enum network_mode mode, const char *expected, struct kinks *kinks,
                          void (*observe)(struct kinks *, struct network *))
{
    struct error error = {0};
    struct network *network;
    struct model_tensors tensors;
    struct reference_tensor x = reference_get(file, "x"), r = reference_get(file, "r");
    float *h = memory_array((size_t)r.count, sizeof *h);
    assert_non_null(h);
    CHECK_OK(model_plan(run->model,
                        &(struct model_plan_args){.backend = run->bench.backend,
                                                  .mode = mode,
                                                  .dtype = job->dtype,
                                                  .batch = (int)x.dim[0],
                                                  .encoder_only = true,
                                                  .options = run->bench.options},
                        &network, &tensors, &error),
             error);
    if (mode == NETWORK_TRAINING) run->winograd = goes_by_winograd(network);
    if (observe) observe(kinks, network);
    void *images = images_of(network, reference_f32(x));
    network_forward(network, images);
    network_read(network, tensors.h, h);
    const double off = relative(h, reference_f32(reference_get(file, "%s", expected)), (size_t)r.count);
    if (mode == NETWORK_TRAINING) network_backward(network, tensors.h, reference_f32(r));
    network_destroy(&network);
    memory_free(images);
    memory_free(h);
    return off;
}

static void measure_resnet(struct resnet_run *run, const struct job *job, const struct reference *file,
                           struct kinks *kinks, void (*observe)(struct kinks *, struct network *))
{
    struct errors *errors = &run->errors;
    errors->train = pass_resnet(run, job, file, NETWORK_TRAINING, "train.h", kinks, observe);
    measure_parameters(errors, &run->model->parameters, file, run->draw);
    commit_statistics(&run->model->parameters);
    errors->eval = pass_resnet(run, job, file, NETWORK_INFERENCE, "eval.h", NULL, NULL);
    print_message("%s: train.h %.2g, eval.h %.2g, running %.2g (worst %.2g), gradients %.2g (worst %.2g, %s)\n",
                  job->name, errors->train, errors->eval, errors->running, errors->worst_running, errors->gradients,
                  errors->worst_gradient, errors->worst);
}

/* The worst gradient against ref's float64 on the branch that `run` was on. */
static double worst_on_branch(const struct resnet_run *run, const struct job *job, const struct reference *file,
                              struct kinks *kinks)
{
    struct job exact = {.scenario = job->scenario, .variant = "ref", .dtype = DTYPE_F64};
    struct resnet_run oracle;
    double worst = 0;
    open_resnet(&oracle, &exact, file);
    (void)pass_resnet(&oracle, &exact, file, NETWORK_TRAINING, "train.h", kinks, kinks_impose);
    for (int i = 0; i < run->model->parameters.count; i++) {
        const struct parameter *item = &run->model->parameters.items[i];
        if (item->flags & PARAMETER_BUFFER) continue;
        worst = fmax(worst, relative(parameter_gradients(&run->model->parameters, i),
                                     parameter_gradients(&oracle.model->parameters, i), item->count));
    }
    close_resnet(&oracle);
    print_message("    %zu of %zu values are beyond their kink, at most %.2g of the rms; worst gradient %.2g beside "
                  "float64 on the same branch\n",
                  kinks->flips, kinks->count, kinks->furthest, worst);
    CHECK_KINKS(kinks);
    return worst;
}

static void check_bf16(const struct errors *errors, const double *limit)
{
    CHECK_WITHIN(errors->train, 1.25 * limit[0], "h in training");
    CHECK_WITHIN(errors->eval, 1.25 * limit[1], "h in inference");
    CHECK_WITHIN(errors->running, 1.25 * limit[2], "running statistics");
    CHECK_WITHIN(errors->gradients, 1.25 * limit[3], "all gradients");
    CHECK_WITHIN(errors->worst_gradient, 1.25 * limit[4], "the worst gradient");
}

static int compare_doubles(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Runs the other orders of channels too, each on the reference's weights; the median of each error. */
static struct errors median_errors(struct resnet_run *run, const struct job *job, const struct reference *file)
{
    const int orders = job->scenario->orders;
    double all[5][MOST_ORDERS];
    for (run->draw = 0; run->draw < orders; run->draw++) {
        if (run->draw > 0) {
            load_weights(&run->model->parameters, file, run->draw);
            run->errors = (struct errors){0};
            measure_resnet(run, job, file, NULL, NULL);
        }
        const struct errors *one = &run->errors;
        const double values[5] = {one->train, one->eval, one->running, one->gradients, one->worst_gradient};
        for (int i = 0; i < 5; i++) all[i][run->draw] = values[i];
    }
    for (int i = 0; i < 5; i++) qsort(all[i], (size_t)orders, sizeof all[i][0], compare_doubles);
    const int middle = orders / 2;
    print_message("%s: medians of %d orders: gradients %.2g (worst %.3g; %.3g to %.3g)\n", job->name, orders,
                  all[3][middle], all[4][middle], all[4][0], all[4][orders - 1]);
    return (struct errors){.train = all[0][middle],
                           .eval = all[1][middle],
                           .running = all[2][middle],
                           .gradients = all[3][middle],
                           .worst_gradient = all[4][middle]};
}

static void test_resnet(void **state)
{
    const struct job *job = *state;
    struct reference file;
    struct resnet_run run;
    struct kinks kinks = {0};
    if (!reference_open(&file, job->scenario->file)) skip_reference(job->scenario->file);
    open_resnet(&run, job, &file);
    measure_resnet(&run, job, &file, &kinks, job->dtype == DTYPE_F32 ? kinks_record : NULL);
    const struct errors *errors = &run.errors;
    if (job->dtype == DTYPE_BF16 && run.winograd) {
        const struct errors medians = median_errors(&run, job, &file);
        check_bf16(&medians, job->scenario->bf16);
    } else if (job->dtype == DTYPE_BF16) {
        check_bf16(errors, job->scenario->bf16);
    } else {
        double worst = errors->worst_gradient;
        if (worst > 1e-4 && job->dtype == DTYPE_F32) worst = worst_on_branch(&run, job, &file, &kinks);
        CHECK_WITHIN(errors->train, 1e-5, "h in training");
        CHECK_WITHIN(errors->eval, 1e-5, "h in inference");
        CHECK_WITHIN(errors->worst_running, 1e-5, "running statistics");
        CHECK_WITHIN(worst, 1e-4, "a gradient");
    }
    kinks_free(&kinks);
    close_resnet(&run);
    reference_close(&file);
}

/* ---- the list of tests -------------------------------------------------------------------------------------- */
static void add_resnets(struct list *list, const char *variant, enum dtype dtype, bool both)
{
    add(list, test_resnet, "resnet18", &RESNET18, variant, dtype);
    if (both) add(list, test_resnet, "resnet50", &RESNET50, variant, dtype);
}

static void add_variant(struct list *list, const char *variant, bool all, int i)
{
    add_resnets(list, variant, DTYPE_F32, all || i == 0);
    if (all || i == 0) add_resnets(list, variant, DTYPE_BF16, true);
}

int main(int argc, char **argv)
{
    static struct list list;
    if (argc > 1) run_state.filter = argv[1];
    const bool all = !test_short_without("ResNet-50 in ref's float32 and by forced algorithms");
    add_resnets(&list, "ref", DTYPE_F64, true);
    add_resnets(&list, "ref", DTYPE_F32, all);
    add_variants(&list, all, add_variant);
    return run_group("golden_network", list.tests, (size_t)list.count, NULL, NULL);
}
