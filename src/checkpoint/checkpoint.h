/* checkpoint/checkpoint.h -- a model with its training state in one safetensors file.
 *
 * Tensors, all float32:
 *     encoder.<torchvision name>       the encoder
 *     head.<...>, fc.<...>             the rest
 *     optimizer.state1.<name>          momentum (Adam's m) of each trained tensor, by its name in the table
 *     optimizer.state2.<name>          Adam's v
 *     ema.encoder.<...>, ema.head.<...> the moving averages of all of the model, where there are any (--ema)
 * Metadata, all strings:
 *     format ("simclr-checkpoint"), version ("2", or "3" where there are averages)
 *     depth, width, stem, image_size, head_layers, head_dim, classes
 *     step, epoch, seed, images_seen, skipped_steps, best_knn
 *     best_by                          "held-out": of which images best_knn is, where there is one
 *     epoch_steps, epoch_sums          loss, top-1, seconds, seconds waited
 *     epoch_skipped                    steps of the epoch that were skipped, where there are any
 *     mean, std                        three numbers each
 *     optimizer, optimizer_steps       none, lars, sgd, adamw
 *     ema                              the averages' decay, where there are any
 *     config, fingerprint              if given: the effective YAML, and what must not change on resume
 *     file_crc32c                      of the whole file, against damage after the write
 * Equal states give equal bytes. Version 1 is read too: it had a CRC-32C over the tensor bytes alone ("crc32c") and no
 * epoch_*. */
#ifndef CHECKPOINT_CHECKPOINT_H
#define CHECKPOINT_CHECKPOINT_H

#include "base/error.h"
#include "checkpoint/safetensors.h"
#include "model/model.h"
#include "optim/optimizer.h"

/* Sums over a stretch of steps, for means and for the speed. */
struct stretch {
    int64_t steps; /* that were not skipped: loss and top1 are of them */
    double loss, top1;
    double seconds, waited; /* of training alone, skipped steps included, and of that waiting for views */
    int64_t skipped;
};

struct checkpoint_state {
    int version; /* of the file that was read; a write ignores it */
    int64_t step, epoch;
    uint64_t seed;
    const char *config_yaml; /* effective configuration, or NULL */
    const char *fingerprint; /* of everything whose change forbids resuming */
    double best_knn;         /* best online kNN so far, -1: none */
    bool best_is_held_out; /* it is of held-out training images; files of up to November 2026 have it of test images */
    int64_t skipped_steps; /* non-finite steps so far */
    int64_t images_seen;
    struct stretch this_epoch;   /* an epoch's steps before this one: all 0 at its end, and in files of version 1 */
    double ema;                  /* decay of the moving averages; 0: there are none */
    const struct model *average; /* to write: them, NULL for none; checkpoint_restore_average reads them */
    float mean[3], std[3];       /* input normalisation (x - mean) / std; std all 0: none */
};

/* optimizer may be NULL (weights only). The file is whole or absent. SIMCLR_IO (disk full, no permission),
 * SIMCLR_NO_MEMORY. */
int checkpoint_write(const char *path, const struct model *model, const struct optimizer *optimizer,
                     const struct checkpoint_state *state, struct error *error);

/* The whole file checked: header, lengths, CRC, metadata, that it holds exactly the tensors of its model and optimiser,
 * and that all their values are finite. Damage: SIMCLR_CORRUPT with one sentence. SIMCLR_IO: cannot be opened. */
struct checkpoint;
int checkpoint_open(struct checkpoint **out, const char *path, struct error *error);
void checkpoint_close(struct checkpoint **checkpoint);
const struct safetensors *checkpoint_file(const struct checkpoint *checkpoint); /* until close */
const char *checkpoint_path(const struct checkpoint *checkpoint);
const struct model_config *checkpoint_model_config(const struct checkpoint *checkpoint);
const struct checkpoint_state *checkpoint_state(const struct checkpoint *checkpoint); /* strings live until close */
/* Copies weights and buffers into `model` (and optimiser state, unless NULL; a file without state or with another
 * optimiser's is refused). Missing, extra or differently shaped tensors: SIMCLR_CORRUPT naming the first; nothing is
 * copied then. encoder_only: only "encoder.*" is wanted, others are ignored. Networks planned before need
 * network_set_weights. */
int checkpoint_restore(const struct checkpoint *checkpoint, struct model *model, struct optimizer *optimizer,
                       bool encoder_only, struct error *error);

/* Copies the moving averages into `model`. SIMCLR_INVALID where the checkpoint has none, else as above. */
int checkpoint_restore_average(const struct checkpoint *checkpoint, struct model *model, bool encoder_only,
                               struct error *error);

/* exported/encoder.safetensors: torchvision's names (num_batches_tracked included), no head: loads with load_state_dict
 * into torchvision.models.resnetNN with fc removed. Beside it the caller writes config.json. */
int checkpoint_export_encoder(const char *path, const struct model *model, int64_t batches_tracked,
                              struct error *error);
/* A file with torchvision's names (exported encoder, torchvision's own weights saved as safetensors, or with a prefix:
 * checkpoint/weights.h; fc.* and num_batches_tracked ignored) into the encoder. Errors as checkpoint_restore. */
int checkpoint_import_encoder(const char *path, struct model *model, struct error *error);
/* Any file of weights as such an export, bit for bit where its values are float32: the tensors of the encoder that
 * `parameters` describes, which weights_check has found good, and each batch norm's counter (0 where there is none). */
struct weights;
int checkpoint_export_weights(const char *path, const struct weights *weights, const struct parameters *parameters,
                              struct error *error);

#endif
