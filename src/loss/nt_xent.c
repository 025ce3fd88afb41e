/* loss/nt_xent.c -- the plan of NT-Xent over the backend's kernel. */
#include "loss/nt_xent.h"

#include <math.h>

#include "base/memory.h"

struct nt_xent {
    struct backend *backend;           /* borrowed */
    struct communicator *communicator; /* borrowed; NULL: one rank */
    struct nt_xent_plan *plan;
    int images;
    struct nt_xent_sizes sizes;
    void *unit, *sums;               /* what passes from one phase to the next; the backend's memory */
    size_t *unit_bytes, *sums_bytes; /* [ranks]: of one view's rows of each rank */
    struct tensor_desc tensor;
};

static int allocate(struct nt_xent *loss, const struct shares *shares, struct error *error)
{
    struct backend *backend = loss->backend;
    struct nt_xent_sizes *sizes = &loss->sizes;
    backend->ops->nt_xent_sizes(loss->plan, sizes);
    const size_t rows = 2 * (size_t)loss->images, ranks = (size_t)shares->ranks;
    if (sizes->unit_row) loss->unit = backend->ops->allocate(backend, rows * sizes->unit_row, error);
    if (sizes->unit_row && !loss->unit) return SIMCLR_NO_MEMORY;
    if (sizes->sum_row) loss->sums = backend->ops->allocate(backend, rows * sizes->sum_row, error);
    if (sizes->sum_row && !loss->sums) return SIMCLR_NO_MEMORY;
    loss->unit_bytes = memory_array(ranks, sizeof *loss->unit_bytes);
    loss->sums_bytes = memory_array(ranks, sizeof *loss->sums_bytes);
    if (!loss->unit_bytes || !loss->sums_bytes)
        return error_no_memory(error, "the loss", ranks * sizeof *loss->unit_bytes);
    for (int r = 0; r < shares->ranks; r++) {
        const size_t count = (size_t)shares_of(shares, r).count;
        loss->unit_bytes[r] = count * sizes->unit_row;
        loss->sums_bytes[r] = count * sizes->sum_row;
    }
    return SIMCLR_OK;
}

static int check(const struct nt_xent_config *config, struct error *error)
{
    if (config->shares.images < 1 || config->dim < 1)
        return error_set(error, SIMCLR_INVALID,
                         "NT-Xent over %d images of %d features is impossible; both are positive",
                         config->shares.images, config->dim);
    if (!(config->temperature > 0) || !isfinite(config->temperature))
        return error_set(error, SIMCLR_INVALID,
                         "temperature %g is impossible; it is a positive number (0.1 for "
                         "ImageNet, 0.5 for CIFAR-10)",
                         (double)config->temperature);
    return shares_check(&config->shares, error);
}

int nt_xent_create(struct nt_xent **out, struct backend *backend, const struct nt_xent_config *config,
                   struct error *error)
{
    *out = NULL;
    int status = check(config, error);
    if (status) return status;
    struct nt_xent *loss = memory_allocate(sizeof *loss);
    if (!loss) return error_no_memory(error, "the loss", sizeof *loss);
    const int rank = config->communicator ? communicator_rank(config->communicator) : config->rank;
    const struct share own = shares_of(&config->shares, rank);
    const struct nt_xent_desc desc = {.images = config->shares.images,
                                      .dim = config->dim,
                                      .temperature = config->temperature,
                                      .training = true,
                                      .first = own.first,
                                      .count = own.count};
    loss->backend = backend;
    loss->communicator = config->communicator;
    loss->images = config->shares.images;
    status = backend->ops->nt_xent_create(backend, &desc, &loss->plan, error);
    if (!status) status = allocate(loss, &config->shares, error);
    if (status) {
        nt_xent_destroy(&loss);
        return status;
    }
    loss->tensor = (struct tensor_desc){.batch = 2 * own.count, .channels = config->dim, .height = 1, .width = 1};
    *out = loss;
    return SIMCLR_OK;
}

void nt_xent_destroy(struct nt_xent **loss)
{
    if (!loss || !*loss) return;
    struct backend *backend = (*loss)->backend;
    backend->ops->nt_xent_destroy(&(*loss)->plan);
    backend->ops->release(backend, (*loss)->unit);
    backend->ops->release(backend, (*loss)->sums);
    memory_free((*loss)->unit_bytes);
    memory_free((*loss)->sums_bytes);
    memory_free(*loss);
    *loss = NULL;
}

const struct tensor_desc *nt_xent_tensor(const struct nt_xent *loss)
{
    return &loss->tensor;
}

/* Every rank gets the rows of all, where they belong: the first views' in the order of ranks, then the second ones'. */
static void gather(struct nt_xent *loss, void *rows, const size_t *bytes, size_t row)
{
    communicator_gather(loss->communicator, rows, bytes);
    communicator_gather(loss->communicator, (char *)rows + (size_t)loss->images * row, bytes);
}

void nt_xent_run(struct nt_xent *loss, struct nt_xent_result *result, void *d_z, const void *z)
{
    const struct backend_ops *ops = loss->backend->ops;
    ops->nt_xent_unit_rows(loss->plan, loss->unit, z);
    gather(loss, loss->unit, loss->unit_bytes, loss->sizes.unit_row);
    ops->nt_xent_log_sums(loss->plan, result, loss->sums, loss->unit);
    gather(loss, loss->sums, loss->sums_bytes, loss->sizes.sum_row);
    communicator_sum(loss->communicator, &result->loss, sizeof *result / sizeof result->loss);
    if (d_z) ops->nt_xent_gradient(loss->plan, d_z, loss->unit, loss->sums);
}

struct nt_xent_sizes nt_xent_row_bytes(const struct nt_xent *loss)
{
    return loss->sizes;
}

double nt_xent_chance(int images)
{
    return log(2.0 * images - 1);
}
