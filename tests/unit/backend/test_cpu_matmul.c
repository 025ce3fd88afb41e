/* Dense products of the cpu backend, every kernel this CPU runs, against plain loops in double. */
#include "support/run.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "backend/cpu/cpu.h"
#include "backend/cpu/matmul/matmul.h"
#include "base/memory.h"
#include "base/pool.h"
#include "support/random.h"

static float *matrix(int rows, int stride)
{
    float *values = memory_array((size_t)rows * (size_t)stride + 1, sizeof *values);
    assert_non_null(values);
    random_floats(values, (size_t)rows * (size_t)stride, (uint32_t)(rows * 1000 + stride));
    return values;
}

/* like: sizes, transposition, alpha and beta. */
static void check_product(struct backend *backend, const struct matmul_args *like)
{
    const int m = like->m, n = like->n, k = like->k;
    const bool ta = like->transpose_a, tb = like->transpose_b;
    const float alpha = like->alpha, beta = like->beta;
    const int lda = (ta ? m : k) + 3, ldb = (tb ? k : n) + 1, ldc = n + 5;
    float *a = matrix(ta ? k : m, lda), *b = matrix(tb ? n : k, ldb), *c = matrix(m, ldc);
    float *before = memory_array((size_t)m * (size_t)ldc, sizeof *before);
    assert_non_null(before);
    memcpy(before, c, (size_t)m * (size_t)ldc * sizeof *c);
    if (beta == 0.0f)
        for (int i = 0; i < m; i++)
            for (int j = 0; j < n; j++) c[i * ldc + j] = NAN; /* must not be read */
    struct matmul_args args = *like;
    args.a = a, args.lda = lda;
    args.b = b, args.ldb = ldb;
    args.c = c, args.ldc = ldc;
    cpu_matmul(backend, &args);
    for (int i = 0; i < m; i++)
        for (int j = 0; j < ldc; j++) {
            double want = (double)before[i * ldc + j], bound = 0;
            if (j < n) {
                double sum = 0;
                for (int p = 0; p < k; p++) {
                    const double x =
                        (double)a[ta ? p * lda + i : i * lda + p] * (double)b[tb ? j * ldb + p : p * ldb + j];
                    sum += x;
                    bound += fabs(x);
                }
                bound += fabs(want);
                want = (double)alpha * sum + (double)beta * want;
            }
            if (!(fabs((double)c[i * ldc + j] - want) <= 1e-6 * bound * (1 + fabs((double)alpha))))
                fail_msg("%d x %d x %d, element (%d, %d): %g, should be %g", m, n, k, i, j, (double)c[i * ldc + j],
                         want);
        }
    memory_free(a);
    memory_free(b);
    memory_free(c);
    memory_free(before);
}

static void test_products(void **state)
{
    (void)state;
    static const int SIZES[][3] = {{1, 1, 1},    {8, 32, 16}, {7, 33, 5},    {13, 3, 300}, {200, 40, 17},
                                   {40, 800, 9}, {3, 5, 0},   {65, 65, 260}, {1, 100, 64}, {100, 1, 64}};
    for (const char *const *variant = simd_words(); *variant; variant++) {
        if (!simd_runs(*variant)) continue;
        for (int threads = 1; threads <= 3; threads += 2) {
            struct pool *pool;
            struct backend *backend = NULL;
            struct error error;
            if (pool_create(&pool, threads, &error) != SIMCLR_OK) fail_msg("%s", error.text);
            enum simd simd;
            if (simd_choose(*variant, *variant, &simd, &error) != SIMCLR_OK ||
                cpu_backend_create(simd, pool, &backend, &error) != SIMCLR_OK)
                fail_msg("%s", error.text);
            if (cpu_reserve_scratch(cpu_backend_of(backend), cpu_matmul_scratch(), &error) != SIMCLR_OK)
                fail_msg("%s", error.text);
            for (size_t i = 0; i < sizeof SIZES / sizeof SIZES[0]; i++)
                for (int flags = 0; flags < 4; flags++) {
                    const int *s = SIZES[i];
                    struct matmul_args like = {.m = s[0], .n = s[1], .k = s[2], .alpha = 1.0f};
                    like.transpose_a = flags & 1, like.transpose_b = flags & 2;
                    check_product(backend, &like);
                    like.alpha = -2.5f, like.beta = 0.5f;
                    check_product(backend, &like);
                }
            backend->ops->destroy(backend);
            pool_destroy(&pool);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_products)};
    return run_cases(tests, NULL, NULL);
}
