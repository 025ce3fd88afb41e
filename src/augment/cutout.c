/* augment/cutout.c -- a rectangle painted over. */
#include <stddef.h>

#include "augment/operations.h"

void view_cutout(float *view, int size, struct box hole, const float fill[3])
{
    for (int channel = 0; channel < 3; channel++)
        for (int y = hole.y; y < hole.y + hole.height; y++) {
            float *row = view + ((size_t)channel * (size_t)size + (size_t)y) * (size_t)size;
            for (int x = hole.x; x < hole.x + hole.width; x++) row[x] = fill[channel];
        }
}
