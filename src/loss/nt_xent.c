/* loss/nt_xent.c -- the plan of NT-Xent over the backend's kernel. */
#include "loss/nt_xent.h"

#include <math.h>

#include "base/memory.h"

struct nt_xent {
    struct backend *backend; /* borrowed */
    struct nt_xent_plan *plan;
};

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
    if (status) {
        memory_free(loss);
        return status;
    }
    *out = loss;
    return SIMCLR_OK;
}

void nt_xent_destroy(struct nt_xent **loss)
{
    if (!loss || !*loss) return;
    (*loss)->backend->ops->nt_xent_destroy(&(*loss)->plan);
    memory_free(*loss);
    *loss = NULL;
}

void nt_xent_run(struct nt_xent *loss, struct nt_xent_result *result, float *d_z, const float *z)
{
    loss->backend->ops->nt_xent_run(loss->plan, result, d_z, z);
}

double nt_xent_chance(int images)
{
    return log(2.0 * images - 1);
}
