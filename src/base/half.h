/* base/half.h -- IEEE 754 half precision (binary16), one number at a time: what --half writes. */
#ifndef BASE_HALF_H
#define BASE_HALF_H

#include <stdint.h>
#include <string.h>

#define HALF_LARGEST 65504.0f

/* Every half is a float32: exact. */
static inline float half_to_float(uint16_t value)
{
    const uint32_t sign = (uint32_t)(value & 0x8000u) << 16, exponent = value >> 10 & 0x1fu, rest = value & 0x3ffu;
    uint32_t bits = sign | (exponent + 112u) << 23 | rest << 13;
    if (exponent == 31) bits = sign | 0x7f800000u | rest << 13;
    float out;
    memcpy(&out, &bits, sizeof out);
    if (exponent > 0) return out;
    out = (float)rest * 0x1p-24f; /* zeros, and numbers below the normal ones */
    return sign ? -out : out;
}

/* Round to nearest even. Beyond HALF_LARGEST, by half a place or more, is infinite; NaN stays NaN. */
static inline uint16_t half_from_float(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    const uint32_t sign = bits >> 16 & 0x8000u, size = bits & 0x7fffffffu;
    if (size > 0x7f800000u) return (uint16_t)(sign | 0x7e00u);
    if (size >= 0x477ff000u) return (uint16_t)(sign | 0x7c00u);
    if (size < 0x38800000u) { /* below the normal halves: in steps of 2^-24, which float32 rounds to by adding 2^-1 */
        float magnitude;
        memcpy(&magnitude, &size, sizeof magnitude);
        magnitude += 0.5f;
        memcpy(&bits, &magnitude, sizeof bits);
        return (uint16_t)(sign | (bits - 0x3f000000u));
    }
    return (uint16_t)(sign | (size + 0xfffu + (size >> 13 & 1u) - 0x38000000u) >> 13);
}

#endif
