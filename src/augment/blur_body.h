/* augment/blur_body.h -- the two passes of the blur, compiled once per instruction set: the including file defines
 * LANES (floats in a vector) and KERNELS (the table's name). Taps are symmetric: the two neighbours at a distance
 * are added, then weighted. Every output adds its taps in the same order, so every variant gives the same bits. */
#include <string.h>

#include "augment/kernels.h"

typedef float vector __attribute__((vector_size(4 * LANES)));

/* Mirrors an index once at either end, without repeating the edge. */
static inline int reflect(int i, int size)
{
    const int positive = i < 0 ? -i : i;
    return positive < size ? positive : 2 * size - 2 - positive;
}

/* Weights add up to 1 only within rounding. */
static inline float at_most_one(float x)
{
    return x < 1.0f ? x : 1.0f;
}

static void across(const float *from, float *to, int size, int radius, const float *weight, float *line)
{
    float *row = line + radius; /* room for the reflected border on the left */
    memset(line, 0, blur_line_floats(size, radius) * sizeof *line);
    for (int y = 0; y < size; y++, from += size, to += size) {
        memcpy(row, from, (size_t)size * sizeof *row);
        for (int i = 1; i <= radius; i++) {
            row[-i] = from[i];
            row[size - 1 + i] = from[size - 1 - i];
        }
        for (int x = 0; x < size; x += LANES) {
            vector sum, left, right;
            memcpy(&sum, row + x, sizeof sum);
            sum *= weight[0];
            for (int tap = 1; tap <= radius; tap++) {
                memcpy(&left, row + x - tap, sizeof left);
                memcpy(&right, row + x + tap, sizeof right);
                sum += weight[tap] * (left + right);
            }
            if (x + LANES <= size)
                memcpy(to + x, &sum, sizeof sum);
            else
                memcpy(to + x, &sum, (size_t)(size - x) * sizeof *to);
        }
    }
}

static void down(const float *from, float *to, int size, int radius, const float *weight)
{
    for (int y = 0; y < size; y++, to += size) {
        const float *centre = from + (size_t)y * (size_t)size;
        int x = 0;
        for (; x + LANES <= size; x += LANES) {
            vector sum, above, below;
            memcpy(&sum, centre + x, sizeof sum);
            sum *= weight[0];
            for (int tap = 1; tap <= radius; tap++) {
                memcpy(&above, from + (size_t)reflect(y - tap, size) * (size_t)size + x, sizeof above);
                memcpy(&below, from + (size_t)reflect(y + tap, size) * (size_t)size + x, sizeof below);
                sum += weight[tap] * (above + below);
            }
            float lanes[LANES];
            memcpy(lanes, &sum, sizeof lanes);
            for (int lane = 0; lane < LANES; lane++)
                to[x + lane] = at_most_one(lanes[lane]);
        }
        for (; x < size; x++) {
            float sum = centre[x] * weight[0];
            for (int tap = 1; tap <= radius; tap++)
                sum += weight[tap] * (from[(size_t)reflect(y - tap, size) * (size_t)size + (size_t)x] +
                                      from[(size_t)reflect(y + tap, size) * (size_t)size + (size_t)x]);
            to[x] = at_most_one(sum);
        }
    }
}

const struct blur_kernels KERNELS = {across, down};
