/* augment/noise.c -- Gaussian noise. Logarithm, sine and cosine are polynomials of our own (errors below 1e-6): the
 * same bits whatever the C library, in loops that a compiler turns into vectors. */
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "augment/operations.h"
#include "base/rng.h"

enum { CHUNK = 64 }; /* pairs of words */

/* sqrt(-2 ln x) for x in (0, 1]. ln m = 2 atanh((m - 1) / (m + 1)), m within a factor sqrt(2) of 1. */
static inline float radius_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    const uint32_t shifted = bits - 0x3F3504F3u; /* sqrt(1/2): m in [sqrt(1/2), sqrt(2)) */
    const int exponent = (int)shifted >> 23;
    const uint32_t mantissa = (shifted & 0x7FFFFFu) + 0x3F3504F3u;
    float m;
    memcpy(&m, &mantissa, sizeof m);
    const float s = (m - 1.0f) / (m + 1.0f), t = s * s;
    const float series = 2.0f + t * (2.0f / 3 + t * (2.0f / 5 + t * (2.0f / 7 + t * (2.0f / 9))));
    const float minus_log = -((float)exponent * 0.69314718f + s * series);
    return sqrtf(minus_log > 0.0f ? 2.0f * minus_log : 0.0f);
}

/* cos and sin of 2 pi turn, turn in [0, 1): series on an eighth of the circle, then the quadrant. */
static inline void circle(float turn, float *cosine, float *sine)
{
    const int quadrant = (int)(4.0f * turn + 0.5f);
    const float x = 6.2831853f * (turn - 0.25f * (float)quadrant), t = x * x;
    const float s = x * (1.0f + t * (-1.0f / 6 + t * (1.0f / 120 + t * (-1.0f / 5040 + t * (1.0f / 362880)))));
    const float c = 1.0f + t * (-0.5f + t * (1.0f / 24 + t * (-1.0f / 720 + t * (1.0f / 40320))));
    const float a = quadrant & 1 ? s : c, b = quadrant & 1 ? c : s;
    *cosine = (quadrant + 1) & 2 ? -a : a;
    *sine = quadrant & 2 ? -b : b;
}

static inline float unit(uint32_t word)
{
    return (float)(word >> 8) * 0x1p-24f;
}

void view_noise(float *view, int size, uint64_t key, float sigma)
{
    const size_t count = 3 * (size_t)size * (size_t)size;
    uint32_t word[2 * CHUNK];
    float normal[2 * CHUNK];
    for (size_t first = 0; first < count; first += (size_t)2 * CHUNK) {
        for (size_t i = 0; i < CHUNK / 2; i++) {
            const struct philox_block block = philox(key, (uint32_t)(first / 4 + i), 0, 0, 0);
            memcpy(word + 4 * i, block.word, sizeof block.word);
        }
        for (size_t i = 0; i < CHUNK; i++) {
            const float radius = radius_of(1.0f - unit(word[2 * i]));
            float cosine, sine;
            circle(unit(word[2 * i + 1]), &cosine, &sine);
            normal[2 * i] = radius * cosine;
            normal[2 * i + 1] = radius * sine;
        }
        const size_t here = count - first < (size_t)2 * CHUNK ? count - first : (size_t)2 * CHUNK;
        for (size_t i = 0; i < here; i++) {
            const float value = view[first + i] + sigma * normal[i];
            view[first + i] = value < 0.0f ? 0.0f : value > 1.0f ? 1.0f : value;
        }
    }
}
