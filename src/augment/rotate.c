/* augment/rotate.c -- a square turned in place. */
#include <stddef.h>

#include "augment/operations.h"

/* Moves the four places that turn into each other, once for each such four: a goes to b, b to c, c to d. */
static void turn(float *plane, size_t size, int quarters)
{
    const size_t last = size - 1;
    for (size_t y = 0; y < size / 2; y++)
        for (size_t x = 0; x < (size + 1) / 2; x++) {
            float *const corner[4] = {plane + y * size + x, plane + (last - x) * size + y,
                                      plane + (last - y) * size + last - x, plane + x * size + last - y};
            float value[4];
            for (int i = 0; i < 4; i++) value[i] = *corner[i];
            for (int i = 0; i < 4; i++) *corner[(i + quarters) % 4] = value[i];
        }
}

void view_rotate(float *view, int size, int quarters)
{
    const size_t side = (size_t)size;
    for (size_t channel = 0; channel < 3 && quarters != 0; channel++)
        turn(view + channel * side * side, side, quarters);
}
