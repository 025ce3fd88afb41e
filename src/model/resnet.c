/* model/resnet.c -- ResNet v1.5 (He et al. 2015, arXiv:1512.03385; stride in the 3x3 as torchvision has it). */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/format.h"
#include "model/encoder.h"
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

static int check(const struct model_config *config, struct error *error)
{
    const struct resnet_config *resnet = &config->resnet;
    if (!find_architecture(resnet->depth))
        return error_set(error, SIMCLR_INVALID, "there is no ResNet-%d; depth is one of 18, 34, 50, 101, 152, 200",
                         resnet->depth);
    if (!base_channels(resnet->width))
        return error_set(error, SIMCLR_INVALID,
                         "width %g is impossible; it lies between 0.125 and 4 and 64 times it is a whole number",
                         resnet->width);
    if (resnet->stem != STEM_AUTO && resnet->stem != STEM_IMAGENET && resnet->stem != STEM_CIFAR)
        return error_set(error, SIMCLR_INVALID, "stem %d is unknown; use auto, imagenet or cifar", (int)resnet->stem);
    return SIMCLR_OK;
}

/* What STEM_AUTO stands for at this image size. */
static enum stem stem_of(const struct model_config *config)
{
    if (config->resnet.stem != STEM_AUTO) return config->resnet.stem;
    return config->image_size <= 32 ? STEM_CIFAR : STEM_IMAGENET;
}

static void settle(struct model_config *config)
{
    config->resnet.stem = stem_of(config);
}

static int feature_dim(const struct model_config *config)
{
    const struct architecture *architecture = find_architecture(config->resnet.depth);
    return architecture ? base_channels(config->resnet.width) * 8 * (architecture->bottleneck ? 4 : 1) : 0;
}

/* "layer3.1.conv2.weight" is of block 1 + blocks of layers 1 and 2 + 1. */
static int block(const struct model_config *config, const char *name)
{
    const struct architecture *architecture = find_architecture(config->resnet.depth);
    int stage, index, number = 0;
    const bool inside = sscanf(name, "layer%1d.%3d.", &stage, &index) == 2 && stage >= 1 && stage <= 4;
    for (int i = 0; i < 4 && (!inside || i + 1 < stage); i++) number += architecture->blocks[i];
    if (inside) return number + index + 1;
    return strncmp(name, "conv1.", 6) == 0 || strncmp(name, "bn1.", 4) == 0 ? 0 : number;
}

/* ---- text ---------------------------------------------------------------------------------------------------- */
static void title(const struct model_config *config, struct model_title *out)
{
    format_write(out->text, sizeof out->text, "ResNet-%d, width %g", config->resnet.depth, config->resnet.width);
    snprintf(out->word, sizeof out->word, "resnet%d", config->resnet.depth);
    snprintf(out->stem, sizeof out->stem, ", %s stem", stem_of(config) == STEM_CIFAR ? "CIFAR" : "ImageNet");
}

static void to_text(const struct model_config *config, struct model_text *text)
{
    model_text_add(text, "depth", "%d", config->resnet.depth);
    model_text_add(text, "width", "%.17g", config->resnet.width);
    model_text_add(text, "stem", "%s", stem_of(config) == STEM_CIFAR ? "cifar" : "imagenet");
}

static int from_text(struct model_config *config, model_text_find *find, const void *context, struct error *error)
{
    struct resnet_config *resnet = &config->resnet;
    const char *stem = NULL;
    int status = model_text_int(find, context, "depth", &resnet->depth, error);
    if (!status) status = model_text_number(find, context, "width", &resnet->width, error);
    if (!status) status = model_text_string(find, context, "stem", &stem, error);
    if (status) return status;
    resnet->stem = strcmp(stem, "cifar") == 0 ? STEM_CIFAR : STEM_IMAGENET;
    return resnet->stem == STEM_IMAGENET && strcmp(stem, "imagenet") != 0 ? model_text_bad("stem", stem, error)
                                                                          : SIMCLR_OK;
}

/* ---- layers -------------------------------------------------------------------------------------------------- */
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
    bool cifar = stem_of(config) == STEM_CIFAR;
    int y = conv(network, "conv1", images, base_channels(config->resnet.width), cifar ? 3 : 7, cifar ? 1 : 2);
    y = norm(network, "bn1", y);
    return cifar ? y : network_max_pool(network, y, 3, 2, 1);
}

/* images -> h. Names are torchvision's. */
static int build(struct network *network, const struct model_config *config, int images)
{
    const struct architecture *architecture = find_architecture(config->resnet.depth);
    if (!architecture) return SIMCLR_INVALID;
    int y = stem(network, config, images);
    for (int stage = 0; stage < 4; stage++) {
        int channels = base_channels(config->resnet.width) << stage;
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

const struct encoder resnet_encoder = {
    .name = "resnet",
    .least_size = 8,
    .names = {"conv1", "fc"},
    .classifier_init = INIT_ZERO,
    .check = check,
    .settle = settle,
    .feature_dim = feature_dim,
    .build = build,
    .block = block,
    .title = title,
    .to_text = to_text,
    .from_text = from_text,
};
