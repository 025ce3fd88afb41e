/* One schema for all protocols, what is not known left out of it; and another checkpoint judged as the trained one is.
 */
#include "unit/train/run_fixture.h"

#include <math.h>

#include "evaluate/protocols.h"
#include "support/folder.h"
#include "train/pretrain.h"

static void the_tables_are_whole(void **state)
{
    (void)state;
    for (int i = 0; i < SOURCE_COUNT; i++) assert_non_null(evaluation_sources[i].name);
    for (int i = 0; i < PROTOCOL_COUNT; i++) {
        const struct protocol *protocol = &evaluation_protocols[i];
        enum command command;
        assert_int_equal(command_find(protocol->command, &command), SIMCLR_OK);
        assert_true(protocol->open && protocol->judge && protocol->close_table);
        assert_in_range(protocol->count, 1, SOURCE_COUNT);
    }
}

static void unknown_facts_stay_out(void **state)
{
    (void)state;
    static const char *const reserved[] = {"bootstrap_low95",    "bootstrap_high95", "settings", "seed",
                                           "encoder_hash_after", "train_digest",     "kernels",  "seconds"};
    struct score score = score_none();
    struct score_origin origin = score_origin_none();
    origin.protocol = "kNN";
    origin.checkpoint = "run";
    origin.data = "photos";
    for (int i = 0; i < 4; i++) score_count(&score, i);
    for (int known = 0; known < 2; known++) {
        struct text json = {0};
        text_json_open_object(&json, NULL);
        score_origin_json(&json, &origin);
        score_json(&json, "trained", &score);
        text_json_close_object(&json);
        assert_non_null(strstr(json.bytes, "\"top1\": {\"value\": 0.25, \"low95\": 0.04"));
        assert_non_null(strstr(json.bytes, "\"top5\": {\"value\": 1, "));
        for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++) {
            if ((strstr(json.bytes, reserved[i]) != NULL) != known) fail_msg("%s: %s", reserved[i], json.bytes);
        }
        text_free(&json);
        score.top1_by_draw = (struct score_interval){true, 0.1, 0.4};
        origin.settings = "k: 1";
        origin.seed = 0;
        origin.hash_after = origin.train_digest = 7;
        origin.kernels = "cpu";
        origin.seconds = 0;
    }
}

/* The same file as both: the same hash, the same figures; and both are watched. */
static void another_checkpoint_is_judged_alike(void **state)
{
    (void)state;
    struct run_fixture run;
    struct evaluation evaluation;
    struct score trained, other;
    fixture_open(&run, folder);
    assert_int_equal(fixture_run(&run, pretrain_run), SIMCLR_OK);
    fixture_close(&run);
    fixture_open(&run, folder);
    run.session = (struct session){.config = run.config, .log = {fixture_log, &run}};
    assert_int_equal(session_start(&run.session, &run.error), SIMCLR_OK);
    assert_int_equal(evaluation_open_untrained(&run.session, &evaluation, &run.error), SIMCLR_OK);
    assert_true(evaluation_has(&evaluation, SOURCE_PIXELS) && !evaluation_has(&evaluation, SOURCE_OTHER));
    assert_int_equal(evaluation_open_trained(&evaluation, folder, &run.error), SIMCLR_OK);
    assert_int_equal(evaluation_open_other(&evaluation, folder, &run.error), SIMCLR_OK);
    assert_true(evaluation_has(&evaluation, SOURCE_OTHER));
    assert_true(evaluation.encoders[SOURCE_TRAINED].hash_before == evaluation.encoders[SOURCE_OTHER].hash_before);
    const struct protocol *knn = &evaluation_protocols[PROTOCOL_KNN];
    assert_int_equal(knn->judge(&evaluation, SOURCE_TRAINED, &trained, &run.error), SIMCLR_OK);
    assert_int_equal(knn->judge(&evaluation, SOURCE_OTHER, &other, &run.error), SIMCLR_OK);
    assert_true(trained.count == dataset_count(evaluation.test) && trained.top5 > trained.top1);
    assert_true(trained.top1 == other.top1 && trained.top5 == other.top5);
    assert_int_equal(evaluation_check_frozen(&evaluation, &run.error), SIMCLR_OK);
    parameter_weights(&evaluation.encoders[SOURCE_OTHER].model->parameters, 0)[0] += 1;
    assert_int_equal(evaluation_check_frozen(&evaluation, &run.error), SIMCLR_CORRUPT);
    evaluation_close(&evaluation);
    session_stop(&run.session);
    fixture_close(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_tables_are_whole),
        cmocka_unit_test(unknown_facts_stay_out),
        cmocka_unit_test(another_checkpoint_is_judged_alike),
    };
    return run_cases(tests, make_folder, remove_folder);
}
