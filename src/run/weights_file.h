/* run/weights_file.h -- a file of weights, whoever wrote it: safetensors, or a checkpoint of PyTorch. */
#ifndef RUN_WEIGHTS_FILE_H
#define RUN_WEIGHTS_FILE_H

#include "base/log.h"
#include "checkpoint/safetensors.h"
#include "checkpoint/weights.h"

/* Told by the file's bytes, never by its name. The log says what the pickle of a checkpoint of PyTorch names besides
 * tensors. Errors as safetensors_open and torch_open have them. */
int weights_file_open(struct safetensors **out, const char *path, const struct log *log, struct error *error);

/* Lets safetensors of float64, float16 and bfloat16 be seen as float32, whose values safetensors_load converts. The
 * file is another afterwards, without metadata, where it has such tensors; it is closed where this fails.
 * SIMCLR_CORRUPT for a wrong checksum. */
int weights_file_widen(struct safetensors **file, const char *path, struct error *error);

/* Says which prefix the names have, what is left out, and what is converted. */
void weights_file_tell(const struct weights *weights, const struct log *log);

#endif
