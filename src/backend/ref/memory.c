#include "backend/ref/ref.h"

void ref_load(double *out, enum dtype dtype, const void *tensor, size_t offset, size_t count)
{
    if (dtype == DTYPE_F64) {
        memcpy(out, (const double *)tensor + offset, count * sizeof *out);
    } else if (dtype == DTYPE_F32) {
        const float *values = (const float *)tensor + offset;
        for (size_t i = 0; i < count; i++) out[i] = values[i];
    } else {
        const uint16_t *values = (const uint16_t *)tensor + offset;
        for (size_t i = 0; i < count; i++) out[i] = bf16_to_float(values[i]);
    }
}

void ref_store(void *tensor, enum dtype dtype, size_t offset, size_t count, const double *values)
{
    if (dtype == DTYPE_F64) {
        memcpy((double *)tensor + offset, values, count * sizeof *values);
    } else if (dtype == DTYPE_F32) {
        float *out = (float *)tensor + offset;
        for (size_t i = 0; i < count; i++) out[i] = (float)values[i];
    } else {
        uint16_t *out = (uint16_t *)tensor + offset;
        for (size_t i = 0; i < count; i++) out[i] = bf16_from_float((float)values[i]);
    }
}

double ref_round(enum dtype dtype, double value)
{
    if (dtype == DTYPE_F64) return value;
    return dtype == DTYPE_F32 ? (float)value : bf16_to_float(bf16_from_float((float)value));
}

size_t ref_tensor_bytes(const struct backend *backend, const struct tensor_desc *desc)
{
    (void)backend;
    return tensor_elements(desc) * dtype_bytes(desc->dtype);
}

size_t ref_statistics_bytes(const struct backend *backend, int channels)
{
    (void)backend;
    return 2 * (size_t)channels * sizeof(double);
}

void ref_tensor_read(struct backend *backend, const struct tensor_desc *desc, float *canonical, const void *tensor)
{
    (void)backend;
    size_t count = tensor_elements(desc);
    for (size_t i = 0; i < count; i++) {
        double value;
        ref_load(&value, desc->dtype, tensor, i, 1);
        canonical[i] = (float)value;
    }
}

void ref_tensor_write(struct backend *backend, const struct tensor_desc *desc, void *tensor, const float *canonical)
{
    (void)backend;
    size_t count = tensor_elements(desc);
    for (size_t i = 0; i < count; i++) {
        double value = canonical[i];
        ref_store(tensor, desc->dtype, i, 1, &value);
    }
}
