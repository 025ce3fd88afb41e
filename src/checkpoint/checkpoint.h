/* checkpoint/checkpoint.h -- a model with its training state in one safetensors file.
 *
 * Tensors: "encoder.<torchvision name>", "head.<...>" or "fc.<...>" for the rest, "optimizer.state1.<name>", "optimizer.state2.<name>".
 * Metadata (strings): format, version, depth, width, stem, image_size, head_layers, head_dim, classes, step, epoch, seed,
 * images_seen, config (the effective YAML), fingerprint (what must not change on resume), and every policy value that inference needs
 * (mean/std). A CRC-32C over the tensor bytes guards against a file damaged after the write. */
#ifndef CHECKPOINT_CHECKPOINT_H
#define CHECKPOINT_CHECKPOINT_H

#include "base/error.h"
#include "model/model.h"
#include "optim/optimizer.h"

struct checkpoint_state {
    int64_t step, epoch;
    uint64_t seed;
    const char *config_yaml;   /* effective configuration, or NULL */
    const char *fingerprint;   /* of everything whose change forbids resuming */
    double best_knn;           /* best online kNN so far, -1: none */
    int64_t skipped_steps;     /* non-finite steps so far */
};

/* optimizer may be NULL (weights only). */
int checkpoint_write(const char *path, const struct model *model, const struct optimizer *optimizer,
                     const struct checkpoint_state *state, struct error *error);

/* The whole file checked (header, lengths, names, shapes, CRC). */
struct checkpoint;
int checkpoint_open(struct checkpoint **out, const char *path, struct error *error);
void checkpoint_close(struct checkpoint **checkpoint);
const struct model_config *checkpoint_model_config(const struct checkpoint *checkpoint);
const struct checkpoint_state *checkpoint_state(const struct checkpoint *checkpoint); /* strings live until close */
/* Copies weights and buffers into `model` (and optimiser state). Missing, extra or differently shaped tensors: SIMCLR_CORRUPT naming
 * the first. encoder_only: only "encoder.*" is wanted, others are ignored. */
int checkpoint_restore(const struct checkpoint *checkpoint, struct model *model, struct optimizer *optimizer, bool encoder_only,
                       struct error *error);

/* exported/encoder.safetensors: torchvision's names (num_batches_tracked included), no head: loads with load_state_dict into
 * torchvision.models.resnetNN with fc removed. Beside it the caller writes config.json. */
int checkpoint_export_encoder(const char *path, const struct model *model, int64_t batches_tracked, struct error *error);
/* A file with plain torchvision names (exported encoder, or torchvision's own weights saved as safetensors; fc.* ignored) into the encoder. */
int checkpoint_import_encoder(const char *path, struct model *model, struct error *error);

#endif
