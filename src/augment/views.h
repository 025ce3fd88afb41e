/* augment/views.h -- what a view is: a policy (the distribution), a draw (its parameters), the pixels.
 * Paper: section 2.1 and appendix A; to the digit: method.md section 1. */
#ifndef AUGMENT_VIEWS_H
#define AUGMENT_VIEWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rng.h"
#include "image/image.h"
#include "image/resample.h"
#include "simd/simd.h"

/* The operations behind crop and flip, in the order in which they are done unless a policy says otherwise. */
enum view_operation {
    VIEW_ROTATE,
    VIEW_JITTER,
    VIEW_GRAY,
    VIEW_BLUR,
    VIEW_SOLARIZE,
    VIEW_SOBEL,
    VIEW_NOISE,
    VIEW_CUTOUT,
    VIEW_OPERATIONS
};

/* What a view is made of: numbers are worked on as floats, and rounded to bf16 (to nearest even) where they are
 * written for the last time. */
enum view_type { VIEW_FLOAT32, VIEW_BF16 };
static inline size_t view_type_bytes(enum view_type type)
{
    return type == VIEW_BF16 ? 2 : 4;
}

/* Every probability may be 0 (off). Value type. */
struct view_policy {
    int size;            /* S: views are S x S */
    enum view_type type; /* float32 (0) unless something else is asked for */
    enum resample_filter filter;
    double crop_probability;                      /* 0: whole image resized to S x S */
    double crop_area_min, crop_area_max;          /* 0.08, 1 */
    double crop_ratio_min, crop_ratio_max;        /* 3/4, 4/3 */
    double flip_probability;                      /* 0.5 */
    double jitter_probability;                    /* 0.8 */
    double jitter_strength;                       /* s: brightness, contrast, saturation 0.8 s, hue 0.2 s */
    double brightness, contrast, saturation, hue; /* the factors 0.8, 0.8, 0.8, 0.2 that s multiplies */
    double gray_probability;                      /* 0.2 */
    double blur_probability;                      /* 0.5; 0 for CIFAR */
    double blur_sigma_min, blur_sigma_max;        /* 0.1, 2.0 */
    int blur_radius;                              /* (S / 10) / 2 rounded down; -1: that rule */
    /* Not SimCLR, all 0: for the study of compositions (the paper's Figures 4 and 5; augment/operations.h). */
    double solarize_probability;              /* x > 0.5 -> 1 - x */
    double rotate_probability;                /* by 90, 180 or 270 degrees, each as likely: 0.75 gives all four */
    double sobel_probability, sobel_strength; /* edges of the gray view times the strength, 1 */
    double noise_probability, noise_sigma;    /* standard deviation, 0.1 */
    double cutout_probability, cutout_size;   /* side of the square as a share of S, 0.5 */
    bool reordered;                           /* `order`, each operation once, is the order; else that of the enum */
    unsigned char order[VIEW_OPERATIONS];     /* enum view_operation */
    bool one_branch;                          /* odd views are only cropped and flipped: the study's other branch */
    bool normalize;                           /* off by default, as the authors have it */
    double mean[3], std[3];
    enum simd simd; /* the instructions that kernels may use; simd_machine() unless the caller has a choice of --cpu */
};

struct view_policy view_policy_imagenet(int size);   /* s = 1.0, blur on              */
struct view_policy view_policy_cifar(int size);      /* s = 0.5, no blur              */
struct view_policy view_policy_default(int size);    /* cifar for S <= 64, else imagenet */
struct view_policy view_policy_supervised(int size); /* random crop + flip only: linear evaluation, fine-tuning */
/* `draws` with the filter, the normalisation and the instructions of another policy. */
struct view_policy view_policy_as(struct view_policy draws, const struct view_policy *input);

/* Reads the names of operations, with commas between them ("sobel,blur"): those come first, in that order, the others
 * after them in the order of the enum. "" is that order. False, with the policy as it was, for what is no such list. */
bool view_policy_set_order(struct view_policy *policy, const char *names);
/* Which operation is done at `place`, 0 to VIEW_OPERATIONS - 1. */
enum view_operation view_policy_operation(const struct view_policy *policy, int place);

/* One view's parameters. Value type. */
struct view_draw {
    struct box box;
    bool flip, jitter, gray, blur, solarize, sobel, noise, cutout;
    int quarters;     /* of a turn, counter-clockwise */
    int order[4];     /* 0 brightness, 1 contrast, 2 saturation, 3 hue */
    double factor[4]; /* indexed by operation, not by position */
    double sigma;
    uint64_t noise_key; /* of view_noise */
    struct box hole;    /* of the cutout: in the view, cut off at its border */
    int reduction; /* over 1: the image that is rendered has so many times fewer pixels on each axis than `box` counts
                    */
};

/* Draws from (seed, purpose, epoch, sample, view): nothing else matters. Each operation has its own part of the
 * stream, so that switching one off leaves the draws of the others as they were. Works for images of any size;
 * the box falls back to the centred largest one of a legal ratio after ten tries. */
struct view_draw view_draw_random(const struct view_policy *policy, uint64_t seed, enum rng_purpose purpose,
                                  uint32_t epoch, uint32_t sample, uint32_t view, int width, int height);

/* Renders the view: out planar [3][S][S] of the policy's type. The fast path of the library: no allocation. In this
 * order: crop, flip, rotate, jitter, gray, blur, solarize, Sobel, noise, cutout (or the policy's order of these eight:
 * slower, since what is not in this order is not fused), normalize. A cutout is filled with what the network sees as 0:
 * black, or the mean where the policy normalizes. scratch: see view_scratch_prepare; for images of at most max_width x
 * max_height, 64-byte aligned. */
void view_render(const struct view_policy *policy, const struct view_draw *draw, const struct image *image, void *out,
                 void *scratch);

/* The evaluation view: centre crop of 87.5 % of the shorter side, then resize (for S <= 32: the whole image is
 * resized only if it is not S x S already); policy->normalize applies. */
void view_render_evaluation(const struct view_policy *policy, const struct image *image, void *out, void *scratch);

/* Views are made in scratch of view_scratch_bytes that view_scratch_prepare has filled, once, with the same arguments:
 * it then belongs to one thread at a time and serves any number of views of that policy (but for its probabilities). */
size_t view_scratch_bytes(const struct view_policy *policy, int max_width, int max_height);
void view_scratch_prepare(const struct view_policy *policy, int max_width, int max_height, void *scratch);

#endif
