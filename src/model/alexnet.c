/* model/alexnet.c -- AlexNet as torchvision has it (Krizhevsky 2014, arXiv:1404.5997; method.md section 6): a network
 * without batch norm, as a control of training with labels.
 *
 * The first two poolings and the last come before the ReLU here, which torchvision has before them. Both are monotonic,
 * so all values are the same, and so are all gradients; the ReLU has a quarter of the work. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/format.h"
#include "model/encoder.h"
#include "nn/ops/ops.h"

enum { LEAST_SIZE = 63, USUAL_LEAST = 64, BINS = 6, UNITS = 4096 };
#define DROPOUT 0.5

/* torchvision's features.N: convolutions and where a max-pool of 3 x 3, stride 2, follows. */
static const struct layer {
    int number, filters, kernel, stride, padding;
    bool pool;
} LAYERS[] = {
    {0, 64, 11, 4, 2, true},  {3, 192, 5, 1, 2, true},  {6, 384, 3, 1, 1, false},
    {8, 256, 3, 1, 1, false}, {10, 256, 3, 1, 1, true},
};
enum { LAYER_COUNT = sizeof LAYERS / sizeof *LAYERS };

/* Filters or units times the width; 0 where that is no whole number. */
static int widen(const struct model_config *config, int channels)
{
    const double wide = channels * config->alexnet.width;
    return wide >= 1 && wide == floor(wide) ? (int)wide : 0;
}

static int check(const struct model_config *config, struct error *error)
{
    const double width = config->alexnet.width;
    if (!(width >= 0.0625 && width <= 4) || widen(config, 64) == 0)
        return error_set(error, SIMCLR_INVALID,
                         "width %g is impossible; it lies between 0.0625 and 4 and 64 times it is a whole number",
                         width);
    if (config->image_size < LEAST_SIZE)
        return error_set(error, SIMCLR_INVALID,
                         "AlexNet needs images of %d pixels or more, not %d: leave --image-size out, and smaller ones "
                         "are enlarged to %d",
                         LEAST_SIZE, config->image_size, USUAL_LEAST);
    return SIMCLR_OK;
}

static void settle(struct model_config *config)
{
    (void)config; /* nothing hangs on the image size */
}

static int feature_dim(const struct model_config *config)
{
    return widen(config, UNITS);
}

/* The convolutions, then the two dense layers. */
static int block(const struct model_config *config, const char *name)
{
    (void)config;
    int number;
    if (sscanf(name, "features.%2d.", &number) == 1)
        for (int i = 0; i < LAYER_COUNT; i++)
            if (LAYERS[i].number == number) return i;
    return strncmp(name, "classifier.1.", 13) == 0 ? LAYER_COUNT : LAYER_COUNT + 1;
}

/* ---- text ---------------------------------------------------------------------------------------------------- */
static void title(const struct model_config *config, struct model_title *out)
{
    format_write(out->text, sizeof out->text, "AlexNet, width %g", config->alexnet.width);
    snprintf(out->word, sizeof out->word, "alexnet");
}

static void to_text(const struct model_config *config, struct model_text *text)
{
    model_text_add(text, "width", "%.17g", config->alexnet.width);
}

static int from_text(struct model_config *config, model_text_find *find, const void *context, struct error *error)
{
    return model_text_number(find, context, "width", &config->alexnet.width, error);
}

/* ---- layers -------------------------------------------------------------------------------------------------- */
/* "features.3" */
struct name {
    char text[32];
};
static struct name numbered(const char *part, int number)
{
    struct name name;
    snprintf(name.text, sizeof name.text, "%s.%d", part, number);
    return name;
}

static int convolve(struct network *network, const struct model_config *config, const struct layer *layer, int x)
{
    const struct network_conv conv = {.out_channels = widen(config, layer->filters),
                                      .kernel = layer->kernel,
                                      .stride = layer->stride,
                                      .padding = layer->padding,
                                      .bias = true,
                                      .flags = PARAMETER_DECAY | PARAMETER_ADAPT,
                                      .init = INIT_UNIFORM};
    int y = network_conv(network, numbered("features", layer->number).text, x, conv);
    if (layer->pool) y = network_max_pool(network, y, 3, 2, 0);
    return network_relu(network, numbered("features", layer->number + 1).text, y);
}

/* Dropout, a dense layer, ReLU: classifier.N, N + 1 and N + 2. */
static int dense(struct network *network, const struct model_config *config, int number, int x)
{
    const int dropped = network_dropout(network, numbered("classifier", number).text, x, DROPOUT);
    const int y = network_dense(network, numbered("classifier", number + 1).text, dropped, widen(config, UNITS), true,
                                PARAMETER_DECAY | PARAMETER_ADAPT, INIT_UNIFORM);
    return network_relu(network, numbered("classifier", number + 2).text, y);
}

/* images -> h, what the last layer of torchvision's classifier reads. Names are torchvision's. */
static int build(struct network *network, const struct model_config *config, int images)
{
    int y = images;
    for (int i = 0; i < LAYER_COUNT; i++) y = convolve(network, config, &LAYERS[i], y);
    y = network_average_pool(network, "avgpool", y, (struct network_average_pool){.bins = BINS});
    y = dense(network, config, 0, y);
    y = dense(network, config, 3, y);
    const int h = network_to_float32(network, "h", y);
    network_name(network, h, "h");
    network_keep(network, h);
    return h;
}

const struct encoder alexnet_encoder = {
    .name = "alexnet",
    .least_size = USUAL_LEAST,
    .names = {"features.0", "classifier.6"},
    .classifier_init = INIT_UNIFORM,
    .check = check,
    .settle = settle,
    .feature_dim = feature_dim,
    .build = build,
    .block = block,
    .title = title,
    .to_text = to_text,
    .from_text = from_text,
};
