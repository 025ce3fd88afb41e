/* bench/bench_views.c -- how fast views are made on one core.
 *
 *     bench_views [FOLDER OF JPEG FILES | - [SECONDS OF A MEASUREMENT [VARIANT]]]
 *
 * Prints a table on stderr and the same figures as JSON on stdout, for every variant that this CPU can run. Views are
 * float32; of the whole chains there are bf16 ones too, as networks of that precision get them. Without a folder the
 * sources are noise; with one, its first 250 pictures are decoded (and that is timed too). Run it on one core (taskset
 * -c 0); tools/peer_views.py sets it beside torchvision. */
#include <stdio.h>
#include <stdlib.h>
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
        if (image_create(width, height, &image, NULL) != SIMCLR_OK) return -1;
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

static size_t view_bytes(const struct view_policy *policy)
{
    return (size_t)policy->size * (size_t)policy->size * 3 * view_type_bytes(policy->type);
}

/* Where views go: the memory of a batch, since a loader's does not stay in the caches either. */
static char *batch_memory(const struct view_policy *policy, size_t *views)
{
    *views = policy->size <= 64 ? 1024 : 64;
    char *out = memory_array(*views, view_bytes(policy));
    if (out) memset(out, 0, view_bytes(policy) * *views); /* its pages exist */
    return out;
}

/* Views of one policy in the making. */
struct maker {
    struct view_policy policy;
    void *scratch;
    char *out;
    size_t slots; /* views in `out` */
    uint32_t made;
    double spent;
};

static bool maker_open(struct maker *maker, const struct set *set, const struct view_policy *policy)
{
    *maker = (struct maker){.policy = *policy};
    maker->scratch = memory_allocate_working(view_scratch_bytes(policy, set->max_width, set->max_height));
    maker->out = batch_memory(policy, &maker->slots);
    if (maker->scratch) view_scratch_prepare(policy, set->max_width, set->max_height, maker->scratch);
    return maker->scratch && maker->out;
}

static void maker_close(struct maker *maker)
{
    memory_free(maker->out);
    memory_free(maker->scratch);
}

/* `count` views, draws included: two of every picture in turn. */
static void make_views(struct maker *maker, const struct set *set, int count)
{
    const double start = clock_seconds();
    const struct view_policy *policy = &maker->policy;
    for (int i = 0; i < count; i++, maker->made++) {
        const uint32_t made = maker->made;
        const struct image *image = &set->image[(made / 2) % (uint32_t)set->count];
        const struct view_draw draw =
            view_draw_random(policy, 7, RNG_VIEW, made / 4096, made / 2, made % 2, image->width, image->height);
        view_render(policy, &draw, image, maker->out + view_bytes(policy) * (made % maker->slots), maker->scratch);
    }
    maker->spent += clock_seconds() - start;
}

/* Views per second of a policy's chain over `seconds`. */
static double time_views(const struct set *set, const struct view_policy *policy, double seconds)
{
    struct maker maker;
    double rate = 0.0;
    if (maker_open(&maker, set, policy)) {
        while (maker.spent < seconds) make_views(&maker, set, 16);
        rate = maker.made / maker.spent;
    }
    maker_close(&maker);
    return rate;
}

/* The same as float32 and as bf16, by turns, so that whatever the machine does meanwhile it does to both. */
static void time_types(const struct set *set, struct view_policy policy, double seconds, double rate[2])
{
    struct maker maker[2] = {{.spent = 0.0}, {.spent = 0.0}};
    bool ready = true;
    for (int type = 0; type < 2; type++) {
        policy.type = type ? VIEW_BF16 : VIEW_FLOAT32;
        ready = maker_open(&maker[type], set, &policy) && ready;
    }
    while (ready && (maker[0].spent < seconds || maker[1].spent < seconds))
        for (int type = 0; type < 2; type++) make_views(&maker[type], set, policy.size <= 64 ? 8192 : 2 * set->count);
    for (int type = 0; type < 2; type++) {
        rate[type] = ready ? maker[type].made / maker[type].spent : 0.0;
        maker_close(&maker[type]);
    }
}

/* Draws per second. */
static double time_draws(const struct view_policy *policy, double seconds)
{
    const double start = clock_seconds();
    double spent = 0.0;
    uint32_t made = 0;
    long sum = 0;
    while (spent < seconds) {
        for (int i = 0; i < 256; i++, made++)
            sum += view_draw_random(policy, 7, RNG_VIEW, 0, made / 2, made % 2, 32, 32).box.x;
        spent = clock_seconds() - start;
    }
    return sum < 0 ? 0.0 : made / spent;
}

static struct box unite(struct box a, struct box b)
{
    const int left = a.x < b.x ? a.x : b.x, top = a.y < b.y ? a.y : b.y;
    const int right = a.x + a.width > b.x + b.width ? a.x + a.width : b.x + b.width;
    const int bottom = a.y + a.height > b.y + b.height ? a.y + a.height : b.y + b.height;
    return (struct box){left, top, right - left, bottom - top};
}

/* What a file of a set that is not in memory becomes: the decoding of a part, then `views` views of it. */
static int make_from_bytes(const struct set *set, uint32_t turn, const struct view_policy *policy, int views,
                           struct image_store *store, char *out, void *scratch)
{
    const struct image_limits limits = image_limits_default();
    const uint32_t i = turn % (uint32_t)set->count;
    struct view_draw draw[2];
    struct image_part part;
    struct image_encoded encoded;
    if (image_open(&encoded, set->bytes[i], set->length[i], &limits, "picture", NULL) != SIMCLR_OK) return -1;
    const int width = encoded.header.width, height = encoded.header.height;
    for (uint32_t view = 0; view < 2; view++)
        draw[view] = view_draw_random(policy, 7, RNG_VIEW, 0, turn, view, width, height);
    if (image_decode_box(&encoded, unite(draw[0].box, draw[1].box), 1, store, &part, NULL) != SIMCLR_OK) return -1;
    for (int view = 0; view < views; view++) {
        draw[view].box.x -= part.place.x;
        draw[view].box.y -= part.place.y;
        view_render(policy, &draw[view], &store->image, out + (size_t)view * view_bytes(policy), scratch);
    }
    return 0;
}

/* Pictures per second from JPEG bytes; views: 2, or 0 for the decoding of the union of both crops alone. */
static double time_bytes(const struct set *set, const struct view_policy *policy, int views, double seconds)
{
    size_t slots;
    void *scratch = memory_allocate_working(view_scratch_bytes(policy, set->max_width, set->max_height));
    char *out = batch_memory(policy, &slots);
    struct image_store store = {.bytes = 0};
    double rate = 0.0;
    if (scratch && out) {
        view_scratch_prepare(policy, set->max_width, set->max_height, scratch);
        const double start = clock_seconds();
        double spent = 0.0;
        uint32_t made = 0;
        int status = 0;
        for (; spent < seconds && status == 0; made++, spent = clock_seconds() - start)
            status = make_from_bytes(set, made, policy, views, &store, out + view_bytes(policy) * (made * 2 % slots),
                                     scratch);
        rate = status == 0 ? made / spent : 0.0;
    }
    image_store_free(&store);
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
        if (image_decode(set->bytes[i], set->length[i], &limits, "picture", &image, NULL) != SIMCLR_OK) return 0.0;
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

/* All figures of one variant. Stages are chains with operations switched off: differences of times are their cost. */
static void time_variant(struct text *json, const struct set *small, const struct set *large, enum simd simd,
                         double seconds)
{
    struct view_policy cifar = view_policy_cifar(32), imagenet = view_policy_imagenet(224);
    double rate[2]; /* float32, bf16 */
    cifar.simd = imagenet.simd = simd;
    time_types(small, cifar, seconds, rate);
    report(json, "cifar", simd, rate[0]);
    report(json, "cifar, bf16", simd, rate[1]);
    time_types(large, imagenet, seconds, rate);
    report(json, "imagenet", simd, rate[0]);
    report(json, "imagenet, bf16", simd, rate[1]);
    struct view_policy crop = imagenet, jitter = imagenet;
    crop.jitter_probability = crop.gray_probability = crop.blur_probability = 0.0;
    jitter.gray_probability = jitter.blur_probability = 0.0;
    report(json, "imagenet, crop alone", simd, time_views(large, &crop, seconds));
    report(json, "imagenet, crop and jitter", simd, time_views(large, &jitter, seconds));
    crop = cifar;
    crop.jitter_probability = crop.gray_probability = 0.0;
    report(json, "cifar, crop alone", simd, time_views(small, &crop, seconds / 2));
    if (large->bytes[0]) report(json, "jpeg to two views", simd, time_bytes(large, &imagenet, 2, seconds));
}

int main(int count, char **arguments)
{
    static struct set small, large;
    struct text json = {0};
    const char *folder = count > 1 && strcmp(arguments[1], "-") != 0 ? arguments[1] : NULL;
    const double seconds = count > 2 ? strtod(arguments[2], NULL) : 1.0;
    const int made = set_synthetic(&small, PICTURES, 32, 32);
    if (made != 0 || (folder ? set_from_folder(&large, folder) : set_synthetic(&large, 16, 500, 375)) != 0) {
        fprintf(stderr, "bench_views: no pictures\n");
        return 1;
    }
    text_json_open_object(&json, NULL);
    text_json_string(&json, "pictures", folder ? "photos" : "noise");
    text_json_open_array(&json, "rates");
    static const enum simd variants[] = {SIMD_PORTABLE, SIMD_AVX2, SIMD_AVX512, SIMD_AVX512_VBMI};
    for (size_t i = 0; i < sizeof variants / sizeof *variants; i++)
        if (simd_has(simd_machine(), variants[i]) && (count < 4 || strcmp(arguments[3], simd_name(variants[i])) == 0))
            time_variant(&json, &small, &large, variants[i], seconds);
    const struct view_policy cifar = view_policy_cifar(32), imagenet = view_policy_imagenet(224);
    const enum simd best = simd_machine() & SIMD_VIEWS;
    report(&json, "draws alone", best, time_draws(&cifar, seconds / 4));
    if (large.bytes[0]) {
        report(&json, "jpeg, whole", best, time_decode(&large, seconds));
        report(&json, "jpeg, union of two crops", best, time_bytes(&large, &imagenet, 0, seconds));
    }
    text_json_close_array(&json);
    text_json_close_object(&json);
    if (!json.failed) printf("%s\n", json.bytes);
    text_free(&json);
    set_free(&small);
    set_free(&large);
    return 0;
}
