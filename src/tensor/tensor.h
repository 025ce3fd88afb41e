/* tensor/tensor.h -- element types, shapes, and the description of an activation tensor. */
#ifndef TENSOR_TENSOR_H
#define TENSOR_TENSOR_H

#include <stddef.h>
#include <stdint.h>

#include "base/bf16.h"

enum dtype { DTYPE_F32 = 0, DTYPE_BF16 = 1, DTYPE_F64 = 2 }; /* F64: only `ref`, for gradient checks */

static inline size_t dtype_bytes(enum dtype type)
{
    return type == DTYPE_BF16 ? 2 : type == DTYPE_F32 ? 4 : 8;
}
const char *dtype_name(enum dtype type); /* "float32", "bf16", "float64" */

/* An activation tensor [batch][channels][height][width]. IMAGES: canonical NCHW in `dtype`, float32 or bf16 (what the
 * loader writes, read by the first convolution). PRIVATE: the backend's own layout in `dtype`. */
enum tensor_layout { LAYOUT_PRIVATE = 0, LAYOUT_IMAGES = 1 };

struct tensor_desc {
    enum dtype dtype;
    enum tensor_layout layout;
    int batch, channels, height, width;
};

static inline size_t tensor_elements(const struct tensor_desc *desc)
{
    return (size_t)desc->batch * (size_t)desc->channels * (size_t)desc->height * (size_t)desc->width;
}

#endif
