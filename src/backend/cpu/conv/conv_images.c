/* backend/cpu/conv/conv_images.c -- the first layer's input: canonical images become strips of padded rows in which
 * the values of one kernel row (columns x channels) are contiguous, so that no im2col matrix is needed. */
#include <string.h>

#include "backend/cpu/conv/conv_plan.h"

void conv_plan_image_strip(struct conv_image_strip *strip, const struct conv_plan *plan, enum conv_image_form form,
                           int out_rows, int lines, int overrun)
{
    const struct conv_desc *desc = &plan->desc;
    strip->form = form;
    strip->group_images = plan->forward.y.group_images;
    strip->lines = form == CONV_IMAGE_BF16_PAIRS ? strip->group_images / 2 : strip->group_images;
    if (strip->lines < lines) strip->lines = lines;
    strip->element_bytes = form == CONV_IMAGE_BF16 ? 2 : 4;
    strip->max_rows = (out_rows - 1) * desc->stride + desc->kernel;
    const size_t elements = (size_t)(desc->in_width + 2 * desc->padding) * (size_t)desc->in_channels + (size_t)overrun;
    const size_t line = 64 / strip->element_bytes;
    strip->row_elements = (elements + line - 1) / line * line;
    strip->bytes = strip->row_elements * strip->element_bytes * (size_t)strip->lines * (size_t)strip->max_rows;
}

void conv_fill_image_strip(void *out, const struct conv_image_strip *strip, const struct conv_plan *plan,
                           const void *images, int group, int first_row, int rows)
{
    const struct conv_desc *desc = &plan->desc;
    const size_t plane = (size_t)desc->in_height * (size_t)desc->in_width;
    const size_t element = dtype_bytes(desc->image_type), image = plane * (size_t)desc->in_channels * element;
    const size_t row_bytes = strip->row_elements * strip->element_bytes;
    const size_t edge = (size_t)desc->padding * (size_t)desc->in_channels * strip->element_bytes;
    const size_t inside = (size_t)desc->in_width * (size_t)desc->in_channels * strip->element_bytes;
    const int per_line = strip->form == CONV_IMAGE_BF16_PAIRS ? 2 : 1;
    const size_t shift = (size_t)(desc->stride * desc->in_channels) * strip->element_bytes;
    char *to = out;
    for (int row = first_row; row < first_row + rows; row++) {
        const int h = row - desc->padding;
        for (int line = 0; line < strip->lines; line++, to += row_bytes) {
            if (line * per_line >= strip->group_images) { /* the image eight lines before, one position further */
                memcpy(to, to - OCTET_IMAGES * row_bytes + shift, row_bytes - shift);
                memset(to + row_bytes - shift, 0, shift);
                continue;
            }
            const int n = group * strip->group_images + line * per_line;
            if (h < 0 || h >= desc->in_height || n >= desc->batch) {
                memset(to, 0, row_bytes);
                continue;
            }
            const char *in0 = (const char *)images + (size_t)n * image + (size_t)h * (size_t)desc->in_width * element;
            const char *in1 = per_line == 2 && n + 1 < desc->batch ? in0 + image : NULL;
            memset(to, 0, edge);
            plan->kernels->interleave(to + edge, in0, in1, desc->image_type, plane, desc->in_channels, desc->in_width,
                                      strip->form);
            memset(to + edge + inside, 0, row_bytes - edge - inside);
        }
    }
}
