/* ops/ops_padding.h -- what the cpu backend's layout promises about the images and channels that fill it up. */
#ifndef OPS_OPS_PADDING_H
#define OPS_OPS_PADDING_H

#include "ops/ops.h"

#include "backend/cpu/layout.h"

/* Fails unless padding channels are zero and, for gradients, padding images are. */
static inline void check_padding(const char *what, const struct tensor_desc *desc, const void *tensor, bool gradient)
{
    const struct activation_layout layout = activation_layout(desc->batch, desc->channels, desc->height, desc->width);
    for (int image = 0; image < layout.groups * layout.group_images; image++) {
        for (int channel = 0; channel < layout.blocks * layout.block_channels; channel++) {
            for (int p = 0; p < desc->height * desc->width; p++) {
                const size_t at = activation_index(&layout, image, channel, p / desc->width, p % desc->width);
                const float value = desc->dtype == DTYPE_BF16 ? bf16_to_float(((const uint16_t *)tensor)[at])
                                                              : ((const float *)tensor)[at];
                if (!isfinite(value)) fail_msg("%s: image %d channel %d is not finite", what, image, channel);
                if ((channel >= desc->channels || (gradient && image >= desc->batch)) && value != 0)
                    fail_msg("%s: padding of image %d channel %d is %g", what, image, channel, (double)value);
            }
        }
    }
}

/* The same of outputs in which padding images may be anything finite: they are looked at like all others. */
static inline void check_padding_images(const char *what, const struct tensor_desc *desc, const void *tensor)
{
    struct tensor_desc whole = *desc;
    const int group = activation_group_size(desc->batch);
    whole.batch = (desc->batch + group - 1) / group * group;
    assert_int_equal(activation_group_size(whole.batch), group);
    check_padding(what, &whole, tensor, false);
}

#endif
