/* bench/bench_conv.c -- how fast the convolutions of a network run: per layer and pass GF/s (nominal: taps in the
 * padding counted) and the share of what the multiply units can do, measured in the same run.
 *
 * usage: bench_conv [--variant V] [--dtype bf16|float32] [--network resnet18|resnet50] [--width W] [--batch N]
 *                   [--threads T] [--seconds S]   (per measurement; 0.3)  [--layer I] (only that one)
 *                   [--convolution auto|direct|winograd]  [--size S] (of the images, instead of each layer's own)
 *                   [--cpu-time 1]  (with one thread: processor time, on a machine that does other work too) */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "backend/cpu/conv/conv.h"
#include "backend/cpu/conv/conv_kernels.h"
#include "backend/cpu/layout.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/pool.h"

struct layer {
    int count, in, out, size, kernel, stride;
};

/* Convolutions of the CIFAR ResNet-18 at 32 x 32 and of ResNet-50 at 224 x 224, with how often each occurs. */
static const struct layer RESNET18[] = {
    {1, 3, 64, 32, 3, 1},    {4, 64, 64, 32, 3, 1},   {1, 64, 128, 32, 3, 2},  {1, 64, 128, 32, 1, 2},
    {3, 128, 128, 16, 3, 1}, {1, 128, 256, 16, 3, 2}, {1, 128, 256, 16, 1, 2}, {3, 256, 256, 8, 3, 1},
    {1, 256, 512, 8, 3, 2},  {1, 256, 512, 8, 1, 2},  {3, 512, 512, 4, 3, 1},  {0},
};
static const struct layer RESNET50[] = {
    {1, 3, 64, 224, 7, 2},     {1, 64, 64, 56, 1, 1},    {3, 64, 64, 56, 3, 1},    {4, 64, 256, 56, 1, 1},
    {2, 256, 64, 56, 1, 1},    {1, 256, 128, 56, 1, 1},  {1, 128, 128, 56, 3, 2},  {4, 128, 512, 28, 1, 1},
    {1, 256, 512, 56, 1, 2},   {3, 512, 128, 28, 1, 1},  {3, 128, 128, 28, 3, 1},  {1, 512, 256, 28, 1, 1},
    {1, 256, 256, 28, 3, 2},   {6, 256, 1024, 14, 1, 1}, {1, 512, 1024, 28, 1, 2}, {5, 1024, 256, 14, 1, 1},
    {5, 256, 256, 14, 3, 1},   {1, 1024, 512, 14, 1, 1}, {1, 512, 512, 14, 3, 2},  {3, 512, 2048, 7, 1, 1},
    {1, 1024, 2048, 14, 1, 2}, {2, 2048, 512, 7, 1, 1},  {2, 512, 512, 7, 3, 1},   {0},
};

struct options {
    const char *variant;
    enum dtype dtype;
    const struct layer *network;
    int batch, threads, only, cpu_time, size;
    enum convolution convolution;
    double seconds, width;
};

struct bench {
    const struct options *options;
    struct backend *backend;
    struct pool *pool;
    double peak;               /* flop/s of all threads */
    double total[4], flops[3]; /* forward, backward data, backward weights, packing of weights */
};

static int stop(const struct error *error)
{
    fprintf(stderr, "bench_conv: %s\n", error->text);
    return 1;
}

static const struct conv_kernels *table_of(const struct cpu_backend *cpu, enum dtype dtype)
{
    const struct conv_kernels *kernels = simd_has(cpu->simd, SIMD_AVX512_BF16) ? conv_kernels_avx512bf16(dtype) : NULL;
    if (!kernels && simd_has(cpu->simd, SIMD_AVX512)) kernels = conv_kernels_avx512(dtype);
    if (!kernels && simd_has(cpu->simd, SIMD_AVX2)) kernels = conv_kernels_avx2(dtype);
    return kernels ? kernels : conv_kernels_portable(dtype);
}

static double now(const struct options *options)
{
    struct timespec time;
    if (!options->cpu_time || clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time) != 0) return clock_seconds();
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

struct peak_job {
    const struct conv_kernels *kernels;
    double flops[256];
};

static void peak_part(void *context, int thread, int threads)
{
    struct peak_job *job = context;
    (void)threads;
    if (thread < 256) job->flops[thread] = job->kernels->multiply_registers(2000000);
}

static double measure_peak(const struct bench *bench)
{
    struct peak_job job = {.kernels = table_of(cpu_backend_of_const(bench->backend), bench->options->dtype)};
    double best = 0;
    for (int i = 0; i < 5; i++) {
        const double start = now(bench->options);
        pool_split(bench->pool, peak_part, &job);
        const double seconds = now(bench->options) - start;
        double flops = 0;
        for (int t = 0; t < pool_threads(bench->pool) && t < 256; t++) flops += job.flops[t];
        if (flops / seconds > best) best = flops / seconds;
    }
    return best;
}

/* Dense random values: zeros would flatter some machines. */
static void *random_tensor(size_t elements, enum dtype dtype)
{
    uint32_t state = 1;
    unsigned char *data = memory_allocate(elements * dtype_bytes(dtype));
    if (!data) return NULL;
    for (size_t i = 0; i < elements; i++) {
        state = state * 1664525u + 1013904223u;
        const float value = ((float)(state >> 8) / 16777216.0f - 0.5f) * 2.0f;
        const uint16_t half = bf16_from_float(value);
        if (dtype == DTYPE_BF16)
            memcpy(data + i * 2, &half, 2);
        else
            memcpy(data + i * 4, &value, 4);
    }
    return data;
}

enum { FORWARD, BACKWARD_DATA, BACKWARD_WEIGHTS, SET_WEIGHTS };

struct work {
    struct conv_plan *plan;
    void *x, *y;
    float *weight, *d_weight;
    double *statistics;
};

static void run_pass(const struct work *work, int pass)
{
    if (pass == FORWARD)
        cpu_conv_forward(work->plan, work->y, work->statistics, work->x, NULL);
    else if (pass == BACKWARD_DATA)
        cpu_conv_backward_data(work->plan, work->x, work->y);
    else if (pass == BACKWARD_WEIGHTS)
        cpu_conv_backward_weights(work->plan, work->d_weight, NULL, work->y, work->x);
    else
        cpu_conv_set_weights(work->plan, work->weight);
}

/* Best of the runs that fit in the time. */
static double time_pass(const struct work *work, int pass, const struct options *options)
{
    double best = 1e30, spent = 0;
    for (int i = 0; i < 3 || (spent < options->seconds && i < 1000); i++) {
        const double start = now(options);
        run_pass(work, pass);
        const double seconds = now(options) - start;
        if (seconds < best) best = seconds;
        spent += seconds;
    }
    return best;
}

static int bench_layer(struct bench *bench, const struct layer *full)
{
    const struct options *options = bench->options;
    const bool images = full->in == 3;
    struct layer narrow = *full, *layer = &narrow;
    if (options->size) narrow.size = options->size;
    if (!images) narrow.in = (int)(full->in * options->width);
    narrow.out = (int)(full->out * options->width);
    const int padding = layer->kernel / 2, out = conv_out(layer->size, layer->kernel, layer->stride, padding);
    const struct conv_desc desc = {
        .dtype = options->dtype,
        .input_layout = images ? LAYOUT_IMAGES : LAYOUT_PRIVATE,
        .image_type = bench->backend->ops->image_type(bench->backend, options->dtype),
        .batch = options->batch,
        .in_channels = layer->in,
        .out_channels = layer->out,
        .in_height = layer->size,
        .in_width = layer->size,
        .kernel = layer->kernel,
        .stride = layer->stride,
        .padding = padding,
        .training = true,
        .input_gradient = !images,
        .algorithm = options->convolution,
        .statistics = true,
    };
    struct error error;
    struct work work = {0};
    if (cpu_conv_create(bench->backend, &desc, &work.plan, &error) != SIMCLR_OK) return stop(&error);
    const struct activation_layout x = activation_layout(options->batch, layer->in, layer->size, layer->size);
    const struct activation_layout y = activation_layout(options->batch, layer->out, out, out);
    const size_t weights = (size_t)layer->in * (size_t)layer->out * (size_t)(layer->kernel * layer->kernel);
    work.x = images ? random_tensor((size_t)options->batch * (size_t)(layer->in * layer->size * layer->size),
                                    desc.image_type)
                    : random_tensor(x.elements, options->dtype);
    work.y = random_tensor(y.elements, options->dtype);
    work.weight = random_tensor(weights, DTYPE_F32);
    work.d_weight = random_tensor(weights, DTYPE_F32);
    work.statistics = memory_array((size_t)layer->out, 2 * sizeof(double));
    if (!work.x || !work.y || !work.weight || !work.d_weight || !work.statistics) {
        error_no_memory(&error, "a layer's tensors", x.elements * 4);
        return stop(&error);
    }
    cpu_conv_set_weights(work.plan, work.weight);
    const double flops = 2.0 * (double)weights * out * out * options->batch;
    printf("%4d->%4d %3dx%-3d %dx%d/%d x%d ", layer->in, layer->out, layer->size, layer->size, layer->kernel,
           layer->kernel, layer->stride, layer->count);
    for (int pass = 0; pass < 3; pass++) {
        if (pass == BACKWARD_DATA && images) {
            printf("          -        ");
            continue;
        }
        const double seconds = time_pass(&work, pass, options);
        bench->total[pass] += seconds * layer->count;
        bench->flops[pass] += flops * layer->count;
        printf("%7.0f %5.1f%% %6.2f", flops / seconds * 1e-9, 100.0 * flops / seconds / bench->peak, seconds * 1e3);
    }
    bench->total[SET_WEIGHTS] += time_pass(&work, SET_WEIGHTS, options) * layer->count;
    printf("  %s\n", cpu_conv_algorithm(work.plan));
    fflush(stdout);
    memory_free(work.x);
    memory_free(work.y);
    memory_free(work.weight);
    memory_free(work.d_weight);
    memory_free(work.statistics);
    cpu_conv_destroy(&work.plan);
    return 0;
}

static int parse(struct options *options, int argc, char **argv)
{
    for (int i = 1; i + 1 < argc; i += 2) {
        const char *name = argv[i], *value = argv[i + 1];
        if (!strcmp(name, "--variant"))
            options->variant = value;
        else if (!strcmp(name, "--dtype") && !strcmp(value, "bf16"))
            options->dtype = DTYPE_BF16;
        else if (!strcmp(name, "--dtype") && !strcmp(value, "float32"))
            options->dtype = DTYPE_F32;
        else if (!strcmp(name, "--network") && !strcmp(value, "resnet18"))
            options->network = RESNET18;
        else if (!strcmp(name, "--network") && !strcmp(value, "resnet50"))
            options->network = RESNET50;
        else if (!strcmp(name, "--batch"))
            options->batch = atoi(value);
        else if (!strcmp(name, "--threads"))
            options->threads = atoi(value);
        else if (!strcmp(name, "--layer"))
            options->only = atoi(value);
        else if (!strcmp(name, "--cpu-time"))
            options->cpu_time = atoi(value);
        else if (!strcmp(name, "--size"))
            options->size = atoi(value);
        else if (!strcmp(name, "--convolution"))
            options->convolution = !strcmp(value, "direct")     ? CONVOLUTION_DIRECT
                                   : !strcmp(value, "winograd") ? CONVOLUTION_WINOGRAD
                                                                : CONVOLUTION_AUTO;
        else if (!strcmp(name, "--width"))
            options->width = atof(value);
        else if (!strcmp(name, "--seconds"))
            options->seconds = atof(value);
        else
            return -1;
    }
    if (options->batch == 0) options->batch = options->network == RESNET18 ? 256 : 16;
    return argc % 2 == 1 && options->batch > 0 ? 0 : -1;
}

int main(int argc, char **argv)
{
    struct options options = {.dtype = DTYPE_BF16, .network = RESNET18, .only = -1, .seconds = 0.3, .width = 1};
    if (parse(&options, argc, argv) != 0) {
        fprintf(stderr,
                "usage: bench_conv [--variant V] [--dtype bf16|float32] [--network resnet18|resnet50] [--width W] "
                "[--batch N] [--threads T] [--layer I] [--convolution A] [--size S] [--cpu-time 1]\n");
        return 2;
    }
    struct bench bench = {.options = &options};
    struct error error;
    enum simd simd;
    if (pool_create(&bench.pool, options.threads, &error) != SIMCLR_OK) return stop(&error);
    if (simd_choose(options.variant, "--variant", &simd, &error) != SIMCLR_OK) return stop(&error);
    if (cpu_backend_create(simd, bench.pool, &bench.backend, &error) != SIMCLR_OK) return stop(&error);
    bench.peak = measure_peak(&bench);
    printf("%s; batch %d (images through the encoder), %s: peak %.0f GF/s\n",
           bench.backend->ops->description(bench.backend), options.batch, dtype_name(options.dtype), bench.peak * 1e-9);
    printf("layer                      forward GF/s, %%, ms     backward data          backward weights\n");
    for (int i = 0; options.network[i].count; i++)
        if (options.only < 0 || options.only == i)
            if (bench_layer(&bench, &options.network[i]) != 0) return 1;
    double flops = 0, seconds = 0;
    for (int pass = 0; pass < 3; pass++) {
        flops += bench.flops[pass];
        seconds += bench.total[pass];
    }
    printf("all convolutions: forward %.1f ms, backward data %.1f ms, backward weights %.1f ms (%.1f%% of peak, %.1f "
           "images/s); "
           "packing weights %.1f ms\n",
           bench.total[0] * 1e3, bench.total[1] * 1e3, bench.total[2] * 1e3, 100.0 * flops / seconds / bench.peak,
           options.batch / seconds, bench.total[SET_WEIGHTS] * 1e3);
    bench.backend->ops->destroy(bench.backend);
    pool_destroy(&bench.pool);
    return 0;
}
