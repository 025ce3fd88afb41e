/* checkpoint/weights.h -- a safetensors file of anybody's seen as an encoder, a ResNet or AlexNet: which one it is, and
 * what its tensors are called there.
 *
 * Names are torchvision's. They may have one prefix, as wrappers and training programs leave it ("module.",
 * "backbone.", "encoder_q.", our own checkpoints' "encoder."). They may be those of torchvision's layers in a
 * Sequential ("0.weight" for conv1, "4.0.conv1.weight" for layer1; "3.0." without a max-pool, "2.0." without a ReLU of
 * its own). "shortcut" may stand for "downsample". What has another prefix is left out, and counted; so are heads
 * behind the encoder's own prefix, known by the words of their names. */
#ifndef CHECKPOINT_WEIGHTS_H
#define CHECKPOINT_WEIGHTS_H

#include <stdbool.h>

#include "checkpoint/safetensors.h"
#include "model/model.h"

enum { WEIGHTS_PREFIX_MAX = 96 };

struct weights {
    const struct safetensors *file; /* borrowed */
    const char *path;               /* borrowed, for sentences */
    char prefix[WEIGHTS_PREFIX_MAX];
    bool sequential;
    int layer1;    /* in a Sequential: its number */
    bool shortcut; /* a block's projection has that name */
    enum encoder_kind kind;
    int encoder;         /* tensors with the prefix; the classifier, heads and PyTorch's counters not among them */
    int outside;         /* tensors without it, and heads */
    const char *example; /* the first of those, or NULL */
    int converted;       /* of the encoder's tensors: had another type than float32 in a file of PyTorch */
    const char *stored;  /* that type, of the first of them; or NULL */
};

/* Finds the names. Of several networks (an encoder and its momentum copy) the one that is trained is taken, or the one
 * whose prefix is `wanted` (NULL: none is asked for), with or without its last dot.
 * SIMCLR_CORRUPT where there is no network that we know, or several that nothing tells apart; SIMCLR_INVALID where none
 * has the prefix. */
int weights_look(struct weights *out, const struct safetensors *file, const char *path, struct error *error);
int weights_look_for(struct weights *out, const struct safetensors *file, const char *path, const char *wanted,
                     struct error *error);
/* Kind, depth, width and stem, read off names and shapes; nothing is allocated. image_size is the stem's usual one. */
int weights_config(const struct weights *weights, struct model_config *out, struct error *error);
/* Tensor `name` of torchvision's network, or NULL. */
const struct safetensors_entry *weights_find(const struct weights *weights, const char *name);

/* All tensors of the encoder that `parameters` describes are there, in shape, float32 and finite, and no other has the
 * prefix (the classifier, heads and counters may). SIMCLR_CORRUPT naming the first that is not so. Their values are
 * loaded afterwards (safetensors_load). */
int weights_check(const struct weights *weights, const struct parameters *parameters, struct error *error);
/* Copies what weights_check has found good. */
void weights_copy(const struct weights *weights, struct model *model);

/* What a new run can take of a file. */
struct weights_taken {
    int encoder, encoder_of; /* tensors of the encoder that were taken, of so many */
    int head, head_of;       /* of the head: from our own checkpoints alone */
    int left;                /* tensors of the file that have no place here */
    char fresh[160];         /* the first tensor of the encoder that starts anew, with both shapes; "" */
    char left_name[100];     /* the first of `left`; "" */
};
/* Copies every tensor that has the name and shape of one of the model's, encoder and head. SIMCLR_CORRUPT where a
 * tensor to be taken is not float32 or not finite, and SIMCLR_INVALID where the file's encoder is of another depth or
 * width, with the options that fit. The stem may differ: its convolution then starts anew. Nothing is copied then. */
int weights_begin(const struct weights *weights, struct model *model, struct weights_taken *out, struct error *error);

#endif
