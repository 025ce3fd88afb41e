/* bench/bench_weights.c -- the work of a training step that grows with the number of weights, not of images: the
 * optimiser and the packing of weights. Beside it stands what forward and backward still cost at two views of 32 x 32.
 *
 * usage: bench_weights [--variant V] [--threads T] [--depth D] [--precision bf16|float32] [--seconds S]
 *
 * The bound of the optimiser is memory: LARS reads weights and gradients for its norms, then weights, gradients and
 * momentum, and writes weights and momentum. "stream" is a triad a = b + s c over arrays as long as the weights. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "model/model.h"
#include "optim/optimizer.h"

enum { VIEWS = 2, SIZE = 32 };

struct work {
    struct backend *backend;
    struct pool *pool;
    struct model *model;
    struct network *network;
    struct model_tensors tensors;
    struct optimizer *optimizer;
    void *images; /* as the network takes them */
    float *d_z;
    float *a, *b, *c; /* of the triad */
    size_t count;
};

static int stop(const struct error *error)
{
    fprintf(stderr, "bench_weights: %s\n", error->text);
    return 1;
}

static void triad_part(void *context, int thread, int threads)
{
    const struct work *work = context;
    int64_t begin, end;
    pool_share((int64_t)(work->count / 16), thread, threads, &begin, &end);
    for (int64_t i = begin * 16; i < end * 16; i++) work->a[i] = work->b[i] + 3.0f * work->c[i];
}

static void run_triad(struct work *work)
{
    pool_split(work->pool, triad_part, work);
}

static void run_update(struct work *work)
{
    optimizer_update(work->optimizer, 1e-3);
}

static void run_packing(struct work *work)
{
    network_set_weights(work->network);
}

static void run_forward(struct work *work)
{
    network_forward(work->network, work->images);
}

static void run_backward(struct work *work)
{
    network_backward(work->network, work->tensors.z, work->d_z);
}

static double best_of(struct work *work, void (*body)(struct work *), double seconds)
{
    double best = 1e30, spent = 0;
    for (int i = 0; i < 3 || spent < seconds; i++) {
        const double start = clock_seconds();
        body(work);
        const double taken = clock_seconds() - start;
        if (taken < best) best = taken;
        spent += taken;
    }
    return best;
}

static void fill(float *values, size_t count)
{
    uint32_t state = 1;
    for (size_t i = 0; i < count; i++) {
        state = state * 1664525u + 1013904223u;
        values[i] = (float)(state >> 8) / 16777216.0f - 0.5f;
    }
}

static int open_work(struct work *work, const char *variant, int threads, int depth, enum dtype dtype,
                     struct error *error)
{
    const struct model_config config = {.resnet.depth = depth,
                                        .resnet.width = 1,
                                        .resnet.stem = STEM_IMAGENET,
                                        .image_size = SIZE,
                                        .head_layers = 2,
                                        .head_dim = 128};
    const struct optimizer_config lars = {OPTIMIZER_LARS, 0.9f, 1e-4f, 0.001f, 0, 0};
    enum simd simd;
    int status = simd_choose(variant, "bench_weights", &simd, error);
    if (status == SIMCLR_OK) status = pool_create(&work->pool, threads, error);
    if (status == SIMCLR_OK) status = backend_create("cpu", simd, work->pool, &work->backend, error);
    if (status == SIMCLR_OK) status = model_create(&work->model, &config, work->backend, 1, error);
    if (status == SIMCLR_OK)
        status = model_plan(work->model,
                            &(struct model_plan_args){
                                .backend = work->backend, .mode = NETWORK_TRAINING, .dtype = dtype, .batch = VIEWS},
                            &work->network, &work->tensors, error);
    if (status == SIMCLR_OK)
        status = optimizer_create(&work->optimizer, &lars, work->backend, &work->model->parameters, error);
    if (status != SIMCLR_OK) return status;
    const size_t pixels = (size_t)VIEWS * 3 * SIZE * SIZE, outputs = (size_t)VIEWS * 128;
    work->count = work->model->parameters.weight_count;
    work->images = memory_allocate(network_image_bytes(work->network));
    float *canonical = memory_array(pixels, sizeof(float));
    work->d_z = memory_array(outputs, sizeof(float));
    work->a = memory_array(work->count, sizeof(float));
    work->b = memory_array(work->count, sizeof(float));
    work->c = memory_array(work->count, sizeof(float));
    const bool failed = !work->images || !canonical || !work->d_z || !work->a || !work->b || !work->c;
    if (!failed) {
        fill(canonical, pixels);
        network_write_images(work->network, work->images, canonical);
    }
    memory_free(canonical);
    if (failed) return error_no_memory(error, "arrays of the benchmark", 3 * work->count * sizeof(float));
    fill(work->d_z, outputs);
    fill(work->b, work->count);
    fill(work->c, work->count);
    return SIMCLR_OK;
}

static void close_work(struct work *work)
{
    memory_free(work->images);
    memory_free(work->d_z);
    memory_free(work->a);
    memory_free(work->b);
    memory_free(work->c);
    optimizer_destroy(&work->optimizer);
    network_destroy(&work->network);
    model_destroy(&work->model);
    backend_destroy(&work->backend);
    pool_destroy(&work->pool);
}

static void report(struct work *work, double seconds)
{
    const double array = (double)work->count * sizeof(float);
    const double triad = best_of(work, run_triad, seconds);
    printf("%s; %.1f million weights\n", work->backend->ops->description(work->backend), 1e-6 * (double)work->count);
    printf("stream (triad)       %7.2f ms   %6.1f GB/s\n", 1e3 * triad, 3 * array / triad * 1e-9);
    run_forward(work);
    run_backward(work);
    const double update = best_of(work, run_update, seconds);
    printf("LARS update          %7.2f ms   %6.1f GB/s (reads of the norms included)\n", 1e3 * update,
           7 * array / update * 1e-9);
    printf("packing of weights   %7.2f ms\n", 1e3 * best_of(work, run_packing, seconds));
    printf("forward, %d views     %7.2f ms\n", VIEWS, 1e3 * best_of(work, run_forward, seconds));
    printf("backward, %d views    %7.2f ms\n", VIEWS, 1e3 * best_of(work, run_backward, seconds));
}

int main(int argc, char **argv)
{
    const char *variant = NULL;
    int threads = 0, depth = 50;
    double seconds = 1;
    enum dtype dtype = DTYPE_BF16;
    bool bad = argc % 2 == 0;
    for (int i = 1; i + 1 < argc; i += 2) {
        const char *name = argv[i], *value = argv[i + 1];
        if (!strcmp(name, "--variant"))
            variant = value;
        else if (!strcmp(name, "--threads"))
            threads = atoi(value);
        else if (!strcmp(name, "--depth"))
            depth = atoi(value);
        else if (!strcmp(name, "--seconds"))
            seconds = atof(value);
        else if (!strcmp(name, "--precision") && !strcmp(value, "float32"))
            dtype = DTYPE_F32;
        else if (strcmp(name, "--precision") != 0 || strcmp(value, "bf16") != 0)
            bad = true;
    }
    if (bad) {
        fprintf(stderr, "usage: bench_weights [--variant V] [--threads T] [--depth D] [--precision bf16|float32] "
                        "[--seconds S]\n");
        return 2;
    }
    struct work work = {0};
    struct error error;
    const int status = open_work(&work, variant, threads, depth, dtype, &error);
    if (status == SIMCLR_OK) report(&work, seconds);
    close_work(&work);
    return status == SIMCLR_OK ? 0 : stop(&error);
}
