/* The arena: results do not depend on bytes that the plan calls dead, on any backend; and it is as small as can be. */
#include "support/images.h"
#include "support/network_check.h"
#include "support/poison.h"

#include "base/memory.h"
#include "base/rng.h"
#include "nn/watch.h"
#include "support/random.h"

/* ---- lifetimes ---------------------------------------------------------------------------------------------- */
struct result {
    float *z, *h, *gradients, *buffers;
};

static struct result run(struct model *model, const struct model_plan_args *how, bool spoil, bool from_h)
{
    struct error error = {0};
    struct network *network;
    struct model_tensors tensors;
    const int batch = how->batch, size = model->config.image_size;
    size_t images = (size_t)batch * 3 * (size_t)(size * size);
    size_t h = (size_t)batch * (size_t)model_feature_dim(&model->config);
    size_t z = (size_t)batch * (size_t)model_output_dim(&model->config);
    float *x = memory_array(images, sizeof *x), *r = memory_array(h + z, sizeof *r);
    struct result out = {memory_array(z, sizeof *x), memory_array(h, sizeof *x),
                         memory_array(model->parameters.weight_count, sizeof *x),
                         memory_array(model->parameters.buffer_count, sizeof *x)};
    parameters_initialize(&model->parameters, 4);
    random_normals(model->parameters.gradients, model->parameters.weight_count, 9); /* stale */
    random_normals(x, images, 1);
    random_normals(r, h + z, 2);
    CHECK_OK(model_plan(model, how, &network, &tensors, &error), error);
    void *input = images_of(network, x);
    if (spoil) poison_always(network);
    for (int pass = 0; pass < 2; pass++) {
        network_forward(network, input);
        network_read(network, tensors.h, out.h);
        network_read(network, tensors.z, out.z);
        network_backward(network, from_h ? tensors.h : tensors.z, r);
    }
    network_read(network, tensors.z, r); /* still there after backward */
    if (!from_h) assert_memory_equal(r, out.z, z * sizeof *r);
    for (int i = 0; i < model->parameters.count; i++) { /* without the padding between tensors */
        const struct parameter *item = &model->parameters.items[i];
        bool buffer = item->flags & PARAMETER_BUFFER;
        memcpy((buffer ? out.buffers : out.gradients) + item->offset,
               buffer ? parameter_next(&model->parameters, i) : parameter_gradients(&model->parameters, i),
               item->count * sizeof *x);
    }
    network_destroy(&network);
    memory_free(input);
    memory_free(x);
    memory_free(r);
    return out;
}

static void free_result(struct result *result)
{
    memory_free(result->z);
    memory_free(result->h);
    memory_free(result->gradients);
    memory_free(result->buffers);
}

static void check_finite(const float *values, size_t count)
{
    for (size_t i = 0; i < count; i++) assert_true(isfinite(values[i]));
}

/* Spoiling everything that the plan calls dead changes no bit of the results, nor does making batch norms' outputs
 * again instead of keeping them. */
static void check_lifetimes(const char *variant, enum dtype dtype, const struct model_config *config, bool again)
{
    struct error error = {0};
    struct bench_backend bench = open_backend(variant);
    struct model *model;
    CHECK_OK(model_create(&model, config, NULL, 1, &error), error);
    for (int kind = 0; kind < 3; kind++) {
        enum network_mode mode = kind == 2 ? NETWORK_INFERENCE : NETWORK_TRAINING;
        struct model_plan_args how = {.backend = bench.backend, .mode = mode, .dtype = dtype, .batch = 5};
        how.options = bench.options;
        how.options.recompute = RECOMPUTE_OFF;
        struct result clean = run(model, &how, false, kind == 1);
        if (again) how.options.recompute = RECOMPUTE_ON;
        struct result spoiled = run(model, &how, true, kind == 1);
        check_finite(spoiled.z, 5 * (size_t)model_output_dim(config));
        check_finite(spoiled.gradients, model->parameters.weight_count);
        assert_memory_equal(clean.z, spoiled.z, 5 * (size_t)model_output_dim(config) * sizeof(float));
        assert_memory_equal(clean.h, spoiled.h, 5 * (size_t)model_feature_dim(config) * sizeof(float));
        assert_memory_equal(clean.gradients, spoiled.gradients, model->parameters.weight_count * sizeof(float));
        assert_memory_equal(clean.buffers, spoiled.buffers, model->parameters.buffer_count * sizeof(float));
        if (kind == 1) { /* from h: nothing flows into the head, and what was there before is gone */
            const struct parameter *head =
                &model->parameters.items[parameters_find(&model->parameters, "head.fcs.0.weight")];
            for (size_t i = 0; i < head->count; i++) assert_true(clean.gradients[head->offset + i] == 0);
        }
        free_result(&clean);
        free_result(&spoiled);
    }
    model_destroy(&model);
    close_backend(&bench);
}

static void test_lifetimes(void **state)
{
    const char *variant = *state;
    struct model_config basic = {
        .resnet.depth = 18, .resnet.width = 0.125, .image_size = 16, .head_layers = 2, .head_dim = 8};
    struct model_config pooled = {.resnet.depth = 18,
                                  .resnet.width = 0.125,
                                  .resnet.stem = STEM_IMAGENET,
                                  .image_size = 35,
                                  .head_layers = 3,
                                  .head_dim = 8};
    struct model_config bottleneck = {.resnet.depth = 50,
                                      .resnet.width = 0.125,
                                      .resnet.stem = STEM_IMAGENET,
                                      .image_size = 35,
                                      .head_layers = 1,
                                      .head_dim = 8};
    bool ref = !strcmp(variant, "ref");
    for (int again = 0; again < 2; again++) {
        check_lifetimes(variant, DTYPE_F32, ref || again ? &bottleneck : &basic, again);
        check_lifetimes(variant, ref ? DTYPE_F32 : DTYPE_BF16, &pooled, again);
    }
}

/* What is made again need not be kept: half of a training step's memory. Small arenas are left as they are. */
static void test_recompute(void **state)
{
    (void)state;
    struct error error = {0};
    struct bench_backend bench = open_backend("portable");
    const struct model_config configs[2] = {{.resnet.depth = 18,
                                             .resnet.width = 0.25,
                                             .resnet.stem = STEM_CIFAR,
                                             .image_size = 32,
                                             .head_layers = 2,
                                             .head_dim = 64},
                                            {.resnet.depth = 50,
                                             .resnet.width = 0.25,
                                             .resnet.stem = STEM_IMAGENET,
                                             .image_size = 64,
                                             .head_layers = 2,
                                             .head_dim = 64}};
    for (int c = 0; c < 2; c++) {
        struct model *model;
        CHECK_OK(model_create(&model, &configs[c], NULL, 1, &error), error);
        size_t bytes[3];
        for (enum recompute way = RECOMPUTE_AUTO; way <= RECOMPUTE_ON; way++) {
            struct network *network;
            struct model_tensors tensors;
            bench.options.recompute = way;
            CHECK_OK(model_plan(model,
                                &(struct model_plan_args){.backend = bench.backend,
                                                          .mode = NETWORK_TRAINING,
                                                          .dtype = DTYPE_BF16,
                                                          .batch = 16,
                                                          .options = bench.options},
                                &network, &tensors, &error),
                     error);
            bytes[way] = network_arena_bytes(network);
            network_destroy(&network);
        }
        print_message("ResNet-%d: arena %zu bytes, with batch norms made again %zu\n", configs[c].resnet.depth,
                      bytes[RECOMPUTE_OFF], bytes[RECOMPUTE_ON]);
        assert_int_equal(bytes[RECOMPUTE_AUTO], bytes[RECOMPUTE_OFF]);
        assert_true((double)bytes[RECOMPUTE_ON] < 0.52 * (double)bytes[RECOMPUTE_OFF]);
        model_destroy(&model);
    }
    close_backend(&bench);
}

/* The arena is as small as its fullest moment allows; inference takes far less than training. */
static void test_memory(void **state)
{
    (void)state;
    struct error error = {0};
    struct bench_backend bench = open_backend("ref");
    struct model_config config = {.resnet.depth = 50,
                                  .resnet.width = 0.25,
                                  .resnet.stem = STEM_IMAGENET,
                                  .image_size = 64,
                                  .head_layers = 2,
                                  .head_dim = 64};
    struct model *model;
    CHECK_OK(model_create(&model, &config, NULL, 1, &error), error);
    size_t bytes[2];
    for (int mode = 0; mode < 2; mode++) {
        struct network *network;
        struct model_tensors tensors;
        CHECK_OK(model_plan(model,
                            &(struct model_plan_args){.backend = bench.backend,
                                                      .mode = mode ? NETWORK_INFERENCE : NETWORK_TRAINING,
                                                      .dtype = DTYPE_F32,
                                                      .batch = 8,
                                                      .options = bench.options},
                            &network, &tensors, &error),
                 error);
        size_t most = 0, sum = 0, activations = 0;
        const struct network_arena arena = network_arena(network);
        const struct network_row *rows;
        const int count = network_rows(network, &rows);
        for (int step = 0; step <= 2 * count; step++) {
            size_t alive = 0;
            for (int i = 0; i < arena.count; i++)
                if (arena.blocks[i].first <= step && step <= arena.blocks[i].last) alive += arena.blocks[i].bytes;
            if (alive > most) most = alive;
        }
        for (int i = 0; i < arena.count; i++) sum += arena.blocks[i].bytes;
        for (int i = 0; i < count; i++) activations += rows[i].bytes;
        bytes[mode] = network_arena_bytes(network);
        print_message("%s: arena %zu bytes, fullest step %zu, all blocks %zu, activations %zu\n",
                      mode ? "inference" : "training", bytes[mode], most, sum, activations);
        assert_true(bytes[mode] >= most && (double)bytes[mode] < 1.05 * (double)most);
        if (mode == 0) assert_true(bytes[0] > activations / 2 && (double)bytes[0] < 1.3 * (double)activations);
        network_destroy(&network);
    }
    assert_true(bytes[1] * 8 < bytes[0]);
    model_destroy(&model);
    close_backend(&bench);
}

int main(void)
{
    struct CMUnitTest tests[16] = {
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_recompute),
        {"test_lifetimes on ref", test_lifetimes, NULL, NULL, (void *)(uintptr_t) "ref"},
    };
    size_t count = 3;
    for (const char *const *variant = simd_words(); *variant; variant++) {
        if (!simd_runs(*variant))
            skip_part("this CPU lacks %s", *variant);
        else
            tests[count++] = (struct CMUnitTest){*variant, test_lifetimes, NULL, NULL, (void *)(uintptr_t)*variant};
    }
    return run_group("lifetimes", tests, count, NULL, NULL);
}
