/* command/info/info_ranks.c -- seconds of a step on this machine, from a small one, for the prediction of --ranks. */
#include "base/clock.h"
#include "base/format.h"
#include "base/memory.h"
#include "command/info/info.h"
#include "command/probe.h"
#include "loss/nt_xent.h"

enum { IMAGES_MOST = 32, LOSS_IMAGES_MOST = 1024, STEPS_LEAST = 3, STEPS_MOST = 1000 };
static const double long_enough = 1.5; /* seconds of steps */

/* ---- NT-Xent over all rows of `images` images ---- */

static int time_loss(struct session *session, int images, int dim, double *seconds, struct error *error)
{
    const struct backend_ops *ops = session->backend->ops;
    const struct nt_xent_config config = {.shares = {images, images, 1}, .dim = dim, .temperature = 0.5f};
    struct nt_xent *loss = NULL;
    struct nt_xent_result result;
    void *z = NULL, *d_z = NULL;
    float *rows = NULL;
    int status = nt_xent_create(&loss, session->backend, &config, error);
    if (status) return status;
    const struct tensor_desc *desc = nt_xent_tensor(loss);
    const size_t bytes = ops->tensor_bytes(session->backend, desc);
    z = ops->allocate(session->backend, bytes, error);
    if (z) d_z = ops->allocate(session->backend, bytes, error);
    rows = memory_array(tensor_elements(desc), sizeof *rows);
    if (!z || !d_z || !rows) {
        status = error_no_memory(error, "rows of the loss", bytes);
    } else {
        fill_dense(rows, tensor_elements(desc), -1, 1);
        ops->tensor_write(session->backend, desc, z, rows);
        nt_xent_run(loss, &result, d_z, z); /* warm */
        const double start = clock_seconds();
        nt_xent_run(loss, &result, d_z, z);
        status = ops->sync(session->backend, error);
        *seconds = clock_seconds() - start;
    }
    ops->release(session->backend, z);
    ops->release(session->backend, d_z);
    memory_free(rows);
    nt_xent_destroy(&loss);
    return status;
}

/* ---- the rest of a step ---- */

/* twice: the share of the forward passes that run once more. */
static int take_steps(struct session *session, struct probe *probe, double twice, struct forecast_measured *out,
                      struct error *error)
{
    double spent = 0, passes = 0, update = 0;
    int steps = 0;
    for (int i = 0; i < STEPS_MOST && (steps < STEPS_LEAST || spent < long_enough); i++) {
        if (session_is_interrupted(session)) return stop_error(error, "timing steps");
        const double start = clock_seconds();
        probe_run(probe);
        if (probe->status) return error_set(error, probe->status, "a step to be timed did not end");
        if (i == 0) continue; /* memory is touched for the first time */
        const struct step_seconds *seconds = &probe->step.seconds;
        passes += seconds->forward * (1 + twice) + seconds->backward;
        update += seconds->update + seconds->packing;
        spent += clock_seconds() - start;
        steps++;
    }
    out->passes = passes / steps;
    out->update = update / steps;
    return SIMCLR_OK;
}

/* With `images` images in one group. */
static int probe_images(const struct session *session, int images, double twice, struct forecast_measured *out,
                        struct error *error)
{
    struct config *settings = NULL;
    struct probe probe;
    char text[24];
    int status = config_copy(&settings, session->config, error);
    format_write(text, sizeof text, "%d", images);
    if (!status) status = config_set(settings, "batch", text, 2, error);
    if (!status) status = config_set(settings, "batch-norm-images", "all", 2, error);
    if (!status) {
        struct session inner = session_derive(session, settings, session->log);
        status = probe_open(&inner, &probe, error);
        if (!status) {
            status = take_steps(&inner, &probe, twice, out, error);
            out->images = images;
            probe_close(&probe);
        }
    }
    config_destroy(&settings);
    return status;
}

int info_measure(struct session *session, const struct footprint *footprint, const struct model_config *model,
                 int own_images, int images, struct forecast_measured *out, struct error *error)
{
    const double groups = footprint->groups_own, again = groups - footprint->groups_kept;
    const double twice = groups > 0 ? again / groups : 0;
    int tried = own_images < 2 ? 2 : own_images < IMAGES_MOST ? own_images : IMAGES_MOST;
    *out = (struct forecast_measured){.loss_images = images < LOSS_IMAGES_MOST ? images : LOSS_IMAGES_MOST};
    int status = probe_images(session, tried, twice, out, error);
    while (status == SIMCLR_NO_MEMORY && tried >= 4) {
        tried /= 2;
        status = probe_images(session, tried, twice, out, error);
    }
    return status ? status : time_loss(session, out->loss_images, model_output_dim(model), &out->loss, error);
}
