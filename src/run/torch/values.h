/* run/torch/values.h -- the values of a tensor, out of its storage. */
#ifndef RUN_TORCH_VALUES_H
#define RUN_TORCH_VALUES_H

#include "run/torch/tensors.h"

/* Writes the entry's bytes to `out`, row by row as its shape says, converted to the type that it gives. float64 is
 * rounded to the nearest float32, and what is too large becomes infinite; the other conversions are exact. `storage`
 * has all elements of the tensor's storage. */
void torch_values(void *out, const uint8_t *storage, const struct torch_tensor *tensor,
                  const struct safetensors_entry *entry);

#endif
