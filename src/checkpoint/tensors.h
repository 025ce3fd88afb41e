/* checkpoint/tensors.h -- what the files of this room share: names in files, and matching a file with a table. */
#ifndef CHECKPOINT_TENSORS_H
#define CHECKPOINT_TENSORS_H

#include <stdbool.h>

#include "checkpoint/safetensors.h"
#include "tensor/parameters.h"

#define CHECKPOINT_FORMAT "simclr-checkpoint"
#define CHECKPOINT_HELD_OUT "held-out" /* a value of best_by */
#define CHECKPOINT_VERSION 3 /* the newest; from 1 on all are read. One without an average is written as version 2 */

struct file_name {
    char text[160];
};

/* "encoder.conv1.weight" for the encoder's rows, the row's own name for the others. */
struct file_name tensor_file_name(const struct parameter *item);
/* "optimizer.state<number>.<name>" */
struct file_name tensor_state_name(const struct parameter *item, int number);

/* "ema.encoder.conv1.weight": its moving average. */
struct file_name tensor_average_name(const struct parameter *item);

/* A row as something to write, with values from `data`, which lies in the memory of `parameters`. name must outlive the
 * entry. */
struct safetensors_entry tensor_entry(const struct parameters *parameters, const struct parameter *item,
                                      const char *name, const float *data);

/* The encoder under torchvision's names, and of each batch norm num_batches_tracked: at most 2 parameters->count
 * entries, whose names stand in `names` or in the table. Returns how many there are. */
int tensor_encoder_entries(struct safetensors_entry *entries, struct file_name *names,
                           const struct parameters *parameters, const int64_t *batches_tracked);

/* Finds the tensor `name`, which must be float32 and have the shape of `item`. SIMCLR_CORRUPT otherwise. */
int tensor_match(const struct safetensors *file, const char *path, const char *name, const struct parameter *item,
                 const struct safetensors_entry **out, struct error *error);
/* The same for what was found under this name: NULL is missing. */
int tensor_match_entry(const struct safetensors_entry *entry, const char *path, const char *name,
                       const struct parameter *item, const struct safetensors_entry **out, struct error *error);
/* SIMCLR_CORRUPT: something else stands in the place of this tensor (entry->instead). */
int tensor_refuse_other(const struct safetensors_entry *entry, const char *path, struct error *error);
bool tensor_has_shape(const struct safetensors_entry *entry, const struct parameter *item);
/* "conv1.weight: [64, 3, 3, 3], where the file has [64, 3, 7, 7]"; entry NULL: "..., which the file lacks" */
void tensor_describe_pair(char *out, size_t size, const struct parameter *item, const struct safetensors_entry *entry);

/* SIMCLR_CORRUPT, with its name and its first such value, for a float32 tensor with a value that is not finite. */
int tensor_check_finite(const struct safetensors_entry *entry, const char *path, struct error *error);

/* "lars", "sgd", "adamw" */
const char *optimizer_kind_name(int kind);

#endif
