/* Checkpoints: what is written comes back bit for bit; a file that is cut, damaged or of another model is refused with
 * a sentence and changes nothing. */
#include <stdlib.h>
#include <unistd.h>

#include "base/checksum.h"
#include "base/file.h"
#include "base/memory.h"
#include "unit/checkpoint/run_files.h"

static void check_equal(const struct run *a, const struct run *b)
{
    const struct parameters *table = &a->model->parameters;
    assert_memory_equal(table->weights, b->model->parameters.weights, table->weight_count * sizeof(float));
    assert_memory_equal(table->buffers, b->model->parameters.buffers, table->buffer_count * sizeof(float));
    assert_memory_equal(a->optimizer->state1, b->optimizer->state1, table->weight_count * sizeof(float));
    if (a->optimizer->state2)
        assert_memory_equal(a->optimizer->state2, b->optimizer->state2, table->weight_count * sizeof(float));
}

static void test_round_trip(void **state)
{
    (void)state;
    for (int kind = OPTIMIZER_LARS; kind <= OPTIMIZER_ADAMW; kind++) {
        struct error error = {0};
        struct run run, other;
        struct checkpoint *checkpoint;
        open_run(&run, &SMALL, (enum optimizer_kind)kind, 1);
        open_run(&other, &SMALL, (enum optimizer_kind)kind, 2);
        fill(&run, 1);
        CHECK_OK(checkpoint_write(at("a"), run.model, run.optimizer, &STATE, &error), error);
        CHECK_OK(checkpoint_open(&checkpoint, at("a"), &error), error);
        const struct checkpoint_state *found = checkpoint_state(checkpoint);
        assert_true(found->step == STATE.step && found->epoch == 17 && found->seed == UINT64_MAX &&
                    found->best_knn == 0.1);
        assert_true(found->skipped_steps == 4 && found->images_seen == 99 && found->version == 2);
        assert_memory_equal(&found->this_epoch, &STATE.this_epoch, sizeof STATE.this_epoch);
        assert_string_equal(found->config_yaml, STATE.config_yaml);
        assert_string_equal(found->fingerprint, "f00");
        assert_memory_equal(found->mean, STATE.mean, sizeof STATE.mean);
        assert_memory_equal(found->std, STATE.std, sizeof STATE.std);
        const struct model_config *config = checkpoint_model_config(checkpoint);
        assert_true(config->resnet.depth == 18 && config->resnet.width == 0.125 && config->resnet.stem == STEM_CIFAR);
        assert_true(config->image_size == 32 && config->head_layers == 2 && config->head_dim == 8 &&
                    config->classes == 0);
        CHECK_OK(checkpoint_restore(checkpoint, other.model, other.optimizer, false, &error), error);
        check_equal(&run, &other);
        assert_int_equal(other.optimizer->steps, 77);
        checkpoint_close(&checkpoint);
        assert_null(checkpoint);

        uint8_t *first, *second; /* written again: the same bytes */
        size_t size, again;
        CHECK_OK(checkpoint_write(at("b"), other.model, other.optimizer, &STATE, &error), error);
        CHECK_OK(file_read(at("a"), 1 << 28, &first, &size, &error), error);
        CHECK_OK(file_read(at("b"), 1 << 28, &second, &again, &error), error);
        assert_true(size == again && !memcmp(first, second, size));
        memory_free(first);
        memory_free(second);
        close_run(&run);
        close_run(&other);
    }
}

/* Without optimiser, without strings, and only the encoder into a model with another head. */
static void test_parts(void **state)
{
    (void)state;
    struct error error = {0};
    struct run run, other;
    struct checkpoint *checkpoint;
    struct model_config supervised = SMALL;
    supervised.classes = 5;
    open_run(&run, &SMALL, OPTIMIZER_LARS, 1);
    open_run(&other, &supervised, OPTIMIZER_LARS, 2);
    fill(&run, 2);
    CHECK_OK(checkpoint_write(at("a"), run.model, NULL, &(struct checkpoint_state){.best_knn = -1}, &error), error);
    CHECK_OK(checkpoint_open(&checkpoint, at("a"), &error), error);
    assert_null(checkpoint_state(checkpoint)->config_yaml);
    assert_true(checkpoint_state(checkpoint)->best_knn == -1);
    uint64_t before = parameters_encoder_hash(&other.model->parameters);
    assert_int_equal(checkpoint_restore(checkpoint, other.model, NULL, false, &error), SIMCLR_CORRUPT);
    assert_non_null(strstr(error.text, "fc.weight is missing"));
    assert_int_equal(checkpoint_restore(checkpoint, run.model, run.optimizer, false, &error), SIMCLR_CORRUPT);
    assert_non_null(strstr(error.text, "none, not of lars"));
    assert_true(parameters_encoder_hash(&other.model->parameters) == before);
    CHECK_OK(checkpoint_restore(checkpoint, other.model, NULL, true, &error), error);
    assert_true(parameters_encoder_hash(&other.model->parameters) == parameters_encoder_hash(&run.model->parameters));
    checkpoint_close(&checkpoint);
    close_run(&run);
    close_run(&other);
}

static void test_other_models(void **state)
{
    (void)state;
    static const struct {
        struct model_config config;
        const char *says;
    } others[] = {
        {{.resnet.depth = 34, .resnet.width = 0.125, .image_size = 32, .head_layers = 2, .head_dim = 8}, "is missing"},
        {{.resnet.depth = 18, .resnet.width = 0.25, .image_size = 32, .head_layers = 2, .head_dim = 8},
         "has shape [8, 3, 3, 3]"},
        {{.resnet.depth = 18, .resnet.width = 0.125, .image_size = 64, .head_layers = 2, .head_dim = 8},
         "needs [8, 3, 7, 7]"},
        {{.resnet.depth = 18, .resnet.width = 0.125, .image_size = 32, .head_layers = 3, .head_dim = 8}, "head.fcs."},
        {{.resnet.depth = 18, .resnet.width = 0.125, .image_size = 32, .head_layers = 2, .head_dim = 9},
         "head.fcs.1.weight"},
        {{.resnet.depth = 18, .resnet.width = 0.125, .image_size = 32}, "has no place"},
    };
    struct error error = {0};
    struct run run;
    struct checkpoint *checkpoint;
    open_run(&run, &SMALL, OPTIMIZER_SGD, 1);
    CHECK_OK(checkpoint_write(at("a"), run.model, run.optimizer, &STATE, &error), error);
    CHECK_OK(checkpoint_open(&checkpoint, at("a"), &error), error);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        struct model *model;
        CHECK_OK(model_create(&model, &others[i].config, NULL, 3, &error), error);
        uint64_t before = parameters_encoder_hash(&model->parameters);
        int status = checkpoint_restore(checkpoint, model, NULL, false, &error);
        if (status != SIMCLR_CORRUPT || !strstr(error.text, others[i].says))
            fail_msg("status %d, %s", status, error.text);
        assert_true(parameters_encoder_hash(&model->parameters) == before);
        model_destroy(&model);
    }
    checkpoint_close(&checkpoint);
    close_run(&run);
}

/* ---- damage ------------------------------------------------------------------------------------------------- */
static int verdict(const uint8_t *bytes, size_t size, struct error *error)
{
    struct checkpoint *checkpoint;
    FILE *stream = fopen(at("damaged"), "wb");
    assert_non_null(stream);
    assert_int_equal(fwrite(bytes, 1, size, stream), size);
    assert_int_equal(fclose(stream), 0);
    memset(error, 0, sizeof *error);
    int status = checkpoint_open(&checkpoint, at("damaged"), error);
    assert_true((status == SIMCLR_OK) == (checkpoint != NULL));
    checkpoint_close(&checkpoint);
    return status;
}

/* Cut at every byte of the header and of the last tensors, and at each 997th byte between. */
static void test_cuts(void **state)
{
    (void)state;
    struct error error = {0};
    struct run run;
    uint8_t *bytes;
    size_t size;
    uint64_t header;
    open_run(&run, &SMALL, OPTIMIZER_LARS, 1);
    CHECK_OK(checkpoint_write(at("a"), run.model, NULL, &STATE, &error), error);
    CHECK_OK(file_read(at("a"), 1 << 28, &bytes, &size, &error), error);
    memcpy(&header, bytes, sizeof header);
    assert_int_equal(verdict(bytes, size, &error), SIMCLR_OK);
    for (size_t cut = 0; cut < size; cut++) {
        if (cut > header + 64 && cut < size - 64 && cut % 997) continue;
        struct safetensors *file; /* from memory: one file for each of so many cuts would take long */
        uint8_t *exact = malloc(cut ? cut : 1);
        assert_non_null(exact);
        memcpy(exact, bytes, cut);
        memset(&error, 0, sizeof error);
        assert_int_equal(safetensors_parse(&file, exact, cut, "cut", &error), SIMCLR_CORRUPT);
        assert_true(error.text[0] != '\0');
        free(exact);
        if (cut % 499 == 0) assert_int_equal(verdict(bytes, cut, &error), SIMCLR_CORRUPT);
    }
    for (size_t place = 8 + header; place < size; place += 4999) { /* a flipped bit in a tensor */
        bytes[place] ^= 4;
        assert_int_equal(verdict(bytes, size, &error), SIMCLR_CORRUPT);
        assert_non_null(strstr(error.text, "checksum"));
        bytes[place] ^= 4;
    }
    memory_free(bytes);
    close_run(&run);
}

/* Changes a byte of the file "damaged" in place: a thousand files would take long. */
static void put(size_t place, uint8_t byte)
{
    FILE *stream = fopen(at("damaged"), "r+b");
    assert_non_null(stream);
    assert_int_equal(fseek(stream, (long)place, SEEK_SET), 0);
    assert_int_equal(fputc(byte, stream), byte);
    assert_int_equal(fclose(stream), 0);
}

/* Whatever byte of the length, of the metadata, and here and there of the tensors' list is changed: refused. */
static void test_header_flips(void **state)
{
    (void)state;
    struct error error = {0};
    struct run run;
    uint8_t *bytes;
    size_t size;
    uint64_t header;
    open_run(&run, &SMALL, OPTIMIZER_LARS, 1);
    CHECK_OK(checkpoint_write(at("a"), run.model, NULL, &STATE, &error), error);
    CHECK_OK(file_read(at("a"), 1 << 28, &bytes, &size, &error), error);
    memcpy(&header, bytes, sizeof header);
    const uint8_t *tensors = memmem(bytes, size, "\"encoder.", 9);
    assert_non_null(tensors);
    const size_t metadata_end = (size_t)(tensors - bytes);
    assert_int_equal(verdict(bytes, size, &error), SIMCLR_OK); /* writes it */
    assert_true(metadata_end > 500 && metadata_end < 8 + header);
    for (size_t place = 0; place < 8 + header; place += place < metadata_end ? 1 : 61) {
        const uint8_t flipped = bytes[place] ^ (uint8_t)(1u << place % 8);
        struct checkpoint *checkpoint;
        put(place, flipped);
        memset(&error, 0, sizeof error);
        if (checkpoint_open(&checkpoint, at("damaged"), &error) != SIMCLR_CORRUPT || error.text[0] == '\0')
            fail_msg("byte %zu: %s", place, error.text);
        put(place, bytes[place]);
    }
    struct checkpoint *checkpoint;
    CHECK_OK(checkpoint_open(&checkpoint, at("damaged"), &error), error); /* every byte is back */
    checkpoint_close(&checkpoint);
    memory_free(bytes);
    close_run(&run);
}

/* Makes of a file what version 1 would have written: a checksum of the tensors alone, and no sums of an epoch. */
static void to_version_1(uint8_t *bytes, size_t size)
{
    uint64_t header;
    memcpy(&header, bytes, sizeof header);
    uint8_t *version = memmem(bytes, size, "\"version\": \"2\"", 14);
    uint8_t *sums = memmem(bytes, size, "\"epoch_sums\"", 12);
    uint8_t *checksum = memmem(bytes, size, "\"file_crc32c\": \"", 16);
    assert_true(version && sums && checksum);
    version[12] = '1';
    memcpy(sums, "\"other_text\"", 12);
    char entry[32];
    snprintf(entry, sizeof entry, "\"crc32c\": \"%08x\"     ", (unsigned)crc32c(bytes + 8 + header, size - 8 - header));
    memcpy(checksum, entry, strlen(entry));
}

static void test_version_1(void **state)
{
    (void)state;
    struct error error = {0};
    struct run run;
    struct checkpoint *checkpoint;
    uint8_t *bytes;
    size_t size;
    open_run(&run, &SMALL, OPTIMIZER_LARS, 1);
    CHECK_OK(checkpoint_write(at("a"), run.model, NULL, &STATE, &error), error);
    CHECK_OK(file_read(at("a"), 1 << 28, &bytes, &size, &error), error);
    to_version_1(bytes, size);
    if (verdict(bytes, size, &error)) fail_msg("%s", error.text);
    CHECK_OK(checkpoint_open(&checkpoint, at("damaged"), &error), error);
    assert_int_equal(checkpoint_state(checkpoint)->version, 1);
    assert_int_equal(checkpoint_state(checkpoint)->step, STATE.step);
    assert_int_equal(checkpoint_state(checkpoint)->this_epoch.steps, 0);
    checkpoint_close(&checkpoint);
    bytes[size - 5] ^= 1;
    assert_int_equal(verdict(bytes, size, &error), SIMCLR_CORRUPT);
    assert_non_null(strstr(error.text, "checksum"));
    memory_free(bytes);
    close_run(&run);
}

/* Replaces the text `from` in the header by `to` of equal length. */
static void check_edit(const uint8_t *bytes, size_t size, const char *from, const char *to, const char *says)
{
    struct error error;
    uint8_t *copy = malloc(size);
    assert_true(copy && strlen(from) == strlen(to));
    memcpy(copy, bytes, size);
    uint8_t *place = memmem(copy, size, from, strlen(from));
    if (!place) fail_msg("the header has no %s", from);
    memcpy(place, to, strlen(to));
    int status = verdict(copy, size, &error);
    if (status != SIMCLR_CORRUPT || !strstr(error.text, says))
        fail_msg("%s -> %s: %d, %s", from, to, status, error.text);
    free(copy);
}

static void test_edits(void **state)
{
    (void)state;
    struct error error = {0};
    struct run run;
    uint8_t *bytes;
    size_t size;
    open_run(&run, &SMALL, OPTIMIZER_LARS, 1);
    CHECK_OK(checkpoint_write(at("a"), run.model, run.optimizer, &STATE, &error), error);
    CHECK_OK(file_read(at("a"), 1 << 28, &bytes, &size, &error), error);
    check_edit(bytes, size, "\"simclr-checkpoint\"", "\"simclr-checkpoinT\"", "not a checkpoint of simclr");
    check_edit(bytes, size, "\"format\"", "\"formaT\"", "no 'format'");
    check_edit(bytes, size, "\"version\": \"2\"", "\"version\": \"4\"", "version 4");
    check_edit(bytes, size, "\"version\": \"2\"", "\"version\": \"1\"", "checksum");
    check_edit(bytes, size, "\"epoch\": \"17\"", "\"epoch\": \"18\"", "checksum");
    check_edit(bytes, size, "\"epoch_steps\": \"7\"", "\"epoch_steps\": \"x\"", "'epoch_steps'");
    check_edit(bytes, size, "\"epoch_sums\": \"29.1", "\"epoch_sums\": \"29,1", "'epoch_sums'");
    check_edit(bytes, size, "\"depth\": \"18\"", "\"depth\": \"19\"", "no ResNet-19");
    check_edit(bytes, size, "\"depth\": \"18\"", "\"depth\": \"34\"", "is missing");
    check_edit(bytes, size, "\"depth\": \"18\"", "\"depth\": \"1x\"", "'depth' is '1x'");
    check_edit(bytes, size, "\"width\": \"0.125\"", "\"width\": \"0.250\"", "has shape");
    check_edit(bytes, size, "\"width\": \"0.125\"", "\"width\": \"  nan\"", "'width'");
    check_edit(bytes, size, "\"stem\": \"cifar\"", "\"stem\": \"cifaR\"", "'stem'");
    check_edit(bytes, size, "\"epoch\": \"17\"", "\"epoch\": \"-7\"", "'epoch'");
    check_edit(bytes, size, "\"seed\": \"1844", "\"seed\": \"-844", "'seed'");
    check_edit(bytes, size, "\"seed\": \"1844", "\"seed\": \"9944", "'seed'");
    check_edit(bytes, size, "\"optimizer\": \"lars\"", "\"optimizer\": \"mars\"", "'optimizer'");
    check_edit(bytes, size, "\"optimizer\": \"lars\"", "\"optimizer\": \"none\"", "has no place");
    check_edit(bytes, size, "\"best_knn\": \"0.1", "\"best_knn\": \"x.1", "'best_knn'");
    check_edit(bytes, size, "\"encoder.bn1.bias\"", "\"encoder.bn1.bia5\"", "encoder.bn1.bias is missing");
    check_edit(bytes, size, "\"optimizer.state1.bn1.bias\"", "\"optimizer.state2.bn1.bias\"", "is missing");
    check_edit(bytes, size, "\"file_crc32c\": \"", "\"file_crc32d\": \"", "no 'file_crc32c'");
    check_edit(bytes, size, "\"head.bns.1.weight\": {\"dtype\": \"F32\"", "\"head.bns.1.weight\": {\"dtype\": \"I32\"",
               "not float32");
    memory_free(bytes);
    close_run(&run);
}

/* A model's averages travel with it; who has none says so; a file that lacks one of them is of no use. */
static void test_average(void **state)
{
    (void)state;
    struct error error = {0};
    struct run run, average, other;
    struct checkpoint *checkpoint;
    struct checkpoint_state state_of_both = STATE;
    uint8_t *bytes;
    size_t size;
    open_run(&run, &SMALL, OPTIMIZER_LARS, 1);
    open_run(&average, &SMALL, OPTIMIZER_LARS, 2);
    open_run(&other, &SMALL, OPTIMIZER_LARS, 3);
    fill(&average, 5);
    state_of_both.ema = 0.999;
    state_of_both.average = average.model;
    CHECK_OK(checkpoint_write(at("a"), run.model, run.optimizer, &state_of_both, &error), error);
    CHECK_OK(checkpoint_open(&checkpoint, at("a"), &error), error);
    assert_true(checkpoint_state(checkpoint)->ema == 0.999 && checkpoint_state(checkpoint)->version == 3);
    CHECK_OK(checkpoint_restore_average(checkpoint, other.model, false, &error), error);
    const struct parameters *want = &average.model->parameters, *got = &other.model->parameters;
    assert_memory_equal(got->weights, want->weights, want->weight_count * sizeof(float));
    assert_memory_equal(got->buffers, want->buffers, want->buffer_count * sizeof(float));
    CHECK_OK(checkpoint_restore(checkpoint, other.model, NULL, false, &error), error);
    assert_memory_equal(got->weights, run.model->parameters.weights, want->weight_count * sizeof(float));
    checkpoint_close(&checkpoint);
    CHECK_OK(file_read(at("a"), 1 << 28, &bytes, &size, &error), error);
    check_edit(bytes, size, "\"ema.encoder.bn1.bias\"", "\"ema.encoder.bn1.bia5\"", "ema.encoder.bn1.bias is missing");
    check_edit(bytes, size, "\"ema\": \"0.999", "\"ema\": \"1.999", "'ema'");
    check_edit(bytes, size, "\"version\": \"3\"", "\"version\": \"2\"", "ema.");
    memory_free(bytes);
    CHECK_OK(checkpoint_write(at("a"), run.model, run.optimizer, &STATE, &error), error);
    CHECK_OK(checkpoint_open(&checkpoint, at("a"), &error), error);
    assert_int_equal(checkpoint_restore_average(checkpoint, other.model, false, &error), SIMCLR_INVALID);
    assert_non_null(strstr(error.text, "--ema"));
    checkpoint_close(&checkpoint);
    close_run(&run);
    close_run(&average);
    close_run(&other);
}

/* What no run of ours reaches: sums with such numbers would overflow, features be divided by 0 or be no numbers. */
static void test_impossible_states(void **state)
{
    (void)state;
    static const struct {
        const char *says;
        struct checkpoint_state state;
    } cases[] = {
        {"'step'", {.step = INT64_MAX}},
        {"'epoch'", {.epoch = INT64_MAX - 1}},
        {"'images_seen'", {.images_seen = INT64_MAX}},
        {"'skipped_steps'", {.skipped_steps = INT64_MAX}},
        {"'epoch_steps'", {.this_epoch.steps = INT64_MAX}},
        {"'epoch_skipped'", {.this_epoch.skipped = INT64_MAX}},
        {"'std'", {.std = {0, 0.5f, 0.5f}}},
        {"'std'", {.std = {0.5f, 0.5f, 0}}},
        {"'std'", {.std = {0.5f, -0.5f, 0.5f}}},
        {"'std'", {.std = {1e30f, 0.5f, 0.5f}}},
        {"'mean'", {.mean = {0, 0, 1e30f}, .std = {1, 1, 1}}},
    };
    struct error error = {0};
    struct checkpoint *checkpoint;
    struct run run;
    open_run(&run, &SMALL, OPTIMIZER_LARS, 1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CHECK_OK(checkpoint_write(at("a"), run.model, run.optimizer, &cases[i].state, &error), error);
        assert_int_equal(checkpoint_open(&checkpoint, at("a"), &error), SIMCLR_CORRUPT);
        if (!strstr(error.text, cases[i].says)) fail_msg("%s: %s", cases[i].says, error.text);
    }
    run.optimizer->steps = INT64_MAX;
    CHECK_OK(checkpoint_write(at("a"), run.model, run.optimizer, &STATE, &error), error);
    assert_int_equal(checkpoint_open(&checkpoint, at("a"), &error), SIMCLR_CORRUPT);
    assert_non_null(strstr(error.text, "'optimizer_steps'"));
    close_run(&run);
}

static void test_values_that_are_not_finite(void **state)
{
    (void)state;
    struct error error = {0};
    struct checkpoint *checkpoint;
    struct run run;
    open_run(&run, &SMALL, OPTIMIZER_ADAMW, 1);
    struct parameters *table = &run.model->parameters;
    const int row = parameters_find(table, "layer3.0.bn1.running_var");
    float *const places[] = {&parameter_weights(table, row)[3], &run.optimizer->state2[table->items[0].offset]};
    static const char *const says[] = {"tensor encoder.layer3.0.bn1.running_var holds inf (value 3 of 32)",
                                       "tensor optimizer.state2.conv1.weight holds inf (value 0 of 216)"};
    for (int i = 0; i < 2; i++) {
        const float before = *places[i];
        *places[i] = INFINITY;
        CHECK_OK(checkpoint_write(at("a"), run.model, run.optimizer, &STATE, &error), error);
        assert_int_equal(checkpoint_open(&checkpoint, at("a"), &error), SIMCLR_CORRUPT);
        if (!strstr(error.text, says[i])) fail_msg("%s", error.text);
        CHECK_OK(checkpoint_export_encoder(at("encoder"), run.model, 1, &error), error);
        const int imported = checkpoint_import_encoder(at("encoder"), run.model, &error);
        assert_int_equal(imported, i == 0 ? SIMCLR_CORRUPT : SIMCLR_OK); /* an export has no states */
        *places[i] = before;
    }
    close_run(&run);
}

static void test_no_memory(void **state)
{
    (void)state;
    struct error error = {0};
    struct run run;
    open_run(&run, &SMALL, OPTIMIZER_LARS, 1);
    int status = SIMCLR_NO_MEMORY;
    for (long n = 1; status; n++) {
        memory_fail_after(n);
        status = checkpoint_write(at("a"), run.model, run.optimizer, &STATE, &error);
        memory_fail_after(0);
        if (status) assert_true(status == SIMCLR_NO_MEMORY || status == SIMCLR_IO);
    }
    status = SIMCLR_NO_MEMORY;
    for (long n = 1; status; n++) {
        struct checkpoint *checkpoint;
        memory_fail_after(n);
        status = checkpoint_open(&checkpoint, at("a"), &error);
        memory_fail_after(0);
        if (status) assert_int_equal(status, SIMCLR_NO_MEMORY);
        checkpoint_close(&checkpoint);
    }
    close_run(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_average),
        cmocka_unit_test(test_other_models),
        cmocka_unit_test(test_cuts),
        cmocka_unit_test(test_header_flips),
        cmocka_unit_test(test_version_1),
        cmocka_unit_test(test_edits),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_impossible_states),
        cmocka_unit_test(test_values_that_are_not_finite),
    };
    return run_cases(tests, make_folder, remove_folder);
}
