/* The prediction against numbers that were worked out by hand, and in which direction it moves. */
#include "support/run.h"

#include <math.h>

#include "forecast/forecast.h"

static void near(const char *what, double got, double want)
{
    if (!(fabs(got - want) <= 1e-12 * fabs(want))) fail_msg("%s is %.15g, by hand %.15g", what, got, want);
}

static const int channels[] = {64, 2048};

/* 4 ranks, 8 images, two batch norms of 64 and 2,048 channels, 1,000,003 weights, rows of 512 and 16 bytes. */
static struct traffic_work example(void)
{
    return (struct traffic_work){.shares = {8, 8, 4},
                                 .norm_channels = channels,
                                 .norms = 2,
                                 .weights = 1000003,
                                 .unit_row = 512,
                                 .sum_row = 16,
                                 .figures = 5};
}

static void messages_are_those_by_hand(void **state)
{
    (void)state;
    const struct traffic_work work = example();
    struct traffic traffic;
    traffic_of(&traffic, &work, 0);
    const struct traffic_item *parts = traffic.parts;
    assert_int_equal(parts[TRAFFIC_AGREEMENTS].messages, 1);
    near("agreements", parts[TRAFFIC_AGREEMENTS].bytes, 3 * 24);
    /* 128 doubles: 1,024 bytes, 4,096 of all ranks, gathered. 4,096 doubles: 32 KB, 128 KB of all: in pieces of 1,024
     * doubles, which are exchanged, added and gathered. */
    for (int pass = TRAFFIC_NORMS_FORWARD; pass <= TRAFFIC_NORMS_BACKWARD; pass++) {
        assert_int_equal(parts[pass].messages, 3);
        near("batch norm", parts[pass].bytes, 3 * 1024 + 2 * 3 * 8192);
    }
    assert_int_equal(parts[TRAFFIC_UNIT_ROWS].messages, 2);
    near("unit rows", parts[TRAFFIC_UNIT_ROWS].bytes, 2 * 6 * 512); /* two views, six images of others */
    near("log sums", parts[TRAFFIC_LOG_SUMS].bytes, 2 * 6 * 16);
    assert_int_equal(parts[TRAFFIC_FIGURES].messages, 1);
    near("figures", parts[TRAFFIC_FIGURES].bytes, 3 * 40);
    /* Three stretches of 256 Ki floats and a rest, each exchanged and gathered; of the rest three floats are left over,
     * fewer than the ranks, and gathered. */
    assert_int_equal(parts[TRAFFIC_GRADIENTS].messages, 4 * 2 + 1);
    near("gradients", parts[TRAFFIC_GRADIENTS].bytes, 2 * 3 * 1e6 + 3 * 12);
    assert_int_equal(parts[TRAFFIC_RUNNING].messages, 0);
    assert_int_equal(traffic_total(&traffic).messages, 1 + 3 + 3 + 2 + 2 + 1 + 9);
    /* The eight large ones go in three rounds, of block and answer. Pieces of batch norm's sums are 32 KB of all
     * ranks: at once. */
    assert_int_equal(parts[TRAFFIC_NORMS_FORWARD].delays, 3);
    assert_int_equal(parts[TRAFFIC_GRADIENTS].delays, 8 * 6 + 1);
    assert_int_equal(traffic_total(&traffic).delays, 1 + 3 + 3 + 2 + 2 + 1 + 49);
}

/* 28 million floats over 8 ranks are 112 MB, in stretches of 4 MB. */
static void large_sums_go_in_stretches(void **state)
{
    (void)state;
    struct traffic_work work = example();
    struct traffic traffic;
    work.shares.ranks = 8;
    work.weights = 28000000;
    traffic_of(&traffic, &work, 0);
    const struct traffic_item *gradients = &traffic.parts[TRAFFIC_GRADIENTS];
    assert_int_equal(gradients->messages,
                     2 * 27); /* 1 Mi floats a stretch: 26 whole ones and a rest, of two messages */
    assert_int_equal(gradients->delays, 54 * 14);
    near("gradients", gradients->bytes, 2 * 7. / 8 * 112e6);
}

static void groups_need_fewer_messages(void **state)
{
    (void)state;
    struct traffic_work work = example();
    struct traffic traffic;
    work.totals = 2 * (64 + 2048);
    work.shares.group = 2; /* a group for each rank */
    traffic_of(&traffic, &work, 0);
    assert_int_equal(traffic.parts[TRAFFIC_NORMS_FORWARD].messages, 0);
    assert_int_equal(traffic.parts[TRAFFIC_AGREEMENTS].messages, 3);
    assert_int_equal(traffic.parts[TRAFFIC_RUNNING].messages, 2);
    work.shares.group = 4; /* two ranks for each */
    traffic_of(&traffic, &work, 0);
    assert_int_equal(traffic.parts[TRAFFIC_NORMS_BACKWARD].messages, 2); /* 64 KB of two ranks: gathered */
    near("batch norm of two", traffic.parts[TRAFFIC_NORMS_BACKWARD].bytes, 1024 + 32768);
}

static void one_rank_sends_nothing(void **state)
{
    (void)state;
    struct traffic_work work = example();
    struct traffic traffic;
    work.shares.ranks = 1;
    traffic_of(&traffic, &work, 0);
    assert_int_equal(traffic_total(&traffic).messages, 0);
    near("bytes", traffic_total(&traffic).bytes, 0);
}

/* 8 images took 4 s of passes, NT-Xent of 4 images 0.1 s, the update 0.2 s. */
static const struct forecast_measured measured = {
    .images = 8, .passes = 4, .loss_images = 4, .loss = 0.1, .update = 0.2};

static void seconds_are_those_by_hand(void **state)
{
    (void)state;
    const struct shares shares = {64, 64, 4};
    const struct link_speed link = {1e6, 1e-3};
    struct traffic traffic = {.parts = {[TRAFFIC_GRADIENTS] = {2, 6, 3e6}, [TRAFFIC_FIGURES] = {1, 1, 0}}};
    struct forecast out;
    for (int i = 0; i <= TRAFFIC_POINTS; i++) traffic.waiting[i] = 1; /* no gradient before the way back ends */
    forecast_make(&out, &measured, &shares, &traffic, &link);
    near("passes", out.passes, 8);  /* 16 images of 0.5 s */
    near("NT-Xent", out.loss, 9.6); /* 25.6 s of all 64, a quarter of it, 1.5 times */
    near("update", out.update, 0.2);
    near("messages", out.messages, 3.007); /* seven delays of 1 ms, 3 MB at 1 MB/s */
    near("by part", out.by_part[TRAFFIC_GRADIENTS], 3.006);
    near("a step", out.step, 20.807);
    near("views/s", out.views_per_second, 128 / 20.807);
    near("alone", out.alone, 32 + 25.6 + 0.2); /* 64 images */
    near("speedup", out.speedup, 57.8 / 20.807);
    near("efficiency", out.efficiency, 57.8 / 20.807 / 4);
}

/* The way back takes 16/3 s of the 8, sums of gradients 3.006 s. */
static void sums_of_gradients_overlap_the_way_back(void **state)
{
    (void)state;
    const struct shares shares = {64, 64, 4};
    const struct link_speed link = {1e6, 1e-3};
    struct traffic traffic = {.parts = {[TRAFFIC_GRADIENTS] = {2, 6, 3e6}, [TRAFFIC_FIGURES] = {1, 1, 0}}};
    struct forecast out;
    for (int i = 0; i <= TRAFFIC_POINTS; i++) traffic.waiting[i] = i <= TRAFFIC_POINTS / 2 ? 1 : 0.25;
    forecast_make(&out, &measured, &shares, &traffic, &link);
    near("three quarters are through in time", out.overlapped, 0.75 * 3.006);
    near("a step", out.step, 20.807 - 0.75 * 3.006);
    for (int i = 0; i <= TRAFFIC_POINTS; i++) traffic.waiting[i] = i < TRAFFIC_POINTS ? 1 : 0;
    forecast_make(&out, &measured, &shares, &traffic, &link);
    near("begun a 64th before the end", out.overlapped, 16. / 3 / TRAFFIC_POINTS);
    for (int i = 0; i <= TRAFFIC_POINTS; i++) traffic.waiting[i] = i <= TRAFFIC_POINTS / 2 ? 1 : 0;
    forecast_make(&out, &measured, &shares, &traffic, &link);
    near("half the way back is not enough", out.overlapped, 8. / 3);
    traffic.parts[TRAFFIC_NORMS_BACKWARD] = (struct traffic_item){1, 1, 1e6}; /* 1.001 s: the way back is longer */
    forecast_make(&out, &measured, &shares, &traffic, &link);
    near("now it is", out.overlapped, 3.006);
}

static void one_rank_is_the_whole(void **state)
{
    (void)state;
    const struct shares shares = {8, 8, 1};
    const struct link_speed link = {1e6, 1e-3};
    const struct traffic traffic = {0};
    struct forecast out;
    forecast_make(&out, &measured, &shares, &traffic, &link);
    near("a step", out.step, 4 + 0.4 + 0.2);
    near("efficiency", out.efficiency, 1);
}

/* An uneven share counts by the rank that has most. */
static void the_largest_share_counts(void **state)
{
    (void)state;
    const struct link_speed link = {1e9, 0};
    const struct traffic traffic = {0};
    struct forecast even, uneven;
    forecast_make(&even, &measured, &(struct shares){12, 12, 4}, &traffic, &link);
    forecast_make(&uneven, &measured, &(struct shares){13, 13, 4}, &traffic, &link);
    near("passes of 3", even.passes, 1.5);
    near("passes of 4", uneven.passes, 2);
}

static struct forecast with(int ranks, double rate, double delay)
{
    const struct shares shares = {1024, 1024, ranks};
    struct traffic_work work = example();
    struct traffic traffic;
    struct forecast out;
    work.shares = shares;
    traffic_of(&traffic, &work, 0);
    forecast_make(&out, &measured, &shares, &traffic, &(struct link_speed){rate, delay});
    return out;
}

static void it_moves_the_right_way(void **state)
{
    (void)state;
    for (int ranks = 2; ranks <= 512; ranks *= 2) {
        const struct forecast out = with(ranks, 1e8, 1e-4);
        if (!(out.passes < with(ranks / 2, 1e8, 1e-4).passes)) fail_msg("%d ranks compute no less than half", ranks);
        if (!(out.messages > with(ranks / 2, 1e8, 1e-4).messages)) fail_msg("%d ranks send no more", ranks);
        if (!(out.messages > with(ranks, 2e8, 1e-4).messages))
            fail_msg("%d ranks: a faster network is no faster", ranks);
        if (!(out.messages < with(ranks, 1e8, 2e-4).messages)) fail_msg("%d ranks: more delay is not slower", ranks);
        if (!(out.efficiency > 0 && out.efficiency < 1)) fail_msg("%d ranks: efficiency %g", ranks, out.efficiency);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_are_those_by_hand), cmocka_unit_test(large_sums_go_in_stretches),
        cmocka_unit_test(groups_need_fewer_messages), cmocka_unit_test(one_rank_sends_nothing),
        cmocka_unit_test(seconds_are_those_by_hand),  cmocka_unit_test(sums_of_gradients_overlap_the_way_back),
        cmocka_unit_test(one_rank_is_the_whole),      cmocka_unit_test(the_largest_share_counts),
        cmocka_unit_test(it_moves_the_right_way),
    };
    return run_cases(tests, NULL, NULL);
}
