/* The second phase: which labels are used, and that the trained encoder's weights are where it starts. */
#include "unit/train/run_fixture.h"

#include "checkpoint/checkpoint.h"
#include "evaluate/label_share.h"
#include "evaluate/protocols.h"
#include "run/metrics.h"
#include "support/files.h"
#include "support/folder.h"
#include "train/pretrain.h"
#include "train/supervised.h"

static struct dataset *open_synthetic(struct pool *pool)
{
    struct dataset_config config = dataset_config_default();
    struct dataset *dataset;
    config.path = "synthetic";
    config.synthetic_count = 200;
    config.synthetic_size = 8;
    assert_int_equal(dataset_open(&dataset, &config, pool, &(struct log){0}, NULL), SIMCLR_OK);
    return dataset;
}

static void shares_are_class_balanced(void **state)
{
    (void)state;
    struct pool *pool;
    assert_int_equal(pool_create(&pool, 1, NULL), SIMCLR_OK);
    struct dataset *dataset = open_synthetic(pool);
    uint32_t *subset, count;
    assert_int_equal(label_share_choose(dataset, "10%", 1, &subset, &count, NULL), SIMCLR_OK);
    assert_int_equal(count, 20);
    int per_class[10] = {0};
    for (uint32_t i = 0; i < count; i++) per_class[dataset_label(dataset, subset[i])]++;
    for (int i = 0; i < 10; i++) assert_int_equal(per_class[i], 2);
    memory_free(subset);
    static const struct {
        const char *labels;
        uint32_t of_each;
    } counted[] = {{"1/class", 1}, {"7/class", 7}, {"1e6/class", 20}};
    for (size_t k = 0; k < sizeof counted / sizeof *counted; k++) {
        assert_int_equal(label_share_choose(dataset, counted[k].labels, 1, &subset, &count, NULL), SIMCLR_OK);
        assert_int_equal(count, 10 * counted[k].of_each);
        memset(per_class, 0, sizeof per_class);
        for (uint32_t i = 0; i < count; i++) per_class[dataset_label(dataset, subset[i])]++;
        for (int i = 0; i < 10; i++) assert_int_equal(per_class[i], counted[k].of_each);
        memory_free(subset);
    }
    struct error error;
    static const char *const wrong[] = {"0%",       "101%",      "-5%",       "nan%",      "0/class",
                                        "-1/class", "2.5/class", "inf/class", "nan/class", "1e10/class"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(label_share_choose(dataset, wrong[i], 1, &subset, &count, &error), SIMCLR_INVALID);
    assert_int_equal(label_share_choose(dataset, "10 percent", 1, &subset, &count, &error), SIMCLR_IO);
    assert_non_null(strstr(error.text, "--labels"));
    assert_int_equal(label_share_choose(dataset, "5/classes", 1, &subset, &count, &error), SIMCLR_IO);
    dataset_close(&dataset);
    pool_destroy(&pool);
}

static void lists_name_images(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int status;
        uint32_t count;
        const char *says;
    } cases[] = {
        {"7\nsynthetic/3\tignored\r\n\n7\n", SIMCLR_OK, 2, NULL},
        {"synthetic/150", SIMCLR_OK, 1, NULL},
        {"\xEF\xBB\xBF"
         "3\n",
         SIMCLR_OK, 1, NULL}, /* a byte order mark is no part of a name */
        {"\xEF\xBB\xBF"
         "#simclr-list 1\nsynthetic/\\x33\n",
         SIMCLR_OK, 1, NULL},
        {"3\nmissing.jpg\n", SIMCLR_DATA, 0, ":2: no images"},
        {"thetic/3\n", SIMCLR_DATA, 0, ":1: no images"}, /* not at the start of a path component */
        {"\n\n", SIMCLR_DATA, 0, "names no image"},
    };
    struct pool *pool;
    assert_int_equal(pool_create(&pool, 1, NULL), SIMCLR_OK);
    struct dataset *dataset = open_synthetic(pool);
    char *path = file_join(folder, "list.txt");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint32_t *subset, count;
        struct error error;
        assert_int_equal(file_write_atomic(path, cases[i].text, strlen(cases[i].text), NULL), SIMCLR_OK);
        assert_int_equal(label_share_choose(dataset, path, 1, &subset, &count, &error), cases[i].status);
        if (cases[i].status != SIMCLR_OK) {
            assert_non_null(strstr(error.text, cases[i].says));
            assert_null(subset);
            continue;
        }
        assert_int_equal(count, cases[i].count);
        if (i == 0) {
            assert_string_equal(dataset_name(dataset, subset[0]), "synthetic/3");
            assert_string_equal(dataset_name(dataset, subset[1]), "synthetic/7");
        }
        memory_free(subset);
    }
    memory_free(path);
    dataset_close(&dataset);
    pool_destroy(&pool);
}

static void batches_use_every_label(void **state)
{
    (void)state;
    assert_int_equal(supervised_batch(256, 500), 250);
    assert_int_equal(supervised_batch(256, 5000), 250);
    assert_int_equal(supervised_batch(256, 512), 256);
    assert_int_equal(supervised_batch(256, 30), 30);
    assert_int_equal(supervised_batch(256, 257), 128);
    assert_int_equal(supervised_batch(1, 3), 1);
}

/* Even, unless that leaves out more than one image in a hundred of an epoch. */
static void batches_are_even_where_it_costs_little(void **state)
{
    (void)state;
    assert_int_equal(supervised_batch(256, 50000), 256); /* 195 of 256, not 196 of 255: 80 images are left out */
    assert_int_equal(supervised_batch(320, 50000), 318);
    assert_int_equal(supervised_batch(255, 50000), 254); /* never more than asked for: 216 are left out */
    assert_int_equal(supervised_batch(256, 255), 254);
    assert_int_equal(supervised_batch(256, 15), 15); /* 14 would leave out one in 15 */
    assert_int_equal(supervised_batch(256, 99), 99);
    assert_int_equal(supervised_batch(256, 101), 100);
    for (int64_t images = 1; images < 3000; images++)
        for (int64_t wanted = 1; wanted < 300; wanted += 7) {
            const int64_t batch = supervised_batch(wanted, images), least = images / ((images + wanted - 1) / wanted);
            assert_true(batch >= 1 && batch <= wanted && batch <= images);
            assert_true(batch % 2 == 0 || batch == least);
            if (batch != least) assert_true((images % batch) * 100 <= images);
        }
}

/* max(1 - 10/s, 0.9) of what was. */
static void long_epochs_move_the_statistics_slowly(void **state)
{
    (void)state;
    assert_true(supervised_statistics_share(1) == 0.1f);
    assert_true(supervised_statistics_share(100) == 0.1f);
    assert_true(supervised_statistics_share(200) == 0.05f);
    assert_true(supervised_statistics_share(1000) == 0.01f);
}

static int finetune(struct session *session, struct error *error)
{
    return evaluation_run(session, PROTOCOL_FINETUNE, error);
}

/* extra: names and values, or NULL. phase, step: where to ask for a stop; NULL: nowhere. */
static int finetune_until(struct run_fixture *run, const char *checkpoint, const char *out, const char *const *extra,
                          const char *phase, int64_t step)
{
    static const char *const options[][2] = {
        {"data", "synthetic"}, {"synthetic-images", "60"}, {"labels", "50%"}, {"batch", "10"},
        {"epochs", "3"},       {"device", "cpu"},          {"threads", "2"},  {"precision", "float32"},
        {"log-every", "1"},    {"json", "true"},           {"seed", "5"},
    };
    *run = (struct run_fixture){.interrupt_at = phase ? step : -1, .phase = phase ? phase : "finetune"};
    assert_int_equal(config_create(&run->config, COMMAND_FINETUNE, &run->error), SIMCLR_OK);
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) fixture_set(run, options[i][0], options[i][1]);
    fixture_set(run, "checkpoint", checkpoint);
    fixture_set(run, "out", out);
    for (; extra && *extra; extra += 2) fixture_set(run, extra[0], extra[1]);
    return fixture_run(run, finetune);
}

static int finetune_with(struct run_fixture *run, const char *checkpoint, const char *out, const char *const *extra)
{
    return finetune_until(run, checkpoint, out, extra, NULL, 0);
}

static int finetune_run(struct run_fixture *run, const char *checkpoint, const char *out, const char *rate)
{
    return finetune_with(run, checkpoint, out, (const char *[]){"learning-rate", rate, NULL});
}

static void read_model(const char *path, struct model **model)
{
    struct checkpoint *checkpoint;
    assert_int_equal(checkpoint_open(&checkpoint, path, NULL), SIMCLR_OK);
    assert_int_equal(model_create(model, checkpoint_model_config(checkpoint), NULL, 0, NULL), SIMCLR_OK);
    assert_int_equal(checkpoint_restore(checkpoint, *model, NULL, false, NULL), SIMCLR_OK);
    checkpoint_close(&checkpoint);
}

/* At a rate of next to nothing the weights stay where they started: at the encoder's, and for the control elsewhere. */
static void training_starts_at_the_encoder(void **state)
{
    (void)state;
    struct run_fixture run;
    char *pretrained = file_join(folder, "pretrained"), *out = file_join(folder, "still");
    fixture_open(&run, pretrained);
    fixture_set(&run, "device", "cpu");
    assert_int_equal(fixture_run(&run, pretrain_run), SIMCLR_OK);
    fixture_close(&run);
    if (finetune_run(&run, pretrained, out, "1e-9") != SIMCLR_OK) fail_msg("%s", run.error.text);
    fixture_close(&run);

    struct model *models[3];
    static const char *const names[] = {"pretrained/checkpoints/step-00000006.safetensors",
                                        "still/checkpoints/finetune.safetensors",
                                        "still/checkpoints/random.safetensors"};
    for (int i = 0; i < 3; i++) {
        char *path = file_join(folder, names[i]);
        read_model(path, &models[i]);
        memory_free(path);
    }
    double moved[3] = {0};
    for (int i = 0; i < models[1]->parameters.count; i++) {
        const struct parameter *item = &models[1]->parameters.items[i];
        if (item->flags & (PARAMETER_HEAD | PARAMETER_BUFFER)) continue;
        const int at = parameters_find(&models[0]->parameters, item->name);
        assert_true(at >= 0);
        for (int j = 1; j < 3; j++)
            for (size_t k = 0; k < item->count; k++) {
                const double difference = (double)parameter_weights(&models[j]->parameters, i)[k] -
                                          (double)parameter_weights(&models[0]->parameters, at)[k];
                moved[j] += difference * difference;
            }
    }
    assert_true(moved[1] < 1e-8);
    assert_true(moved[2] > 1);
    assert_true(parameters_find(&models[1]->parameters, "fc.bias") >= 0);
    for (int i = 0; i < 3; i++) model_destroy(&models[i]);
    memory_free(pretrained);
    memory_free(out);
}

/* How far the tensors are from one another, of all that both have and that are neither buffers nor the classifier's. */
static double distance(const struct model *a, const struct model *b, const char *prefix, int *tensors)
{
    double sum = 0;
    *tensors = 0;
    for (int i = 0; i < a->parameters.count; i++) {
        const struct parameter *item = &a->parameters.items[i];
        const int at = parameters_find(&b->parameters, item->name);
        if (at < 0 || item->flags & PARAMETER_BUFFER || strncmp(item->name, prefix, strlen(prefix)) != 0) continue;
        *tensors += 1;
        for (size_t k = 0; k < item->count; k++)
            sum += fabs((double)parameter_weights(&a->parameters, i)[k] - parameter_weights(&b->parameters, at)[k]);
    }
    return sum;
}

static struct model *model_at(const char *name)
{
    struct model *model;
    char *path = file_join(folder, name);
    read_model(path, &model);
    memory_free(path);
    return model;
}

/* The classifier stands on a layer of the head, whose weights training starts from. Nothing else of the head is left.
 */
static void a_cut_network_keeps_layers_of_the_head(void **state)
{
    (void)state;
    struct run_fixture run;
    char *pretrained = file_join(folder, "pretrained"), *out = file_join(folder, "cut");
    char *exported = file_join(pretrained, "exported/encoder.safetensors"), *again = file_join(folder, "again");
    const char *const still[] = {"learning-rate", "1e-9", "cut-layer", "1", NULL};
    if (finetune_with(&run, pretrained, out, still) != SIMCLR_OK) fail_msg("%s", run.error.text);
    assert_non_null(strstr(run.output.bytes, "\"cut_layer\": 1"));
    fixture_close(&run);
    struct model *first = model_at("pretrained/checkpoints/step-00000006.safetensors");
    struct model *cut = model_at("cut/checkpoints/finetune.safetensors");
    struct model *random = model_at("cut/checkpoints/random.safetensors");
    int tensors;
    assert_int_equal(cut->config.cut, 1);
    assert_true(distance(cut, first, "head.", &tensors) < 1e-6);
    assert_int_equal(tensors, 3); /* fcs.0.weight, bns.0.weight and bias */
    assert_int_equal(parameters_find(&cut->parameters, "head.fcs.1.weight"), -1);
    assert_true(distance(random, first, "head.fcs", &tensors) > 1);
    model_destroy(&first);
    model_destroy(&cut);
    model_destroy(&random);

    /* A folder of fine-tuning gives the fine-tuned network. What was cut has one layer to cut after; what was exported
     * has none. */
    assert_int_equal(finetune_with(&run, out, again, (const char *[]){"cut-layer", "2", NULL}), SIMCLR_INVALID);
    assert_non_null(strstr(run.error.text, "has 1 layer"));
    fixture_close(&run);
    assert_int_equal(finetune_with(&run, exported, again, still), SIMCLR_INVALID);
    assert_non_null(strstr(run.error.text, "has no projection head (an exported encoder has none)"));
    fixture_close(&run);
    memory_free(pretrained);
    memory_free(out);
    memory_free(exported);
    memory_free(again);
}

/* With layer-wise decay the first layers stay nearer to where they start. */
static void early_blocks_move_less(void **state)
{
    (void)state;
    struct run_fixture run;
    char *pretrained = file_join(folder, "pretrained"), *out = file_join(folder, "layers");
    double stem[2], last[2];
    for (int slow = 0; slow < 2; slow++) {
        const char *const extra[] = {"layer-decay", slow ? "0.1" : "1", "overwrite", "true", "learning-rate",
                                     "5",           "controls",         "false",     NULL};
        if (finetune_with(&run, pretrained, out, extra) != SIMCLR_OK) fail_msg("%s", run.error.text);
        fixture_close(&run);
        struct model *first = model_at("pretrained/checkpoints/step-00000006.safetensors");
        struct model *tuned = model_at("layers/checkpoints/finetune.safetensors");
        int tensors;
        stem[slow] = distance(tuned, first, "conv1.", &tensors);
        last[slow] = distance(tuned, first, "layer4.1.", &tensors);
        model_destroy(&first);
        model_destroy(&tuned);
    }
    assert_true(stem[0] > 1e-3 && last[0] > 1e-3);
    assert_true(stem[1] < 1e-6 * stem[0] && last[1] > 0.1 * last[0]);
    memory_free(pretrained);
    memory_free(out);
}

static void results_stand_beside_their_control(void **state)
{
    (void)state;
    struct run_fixture run;
    char *pretrained = file_join(folder, "pretrained"), *out = file_join(folder, "tuned");
    if (finetune_run(&run, pretrained, out, "0.5") != SIMCLR_OK) fail_msg("%s", run.error.text);
    assert_non_null(strstr(run.output.bytes, "\"labelled_images\": 30"));
    /* The schema of knn and linear. */
    assert_non_null(strstr(run.output.bytes, "\"finetuned\": {\"top1\": {\"value\": "));
    assert_non_null(strstr(run.output.bytes, "\"random\": {\"top1\": {\"value\": "));
    assert_non_null(strstr(run.output.bytes, "\"top5\": {\"value\": "));
    assert_null(strstr(run.output.bytes, "top1_low"));
    assert_non_null(strstr(run.output.bytes, "\"encoder_frozen\": false"));
    assert_true(fixture_said(&run, "30 labelled images of 60 (50 %), 3 epochs"));
    fixture_close(&run);
    /* The loss must fall: nine steps over thirty images at a high rate. */
    char *path = file_join(out, "metrics.jsonl");
    uint8_t *bytes;
    size_t count;
    assert_int_equal(file_read(path, 1 << 20, &bytes, &count, NULL), SIMCLR_OK);
    double first, last = 0;
    assert_int_equal(sscanf(strstr((char *)bytes, "finetune/loss\": "), "finetune/loss\": %lf", &first), 1);
    for (char *at = (char *)bytes; (at = strstr(at, "finetune/loss\": ")) != NULL; at++)
        assert_int_equal(sscanf(at, "finetune/loss\": %lf", &last), 1);
    assert_true(last < first);
    memory_free(bytes);
    memory_free(path);
    memory_free(pretrained);
    memory_free(out);
}

/* ---- going on ------------------------------------------------------------------------------------------------- */

/* Steps 1 to 9 of fine-tuning, then those of its control, each once. */
static void read_losses(const char *out, double losses[18])
{
    struct metrics_history history;
    char *path = file_join(folder, out);
    assert_int_equal(metrics_read(path, &history, NULL), SIMCLR_OK);
    assert_int_equal(history.count, 18);
    for (int i = 0; i < 18; i++) {
        const double *loss = metrics_find(&history.rows[i], i < 9 ? "finetune/loss" : "random/loss");
        assert_true(loss && history.rows[i].step == i % 9 + 1);
        losses[i] = *loss;
    }
    metrics_history_free(&history);
    memory_free(path);
}

/* Stopped in either training, at the end of an epoch or within, a run that goes on ends in the same bytes. */
static void going_on_is_bit_equal(void **state)
{
    (void)state;
    static const struct {
        const char *phase;
        int step;
    } stops[] = {{"finetune", 1}, {"finetune", 6}, {"random", 4}, {"finetune", 9}, {"random", 9}};
    static const char *const options[] = {"learning-rate", "0.5", NULL};
    static const char *const afresh[] = {"learning-rate", "0.5", "overwrite", "true", NULL};
    struct run_fixture run;
    double whole[18], resumed[18];
    char *pretrained = file_join(folder, "pretrained"), *out = file_join(folder, "tuned");
    struct bytes tuned = read_file("tuned/checkpoints/finetune.safetensors");
    struct bytes random = read_file("tuned/checkpoints/random.safetensors");
    read_losses("tuned", whole);
    for (size_t i = 0; i < sizeof stops / sizeof *stops; i++) {
        const int status = finetune_until(&run, pretrained, out, afresh, stops[i].phase, stops[i].step);
        assert_int_equal(status, SIMCLR_INTERRUPTED);
        if (stops[i].step < 9) assert_non_null(strstr(run.error.text, "the same command goes on from the checkpoint"));
        fixture_close(&run);
        if (finetune_until(&run, pretrained, out, options, stops[i].phase, -1)) fail_msg("%s", run.error.text);
        if (stops[i].step < 9) assert_int_equal(run.first_step, stops[i].step + 1);
        fixture_close(&run);
        assert_same_file("tuned/checkpoints/finetune.safetensors", tuned);
        assert_same_file("tuned/checkpoints/random.safetensors", random);
        read_losses("tuned", resumed);
        assert_memory_equal(resumed, whole, sizeof whole);
    }
    /* What is finished is tested again, and trained no further. */
    if (finetune_until(&run, pretrained, out, options, "random", -1)) fail_msg("%s", run.error.text);
    assert_int_equal(run.steps_seen, 0);
    assert_true(fixture_said(&run, "finetune: it was trained to its end before"));
    assert_non_null(strstr(run.output.bytes, "\"random\": {\"top1\": {\"value\": "));
    fixture_close(&run);
    assert_same_file("tuned/checkpoints/finetune.safetensors", tuned);
    assert_same_file("tuned/checkpoints/random.safetensors", random);
    memory_free(tuned.data);
    memory_free(random.data);
    memory_free(pretrained);
    memory_free(out);
}

static void another_run_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *checkpoint, *out;
        const char *extra[5];
        const char *says;
    } cases[] = {
        {"pretrained", "tuned", {"learning-rate", "0.25", NULL}, "holds a run with other options (learning-rate)"},
        {"pretrained", "tuned", {"learning-rate", "0.5", "epochs", "4", NULL}, "epochs"},
        {"cut", "tuned", {"learning-rate", "0.5", NULL}, "from another encoder than"},
        {"pretrained", "pretrained", {"learning-rate", "0.5", NULL}, "holds another run"},
        {"pretrained", "fresh", {"resume", "true", NULL}, "no checkpoint to resume from"},
    };
    struct run_fixture run;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *checkpoint = file_join(folder, cases[i].checkpoint), *out = file_join(folder, cases[i].out);
        assert_int_equal(finetune_with(&run, checkpoint, out, cases[i].extra), SIMCLR_INVALID);
        if (!strstr(run.error.text, cases[i].says)) fail_msg("case %zu: %s", i, run.error.text);
        fixture_close(&run);
        memory_free(checkpoint);
        memory_free(out);
    }
}

/* A damaged checkpoint is no checkpoint: both trainings begin anew. */
static void a_damaged_checkpoint_is_skipped(void **state)
{
    (void)state;
    struct run_fixture run;
    char *pretrained = file_join(folder, "pretrained"), *out = file_join(folder, "tuned");
    struct bytes tuned = read_file("tuned/checkpoints/finetune.safetensors");
    char *file = file_join(out, "checkpoints/finetune.safetensors");
    tuned.data[tuned.count / 2] ^= 1;
    assert_int_equal(file_write_atomic(file, tuned.data, tuned.count, NULL), SIMCLR_OK);
    tuned.data[tuned.count / 2] ^= 1;
    if (finetune_run(&run, pretrained, out, "0.5")) fail_msg("%s", run.error.text);
    assert_true(fixture_said(&run, "! a damaged checkpoint is skipped"));
    assert_int_equal(run.steps_seen, 9);
    fixture_close(&run);
    assert_same_file("tuned/checkpoints/finetune.safetensors", tuned);
    memory_free(tuned.data);
    memory_free(file);
    memory_free(pretrained);
    memory_free(out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares_are_class_balanced),
        cmocka_unit_test(lists_name_images),
        cmocka_unit_test(batches_use_every_label),
        cmocka_unit_test(batches_are_even_where_it_costs_little),
        cmocka_unit_test(long_epochs_move_the_statistics_slowly),
        cmocka_unit_test(training_starts_at_the_encoder),
        cmocka_unit_test(a_cut_network_keeps_layers_of_the_head),
        cmocka_unit_test(early_blocks_move_less),
        cmocka_unit_test(results_stand_beside_their_control),
        cmocka_unit_test(going_on_is_bit_equal),
        cmocka_unit_test(another_run_is_refused),
        cmocka_unit_test(a_damaged_checkpoint_is_skipped),
    };
    return run_cases(tests, make_folder, remove_folder);
}
