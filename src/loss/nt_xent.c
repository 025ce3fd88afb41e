/* loss/nt_xent.c -- the plan of NT-Xent over the backend's kernel. */
#include "loss/nt_xent.h"

#include <math.h>

#include "base/memory.h"

struct nt_xent {
    struct backend *backend; /* borrowed */
    struct nt_xent_plan *plan;
    void *unit, *sums; /* what passes from one phase to the next; the backend's memory */
    struct tensor_desc tensor;
};

static int allocate(struct nt_xent *loss, int images, struct error *error)
{
    struct backend *backend = loss->backend;
    struct nt_xent_sizes sizes;
    backend->ops->nt_xent_sizes(loss->plan, &sizes);
    const size_t rows = 2 * (size_t)images;
    if (sizes.unit_row) loss->unit = backend->ops->allocate(backend, rows * sizes.unit_row, error);
    if (sizes.unit_row && !loss->unit) return SIMCLR_NO_MEMORY;
    if (sizes.sum_row) loss->sums = backend->ops->allocate(backend, rows * sizes.sum_row, error);
    return sizes.sum_row && !loss->sums ? SIMCLR_NO_MEMORY : SIMCLR_OK;
}

int nt_xent_create(struct nt_xent **out, struct backend *backend, int images, int dim, float temperature,
                   struct error *error)
{
    *out = NULL;
    if (images < 1 || dim < 1)
        return error_set(error, SIMCLR_INVALID,
                         "NT-Xent over %d images of %d features is impossible; both are positive", images, dim);
    if (!(temperature > 0) || !isfinite(temperature))
        return error_set(error, SIMCLR_INVALID,
                         "temperature %g is impossible; it is a positive number (0.1 for "
                         "ImageNet, 0.5 for CIFAR-10)",
                         (double)temperature);
    struct nt_xent *loss = memory_allocate(sizeof *loss);
    if (!loss) return error_no_memory(error, "the loss", sizeof *loss);
    loss->backend = backend;
    const struct nt_xent_desc desc = {.images = images, .dim = dim, .temperature = temperature, .training = true};
    int status = backend->ops->nt_xent_create(backend, &desc, &loss->plan, error);
    if (!status) status = allocate(loss, images, error);
    if (status) {
        nt_xent_destroy(&loss);
        return status;
    }
    loss->tensor = (struct tensor_desc){.batch = 2 * images, .channels = dim, .height = 1, .width = 1};
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
    memory_free(*loss);
    *loss = NULL;
}

const struct tensor_desc *nt_xent_tensor(const struct nt_xent *loss)
{
    return &loss->tensor;
}

void nt_xent_run(struct nt_xent *loss, struct nt_xent_result *result, void *d_z, const void *z)
{
    const struct backend_ops *ops = loss->backend->ops;
    ops->nt_xent_unit_rows(loss->plan, loss->unit, z);
    ops->nt_xent_log_sums(loss->plan, result, loss->sums, loss->unit);
    if (d_z) ops->nt_xent_gradient(loss->plan, d_z, loss->unit, loss->sums);
}

double nt_xent_chance(int images)
{
    return log(2.0 * images - 1);
}
