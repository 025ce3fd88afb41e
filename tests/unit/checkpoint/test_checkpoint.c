/* Checkpoints: what is written comes back bit for bit; a file that is cut, damaged or of another model is refused with
 * a sentence and changes nothing. */
#include <stdlib.h>
#include <unistd.h>

#include "support/network_check.h"

#include "base/checksum.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/rng.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/safetensors.h"
#include "checkpoint/weights.h"
#include "support/folder.h"

static const struct model_config SMALL = {
    .resnet.depth = 18, .resnet.width = 0.125, .image_size = 32, .head_layers = 2, .head_dim = 8};
static const struct checkpoint_state STATE = {.step = 1234567890123,
                                              .epoch = 17,
                                              .seed = UINT64_MAX,
                                              .config_yaml = "data: \"x\"\nbatch: 3\n",
                                              .fingerprint = "f00",
                                              .best_knn = 0.1,
                                              .skipped_steps = 4,
                                              .images_seen = 99,
                                              .this_epoch = {7, 29.1, 0.7 / 3, 1e-9, 0.25},
                                              .mean = {0.1f, 0.2f, 0.3f},
                                              .std = {0.4f, 0.5f, 0.6f}};

struct run {
    struct bench_backend bench;
    struct model *model;
    struct optimizer *optimizer;
};

static void open_run(struct run *run, const struct model_config *config, enum optimizer_kind kind, uint64_t seed)
{
    struct error error = {0};
    struct optimizer_config optimizer = {
        .kind = kind, .momentum = 0.9f, .trust = 0.001f, .beta2 = 0.999f, .epsilon = 1e-8f};
    run->bench = open_backend("ref");
    CHECK_OK(model_create(&run->model, config, NULL, seed, &error), error);
    CHECK_OK(optimizer_create(&run->optimizer, &optimizer, run->bench.backend, &run->model->parameters, &error), error);
}

static void close_run(struct run *run)
{
    optimizer_destroy(&run->optimizer);
    model_destroy(&run->model);
    close_backend(&run->bench);
}

/* Random numbers in every tensor and state (not in the padding between them). */
static void fill(struct run *run, uint32_t item)
{
    struct rng rng = rng_open(9, RNG_TEST, 0, item, 0);
    struct parameters *table = &run->model->parameters;
    for (int i = 0; i < table->count; i++)
        for (size_t k = 0; k < table->items[i].count; k++) {
            parameter_weights(table, i)[k] = (float)rng_normal(&rng);
            if (table->items[i].flags & PARAMETER_BUFFER) continue;
            run->optimizer->state1[table->items[i].offset + k] = (float)rng_normal(&rng);
            if (run->optimizer->state2) run->optimizer->state2[table->items[i].offset + k] = (float)rng_normal(&rng);
        }
    run->optimizer->steps = 77;
}

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
    check_edit(bytes, size, "\"version\": \"2\"", "\"version\": \"3\"", "version 3");
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

/* ---- export and import -------------------------------------------------------------------------------------- */
static void test_export(void **state)
{
    (void)state;
    struct error error = {0};
    struct run run, other;
    struct safetensors *file;
    open_run(&run, &SMALL, OPTIMIZER_LARS, 1);
    open_run(&other, &SMALL, OPTIMIZER_LARS, 2);
    fill(&run, 3);
    CHECK_OK(checkpoint_export_encoder(at("encoder"), run.model, 4321, &error), error);
    CHECK_OK(safetensors_open(&file, at("encoder"), &error), error);
    assert_int_equal(safetensors_count(file), 122 - 2); /* torchvision's ResNet-18 without fc */
    const struct safetensors_entry *entry = safetensors_find(file, "layer2.0.downsample.1.num_batches_tracked");
    assert_true(entry && entry->dtype == ST_I64 && entry->rank == 0);
    int64_t batches;
    memcpy(&batches, entry->data, sizeof batches);
    assert_int_equal(batches, 4321);
    assert_string_equal(safetensors_metadata(file, "format"), "pt");
    assert_null(safetensors_find(file, "head.fcs.0.weight"));
    safetensors_close(&file);

    float head =
        parameter_weights(&other.model->parameters, parameters_find(&other.model->parameters, "head.fcs.0.weight"))[0];
    CHECK_OK(checkpoint_import_encoder(at("encoder"), other.model, &error), error);
    assert_true(parameters_encoder_hash(&other.model->parameters) == parameters_encoder_hash(&run.model->parameters));
    assert_true(head == parameter_weights(&other.model->parameters,
                                          parameters_find(&other.model->parameters, "head.fcs.0.weight"))[0]);
    close_run(&other);

    struct model_config wide = SMALL;
    wide.resnet.width = 0.25;
    open_run(&other, &wide, OPTIMIZER_LARS, 2);
    assert_int_equal(checkpoint_import_encoder(at("encoder"), other.model, &error), SIMCLR_CORRUPT);
    assert_non_null(strstr(error.text, "[8, 3, 3, 3] where the model needs [16, 3, 3, 3]"));
    CHECK_OK(checkpoint_write(at("a"), run.model, NULL, &STATE, &error), error);
    assert_int_equal(checkpoint_import_encoder(at("a"), other.model, &error), SIMCLR_CORRUPT);
    assert_non_null(strstr(error.text, "where the model needs [16, 3, 3, 3]"));
    CHECK_OK(checkpoint_import_encoder(at("a"), run.model, &error), error); /* its prefix is "encoder." */
    assert_int_equal(checkpoint_import_encoder(at("missing"), run.model, &error), SIMCLR_IO);
    struct checkpoint *checkpoint; /* and an export is no checkpoint */
    assert_int_equal(checkpoint_open(&checkpoint, at("encoder"), &error), SIMCLR_CORRUPT);
    close_run(&run);
    close_run(&other);
}

/* torchvision's own file: with fc, in another order, without a checksum. One stranger makes it another model's. */
static void test_import_torchvision(void **state)
{
    (void)state;
    struct error error = {0};
    struct run run, other;
    open_run(&run, &SMALL, OPTIMIZER_LARS, 1);
    open_run(&other, &SMALL, OPTIMIZER_LARS, 2);
    fill(&run, 4);
    CHECK_OK(checkpoint_export_encoder(at("encoder"), run.model, 1, &error), error);
    struct safetensors *file;
    CHECK_OK(safetensors_open(&file, at("encoder"), &error), error);
    int count = safetensors_count(file);
    struct safetensors_entry *entries = memory_array((size_t)count + 2, sizeof *entries);
    for (int i = 0; i < count; i++) entries[i] = *safetensors_at(file, count - 1 - i);
    const float zeros[64 * 3] = {0};
    entries[count] = (struct safetensors_entry){
        .name = "fc.weight", .dtype = ST_F32, .rank = 2, .dims = {3, 64}, .data = zeros, .bytes = sizeof zeros};
    CHECK_OK(safetensors_write(at("tv"), entries, count + 1, NULL, 0, &error), error);
    CHECK_OK(checkpoint_import_encoder(at("tv"), other.model, &error), error);
    assert_true(parameters_encoder_hash(&other.model->parameters) == parameters_encoder_hash(&run.model->parameters));
    entries[count].name = "stranger";
    CHECK_OK(safetensors_write(at("tv"), entries, count + 1, NULL, 0, &error), error);
    assert_int_equal(checkpoint_import_encoder(at("tv"), other.model, &error), SIMCLR_CORRUPT);
    assert_non_null(strstr(error.text, "stranger has no place"));
    CHECK_OK(safetensors_write(at("tv"), entries + 1, count - 1, NULL, 0, &error), error);
    assert_int_equal(checkpoint_import_encoder(at("tv"), other.model, &error), SIMCLR_CORRUPT);
    assert_non_null(strstr(error.text, "layer4.1.conv2.weight is missing"));
    memory_free(entries);
    safetensors_close(&file);
    close_run(&run);
    close_run(&other);
}

/* ---- weights of other programs: prefixes, a Sequential, copies ---------------------------------------------- */

enum { MOST_ENTRIES = 400 };
struct renamed {
    struct safetensors *file;
    struct safetensors_entry entries[MOST_ENTRIES];
    char names[MOST_ENTRIES][160];
    int count;
};

/* Adds every tensor of the exported encoder under another name: `prefix`, and the Sequential's numbers if asked for. */
static void add_renamed(struct renamed *out, const char *prefix, bool sequential)
{
    static const char *const children[][2] = {{"conv1.", "0."},  {"bn1.", "1."},    {"layer1.", "4."},
                                              {"layer2.", "5."}, {"layer3.", "6."}, {"layer4.", "7."}};
    for (int i = 0; i < safetensors_count(out->file); i++) {
        const char *name = safetensors_at(out->file, i)->name, *number = "";
        for (size_t k = 0; sequential && k < sizeof children / sizeof *children; k++) {
            const size_t length = strlen(children[k][0]);
            if (strncmp(name, children[k][0], length) != 0) continue;
            number = children[k][1];
            name += length;
            break;
        }
        assert_true(out->count < MOST_ENTRIES);
        snprintf(out->names[out->count], sizeof out->names[0], "%s%s%s", prefix, number, name);
        out->entries[out->count] = *safetensors_at(out->file, i);
        out->entries[out->count].name = out->names[out->count];
        out->count++;
    }
}

static void add_stranger(struct renamed *out, const char *name)
{
    static const float zeros[4];
    assert_true(out->count < MOST_ENTRIES);
    out->entries[out->count++] = (struct safetensors_entry){
        .name = name, .dtype = ST_F32, .rank = 1, .dims = {4}, .data = zeros, .bytes = sizeof zeros};
}

/* Writes it as at(name), looks at it and imports it into a model of its own. */
static int look_at(struct renamed *renamed, const struct run *run, struct weights *weights, struct error *error)
{
    struct run other;
    struct safetensors *file;
    CHECK_OK(safetensors_write(at("renamed"), renamed->entries, renamed->count, NULL, 0, error), *error);
    open_run(&other, &SMALL, OPTIMIZER_LARS, 9);
    const int status = checkpoint_import_encoder(at("renamed"), other.model, error);
    if (!status)
        assert_true(parameters_encoder_hash(&other.model->parameters) ==
                    parameters_encoder_hash(&run->model->parameters));
    close_run(&other);
    CHECK_OK(safetensors_open(&file, at("renamed"), error), *error);
    struct model_config config;
    struct error ignored;
    if (weights_look(weights, file, "renamed", &ignored) == SIMCLR_OK) {
        CHECK_OK(weights_config(weights, &config, &ignored), ignored);
        assert_int_equal(config.resnet.depth, 18);
        assert_true(config.resnet.width == 0.125 && config.resnet.stem == STEM_CIFAR);
    }
    safetensors_close(&file);
    return status;
}

static void test_prefixes(void **state)
{
    (void)state;
    static const struct {
        const char *prefix;
        bool sequential;
        const char *copy, *stranger; /* a second network; a tensor beside them */
    } cases[] = {
        {"module.", false, NULL, NULL},
        {"backbone.", false, NULL, "projection_head.layers.0.weight"},
        {"encoder_q.", false, "encoder_k.", "queue"},
        {"module.encoder_q.", false, "module.encoder_k.", "module.queue"},
        {"student.backbone.", false, "teacher.backbone.", NULL},
        {"encoder.", false, "momentum_encoder.", "predictor.0.weight"},
        {"backbone.", true, NULL, "projection_head.layers.0.weight"},
        {"", true, NULL, NULL},
        {"teacher.", false, NULL, "head.0.bias"}, /* alone: it is the network that is meant */
    };
    struct error error = {0};
    struct run run;
    struct weights weights;
    static struct renamed renamed;
    open_run(&run, &SMALL, OPTIMIZER_LARS, 1);
    fill(&run, 5);
    CHECK_OK(checkpoint_export_encoder(at("encoder"), run.model, 1, &error), error);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        renamed = (struct renamed){0};
        CHECK_OK(safetensors_open(&renamed.file, at("encoder"), &error), error);
        add_renamed(&renamed, cases[i].prefix, cases[i].sequential);
        const int encoder = renamed.count;
        if (cases[i].copy) add_renamed(&renamed, cases[i].copy, false);
        if (cases[i].stranger) add_stranger(&renamed, cases[i].stranger);
        if (look_at(&renamed, &run, &weights, &error)) fail_msg("%s: %s", cases[i].prefix, error.text);
        assert_string_equal(weights.prefix, cases[i].prefix);
        assert_int_equal(weights.sequential, cases[i].sequential);
        assert_int_equal(weights.encoder, 100); /* without the 20 counters */
        assert_int_equal(weights.outside, renamed.count - encoder);
        safetensors_close(&renamed.file);
    }
    close_run(&run);
}

static void test_refused_prefixes(void **state)
{
    (void)state;
    struct error error = {0};
    struct run run;
    struct weights weights;
    static struct renamed renamed;
    open_run(&run, &SMALL, OPTIMIZER_LARS, 1);
    CHECK_OK(checkpoint_export_encoder(at("encoder"), run.model, 1, &error), error);
    renamed = (struct renamed){0};
    CHECK_OK(safetensors_open(&renamed.file, at("encoder"), &error), error);
    add_renamed(&renamed, "left.", false); /* two, and nothing tells which */
    add_renamed(&renamed, "right.", false);
    assert_int_equal(look_at(&renamed, &run, &weights, &error), SIMCLR_CORRUPT);
    assert_non_null(strstr(error.text, "several ResNets (\"left.\", \"right.\", ...)"));
    renamed.count /= 2;
    add_stranger(&renamed, "left.attention.weight"); /* inside of the prefix: of another model */
    assert_int_equal(look_at(&renamed, &run, &weights, &error), SIMCLR_CORRUPT);
    assert_non_null(strstr(error.text, "left.attention.weight has no place"));
    renamed.count = 0;
    add_stranger(&renamed, "backbone.layer1.0.conv1.weight");
    assert_int_equal(look_at(&renamed, &run, &weights, &error), SIMCLR_CORRUPT);
    assert_non_null(strstr(error.text, "holds no ResNet"));
    safetensors_close(&renamed.file);
    close_run(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_other_models),
        cmocka_unit_test(test_cuts),
        cmocka_unit_test(test_header_flips),
        cmocka_unit_test(test_version_1),
        cmocka_unit_test(test_edits),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_impossible_states),
        cmocka_unit_test(test_values_that_are_not_finite),
        cmocka_unit_test(test_export),
        cmocka_unit_test(test_import_torchvision),
        cmocka_unit_test(test_prefixes),
        cmocka_unit_test(test_refused_prefixes),
    };
    return run_cases(tests, make_folder, remove_folder);
}
