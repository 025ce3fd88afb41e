/* augment/render.h -- SimCLR's own operations of a view as one fused path. Private to the room. */
#ifndef AUGMENT_RENDER_H
#define AUGMENT_RENDER_H

#include <stdbool.h>

#include "augment/views.h"

/* Contracts as view_scratch_bytes and view_scratch_prepare. radius: the blur's. */
size_t render_scratch_bytes(const struct view_policy *policy, int radius, int max_width, int max_height);
void render_scratch_prepare(const struct view_policy *policy, int radius, int max_width, int max_height, void *scratch);

/* Crop, flip, jitter, gray, blur. image NULL: the view that `out` holds already takes the place of the cropped one. */
void render(const struct view_policy *policy, const struct view_draw *draw, const struct image *image, float *out,
            void *scratch);
/* The same where nothing comes after, so that the view may go past the caches, in the policy's type. */
void render_last(const struct view_policy *policy, const struct view_draw *draw, const struct image *image, void *out,
                 void *scratch);

/* Where a view is worked on as floats: `out`, or, if that is of another type, a place in the scratch. render_end makes
 * `out` of it. */
float *render_floats(const struct view_policy *policy, void *out, void *scratch);
void render_end(const struct view_policy *policy, void *out, void *scratch);

#endif
