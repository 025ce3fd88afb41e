#include "backend/check.h"

#include <math.h>

static int check_dtype(const struct backend *backend, const char *what, enum dtype dtype, struct error *error)
{
    if (!backend->ops->supports(backend, dtype))
        return error_set(error, SIMCLR_UNSUPPORTED, "%s: the %s backend has no %s; use another precision", what,
                         backend->ops->name, dtype_name(dtype));
    return SIMCLR_OK;
}

static int check_tensor(const char *what, int batch, int channels, int height, int width, struct error *error)
{
    const double limit = 1099511627776.0; /* 2^40 elements: sizes in bytes stay far from overflow */
    if (batch < 1 || channels < 1 || height < 1 || width < 1 || (double)batch * channels * height * width > limit)
        return error_set(error, SIMCLR_INVALID,
                         "%s: a tensor of %d x %d x %d x %d elements is impossible; each size must be at least 1 and "
                         "their product below 2^40",
                         what, batch, channels, height, width);
    return SIMCLR_OK;
}

int check_conv(const struct backend *backend, const struct conv_desc *desc, struct error *error)
{
    int status = check_dtype(backend, "convolution", desc->dtype, error);
    if (status != SIMCLR_OK) return status;
    status = check_tensor("convolution input", desc->batch, desc->in_channels, desc->in_height, desc->in_width, error);
    if (status != SIMCLR_OK) return status;
    if (desc->kernel < 1 || desc->stride < 1 || desc->padding < 0 || desc->padding >= desc->kernel ||
        desc->kernel > 1024 || desc->stride > 1024)
        return error_set(error, SIMCLR_INVALID,
                         "convolution: kernel %d, stride %d, padding %d; kernel and stride must be 1 to 1024 and the "
                         "padding below the kernel",
                         desc->kernel, desc->stride, desc->padding);
    int height = desc->in_height + 2 * desc->padding, width = desc->in_width + 2 * desc->padding;
    if (height < desc->kernel || width < desc->kernel)
        return error_set(error, SIMCLR_INVALID,
                         "convolution: a %d x %d kernel does not fit into a %d x %d image with padding %d",
                         desc->kernel, desc->kernel, desc->in_height, desc->in_width, desc->padding);
    if ((desc->relu || desc->residual) && (desc->training || desc->input_gradient || desc->statistics))
        return error_set(error, SIMCLR_INVALID, "convolution: ReLU and residual belong to inference alone");
    if (desc->input_gradient && desc->input_layout == LAYOUT_IMAGES)
        return error_set(error, SIMCLR_INVALID, "convolution: images have no gradient; give a private input layout");
    if (desc->input_layout == LAYOUT_IMAGES && desc->image_type != DTYPE_F32 &&
        (desc->image_type != DTYPE_BF16 || desc->dtype != DTYPE_BF16))
        return error_set(error, SIMCLR_UNSUPPORTED,
                         "convolution: %s images for %s; give float32, or bf16 where it computes in bf16",
                         dtype_name(desc->image_type), dtype_name(desc->dtype));
    status =
        check_tensor("convolution weights", desc->out_channels, desc->in_channels, desc->kernel, desc->kernel, error);
    if (status != SIMCLR_OK) return status;
    return check_tensor("convolution output", desc->batch, desc->out_channels,
                        conv_out(desc->in_height, desc->kernel, desc->stride, desc->padding),
                        conv_out(desc->in_width, desc->kernel, desc->stride, desc->padding), error);
}

int check_batch_norm(const struct backend *backend, const struct batch_norm_desc *desc, struct error *error)
{
    int status = check_dtype(backend, "batch norm", desc->dtype, error);
    if (status != SIMCLR_OK) return status;
    status = check_tensor("batch norm", desc->batch, desc->channels, desc->height, desc->width, error);
    if (status != SIMCLR_OK) return status;
    if (!(desc->epsilon > 0) || !(desc->momentum >= 0 && desc->momentum <= 1))
        return error_set(error, SIMCLR_INVALID,
                         "batch norm: epsilon %g, momentum %g; epsilon must be positive and momentum 0 to 1",
                         (double)desc->epsilon, (double)desc->momentum);
    if (desc->accumulate_residual && !desc->residual)
        return error_set(error, SIMCLR_INVALID, "batch norm: accumulate_residual without a residual");
    return SIMCLR_OK;
}

int check_max_pool(const struct backend *backend, const struct max_pool_desc *desc, struct error *error)
{
    int status = check_dtype(backend, "max pool", desc->dtype, error);
    if (status != SIMCLR_OK) return status;
    status = check_tensor("max pool", desc->batch, desc->channels, desc->in_height, desc->in_width, error);
    if (status != SIMCLR_OK) return status;
    if (desc->kernel < 1 || desc->kernel > 1024 || desc->stride < 1 || desc->stride > 1024 || desc->padding < 0 ||
        desc->padding > desc->kernel / 2)
        return error_set(error, SIMCLR_INVALID,
                         "max pool: kernel %d, stride %d, padding %d; kernel and stride must be 1 to 1024 and the "
                         "padding at most half the kernel",
                         desc->kernel, desc->stride, desc->padding);
    if (desc->in_height + 2 * desc->padding < desc->kernel || desc->in_width + 2 * desc->padding < desc->kernel)
        return error_set(error, SIMCLR_INVALID, "max pool: a %d x %d window does not fit into a %d x %d image",
                         desc->kernel, desc->kernel, desc->in_height, desc->in_width);
    return SIMCLR_OK;
}

int check_global_pool(const struct backend *backend, const struct global_pool_desc *desc, struct error *error)
{
    int status = check_dtype(backend, "global pool", desc->dtype, error);
    if (status != SIMCLR_OK) return status;
    return check_tensor("global pool", desc->batch, desc->channels, desc->height, desc->width, error);
}

int check_average_pool(const struct backend *backend, const struct average_pool_desc *desc, struct error *error)
{
    int status = check_dtype(backend, "average pool", desc->dtype, error);
    if (status) return status;
    status = check_tensor("average pool", desc->batch, desc->channels, desc->in_height, desc->in_width, error);
    if (status) return status;
    status = check_tensor("average pool output", desc->batch, desc->channels, desc->out_height, desc->out_width, error);
    if (status || desc->windows == AVERAGE_ADAPTIVE) return status;
    if (desc->windows != AVERAGE_INSIDE && desc->windows != AVERAGE_WHOLE)
        return error_set(error, SIMCLR_INVALID, "average pool: windows of kind %d are unknown", (int)desc->windows);
    if (desc->kernel < 1 || desc->kernel > 1024 || desc->stride < 1 || desc->stride > 1024 ||
        (int64_t)(desc->out_height - 1) * desc->stride >= desc->in_height ||
        (int64_t)(desc->out_width - 1) * desc->stride >= desc->in_width)
        return error_set(error, SIMCLR_INVALID,
                         "average pool: kernel %d, stride %d from %d x %d to %d x %d; kernel and stride must be 1 to "
                         "1024, and every window begin inside the image",
                         desc->kernel, desc->stride, desc->in_height, desc->in_width, desc->out_height,
                         desc->out_width);
    return SIMCLR_OK;
}

int check_relu(const struct backend *backend, const struct relu_desc *desc, struct error *error)
{
    const int status = check_dtype(backend, "ReLU", desc->dtype, error);
    return status ? status : check_tensor("ReLU", desc->batch, desc->channels, desc->height, desc->width, error);
}

int check_dropout(const struct backend *backend, const struct dropout_desc *desc, struct error *error)
{
    int status = check_dtype(backend, "dropout", desc->dtype, error);
    if (!status) status = check_tensor("dropout", desc->batch, desc->channels, desc->height, desc->width, error);
    if (status) return status;
    if (!(desc->rate >= 0 && desc->rate < 1))
        return error_set(error, SIMCLR_INVALID, "dropout: a rate of %g is impossible; it lies in [0, 1)",
                         (double)desc->rate);
    if (desc->layer < 0 || desc->layer >= 1 << 24)
        return error_set(error, SIMCLR_INVALID, "dropout: layer %d; it lies in [0, 2^24)", desc->layer);
    if ((double)desc->height * desc->width * (((double)desc->channels + 3) / 4) > 0x1p32)
        return error_set(error, SIMCLR_INVALID,
                         "dropout: images of %d x %d x %d values are too large; there are draws for 2^34 of them",
                         desc->channels, desc->height, desc->width);
    return SIMCLR_OK;
}

int check_nt_xent(const struct nt_xent_desc *desc, struct error *error)
{
    if (desc->images < 1 || desc->images > 1 << 24 || desc->dim < 1 || desc->dim > 1 << 20)
        return error_set(error, SIMCLR_INVALID,
                         "NT-Xent: %d images of dimension %d; at least 1 each, at most 2^24 images and dimension 2^20",
                         desc->images, desc->dim);
    if (desc->first < 0 || desc->count < 0 || desc->first > desc->images - desc->count ||
        (desc->count == 0 && desc->first > 0))
        return error_set(error, SIMCLR_INVALID, "NT-Xent: images %d to %d of %d; a range lies among all images",
                         desc->first, desc->first + desc->count, desc->images);
    if (!(desc->temperature > 0) || !isfinite(desc->temperature))
        return error_set(error, SIMCLR_INVALID, "NT-Xent: temperature %g; it must be a positive number",
                         (double)desc->temperature);
    return SIMCLR_OK;
}

int check_cross_entropy(const struct cross_entropy_desc *desc, struct error *error)
{
    if (desc->rows < 1 || desc->rows > 1 << 24 || desc->classes < 1 || desc->classes > 1 << 24)
        return error_set(error, SIMCLR_INVALID,
                         "cross entropy: %d rows of %d classes; at least 1 each, and at most 2^24", desc->rows,
                         desc->classes);
    return SIMCLR_OK;
}

int check_optimizer(const struct optimizer_desc *desc, struct error *error)
{
    if (!(desc->momentum >= 0 && desc->momentum < 1))
        return error_set(error, SIMCLR_INVALID, "momentum %g is impossible; it lies in [0, 1)", (double)desc->momentum);
    if (!(desc->weight_decay >= 0 && desc->weight_decay < 1e6f))
        return error_set(error, SIMCLR_INVALID, "weight decay %g is impossible; it is 0 or a positive number",
                         (double)desc->weight_decay);
    if (desc->kind == OPTIMIZER_LARS && !(desc->trust > 0 && desc->trust < 1e6f))
        return error_set(error, SIMCLR_INVALID, "LARS needs a positive trust coefficient (0.001), not %g",
                         (double)desc->trust);
    if (desc->kind == OPTIMIZER_ADAMW && !(desc->beta2 >= 0 && desc->beta2 < 1 && desc->epsilon > 0))
        return error_set(error, SIMCLR_INVALID, "AdamW needs beta2 in [0, 1) and a positive epsilon, not %g and %g",
                         (double)desc->beta2, (double)desc->epsilon);
    for (int i = 0; i < desc->count; i++)
        if (!(desc->segments[i].rate > 0 && desc->segments[i].rate < 1e6f))
            return error_set(error, SIMCLR_INVALID, "tensor %d has %g times the learning rate: give a positive number",
                             i, (double)desc->segments[i].rate);
    return SIMCLR_OK;
}

/* Pairs of an output position and a tap inside the image, along one axis. */
static double inside_taps(int in, int out, const struct conv_desc *desc)
{
    double count = 0;
    for (int o = 0; o < out; o++)
        for (int tap = 0; tap < desc->kernel; tap++) {
            const int i = o * desc->stride + tap - desc->padding;
            count += i >= 0 && i < in;
        }
    return count;
}

double conv_inside_flops(const struct conv_desc *desc)
{
    const int height = conv_out(desc->in_height, desc->kernel, desc->stride, desc->padding);
    const int width = conv_out(desc->in_width, desc->kernel, desc->stride, desc->padding);
    return 2.0 * desc->batch * desc->in_channels * desc->out_channels * inside_taps(desc->in_height, height, desc) *
           inside_taps(desc->in_width, width, desc);
}
