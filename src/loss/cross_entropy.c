/* loss/cross_entropy.c -- see cross_entropy.h. */
#include "loss/cross_entropy.h"

#include "base/memory.h"

struct cross_entropy {
    struct backend *backend; /* borrowed */
    struct cross_entropy_plan *plan;
    int rows;
    int32_t *labels; /* the backend's memory */
    int32_t *given;  /* the same on the host, while they are on their way */
};

int cross_entropy_create(struct cross_entropy **out, struct backend *backend, int rows, int classes,
                         struct error *error)
{
    *out = NULL;
    struct cross_entropy *loss = memory_allocate(sizeof *loss);
    if (!loss) return error_no_memory(error, "the loss", sizeof *loss);
    const struct cross_entropy_desc desc = {.rows = rows, .classes = classes};
    loss->backend = backend;
    loss->rows = rows;
    int status = backend->ops->cross_entropy_create(backend, &desc, &loss->plan, error);
    if (!status) {
        const size_t bytes = (size_t)rows * sizeof *loss->labels;
        loss->labels = backend->ops->allocate(backend, bytes, error);
        if (loss->labels) loss->given = backend->ops->allocate_host(backend, bytes, error);
        if (!loss->given) status = SIMCLR_NO_MEMORY;
    }
    if (status) {
        cross_entropy_destroy(&loss);
        return status;
    }
    *out = loss;
    return SIMCLR_OK;
}

void cross_entropy_destroy(struct cross_entropy **loss)
{
    if (!loss || !*loss) return;
    struct backend *backend = (*loss)->backend;
    if ((*loss)->plan) backend->ops->cross_entropy_destroy(&(*loss)->plan);
    backend->ops->release(backend, (*loss)->labels);
    backend->ops->release_host(backend, (*loss)->given);
    memory_free(*loss);
    *loss = NULL;
}

void cross_entropy_set_labels(struct cross_entropy *loss, const int32_t *labels, int count)
{
    for (int i = 0; i < loss->rows; i++) loss->given[i] = i < count ? labels[i] : -1;
    loss->backend->ops->upload(loss->backend, loss->labels, loss->given, (size_t)loss->rows * sizeof *loss->given);
}

void cross_entropy_run(struct cross_entropy *loss, struct cross_entropy_result *result, void *d_logits,
                       const void *logits)
{
    loss->backend->ops->cross_entropy_run(loss->plan, result, d_logits, logits, loss->labels);
}
