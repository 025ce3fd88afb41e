/* augment/views.c -- policies, the draw of a view's parameters, and the order of the operations. */
#include "augment/views.h"

#include <math.h>

#include "augment/color.h"
#include "augment/operations.h"
#include "augment/render.h"

/* ---- policies ---- */

static struct view_policy policy_base(int size)
{
    return (struct view_policy){
        .size = size,
        .filter = RESAMPLE_BICUBIC,
        .crop_probability = 1.0,
        .crop_area_min = 0.08,
        .crop_area_max = 1.0,
        .crop_ratio_min = 3.0 / 4.0,
        .crop_ratio_max = 4.0 / 3.0,
        .flip_probability = 0.5,
        .jitter_strength = 1.0,
        .brightness = 0.8,
        .contrast = 0.8,
        .saturation = 0.8,
        .hue = 0.2,
        .blur_sigma_min = 0.1,
        .blur_sigma_max = 2.0,
        .blur_radius = -1,
        .sobel_strength = 1.0,
        .noise_sigma = 0.1,
        .cutout_size = 0.5,
        .mean = {0.485, 0.456, 0.406}, /* ImageNet's, used only if normalize is switched on */
        .std = {0.229, 0.224, 0.225},
    };
}

struct view_policy view_policy_imagenet(int size)
{
    struct view_policy policy = policy_base(size);
    policy.jitter_probability = 0.8;
    policy.gray_probability = 0.2;
    policy.blur_probability = 0.5;
    return policy;
}

struct view_policy view_policy_cifar(int size)
{
    struct view_policy policy = view_policy_imagenet(size);
    policy.jitter_strength = 0.5;
    policy.blur_probability = 0.0;
    return policy;
}

struct view_policy view_policy_default(int size)
{
    return size <= 64 ? view_policy_cifar(size) : view_policy_imagenet(size);
}

struct view_policy view_policy_supervised(int size)
{
    return policy_base(size);
}

/* ---- draws ---- */

/* Each operation starts at its own block of the stream. */
enum part {
    PART_CROP, PART_FLIP, PART_JITTER, PART_GRAY, PART_BLUR, PART_SOLARIZE, PART_ROTATE, PART_SOBEL, PART_NOISE,
    PART_CUTOUT
};

static struct rng part_of(struct rng stream, enum part part)
{
    stream.counter[0] = (uint32_t)part << 16;
    stream.used = 4;
    return stream;
}

static int clamp_int(long value, int low, int high)
{
    return value < low ? low : value > high ? high : (int)value;
}

/* The centred largest box of a legal ratio, as torchvision falls back to. */
static struct box fallback_box(const struct view_policy *policy, int width, int height)
{
    struct box box = {0, 0, width, height};
    const double ratio = (double)width / height;
    if (ratio < policy->crop_ratio_min)
        box.height = clamp_int(lrint(width / policy->crop_ratio_min), 1, height);
    else if (ratio > policy->crop_ratio_max)
        box.width = clamp_int(lrint(height * policy->crop_ratio_max), 1, width);
    box.x = (width - box.width) / 2;
    box.y = (height - box.height) / 2;
    return box;
}

/* Random resized crop: area and log of the aspect ratio uniform, ten tries. */
static struct box draw_box(const struct view_policy *policy, struct rng *rng, int width, int height)
{
    if (!(rng_uniform(rng) < policy->crop_probability))
        return (struct box){0, 0, width, height};
    const double area = (double)width * height;
    const double low = log(policy->crop_ratio_min), high = log(policy->crop_ratio_max);
    for (int attempt = 0; attempt < 10; attempt++) {
        const double target = area * rng_between(rng, policy->crop_area_min, policy->crop_area_max);
        const double ratio = exp(rng_between(rng, low, high));
        const long w = lrint(sqrt(target * ratio)), h = lrint(sqrt(target / ratio));
        if (w < 1 || h < 1 || w > width || h > height)
            continue;
        struct box box = {0, 0, (int)w, (int)h};
        box.y = (int)rng_below(rng, (uint32_t)(height - box.height + 1));
        box.x = (int)rng_below(rng, (uint32_t)(width - box.width + 1));
        return box;
    }
    return fallback_box(policy, width, height);
}

/* A factor of U[max(0, 1 - s), 1 + s]. */
static double draw_factor(struct rng *rng, double strength)
{
    return rng_between(rng, strength < 1.0 ? 1.0 - strength : 0.0, 1.0 + strength);
}

/* Whether, in which order and how much: brightness, contrast, saturation, hue. */
static void draw_jitter(const struct view_policy *policy, struct rng *rng, struct view_draw *draw)
{
    const double s = policy->jitter_strength;
    const double hue = policy->hue * s < 0.5 ? policy->hue * s : 0.5;
    draw->jitter = rng_uniform(rng) < policy->jitter_probability;
    draw->factor[0] = draw_factor(rng, policy->brightness * s);
    draw->factor[1] = draw_factor(rng, policy->contrast * s);
    draw->factor[2] = draw_factor(rng, policy->saturation * s);
    draw->factor[3] = rng_between(rng, -hue, hue);
    for (int i = 0; i < 4; i++)
        draw->order[i] = i;
    for (int i = 3; i > 0; i--) { /* Fisher and Yates */
        const int other = (int)rng_below(rng, (uint32_t)i + 1);
        const int operation = draw->order[i];
        draw->order[i] = draw->order[other];
        draw->order[other] = operation;
    }
}

/* A square whose centre is any pixel of the view, cut off at the border (DeVries and Taylor 2017). */
static struct box draw_hole(const struct view_policy *policy, struct rng *rng)
{
    const int size = policy->size, side = clamp_int(lrint(policy->cutout_size * size), 1, size);
    const int y = (int)rng_below(rng, (uint32_t)size) - side / 2, x = (int)rng_below(rng, (uint32_t)size) - side / 2;
    const int left = clamp_int(x, 0, size), right = clamp_int((long)x + side, 0, size);
    const int top = clamp_int(y, 0, size), bottom = clamp_int((long)y + side, 0, size);
    return (struct box){left, top, right - left, bottom - top};
}

/* The operations of the paper's study, and which branch they are for. What is off is not drawn: no other draw depends
 * on it, and the generator's blocks would be a tenth of the time of a view of 32 pixels. */
static void draw_study(const struct view_policy *policy, struct rng stream, uint32_t view, struct view_draw *draw)
{
    struct rng rng;
    if (policy->solarize_probability > 0.0) {
        rng = part_of(stream, PART_SOLARIZE);
        draw->solarize = rng_uniform(&rng) < policy->solarize_probability;
    }
    if (policy->rotate_probability > 0.0) {
        rng = part_of(stream, PART_ROTATE);
        const bool rotate = rng_uniform(&rng) < policy->rotate_probability;
        draw->quarters = rotate ? 1 + (int)rng_below(&rng, 3) : 0;
    }
    if (policy->sobel_probability > 0.0) {
        rng = part_of(stream, PART_SOBEL);
        draw->sobel = rng_uniform(&rng) < policy->sobel_probability;
    }
    if (policy->noise_probability > 0.0) {
        rng = part_of(stream, PART_NOISE);
        draw->noise = rng_uniform(&rng) < policy->noise_probability;
        draw->noise_key = (uint64_t)rng_word(&rng) << 32;
        draw->noise_key |= rng_word(&rng);
    }
    if (policy->cutout_probability > 0.0) {
        rng = part_of(stream, PART_CUTOUT);
        draw->cutout = rng_uniform(&rng) < policy->cutout_probability;
        draw->hole = draw_hole(policy, &rng);
    }
    if (policy->one_branch && view % 2 == 1) {
        draw->jitter = draw->gray = draw->blur = draw->solarize = draw->sobel = draw->noise = draw->cutout = false;
        draw->quarters = 0;
    }
}

struct view_draw view_draw_random(const struct view_policy *policy, uint64_t seed, enum rng_purpose purpose,
                                  uint32_t epoch, uint32_t sample, uint32_t view, int width, int height)
{
    const struct rng stream = rng_open(seed, purpose, epoch, sample, view);
    struct view_draw draw = {0};
    struct rng rng = part_of(stream, PART_CROP);
    draw.box = draw_box(policy, &rng, width, height);
    rng = part_of(stream, PART_FLIP);
    draw.flip = rng_uniform(&rng) < policy->flip_probability;
    rng = part_of(stream, PART_JITTER);
    draw_jitter(policy, &rng, &draw);
    rng = part_of(stream, PART_GRAY);
    draw.gray = rng_uniform(&rng) < policy->gray_probability;
    rng = part_of(stream, PART_BLUR);
    draw.blur = rng_uniform(&rng) < policy->blur_probability;
    draw.sigma = rng_between(&rng, policy->blur_sigma_min, policy->blur_sigma_max);
    draw_study(policy, stream, view, &draw);
    return draw;
}

/* ---- pixels ---- */

static int blur_radius(const struct view_policy *policy)
{
    const int radius = policy->blur_radius >= 0 ? policy->blur_radius : policy->size / 10 / 2;
    return radius < policy->size ? radius : policy->size - 1;
}

static void normalize(const struct view_policy *policy, const struct color_kernels *kernels, float *view, int pixels)
{
    if (!policy->normalize)
        return;
    for (int channel = 0; channel < 3; channel++)
        kernels->normalize(view + (size_t)channel * (size_t)pixels, pixels, (float)policy->mean[channel],
                           (float)policy->std[channel]);
}

/* What comes after SimCLR's own operations. */
static void study(const struct view_policy *policy, const struct view_draw *draw, float *view)
{
    float black[3] = {0.0f, 0.0f, 0.0f};
    if (draw->sobel)
        view_sobel(view, policy->size, (float)policy->sobel_strength);
    if (draw->noise)
        view_noise(view, policy->size, draw->noise_key, (float)policy->noise_sigma);
    for (int channel = 0; channel < 3 && policy->normalize; channel++)
        black[channel] = (float)policy->mean[channel];
    if (draw->cutout)
        view_cutout(view, policy->size, draw->hole, black);
}

void view_render(const struct view_policy *policy, const struct view_draw *draw, const struct image *image,
                 float *out, void *scratch)
{
    const struct color_kernels *kernels = color_kernels_of(policy->simd);
    const int pixels = policy->size * policy->size;
    const bool last = draw->quarters == 0 && !draw->solarize && !draw->sobel && !draw->noise && !draw->cutout;
    render(policy, draw, image, last && !policy->normalize, out, scratch);
    view_rotate(out, policy->size, draw->quarters); /* jitter, gray and blur are the same whichever way is up */
    if (draw->solarize)
        kernels->solarize(out, pixels);
    study(policy, draw, out);
    normalize(policy, kernels, out, pixels);
}

void view_render_evaluation(const struct view_policy *policy, const struct image *image, float *out, void *scratch)
{
    struct box box = {0, 0, image->width, image->height};
    if (policy->size > 32) {
        const int shorter = image->width < image->height ? image->width : image->height;
        const int side = clamp_int(lrint(0.875 * shorter), 1, shorter);
        box = (struct box){(image->width - side) / 2, (image->height - side) / 2, side, side};
    }
    const struct view_draw draw = {.box = box};
    render(policy, &draw, image, !policy->normalize, out, scratch);
    normalize(policy, color_kernels_of(policy->simd), out, policy->size * policy->size);
}

size_t view_scratch_bytes(const struct view_policy *policy, int max_width, int max_height)
{
    return render_scratch_bytes(policy, blur_radius(policy), max_width, max_height);
}

void view_scratch_prepare(const struct view_policy *policy, int max_width, int max_height, void *scratch)
{
    render_scratch_prepare(policy, blur_radius(policy), max_width, max_height, scratch);
}
