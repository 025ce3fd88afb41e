/* bench/bench_views.c -- how fast views are made on one core.
 *
 *     bench_views [FOLDER OF JPEG FILES]
 *
 * Prints a table on stderr and the same figures as JSON on stdout, for every variant that this CPU can run. Without
 * a folder the sources are noise; with one, its first 250 pictures are decoded (and that is timed too). */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "augment/views.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"

enum { PICTURES = 250 };

struct set {
    struct image image[PICTURES];
    uint8_t *bytes[PICTURES];
    size_t length[PICTURES];
    int count, max_width, max_height;
};

static void set_add(struct set *set, struct image image)
{
    set->image[set->count] = image;
    set->max_width = image.width > set->max_width ? image.width : set->max_width;
    set->max_height = image.height > set->max_height ? image.height : set->max_height;
    set->count++;
}

/* Noise, since the time does not depend on what is drawn. */
static int set_synthetic(struct set *set, int count, int width, int height)
{
    struct rng rng = rng_open(1, RNG_TEST, 0, (uint32_t)width, 0);
    for (int i = 0; i < count; i++) {
        struct image image;
        if (image_create(width, height, &image, NULL) != SIMCLR_OK)
            return -1;
        for (size_t byte = 0; byte < (size_t)width * (size_t)height * 3; byte++)
            image.rgb[byte] = (uint8_t)rng_word(&rng);
        set_add(set, image);
    }
    return 0;
}

static bool is_jpeg(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot && (strcasecmp(dot, ".jpg") == 0 || strcasecmp(dot, ".jpeg") == 0);
}

static int set_from_folder(struct set *set, const char *folder)
{
    struct file_list list;
    struct error error;
    const struct image_limits limits = image_limits_default();
    if (file_list_folder(folder, &list, &error) != SIMCLR_OK) {
        fprintf(stderr, "%s\n", error.text);
        return -1;
    }
    for (size_t i = 0; i < list.count && set->count < PICTURES; i++) {
        char *path = is_jpeg(list.names[i]) ? file_join(folder, list.names[i]) : NULL;
        struct image image;
        uint8_t *bytes = NULL;
        size_t length = 0;
        if (path && file_read(path, limits.max_bytes, &bytes, &length, &error) == SIMCLR_OK) {
            if (image_decode(bytes, length, &limits, path, &image, &error) == SIMCLR_OK) {
                set->bytes[set->count] = bytes;
                set->length[set->count] = length;
                set_add(set, image);
            } else {
                fprintf(stderr, "%s\n", error.text);
                memory_free(bytes);
            }
        }
        memory_free(path);
    }
    file_list_free(&list);
    return set->count > 0 ? 0 : -1;
}

static void set_free(struct set *set)
{
    for (int i = 0; i < set->count; i++) {
        image_free(&set->image[i]);
        memory_free(set->bytes[i]);
    }
}

/* Views per second of the whole chain, draws included, over `seconds`. */
static double time_views(const struct set *set, const struct view_policy *policy, double seconds)
{
    const size_t floats = (size_t)policy->size * (size_t)policy->size * 3;
    void *scratch = memory_allocate(view_scratch_bytes(policy, set->max_width, set->max_height));
    float *out = memory_array(floats * 8, sizeof(float)); /* a ring, as the slots of a batch are */
    double rate = 0.0;
    if (scratch && out) {
        view_scratch_prepare(policy, set->max_width, set->max_height, scratch);
        const double start = clock_seconds();
        double spent = 0.0;
        uint32_t made = 0;
        while (spent < seconds) {
            for (int i = 0; i < 16; i++, made++) {
                const struct image *image = &set->image[(made / 2) % (uint32_t)set->count];
                const struct view_draw draw = view_draw_random(policy, 7, RNG_VIEW, made / 4096, made / 2, made % 2,
                                                               image->width, image->height);
                view_render(policy, &draw, image, out + floats * (made % 8), scratch);
            }
            spent = clock_seconds() - start;
        }
        rate = made / spent;
    }
    memory_free(out);
    memory_free(scratch);
    return rate;
}

static double time_decode(const struct set *set, double seconds)
{
    const struct image_limits limits = image_limits_default();
    const double start = clock_seconds();
    double spent = 0.0;
    int decoded = 0;
    while (spent < seconds) {
        struct image image;
        const int i = decoded % set->count;
        if (image_decode(set->bytes[i], set->length[i], &limits, "picture", &image, NULL) != SIMCLR_OK)
            return 0.0;
        image_free(&image);
        decoded++;
        spent = clock_seconds() - start;
    }
    return decoded / spent;
}

static void report(struct text *json, const char *chain, enum simd simd, double rate)
{
    fprintf(stderr, "%-28s %-10s %12.0f per second\n", chain, simd_name(simd), rate);
    text_json_open_object(json, NULL);
    text_json_string(json, "chain", chain);
    text_json_string(json, "variant", simd_name(simd));
    text_json_number(json, "per_second", rate);
    text_json_close_object(json);
}

int main(int count, char **arguments)
{
    static struct set small, large;
    struct text json = {0};
    const int made = set_synthetic(&small, PICTURES, 32, 32);
    if (made != 0 || (count > 1 ? set_from_folder(&large, arguments[1]) : set_synthetic(&large, 16, 500, 375)) != 0) {
        fprintf(stderr, "bench_views: no pictures\n");
        return 1;
    }
    text_json_open_object(&json, NULL);
    text_json_string(&json, "pictures", count > 1 ? "photos" : "noise");
    text_json_open_array(&json, "rates");
    for (int level = SIMD_PORTABLE; level <= SIMD_AVX512_VBMI; level++) {
        if (!simd_available((enum simd)level))
            continue;
        struct view_policy cifar = view_policy_cifar(32), imagenet = view_policy_imagenet(224);
        cifar.simd = imagenet.simd = (enum simd)level;
        report(&json, "views, 32 px (CIFAR chain)", cifar.simd, time_views(&small, &cifar, 0.5));
        report(&json, "views, 224 px (full chain)", imagenet.simd, time_views(&large, &imagenet, 1.0));
    }
    if (large.bytes[0])
        report(&json, "JPEG decode, images", SIMD_BEST, time_decode(&large, 1.0));
    text_json_close_array(&json);
    text_json_close_object(&json);
    if (!json.failed)
        printf("%s\n", json.bytes);
    text_free(&json);
    set_free(&small);
    set_free(&large);
    return 0;
}
