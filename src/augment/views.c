/* augment/views.c -- policies, the draw of a view's parameters, and the order of the operations. */
#include "augment/views.h"

#include <math.h>
#include <string.h>

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
        .simd = simd_machine(),
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

struct view_policy view_policy_as(struct view_policy draws, const struct view_policy *input)
{
    draws.simd = input->simd;
    draws.filter = input->filter;
    draws.normalize = input->normalize;
    memcpy(draws.mean, input->mean, sizeof draws.mean);
    memcpy(draws.std, input->std, sizeof draws.std);
    return draws;
}

enum view_operation view_policy_operation(const struct view_policy *policy, int place)
{
    return policy->reordered ? policy->order[place] : (enum view_operation)place;
}

bool view_policy_set_order(struct view_policy *policy, const char *names)
{
    static const char *const known[VIEW_OPERATIONS] = {"rotate",   "jitter", "gray",  "blur",
                                                       "solarize", "sobel",  "noise", "cutout"};
    unsigned char order[VIEW_OPERATIONS];
    bool named[VIEW_OPERATIONS] = {false};
    int count = 0;
    for (const char *name = names; *name != '\0';) {
        const size_t length = strcspn(name, ",");
        int operation = 0;
        while (operation < VIEW_OPERATIONS &&
               (strlen(known[operation]) != length || memcmp(known[operation], name, length) != 0))
            operation++;
        if (operation == VIEW_OPERATIONS || named[operation]) return false;
        if (name[length] == ',' && name[length + 1] == '\0') return false;
        named[operation] = true;
        order[count++] = (unsigned char)operation;
        name += length + (name[length] == ',');
    }
    for (int operation = 0; operation < VIEW_OPERATIONS; operation++)
        if (!named[operation]) order[count++] = (unsigned char)operation;
    policy->reordered = false;
    for (int place = 0; place < VIEW_OPERATIONS; place++) policy->reordered |= order[place] != place;
    memcpy(policy->order, order, sizeof order);
    return true;
}

/* ---- draws ---- */

/* Each operation starts at its own block of the stream. */
enum part {
    PART_CROP,
    PART_FLIP,
    PART_JITTER,
    PART_GRAY,
    PART_BLUR,
    PART_SOLARIZE,
    PART_ROTATE,
    PART_SOBEL,
    PART_NOISE,
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
    if (!(rng_uniform(rng) < policy->crop_probability)) return (struct box){0, 0, width, height};
    const double area = (double)width * height;
    const double low = log(policy->crop_ratio_min), high = log(policy->crop_ratio_max);
    for (int attempt = 0; attempt < 10; attempt++) {
        const double target = area * rng_between(rng, policy->crop_area_min, policy->crop_area_max);
        const double ratio = exp(rng_between(rng, low, high));
        const long w = lrint(sqrt(target * ratio)), h = lrint(sqrt(target / ratio));
        if (w < 1 || h < 1 || w > width || h > height) continue;
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
    for (int i = 0; i < 4; i++) draw->order[i] = i;
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
    if (!policy->normalize) return;
    for (int channel = 0; channel < 3; channel++)
        kernels->normalize(view + (size_t)channel * (size_t)pixels, pixels, (float)policy->mean[channel],
                           (float)policy->std[channel]);
}

/* One operation of the study, if it is drawn. */
static void study(const struct view_policy *policy, const struct view_draw *draw, enum view_operation operation,
                  float *view)
{
    const int size = policy->size;
    if (operation == VIEW_ROTATE)
        view_rotate(view, size, draw->quarters);
    else if (operation == VIEW_SOLARIZE && draw->solarize)
        color_kernels_of(policy->simd)->solarize(view, size * size);
    else if (operation == VIEW_SOBEL && draw->sobel)
        view_sobel(policy->simd, view, size, (float)policy->sobel_strength);
    else if (operation == VIEW_NOISE && draw->noise)
        view_noise(view, size, draw->noise_key, (float)policy->noise_sigma);
    else if (operation == VIEW_CUTOUT && draw->cutout) {
        float fill[3] = {0.0f, 0.0f, 0.0f};
        for (int channel = 0; channel < 3 && policy->normalize; channel++) fill[channel] = (float)policy->mean[channel];
        view_cutout(view, size, draw->hole, fill);
    }
}

static bool is_drawn(const struct view_draw *draw, enum view_operation operation)
{
    const bool drawn[VIEW_OPERATIONS] = {draw->quarters != 0, draw->jitter, draw->gray,  draw->blur,
                                         draw->solarize,      draw->sobel,  draw->noise, draw->cutout};
    return drawn[operation];
}

/* Takes from `order` what the fused path does at once: jitter, gray and blur as far as they stand in that order, and
 * what is not drawn. Returns where the rest begins; *any: is there something to do? */
static int take_fused(const struct view_policy *policy, const struct view_draw *draw, int at, struct view_draw *stage,
                      bool *any)
{
    int last = -1;
    *stage = *draw;
    stage->jitter = stage->gray = stage->blur = *any = false;
    for (; at < VIEW_OPERATIONS; at++) {
        const enum view_operation operation = policy->order[at];
        if (!is_drawn(draw, operation)) continue;
        if (operation < VIEW_JITTER || operation > VIEW_BLUR || (int)operation < last) break;
        last = operation;
        stage->jitter |= operation == VIEW_JITTER;
        stage->gray |= operation == VIEW_GRAY;
        stage->blur |= operation == VIEW_BLUR;
        *any = true;
    }
    return at;
}

/* Another order than the fused path's: colour and blur that come later go through it once more, from the view. */
static void render_in_order(const struct view_policy *policy, const struct view_draw *draw, const struct image *image,
                            float *out, void *scratch)
{
    struct view_draw stage;
    bool any;
    int at = take_fused(policy, draw, 0, &stage, &any);
    render(policy, &stage, image, out, scratch);
    while (at < VIEW_OPERATIONS) {
        const int before = at;
        at = take_fused(policy, draw, at, &stage, &any);
        if (any) render(policy, &stage, NULL, out, scratch);
        if (at == before) study(policy, draw, policy->order[at++], out);
    }
}

void view_render(const struct view_policy *policy, const struct view_draw *draw, const struct image *image, void *out,
                 void *scratch)
{
    const bool last = draw->quarters == 0 && !draw->solarize && !draw->sobel && !draw->noise && !draw->cutout;
    if (last && !policy->reordered && !policy->normalize) {
        render_last(policy, draw, image, out, scratch);
        return;
    }
    float *view = render_floats(policy, out, scratch);
    if (policy->reordered) {
        render_in_order(policy, draw, image, view, scratch);
    } else {
        render(policy, draw, image, view, scratch);
        study(policy, draw, VIEW_ROTATE, view); /* jitter, gray and blur are the same whichever way is up */
        for (int operation = VIEW_SOLARIZE; operation < VIEW_OPERATIONS; operation++)
            study(policy, draw, operation, view);
    }
    normalize(policy, color_kernels_of(policy->simd), view, policy->size * policy->size);
    render_end(policy, out, scratch);
}

void view_render_evaluation(const struct view_policy *policy, const struct image *image, void *out, void *scratch)
{
    struct box box = {0, 0, image->width, image->height};
    if (policy->size > 32) {
        const int shorter = image->width < image->height ? image->width : image->height;
        const int side = clamp_int(lrint(0.875 * shorter), 1, shorter);
        box = (struct box){(image->width - side) / 2, (image->height - side) / 2, side, side};
    }
    const struct view_draw draw = {.box = box};
    if (!policy->normalize) {
        render_last(policy, &draw, image, out, scratch);
        return;
    }
    float *view = render_floats(policy, out, scratch);
    render(policy, &draw, image, view, scratch);
    normalize(policy, color_kernels_of(policy->simd), view, policy->size * policy->size);
    render_end(policy, out, scratch);
}

size_t view_scratch_bytes(const struct view_policy *policy, int max_width, int max_height)
{
    return render_scratch_bytes(policy, blur_radius(policy), max_width, max_height);
}

void view_scratch_prepare(const struct view_policy *policy, int max_width, int max_height, void *scratch)
{
    render_scratch_prepare(policy, blur_radius(policy), max_width, max_height, scratch);
}
