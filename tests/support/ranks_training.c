/* support/ranks_training.c -- see ranks_training.h. */
#include "support/ranks_training.h"

#include "base/checksum.h"
#include "base/memory.h"

/* ---- one rank --------------------------------------------------------------------------------------------------- */
/* Images of different brightness and contrast, so that statistics of a part differ from the whole's. */
static float pixel(int row, size_t at, int step)
{
    const size_t k = (size_t)row * 7919 + at * 31 + (size_t)step * 104729;
    const float noise = (float)((k * 2654435761U >> 7) % 1009) / 1009;
    return (0.2f + 0.05f * (float)(row % 13)) * noise + 0.03f * (float)(row % 7);
}

/* A group of the rank's after the other. */
static void fill_views(const struct step *step, char *views, struct share own, const struct ranks_outcome *outcome,
                       int number)
{
    const int images = outcome->setting.images, spoiled = number == 0 ? outcome->fault.spoiled - 1 : -1;
    const size_t values = 3 * RANKS_SIZE * RANKS_SIZE, bytes = network_image_bytes(step->network);
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
    const size_t row = RANKS_DIM * sizeof *all;
    memcpy(all + (size_t)own.first * RANKS_DIM, own_rows, (size_t)own.count * row);
    memcpy(all + ((size_t)images + (size_t)own.first) * RANKS_DIM, own_rows + (size_t)own.count * RANKS_DIM,
           (size_t)own.count * row);
}

static void read_rows(struct ranks_outcome *outcome, const struct step *step, struct share own)
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

static void add_motion(struct ranks_outcome *outcome, const struct step *step, int number)
{
    const struct parameters *parameters = &step->model->parameters;
    for (int i = 0; i < parameters->count && i < RANKS_TENSORS; i++) {
        const struct parameter *item = &parameters->items[i];
        struct distance norm = {0};
        if (item->flags & PARAMETER_BUFFER) continue;
        distance_add(&norm, step->optimizer->state1 + item->offset, step->optimizer->state1 + item->offset,
                     item->count);
        outcome->motion[number][i] = (number > 0 ? outcome->motion[number - 1][i] : 0) + sqrt(norm.norm);
    }
}

static struct ranks_state keep_state(const struct step *step)
{
    const struct parameters *parameters = &step->model->parameters;
    return (struct ranks_state){.weights = keep(parameters->weights, parameters->weight_count),
                                .buffers = keep(parameters->buffers, parameters->buffer_count),
                                .momentum = keep(step->optimizer->state1, parameters->weight_count),
                                .gradients = keep(parameters->gradients, parameters->weight_count)};
}

static void take_state(struct step *step, const struct ranks_state *state)
{
    struct parameters *parameters = &step->model->parameters;
    memcpy(parameters->weights, state->weights, parameters->weight_count * sizeof(float));
    memcpy(parameters->buffers, state->buffers, parameters->buffer_count * sizeof(float));
    memcpy(step->optimizer->state1, state->momentum, parameters->weight_count * sizeof(float));
    network_set_weights(step->network);
}

/* The backward pass, and the norm of each gradient before ranks add theirs up. */
static void backward_in_shares(struct ranks_outcome *outcome, struct step *step, int number, int rank)
{
    const struct parameters *parameters = &step->model->parameters;
    struct communicator *communicator = step->communicator;
    struct overlapped_sum *sum = step->sum;
    double norms[RANKS_TENSORS] = {0};
    step->communicator = NULL;
    step->sum = NULL;
    step_backward(step);
    step->communicator = communicator;
    step->sum = sum;
    for (int i = 0; i < parameters->count && i < RANKS_TENSORS; i++) {
        const struct parameter *item = &parameters->items[i];
        struct distance norm = {0};
        if (item->flags & PARAMETER_BUFFER) continue;
        distance_add(&norm, parameters->gradients + item->offset, parameters->gradients + item->offset, item->count);
        norms[i] = sqrt(norm.norm);
    }
    communicator_sum(communicator, norms, RANKS_TENSORS);
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

static int train(struct ranks_outcome *outcome, struct step *step, struct share own, int rank, struct error *error)
{
    const struct ranks_setting *setting = &outcome->setting;
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

static void leave(struct ranks_outcome *outcome, const struct step *step, int rank)
{
    const struct parameters *parameters = &step->model->parameters;
    outcome->weights_hash[rank] = hash64(parameters->weights, parameters->weight_count * sizeof(float), 1) ^
                                  hash64(parameters->buffers, parameters->buffer_count * sizeof(float), 2) ^
                                  hash64(step->optimizer->state1, parameters->weight_count * sizeof(float), 3);
    if (rank > 0) return;
    outcome->weight_count = parameters->weight_count;
    outcome->buffer_count = parameters->buffer_count;
}

struct model_config ranks_model(int depth)
{
    return (struct model_config){.resnet.depth = depth,
                                 .resnet.width = 0.125,
                                 .resnet.stem = STEM_CIFAR,
                                 .image_size = RANKS_SIZE,
                                 .head_layers = 2,
                                 .head_dim = RANKS_DIM};
}

struct step_config ranks_step(const struct ranks_setting *setting, struct communicator *communicator)
{
    return (struct step_config){.loss = &step_nt_xent,
                                .images = setting->images,
                                .group = setting->group,
                                .temperature = 0.5,
                                .dtype = setting->dtype,
                                .optimizer = step_optimizer_usual(OPTIMIZER_LARS),
                                .schedule = step_schedule_constant(0.01),
                                .communicator = communicator};
}

struct shares ranks_shares(const struct ranks_setting *setting)
{
    return (struct shares){setting->images, setting->group > 0 ? setting->group : setting->images, setting->ranks};
}

int ranks_open_backend(const char *name, struct pool **pool, struct backend **backend, struct error *error)
{
    const bool ref = strcmp(name, "ref") == 0;
    enum simd simd;
    int status = pool_create(pool, 1, error);
    if (!status) status = simd_choose(ref ? NULL : name, "test", &simd, error);
    return status ? status : backend_create(ref ? "ref" : "cpu", simd, *pool, backend, error);
}

static int open_step(struct step *step, struct model **model, const struct ranks_setting *setting,
                     struct backend *backend, struct communicator *communicator, struct error *error)
{
    const struct model_config config = ranks_model(setting->depth);
    struct step_config training = ranks_step(setting, communicator);
    training.memory = 1; /* one group is kept */
    const int status = model_create(model, &config, backend, 1, error);
    return status ? status : step_open(step, &training, backend, *model, error);
}

static void rank_body(struct communicator *communicator, void *context)
{
    struct ranks_outcome *outcome = context;
    const int rank = communicator_rank(communicator);
    struct error error = {0};
    struct pool *pool = NULL;
    struct backend *backend = NULL;
    struct model *model = NULL;
    struct step step = {0};
    int status = ranks_open_backend(outcome->setting.backend, &pool, &backend, &error);
    if (!status) status = open_step(&step, &model, &outcome->setting, backend, communicator, &error);
    if (!status) {
        const struct shares shares = ranks_shares(&outcome->setting);
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

struct ranks_outcome ranks_train(struct ranks_setting setting, struct ranks_fault fault,
                                 const struct ranks_state *follow)
{
    struct ranks_outcome outcome = {.setting = setting, .fault = fault, .follow = follow};
    const size_t rows = 2 * (size_t)setting.images * RANKS_DIM;
    outcome.z = calloc(rows, sizeof(float));
    outcome.d_z = calloc(rows, sizeof(float));
    comm_threads_run(setting.ranks, rank_body, &outcome);
    if (outcome.wrong[0] && !fault.failing) fail_msg("%s", outcome.wrong);
    return outcome;
}

void ranks_free(struct ranks_outcome *outcome)
{
    free(outcome->z);
    free(outcome->d_z);
    for (int s = 0; s < RANKS_STEPS; s++) {
        free(outcome->after[s].weights);
        free(outcome->after[s].buffers);
        free(outcome->after[s].momentum);
        free(outcome->after[s].gradients);
    }
}

/* motion: a norm that counts beside the tensor's own. */
void ranks_check_moved(const char *label, const char *what, const float *got, const float *want, size_t count,
                       double allowed, double motion)
{
    struct distance distance = {0};
    distance_add(&distance, got, want, count);
    const double off = sqrt(distance.difference), norm = fmax(sqrt(distance.norm), motion);
    if (!(off <= allowed * norm))
        fail_msg("%s: %s is off by %.3g of %.3g, allowed %.3g of it", label, what, off, norm, allowed);
}

void ranks_check_tensor(const char *label, const char *what, const float *got, const float *want, size_t count,
                        double allowed)
{
    ranks_check_moved(label, what, got, want, count, allowed, 0);
}
