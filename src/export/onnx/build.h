/* export/onnx/build.h -- a model as an ONNX graph. */
#ifndef EXPORT_ONNX_BUILD_H
#define EXPORT_ONNX_BUILD_H

#include "export/onnx/graph.h"
#include "model/model.h"

/* A linear classifier on h, or on a layer of the head. */
struct onnx_classifier {
    const float *weight, *bias; /* [classes][model_layer_dim], [classes]: borrowed */
    int classes;                /* 0: there is none */
    int layer;                  /* 0: on h */
    double temperature;         /* probabilities are softmax(logits / temperature) */
};

struct onnx_build_args {
    struct model *model;      /* in the host's memory; it must outlive the graph, unchanged */
    const double *mean, *std; /* [3], of input in [0, 1]; NULL: it is taken as it is */
    struct onnx_classifier classifier;
    bool fold;  /* batch norms into the convolutions before them, in double */
    bool bytes; /* input uint8 [N][S][S][3] in 0 to 255, instead of float32 [N][3][S][S] in [0, 1] */
};

/* Fills an empty graph, but for its texts. Input "images"; outputs "features", and with a classifier "logits" and
 * "probabilities". SIMCLR_NO_MEMORY; SIMCLR_UNSUPPORTED for an operation that has no translation. The caller frees the
 * graph, also after a failure. */
int onnx_build(struct onnx_graph *graph, const struct onnx_build_args *args, struct error *error);

#endif
