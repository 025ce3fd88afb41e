/* Whole networks against PyTorch's float64: the reference folder's ResNets, SimCLR steps and schedules, and this
 * project's own smaller ones (tools/make_golden_network.py), on `ref` and on every cpu variant that runs here.
 *
 * Tolerances: float32 as the reference's README has them. bf16: 1.25 times PyTorch's own bf16 error (the same README).
 * Where a gradient is further off in float32, the same limit must hold against `ref` in float64 on the run's own branch
 * of the ReLUs, every value on the other side being at its kink (support/kinks.h); `ref` in float64 itself must hold
 * the reference's numbers outright.
 *
 * bf16 by Winograd: the same limits, on the median over nine orders of the channels inside blocks, which change nothing
 * but the order of sums. Which activations their last bit of bf16 puts on the other side of a kink hangs on it, and one
 * tensor's gradient with them (docs/numerics.md). The direct kernels are held to the limits in the order that the
 * reference has.
 */
#include "base/memory.h"
#include "base/rng.h"
#include "loss/nt_xent.h"
#include "optim/optimizer.h"
#include "optim/schedule.h"
#include "support/kinks.h"
#include "support/network_check.h"
#include "support/images.h" /* after cmocka */
#include "support/reference.h"
#include "support/short.h"

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

struct job {
    char name[64];
    const struct scenario *scenario;
    char variant[32];
    enum dtype dtype;
};

static void set_row(struct parameters *parameters, const char *name, struct reference_tensor values)
{
    int row = parameters_find(parameters, name);
    if (row < 0) fail_msg("the model has no parameter %s", name);
    assert_int_equal(values.count, parameters->items[row].count);
    memcpy(parameter_weights(parameters, row), reference_f32(values), (size_t)values.count * sizeof(float));
}

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
            memcpy(to + (row * (size_t)channels + c) * block, from + (row * (size_t)channels + (size_t)order[c]) * block,
                   block * sizeof *to);
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
        const float *ours = buffer ? parameter_weights(parameters, i) : parameter_gradients(parameters, i);
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
    int draw; /* of the order of channels */
    bool winograd; /* some convolution in training goes by it */
};

static void open_resnet(struct resnet_run *run, const struct job *job, const struct reference *file)
{
    struct error error = {0};
    struct model_config config = {.depth = job->scenario->depth,
                                  .width = reference_metadata(file, "width", 0),
                                  .image_size = (int)reference_get(file, "x").dim[2],
                                  .stem = reference_metadata(file, "cifar_stem", 0) != 0 ? STEM_CIFAR : STEM_IMAGENET};
    *run = (struct resnet_run){.bench = open_backend(job->variant)};
    CHECK_OK(model_create(&run->model, &config, 1, &error), error);
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
    CHECK_OK(
        model_plan(run->model, run->bench.backend, mode, job->dtype, (int)x.dim[0], true, &network, &tensors, &error),
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
    return (struct errors){.train = all[0][middle], .eval = all[1][middle], .running = all[2][middle],
                           .gradients = all[3][middle], .worst_gradient = all[4][middle]};
}

static void test_resnet(void **state)
{
    const struct job *job = *state;
    struct reference file;
    struct resnet_run run;
    struct kinks kinks = {0};
    if (!reference_open(&file, job->scenario->file)) {
        reference_skip(job->scenario->file);
        skip();
    }
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

/* ---- SimCLR steps ------------------------------------------------------------------------------------------- */
struct step_run {
    struct bench_backend bench;
    struct model *model;
    struct network *network;
    struct model_tensors tensors;
    struct optimizer *optimizer;
    struct nt_xent *loss;
    float *z, *d_z;
    double last_loss;
};

/* "encoder.conv1.weight" and "head.fcs.0.weight" in the file. */
static struct reference_tensor step_weights(const struct reference *file, int step, const struct parameter *item)
{
    return reference_get(file, "w%d.%s%s", step, item->flags & PARAMETER_HEAD ? "" : "encoder.", item->name);
}

static struct step_run open_steps(const struct job *job, const struct reference *file)
{
    struct error error = {0};
    struct step_run run = {.bench = open_backend(job->variant)};
    struct reference_tensor x = reference_get(file, "x0"), z = reference_get(file, "z0");
    struct model_config config = {.depth = 18,
                                  .width = reference_metadata(file, "width", 0),
                                  .stem = STEM_CIFAR,
                                  .image_size = (int)x.dim[2],
                                  .head_layers = 2,
                                  .head_dim = (int)z.dim[1]};
    struct optimizer_config optimizer = {.kind = OPTIMIZER_LARS,
                                         .momentum = (float)reference_metadata(file, "momentum", 0),
                                         .weight_decay = (float)reference_metadata(file, "weight_decay", 0),
                                         .trust = (float)reference_metadata(file, "eta", 0)};
    struct backend *backend = run.bench.backend;
    int rows = (int)x.dim[0];
    CHECK_OK(model_create(&run.model, &config, 1, &error), error);
    for (int i = 0; i < run.model->parameters.count; i++) {
        const struct parameter *item = &run.model->parameters.items[i];
        if (!(item->flags & PARAMETER_BUFFER)) set_row(&run.model->parameters, item->name, step_weights(file, 0, item));
    }
    CHECK_OK(
        model_plan(run.model, backend, NETWORK_TRAINING, job->dtype, rows, false, &run.network, &run.tensors, &error),
        error);
    CHECK_OK(optimizer_create(&run.optimizer, &optimizer, backend, &run.model->parameters, &error), error);
    CHECK_OK(nt_xent_create(&run.loss, backend, rows / 2, config.head_dim,
                            (float)reference_metadata(file, "temperature", 0), &error),
             error);
    run.z = memory_array((size_t)z.count, sizeof *run.z);
    run.d_z = memory_array((size_t)z.count, sizeof *run.d_z);
    return run;
}

static void close_steps(struct step_run *run)
{
    memory_free(run->z);
    memory_free(run->d_z);
    nt_xent_destroy(&run->loss);
    optimizer_destroy(&run->optimizer);
    network_destroy(&run->network);
    model_destroy(&run->model);
    close_backend(&run->bench);
}

/* How far the weights are from `exact`, against how far that has moved: all together, and the worst tensor. */
struct change {
    double all, worst;
    struct distance sum;
};

static void change_add(struct change *change, const float *now, const float *exact, const float *before, size_t count)
{
    struct distance one = {0, 0}, moved = {0, 0};
    distance_add(&one, now, exact, count);
    distance_add(&moved, before, exact, count);
    one.norm = moved.difference;
    change->sum.difference += one.difference;
    change->sum.norm += one.norm;
    change->all = distance_ratio(change->sum);
    if (!(distance_ratio(one) <= change->worst)) change->worst = distance_ratio(one);
}

/* Beside the reference's weights after step `to`, as they moved since step `from`. */
static struct change measure_change(const struct step_run *run, const struct reference *file, int from, int to)
{
    struct change change = {0};
    const struct parameters *parameters = &run->model->parameters;
    for (int i = 0; i < parameters->count; i++) {
        const struct parameter *item = &parameters->items[i];
        if (item->flags & PARAMETER_BUFFER) continue;
        change_add(&change, parameter_weights(parameters, i), reference_f32(step_weights(file, to, item)),
                   reference_f32(step_weights(file, from, item)), item->count);
    }
    print_message("    change of weights %.2g (worst tensor %.2g) off\n", change.all, change.worst);
    return change;
}

/* Beside the weights of another run, as those moved since the reference's step `from`. */
static struct change compare_change(const struct step_run *run, const struct step_run *oracle,
                                    const struct reference *file, int from)
{
    struct change change = {0};
    const struct parameters *parameters = &run->model->parameters;
    for (int i = 0; i < parameters->count; i++) {
        const struct parameter *item = &parameters->items[i];
        if (item->flags & PARAMETER_BUFFER) continue;
        change_add(&change, parameter_weights(parameters, i), parameter_weights(&oracle->model->parameters, i),
                   reference_f32(step_weights(file, from, item)), item->count);
    }
    print_message("    beside float64 on the same branch: change of weights %.2g (worst tensor %.2g) off\n", change.all,
                  change.worst);
    return change;
}

/* Sets the weights to the reference's before `step`, and the momentum to what it was: w loses v in each step. */
static void load_step(struct step_run *run, const struct reference *file, int step)
{
    struct parameters *parameters = &run->model->parameters;
    for (int i = 0; i < parameters->count; i++) {
        const struct parameter *item = &parameters->items[i];
        if (item->flags & PARAMETER_BUFFER) continue;
        const float *now = reference_f32(step_weights(file, step, item));
        const float *before = reference_f32(step_weights(file, step > 0 ? step - 1 : 0, item));
        memcpy(parameter_weights(parameters, i), now, item->count * sizeof *now);
        for (size_t k = 0; k < item->count; k++) run->optimizer->state1[item->offset + k] = before[k] - now[k];
    }
    network_set_weights(run->network);
}

/* One step. observe: kinks_record, kinks_impose, or NULL. Returns how far the loss is from the reference's. */
static double take_step(struct step_run *run, const char *name, const struct reference *file, int step,
                        struct kinks *kinks, void (*observe)(struct kinks *, struct network *))
{
    struct nt_xent_result result;
    struct reference_tensor z = reference_get(file, "z%d", step);
    if (observe) observe(kinks, run->network);
    void *images = images_of(run->network, reference_f32(reference_get(file, "x%d", step)));
    network_forward(run->network, images);
    network_read(run->network, run->tensors.z, run->z);
    nt_xent_run(run->loss, &result, run->d_z, run->z);
    network_backward(run->network, run->tensors.z, run->d_z);
    memory_free(images);
    optimizer_update(run->optimizer, reference_metadata(file, "lr", 0));
    network_set_weights(run->network);
    run->last_loss = result.loss;
    const double off = fabs(result.loss / reference_number(reference_get(file, "losses"), step) - 1);
    print_message("%s, step %d: loss %.6f (%.2g off), z %.2g off\n", name, step, result.loss, off,
                  relative(run->z, reference_f32(z), (size_t)z.count));
    return off;
}

static void open_step_file(struct reference *file)
{
    if (reference_open(file, "simclr_step")) return;
    reference_skip("simclr_step");
    skip();
}

enum { STEPS = 3 };

/* The same steps, [from, to), by ref in float64 on the branch of each step of `run`: losses and weights must agree. */
static void check_steps_on_branch(const struct step_run *run, const double *losses, const struct reference *file,
                                  struct kinks *kinks, int from, int to)
{
    const struct job exact = {.name = "    ref, float64", .variant = "ref", .dtype = DTYPE_F64};
    struct step_run oracle = open_steps(&exact, file);
    load_step(&oracle, file, from);
    for (int step = from; step < to; step++) {
        (void)take_step(&oracle, exact.name, file, step, &kinks[step], kinks_impose);
        print_message("    %zu of %zu values are beyond their kink, at most %.2g of the rms; loss %.2g off\n",
                      kinks[step].flips, kinks[step].count, kinks[step].furthest,
                      fabs(losses[step] / oracle.last_loss - 1));
        CHECK_KINKS(&kinks[step]);
        CHECK_WITHIN(fabs(losses[step] / oracle.last_loss - 1), 1e-5, "the loss");
    }
    CHECK_WITHIN(compare_change(run, &oracle, file, from).worst, 1e-3, "the change of a tensor");
    close_steps(&oracle);
}

/* Steps [from, to) from the reference's weights and momentum before: losses within 1e-5, every tensor within 1e-3 of
 * its change. */
static void check_steps(const struct job *job, const struct reference *file, int from, int to)
{
    struct step_run run = open_steps(job, file);
    struct kinks kinks[STEPS] = {0};
    double losses[STEPS] = {0}, off = 0, worst = 0;
    load_step(&run, file, from);
    for (int step = from; step < to; step++) {
        off = fmax(off, take_step(&run, job->name, file, step, &kinks[step], kinks_record));
        losses[step] = run.last_loss;
        worst = fmax(worst, measure_change(&run, file, from, step + 1).worst);
    }
    if ((off > 1e-5 || worst > 1e-3) && job->dtype == DTYPE_F32) {
        check_steps_on_branch(&run, losses, file, kinks, from, to);
    } else {
        CHECK_WITHIN(off, 1e-5, "the loss");
        CHECK_WITHIN(worst, 1e-3, "the change of a tensor");
    }
    for (int step = 0; step < STEPS; step++) kinks_free(&kinks[step]);
    close_steps(&run);
}

static void test_single_steps(void **state)
{
    struct reference file;
    open_step_file(&file);
    for (int step = 0; step < STEPS; step++) check_steps(*state, &file, step, step + 1);
    reference_close(&file);
}

/* (PyTorch's own float32 run is 9.3e-4 off, its worst tensor 1.1e-2, for a flip in the third step.) */
static void test_three_steps(void **state)
{
    struct reference file;
    open_step_file(&file);
    check_steps(*state, &file, 0, STEPS);
    reference_close(&file);
}

/* ---- schedule ----------------------------------------------------------------------------------------------- */
static void check_schedules(const struct reference *file)
{
    int cases = 0;
    for (; reference_has(file, "case%d.lr", cases); cases++) {
        struct reference_tensor shape = reference_get(file, "case%d.images_batch_epochs_warmup", cases);
        struct reference_tensor rates = reference_get(file, "case%d.lr", cases);
        int64_t batch = (int64_t)reference_number(shape, 1);
        struct schedule schedule = {
            .base = reference_number(reference_get(file, "case%d.base", cases), 0),
            .square_root = reference_number(reference_get(file, "case%d.sqrt", cases), 0) != 0,
            .batch = batch,
            .steps_per_epoch = (int64_t)reference_number(shape, 0) / batch,
            .epochs = reference_number(shape, 2),
            .warmup_epochs = reference_number(shape, 3),
        };
        assert_int_equal(rates.count, schedule.steps_per_epoch * (int64_t)schedule.epochs);
        for (int64_t step = 0; step < rates.count; step++)
            CHECK_WITHIN(fabs(schedule_rate(&schedule, step) - reference_number(rates, step)), 1e-7, "a learning rate");
    }
    assert_true(cases > 0);
}

static void test_schedule(void **state)
{
    (void)state;
    struct reference file;
    if (!reference_open(&file, "schedule")) {
        reference_skip("schedule");
        skip();
    }
    check_schedules(&file);
    reference_close(&file);
}

/* ---- the list of tests -------------------------------------------------------------------------------------- */
#define MOST 128
struct list {
    struct job jobs[MOST];
    struct CMUnitTest tests[MOST];
    int count;
};

static void add(struct list *list, CMUnitTestFunction function, const char *what, const struct scenario *scenario,
                const char *variant, enum dtype dtype)
{
    if (list->count == MOST) abort();
    struct job *job = &list->jobs[list->count];
    snprintf(job->name, sizeof job->name, "%s, %s, %s", what, variant, dtype_name(dtype));
    snprintf(job->variant, sizeof job->variant, "%s", variant);
    job->scenario = scenario;
    job->dtype = dtype;
    list->tests[list->count++] = (struct CMUnitTest){.name = job->name, .test_func = function, .initial_state = job};
}

static void add_backend(struct list *list, const char *variant, enum dtype dtype, bool all)
{
    add(list, test_resnet, "resnet18", &RESNET18, variant, dtype);
    if (!all) return;
    add(list, test_resnet, "resnet50", &RESNET50, variant, dtype);
    add(list, test_single_steps, "single steps", NULL, variant, dtype);
    add(list, test_three_steps, "three steps", NULL, variant, dtype);
}

int main(int argc, char **argv)
{
    static struct list list;
    if (argc > 1) cmocka_set_test_filter(argv[1]);
    add(&list, test_schedule, "schedule", NULL, "ref", DTYPE_F32);
    const bool all = !test_short_without("ResNet-50 and steps in ref's float32 and by forced algorithms");
    add_backend(&list, "ref", DTYPE_F64, true);
    add_backend(&list, "ref", DTYPE_F32, all);
    for (const char *const *variant = backend_variants(); *variant; variant++) {
        if (!backend_variant_runs(*variant)) {
            print_message("NOT RUN: this CPU lacks %s\n", *variant);
            continue;
        }
        static const char *const ALGORITHMS[] = {"", " direct", " winograd"};
        for (int i = 0; i < 3; i++) {
            char forced[32];
            snprintf(forced, sizeof forced, "%s%s", *variant, ALGORITHMS[i]);
            add_backend(&list, forced, DTYPE_F32, all || i == 0);
        }
        for (int i = 0; i < 3; i++) {
            char forced[32];
            snprintf(forced, sizeof forced, "%s%s", *variant, ALGORITHMS[i]);
            if (i > 0 && !all) continue;
            add(&list, test_resnet, "resnet18", &RESNET18, forced, DTYPE_BF16);
            add(&list, test_resnet, "resnet50", &RESNET50, forced, DTYPE_BF16);
        }
    }
    return _cmocka_run_group_tests("golden_network", list.tests, (size_t)list.count, NULL, NULL);
}
