/* Cross entropy against a plain formula and differences; NT-Xent's plan, refusals and chance level. */
#include "support/network_check.h"

#include "base/memory.h"
#include "base/rng.h"
#include "loss/cross_entropy.h"
#include "loss/nt_xent.h"

static int create(struct nt_xent **out, struct backend *backend, int images, int dim, float temperature,
                  struct error *error)
{
    const struct nt_xent_config config = {
        .shares = {.images = images, .group = images, .ranks = 1}, .dim = dim, .temperature = temperature};
    return nt_xent_create(out, backend, &config, error);
}

/* On ref and on cpu, which agree to the bit. d: canonical [rows][classes] or NULL. */
static void entropy(struct cross_entropy_result *result, float *d, const float *logits, const int32_t *labels, int rows,
                    int classes)
{
    const struct tensor_desc desc = {.batch = rows, .channels = classes, .height = 1, .width = 1};
    const size_t count = tensor_elements(&desc);
    struct cross_entropy_result results[2];
    float *gradients[2] = {memory_array(count, sizeof(float)), memory_array(count, sizeof(float))};
    for (int i = 0; i < 2; i++) {
        struct error error = {0};
        struct bench_backend bench = open_backend(i ? "portable" : "ref");
        struct backend *backend = bench.backend;
        struct cross_entropy *loss;
        CHECK_OK(cross_entropy_create(&loss, backend, rows, classes, &error), error);
        const size_t bytes = backend->ops->tensor_bytes(backend, &desc);
        void *x = backend->ops->allocate(backend, bytes, &error), *d_x = backend->ops->allocate(backend, bytes, &error);
        assert_true(x && d_x && gradients[i]);
        backend->ops->tensor_write(backend, &desc, x, logits);
        cross_entropy_set_labels(loss, labels, rows);
        cross_entropy_run(loss, &results[i], d ? d_x : NULL, x);
        backend->ops->tensor_read(backend, &desc, gradients[i], d_x);
        backend->ops->release(backend, x);
        backend->ops->release(backend, d_x);
        cross_entropy_destroy(&loss);
        close_backend(&bench);
    }
    assert_memory_equal(&results[0], &results[1], sizeof results[0]);
    assert_memory_equal(gradients[0], gradients[1], count * sizeof(float));
    *result = results[0];
    if (d) memcpy(d, gradients[0], count * sizeof *d);
    memory_free(gradients[0]);
    memory_free(gradients[1]);
}

static void test_cross_entropy(void **state)
{
    (void)state;
    enum { ROWS = 7, CLASSES = 9 };
    float logits[ROWS * CLASSES], gradient[ROWS * CLASSES];
    int32_t labels[ROWS] = {0, 3, 8, -1, 3, 9, 5};
    struct rng rng = rng_open(3, RNG_TEST, 0, 0, 0);
    for (int i = 0; i < ROWS * CLASSES; i++) logits[i] = (float)(3 * rng_normal(&rng));
    struct cross_entropy_result result, plus, minus;
    entropy(&result, gradient, logits, labels, ROWS, CLASSES);
    double loss = 0, top1 = 0, top5 = 0;
    for (int i = 0; i < ROWS; i++) {
        if (labels[i] < 0 || labels[i] >= CLASSES) continue;
        double sum = 0;
        int better = 0;
        for (int k = 0; k < CLASSES; k++) {
            sum += exp((double)logits[i * CLASSES + k]);
            better += logits[i * CLASSES + k] > logits[i * CLASSES + labels[i]];
        }
        loss += (log(sum) - logits[i * CLASSES + labels[i]]) / 5;
        top1 += (better == 0) / 5.0;
        top5 += (better < 5) / 5.0;
    }
    assert_true(fabs(result.loss - loss) < 1e-9);
    assert_true(fabs(result.top1 - top1) < 1e-12 && fabs(result.top5 - top5) < 1e-12);
    for (int i = 0; i < ROWS * CLASSES; i++) {
        const float step = 0x1p-10f, saved = logits[i];
        logits[i] = saved + step;
        entropy(&plus, NULL, logits, labels, ROWS, CLASSES);
        double up = logits[i];
        logits[i] = saved - step;
        entropy(&minus, NULL, logits, labels, ROWS, CLASSES);
        double numeric = (plus.loss - minus.loss) / (up - logits[i]);
        logits[i] = saved;
        assert_true(fabs(numeric - gradient[i]) < 1e-6);
    }
    for (int k = 0; k < CLASSES; k++) assert_true(gradient[3 * CLASSES + k] == 0 && gradient[5 * CLASSES + k] == 0);
}

static void test_cross_entropy_edges(void **state)
{
    (void)state;
    struct cross_entropy_result result;
    float d[8];
    const float equal[6] = {1, 1, 1, 1, 1, 1}; /* ties go to the lower class */
    entropy(&result, NULL, equal, (int32_t[]){0}, 1, 6);
    assert_true(result.top1 == 1 && result.top5 == 1 && fabs(result.loss - log(6)) < 1e-12);
    entropy(&result, NULL, equal, (int32_t[]){4}, 1, 6);
    assert_true(result.top1 == 0 && result.top5 == 1);
    entropy(&result, NULL, equal, (int32_t[]){5}, 1, 6);
    assert_true(result.top5 == 0);
    const float huge[2] = {3e38f, -3e38f};
    entropy(&result, d, huge, (int32_t[]){0}, 1, 2);
    assert_true(result.loss == 0 && d[0] == 0 && d[1] == 0);
    entropy(&result, d, huge, (int32_t[]){1}, 1, 2);
    assert_true(result.loss > 5e38 && d[0] == 1 && d[1] == -1);
    const float broken[3] = {1, NAN, 2};
    entropy(&result, NULL, broken, (int32_t[]){2}, 1, 3);
    assert_true(isnan(result.loss) && result.top1 == 0);
    entropy(&result, NULL, broken, (int32_t[]){1}, 1, 3);
    assert_true(result.top1 == 0);
    entropy(&result, d, equal, (int32_t[]){-1}, 1, 6);
    assert_true(result.loss == 0 && result.top1 == 0 && d[5] == 0);
}

static void test_nt_xent(void **state)
{
    (void)state;
    struct bench_backend bench = open_backend("ref");
    struct error error = {0};
    struct nt_xent *loss;
    const float temperatures[] = {0, -0.1f, NAN, INFINITY};
    for (int i = 0; i < 4; i++)
        assert_int_equal(create(&loss, bench.backend, 4, 8, temperatures[i], &error), SIMCLR_INVALID);
    assert_non_null(strstr(error.text, "temperature"));
    assert_int_equal(create(&loss, bench.backend, 0, 8, 0.5f, &error), SIMCLR_INVALID);
    assert_int_equal(create(&loss, bench.backend, 4, 0, 0.5f, &error), SIMCLR_INVALID);
    assert_null(loss);
    assert_true(fabs(nt_xent_chance(256) - log(511)) < 1e-12);

    CHECK_OK(create(&loss, bench.backend, 2, 2, 0.5f, &error), error);
    const float z[8] = {1, 0, 0, 3, 2, 0, 0, 1}; /* two orthogonal pairs; ref's layout is canonical */
    float d_z[8];
    struct nt_xent_result result;
    assert_int_equal(tensor_elements(nt_xent_tensor(loss)), 8);
    nt_xent_run(loss, &result, d_z, z);
    double expected = -2 + log(exp(2) + 2); /* positive similarity 1, two negatives 0, tau 0.5 */
    assert_true(fabs(result.loss - expected) < 1e-6);
    assert_true(result.top1 == 1 && fabs(result.positive_similarity - 1) < 1e-6 &&
                fabs(result.negative_similarity) < 1e-6);
    for (int i = 0; i < 4; i++) /* the loss does not depend on lengths: gradients are orthogonal to their rows */
        assert_true(fabs((double)z[2 * i] * d_z[2 * i] + (double)z[2 * i + 1] * d_z[2 * i + 1]) < 1e-6);
    nt_xent_destroy(&loss);
    assert_null(loss);
    close_backend(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cross_entropy),
        cmocka_unit_test(test_cross_entropy_edges),
        cmocka_unit_test(test_nt_xent),
    };
    return run_cases(tests, NULL, NULL);
}
