/* augment/render.h -- SimCLR's own operations of a view as one fused path. Private to the room. */
#ifndef AUGMENT_RENDER_H
#define AUGMENT_RENDER_H

#include <stdbool.h>

#include "augment/views.h"

/* Contracts as view_scratch_bytes and view_scratch_prepare. radius: the blur's. */
size_t render_scratch_bytes(const struct view_policy *policy, int radius, int max_width, int max_height);
void render_scratch_prepare(const struct view_policy *policy, int radius, int max_width, int max_height, void *scratch);

/* Crop, flip, jitter, gray, blur. last: nothing comes after, so that the view may go past the caches. image NULL: the
 * view that `out` holds already takes the place of the cropped image. */
void render(const struct view_policy *policy, const struct view_draw *draw, const struct image *image, bool last,
            float *out, void *scratch);

#endif
