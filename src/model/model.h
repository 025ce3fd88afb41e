/* model/model.h -- the encoder f and the projection head g (paper section 2.1; method.md sections 2 and 3). */
#ifndef MODEL_MODEL_H
#define MODEL_MODEL_H

#include "nn/network.h"

enum stem { STEM_AUTO, STEM_IMAGENET, STEM_CIFAR }; /* 7x7/2 + max-pool, or 3x3/1; auto: CIFAR for S <= 32 */

struct resnet_config {
    int depth;    /* 18, 34, 50, 101, 152, 200 */
    double width; /* multiplier: 1/8 ... 4 */
    enum stem stem;
};

struct alexnet_config {
    double width; /* multiplier of all filters and units: 1/16 ... 4 */
};

enum encoder_kind { ENCODER_RESNET, ENCODER_ALEXNET, ENCODER_KINDS };
struct model_config {
    enum encoder_kind encoder; /* which member of the union counts */
    union {
        struct resnet_config resnet;
        struct alexnet_config alexnet;
    };
    int image_size;  /* S */
    int head_layers; /* 0 none, 1 linear, 2 (v1), 3 (v2) */
    int head_dim;    /* output of the head, 128 */
    int classes;     /* > 0: a linear classifier in place of the head's end (training with labels) */
    int cut;         /* with a classifier: it stands on the output of this many of the head's layers; 0: on h */
};
int model_config_check(const struct model_config *config, struct error *error);
int model_find_encoder(const char *name, enum encoder_kind *out); /* "resnet", "alexnet"; SIMCLR_INVALID for another */
struct model_names {
    const char *first, *classifier; /* torchvision's of the first convolution and of the classifier */
};
struct model_names model_names(enum encoder_kind kind);
int model_least_size(enum encoder_kind kind); /* of images where no size is asked for: smaller ones are enlarged */
int model_feature_dim(
    const struct model_config *config); /* of h: of a ResNet 512 or 2048 times width, of AlexNet 4096 */
int model_output_dim(const struct model_config *config);           /* of z (or logits) */
int model_layers(const struct model_config *config);               /* of the head, that the model has: up to its cut */
int model_layer_dim(const struct model_config *config, int layer); /* of the output of this one of them; 0: of h */

/* ---- the configuration as text: config.c ---- */
/* Entries that describe a model: a checkpoint's metadata; parts of an export's config.json and of what `info` prints.
 * Numbers read back equal. A ResNet: depth, width, stem (imagenet or cifar); AlexNet: width; all: image_size,
 * head_layers, head_dim, classes; cut where it is not 0. `encoder` names another kind than resnet. */
enum { MODEL_TEXT_ENTRIES = 12, MODEL_TEXT_LENGTH = 32 };
struct model_text {
    int count;
    struct {
        const char *key; /* a constant */
        char value[MODEL_TEXT_LENGTH];
    } entry[MODEL_TEXT_ENTRIES];
};
void model_config_to_text(const struct model_config *config, struct model_text *text);
const char *model_text_value(const struct model_text *text, const char *key); /* NULL: there is none */
/* The reverse, of entries that anybody may have written; find returns the value of a key, or NULL. SIMCLR_CORRUPT, with
 * a sentence that names the entry, when one is missing or impossible. */
typedef const char *model_text_find(const void *context, const char *key);
int model_config_from_text(struct model_config *out, model_text_find *find, const void *context, struct error *error);
/* For people, and for programs that know encoders by one word. */
struct model_title {
    char text[64]; /* "ResNet-18, width 0.25" */
    char word[32]; /* "resnet18" */
    char stem[20]; /* ", CIFAR stem", to be put behind the text; "" where there is no choice of it */
};
struct model_title model_title(const struct model_config *config);

/* What a builder returns: tensor numbers. */
struct model_tensors {
    int images, h, z;
}; /* z == h without a head */

/* model/projection_head.c: h -> z, or h -> logits. Names: head.fcs.I.weight, head.bns.I.weight, .bias (none for the
 * last); fc.weight, fc.bias, or classifier.6 of AlexNet. */
int projection_head_build(struct network *network, const struct model_config *config, int h);
/* Its first layers alone: the output of the last of them, ReLU included (the last of all has none: z). */
int projection_layers_build(struct network *network, const struct model_config *config, int h, int layers);
int classifier_build(struct network *network, const struct model_config *config, int h);

/* The weights of one model and the networks planned over them. */
struct model {
    struct model_config config;
    struct parameters parameters;
};

/* Fills an empty table with the rows of such a model, without memory for them: names and shapes only.
 * SIMCLR_INVALID for an impossible configuration. The caller frees the table. */
int model_describe(struct parameters *parameters, const struct model_config *config, struct error *error);

struct model;
/* The network of a model as a list of operations in inference, of one image, for who translates it: never planned, so
 * it cannot run. layer: up to the output of this many of the head's layers, which is then z; 0: up to h. The caller
 * destroys it before the model. */
int model_describe_network(struct model *model, int layer, struct network **out, struct model_tensors *tensors,
                           struct error *error);

/* Fills the table by building the network once, allocates the slabs in the backend's memory (borrowed; NULL: in plain
 * memory of the host, for who only reads and writes files), initialises from seed. The model's own
 * configuration has STEM_AUTO resolved, so that it keeps its stem when it later sees images of another size. */
int model_create(struct model **out, const struct model_config *config, struct backend *backend, uint64_t seed,
                 struct error *error);
/* The same without values in the slabs, for who only plans, or fills them from a file: drawing a ResNet-50's takes
 * longer than either. */
int model_create_blank(struct model **out, const struct model_config *config, struct backend *backend,
                       struct error *error);
void model_destroy(struct model **model);

/* Gives the parameters of block b of the encoder factor^(last - b) times the learning rate: for who plans an optimiser
 * afterwards. Block 0 is the stem, the others are the residual blocks; the last one, head and classifier keep the whole
 * rate. factor: above 0. */
void model_slow_early_blocks(struct model *model, double factor);

struct model_plan_args {
    struct backend *backend; /* borrowed by the network */
    enum network_mode mode;
    enum dtype dtype;
    int batch;         /* images */
    int image_size;    /* over 0: of images of another size than the model's own */
    bool encoder_only; /* stops at h */
    int layer;         /* over 0: stops at the output of this many of the head's layers, which is then z */
    struct network_options options;
};
/* A network over the model's parameters. The weights are packed already (unless options.dry); after every change of
 * them call network_set_weights. */
int model_plan(struct model *model, const struct model_plan_args *args, struct network **out,
               struct model_tensors *tensors, struct error *error);

#endif
