/* tensor/tensor.c -- names of element types. */
#include "tensor/tensor.h"

const char *dtype_name(enum dtype type)
{
    switch (type) {
    case DTYPE_F32:
        return "float32";
    case DTYPE_BF16:
        return "bf16";
    case DTYPE_F64:
        return "float64";
    }
    return "unknown";
}
