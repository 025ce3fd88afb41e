/* checkpoint/foreign.h -- what a file is that was taken for a safetensors file. */
#ifndef CHECKPOINT_FOREIGN_H
#define CHECKPOINT_FOREIGN_H

#include <stddef.h>
#include <stdint.h>

/* What the bytes are and what to do, as the end of a sentence that begins with the path; NULL: not known. */
const char *foreign_format(const uint8_t *bytes, size_t count);

#endif
