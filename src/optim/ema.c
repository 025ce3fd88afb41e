/* optim/ema.c -- see ema.h. */
#include "optim/ema.h"

int ema_open(struct ema *ema, struct backend *backend, const struct parameters *of, const struct parameters *into,
             double decay, struct error *error)
{
    *ema = (struct ema){.backend = backend, .of = of, .into = into, .decay = decay};
    if (!(decay > 0 && decay < 1))
        return error_set(error, SIMCLR_INVALID, "an average with decay %g is impossible: give one between 0 and 1",
                         decay);
    if (of->weight_count != into->weight_count || of->buffer_count != into->buffer_count)
        return error_set(error, SIMCLR_INVALID, "an average is of the form of its model");
    ema->keep = backend->ops->allocate(backend, sizeof *ema->keep, error);
    return ema->keep ? SIMCLR_OK : SIMCLR_NO_MEMORY;
}

void ema_close(struct ema *ema)
{
    if (ema->keep) ema->backend->ops->release(ema->backend, ema->keep);
    *ema = (struct ema){0};
}

void ema_start(const struct ema *ema)
{
    const struct backend_ops *ops = ema->backend->ops;
    ops->copy(ema->backend, ema->into->weights, ema->of->weights, ema->of->weight_count * sizeof(float));
    ops->copy(ema->backend, ema->into->buffers, ema->of->buffers, ema->of->buffer_count * sizeof(float));
}

void ema_set(struct ema *ema, int64_t n)
{
    const double early = (1 + (double)n) / (10 + (double)n);
    ema->given = (float)(early < ema->decay ? early : ema->decay);
    ema->backend->ops->upload(ema->backend, ema->keep, &ema->given, sizeof ema->given);
}

void ema_run(const struct ema *ema)
{
    const struct backend_ops *ops = ema->backend->ops;
    ops->average(ema->backend, ema->into->weights, ema->of->weights, ema->of->weight_count, ema->keep);
    ops->average(ema->backend, ema->into->buffers, ema->of->buffers, ema->of->buffer_count, ema->keep);
}
