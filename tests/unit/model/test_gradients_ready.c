/* On the way back a network says which gradients are complete. Those that it has named do not change any more, and none
 * is named before it is made: sums over ranks begin on that word. */
#include "support/images.h"
#include "support/network_check.h"

#include "base/memory.h"

enum { SIZE = 16, BATCH = 4, DIM = 16 };

struct seen {
    struct model *model;
    float *copy; /* of the gradients, each as it was when it was named */
    size_t from;
    int calls, unmade; /* unmade: gradients named and still poisoned */
    bool rose;
};

static void see(void *context, size_t from)
{
    struct seen *seen = context;
    const float *gradients = seen->model->parameters.gradients;
    seen->calls += 1;
    seen->rose = seen->rose || from > seen->from;
    for (size_t i = from; i < seen->from; i++) seen->copy[i] = gradients[i];
    seen->from = from;
}

/* Of trainable tensors: between them the slab has gaps, which nobody writes. */
static void compare(struct seen *seen, const char *label)
{
    const struct parameters *parameters = &seen->model->parameters;
    for (int i = 0; i < parameters->count; i++) {
        const struct parameter *item = &parameters->items[i];
        if (item->flags & PARAMETER_BUFFER) continue;
        for (size_t k = item->offset; k < item->offset + item->count; k++) {
            seen->unmade += isnan(seen->copy[k]) != 0;
            if (memcmp(&seen->copy[k], &parameters->gradients[k], sizeof(float)) != 0)
                fail_msg("%s: %s changed after it was named", label, item->name);
        }
    }
}

static void check(const char *backend, int depth, enum recompute recompute)
{
    const struct model_config config = {.resnet.depth = depth,
                                        .resnet.width = 0.125,
                                        .resnet.stem = STEM_CIFAR,
                                        .image_size = SIZE,
                                        .head_layers = 2,
                                        .head_dim = DIM};
    struct bench_backend bench = open_backend(backend);
    struct network *network = NULL;
    struct model_tensors tensors;
    struct error error = {0};
    struct seen seen = {0};
    CHECK_OK(model_create(&seen.model, &config, bench.backend, 1, &error), error);
    struct model_plan_args args = {
        .backend = bench.backend,
        .mode = NETWORK_TRAINING,
        .dtype = DTYPE_F32,
        .batch = BATCH,
        .image_size = SIZE,
        .options = {.recompute = recompute, .gradients_ready = see, .gradients_context = &seen}};
    CHECK_OK(model_plan(seen.model, &args, &network, &tensors, &error), error);
    struct parameters *parameters = &seen.model->parameters;
    const size_t count = parameters->weight_count;
    float images[BATCH * 3 * SIZE * SIZE], d_z[BATCH * DIM];
    for (size_t i = 0; i < sizeof images / sizeof *images; i++)
        images[i] = (float)(i * 2654435761U >> 8 & 0xffff) / 65536;
    for (int i = 0; i < BATCH * DIM; i++) d_z[i] = (float)(i % 7) - 3;
    void *input = images_of(network, images);
    seen.copy = memory_array(count, sizeof *seen.copy);
    seen.from = count;
    for (size_t i = 0; i < count; i++) parameters->gradients[i] = seen.copy[i] = NAN;
    network_set_weights(network);
    network_forward(network, input);
    network_backward(network, tensors.z, d_z);
    compare(&seen, backend);
    assert_int_equal(seen.unmade, 0);
    assert_int_equal(seen.from, 0);
    assert_false(seen.rose);
    assert_true(seen.calls > depth);
    memory_free(seen.copy);
    memory_free(input);
    network_destroy(&network);
    model_destroy(&seen.model);
    close_backend(&bench);
}

static void named_gradients_are_final(void **state)
{
    (void)state;
    check("ref", 18, RECOMPUTE_OFF);
    for (int depth = 18; depth <= 50; depth += 32) {
        check("portable", depth, RECOMPUTE_OFF);
        check("portable", depth, RECOMPUTE_ON);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(named_gradients_are_final),
    };
    return run_cases(tests, NULL, NULL);
}
