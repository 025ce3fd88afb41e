/* SimCLR steps (views to loss to LARS) and learning rates against PyTorch's float64, those of the reference folder, on
 * `ref` and on every cpu variant that runs here. Tolerances: as the reference's README has them; where a float32 run is
 * further off, the same limits must hold against `ref` in float64 on the run's own branch of the ReLUs
 * (support/kinks.h). */
#include "golden/golden.h"
#include "golden/steps.h"

static void set_row(struct parameters *parameters, const char *name, struct reference_tensor values)
{
    int row = parameters_find(parameters, name);
    if (row < 0) fail_msg("the model has no parameter %s", name);
    assert_int_equal(values.count, parameters->items[row].count);
    memcpy(parameter_weights(parameters, row), reference_f32(values), (size_t)values.count * sizeof(float));
}

/* ---- SimCLR steps ------------------------------------------------------------------------------------------- */
/* "encoder.conv1.weight" and "head.fcs.0.weight" in the file. */
static struct reference_tensor step_weights(const struct reference *file, int step, const struct parameter *item)
{
    return reference_get(file, "w%d.%s%s", step, item->flags & PARAMETER_HEAD ? "" : "encoder.", item->name);
}

static void set_first_weights(struct parameters *parameters, const struct reference *file)
{
    for (int i = 0; i < parameters->count; i++) {
        const struct parameter *item = &parameters->items[i];
        if (!(item->flags & PARAMETER_BUFFER)) set_row(parameters, item->name, step_weights(file, 0, item));
    }
}

static struct step_run open_job(const struct job *job, const struct reference *file)
{
    struct reference_tensor x = reference_get(file, "x0"), z = reference_get(file, "z0");
    return open_steps(file, job->variant, job->dtype, (int)x.dim[0], (int)x.dim[2], (int)z.dim[1], set_first_weights);
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
        for (size_t k = 0; k < item->count; k++) run->step.optimizer->state1[item->offset + k] = before[k] - now[k];
    }
    network_set_weights(run->step.network);
}

/* One step. observe: kinks_record, kinks_impose, or NULL. Returns the loss; *off: how far from the reference's. */
static double take_step(struct step_run *run, const char *name, const struct reference *file, int step,
                        struct kinks *kinks, void (*observe)(struct kinks *, struct network *), double *off)
{
    struct reference_tensor z = reference_get(file, "z%d", step);
    if (observe) observe(kinks, run->step.network);
    void *images = images_of(run->step.network, reference_f32(reference_get(file, "x%d", step)));
    const double loss = one_step(run, images);
    memory_free(images);
    *off = fabs(loss / reference_number(reference_get(file, "losses"), step) - 1);
    print_message("%s, step %d: loss %.6f (%.2g off), z %.2g off\n", name, step, loss, *off,
                  relative(run->z, reference_f32(z), (size_t)z.count));
    return loss;
}

static void open_step_file(struct reference *file)
{
    if (!reference_open(file, "simclr_step")) skip_reference("simclr_step");
}

enum { STEPS = 3 };

/* The same steps, [from, to), by ref in float64 on the branch of each step of `run`: losses and weights must agree. */
static void check_steps_on_branch(const struct step_run *run, const double *losses, const struct reference *file,
                                  struct kinks *kinks, int from, int to)
{
    const struct job exact = {.name = "    ref, float64", .variant = "ref", .dtype = DTYPE_F64};
    struct step_run oracle = open_job(&exact, file);
    load_step(&oracle, file, from);
    for (int step = from; step < to; step++) {
        double unused;
        const double loss = take_step(&oracle, exact.name, file, step, &kinks[step], kinks_impose, &unused);
        print_message("    %zu of %zu values are beyond their kink, at most %.2g of the rms; loss %.2g off\n",
                      kinks[step].flips, kinks[step].count, kinks[step].furthest, fabs(losses[step] / loss - 1));
        CHECK_KINKS(&kinks[step]);
        CHECK_WITHIN(fabs(losses[step] / loss - 1), 1e-5, "the loss");
    }
    CHECK_WITHIN(compare_change(run, &oracle, file, from).worst, 1e-3, "the change of a tensor");
    close_steps(&oracle);
}

/* Steps [from, to) from the reference's weights and momentum before: losses within 1e-5, every tensor within 1e-3 of
 * its change. */
static void check_steps(const struct job *job, const struct reference *file, int from, int to)
{
    struct step_run run = open_job(job, file);
    struct kinks kinks[STEPS] = {0};
    double losses[STEPS] = {0}, off = 0, worst = 0;
    load_step(&run, file, from);
    for (int step = from; step < to; step++) {
        double step_off;
        losses[step] = take_step(&run, job->name, file, step, &kinks[step], kinks_record, &step_off);
        off = fmax(off, step_off);
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
static void test_schedule(void **state)
{
    (void)state;
    struct reference file;
    if (!reference_open(&file, "schedule")) skip_reference("schedule");
    assert_true(check_schedules(&file) > 0);
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
    if (argc > 1) run_state.filter = argv[1];
    const bool all = !test_short_without("steps in ref's float32 and by forced algorithms");
    add(&list, test_schedule, "schedule", NULL, "ref", DTYPE_F32);
    add_steps(&list, "ref", DTYPE_F64);
    if (all) add_steps(&list, "ref", DTYPE_F32);
    add_variants(&list, all, add_variant);
    return run_group("golden_steps", list.tests, (size_t)list.count, NULL, NULL);
}
