/* The parameter table: layout, refusals, initialisation, hash; conversions to bf16. */
#include "support/network_check.h"

#include "base/memory.h"

static int add(struct parameters *parameters, const char *name, int rank, const int *dims, unsigned flags,
               enum parameter_init init, int fan_in)
{
    struct error error = {0};
    struct parameter_form form = {.rank = rank, .flags = flags, .init = init, .fan_in = fan_in};
    for (int d = 0; d < rank && d < 4; d++) form.dims[d] = dims[d];
    return parameters_add(parameters, name, &form, &error);
}

static void test_layout(void **state)
{
    (void)state;
    struct parameters table = {0};
    struct error error = {0};
    assert_int_equal(add(&table, "a", 4, (int[]){3, 5, 3, 3}, PARAMETER_DECAY, INIT_ONE, 1), 0);
    assert_int_equal(add(&table, "a.mean", 1, (int[]){17}, PARAMETER_BUFFER, INIT_ZERO, 0), 1);
    assert_int_equal(add(&table, "b", 2, (int[]){1, 1}, PARAMETER_HEAD, INIT_ONE, 0), 2);
    assert_int_equal(table.items[0].offset, 0);
    assert_int_equal(table.items[2].offset, 144); /* 135 rounded up to 16 */
    assert_int_equal(table.weight_count, 160);
    assert_int_equal(table.items[1].offset, 0);
    assert_int_equal(table.buffer_count, 32);
    CHECK_OK(parameters_allocate(&table, NULL, &error), error);
    assert_ptr_equal(parameter_weights(&table, 2), table.weights + 144);
    assert_ptr_equal(parameter_gradients(&table, 2), table.gradients + 144);
    assert_ptr_equal(parameter_weights(&table, 1), table.buffers);
    assert_null(parameter_gradients(&table, 1));
    assert_int_equal(parameters_find(&table, "b"), 2);
    assert_int_equal(parameters_find(&table, "c"), -1);
    parameters_initialize(&table, 1);
    assert_true(table.weights[134] == 1 && table.weights[135] == 0 && table.weights[144] == 1);
    assert_int_equal(add(&table, "late", 1, (int[]){1}, 0, INIT_ONE, 0), SIMCLR_INVALID);
    assert_int_equal(parameters_allocate(&table, NULL, &error), SIMCLR_INVALID);
    parameters_free(&table);
    assert_int_equal(table.count, 0);
}

static void test_refusals(void **state)
{
    (void)state;
    struct parameters table = {0};
    char longest[97];
    memset(longest, 'n', 96);
    longest[96] = '\0';
    assert_int_equal(add(&table, "a", 1, (int[]){4}, 0, INIT_ONE, 0), 0);
    assert_int_equal(add(&table, "a", 1, (int[]){4}, 0, INIT_ONE, 0), SIMCLR_INVALID);
    assert_int_equal(add(&table, "", 1, (int[]){4}, 0, INIT_ONE, 0), SIMCLR_INVALID);
    assert_int_equal(add(&table, longest, 1, (int[]){4}, 0, INIT_ONE, 0), SIMCLR_INVALID);
    assert_int_equal(add(&table, longest + 1, 1, (int[]){4}, 0, INIT_ONE, 0), 1);
    assert_int_equal(add(&table, "b", 0, (int[]){4}, 0, INIT_ONE, 0), SIMCLR_INVALID);
    assert_int_equal(add(&table, "b", 5, (int[]){1, 1, 1, 1, 1}, 0, INIT_ONE, 0), SIMCLR_INVALID);
    assert_int_equal(add(&table, "b", 2, (int[]){4, 0}, 0, INIT_ONE, 0), SIMCLR_INVALID);
    assert_int_equal(add(&table, "b", 2, (int[]){4, -1}, 0, INIT_ONE, 0), SIMCLR_INVALID);
    assert_int_equal(add(&table, "b", 3, (int[]){65536, 65536, 65536}, 0, INIT_ONE, 0), SIMCLR_INVALID);
    assert_int_equal(add(&table, "b", 1, (int[]){4}, 0, INIT_TRUNCATED_NORMAL, 0), SIMCLR_INVALID);
    assert_int_equal(table.count, 2);
    parameters_free(&table);
}

struct moments {
    double mean, variance, largest;
};
static struct moments measure(const float *values, size_t count)
{
    struct moments out = {0, 0, 0};
    for (size_t i = 0; i < count; i++) out.mean += values[i] / (double)count;
    for (size_t i = 0; i < count; i++) {
        out.variance += (values[i] - out.mean) * (values[i] - out.mean) / (double)count;
        out.largest = fmax(out.largest, fabs((double)values[i]));
    }
    return out;
}

static void test_initialization(void **state)
{
    (void)state;
    struct error error = {0};
    struct parameters table = {0};
    const int fan_in = 64 * 9;
    add(&table, "conv", 4, (int[]){128, 64, 3, 3}, 0, INIT_TRUNCATED_NORMAL, fan_in);
    add(&table, "dense", 2, (int[]){256, 256}, 0, INIT_NORMAL_001, 256);
    add(&table, "conv2", 4, (int[]){128, 64, 3, 3}, 0, INIT_TRUNCATED_NORMAL, fan_in);
    add(&table, "var", 1, (int[]){8}, PARAMETER_BUFFER, INIT_ONE, 0);
    CHECK_OK(parameters_allocate(&table, NULL, &error), error);
    parameters_initialize(&table, 7);
    const float *conv = parameter_weights(&table, 0), *dense = parameter_weights(&table, 1);
    struct moments moments = measure(conv, table.items[0].count);
    double deviation = sqrt(1.0 / fan_in);
    assert_true(fabs(moments.mean) < 4 * deviation / sqrt((double)table.items[0].count));
    assert_true(fabs(moments.variance * fan_in - 1) < 0.02); /* 73728 values: 4 standard errors are 1.7 % */
    double bound = 2 * deviation / 0.87962566103423978;
    assert_true(moments.largest <= bound * 1.000001 && moments.largest > 0.99 * bound);
    moments = measure(dense, table.items[1].count);
    assert_true(fabs(moments.variance / 1e-4 - 1) < 0.025 && moments.largest > 0.035);
    assert_true(memcmp(conv, parameter_weights(&table, 2), 64) != 0); /* another name, other numbers */
    assert_true(parameter_weights(&table, 3)[7] == 1);

    float first = conv[0];
    table.gradients[3] = 5;
    parameters_initialize(&table, 8);
    assert_true(conv[0] != first && table.gradients[3] == 0);
    parameters_initialize(&table, 7);
    assert_true(conv[0] == first);
    parameters_free(&table);
}

static void test_hash(void **state)
{
    (void)state;
    struct error error = {0};
    struct parameters table = {0};
    add(&table, "conv", 1, (int[]){40}, 0, INIT_NORMAL_001, 1);
    add(&table, "mean", 1, (int[]){40}, PARAMETER_BUFFER, INIT_ZERO, 0);
    add(&table, "head", 1, (int[]){40}, PARAMETER_HEAD, INIT_NORMAL_001, 1);
    CHECK_OK(parameters_allocate(&table, NULL, &error), error);
    parameters_initialize(&table, 1);
    uint64_t before = parameters_encoder_hash(&table);
    parameter_weights(&table, 2)[3] = 9;
    assert_true(parameters_encoder_hash(&table) == before);
    parameter_weights(&table, 0)[39] += 1e-7f;
    uint64_t changed = parameters_encoder_hash(&table);
    assert_true(changed != before);
    parameter_weights(&table, 1)[0] = 1;
    assert_true(parameters_encoder_hash(&table) != changed);
    parameters_free(&table);
}

static void test_no_memory(void **state)
{
    (void)state;
    struct error error = {0};
    struct parameters table = {0};
    memory_fail_after(1);
    int status = add(&table, "a", 1, (int[]){4}, 0, INIT_ONE, 0);
    memory_fail_after(0);
    assert_int_equal(status, SIMCLR_NO_MEMORY);
    add(&table, "a", 1, (int[]){4}, 0, INIT_ONE, 0);
    for (long n = 1; n <= 3; n++) {
        memory_fail_after(n);
        status = parameters_allocate(&table, NULL, &error);
        memory_fail_after(0);
        assert_int_equal(status, SIMCLR_NO_MEMORY);
        assert_null(table.weights);
    }
    parameters_free(&table);
}

static void test_bf16(void **state)
{
    (void)state;
    assert_int_equal(bf16_from_float(1.0f), 0x3f80);
    assert_int_equal(bf16_from_float(1.00390625f), 0x3f80);                /* a tie goes to even, down */
    assert_int_equal(bf16_from_float(1.01171875f), 0x3f82);                /* and up */
    assert_int_equal(bf16_from_float(nextafterf(1.00390625f, 2)), 0x3f81); /* just above a tie */
    assert_int_equal(bf16_from_float(-INFINITY), 0xff80);
    assert_int_equal(bf16_from_float(3.4e38f), 0x7f80); /* rounds to infinity */
    assert_true(isnan(bf16_to_float(bf16_from_float(NAN))));
    uint32_t bits = 0x7f800001u; /* a NaN whose upper half is infinity */
    float nan;
    memcpy(&nan, &bits, sizeof nan);
    assert_true(isnan(bf16_to_float(bf16_from_float(nan))));
    for (uint32_t i = 0; i < 0x10000u; i++) {
        float value = bf16_to_float((uint16_t)i);
        if (!isnan(value)) assert_int_equal(bf16_from_float(value), i);
    }
    assert_string_equal(dtype_name(DTYPE_BF16), "bf16");
    assert_string_equal(dtype_name(DTYPE_F32), "float32");
    assert_string_equal(dtype_name(DTYPE_F64), "float64");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layout), cmocka_unit_test(test_refusals),  cmocka_unit_test(test_initialization),
        cmocka_unit_test(test_hash),   cmocka_unit_test(test_no_memory), cmocka_unit_test(test_bf16),
    };
    return run_cases(tests, NULL, NULL);
}
