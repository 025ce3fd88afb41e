/* SimCLR steps (views to loss to LARS) and learning rates against PyTorch's float64, those of the reference folder, on `ref`
 * and on every cpu variant that runs here. Tolerances: as the reference's README has them; where a float32 run is further
 * off, the same limits must hold against `ref` in float64 on the run's own branch of the ReLUs (support/kinks.h). */
#include "golden/golden.h"
#include "loss/nt_xent.h"
#include "optim/optimizer.h"
#include "optim/schedule.h"

static void set_row(struct parameters *parameters, const char *name, struct reference_tensor values)
{
    int row = parameters_find(parameters, name);
    if (row < 0) fail_msg("the model has no parameter %s", name);
    assert_int_equal(values.count, parameters->items[row].count);
    memcpy(parameter_weights(parameters, row), reference_f32(values), (size_t)values.count * sizeof(float));
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
static void add_steps(struct list *list, const char *variant, enum dtype dtype)
{
    add(list, test_single_steps, "single steps", NULL, variant, dtype);
    add(list, test_three_steps, "three steps", NULL, variant, dtype);
}

static void add_variant(struct list *list, const char *variant, bool all, int i)
{
    if (all || i == 0) add_steps(list, variant, DTYPE_F32);
}

int main(int argc, char **argv)
{
    static struct list list;
    if (argc > 1) cmocka_set_test_filter(argv[1]);
    const bool all = !test_short_without("steps in ref's float32 and by forced algorithms");
    add(&list, test_schedule, "schedule", NULL, "ref", DTYPE_F32);
    add_steps(&list, "ref", DTYPE_F64);
    if (all) add_steps(&list, "ref", DTYPE_F32);
    add_variants(&list, all, add_variant);
    return _cmocka_run_group_tests("golden_steps", list.tests, (size_t)list.count, NULL, NULL);
}
