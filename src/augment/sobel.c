/* augment/sobel.c -- edges of a view. */
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "augment/color.h"
#include "augment/operations.h"

/* A reflected border without the edge twice; a view of one pixel has no other to show. */
static size_t beside(int place, int size)
{
    const int inside = place < 0 ? -place : place >= size ? 2 * size - 2 - place : place;
    return size > 1 ? (size_t)inside : 0;
}

static float edge(const float *above, const float *here, const float *below, size_t left, size_t x, size_t right,
                  float scale)
{
    const float across =
        (above[right] - above[left]) + 2.0f * (here[right] - here[left]) + (below[right] - below[left]);
    const float down = (below[left] - above[left]) + 2.0f * (below[x] - above[x]) + (below[right] - above[right]);
    const float value = scale * sqrtf(across * across + down * down);
    return value < 1.0f ? value : 1.0f;
}

void view_sobel(enum simd simd, float *view, int size, float strength)
{
    const size_t side = (size_t)size, plane = side * side;
    const float scale = 0.25f * strength;
    const float *gray = view;
    float *out = view + plane; /* of three equal channels one is read, one is free */
    color_kernels_of(simd)->gray(view, size * size);
    for (int y = 0; y < size; y++) {
        const float *here = gray + (size_t)y * side, *above = gray + beside(y - 1, size) * side,
                    *below = gray + beside(y + 1, size) * side;
        float *to = out + (size_t)y * side;
        to[0] = edge(above, here, below, beside(-1, size), 0, beside(1, size), scale);
        for (size_t x = 1; x + 1 < side; x++) to[x] = edge(above, here, below, x - 1, x, x + 1, scale);
        to[side - 1] = edge(above, here, below, beside(size - 2, size), side - 1, beside(size, size), scale);
    }
    memcpy(view, out, plane * sizeof *view);
    memcpy(view + 2 * plane, out, plane * sizeof *view);
}
