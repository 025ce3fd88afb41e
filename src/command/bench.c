/* command/bench.c -- how fast is this machine: one training step, each layer, the loss, the views, the decoding.
 *
 * Everything is timed on dense random data (processors run faster on zeros), after a warm-up, as the median of several runs. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/rng.h"
#include "base/text.h"
#include "data/loader.h"
#include "loss/nt_xent.h"
#include "model/model.h"
#include "optim/optimizer.h"
#include "train/commands.h"

enum { MAX_RUNS = 1000 };

struct bench {
    struct session *session;
    struct text json;
    bool as_json;
};

/* One thing to time. */
typedef void bench_body(void *context);

static int compare_seconds(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Median seconds of body, run once unmeasured and then for `seconds` (at least three times). */
static double bench_median(const struct bench *bench, bench_body *body, void *context, int *runs)
{
    double times[MAX_RUNS];
    int count = 0;
    body(context);
    const double begin = clock_seconds();
    while (count < MAX_RUNS && (count < 3 || clock_seconds() - begin < bench->session->config->seconds)) {
        const double start = clock_seconds();
        body(context);
        times[count++] = clock_seconds() - start;
        if (session_is_interrupted(bench->session)) break;
    }
    qsort(times, (size_t)count, sizeof *times, compare_seconds);
    if (runs) *runs = count;
    return times[count / 2];
}

static void fill_dense(float *values, size_t count, double low, double high)
{
    struct rng rng = rng_open(1, RNG_TEST, 0, 0, 0);
    for (size_t i = 0; i < count; i++) values[i] = (float)rng_between(&rng, low, high);
}

/* ---- the training step --------------------------------------------------------------------------------------- */

struct step {
    struct model *model;
    struct network *network;
    struct model_tensors tensors;
    struct nt_xent *loss;
    struct optimizer *optimizer;
    float *images, *z, *d_z;
    struct nt_xent_result result;
    struct loader *loader; /* NULL: the same dense images every step */
    int64_t number;
    double forward, loss_seconds, backward, update; /* of the last run */
    int status;
};

static void step_run(void *context)
{
    struct step *step = context;
    struct error error;
    const float *images = step->images;
    if (step->loader) {
        const struct batch *batch;
        step->status = loader_next(step->loader, step->number % loader_steps_per_epoch(step->loader), &batch, &error);
        if (step->status != SIMCLR_OK) return;
        images = batch->views;
    }
    const double start = clock_seconds();
    network_forward(step->network, images);
    network_read(step->network, step->tensors.z, step->z);
    const double forward = clock_seconds();
    nt_xent_run(step->loss, &step->result, step->d_z, step->z);
    const double loss = clock_seconds();
    network_backward(step->network, step->tensors.z, step->d_z);
    const double backward = clock_seconds();
    optimizer_update(step->optimizer, 1e-3);
    network_set_weights(step->network);
    step->forward = forward - start;
    step->loss_seconds = loss - forward;
    step->backward = backward - loss;
    step->update = clock_seconds() - backward;
    step->number += 1;
}

static void step_close(struct step *step)
{
    loader_close(&step->loader);
    optimizer_destroy(&step->optimizer);
    nt_xent_destroy(&step->loss);
    network_destroy(&step->network);
    model_destroy(&step->model);
    memory_free(step->images);
    memory_free(step->z);
    memory_free(step->d_z);
}

static int step_open(struct session *session, struct step *step, struct error *error)
{
    struct model_config config;
    const int batch = (int)session->config->batch;
    memset(step, 0, sizeof *step);
    int status = session_model_config(session, 0, &config, error);
    if (status == SIMCLR_OK) status = model_create(&step->model, &config, 1, error);
    if (status == SIMCLR_OK)
        status = model_plan(step->model, session->backend, NETWORK_TRAINING, session->dtype, 2 * batch, false, &step->network,
                            &step->tensors, error);
    const int dim = model_output_dim(&config);
    if (status == SIMCLR_OK) status = nt_xent_create(&step->loss, session->backend, batch, dim, 0.5f, error);
    const struct optimizer_config lars = {OPTIMIZER_LARS, 0.9f, 1e-4f, 0.001f, 0, 0};
    if (status == SIMCLR_OK) status = optimizer_create(&step->optimizer, &lars, session->backend, &step->model->parameters, error);
    const size_t pixels = 2 * (size_t)batch * 3 * (size_t)config.image_size * (size_t)config.image_size;
    const size_t outputs = 2 * (size_t)batch * (size_t)dim;
    step->images = memory_array(pixels, sizeof(float));
    step->z = memory_array(outputs, sizeof(float));
    step->d_z = memory_array(outputs, sizeof(float));
    if (status == SIMCLR_OK && (!step->images || !step->z || !step->d_z))
        status = error_no_memory(error, "benchmark images", pixels * sizeof(float));
    if (status != SIMCLR_OK) {
        step_close(step);
        return status;
    }
    fill_dense(step->images, pixels, 0, 1);
    network_set_weights(step->network);
    return SIMCLR_OK;
}

static void step_report(struct bench *bench, const char *name, const struct step *step, double seconds, int runs)
{
    const struct session *session = bench->session;
    const double views = 2.0 * (double)session->config->batch;
    if (bench->as_json) {
        json_open_object(&bench->json, name);
        json_number(&bench->json, "views", views);
        json_number(&bench->json, "seconds", seconds);
        json_number(&bench->json, "views_per_second", views / seconds);
        json_number(&bench->json, "forward_seconds", step->forward);
        json_number(&bench->json, "loss_seconds", step->loss_seconds);
        json_number(&bench->json, "backward_seconds", step->backward);
        json_number(&bench->json, "update_seconds", step->update);
        json_integer(&bench->json, "runs", runs);
        json_close_object(&bench->json);
        return;
    }
    session_print(session, "%-18s %8.1f views/s   %.1f ms a step of %.0f views (median of %d; forward %.1f, loss %.1f, backward %.1f, update %.1f ms)\n",
                  name, views / seconds, 1e3 * seconds, views, runs, 1e3 * step->forward, 1e3 * step->loss_seconds,
                  1e3 * step->backward, 1e3 * step->update);
}

/* Where the step's time goes: one row per operation. */
static void layers_report(struct bench *bench, struct step *step)
{
    const struct network_row *rows;
    network_time(step->network, true);
    step_run(step);
    step_run(step);
    const int count = network_rows(step->network, &rows);
    network_time(step->network, false);
    if (bench->as_json) json_open_array(&bench->json, "layers");
    else session_print(bench->session, "\n%-14s %-26s %-30s %10s %10s %9s %9s\n", "operation", "name", "algorithm", "fwd ms", "bwd ms", "fwd GF/s", "bwd GF/s");
    for (int i = 0; i < count; i++) {
        const struct network_row *row = &rows[i];
        const double work = row->flops * row->output.batch;
        const double forward = row->forward_seconds > 0 ? work / row->forward_seconds / 1e9 : 0;
        const double backward = row->backward_seconds > 0 ? 2 * work / row->backward_seconds / 1e9 : 0;
        if (bench->as_json) {
            json_open_object(&bench->json, NULL);
            json_string(&bench->json, "operation", row->kind);
            json_string(&bench->json, "name", row->name);
            json_string(&bench->json, "algorithm", row->algorithm ? row->algorithm : "");
            json_number(&bench->json, "forward_seconds", row->forward_seconds);
            json_number(&bench->json, "backward_seconds", row->backward_seconds);
            json_number(&bench->json, "forward_gflops", forward);
            json_number(&bench->json, "backward_gflops", backward);
            json_close_object(&bench->json);
        } else {
            session_print(bench->session, "%-14s %-26s %-30s %10.3f %10.3f %9.0f %9.0f\n", row->kind, row->name,
                          row->algorithm ? row->algorithm : "", 1e3 * row->forward_seconds, 1e3 * row->backward_seconds, forward, backward);
        }
    }
    if (bench->as_json) json_close_array(&bench->json);
    else session_print(bench->session, "\n");
}

static int open_bench_loader(struct session *session, struct dataset **dataset, struct loader **loader, struct error *error)
{
    struct loader_config config = {.purpose = RNG_VIEW, .seed = 1, .batch = (int)session->config->batch, .views = 2, .shuffle = true,
                                   .workers = (int)session->config->workers};
    int status = session_view_policy(session, &config.policy, error);
    if (status == SIMCLR_OK)
        status = session_open_dataset(session, session->config->data[0] ? session->config->data : "synthetic", DATASET_TRAIN, dataset, error);
    if (status == SIMCLR_OK) status = loader_open(loader, &config, *dataset, session->pool, error);
    return status;
}

static int bench_step(struct bench *bench, bool layers, struct error *error)
{
    struct step step;
    struct dataset *dataset = NULL;
    int runs, status = step_open(bench->session, &step, error);
    if (status != SIMCLR_OK) return status;
    if (layers) {
        layers_report(bench, &step);
    } else {
        double seconds = bench_median(bench, step_run, &step, &runs);
        step_report(bench, "step", &step, seconds, runs);
        status = open_bench_loader(bench->session, &dataset, &step.loader, error);
        if (status == SIMCLR_OK) {
            seconds = bench_median(bench, step_run, &step, &runs);
            step_report(bench, "step_with_views", &step, seconds, runs);
            if (step.status != SIMCLR_OK) status = error_set(error, step.status, "bench: the views could not be read");
        }
    }
    step_close(&step);
    dataset_close(&dataset);
    return status;
}

/* ---- the loss ------------------------------------------------------------------------------------------------- */

struct loss_bench {
    struct nt_xent *loss;
    struct nt_xent_result result;
    float *z, *d_z;
};

static void loss_run(void *context)
{
    struct loss_bench *bench = context;
    nt_xent_run(bench->loss, &bench->result, bench->d_z, bench->z);
}

static int bench_loss(struct bench *bench, struct error *error)
{
    const struct config *config = bench->session->config;
    const int images = (int)config->batch, dim = config->head_dim > 0 ? (int)config->head_dim : 128;
    const size_t count = 2 * (size_t)images * (size_t)dim;
    struct loss_bench loss = {.z = memory_array(count, sizeof(float)), .d_z = memory_array(count, sizeof(float))};
    int status = loss.z && loss.d_z ? SIMCLR_OK : error_no_memory(error, "loss", count * sizeof(float));
    if (status == SIMCLR_OK) status = nt_xent_create(&loss.loss, bench->session->backend, images, dim, 0.1f, error);
    if (status == SIMCLR_OK) {
        int runs;
        fill_dense(loss.z, count, -1, 1);
        const double seconds = bench_median(bench, loss_run, &loss, &runs);
        if (bench->as_json) {
            json_open_object(&bench->json, "nt_xent");
            json_integer(&bench->json, "images", images);
            json_integer(&bench->json, "dim", dim);
            json_number(&bench->json, "seconds", seconds);
            json_integer(&bench->json, "runs", runs);
            json_close_object(&bench->json);
        } else {
            session_print(bench->session, "%-18s %8.2f ms      forward and backward, N = %d, D = %d (median of %d)\n", "nt_xent", 1e3 * seconds, images, dim, runs);
        }
    }
    nt_xent_destroy(&loss.loss);
    memory_free(loss.z);
    memory_free(loss.d_z);
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

static int bench_views(struct bench *bench, struct error *error)
{
    struct views_bench views = {.error = error};
    struct dataset *dataset = NULL;
    int status = open_bench_loader(bench->session, &dataset, &views.loader, error);
    if (status == SIMCLR_OK) {
        int runs;
        const double seconds = bench_median(bench, views_run, &views, &runs), count = 2.0 * (double)bench->session->config->batch;
        status = views.status;
        if (status == SIMCLR_OK && bench->as_json) {
            json_open_object(&bench->json, "views");
            json_string(&bench->json, "data", dataset_description(dataset));
            json_number(&bench->json, "views_per_second", count / seconds);
            json_integer(&bench->json, "runs", runs);
            json_close_object(&bench->json);
        } else if (status == SIMCLR_OK) {
            session_print(bench->session, "%-18s %8.0f views/s   %s (median of %d)\n", "views", count / seconds, dataset_description(dataset), runs);
        }
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
    if (status == SIMCLR_OK) {
        int runs;
        const double seconds = bench_median(bench, decode_run, &decode, &runs);
        if (decode.status != SIMCLR_OK) status = error_set(error, decode.status, "bench: the test JPEG did not decode");
        else if (bench->as_json) {
            json_open_object(&bench->json, "decode");
            json_integer(&bench->json, "bytes", (int64_t)decode.count);
            json_number(&bench->json, "images_per_second_per_core", 1 / seconds);
            json_close_object(&bench->json);
        } else {
            session_print(bench->session, "%-18s %8.0f images/s  JPEG of 500 x 375, %zu bytes, one core (median of %d)\n", "decode", 1 / seconds, decode.count, runs);
        }
    }
    image_free(&photo);
    image_free(&decode.image);
    memory_free(decode.bytes);
    return status;
}

int command_bench(struct session *session, struct error *error)
{
    struct bench bench = {.session = session, .as_json = session->config->json};
    const char *what = session->config->what;
    const bool all = strcmp(what, "all") == 0;
    int status = SIMCLR_OK;
    if (bench.as_json) {
        json_open_object(&bench.json, NULL);
        json_string(&bench.json, "backend", session->backend->ops->description(session->backend));
        json_string(&bench.json, "precision", dtype_name(session->dtype));
    } else {
        session_print(session, "%s, %s\n", session->backend->ops->description(session->backend), dtype_name(session->dtype));
    }
    if (status == SIMCLR_OK && (all || strcmp(what, "step") == 0)) status = bench_step(&bench, false, error);
    if (status == SIMCLR_OK && (all || strcmp(what, "layers") == 0)) status = bench_step(&bench, true, error);
    if (status == SIMCLR_OK && (all || strcmp(what, "loss") == 0)) status = bench_loss(&bench, error);
    if (status == SIMCLR_OK && (all || strcmp(what, "views") == 0)) status = bench_views(&bench, error);
    if (status == SIMCLR_OK && (all || strcmp(what, "decode") == 0)) status = bench_decode(&bench, error);
    if (bench.as_json) json_close_object(&bench.json);
    if (status == SIMCLR_OK && bench.json.failed) status = error_no_memory(error, "benchmark report", bench.json.capacity);
    if (status == SIMCLR_OK && bench.as_json) {
        session->output(session->cookie, bench.json.bytes, bench.json.length);
        session_print(session, "\n");
    }
    text_free(&bench.json);
    return status;
}
