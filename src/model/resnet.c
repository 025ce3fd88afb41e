/* model/resnet.c -- ResNet v1.5 (He et al. 2015, arXiv:1512.03385; stride in the 3x3 as torchvision has it). */
#include <math.h>
#include <stdio.h>

#include "model/model.h"
#include "nn/ops/ops.h"

struct architecture {
    int depth;
    bool bottleneck;
    int blocks[4]; /* in each stage */
};

static const struct architecture ARCHITECTURES[] = {
    {18, false, {2, 2, 2, 2}},  {34, false, {3, 4, 6, 3}},  {50, true, {3, 4, 6, 3}},
    {101, true, {3, 4, 23, 3}}, {152, true, {3, 8, 36, 3}}, {200, true, {3, 24, 36, 3}},
};

static const struct architecture *find_architecture(int depth)
{
    for (size_t i = 0; i < sizeof ARCHITECTURES / sizeof *ARCHITECTURES; i++)
        if (ARCHITECTURES[i].depth == depth) return &ARCHITECTURES[i];
    return NULL;
}

/* Channels of the first stage, or 0 when the width does not give a whole number. */
static int base_channels(double width)
{
    double channels = 64 * width;
    return width >= 0.125 && width <= 4 && channels == floor(channels) ? (int)channels : 0;
}

int model_config_check(const struct model_config *config, struct error *error)
{
    if (!find_architecture(config->depth))
        return error_set(error, SIMCLR_INVALID, "there is no ResNet-%d; depth is one of 18, 34, 50, 101, 152, 200",
                         config->depth);
    if (!base_channels(config->width))
        return error_set(error, SIMCLR_INVALID,
                         "width %g is impossible; it lies between 0.125 and 4 and 64 times it is "
                         "a whole number",
                         config->width);
    if (config->stem != STEM_AUTO && config->stem != STEM_IMAGENET && config->stem != STEM_CIFAR)
        return error_set(error, SIMCLR_INVALID, "stem %d is unknown; use auto, imagenet or cifar", (int)config->stem);
    if (config->image_size < 8 || config->image_size > 2048)
        return error_set(error, SIMCLR_INVALID, "image size %d is impossible; it lies between 8 and 2048",
                         config->image_size);
    if (config->head_layers < 0 || config->head_layers > 3)
        return error_set(error, SIMCLR_INVALID, "a projection head of %d layers is impossible; it has 0 (none) to 3",
                         config->head_layers);
    if (config->head_layers > 0 && (config->head_dim < 1 || config->head_dim > 65536))
        return error_set(error, SIMCLR_INVALID, "head output of %d is impossible; it lies between 1 and 65536",
                         config->head_dim);
    if (config->classes < 0 || config->classes > 1000000)
        return error_set(error, SIMCLR_INVALID, "%d classes are impossible; use 0 (no classifier) to 1000000",
                         config->classes);
    return SIMCLR_OK;
}

enum stem model_stem(const struct model_config *config)
{
    if (config->stem != STEM_AUTO) return config->stem;
    return config->image_size <= 32 ? STEM_CIFAR : STEM_IMAGENET;
}

int model_feature_dim(const struct model_config *config)
{
    const struct architecture *architecture = find_architecture(config->depth);
    return architecture ? base_channels(config->width) * 8 * (architecture->bottleneck ? 4 : 1) : 0;
}

int model_output_dim(const struct model_config *config)
{
    if (config->classes > 0) return config->classes;
    return config->head_layers > 0 ? config->head_dim : model_feature_dim(config);
}

/* "layer2.0" + "conv1" */
struct name {
    char text[96];
};
static struct name join(const char *block, const char *part)
{
    struct name name;
    snprintf(name.text, sizeof name.text, "%s.%s", block, part);
    return name;
}

static int conv(struct network *network, const char *name, int x, int channels, int kernel, int stride)
{
    struct network_conv config = {.out_channels = channels,
                                  .kernel = kernel,
                                  .stride = stride,
                                  .padding = kernel / 2,
                                  .flags = PARAMETER_DECAY | PARAMETER_ADAPT,
                                  .init = INIT_TRUNCATED_NORMAL};
    return network_conv(network, name, x, config);
}

/* A batch norm with ReLU. */
static int norm(struct network *network, const char *name, int x)
{
    return network_batch_norm(network, name, x, (struct network_batch_norm){.relu = true, .residual = -1});
}

/* y = relu(bn(x) + shortcut): the last batch norm of a block, whose gamma starts at 0, so that the block starts as
 * the identity (method.md section 2). */
static int join_shortcut(struct network *network, const char *name, int x, int shortcut)
{
    if (shortcut < 0) return shortcut;
    struct network_batch_norm config = {.relu = true, .residual = shortcut, .zero_gamma = true};
    return network_batch_norm(network, name, x, config);
}

/* The identity, or a 1x1 convolution and batch norm where the shape changes. */
static int shortcut(struct network *network, const char *block, int x, int channels, int stride)
{
    const struct tensor_desc *desc = network_tensor(network, x);
    if (!desc || (stride == 1 && desc->channels == channels)) return x;
    int y = conv(network, join(block, "downsample.0").text, x, channels, 1, stride);
    return network_batch_norm(network, join(block, "downsample.1").text, y,
                              (struct network_batch_norm){.residual = -1});
}

/* torchvision's BasicBlock: 3x3 (stride), 3x3. x: [N][C][H][W] -> [N][channels][H/stride][W/stride]. */
static int basic_block(struct network *network, const char *block, int x, int channels, int stride)
{
    int y = conv(network, join(block, "conv1").text, x, channels, 3, stride);
    y = norm(network, join(block, "bn1").text, y);
    y = conv(network, join(block, "conv2").text, y, channels, 3, 1);
    return join_shortcut(network, join(block, "bn2").text, y, shortcut(network, block, x, channels, stride));
}

/* torchvision's Bottleneck: 1x1, 3x3 (stride), 1x1 to four times the channels. */
static int bottleneck(struct network *network, const char *block, int x, int channels, int stride)
{
    int y = conv(network, join(block, "conv1").text, x, channels, 1, 1);
    y = norm(network, join(block, "bn1").text, y);
    y = conv(network, join(block, "conv2").text, y, channels, 3, stride);
    y = norm(network, join(block, "bn2").text, y);
    y = conv(network, join(block, "conv3").text, y, 4 * channels, 1, 1);
    return join_shortcut(network, join(block, "bn3").text, y, shortcut(network, block, x, 4 * channels, stride));
}

static int stem(struct network *network, const struct model_config *config, int images)
{
    bool cifar = model_stem(config) == STEM_CIFAR;
    int y = conv(network, "conv1", images, base_channels(config->width), cifar ? 3 : 7, cifar ? 1 : 2);
    y = norm(network, "bn1", y);
    return cifar ? y : network_max_pool(network, y, 3, 2, 1);
}

int resnet_build(struct network *network, const struct model_config *config, int images)
{
    const struct architecture *architecture = find_architecture(config->depth);
    if (!architecture) return SIMCLR_INVALID;
    int y = stem(network, config, images);
    for (int stage = 0; stage < 4; stage++) {
        int channels = base_channels(config->width) << stage;
        for (int i = 0; i < architecture->blocks[stage]; i++) {
            char block[32];
            snprintf(block, sizeof block, "layer%d.%d", stage + 1, i);
            int stride = stage > 0 && i == 0 ? 2 : 1;
            y = architecture->bottleneck ? bottleneck(network, block, y, channels, stride)
                                         : basic_block(network, block, y, channels, stride);
            network_name(network, y, block);
        }
    }
    int h = network_global_pool(network, y);
    network_name(network, h, "h");
    network_keep(network, h);
    return h;
}
