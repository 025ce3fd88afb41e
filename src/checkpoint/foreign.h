/* checkpoint/foreign.h -- what a file is that was taken for a safetensors file. */
#ifndef CHECKPOINT_FOREIGN_H
#define CHECKPOINT_FOREIGN_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* SIMCLR_CORRUPT, with what these bytes (all of a file, or its first SIGNATURE_BYTES) are and what to do; SIMCLR_OK
 * where that is not known. */
int foreign_refuse(const uint8_t *bytes, size_t count, const char *path, struct error *error);

#endif
