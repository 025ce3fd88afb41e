/* Convolution, one image at a time in doubles, channels innermost: x [H][W][C], y [OH][OW][K], weights [tap][C][K].
 * Each pass visits every pair of an output pixel and an input pixel that a tap of the kernel joins.
 *
 * A pass is shared out by the channels of what it makes: filters forward and for the weights' gradient, channels of x
 * for the data's. A thread goes through all images for its own channels. So every sum is added by one thread, in an
 * order that does not depend on their number. */
#include "backend/check.h"
#include "backend/host.h"
#include "backend/ref/ref.h"
#include "base/memory.h"
#include "base/pool.h"

struct conv_plan {
    struct pool *pool;
    struct conv_desc desc;
    int out_height, out_width;
    size_t in_pixels, out_pixels, taps, weight_count;
    enum dtype input_type; /* as stored: IMAGES have their own */
    double *weights;       /* [tap][C][K] */
    double *transposed;    /* [tap][K][C], if desc.input_gradient */
    double *d_weights;     /* [tap][C][K], if desc.training */
    double *x, *y;         /* [threads] images of each */
    double *plane;         /* [threads] channels of an image, on their way to or from memory */
};

static size_t plane_count(const struct conv_plan *plan)
{
    return plan->in_pixels > plan->out_pixels ? plan->in_pixels : plan->out_pixels;
}

void ref_conv_destroy(struct conv_plan **plan)
{
    if (!*plan) return;
    double *blocks[] = {(*plan)->weights, (*plan)->transposed, (*plan)->d_weights,
                        (*plan)->x,       (*plan)->y,          (*plan)->plane};
    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++) memory_free(blocks[i]);
    memory_free(*plan);
    *plan = NULL;
}

int ref_conv_create(struct backend *backend, const struct conv_desc *desc, struct conv_plan **out, struct error *error)
{
    *out = NULL;
    int status = check_conv(backend, desc, error);
    if (status != SIMCLR_OK) return status;
    struct conv_plan *plan = memory_allocate(sizeof *plan);
    if (!plan) return error_no_memory(error, "a convolution plan", sizeof *plan);
    plan->pool = backend->pool;
    plan->desc = *desc;
    plan->out_height = conv_out(desc->in_height, desc->kernel, desc->stride, desc->padding);
    plan->out_width = conv_out(desc->in_width, desc->kernel, desc->stride, desc->padding);
    plan->in_pixels = (size_t)desc->in_height * (size_t)desc->in_width;
    plan->out_pixels = (size_t)plan->out_height * (size_t)plan->out_width;
    plan->taps = (size_t)desc->kernel * (size_t)desc->kernel;
    plan->weight_count = plan->taps * (size_t)desc->in_channels * (size_t)desc->out_channels;
    plan->input_type = desc->input_layout == LAYOUT_IMAGES ? desc->image_type : desc->dtype;

    const size_t size = sizeof(double), threads = (size_t)pool_threads(plan->pool);
    plan->weights = memory_array(plan->weight_count, size);
    plan->transposed = memory_array(desc->input_gradient ? plan->weight_count : 0, size);
    plan->d_weights = memory_array(desc->training ? plan->weight_count : 0, size);
    plan->x = memory_array(threads * plan->in_pixels * (size_t)desc->in_channels, size);
    plan->y = memory_array(threads * plan->out_pixels * (size_t)desc->out_channels, size);
    plan->plane = memory_array(threads * plane_count(plan), size);
    if (!plan->weights || !plan->transposed || !plan->d_weights || !plan->x || !plan->y || !plan->plane) {
        size_t bytes = ref_conv_bytes(plan);
        ref_conv_destroy(&plan);
        return error_no_memory(error, "a convolution of the ref backend", bytes);
    }
    *out = plan;
    return SIMCLR_OK;
}

size_t ref_conv_bytes(const struct conv_plan *plan)
{
    const struct conv_desc *desc = &plan->desc;
    size_t copies = 1 + (size_t)desc->input_gradient + (size_t)desc->training;
    const size_t images = plan->in_pixels * (size_t)desc->in_channels + plan->out_pixels * (size_t)desc->out_channels;
    return sizeof(double) *
           (copies * plan->weight_count + (size_t)pool_threads(plan->pool) * (images + plane_count(plan)));
}

const char *ref_conv_algorithm(const struct conv_plan *plan)
{
    (void)plan;
    return "direct double";
}

void ref_conv_work(const struct conv_plan *plan, struct conv_work work[CONV_PASSES])
{
    const struct conv_desc *desc = &plan->desc;
    const bool planned[CONV_PASSES] = {true, desc->training && desc->input_gradient, desc->training};
    for (int pass = 0; pass < CONV_PASSES; pass++) {
        work[pass] = (struct conv_work){.kernels = "double", .operands = DTYPE_F64};
        if (!planned[pass]) continue;
        work[pass].algorithm = "direct";
        work[pass].flops = conv_inside_flops(desc);
    }
}

void ref_conv_set_weights(struct conv_plan *plan, const float *weight)
{
    const size_t channels = (size_t)plan->desc.in_channels, outputs = (size_t)plan->desc.out_channels;
    for (size_t k = 0; k < outputs; k++)
        for (size_t c = 0; c < channels; c++)
            for (size_t tap = 0; tap < plan->taps; tap++) {
                double value = ref_round(plan->desc.dtype, weight[(k * channels + c) * plan->taps + tap]);
                plan->weights[(tap * channels + c) * outputs + k] = value;
                if (plan->desc.input_gradient) plan->transposed[(tap * outputs + k) * channels + c] = value;
            }
}

void ref_conv_set_folded_weights(struct conv_plan *plan, const struct conv_folding *folding)
{
    const struct conv_desc *desc = &plan->desc;
    host_fold(folding, desc->out_channels, (size_t)desc->in_channels * (size_t)desc->kernel * (size_t)desc->kernel);
    ref_conv_set_weights(plan, folding->scratch);
}

/* ---- what a thread does of a pass ------------------------------------------------------------------------------- */
struct pass { /* what the caller gave */
    struct conv_plan *plan;
    void *out; /* y or d_x */
    const void *x, *d_y, *residual;
    const float *bias;
    double *statistics;
    float *d_weight, *d_bias;
};

struct share {
    const struct conv_plan *plan;
    size_t first, count; /* its channels of what the pass makes */
    double *x, *y;       /* an image each, [pixels][channels]: all channels of an input, its own of an output */
    double *plane;
};

static struct share share_of(const struct conv_plan *plan, int channels, int thread, int threads)
{
    const struct conv_desc *desc = &plan->desc;
    int64_t begin, end;
    pool_share(channels, thread, threads, &begin, &end);
    return (struct share){.plan = plan,
                          .first = (size_t)begin,
                          .count = (size_t)(end - begin),
                          .x = plan->x + (size_t)thread * plan->in_pixels * (size_t)desc->in_channels,
                          .y = plan->y + (size_t)thread * plan->out_pixels * (size_t)desc->out_channels,
                          .plane = plan->plane + (size_t)thread * plane_count(plan)};
}

/* ---- images between memory [C][H][W] and doubles [H][W][channels of the share, or all] --------------------------- */
struct images {
    enum dtype dtype;
    size_t channels, pixels;
};

static struct images input_of(const struct conv_plan *plan)
{
    return (struct images){plan->input_type, (size_t)plan->desc.in_channels, plan->in_pixels};
}

static struct images output_of(const struct conv_plan *plan)
{
    return (struct images){plan->desc.dtype, (size_t)plan->desc.out_channels, plan->out_pixels};
}

static size_t offset_of(const struct images *images, int image, size_t channel)
{
    return ((size_t)image * images->channels + channel) * images->pixels;
}

/* out[p][c] = channel first + c, c in [0, count) */
static void load_channels(const struct share *share, double *out, const struct images *images, const void *tensor,
                          int image, size_t first, size_t count)
{
    for (size_t c = 0; c < count; c++) {
        ref_load(share->plane, images->dtype, tensor, offset_of(images, image, first + c), images->pixels);
        for (size_t p = 0; p < images->pixels; p++) out[p * count + c] = share->plane[p];
    }
}

static void store_own(const struct share *share, const struct images *images, void *tensor, int image,
                      const double *values)
{
    for (size_t c = 0; c < share->count; c++) {
        for (size_t p = 0; p < images->pixels; p++) share->plane[p] = values[p * share->count + c];
        ref_store(tensor, images->dtype, offset_of(images, image, share->first + c), images->pixels, share->plane);
    }
}

/* A bf16 convolution multiplies bf16 numbers, so float32 IMAGES are rounded first. */
static void load_input(const struct share *share, const void *x, int image)
{
    const struct conv_plan *plan = share->plan;
    const struct images images = input_of(plan);
    load_channels(share, share->x, &images, x, image, 0, images.channels);
    if (plan->input_type != plan->desc.dtype && plan->desc.dtype == DTYPE_BF16)
        for (size_t i = 0; i < images.channels * images.pixels; i++) share->x[i] = ref_round(DTYPE_BF16, share->x[i]);
}

/* ---- the walk ------------------------------------------------------------------------------------------------- */
typedef void tap_visit(const struct share *share, size_t in_pixel, size_t out_pixel, size_t tap);

static void walk_taps(const struct share *share, tap_visit *visit)
{
    const struct conv_plan *plan = share->plan;
    const struct conv_desc *desc = &plan->desc;
    for (int r = 0; r < desc->kernel; r++)
        for (int s = 0; s < desc->kernel; s++)
            for (int oy = 0; oy < plan->out_height; oy++) {
                int iy = oy * desc->stride - desc->padding + r;
                if (iy < 0 || iy >= desc->in_height) continue;
                for (int ox = 0; ox < plan->out_width; ox++) {
                    int ix = ox * desc->stride - desc->padding + s;
                    if (ix < 0 || ix >= desc->in_width) continue;
                    visit(share, (size_t)iy * (size_t)desc->in_width + (size_t)ix,
                          (size_t)oy * (size_t)plan->out_width + (size_t)ox,
                          (size_t)r * (size_t)desc->kernel + (size_t)s);
                }
            }
}

/* out[j] += sum over i of in[i] * matrix[i * step + j], j in [0, columns); four rows a pass, so that `out` is read and
 * written less often. */
static void multiply_add(double *restrict out, const double *restrict in, const double *restrict matrix, size_t rows,
                         size_t columns, size_t step)
{
    size_t i = 0;
    for (; i + 4 <= rows; i += 4) {
        const double *m0 = matrix + i * step, *m1 = m0 + step, *m2 = m1 + step, *m3 = m2 + step;
        const double a = in[i], b = in[i + 1], c = in[i + 2], d = in[i + 3];
        for (size_t j = 0; j < columns; j++) out[j] += (a * m0[j] + b * m1[j]) + (c * m2[j] + d * m3[j]);
    }
    for (; i < rows; i++)
        for (size_t j = 0; j < columns; j++) out[j] += in[i] * matrix[i * step + j];
}

static void visit_forward(const struct share *share, size_t in_pixel, size_t out_pixel, size_t tap)
{
    const struct conv_plan *plan = share->plan;
    const size_t channels = (size_t)plan->desc.in_channels, outputs = (size_t)plan->desc.out_channels;
    multiply_add(share->y + out_pixel * share->count, share->x + in_pixel * channels,
                 plan->weights + tap * channels * outputs + share->first, channels, share->count, outputs);
}

static void visit_backward_data(const struct share *share, size_t in_pixel, size_t out_pixel, size_t tap)
{
    const struct conv_plan *plan = share->plan;
    const size_t channels = (size_t)plan->desc.in_channels, outputs = (size_t)plan->desc.out_channels;
    multiply_add(share->x + in_pixel * share->count, share->y + out_pixel * outputs,
                 plan->transposed + tap * channels * outputs + share->first, outputs, share->count, channels);
}

static void visit_backward_weights(const struct share *share, size_t in_pixel, size_t out_pixel, size_t tap)
{
    const struct conv_plan *plan = share->plan;
    const size_t channels = (size_t)plan->desc.in_channels, outputs = (size_t)plan->desc.out_channels;
    const double *restrict d_y = share->y + out_pixel * share->count;
    for (size_t c = 0; c < channels; c++) {
        const double value = share->x[in_pixel * channels + c];
        double *restrict d_weights = plan->d_weights + (tap * channels + c) * outputs + share->first;
        for (size_t k = 0; k < share->count; k++) d_weights[k] += value * d_y[k];
    }
}

/* ---- the passes ----------------------------------------------------------------------------------------------- */
/* Sums over the batch of y and of y^2, before y is rounded. */
static void add_statistics(const struct share *share, double *statistics)
{
    double *sums = statistics + share->first, *squares = sums + share->plan->desc.out_channels;
    for (size_t p = 0; p < share->plan->out_pixels; p++)
        for (size_t k = 0; k < share->count; k++) {
            const double value = share->y[p * share->count + k];
            sums[k] += value;
            squares[k] += value * value;
        }
}

static void forward_part(void *context, int thread, int threads)
{
    const struct pass *pass = context;
    const struct conv_desc *desc = &pass->plan->desc;
    const struct share share = share_of(pass->plan, desc->out_channels, thread, threads);
    const struct images output = output_of(pass->plan);
    for (int half = 0; pass->statistics && half < 2; half++)
        memset(pass->statistics + (size_t)half * (size_t)desc->out_channels + share.first, 0,
               share.count * sizeof(double));
    for (int image = 0; share.count > 0 && image < desc->batch; image++) {
        load_input(&share, pass->x, image);
        for (size_t p = 0; p < output.pixels; p++)
            for (size_t k = 0; k < share.count; k++)
                share.y[p * share.count + k] = pass->bias ? (double)pass->bias[share.first + k] : 0.0;
        walk_taps(&share, visit_forward);
        if (pass->statistics) add_statistics(&share, pass->statistics);
        store_own(&share, &output, pass->out, image, share.y);
    }
}

void ref_conv_forward(struct conv_plan *plan, void *y, double *statistics, const void *x, const float *bias)
{
    struct pass pass = {.plan = plan, .out = y, .x = x, .bias = bias};
    if (plan->desc.statistics) pass.statistics = statistics;
    pool_split(plan->pool, forward_part, &pass);
}

static void inference_part(void *context, int thread, int threads)
{
    const struct pass *pass = context;
    const struct conv_desc *desc = &pass->plan->desc;
    const struct share share = share_of(pass->plan, desc->out_channels, thread, threads);
    const struct images output = output_of(pass->plan);
    const size_t values = output.pixels * share.count;
    for (int image = 0; share.count > 0 && image < desc->batch; image++) {
        load_input(&share, pass->x, image);
        if (desc->residual)
            load_channels(&share, share.y, &output, pass->residual, image, share.first, share.count);
        else
            memset(share.y, 0, values * sizeof *share.y);
        for (size_t p = 0; pass->bias && p < output.pixels; p++)
            for (size_t k = 0; k < share.count; k++)
                share.y[p * share.count + k] += (double)pass->bias[share.first + k];
        walk_taps(&share, visit_forward);
        for (size_t i = 0; desc->relu && i < values; i++)
            if (share.y[i] < 0) share.y[i] = 0; /* a NaN stays */
        store_own(&share, &output, pass->out, image, share.y);
    }
}

void ref_conv_inference(struct conv_plan *plan, void *y, const void *x, const void *residual, const float *bias)
{
    struct pass pass = {.plan = plan, .out = y, .x = x, .residual = residual, .bias = bias};
    pool_split(plan->pool, inference_part, &pass);
}

static void backward_data_part(void *context, int thread, int threads)
{
    const struct pass *pass = context;
    const struct conv_desc *desc = &pass->plan->desc;
    const struct share share = share_of(pass->plan, desc->in_channels, thread, threads);
    const struct images output = output_of(pass->plan);
    const struct images input = {desc->dtype, (size_t)desc->in_channels, pass->plan->in_pixels};
    for (int image = 0; share.count > 0 && image < desc->batch; image++) {
        load_channels(&share, share.y, &output, pass->d_y, image, 0, output.channels);
        if (desc->accumulate)
            load_channels(&share, share.x, &input, pass->out, image, share.first, share.count);
        else
            memset(share.x, 0, input.pixels * share.count * sizeof *share.x);
        walk_taps(&share, visit_backward_data);
        store_own(&share, &input, pass->out, image, share.x);
    }
}

void ref_conv_backward_data(struct conv_plan *plan, void *d_x, const void *d_y)
{
    struct pass pass = {.plan = plan, .out = d_x, .d_y = d_y};
    pool_split(plan->pool, backward_data_part, &pass);
}

static float bias_gradient(const struct share *share, const void *d_y, size_t filter)
{
    const struct images output = output_of(share->plan);
    double sum = 0;
    for (int image = 0; image < share->plan->desc.batch; image++) {
        ref_load(share->plane, output.dtype, d_y, offset_of(&output, image, filter), output.pixels);
        for (size_t p = 0; p < output.pixels; p++) sum += share->plane[p];
    }
    return (float)sum;
}

static void backward_weights_part(void *context, int thread, int threads)
{
    const struct pass *pass = context;
    const struct conv_plan *plan = pass->plan;
    const size_t channels = (size_t)plan->desc.in_channels, outputs = (size_t)plan->desc.out_channels;
    const struct share share = share_of(plan, plan->desc.out_channels, thread, threads);
    const struct images output = output_of(plan);
    for (size_t row = 0; row < plan->taps * channels; row++)
        memset(plan->d_weights + row * outputs + share.first, 0, share.count * sizeof *plan->d_weights);
    for (int image = 0; share.count > 0 && image < plan->desc.batch; image++) {
        load_input(&share, pass->x, image);
        load_channels(&share, share.y, &output, pass->d_y, image, share.first, share.count);
        walk_taps(&share, visit_backward_weights);
    }
    for (size_t k = share.first; k < share.first + share.count; k++) {
        for (size_t c = 0; c < channels; c++)
            for (size_t tap = 0; tap < plan->taps; tap++)
                pass->d_weight[(k * channels + c) * plan->taps + tap] =
                    (float)plan->d_weights[(tap * channels + c) * outputs + k];
        if (pass->d_bias) pass->d_bias[k] = bias_gradient(&share, pass->d_y, k);
    }
}

void ref_conv_backward_weights(struct conv_plan *plan, float *d_weight, float *d_bias, const void *d_y, const void *x)
{
    struct pass pass = {.plan = plan, .d_weight = d_weight, .d_bias = d_bias, .d_y = d_y, .x = x};
    pool_split(plan->pool, backward_weights_part, &pass);
}
