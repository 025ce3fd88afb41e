/* Conversion between canonical NCHW float32 and layout P. Not a hot path: tests, features and checkpoints. */
#include <string.h>

#include "backend/cpu/cpu.h"
#include "backend/cpu/layout.h"
#include "backend/cpu/ops.h"

struct conversion {
    struct activation_layout layout;
    enum dtype dtype;
    float *canonical;
    const float *source; /* of a write */
    void *tensor;
    const void *stored; /* of a read */
};

static struct activation_layout layout_of(const struct tensor_desc *desc)
{
    return activation_layout(desc->batch, desc->channels, desc->height, desc->width);
}

size_t cpu_tensor_bytes(const struct backend *backend, const struct tensor_desc *desc)
{
    (void)backend;
    if (desc->layout == LAYOUT_IMAGES) return tensor_elements(desc) * dtype_bytes(desc->dtype);
    return layout_of(desc).elements * dtype_bytes(desc->dtype);
}

size_t cpu_statistics_bytes(const struct backend *backend, int channels)
{
    (void)backend;
    return 2 * (size_t)channels * sizeof(double);
}

/* Where plane (group, block) begins, in elements of the tensor, and the canonical index of its image 0, channel 0. */
static size_t plane_start(const struct activation_layout *layout, int64_t plane, int *group, int *block)
{
    *group = (int)(plane / layout->blocks);
    *block = (int)(plane % layout->blocks);
    return (size_t)plane * layout->block;
}

static size_t canonical_start(const struct activation_layout *layout, int group, int image, int block, int channel)
{
    const size_t n = (size_t)(group * layout->group_images) + (size_t)image,
                 c = (size_t)(block * layout->block_channels) + (size_t)channel;
    return (n * (size_t)layout->channels + c) * (size_t)layout->height * (size_t)layout->width;
}

static void read_plane(void *context, int64_t plane, int thread)
{
    (void)thread;
    const struct conversion *job = context;
    const struct activation_layout *layout = &job->layout;
    int group, block;
    const size_t start = plane_start(layout, plane, &group, &block);
    const size_t positions = (size_t)layout->height * (size_t)layout->width;
    const int images = activation_group_images(layout, group), channels = activation_block_channels(layout, block);
    for (int image = 0; image < images; image++) {
        for (int channel = 0; channel < channels; channel++) {
            float *out = job->canonical + canonical_start(layout, group, image, block, channel);
            const size_t first = start + (size_t)(image * layout->block_channels + channel);
            for (size_t p = 0; p < positions; p++) {
                const size_t at = first + p * layout->cell;
                out[p] = job->dtype == DTYPE_BF16 ? bf16_to_float(((const uint16_t *)job->stored)[at])
                                                  : ((const float *)job->stored)[at];
            }
        }
    }
}

static void write_plane(void *context, int64_t plane, int thread)
{
    (void)thread;
    const struct conversion *job = context;
    const struct activation_layout *layout = &job->layout;
    int group, block;
    const size_t start = plane_start(layout, plane, &group, &block), bytes = dtype_bytes(job->dtype);
    const size_t positions = (size_t)layout->height * (size_t)layout->width;
    const int images = activation_group_images(layout, group), channels = activation_block_channels(layout, block);
    if (images < layout->group_images || channels < layout->block_channels)
        memset((char *)job->tensor + start * bytes, 0, layout->block * bytes);
    for (int image = 0; image < images; image++) {
        for (int channel = 0; channel < channels; channel++) {
            const float *in = job->source + canonical_start(layout, group, image, block, channel);
            const size_t first = start + (size_t)(image * layout->block_channels + channel);
            for (size_t p = 0; p < positions; p++) {
                const size_t at = first + p * layout->cell;
                if (job->dtype == DTYPE_BF16)
                    ((uint16_t *)job->tensor)[at] = bf16_from_float(in[p]);
                else
                    ((float *)job->tensor)[at] = in[p];
            }
        }
    }
}

/* IMAGES are canonical already, in their type. */
static void read_images(const struct tensor_desc *desc, float *canonical, const void *images)
{
    const size_t count = tensor_elements(desc);
    if (desc->dtype == DTYPE_F32)
        memcpy(canonical, images, count * sizeof *canonical);
    else
        for (size_t i = 0; i < count; i++) canonical[i] = bf16_to_float(((const uint16_t *)images)[i]);
}

static void write_images(const struct tensor_desc *desc, void *images, const float *canonical)
{
    const size_t count = tensor_elements(desc);
    if (desc->dtype == DTYPE_F32)
        memcpy(images, canonical, count * sizeof *canonical);
    else
        for (size_t i = 0; i < count; i++) ((uint16_t *)images)[i] = bf16_from_float(canonical[i]);
}

void cpu_tensor_read(struct backend *backend, const struct tensor_desc *desc, float *canonical, const void *tensor)
{
    if (desc->layout == LAYOUT_IMAGES) {
        read_images(desc, canonical, tensor);
        return;
    }
    struct conversion job = {.layout = layout_of(desc), .dtype = desc->dtype, .canonical = canonical, .stored = tensor};
    pool_run(backend->pool, (int64_t)job.layout.groups * job.layout.blocks, read_plane, &job);
}

void cpu_tensor_write(struct backend *backend, const struct tensor_desc *desc, void *tensor, const float *canonical)
{
    if (desc->layout == LAYOUT_IMAGES) {
        write_images(desc, tensor, canonical);
        return;
    }
    struct conversion job = {.layout = layout_of(desc), .dtype = desc->dtype, .source = canonical, .tensor = tensor};
    pool_run(backend->pool, (int64_t)job.layout.groups * job.layout.blocks, write_plane, &job);
}
