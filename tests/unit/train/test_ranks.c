/* Several ranks do what one does: the same steps of training on 1 rank and on 2, 3 and 4, whose ranks are threads
 * (support/comm_threads.h), with even and uneven shares. Compared after each part of the first step, and after the
 * last: loss and diagnostics, z, its gradient, all gradients, running statistics, weights, momentum.
 *
 * Allowed on `ref` with float64 activations: 1e-9 of what is float64 there (the first report), 2e-7 of a tensor's norm
 * of what the contract keeps in float32. So it is of the second and third step, each begun where one rank began it.
 * After three steps in a row it is 4e-7, for a reason (docs/numerics.md). Momentum is a sum of the gradients of several
 * steps, which may cancel: the norms of its terms count. On `cpu`: docs/numerics.md. */
#include "support/network_check.h"

#include <float.h>

#include "support/comm_threads.h"

#include "base/checksum.h"
#include "base/memory.h"
#include "train/step.h"

enum { SIZE = 8, DIM = 16, STEPS = 3, RANKS_MAX = 8, TENSORS_MAX = 400 };

/* One training. */
struct setting {
    const char *backend;
    enum dtype dtype;
    int depth, images, ranks, steps;
    int group; /* images that share batch-norm statistics; 0: all */
};

/* What goes wrong in it. */
struct fault {
    int spoiled; /* this image, counted from 1, has a NaN in the first step; 0: none */
    int failing; /* this rank, counted from 1, has no views in the second step; 0: none */
    bool nudged; /* each number of a gradient goes to its neighbour */
};

static struct shares shares_in(const struct setting *setting)
{
    return (struct shares){setting->images, setting->group > 0 ? setting->group : setting->images, setting->ranks};
}

/* A model after a step, and the gradient of that step. */
struct state {
    float *weights, *buffers, *momentum, *gradients;
};

/* What it left. Rows of z and d_z are in the order of the whole batch, of the first step; the rest is rank 0's. */
struct outcome {
    struct setting setting;
    struct fault fault;
    struct step_report reports[STEPS];
    float *z, *d_z;
    size_t weight_count, buffer_count;
    char wrong[200];                   /* the first failure of any rank */
    double motion[STEPS][TENSORS_MAX]; /* of each tensor: the norms of its momentum after each step so far, added up */
    double shares[STEPS][TENSORS_MAX]; /* of each gradient: the norms of the ranks' shares, added up; where `follow` */
    uint64_t weights_hash[RANKS_MAX];  /* of each rank */
    int skipped[RANKS_MAX];            /* steps, of each rank */
    int status[RANKS_MAX];             /* of each rank's last step */
    struct state after[STEPS];         /* of rank 0 */
    const struct state *follow;        /* [STEPS] the run whose states all steps but the first start from, or NULL */
};

/* ---- one rank --------------------------------------------------------------------------------------------------- */
/* Images of different brightness and contrast, so that statistics of a part differ from the whole's. */
static float pixel(int row, size_t at, int step)
{
    const size_t k = (size_t)row * 7919 + at * 31 + (size_t)step * 104729;
    const float noise = (float)((k * 2654435761U >> 7) % 1009) / 1009;
    return (0.2f + 0.05f * (float)(row % 13)) * noise + 0.03f * (float)(row % 7);
}

/* A group of the rank's after the other. */
static void fill_views(const struct step *step, char *views, struct share own, const struct outcome *outcome,
                       int number)
{
    const int images = outcome->setting.images, spoiled = number == 0 ? outcome->fault.spoiled - 1 : -1;
    const size_t values = 3 * SIZE * SIZE, bytes = network_image_bytes(step->network);
    const int size = own.count / step->groups.count;
    float *canonical = malloc(2 * (size_t)size * values * sizeof *canonical);
    for (int group = 0; group < step->groups.count; group++) {
        for (int r = 0; r < 2 * size; r++) {
            const int row = r / size * images + own.first + group * size + r % size;
            for (size_t i = 0; i < values; i++) canonical[(size_t)r * values + i] = pixel(row, i, number);
            if (row == spoiled) canonical[(size_t)r * values + 5] = NAN;
        }
        network_write_images(step->network, views + (size_t)group * bytes, canonical);
    }
    free(canonical);
}

/* The rank's rows of a tensor go to their places among all. */
static void spread(float *all, const float *own_rows, struct share own, int images)
{
    const size_t row = DIM * sizeof *all;
    memcpy(all + (size_t)own.first * DIM, own_rows, (size_t)own.count * row);
    memcpy(all + ((size_t)images + (size_t)own.first) * DIM, own_rows + (size_t)own.count * DIM,
           (size_t)own.count * row);
}

static void read_rows(struct outcome *outcome, const struct step *step, struct share own)
{
    const struct tensor_desc *desc =
        step->groups.all > 1 ? &step->groups.rows_of_all : network_tensor(step->network, step->tensors.z);
    float *rows = malloc(tensor_elements(desc) * sizeof *rows);
    step->backend->ops->tensor_read(step->backend, desc, rows, step_outputs(step));
    spread(outcome->z, rows, own, outcome->setting.images);
    step->backend->ops->tensor_read(step->backend, desc, rows, step_output_gradients(step));
    spread(outcome->d_z, rows, own, outcome->setting.images);
    free(rows);
}

static float *keep(const float *values, size_t count)
{
    float *copy = malloc(count * sizeof *copy);
    memcpy(copy, values, count * sizeof *copy);
    return copy;
}

static void add_motion(struct outcome *outcome, const struct step *step, int number)
{
    const struct parameters *parameters = &step->model->parameters;
    for (int i = 0; i < parameters->count && i < TENSORS_MAX; i++) {
        const struct parameter *item = &parameters->items[i];
        struct distance norm = {0};
        if (item->flags & PARAMETER_BUFFER) continue;
        distance_add(&norm, step->optimizer->state1 + item->offset, step->optimizer->state1 + item->offset,
                     item->count);
        outcome->motion[number][i] = (number > 0 ? outcome->motion[number - 1][i] : 0) + sqrt(norm.norm);
    }
}

static struct state keep_state(const struct step *step)
{
    const struct parameters *parameters = &step->model->parameters;
    return (struct state){.weights = keep(parameters->weights, parameters->weight_count),
                          .buffers = keep(parameters->buffers, parameters->buffer_count),
                          .momentum = keep(step->optimizer->state1, parameters->weight_count),
                          .gradients = keep(parameters->gradients, parameters->weight_count)};
}

static void take_state(struct step *step, const struct state *state)
{
    struct parameters *parameters = &step->model->parameters;
    memcpy(parameters->weights, state->weights, parameters->weight_count * sizeof(float));
    memcpy(parameters->buffers, state->buffers, parameters->buffer_count * sizeof(float));
    memcpy(step->optimizer->state1, state->momentum, parameters->weight_count * sizeof(float));
    network_set_weights(step->network);
}

/* The backward pass, and the norm of each gradient before ranks add theirs up. */
static void backward_in_shares(struct outcome *outcome, struct step *step, int number, int rank)
{
    const struct parameters *parameters = &step->model->parameters;
    struct communicator *communicator = step->communicator;
    double norms[TENSORS_MAX] = {0};
    step->communicator = NULL;
    step_backward(step);
    step->communicator = communicator;
    for (int i = 0; i < parameters->count && i < TENSORS_MAX; i++) {
        const struct parameter *item = &parameters->items[i];
        struct distance norm = {0};
        if (item->flags & PARAMETER_BUFFER) continue;
        distance_add(&norm, parameters->gradients + item->offset, parameters->gradients + item->offset, item->count);
        norms[i] = sqrt(norm.norm);
    }
    communicator_sum(communicator, norms, TENSORS_MAX);
    communicator_sum_floats(communicator, parameters->gradients, parameters->weight_count);
    if (rank == 0) memcpy(outcome->shares[number], norms, sizeof norms);
}

/* Up or down, as float32 may round a sum either way. */
static void nudge(struct step *step, int number)
{
    struct parameters *parameters = &step->model->parameters;
    for (size_t i = 0; i < parameters->weight_count; i++) {
        const bool up = ((i + 1) * 2654435761U + (size_t)number * 40503U) >> 13 & 1;
        if (parameters->gradients[i] != 0)
            parameters->gradients[i] = nextafterf(parameters->gradients[i], up ? INFINITY : -INFINITY);
    }
}

static int train(struct outcome *outcome, struct step *step, struct share own, int rank, struct error *error)
{
    const struct setting *setting = &outcome->setting;
    void *views = memory_allocate((size_t)step->groups.count * network_image_bytes(step->network));
    int status = SIMCLR_OK;
    for (int s = 0; !status && s < setting->steps; s++) {
        struct step_report report = {0};
        fill_views(step, views, own, outcome, s);
        if (s > 0 && outcome->follow) take_state(step, &outcome->follow[s - 1]);
        const bool fails = s == 1 && rank == outcome->fault.failing - 1; /* by a batch that it cannot take */
        const struct batch batch = {.count = fails ? 1 : own.count, .views = views};
        step_forward(step, &batch);
        step_loss(step);
        if (s == 0) read_rows(outcome, step, own);
        if (outcome->follow)
            backward_in_shares(outcome, step, s, rank);
        else
            step_backward(step);
        if (outcome->fault.nudged) nudge(step, s);
        status = step_update(step, &report, error);
        outcome->skipped[rank] += report.skipped;
        if (rank == 0) outcome->reports[s] = report;
        if (rank == 0) outcome->after[s] = keep_state(step);
        if (rank == 0) add_motion(outcome, step, s);
    }
    memory_free(views);
    return status;
}

static void leave(struct outcome *outcome, const struct step *step, int rank)
{
    const struct parameters *parameters = &step->model->parameters;
    outcome->weights_hash[rank] = hash64(parameters->weights, parameters->weight_count * sizeof(float), 1) ^
                                  hash64(parameters->buffers, parameters->buffer_count * sizeof(float), 2) ^
                                  hash64(step->optimizer->state1, parameters->weight_count * sizeof(float), 3);
    if (rank > 0) return;
    outcome->weight_count = parameters->weight_count;
    outcome->buffer_count = parameters->buffer_count;
}

static int open_step(struct step *step, struct model **model, const struct setting *setting, struct backend *backend,
                     struct communicator *communicator, struct error *error)
{
    const struct model_config config = {.resnet.depth = setting->depth,
                                        .resnet.width = 0.125,
                                        .resnet.stem = STEM_CIFAR,
                                        .image_size = SIZE,
                                        .head_layers = 2,
                                        .head_dim = DIM};
    const struct step_config training = {.loss = &step_nt_xent,
                                         .images = setting->images,
                                         .group = setting->group,
                                         .memory = 1, /* one group is kept */
                                         .temperature = 0.5,
                                         .dtype = setting->dtype,
                                         .optimizer = step_optimizer_usual(OPTIMIZER_LARS),
                                         .schedule = step_schedule_constant(0.01),
                                         .communicator = communicator};
    const int status = model_create(model, &config, backend, 1, error);
    return status ? status : step_open(step, &training, backend, *model, error);
}

static void rank_body(struct communicator *communicator, void *context)
{
    struct outcome *outcome = context;
    const int rank = communicator_rank(communicator);
    const bool ref = strcmp(outcome->setting.backend, "ref") == 0;
    struct error error = {0};
    struct pool *pool = NULL;
    struct backend *backend = NULL;
    struct model *model = NULL;
    struct step step = {0};
    enum simd simd;
    int status = pool_create(&pool, 1, &error);
    if (!status) status = simd_choose(ref ? NULL : outcome->setting.backend, "test", &simd, &error);
    if (!status) status = backend_create(ref ? "ref" : "cpu", simd, pool, &backend, &error);
    if (!status) status = open_step(&step, &model, &outcome->setting, backend, communicator, &error);
    if (!status) {
        const struct shares shares = shares_in(&outcome->setting);
        status = train(outcome, &step, shares_of(&shares, rank), rank, &error);
    }
    outcome->status[rank] = status;
    if (!status || outcome->fault.failing) leave(outcome, &step, rank);
    if (status && rank == 0) snprintf(outcome->wrong, sizeof outcome->wrong, "%.190s", error.text);
    step_close(&step);
    model_destroy(&model);
    backend_destroy(&backend);
    pool_destroy(&pool);
}

static struct outcome run_as(struct setting setting, struct fault fault, const struct state *follow)
{
    struct outcome outcome = {.setting = setting, .fault = fault, .follow = follow};
    const size_t rows = 2 * (size_t)setting.images * DIM;
    outcome.z = calloc(rows, sizeof(float));
    outcome.d_z = calloc(rows, sizeof(float));
    comm_threads_run(setting.ranks, rank_body, &outcome);
    if (outcome.wrong[0] && !fault.failing) fail_msg("%s", outcome.wrong);
    return outcome;
}

static struct outcome run_with(struct setting setting, struct fault fault)
{
    return run_as(setting, fault, NULL);
}

static struct outcome run(struct setting setting)
{
    return run_as(setting, (struct fault){0}, NULL);
}

static void free_outcome(struct outcome *outcome)
{
    free(outcome->z);
    free(outcome->d_z);
    for (int s = 0; s < STEPS; s++) {
        free(outcome->after[s].weights);
        free(outcome->after[s].buffers);
        free(outcome->after[s].momentum);
        free(outcome->after[s].gradients);
    }
}

/* ---- comparison -------------------------------------------------------------------------------------------------- */
struct allowed {
    double report; /* of each number of the report, relative to 1 or to itself */
    double rows;   /* of the norm of z and d_z, of the first step */
    double tensor; /* of a tensor's norm: of the first step */
    double state;  /* of a tensor's norm: statistics, weights, momentum after the last step */
    double whole;  /* behind the first step all tensors count as one: of the gradient and momentum; 0: they do not */
};

/* The gradient, whose norm is told, is float32; and so are the weights that later steps start from. */
static void check_numbers(const char *label, const struct outcome *got, const struct outcome *want,
                          struct allowed allowed)
{
    static const char *const names[] = {"loss",         "top1", "entropy", "positive similarity", "negative similarity",
                                        "gradient norm"};
    for (int s = 0; s < want->setting.steps; s++) {
        const double *a = &got->reports[s].loss, *b = &want->reports[s].loss;
        assert_false(got->reports[s].skipped);
        for (int i = 0; i < 6; i++)
            if (!(fabs(a[i] - b[i]) <= (s == 0 && i < 5 ? allowed.report : allowed.tensor) * fmax(1, fabs(b[i]))))
                fail_msg("%s, step %d: %s is %.15g on one rank, %.15g on %d", label, s, names[i], b[i], a[i],
                         got->setting.ranks);
    }
}

/* motion: a norm that counts beside the tensor's own. */
static void check_moved(const char *label, const char *what, const float *got, const float *want, size_t count,
                        double allowed, double motion)
{
    struct distance distance = {0};
    distance_add(&distance, got, want, count);
    const double off = sqrt(distance.difference), norm = fmax(sqrt(distance.norm), motion);
    if (!(off <= allowed * norm))
        fail_msg("%s: %s is off by %.3g of %.3g, allowed %.3g of it", label, what, off, norm, allowed);
}

static void check_tensor(const char *label, const char *what, const float *got, const float *want, size_t count,
                         double allowed)
{
    check_moved(label, what, got, want, count, allowed, 0);
}

static double norm_of(const float *values, size_t count)
{
    struct distance norm = {0};
    distance_add(&norm, values, values, count);
    return sqrt(norm.norm);
}

/* Each tensor of the model by itself, as step `number` left it. gradient, state: what is allowed of them; gradient 0:
 * it is not looked at. */
static void check_tensors(const char *label, const struct outcome *got, const struct outcome *want,
                          const struct parameters *table, int number, double gradient, double state)
{
    char what[120], where[160];
    const struct state *a = &got->after[number], *b = &want->after[number];
    snprintf(where, sizeof where, "%s, step %d", label, number);
    for (int i = 0; i < table->count; i++) {
        const struct parameter *item = &table->items[i];
        const size_t at = item->offset, count = item->count;
        if (item->flags & PARAMETER_BUFFER) {
            check_tensor(where, item->name, a->buffers + at, b->buffers + at, count, state);
            continue;
        }
        snprintf(what, sizeof what, "gradient of %s", item->name);
        const double shares = got->shares[number][i], whole = norm_of(b->gradients + at, count);
        if (gradient > 0) check_moved(where, what, a->gradients + at, b->gradients + at, count, gradient, shares);
        const double motion = want->motion[number][i] * (shares > whole ? shares / whole : 1);
        check_moved(where, item->name, a->weights + at, b->weights + at, count, state, motion);
        snprintf(what, sizeof what, "momentum of %s", item->name);
        check_moved(where, what, a->momentum + at, b->momentum + at, count, state, motion);
    }
}

static void compare(const struct outcome *got, const struct outcome *want, const struct parameters *table,
                    struct allowed allowed)
{
    char label[120];
    const struct setting *setting = &got->setting;
    const size_t rows = 2 * (size_t)setting->images * DIM;
    snprintf(label, sizeof label, "%s, ResNet-%d, %d images, groups of %d, %d ranks", setting->backend, setting->depth,
             setting->images, setting->group, setting->ranks);
    if (setting->group > 0 && setting->ranks <= setting->images / setting->group) /* each group is on one rank */
        if (memcmp(got->z, want->z, rows * sizeof *got->z) != 0) fail_msg("%s: z has other bits", label);
    check_numbers(label, got, want, allowed);
    check_tensor(label, "z", got->z, want->z, rows, allowed.rows);
    check_tensor(label, "d_z", got->d_z, want->d_z, rows, allowed.rows);
    const int last = setting->steps - 1;
    check_tensors(label, got, want, table, 0, allowed.tensor, allowed.state);
    if (last > 0) check_tensors(label, got, want, table, last, 0, allowed.state);
    for (int r = 1; r < setting->ranks; r++)
        if (got->weights_hash[r] != got->weights_hash[0]) fail_msg("%s: rank %d has other weights", label, r);
}

/* All tensors as one. */
static void check_whole(const char *label, const struct outcome *got, const struct outcome *want, int number,
                        struct allowed allowed)
{
    const struct state *a = &got->after[number], *b = &want->after[number];
    check_tensor(label, "the gradient", a->gradients, b->gradients, want->weight_count, allowed.whole);
    check_tensor(label, "momentum", a->momentum, b->momentum, want->weight_count, allowed.whole);
    check_tensor(label, "weights", a->weights, b->weights, want->weight_count, allowed.state);
    check_tensor(label, "statistics", a->buffers, b->buffers, want->buffer_count, allowed.state);
}

/* Each step from the state in which one rank began it: what a step does is compared, and nothing is carried over.
 * What ranks add up may cancel: the norms of their shares count. */
static void compare_each_step(const struct outcome *want, const struct parameters *table, int ranks,
                              struct allowed allowed)
{
    char label[120];
    struct setting setting = want->setting;
    const size_t rows = 2 * (size_t)setting.images * DIM;
    setting.ranks = ranks;
    struct outcome got = run_as(setting, (struct fault){0}, want->after);
    snprintf(label, sizeof label, "%s, %s, ResNet-%d, %d images, %d ranks, each step by itself", setting.backend,
             dtype_name(setting.dtype), setting.depth, setting.images, ranks);
    check_numbers(label, &got, want, allowed);
    check_tensor(label, "z", got.z, want->z, rows, allowed.rows);
    check_tensor(label, "d_z", got.d_z, want->d_z, rows, allowed.rows);
    for (int s = 0; s < setting.steps; s++) {
        if (allowed.whole > 0 && s > 0)
            check_whole(label, &got, want, s, allowed);
        else
            check_tensors(label, &got, want, table, s, allowed.tensor, allowed.state);
    }
    free_outcome(&got);
}

/* Of the weights after the last step: the largest difference, as a share of what check_tensors measures it by. */
static double worst_weights(const struct outcome *got, const struct outcome *want, const struct parameters *table)
{
    const int last = want->setting.steps - 1;
    double worst = 0;
    for (int i = 0; i < table->count; i++) {
        const struct parameter *item = &table->items[i];
        struct distance distance = {0};
        if (item->flags & PARAMETER_BUFFER) continue;
        distance_add(&distance, got->after[last].weights + item->offset, want->after[last].weights + item->offset,
                     item->count);
        worst =
            fmax(worst, sqrt(distance.difference) / fmax(sqrt(distance.norm), fmax(want->motion[last][i], DBL_MIN)));
    }
    return worst;
}

/* Names and places of the tensors, from a model of its own. */
static struct model *open_table(int depth, struct bench_backend *bench)
{
    struct error error = {0};
    struct model *model;
    const struct model_config config = {.resnet.depth = depth,
                                        .resnet.width = 0.125,
                                        .resnet.stem = STEM_CIFAR,
                                        .image_size = SIZE,
                                        .head_layers = 2,
                                        .head_dim = DIM};
    *bench = open_backend("ref");
    CHECK_OK(model_create(&model, &config, bench->backend, 1, &error), error);
    return model;
}

/* allowed: of all steps in a row; each: of each step by itself. NULL: not looked at. */
static void check_both(struct setting setting, int ranks_first, int ranks_last, const struct allowed *allowed,
                       const struct allowed *each)
{
    struct bench_backend bench;
    struct model *table = open_table(setting.depth, &bench);
    setting.ranks = 1;
    struct outcome want = run(setting);
    for (setting.ranks = ranks_first; setting.ranks <= ranks_last; setting.ranks++) {
        struct outcome got = run(setting);
        if (allowed) compare(&got, &want, &table->parameters, *allowed);
        free_outcome(&got);
        if (each) compare_each_step(&want, &table->parameters, setting.ranks, *each);
    }
    free_outcome(&want);
    model_destroy(&table);
    close_backend(&bench);
}

static void check(struct setting setting, int ranks_first, int ranks_last, struct allowed allowed)
{
    check_both(setting, ranks_first, ranks_last, &allowed, NULL);
}

/* ---- cases --------------------------------------------------------------------------------------------------------
 */
static const struct allowed exact = {1e-9, 2e-7, 2e-7, 4e-7, 0}, exact_each = {1e-9, 2e-7, 2e-7, 2e-7, 0};

static void resnet_18_is_the_same_on_any_ranks(void **state)
{
    (void)state;
    check_both((struct setting){"ref", DTYPE_F64, 18, 24, 0, STEPS, 0}, 2, 4, &exact, &exact_each);
    check_both((struct setting){"ref", DTYPE_F64, 18, 26, 0, STEPS, 0}, 2, 4, &exact, &exact_each);
}

static void resnet_50_is_the_same_on_any_ranks(void **state)
{
    (void)state;
    check_both((struct setting){"ref", DTYPE_F64, 50, 24, 0, STEPS, 0}, 2, 4, &exact, &exact_each);
    check_both((struct setting){"ref", DTYPE_F64, 50, 26, 0, STEPS, 0}, 2, 4, &exact, &exact_each);
}

/* A rank may have a single image. */
static void one_image_a_rank(void **state)
{
    (void)state;
    check((struct setting){"ref", DTYPE_F64, 18, 4, 0, 1, 0}, 3, 4, exact);
}

/* On `cpu` in float32 the first step holds the limits of docs/numerics.md (loss 1e-5, gradients 1e-4, NT-Xent's
 * included), and three steps those of weights (1e-3 of a tensor's change, which is less than its norm). */
static void each_variant_is_the_same_on_two_ranks(void **state)
{
    (void)state;
    static const struct allowed float32 = {1e-5, 1e-4, 1e-4, 1e-4, 0};
    for (const char *const *variant = simd_words(); *variant; variant++) {
        if (!simd_runs(*variant)) {
            skip_part("this CPU lacks %s", *variant);
            continue;
        }
        check((struct setting){*variant, DTYPE_F32, 18, 24, 0, STEPS, 0}, 2, 2, float32);
        check((struct setting){*variant, DTYPE_F32, 50, 26, 0, 1, 0}, 2, 3, float32);
    }
}

/* In bf16 the last bits of a sum decide how an activation is rounded. The first step holds the limits of chains of
 * operations in docs/numerics.md, 1e-3 of what goes forward and 1e-2 of each gradient. In it all residual branches are
 * still multiplied by 0. Behind it what bf16 itself costs counts: all gradients as one by the 0.16 of a ResNet-18
 * there.
 */
static void each_variant_in_bf16_is_the_same_on_two_ranks(void **state)
{
    (void)state;
    static const struct allowed bf16 = {1e-3, 1e-3, 1e-2, 1e-2, 0.16};
    for (const char *const *variant = simd_words(); *variant; variant++) {
        if (!simd_runs(*variant)) {
            skip_part("this CPU lacks %s", *variant);
            continue;
        }
        check_both((struct setting){*variant, DTYPE_BF16, 18, 24, 0, STEPS, 0}, 2, 2, NULL, &bf16);
        check_both((struct setting){*variant, DTYPE_BF16, 50, 26, 0, 1, 0}, 2, 2, NULL, &bf16);
    }
}

/* Why three steps in a row on `ref` have 4e-7: one rank whose gradients go to the neighbouring float32, up or down as
 * float32 may round a sum, is itself more than 2e-7 off after them. */
static void a_rounding_of_each_gradient_costs_as_much(void **state)
{
    (void)state;
    const struct setting setting = {"ref", DTYPE_F64, 50, 24, 1, STEPS, 0};
    struct bench_backend bench;
    struct model *table = open_table(setting.depth, &bench);
    struct outcome want = run(setting), got = run_with(setting, (struct fault){.nudged = true});
    const double worst = worst_weights(&got, &want, &table->parameters);
    print_message("after %d steps the worst tensor is off by %.3g of what moved it\n", STEPS, worst);
    assert_true(worst > exact_each.state && worst <= exact.state);
    free_outcome(&got);
    free_outcome(&want);
    model_destroy(&table);
    close_backend(&bench);
}

/* Groups: ranks that have several, one each, and a part of one; uneven ones among them. The gradient of each group is
 * float32 before it is added to the others', on one rank as on several, and they may cancel: 1e-6. */
static void groups_are_the_same_on_any_ranks(void **state)
{
    (void)state;
    static const struct allowed added = {1e-9, 1e-6, 1e-6, 1e-6, 0}, float32 = {1e-5, 1e-4, 1e-4, 1e-4, 0};
    struct setting setting = {"ref", DTYPE_F64, 18, 24, 0, STEPS, 6};
    check(setting, 2, 4, added);
    check(setting, 8, 8, added); /* two ranks a group */
    setting = (struct setting){"ref", DTYPE_F64, 50, 14, 0, 1, 7};
    check(setting, 2, 2, added);
    check(setting, 4, 4, added); /* three and four images of a group */
    setting = (struct setting){"auto", DTYPE_F32, 18, 24, 0, STEPS, 6};
    check(setting, 2, 4, float32);
    check(setting, 8, 8, float32);
}

/* A NaN in an image of one rank: all skip the step, and go on as one rank goes on that has met it. */
static void a_nan_of_one_rank_is_skipped_by_all(void **state)
{
    (void)state;
    for (int group = 0; group <= 8; group += 8) {
        const struct setting alone = {"ref", DTYPE_F64, 18, 24, 1, 2, group};
        struct setting shared = alone;
        shared.ranks = 3;
        const struct fault fault = {.spoiled = 20};
        struct outcome want = run_with(alone, fault), got = run_with(shared, fault);
        assert_true(got.reports[0].skipped && want.reports[0].skipped);
        assert_false(got.reports[1].skipped || want.reports[1].skipped);
        for (int r = 0; r < shared.ranks; r++) assert_int_equal(got.skipped[r], 1);
        for (int r = 1; r < shared.ranks; r++) assert_true(got.weights_hash[r] == got.weights_hash[0]);
        check_tensor("a NaN of one rank", "weights", got.after[1].weights, want.after[1].weights, want.weight_count,
                     4e-7);
        check_tensor("a NaN of one rank", "statistics", got.after[1].buffers, want.after[1].buffers, want.buffer_count,
                     4e-7);
        free_outcome(&got);
        free_outcome(&want);
    }
}

/* A rank whose views cannot be made takes all out of the step, with its sentence, and the models stay as they were. */
static void a_rank_that_fails_ends_the_step_of_all(void **state)
{
    (void)state;
    struct setting setting = {"ref", DTYPE_F64, 18, 24, 3, 1, 4};
    struct outcome before = run(setting);
    setting.steps = 2;
    for (int failing = 1; failing <= 3; failing += 2) {
        struct outcome after = run_with(setting, (struct fault){.failing = failing});
        for (int r = 0; r < setting.ranks; r++) {
            assert_int_equal(after.status[r], SIMCLR_INVALID);
            assert_true(after.weights_hash[r] == before.weights_hash[r]);
        }
        assert_non_null(strstr(after.wrong, "a batch of 1 images where groups of 4 are wanted"));
        assert_true((strstr(after.wrong, "rank 2 on ") != NULL) == (failing == 3));
        free_outcome(&after);
    }
    free_outcome(&before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rank_that_fails_ends_the_step_of_all),
        cmocka_unit_test(a_nan_of_one_rank_is_skipped_by_all),
        cmocka_unit_test(resnet_18_is_the_same_on_any_ranks),
        cmocka_unit_test(resnet_50_is_the_same_on_any_ranks),
        cmocka_unit_test(one_image_a_rank),
        cmocka_unit_test(groups_are_the_same_on_any_ranks),
        cmocka_unit_test(each_variant_is_the_same_on_two_ranks),
        cmocka_unit_test(each_variant_in_bf16_is_the_same_on_two_ranks),
        cmocka_unit_test(a_rounding_of_each_gradient_costs_as_much),
    };
    return run_cases(tests, NULL, NULL);
}
