/* nn/ops/batch_norm.c -- batch norm with the residual addition and the ReLU after it (Ioffe and Szegedy 2015,
 * arXiv:1502.03167). In inference it is an affine map, which the convolution before it absorbs. */
#include <string.h>

#include "nn/internal.h"
#include "nn/ops/ops.h"

#define EPSILON 1e-5f
#define USUAL_SHARE 0.1f /* of a batch in the running statistics (method.md section 2) */

enum { GAMMA, BETA, RUNNING_MEAN, RUNNING_VARIANCE };

struct batch_norm_operation {
    struct batch_norm_plan *plan;
    size_t totals; /* where batches are groups: its place in network->totals */
};

static const struct operation_type TYPE;

/* ---- building ------------------------------------------------------------------------------------------------ */
static int declare(struct network *network, const char *name, const char *part, unsigned flags,
                   enum parameter_init init, int channels)
{
    const struct parameter_form form = {.rank = 1, .dims = {channels}, .flags = flags, .init = init};
    return network_declare(network, name, part, &form);
}

int network_batch_norm(struct network *network, const char *name, int x, struct network_batch_norm norm)
{
    int status = network_begin(network, x, name);
    if (!status) status = network_refuse_images(network, x, name);
    if (status) return status;
    const struct tensor_desc in = network->tensors[x].desc;
    if (norm.residual >= 0) {
        const struct tensor_desc *other = network_tensor(network, norm.residual);
        if (!other || norm.residual == x || memcmp(other, &in, sizeof in) != 0)
            NETWORK_FAIL(network, SIMCLR_INVALID, "%s: the residual must be another tensor of the same shape and type",
                         name);
    }
    const unsigned buffer = PARAMETER_BUFFER | (norm.flags & PARAMETER_HEAD);
    int rows[4] = {-1, -1, -1, -1};
    rows[GAMMA] = declare(network, name, "weight", norm.flags, norm.zero_gamma ? INIT_ZERO : INIT_ONE, in.channels);
    if (rows[GAMMA] >= 0 && !norm.no_beta)
        rows[BETA] = declare(network, name, "bias", norm.flags, INIT_ZERO, in.channels);
    rows[RUNNING_MEAN] = declare(network, name, "running_mean", buffer, INIT_ZERO, in.channels);
    rows[RUNNING_VARIANCE] = declare(network, name, "running_var", buffer, INIT_ONE, in.channels);
    if (network->error.status) return network->error.status;
    const struct batch_norm_operation own = {0};
    struct new_operation operation = {.type = &TYPE,
                                      .name = name,
                                      .x = x,
                                      .residual = norm.residual >= 0 ? norm.residual : -1,
                                      .relu = norm.relu,
                                      .own = &own};
    memcpy(operation.parameters, rows, sizeof rows);
    return network_append(network, &operation, &in);
}

static void describe(const struct network *network, const struct operation *operation, struct network_row *row)
{
    (void)network;
    (void)operation;
    row->epsilon = EPSILON;
    row->flops = 2.0 * row->output.channels * row->output.height * row->output.width;
}

/* ---- planning ------------------------------------------------------------------------------------------------ */
/* Over which the statistics run: of the group that this network has, or of the ranks that share it. */
static int64_t values_per_channel(const struct network *network, const struct operation *operation)
{
    const struct tensor_desc *x = &network->tensors[operation->x].desc;
    const int batch = network->options.statistics_of ? network->options.statistics_batch : x->batch;
    return (int64_t)batch * x->height * x->width;
}

/* Ranks and groups join sums that the operation before made. */
static int plan_sums(struct network *network, const struct operation *operation, struct error *error)
{
    struct batch_norm_operation *own = operation->own;
    const struct operation *before = &network->operations[network->tensors[operation->x].producer];
    const struct network_options *options = &network->options;
    struct operation_bytes made = {0};
    if (!network_trains(network) || (!options->statistics_of && !options->grouped)) return SIMCLR_OK;
    if (before->type->bytes) before->type->bytes(network, before, &made);
    if (!made.statistics)
        return error_set(error, SIMCLR_UNSUPPORTED,
                         "%s: over several ranks or groups a batch norm comes after a convolution, not a %s",
                         operation->name, before->type->name);
    if (options->grouped) own->totals = network_want_totals(network, made.statistics / sizeof(double));
    return SIMCLR_OK;
}

static int plan(struct network *network, struct operation *operation, struct error *error)
{
    struct batch_norm_operation *own = operation->own;
    const struct tensor_desc *in = &network->tensors[operation->x].desc;
    if (network_trains(network) && values_per_channel(network, operation) < 2)
        return error_set(error, SIMCLR_INVALID,
                         "%s: batch norm cannot train on one value per channel; use a batch of at least 2",
                         operation->name);
    const int status = plan_sums(network, operation, error);
    if (status) return status;
    const struct batch_norm_desc desc = {
        .dtype = in->dtype,
        .batch = in->batch,
        .channels = in->channels,
        .height = in->height,
        .width = in->width,
        .relu = operation->relu,
        .residual = operation->residual >= 0,
        .training = network_trains(network),
        .accumulate_residual = operation->adds_d_residual,
        .epsilon = EPSILON,
        .momentum = network->options.statistics_share > 0 ? network->options.statistics_share : USUAL_SHARE,
    };
    return network->backend->ops->batch_norm_create(network->backend, &desc, &own->plan, error);
}

static void bytes(const struct network *network, const struct operation *operation, struct operation_bytes *out)
{
    const struct batch_norm_operation *own = operation->own;
    const struct backend_ops *ops = network->backend->ops;
    out->saved = ops->batch_norm_saved_bytes(own->plan);
    out->mask = ops->batch_norm_mask_bytes(own->plan);
    out->sums = ops->statistics_bytes(network->backend, network->tensors[operation->y].desc.channels);
}

static void affine(const struct network *network, const struct operation *operation, struct affine_map *map)
{
    *map = (struct affine_map){.gamma = network_weights(network, operation->parameters[GAMMA]),
                               .beta = network_weights(network, operation->parameters[BETA]),
                               .mean = network_weights(network, operation->parameters[RUNNING_MEAN]),
                               .variance = network_weights(network, operation->parameters[RUNNING_VARIANCE]),
                               .epsilon = EPSILON};
}

static void close(struct network *network, struct operation *operation)
{
    struct batch_norm_operation *own = operation->own;
    if (own->plan) network->backend->ops->batch_norm_destroy(&own->plan);
}

/* ---- running ------------------------------------------------------------------------------------------------- */
/* Two sums a channel, of this rank's images, become those of all ranks'. */
static void share_sums(const struct network *network, const struct operation *operation, double *sums)
{
    const size_t channels = (size_t)network->tensors[operation->x].desc.channels;
    communicator_sum(network->options.statistics_of, sums, 2 * channels);
}

static void forward(struct network *network, const struct operation *operation)
{
    const struct batch_norm_operation *own = operation->own;
    const struct backend_ops *ops = network->backend->ops;
    const struct node *x = &network->tensors[operation->x];
    void *y = network_output(network, operation);
    const void *residual = network_value(network, operation->residual);
    const float *gamma = network_weights(network, operation->parameters[GAMMA]);
    const float *beta = network_weights(network, operation->parameters[BETA]);
    const float *mean = network_weights(network, operation->parameters[RUNNING_MEAN]);
    const float *variance = network_weights(network, operation->parameters[RUNNING_VARIANCE]);
    if (network_trains(network)) {
        const bool grouped = network->options.grouped;
        double *statistics = network->operations[x->producer].statistics;
        float *next_mean = parameter_next(network->parameters, operation->parameters[RUNNING_MEAN]);
        float *next_variance = parameter_next(network->parameters, operation->parameters[RUNNING_VARIANCE]);
        if (network->collects) /* this rank's own */
            ops->add_sums(network->backend, network->totals + own->totals, statistics, 2 * (size_t)x->desc.channels);
        share_sums(network, operation, statistics);
        const struct batch_norm_forward_args args = {.y = y,
                                                     .mask = network_forward_mask(operation),
                                                     .saved = operation->saved,
                                                     .next_mean = grouped ? NULL : next_mean,
                                                     .next_var = grouped ? NULL : next_variance,
                                                     .x = x->data,
                                                     .residual = residual,
                                                     .statistics = statistics,
                                                     .count = values_per_channel(network, operation),
                                                     .gamma = gamma,
                                                     .beta = beta,
                                                     .running_mean = mean,
                                                     .running_var = variance};
        ops->batch_norm_forward(own->plan, &args);
        return;
    }
    const struct batch_norm_inference_args args = {.y = y,
                                                   .x = x->data,
                                                   .residual = residual,
                                                   .gamma = gamma,
                                                   .beta = beta,
                                                   .running_mean = mean,
                                                   .running_var = variance};
    ops->batch_norm_inference(own->plan, &args);
}

static void end_statistics(struct network *network, const struct operation *operation, int batches)
{
    const struct batch_norm_operation *own = operation->own;
    struct parameters *parameters = network->parameters;
    const struct batch_norm_running_args args = {
        .next_mean = parameter_next(parameters, operation->parameters[RUNNING_MEAN]),
        .next_var = parameter_next(parameters, operation->parameters[RUNNING_VARIANCE]),
        .statistics = network->totals + own->totals,
        .count = batches * values_per_channel(network, operation),
        .running_mean = network_weights(network, operation->parameters[RUNNING_MEAN]),
        .running_var = network_weights(network, operation->parameters[RUNNING_VARIANCE])};
    network->backend->ops->batch_norm_running(own->plan, &args);
}

static void again(struct network *network, const struct operation *operation, void *out, void *mask,
                  const void *residual)
{
    const struct batch_norm_operation *own = operation->own;
    const struct batch_norm_again_args args = {.y = out,
                                               .mask = mask,
                                               .x = network_value_back(network, operation->x),
                                               .residual = residual,
                                               .saved = operation->saved,
                                               .gamma = network_weights(network, operation->parameters[GAMMA]),
                                               .beta = network_weights(network, operation->parameters[BETA])};
    network->backend->ops->batch_norm_again(own->plan, &args);
}

static void backward(struct network *network, const struct operation *operation)
{
    const struct batch_norm_operation *own = operation->own;
    const struct backend_ops *ops = network->backend->ops;
    const void *x = network_value_back(network, operation->x), *d_y = network_gradient(network, operation->y);
    const struct batch_norm_sums_args sums = {.sums = operation->sums,
                                              .d_gamma = network_gradients(network, operation->parameters[GAMMA]),
                                              .d_beta = network_gradients(network, operation->parameters[BETA]),
                                              .d_y = d_y,
                                              .x = x,
                                              .mask = operation->mask,
                                              .saved = operation->saved};
    ops->batch_norm_backward_sums(own->plan, &sums);
    share_sums(network, operation, operation->sums); /* d_gamma and d_beta stay this rank's: gradients are summed */
    const struct batch_norm_backward_args args = {.d_x = network_gradient(network, operation->x),
                                                  .d_residual = network_gradient(network, operation->residual),
                                                  .sums = operation->sums,
                                                  .count = values_per_channel(network, operation),
                                                  .d_y = d_y,
                                                  .x = x,
                                                  .mask = operation->mask,
                                                  .saved = operation->saved,
                                                  .gamma = network_weights(network, operation->parameters[GAMMA])};
    ops->batch_norm_backward(own->plan, &args);
}

static const struct operation_type TYPE = {
    .name = "batch_norm",
    .own_bytes = sizeof(struct batch_norm_operation),
    .reads_x_back = true,
    .adds_d_residual = true,
    .d_x_over_d_y = true,
    .reads_statistics = true,
    .again_in_residual = true,
    .describe = describe,
    .plan = plan,
    .bytes = bytes,
    .affine = affine,
    .forward = forward,
    .end_statistics = end_statistics,
    .again = again,
    .backward = backward,
    .close = close,
};
