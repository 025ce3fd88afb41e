/* model/encoder.h -- what a kind of encoder is to the rest of this room: one table each, named in config.c.
 * A new kind is a file, a member of model_config's union, and a row there. */
#ifndef MODEL_ENCODER_H
#define MODEL_ENCODER_H

#include "model/model.h"

struct encoder {
    const char *name; /* "resnet" */
    int least_size;   /* of images, unless a size is asked for: smaller ones are enlarged to it */
    struct model_names names;
    enum parameter_init classifier_init; /* of its linear classifier */
    int (*check)(const struct model_config *config, struct error *error);
    void (*settle)(struct model_config *config); /* what was left to the image size is decided */
    int (*feature_dim)(const struct model_config *config);
    int (*build)(struct network *network, const struct model_config *config, int images); /* -> tensor h, kept */
    /* The number of the block that a parameter of this name belongs to: 0 the first, a ResNet's stem, then the others
     * in their order. What follows the encoder: that of the last block. */
    int (*block)(const struct model_config *config, const char *name);
    void (*title)(const struct model_config *config, struct model_title *title);
    void (*to_text)(const struct model_config *config, struct model_text *text);
    int (*from_text)(struct model_config *config, model_text_find *find, const void *context, struct error *error);
};
extern const struct encoder resnet_encoder, alexnet_encoder; /* resnet.c, alexnet.c */

/* The table of a checked configuration's kind; NULL for an unknown kind. */
const struct encoder *model_encoder(const struct model_config *config);

/* ---- for to_text and from_text (config.c) ---- */
void model_text_add(struct model_text *text, const char *key, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int model_text_string(model_text_find *find, const void *context, const char *key, const char **out,
                      struct error *error);
int model_text_int(model_text_find *find, const void *context, const char *key, int *out, struct error *error);
int model_text_number(model_text_find *find, const void *context, const char *key, double *out, struct error *error);
/* SIMCLR_CORRUPT: the value of this entry is impossible. */
int model_text_bad(const char *key, const char *value, struct error *error);

#endif
