/* The draws of views: their laws (Kolmogorov-Smirnov over 100,000 draws with a fixed seed), their independence of
 * each other and of the order in which they are made, and boxes for pictures of any shape. */
#include "support/run.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "augment/views.h"

enum { DRAWS = 100000 };

/* Probability of a Kolmogorov-Smirnov distance of at least `distance` over `count` draws of the law itself: the limit
 * law's series, with Stephens' correction for a finite count. */
static double p_value(double distance, int count)
{
    const double root = sqrt(count), x = (root + 0.12 + 0.11 / root) * distance;
    double sum = 0.0;
    for (int k = 100; k >= 1; k--) sum += (k % 2 ? 2.0 : -2.0) * exp(-2.0 * k * k * x * x);
    return x < 0.2 ? 1.0 : sum;
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Kolmogorov-Smirnov distance of the sample (sorted here) from U[low, high]. */
static double distance_from_uniform(double *sample, int count, double low, double high)
{
    qsort(sample, (size_t)count, sizeof *sample, ascending);
    double worst = 0.0;
    for (int i = 0; i < count; i++) {
        const double law = fmin(1.0, fmax(0.0, (sample[i] - low) / (high - low)));
        worst = fmax(worst, fmax(fabs(law - (double)i / count), fabs(law - (i + 1.0) / count)));
    }
    return worst;
}

/* With a fixed seed it passes or not, always alike. */
static void assert_uniform(double *sample, int count, double low, double high, const char *what)
{
    const double distance = distance_from_uniform(sample, count, low, high), p = p_value(distance, count);
    print_message("%s: distance %.5f from U[%g, %g] over %d draws, p = %.3f\n", what, distance, low, high, count, p);
    assert_true(p > 0.001);
}

/* The test itself: published points of the limit law, and draws of a slightly wrong law are found out. */
static void the_test_has_teeth(void **state)
{
    (void)state;
    assert_true(fabs(p_value(1.3581 / sqrt(1e8), 100000000) - 0.05) < 1e-4);
    assert_true(fabs(p_value(1.9495 / sqrt(1e8), 100000000) - 0.001) < 1e-5);
    double *sample = malloc(DRAWS * sizeof *sample);
    assert_non_null(sample);
    for (int wrong = 0; wrong < 2; wrong++) { /* a hundredth of the range cut off is a distance of 0.01 */
        struct rng rng = rng_open(7, RNG_TEST, 0, 0, 0);
        for (int i = 0; i < DRAWS; i++) sample[i] = rng_between(&rng, wrong ? 0.01 : 0.0, 1.0);
        assert_true((p_value(distance_from_uniform(sample, DRAWS, 0.0, 1.0), DRAWS) > 0.001) == !wrong);
    }
    free(sample);
}

static struct view_draw draw_of(const struct view_policy *policy, uint32_t sample)
{
    return view_draw_random(policy, 42, RNG_VIEW, 3, sample, 0, 4000, 4000);
}

static double *samples(void)
{
    double *sample = malloc(DRAWS * sizeof *sample);
    assert_non_null(sample);
    return sample;
}

static void factors_follow_their_laws(void **state)
{
    (void)state;
    double *sample = samples();
    for (int preset = 0; preset < 2; preset++) {
        const struct view_policy policy = preset ? view_policy_cifar(32) : view_policy_imagenet(224);
        const double s = preset ? 0.5 : 1.0;
        for (int operation = 0; operation < 4; operation++) {
            for (uint32_t i = 0; i < DRAWS; i++) sample[i] = draw_of(&policy, i).factor[operation];
            const double low = operation == 3 ? -0.2 * s : 1.0 - 0.8 * s;
            const double high = operation == 3 ? 0.2 * s : 1.0 + 0.8 * s;
            static const char *const names[] = {"brightness", "contrast", "saturation", "hue"};
            assert_uniform(sample, DRAWS, low, high, names[operation]);
            assert_true(sample[0] >= low && sample[DRAWS - 1] <= high);
        }
    }
    struct view_policy strong = view_policy_imagenet(224);
    strong.jitter_strength = 2.0; /* U[max(0, 1 - 1.6), 2.6] */
    for (uint32_t i = 0; i < DRAWS; i++) sample[i] = draw_of(&strong, i).factor[1];
    assert_uniform(sample, DRAWS, 0.0, 2.6, "contrast, s = 2");
    const struct view_policy policy = view_policy_imagenet(224);
    for (uint32_t i = 0; i < DRAWS; i++) sample[i] = draw_of(&policy, i).sigma;
    assert_uniform(sample, DRAWS, 0.1, 2.0, "sigma of the blur");
    free(sample);
}

/* Where every box fits (area up to 0.7 of a square), area and log ratio are exactly uniform; rounding to pixels of
 * a 4,000 px picture is far below the critical distance. The place is uniform over all that fit. */
static void boxes_follow_their_laws(void **state)
{
    (void)state;
    struct view_policy policy = view_policy_imagenet(224);
    policy.crop_area_max = 0.7;
    double *area = samples(), *ratio = samples(), *left = samples(), *top = samples();
    for (uint32_t i = 0; i < DRAWS; i++) {
        const struct box box = draw_of(&policy, i).box;
        area[i] = (double)box.width * box.height / (4000.0 * 4000.0);
        ratio[i] = log((double)box.width / box.height);
        left[i] = (box.x + 0.5) / (4000 - box.width + 1);
        top[i] = (box.y + 0.5) / (4000 - box.height + 1);
    }
    assert_uniform(area, DRAWS, 0.08, 0.7, "area");
    assert_uniform(ratio, DRAWS, log(3.0 / 4.0), log(4.0 / 3.0), "log of the ratio");
    assert_uniform(left, DRAWS, 0.0, 1.0, "place across");
    assert_uniform(top, DRAWS, 0.0, 1.0, "place down");
    free(area);
    free(ratio);
    free(left);
    free(top);
}

/* The default policy on a square: boxes that stick out are drawn again, so (area a, log ratio l) is uniform where
 * a * exp(|l|) <= 1. The laws of a and of |l| follow by integration; ten misses in a row have probability 3e-9. */
static void default_boxes_follow_their_laws(void **state)
{
    (void)state;
    const struct view_policy policy = view_policy_imagenet(224);
    const double widest = log(4.0 / 3.0);
    const double rest = 0.75 - 0.75 * log(0.75), all = widest * 0.67 + 1.0 - rest;
    const double all_ratios = 1.0 - exp(-widest) - 0.08 * widest;
    double *area = samples(), *ratio = samples();
    for (uint32_t i = 0; i < DRAWS; i++) {
        const struct box box = draw_of(&policy, i).box;
        const double a = (double)box.width * box.height / (4000.0 * 4000.0);
        const double l = fabs(log((double)box.width / box.height));
        area[i] = (a <= 0.75 ? widest * (a - 0.08) : widest * 0.67 + a - a * log(a) - rest) / all;
        ratio[i] = (1.0 - exp(-l) - 0.08 * l) / all_ratios;
    }
    assert_uniform(area, DRAWS, 0.0, 1.0, "area by its law");
    assert_uniform(ratio, DRAWS, 0.0, 1.0, "ratio by its law");
    free(area);
    free(ratio);
}

/* Counts of `trials` as far from probability p as p > 0.001 allows: 3.29 standard deviations. */
static void assert_rate(int count, int trials, double p)
{
    const double deviation = sqrt(trials * p * (1.0 - p));
    if (fabs(count - trials * p) > 3.29 * deviation) fail_msg("%d of %d, expected a share of %g", count, trials, p);
}

static void coins_and_orders(void **state)
{
    (void)state;
    struct view_policy policy = view_policy_imagenet(224);
    policy.solarize_probability = 0.1;
    int flips = 0, jitters = 0, grays = 0, blurs = 0, solarized = 0, orders[256] = {0}, kinds = 0;
    for (uint32_t i = 0; i < DRAWS; i++) {
        const struct view_draw draw = draw_of(&policy, i);
        flips += draw.flip;
        jitters += draw.jitter;
        grays += draw.gray;
        blurs += draw.blur;
        solarized += draw.solarize;
        int code = 0;
        for (int k = 0; k < 4; k++) code = code * 4 + draw.order[k];
        orders[code]++;
    }
    assert_rate(flips, DRAWS, 0.5);
    assert_rate(jitters, DRAWS, 0.8);
    assert_rate(grays, DRAWS, 0.2);
    assert_rate(blurs, DRAWS, 0.5);
    assert_rate(solarized, DRAWS, 0.1);
    double chi = 0.0;
    for (int code = 0; code < 256; code++)
        if (orders[code]) {
            kinds++;
            chi += pow(orders[code] - DRAWS / 24.0, 2.0) / (DRAWS / 24.0);
        }
    assert_int_equal(kinds, 24); /* each is a permutation, and all of them occur */
    assert_true(chi < 49.73);    /* the 99.9 % point of 23 degrees of freedom */
}

/* The operations of the paper's study: coins, the three rotations, and the centre of the cutout, uniform over the view.
 */
static void study_draws_follow_their_laws(void **state)
{
    (void)state;
    enum { SIZE = 224, SIDE = SIZE / 2 };
    struct view_policy policy = view_policy_imagenet(SIZE);
    policy.rotate_probability = 0.75;
    policy.sobel_probability = 0.2;
    policy.noise_probability = 0.6;
    policy.cutout_probability = 0.3;
    int quarters[4] = {0}, sobels = 0, noises = 0, cutouts = 0;
    double *high = samples(), *low = samples(), *across = samples(), *down = samples();
    for (uint32_t i = 0; i < DRAWS; i++) {
        const struct view_draw draw = draw_of(&policy, i);
        const struct box hole = draw.hole;
        quarters[draw.quarters]++;
        sobels += draw.sobel;
        noises += draw.noise;
        cutouts += draw.cutout;
        high[i] = (double)(draw.noise_key >> 32) * 0x1p-32;
        low[i] = (double)(draw.noise_key & 0xFFFFFFFFu) * 0x1p-32;
        assert_true(hole.x >= 0 && hole.y >= 0 && hole.x + hole.width <= SIZE && hole.y + hole.height <= SIZE);
        assert_true(hole.width >= SIDE / 2 && hole.width <= SIDE && hole.height >= SIDE / 2 && hole.height <= SIDE);
        /* The side that is not cut off tells the centre; a pixel is spread over its width by the key's bits. */
        const int x = hole.x > 0 ? hole.x + SIDE / 2 : hole.width - SIDE / 2;
        const int y = hole.y > 0 ? hole.y + SIDE / 2 : hole.height - SIDE / 2;
        across[i] = (x + high[i]) / SIZE;
        down[i] = (y + low[i]) / SIZE;
    }
    for (int k = 0; k < 4; k++) assert_rate(quarters[k], DRAWS, 0.25);
    assert_rate(sobels, DRAWS, 0.2);
    assert_rate(noises, DRAWS, 0.6);
    assert_rate(cutouts, DRAWS, 0.3);
    assert_uniform(high, DRAWS, 0.0, 1.0, "key of the noise, upper half");
    assert_uniform(low, DRAWS, 0.0, 1.0, "key of the noise, lower half");
    assert_uniform(across, DRAWS, 0.0, 1.0, "centre of the cutout across");
    assert_uniform(down, DRAWS, 0.0, 1.0, "centre of the cutout down");
    free(high);
    free(low);
    free(across);
    free(down);
}

/* The other branch of the study is cropped and flipped and nothing else; the first is as without the switch. */
static void one_branch_leaves_the_other(void **state)
{
    (void)state;
    struct view_policy both = view_policy_imagenet(224);
    both.jitter_probability = both.gray_probability = both.blur_probability = both.solarize_probability = 1.0;
    both.rotate_probability = both.sobel_probability = both.noise_probability = both.cutout_probability = 1.0;
    struct view_policy one = both;
    one.one_branch = true;
    for (uint32_t i = 0; i < 200; i++)
        for (uint32_t view = 0; view < 2; view++) {
            const struct view_draw a = view_draw_random(&both, 1, RNG_VIEW, 0, i, view, 400, 300);
            const struct view_draw b = view_draw_random(&one, 1, RNG_VIEW, 0, i, view, 400, 300);
            assert_memory_equal(&a.box, &b.box, sizeof a.box);
            assert_int_equal(a.flip, b.flip);
            assert_true(a.jitter && a.gray && a.blur && a.solarize && a.sobel && a.noise && a.cutout && a.quarters);
            const bool on = view == 0;
            assert_true(b.jitter == on && b.gray == on && b.blur == on && b.solarize == on);
            assert_true(b.sobel == on && b.noise == on && b.cutout == on && b.quarters == (on ? a.quarters : 0));
        }
}

static void switches(void **state)
{
    (void)state;
    struct view_policy off = view_policy_supervised(32), on = view_policy_imagenet(32);
    off.crop_probability = off.flip_probability = 0.0;
    on.flip_probability = on.jitter_probability = on.gray_probability = on.blur_probability = 1.0;
    on.solarize_probability = 1.0;
    for (uint32_t i = 0; i < 2000; i++) {
        const struct view_draw a = draw_of(&off, i), b = draw_of(&on, i);
        assert_false(a.flip || a.jitter || a.gray || a.blur || a.solarize);
        assert_false(a.quarters || a.sobel || a.noise || a.cutout);
        assert_int_equal(a.box.width, 4000);
        assert_int_equal(a.box.height, 4000);
        assert_true(b.flip && b.jitter && b.gray && b.blur && b.solarize);
    }
    const struct view_policy cifar = view_policy_cifar(32);
    assert_true(cifar.blur_probability == 0.0 && cifar.solarize_probability == 0.0 && !cifar.normalize);
    assert_true(view_policy_default(32).jitter_strength == 0.5 && view_policy_default(224).jitter_strength == 1.0);
    assert_true(view_policy_default(64).blur_probability == 0.0 && view_policy_default(65).blur_probability == 0.5);
    assert_true(view_policy_supervised(224).crop_probability == 1.0);
}

/* What is drawn stays; how pixels are made into input is the other's. */
static void another_policys_input(void **state)
{
    (void)state;
    struct view_policy input = view_policy_imagenet(224), expected = view_policy_supervised(64);
    input.filter = expected.filter == RESAMPLE_BICUBIC ? RESAMPLE_BILINEAR : RESAMPLE_BICUBIC;
    input.normalize = true;
    input.simd = expected.simd ^ 1;
    for (int i = 0; i < 3; i++) input.mean[i] = 0.1 + i, input.std[i] = 0.5 + i;
    const struct view_policy got = view_policy_as(expected, &input);
    assert_true(got.filter == input.filter && got.normalize && got.simd == input.simd);
    assert_memory_equal(got.mean, input.mean, sizeof got.mean);
    assert_memory_equal(got.std, input.std, sizeof got.std);
    assert_int_equal(got.size, 64);
    assert_true(got.jitter_probability <= 0 && got.blur_probability <= 0 && got.gray_probability <= 0);
}

/* Every number of a draw. */
enum { NUMBERS = 23 };
static void numbers_of(const struct view_draw *draw, double number[NUMBERS])
{
    number[0] = (double)draw->box.width * draw->box.height / 16e6;
    number[1] = log((double)draw->box.width / draw->box.height);
    number[2] = (draw->box.x + 0.5) / (4000 - draw->box.width + 1);
    number[3] = (draw->box.y + 0.5) / (4000 - draw->box.height + 1);
    for (int i = 0; i < 4; i++) number[4 + i] = draw->factor[i];
    number[8] = draw->sigma;
    number[9] = draw->flip;
    number[10] = draw->jitter;
    number[11] = draw->gray;
    number[12] = draw->blur;
    number[13] = draw->solarize;
    number[14] = draw->order[0];
    number[15] = draw->order[3];
    number[16] = draw->quarters;
    number[17] = draw->sobel;
    number[18] = draw->noise;
    number[19] = draw->cutout;
    number[20] = draw->hole.x - (224 - draw->hole.width - draw->hole.x); /* its centre from the middle */
    number[21] = draw->hole.y - (224 - draw->hole.height - draw->hole.y);
    number[22] = (double)(draw->noise_key & 0xFFFFFFFFu);
}

/* The policy of the paper, with every coin that it leaves out thrown too. */
static struct view_policy policy_with_all(void)
{
    struct view_policy policy = view_policy_imagenet(224);
    policy.solarize_probability = 0.3;
    policy.rotate_probability = 0.75;
    policy.sobel_probability = policy.noise_probability = policy.cutout_probability = 0.5;
    return policy;
}

/* Means and deviations taken away: correlation coefficients are then plain products. */
static void standardize(double (*number)[NUMBERS])
{
    for (int p = 0; p < NUMBERS; p++) {
        double mean = 0.0, square = 0.0;
        for (int i = 0; i < DRAWS; i++) mean += number[i][p] / DRAWS;
        for (int i = 0; i < DRAWS; i++) square += (number[i][p] - mean) * (number[i][p] - mean);
        for (int i = 0; i < DRAWS; i++) number[i][p] = (number[i][p] - mean) / sqrt(square);
    }
}

/* Correlation coefficients of every number with every number of another draw stay within 5 standard errors. */
static void assert_uncorrelated(uint32_t epoch, uint32_t step, uint32_t view, enum rng_purpose purpose, uint64_t seed)
{
    const struct view_policy policy = policy_with_all();
    static double a[DRAWS][NUMBERS], b[DRAWS][NUMBERS];
    for (uint32_t i = 0; i < DRAWS; i++) {
        const struct view_draw x = view_draw_random(&policy, 42, RNG_VIEW, 3, i, 0, 4000, 4000);
        const struct view_draw y = view_draw_random(&policy, seed, purpose, epoch, i + step, view, 4000, 4000);
        numbers_of(&x, a[i]);
        numbers_of(&y, b[i]);
    }
    standardize(a);
    standardize(b);
    const bool itself = epoch == 3 && step == 0 && view == 0 && purpose == RNG_VIEW && seed == 42;
    double sum[NUMBERS][NUMBERS] = {{0.0}};
    for (int i = 0; i < DRAWS; i++)
        for (int p = 0; p < NUMBERS; p++)
            for (int q = 0; q < NUMBERS; q++) sum[p][q] += a[i][p] * b[i][q];
    for (int p = 0; p < NUMBERS; p++)
        for (int q = 0; q < NUMBERS; q++) {
            const bool ends_of_order = p >= 14 && p <= 15 && q >= 14 && q <= 15; /* one cannot be the other */
            if (itself && (p == q || ends_of_order)) continue;
            if (fabs(sum[p][q]) >= 5.0 / sqrt(DRAWS))
                fail_msg("numbers %d and %d: correlation %g (epoch %u, step %u, view %u)", p, q, sum[p][q],
                         (unsigned)epoch, (unsigned)step, (unsigned)view);
        }
}

static void draws_are_uncorrelated(void **state)
{
    (void)state;
    assert_uncorrelated(3, 0, 0, RNG_VIEW, 42);     /* the numbers of one draw among themselves */
    assert_uncorrelated(3, 0, 1, RNG_VIEW, 42);     /* the other view */
    assert_uncorrelated(4, 0, 0, RNG_VIEW, 42);     /* the next epoch */
    assert_uncorrelated(3, 1, 0, RNG_VIEW, 42);     /* the neighbour */
    assert_uncorrelated(3, 1, 1, RNG_VIEW, 42);     /* the neighbour's other view */
    assert_uncorrelated(3, 256, 0, RNG_VIEW, 42);   /* a batch further */
    assert_uncorrelated(3, 0, 0, RNG_FINETUNE, 42); /* another phase */
    assert_uncorrelated(3, 0, 0, RNG_VIEW, 43);     /* the next seed */
}

/* Backwards, twice, interleaved: always the same; and switching an operation off leaves the others' draws. */
static void draws_depend_on_nothing_else(void **state)
{
    (void)state;
    enum { COUNT = 500 };
    static struct view_draw forward[COUNT];
    const struct view_policy policy = view_policy_imagenet(224);
    struct view_policy changed = policy;
    changed.crop_probability = changed.jitter_probability = changed.gray_probability = 0.0;
    changed.rotate_probability = changed.sobel_probability = changed.noise_probability = 1.0;
    changed.cutout_probability = 1.0;
    for (uint32_t i = 0; i < COUNT; i++) forward[i] = draw_of(&policy, i);
    for (uint32_t i = COUNT; i-- > 0;) {
        const struct view_draw other = draw_of(&changed, i), again = draw_of(&policy, i);
        assert_memory_equal(&again.box, &forward[i].box, sizeof again.box);
        assert_memory_equal(again.order, forward[i].order, sizeof again.order);
        assert_memory_equal(again.factor, forward[i].factor, sizeof again.factor);
        assert_true(again.sigma == forward[i].sigma && again.flip == forward[i].flip);
        assert_true(other.sigma == forward[i].sigma && other.flip == forward[i].flip);
        assert_true(other.blur == forward[i].blur && !other.jitter && !other.gray);
        assert_memory_equal(other.factor, forward[i].factor, sizeof other.factor);
    }
}

/* Boxes lie inside pictures of any shape; where no try can fit it is the centred largest one of a legal ratio. */
static void boxes_fit_any_picture(void **state)
{
    (void)state;
    const struct view_policy policy = view_policy_imagenet(224);
    struct rng rng = rng_open(1, RNG_TEST, 0, 0, 0);
    for (uint32_t i = 0; i < 50000; i++) {
        const int width = i % 3 ? 1 + (int)rng_below(&rng, 3000) : 1 + (int)rng_below(&rng, 4);
        const int height = i % 5 ? 1 + (int)rng_below(&rng, 40) : 1 + (int)rng_below(&rng, 5000);
        const struct box box = view_draw_random(&policy, 1, RNG_VIEW, 0, i, 0, width, height).box;
        assert_true(box.width >= 1 && box.height >= 1 && box.x >= 0 && box.y >= 0);
        assert_true(box.x + box.width <= width && box.y + box.height <= height);
    }
    struct view_policy whole = policy;
    whole.crop_area_min = whole.crop_area_max = 1.0; /* never fits where the ratio is illegal */
    static const int cases[][6] = {{1000, 100, 433, 0, 133, 100},
                                   {100, 1000, 0, 433, 100, 133},
                                   {3000, 1, 1499, 0, 1, 1},
                                   {1, 3000, 0, 1499, 1, 1},
                                   {65535, 65535, 0, 0, 65535, 65535}};
    for (int i = 0; i < 5; i++)
        for (uint32_t sample = 0; sample < 50; sample++) {
            const int *c = cases[i];
            const struct box box = view_draw_random(&whole, 1, RNG_VIEW, 0, sample, 0, c[0], c[1]).box;
            if (i == 4) { /* legal ratio: nearly the whole picture or the whole of it */
                assert_true((int64_t)box.width * box.height > (int64_t)65000 * 65000);
                continue;
            }
            assert_int_equal(box.x, c[2]);
            assert_int_equal(box.y, c[3]);
            assert_int_equal(box.width, c[4]);
            assert_int_equal(box.height, c[5]);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(another_policys_input),
        cmocka_unit_test(the_test_has_teeth),
        cmocka_unit_test(factors_follow_their_laws),
        cmocka_unit_test(boxes_follow_their_laws),
        cmocka_unit_test(default_boxes_follow_their_laws),
        cmocka_unit_test(coins_and_orders),
        cmocka_unit_test(study_draws_follow_their_laws),
        cmocka_unit_test(one_branch_leaves_the_other),
        cmocka_unit_test(switches),
        cmocka_unit_test(draws_are_uncorrelated),
        cmocka_unit_test(draws_depend_on_nothing_else),
        cmocka_unit_test(boxes_fit_any_picture),
    };
    return run_cases(tests, NULL, NULL);
}
