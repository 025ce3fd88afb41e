/* run/torch/values.c -- see values.h. */
#include "run/torch/values.h"

#include <string.h>

#include "base/bf16.h"
#include "base/half.h"

static int64_t integer_at(const uint8_t *at, enum torch_type type)
{
    int64_t wide;
    int32_t int32;
    int16_t int16;
    switch (type) {
    case TORCH_INT32:
        memcpy(&int32, at, sizeof int32);
        return int32;
    case TORCH_INT16:
        memcpy(&int16, at, sizeof int16);
        return int16;
    case TORCH_INT8:
        return (int8_t)*at;
    default:
        memcpy(&wide, at, sizeof wide);
        return wide;
    }
}

static float float_at(const uint8_t *at, enum torch_type type)
{
    double wide;
    float value;
    uint16_t half;
    switch (type) {
    case TORCH_FLOAT64:
        memcpy(&wide, at, sizeof wide);
        return (float)wide;
    case TORCH_FLOAT16:
        memcpy(&half, at, sizeof half);
        return half_to_float(half);
    case TORCH_BFLOAT16:
        memcpy(&half, at, sizeof half);
        return bf16_to_float(half);
    default:
        memcpy(&value, at, sizeof value);
        return value;
    }
}

/* Value `index` of the result. */
static void put(void *out, size_t index, const uint8_t *at, enum torch_type type, enum safetensors_dtype given)
{
    if (given == ST_F32)
        ((float *)out)[index] = float_at(at, type);
    else if (given == ST_I64)
        ((int64_t *)out)[index] = integer_at(at, type);
    else
        ((uint8_t *)out)[index] = *at;
}

void torch_values(void *out, const uint8_t *storage, const struct torch_tensor *tensor,
                  const struct safetensors_entry *entry)
{
    const size_t size = torch_type_bytes(tensor->type);
    int64_t place[TORCH_RANK_MAX] = {0}, at = tensor->first;
    size_t count = 1;
    for (int d = 0; d < entry->rank; d++) count *= (size_t)entry->dims[d];
    for (size_t i = 0; i < count; i++) {
        put(out, i, storage + (size_t)at * size, tensor->type, entry->dtype);
        for (int d = entry->rank - 1; d >= 0; d--) { /* the next place, the last dimension first */
            at += tensor->strides[d];
            if (++place[d] < entry->dims[d]) break;
            at -= tensor->strides[d] * place[d];
            place[d] = 0;
        }
    }
}
