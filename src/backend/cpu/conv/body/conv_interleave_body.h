/* backend/cpu/conv/body/conv_interleave_body.h -- the first layer's images: planes become rows in which the channels of
 * a position are neighbours. Part of conv_body.h. */
/* A value as the kernels multiply it: bf16 but for BODY_F32, which has no other images than float32. */
ALWAYS_INLINE uint16_t BODY(image_bf16)(const void *in, size_t at, const enum dtype type)
{
    return type == DTYPE_BF16 ? ((const uint16_t *)in)[at] : bf16_from_float(((const float *)in)[at]);
}

ALWAYS_INLINE void BODY(interleave_words)(void *out, const void *in0, const void *in1, const enum dtype type,
                                          size_t plane, const int channels, int width)
{
#if BODY_KIND == BODY_BF16_PAIRS
    for (ptrdiff_t w = 0; w < width; w++)
        for (ptrdiff_t c = 0; c < channels; c++) {
            const uint32_t low = BODY(image_bf16)(in0, (size_t)c * plane + (size_t)w, type);
            const uint32_t high = in1 ? BODY(image_bf16)(in1, (size_t)c * plane + (size_t)w, type) : 0;
            ((uint32_t *)out)[w * channels + c] = low | high << 16;
        }
#else
    (void)in1;
    for (ptrdiff_t w = 0; w < width; w++)
        for (ptrdiff_t c = 0; c < channels; c++) {
            const size_t at = (size_t)c * plane + (size_t)w;
            ((float *)out)[w * channels + c] =
                BODY_KIND == BODY_F32 ? ((const float *)in0)[at] : bf16_to_float(BODY(image_bf16)(in0, at, type));
        }
#endif
}

ALWAYS_INLINE void BODY(interleave_halves)(uint16_t *out, const void *in0, const enum dtype type, size_t plane,
                                           const int channels, int width)
{
    for (ptrdiff_t w = 0; w < width; w++)
        for (ptrdiff_t c = 0; c < channels; c++)
            out[w * channels + c] = BODY(image_bf16)(in0, (size_t)c * plane + (size_t)w, type);
}

ALWAYS_INLINE void BODY(interleave_type)(void *out, const void *in0, const void *in1, const enum dtype type,
                                         size_t plane, const int channels, int width, enum conv_image_form form)
{
    if (form == CONV_IMAGE_BF16)
        BODY(interleave_halves)(out, in0, type, plane, channels, width);
    else
        BODY(interleave_words)(out, in0, in1, type, plane, channels, width);
}

static void BODY(interleave)(void *out, const void *in0, const void *in1, enum dtype type, size_t plane, int channels,
                             int width, enum conv_image_form form)
{
    if (type == DTYPE_BF16 && channels == 3)
        BODY(interleave_type)(out, in0, in1, DTYPE_BF16, plane, 3, width, form);
    else if (type == DTYPE_BF16)
        BODY(interleave_type)(out, in0, in1, DTYPE_BF16, plane, channels, width, form);
    else if (channels == 3)
        BODY(interleave_type)(out, in0, in1, DTYPE_F32, plane, 3, width, form);
    else
        BODY(interleave_type)(out, in0, in1, DTYPE_F32, plane, channels, width, form);
}
