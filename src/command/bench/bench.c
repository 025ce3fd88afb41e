/* command/bench/bench.c -- how fast is this machine: one training step, each layer, the loss, the views, the decoding.
 *
 * Everything is timed on dense random data (processors run faster on zeros), after a warm-up, as the median of several
 * runs. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/rng.h"
#include "command/bench/bench.h"
#include "command/bench/bench_layers.h"
#include "command/probe.h"
#include "loss/nt_xent.h"
#include "run/settings.h"

enum { MAX_RUNS = 1000 };

static int compare_seconds(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int bench_median(const struct bench *bench, bench_body *body, void *context, double *seconds, int *runs,
                 struct error *error)
{
    double times[MAX_RUNS];
    int count = 0;
    body(context);
    const double begin = clock_seconds();
    while (count < MAX_RUNS && (count < 3 || clock_seconds() - begin < bench->session->config->seconds)) {
        const double start = clock_seconds();
        body(context);
        times[count++] = clock_seconds() - start;
        if (session_is_interrupted(bench->session)) return stop_error(error, "bench");
    }
    qsort(times, (size_t)count, sizeof *times, compare_seconds);
    if (runs) *runs = count;
    *seconds = times[count / 2];
    return SIMCLR_OK;
}

/* ---- the training step --------------------------------------------------------------------------------------- */

static void step_report(struct bench *bench, const char *name, const struct step_seconds *parts, double seconds,
                        int runs)
{
    const struct session *session = bench->session;
    const double views = 2.0 * (double)session->config->batch;
    if (bench->as_json) {
        text_json_open_object(&bench->json, name);
        text_json_number(&bench->json, "views", views);
        text_json_number(&bench->json, "seconds", seconds);
        text_json_number(&bench->json, "views_per_second", views / seconds);
        text_json_number(&bench->json, "forward_seconds", parts->forward);
        text_json_number(&bench->json, "loss_seconds", parts->loss);
        text_json_number(&bench->json, "backward_seconds", parts->backward);
        text_json_number(&bench->json, "update_seconds", parts->update + parts->packing);
        text_json_integer(&bench->json, "runs", runs);
        text_json_number(&bench->json, "peak_resident_bytes", (double)memory_peak_resident());
        text_json_close_object(&bench->json);
        return;
    }
    session_print(session,
                  "%-18s %8.1f views/s   %.1f ms a step of %.0f views (median of %d; forward %.1f, loss %.1f, backward "
                  "%.1f, update %.1f ms)\n",
                  name, views / seconds, 1e3 * seconds, views, runs, 1e3 * parts->forward, 1e3 * parts->loss,
                  1e3 * parts->backward, 1e3 * (parts->update + parts->packing));
}

static int bench_step(struct bench *bench, bool layers, struct error *error)
{
    struct probe probe;
    struct dataset *dataset = NULL;
    int runs = 0, status = probe_open(bench->session, &probe, error);
    if (status != SIMCLR_OK) return status;
    if (layers) {
        status = bench_layers(bench->session, &probe, bench->as_json ? &bench->json : NULL, error);
    } else {
        double seconds = 0;
        status = bench_median(bench, probe_run, &probe, &seconds, &runs, error);
        if (status == SIMCLR_OK) step_report(bench, "step", &probe.step.seconds, seconds, runs);
        if (status == SIMCLR_OK)
            status =
                probe_loader_open(bench->session, session_view_type(bench->session), &dataset, &probe.loader, error);
        if (status == SIMCLR_OK) status = bench_median(bench, probe_run, &probe, &seconds, &runs, error);
        if (status == SIMCLR_OK && probe.status != SIMCLR_OK)
            status = error_set(error, probe.status, "bench: the views could not be read");
        if (status == SIMCLR_OK) step_report(bench, "step_with_views", &probe.step.seconds, seconds, runs);
    }
    probe_close(&probe);
    dataset_close(&dataset);
    return status;
}

/* ---- the loss ------------------------------------------------------------------------------------------------- */

struct loss_bench {
    struct nt_xent *loss;
    struct nt_xent_result *result; /* these three: the backend's memory */
    void *z, *d_z;
};

static void loss_run(void *context)
{
    struct loss_bench *bench = context;
    nt_xent_run(bench->loss, bench->result, bench->d_z, bench->z);
}

static int fill_loss(struct loss_bench *loss, struct backend *backend, struct error *error)
{
    const struct backend_ops *ops = backend->ops;
    const struct tensor_desc *desc = nt_xent_tensor(loss->loss);
    const size_t count = tensor_elements(desc), bytes = ops->tensor_bytes(backend, desc);
    loss->result = ops->allocate(backend, sizeof *loss->result, error);
    if (loss->result) loss->z = ops->allocate(backend, bytes, error);
    if (loss->z) loss->d_z = ops->allocate(backend, bytes, error);
    if (!loss->d_z) return SIMCLR_NO_MEMORY;
    float *canonical = memory_array(count, sizeof *canonical);
    if (!canonical) return error_no_memory(error, "z", count * sizeof *canonical);
    fill_dense(canonical, count, -1, 1);
    ops->tensor_write(backend, desc, loss->z, canonical);
    memory_free(canonical);
    return SIMCLR_OK;
}

static int bench_loss(struct bench *bench, struct error *error)
{
    const struct config *config = bench->session->config;
    const int images = (int)config->batch, dim = config->head_dim > 0 ? (int)config->head_dim : 128;
    struct loss_bench loss = {0};
    double seconds = 0;
    const struct nt_xent_config of = {.shares = {.images = images, .group = images, .ranks = 1},
                                      .dim = dim,
                                      .temperature = (float)config->temperature};
    int runs = 0, status = nt_xent_create(&loss.loss, bench->session->backend, &of, error);
    if (status == SIMCLR_OK) status = fill_loss(&loss, bench->session->backend, error);
    if (status == SIMCLR_OK) status = bench_median(bench, loss_run, &loss, &seconds, &runs, error);
    if (status == SIMCLR_OK) {
        if (bench->as_json) {
            text_json_open_object(&bench->json, "nt_xent");
            text_json_integer(&bench->json, "images", images);
            text_json_integer(&bench->json, "dim", dim);
            text_json_number(&bench->json, "temperature", config->temperature);
            text_json_number(&bench->json, "seconds", seconds);
            text_json_integer(&bench->json, "runs", runs);
            text_json_close_object(&bench->json);
        } else {
            session_print(bench->session, "%-18s %8.2f ms      forward and backward, N = %d, D = %d (median of %d)\n",
                          "nt_xent", 1e3 * seconds, images, dim, runs);
        }
    }
    nt_xent_destroy(&loss.loss);
    void *blocks[] = {loss.result, loss.z, loss.d_z};
    for (int i = 0; i < 3; i++) bench->session->backend->ops->release(bench->session->backend, blocks[i]);
    return status;
}

/* ---- views and decoding ----------------------------------------------------------------------------------------- */

struct views_bench {
    struct loader *loader;
    int64_t step;
    int status;
    struct error *error;
};

static void views_run(void *context)
{
    struct views_bench *views = context;
    const struct batch *batch;
    if (views->status == SIMCLR_OK) views->status = loader_next(views->loader, views->step++, &batch, views->error);
}

/* The rate of many batches, not the time of one: the loader makes batches ahead, so one that is ready takes no time. */
static int measure_views(const struct bench *bench, struct views_bench *views, double *seconds, int *runs,
                         struct error *error)
{
    enum { AHEAD = 4 }; /* more batches than a loader has ready; what was made before the clock runs is not counted */
    for (int i = 0; i < AHEAD; i++) views_run(views);
    const double begin = clock_seconds();
    for (*runs = 0; *runs < 3 || clock_seconds() - begin < bench->session->config->seconds; *runs += 1) {
        views_run(views);
        if (session_is_interrupted(bench->session)) return stop_error(error, "bench");
        if (views->status != SIMCLR_OK) break;
    }
    *seconds = clock_seconds() - begin;
    return views->status;
}

static int bench_views(struct bench *bench, struct error *error)
{
    struct views_bench views = {.error = error};
    struct dataset *dataset = NULL;
    int status = probe_loader_open(bench->session, VIEW_FLOAT32, &dataset, &views.loader, error);
    double seconds = 0;
    int runs = 0;
    if (status == SIMCLR_OK) status = measure_views(bench, &views, &seconds, &runs, error);
    const double rate = status ? 0 : 2.0 * (double)bench->session->config->batch * runs / seconds;
    if (status == SIMCLR_OK && bench->as_json) {
        text_json_open_object(&bench->json, "views");
        text_json_string(&bench->json, "data", dataset_description(dataset));
        text_json_string(&bench->json, "variant", simd_name(bench->session->simd & SIMD_VIEWS));
        text_json_number(&bench->json, "views_per_second", rate);
        text_json_integer(&bench->json, "runs", runs);
        text_json_close_object(&bench->json);
    } else if (status == SIMCLR_OK) {
        session_print(bench->session, "%-18s %8.0f views/s   %s (mean of %d batches)\n", "views", rate,
                      dataset_description(dataset), runs);
    }
    loader_close(&views.loader);
    dataset_close(&dataset);
    return status;
}

struct decode_bench {
    uint8_t *bytes;
    size_t count;
    int status;
    struct image image;
};

static void decode_run(void *context)
{
    struct decode_bench *decode = context;
    const struct image_limits limits = image_limits_default();
    image_free(&decode->image);
    decode->status = image_decode(decode->bytes, decode->count, &limits, "benchmark", &decode->image, NULL);
}

/* A JPEG of 500 x 375 noise-textured pixels, about the size of an ImageNet photo. One thread. */
static int bench_decode(struct bench *bench, struct error *error)
{
    struct decode_bench decode = {0};
    struct image photo = {0};
    int status = image_create(500, 375, &photo, error);
    if (status == SIMCLR_OK) {
        struct rng rng = rng_open(1, RNG_TEST, 0, 1, 0);
        for (int i = 0; i < photo.width * photo.height * 3; i++)
            photo.rgb[i] = (uint8_t)(96 + (i / 3 % photo.width) / 5 + (int)rng_below(&rng, 24));
        status = image_encode_jpeg(&photo, 90, &decode.bytes, &decode.count, error);
    }
    double seconds = 0;
    int runs = 0;
    if (status == SIMCLR_OK) status = bench_median(bench, decode_run, &decode, &seconds, &runs, error);
    if (status == SIMCLR_OK) {
        if (decode.status != SIMCLR_OK)
            status = error_set(error, decode.status, "bench: the test JPEG did not decode");
        else if (bench->as_json) {
            text_json_open_object(&bench->json, "decode");
            text_json_integer(&bench->json, "bytes", (int64_t)decode.count);
            text_json_number(&bench->json, "images_per_second_per_core", 1 / seconds);
            text_json_close_object(&bench->json);
        } else {
            session_print(bench->session,
                          "%-18s %8.0f images/s  JPEG of 500 x 375, %zu bytes, one core (median of %d)\n", "decode",
                          1 / seconds, decode.count, runs);
        }
    }
    image_free(&photo);
    image_free(&decode.image);
    memory_free(decode.bytes);
    return status;
}

/* What "auto" is for pretrain. The images say their size where something is timed that depends on it: they are only
 * measured for that. */
static int resolve(struct session *session, const char *what, struct error *error)
{
    const struct config *config = session->config;
    const bool sized = strcmp(what, "loss") != 0 && strcmp(what, "decode") != 0;
    struct session looking = *session;
    struct dataset *dataset = NULL;
    int status = SIMCLR_OK;
    looking.traits.keeps_no_images = true;
    if (sized && config_is_auto(config, "image-size"))
        status = session_open_dataset(&looking, config->data[0] ? config->data : "synthetic", DATASET_TRAIN, &dataset,
                                      error);
    if (status == SIMCLR_OK) status = session_resolve(session, dataset, error);
    dataset_close(&dataset);
    return status;
}

int command_bench(struct session *session, struct error *error)
{
    struct bench bench = {.session = session, .as_json = session->config->json};
    const char *what = session->config->what;
    const bool all = strcmp(what, "all") == 0;
    int status = resolve(session, what, error);
    if (status != SIMCLR_OK) return status;
    if (bench.as_json) {
        text_json_open_object(&bench.json, NULL);
        text_json_string(&bench.json, "backend", session->backend->ops->description(session->backend));
        text_json_string(&bench.json, "precision", dtype_name(session->dtype));
    } else {
        session_print(session, "%s, %s\n", session->backend->ops->description(session->backend),
                      dtype_name(session->dtype));
    }
    if (status == SIMCLR_OK && (all || strcmp(what, "step") == 0)) status = bench_step(&bench, false, error);
    if (status == SIMCLR_OK && (all || strcmp(what, "layers") == 0)) status = bench_step(&bench, true, error);
    if (status == SIMCLR_OK && (all || strcmp(what, "data") == 0)) status = bench_data(&bench, error);
    if (status == SIMCLR_OK && (all || strcmp(what, "embed") == 0)) status = bench_embed(&bench, error);
    if (status == SIMCLR_OK && (all || strcmp(what, "update") == 0)) status = bench_update(&bench, error);
    if (status == SIMCLR_OK && (all || strcmp(what, "loss") == 0)) status = bench_loss(&bench, error);
    if (status == SIMCLR_OK && (all || strcmp(what, "views") == 0)) status = bench_views(&bench, error);
    if (status == SIMCLR_OK && (all || strcmp(what, "decode") == 0)) status = bench_decode(&bench, error);
    if (bench.as_json) text_json_close_object(&bench.json);
    if (status == SIMCLR_OK && bench.as_json) status = session_print_json(session, &bench.json, error);
    text_free(&bench.json);
    return status;
}
