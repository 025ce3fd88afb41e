/* image/decode_webp.c -- WebP by libwebp where the build found it: lossy and lossless, alpha dropped. */
#include "image/decode.h"

#include <string.h>

#ifdef SIMCLR_WEBP
#include <webp/decode.h>

static int read_features(const uint8_t *bytes, size_t count, const char *name, WebPBitstreamFeatures *features,
                         struct error *error)
{
    if (WebPGetFeatures(bytes, count, features) != VP8_STATUS_OK || features->width < 1 || features->height < 1)
        return error_set(error, SIMCLR_CORRUPT, "%s: damaged WebP (no header); copy it again or remove it", name);
    if (features->has_animation)
        return error_set(error, SIMCLR_UNSUPPORTED,
                         "%s: this is an animated WebP; convert a frame of it to JPEG or PNG", name);
    return SIMCLR_OK;
}

int webp_probe(const uint8_t *bytes, size_t count, const char *name, int *width, int *height, struct error *error)
{
    WebPBitstreamFeatures features;
    const int status = read_features(bytes, count, name, &features, error);
    if (status != SIMCLR_OK) return status;
    *width = features.width;
    *height = features.height;
    return SIMCLR_OK;
}

/* Into the picture's own memory. Only this interface tells no memory from damage. */
static int read_pixels(const uint8_t *bytes, size_t count, const char *name, struct image *out, struct error *error)
{
    WebPDecoderConfig config;
    const size_t stride = 3 * (size_t)out->width, size = stride * (size_t)out->height;
    if (!WebPInitDecoderConfig(&config)) return error_set(error, SIMCLR_UNSUPPORTED, "libwebp has another version");
    config.output.colorspace = MODE_RGB;
    config.output.is_external_memory = 1;
    config.output.u.RGBA = (WebPRGBABuffer){out->rgb, (int)stride, size};
    const VP8StatusCode status = WebPDecode(bytes, count, &config);
    WebPFreeDecBuffer(&config.output);
    if (status == VP8_STATUS_OK) return SIMCLR_OK;
    if (status == VP8_STATUS_OUT_OF_MEMORY) return error_no_memory(error, "decoding a WebP picture", size);
    return error_set(error, SIMCLR_CORRUPT,
                     "%s: damaged WebP (its pixels cannot be decoded); copy it again or remove it", name);
}

int webp_decode(const uint8_t *bytes, size_t count, const struct image_limits *limits, const char *name,
                struct image *out, struct error *error)
{
    WebPBitstreamFeatures features;
    int status = read_features(bytes, count, name, &features, error);
    if (status == SIMCLR_OK) status = image_check_size(features.width, features.height, limits, name, error);
    if (status == SIMCLR_OK) status = image_create(features.width, features.height, out, error);
    if (status != SIMCLR_OK) return status;
    status = read_pixels(bytes, count, name, out, error);
    if (status != SIMCLR_OK) image_free(out);
    return status;
}

bool image_reads_webp(void)
{
    return true;
}

#else

static int refuse(const char *name, struct error *error)
{
    return error_set(error, SIMCLR_UNSUPPORTED,
                     "%s: this is a WebP picture, and this program was built without libwebp: install libwebp-dev and "
                     "build again, or convert it to JPEG or PNG",
                     name);
}

int webp_probe(const uint8_t *bytes, size_t count, const char *name, int *width, int *height, struct error *error)
{
    (void)bytes, (void)count, (void)width, (void)height;
    return refuse(name, error);
}

int webp_decode(const uint8_t *bytes, size_t count, const struct image_limits *limits, const char *name,
                struct image *out, struct error *error)
{
    (void)bytes, (void)count, (void)limits, (void)out;
    return refuse(name, error);
}

bool image_reads_webp(void)
{
    return false;
}

#endif
