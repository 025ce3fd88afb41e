/* Convolution, one image at a time in doubles, channels innermost: x [H][W][C], y [OH][OW][K], weights [tap][C][K].
 * Each pass visits every pair of an output pixel and an input pixel that a tap of the kernel joins. */
#include "backend/check.h"
#include "backend/host.h"
#include "backend/ref/ref.h"
#include "base/memory.h"

struct conv_plan {
    struct conv_desc desc;
    int out_height, out_width;
    size_t in_pixels, out_pixels, taps, weight_count;
    enum dtype input_type; /* as stored: IMAGES have their own */
    double *weights;       /* [tap][C][K] */
    double *transposed;    /* [tap][K][C], if desc.input_gradient */
    double *d_weights;     /* [tap][C][K], if desc.training */
    double *x, *y;         /* one image each */
    double *plane;         /* one channel of an image, on its way to or from memory */
};

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
    plan->desc = *desc;
    plan->out_height = conv_out(desc->in_height, desc->kernel, desc->stride, desc->padding);
    plan->out_width = conv_out(desc->in_width, desc->kernel, desc->stride, desc->padding);
    plan->in_pixels = (size_t)desc->in_height * (size_t)desc->in_width;
    plan->out_pixels = (size_t)plan->out_height * (size_t)plan->out_width;
    plan->taps = (size_t)desc->kernel * (size_t)desc->kernel;
    plan->weight_count = plan->taps * (size_t)desc->in_channels * (size_t)desc->out_channels;
    plan->input_type = desc->input_layout == LAYOUT_IMAGES ? desc->image_type : desc->dtype;

    const size_t size = sizeof(double);
    size_t largest = plan->in_pixels > plan->out_pixels ? plan->in_pixels : plan->out_pixels;
    plan->weights = memory_array(plan->weight_count, size);
    plan->transposed = memory_array(desc->input_gradient ? plan->weight_count : 0, size);
    plan->d_weights = memory_array(desc->training ? plan->weight_count : 0, size);
    plan->x = memory_array(plan->in_pixels * (size_t)desc->in_channels, size);
    plan->y = memory_array(plan->out_pixels * (size_t)desc->out_channels, size);
    plan->plane = memory_array(largest, size);
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
    size_t largest = plan->in_pixels > plan->out_pixels ? plan->in_pixels : plan->out_pixels;
    return sizeof(double) * (copies * plan->weight_count + plan->in_pixels * (size_t)desc->in_channels +
                             plan->out_pixels * (size_t)desc->out_channels + largest);
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

/* ---- images between memory [C][H][W] and doubles [H][W][C] -------------------------------------------------- */
static void load_image(struct conv_plan *plan, double *out, enum dtype dtype, const void *tensor, int image,
                       size_t channels, size_t pixels)
{
    for (size_t c = 0; c < channels; c++) {
        ref_load(plan->plane, dtype, tensor, ((size_t)image * channels + c) * pixels, pixels);
        for (size_t p = 0; p < pixels; p++) out[p * channels + c] = plan->plane[p];
    }
}

static void store_image(struct conv_plan *plan, void *tensor, enum dtype dtype, int image, size_t channels,
                        size_t pixels, const double *values)
{
    for (size_t c = 0; c < channels; c++) {
        for (size_t p = 0; p < pixels; p++) plan->plane[p] = values[p * channels + c];
        ref_store(tensor, dtype, ((size_t)image * channels + c) * pixels, pixels, plan->plane);
    }
}

/* A bf16 convolution multiplies bf16 numbers, so float32 IMAGES are rounded first. */
static void load_input(struct conv_plan *plan, const void *x, int image)
{
    const size_t channels = (size_t)plan->desc.in_channels;
    load_image(plan, plan->x, plan->input_type, x, image, channels, plan->in_pixels);
    if (plan->input_type != plan->desc.dtype && plan->desc.dtype == DTYPE_BF16)
        for (size_t i = 0; i < channels * plan->in_pixels; i++) plan->x[i] = ref_round(DTYPE_BF16, plan->x[i]);
}

/* ---- the walk ------------------------------------------------------------------------------------------------- */
typedef void tap_visit(struct conv_plan *plan, size_t in_pixel, size_t out_pixel, size_t tap);

static void walk_taps(struct conv_plan *plan, tap_visit *visit)
{
    const struct conv_desc *desc = &plan->desc;
    for (int r = 0; r < desc->kernel; r++)
        for (int s = 0; s < desc->kernel; s++)
            for (int oy = 0; oy < plan->out_height; oy++) {
                int iy = oy * desc->stride - desc->padding + r;
                if (iy < 0 || iy >= desc->in_height) continue;
                for (int ox = 0; ox < plan->out_width; ox++) {
                    int ix = ox * desc->stride - desc->padding + s;
                    if (ix < 0 || ix >= desc->in_width) continue;
                    visit(plan, (size_t)iy * (size_t)desc->in_width + (size_t)ix,
                          (size_t)oy * (size_t)plan->out_width + (size_t)ox,
                          (size_t)r * (size_t)desc->kernel + (size_t)s);
                }
            }
}

/* out[j] += sum over i of in[i] * matrix[i][j]; four rows a pass, so that `out` is read and written less often. */
static void multiply_add(double *restrict out, const double *restrict in, const double *restrict matrix, size_t rows,
                         size_t columns)
{
    size_t i = 0;
    for (; i + 4 <= rows; i += 4) {
        const double *m0 = matrix + i * columns, *m1 = m0 + columns, *m2 = m1 + columns, *m3 = m2 + columns;
        const double a = in[i], b = in[i + 1], c = in[i + 2], d = in[i + 3];
        for (size_t j = 0; j < columns; j++) out[j] += (a * m0[j] + b * m1[j]) + (c * m2[j] + d * m3[j]);
    }
    for (; i < rows; i++)
        for (size_t j = 0; j < columns; j++) out[j] += in[i] * matrix[i * columns + j];
}

static void visit_forward(struct conv_plan *plan, size_t in_pixel, size_t out_pixel, size_t tap)
{
    const size_t channels = (size_t)plan->desc.in_channels, outputs = (size_t)plan->desc.out_channels;
    multiply_add(plan->y + out_pixel * outputs, plan->x + in_pixel * channels, plan->weights + tap * channels * outputs,
                 channels, outputs);
}

static void visit_backward_data(struct conv_plan *plan, size_t in_pixel, size_t out_pixel, size_t tap)
{
    const size_t channels = (size_t)plan->desc.in_channels, outputs = (size_t)plan->desc.out_channels;
    multiply_add(plan->x + in_pixel * channels, plan->y + out_pixel * outputs,
                 plan->transposed + tap * channels * outputs, outputs, channels);
}

static void visit_backward_weights(struct conv_plan *plan, size_t in_pixel, size_t out_pixel, size_t tap)
{
    const size_t channels = (size_t)plan->desc.in_channels, outputs = (size_t)plan->desc.out_channels;
    const double *restrict d_y = plan->y + out_pixel * outputs;
    for (size_t c = 0; c < channels; c++) {
        const double value = plan->x[in_pixel * channels + c];
        double *restrict d_weights = plan->d_weights + (tap * channels + c) * outputs;
        for (size_t k = 0; k < outputs; k++) d_weights[k] += value * d_y[k];
    }
}

/* ---- the passes ----------------------------------------------------------------------------------------------- */
void ref_conv_set_folded_weights(struct conv_plan *plan, const struct conv_folding *folding)
{
    const struct conv_desc *desc = &plan->desc;
    host_fold(folding, desc->out_channels, (size_t)desc->in_channels * (size_t)desc->kernel * (size_t)desc->kernel);
    ref_conv_set_weights(plan, folding->scratch);
}

void ref_conv_forward(struct conv_plan *plan, void *y, double *statistics, const void *x, const float *bias)
{
    const struct conv_desc *desc = &plan->desc;
    const size_t outputs = (size_t)desc->out_channels;
    const bool measure = desc->statistics && statistics;
    if (measure) memset(statistics, 0, 2 * outputs * sizeof *statistics);
    for (int image = 0; image < desc->batch; image++) {
        load_input(plan, x, image);
        for (size_t p = 0; p < plan->out_pixels; p++)
            for (size_t k = 0; k < outputs; k++) plan->y[p * outputs + k] = bias ? (double)bias[k] : 0.0;
        walk_taps(plan, visit_forward);
        for (size_t p = 0; measure && p < plan->out_pixels; p++)
            for (size_t k = 0; k < outputs; k++) {
                const double value = plan->y[p * outputs + k];
                statistics[k] += value;
                statistics[outputs + k] += value * value;
            }
        store_image(plan, y, desc->dtype, image, outputs, plan->out_pixels, plan->y);
    }
}

void ref_conv_inference(struct conv_plan *plan, void *y, const void *x, const void *residual, const float *bias)
{
    const struct conv_desc *desc = &plan->desc;
    const size_t outputs = (size_t)desc->out_channels, pixels = plan->out_pixels;
    for (int image = 0; image < desc->batch; image++) {
        load_input(plan, x, image);
        if (desc->residual)
            load_image(plan, plan->y, desc->dtype, residual, image, outputs, pixels);
        else
            memset(plan->y, 0, pixels * outputs * sizeof *plan->y);
        for (size_t p = 0; bias && p < pixels; p++)
            for (size_t k = 0; k < outputs; k++) plan->y[p * outputs + k] += (double)bias[k];
        walk_taps(plan, visit_forward);
        for (size_t i = 0; desc->relu && i < pixels * outputs; i++)
            if (plan->y[i] < 0) plan->y[i] = 0; /* a NaN stays */
        store_image(plan, y, desc->dtype, image, outputs, pixels, plan->y);
    }
}

void ref_conv_backward_data(struct conv_plan *plan, void *d_x, const void *d_y)
{
    const struct conv_desc *desc = &plan->desc;
    const size_t channels = (size_t)desc->in_channels;
    for (int image = 0; image < desc->batch; image++) {
        load_image(plan, plan->y, desc->dtype, d_y, image, (size_t)desc->out_channels, plan->out_pixels);
        if (desc->accumulate)
            load_image(plan, plan->x, desc->dtype, d_x, image, channels, plan->in_pixels);
        else
            memset(plan->x, 0, plan->in_pixels * channels * sizeof *plan->x);
        walk_taps(plan, visit_backward_data);
        store_image(plan, d_x, desc->dtype, image, channels, plan->in_pixels, plan->x);
    }
}

void ref_conv_backward_weights(struct conv_plan *plan, float *d_weight, float *d_bias, const void *d_y, const void *x)
{
    const struct conv_desc *desc = &plan->desc;
    const size_t channels = (size_t)desc->in_channels, outputs = (size_t)desc->out_channels;
    memset(plan->d_weights, 0, plan->weight_count * sizeof *plan->d_weights);
    for (int image = 0; image < desc->batch; image++) {
        load_input(plan, x, image);
        load_image(plan, plan->y, desc->dtype, d_y, image, outputs, plan->out_pixels);
        walk_taps(plan, visit_backward_weights);
    }
    for (size_t k = 0; k < outputs; k++)
        for (size_t c = 0; c < channels; c++)
            for (size_t tap = 0; tap < plan->taps; tap++)
                d_weight[(k * channels + c) * plan->taps + tap] =
                    (float)plan->d_weights[(tap * channels + c) * outputs + k];
    for (size_t k = 0; d_bias && k < outputs; k++) {
        double sum = 0;
        for (size_t image = 0; image < (size_t)desc->batch; image++) {
            ref_load(plan->plane, desc->dtype, d_y, (image * outputs + k) * plan->out_pixels, plan->out_pixels);
            for (size_t p = 0; p < plan->out_pixels; p++) sum += plan->plane[p];
        }
        d_bias[k] = (float)sum;
    }
}
