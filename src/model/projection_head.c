/* model/projection_head.c -- g: h -> z (paper section 2.1 and Figure 8; method.md section 3), and what takes the place
 * of its end where there are labels: a linear classifier. */
#include <stdio.h>

#include "model/encoder.h"
#include "nn/ops/ops.h"

/* The first `layers` of the head's layers. As in the authors' code the last of all has a batch norm without shift, and
 * ReLU stands only between layers. */
static int build_layers(struct network *network, const struct model_config *config, int h, int layers)
{
    const int hidden = model_feature_dim(config);
    int y = h;
    for (int i = 0; i < layers; i++) {
        bool last = i == config->head_layers - 1;
        char name[32];
        snprintf(name, sizeof name, "head.fcs.%d", i);
        y = network_dense(network, name, y, last ? config->head_dim : hidden, false,
                          PARAMETER_DECAY | PARAMETER_ADAPT | PARAMETER_HEAD, INIT_NORMAL_001);
        snprintf(name, sizeof name, "head.bns.%d", i);
        y = network_batch_norm(
            network, name, y,
            (struct network_batch_norm){.relu = !last, .residual = -1, .no_beta = last, .flags = PARAMETER_HEAD});
    }
    return y;
}

int projection_head_build(struct network *network, const struct model_config *config, int h)
{
    return build_layers(network, config, h, config->head_layers);
}

int projection_layers_build(struct network *network, const struct model_config *config, int h, int layers)
{
    return build_layers(network, config, h, layers);
}

/* A ResNet's starts at zero. So LARS must not adapt its rate: a trust ratio would keep the weights near zero, and the
 * authors leave their classifier out of it (method.md section 5). */
int classifier_build(struct network *network, const struct model_config *config, int h)
{
    const int y = build_layers(network, config, h, config->cut);
    const struct encoder *encoder = model_encoder(config);
    return network_dense(network, encoder->names.classifier, y, config->classes, true,
                         PARAMETER_DECAY | PARAMETER_HEAD | PARAMETER_CLASSIFIER, encoder->classifier_init);
}
