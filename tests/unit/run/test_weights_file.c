/* Safetensors of other precision seen as float32; what is float32 already stays the file it was. */
#include "support/run.h"

#include "base/bf16.h"
#include "base/file.h"
#include "base/half.h"
#include "base/memory.h"
#include "run/weights_file.h"
#include "support/folder.h"

static const struct log silent = {0};

static void write_tensors(const char *name, const struct safetensors_entry *entries, int count)
{
    struct error error = {0};
    if (safetensors_write(at("%s", name), entries, count, NULL, 0, &error)) fail_msg("%s", error.text);
}

static struct safetensors *open_wide(const char *name)
{
    struct safetensors *file;
    struct error error = {0};
    if (weights_file_open(&file, at("%s", name), &silent, &error)) fail_msg("%s", error.text);
    if (weights_file_widen(&file, at("%s", name), &error)) fail_msg("%s", error.text);
    return file;
}

static const void *load(const struct safetensors *file, const char *name, enum safetensors_dtype dtype, size_t bytes)
{
    struct error error = {0};
    const struct safetensors_entry *entry = safetensors_find(file, name);
    assert_non_null(entry);
    assert_int_equal(entry->dtype, dtype);
    assert_int_equal(entry->bytes, bytes);
    if (safetensors_load(file, entry, &error)) fail_msg("%s", error.text);
    return entry->data;
}

static const float values[6] = {1, -2.5f, 0.1f, 65504, 3e-6f, -0.0f};

static void test_widened(void **state)
{
    (void)state;
    uint16_t halves[6], brains[6];
    double doubles[6];
    const int64_t counter = 77;
    for (int i = 0; i < 6; i++) {
        halves[i] = half_from_float(values[i]);
        brains[i] = bf16_from_float(values[i]);
        doubles[i] = (double)values[i];
    }
    const struct safetensors_entry entries[] = {
        {.name = "half", .dtype = ST_F16, .rank = 2, .dims = {2, 3}, .data = halves, .bytes = sizeof halves},
        {.name = "brain", .dtype = ST_BF16, .rank = 2, .dims = {3, 2}, .data = brains, .bytes = sizeof brains},
        {.name = "double", .dtype = ST_F64, .rank = 1, .dims = {6}, .data = doubles, .bytes = sizeof doubles},
        {.name = "float", .dtype = ST_F32, .rank = 1, .dims = {6}, .data = values, .bytes = sizeof values},
        {.name = "counter", .dtype = ST_I64, .data = &counter, .bytes = sizeof counter},
        {.name = "empty", .dtype = ST_F16, .rank = 2, .dims = {0, 3}, .data = halves, .bytes = 0},
    };
    write_tensors("mixed.safetensors", entries, 6);
    struct safetensors *file = open_wide("mixed.safetensors");
    assert_int_equal(safetensors_count(file), 6);
    const float *half = load(file, "half", ST_F32, sizeof values), *brain = load(file, "brain", ST_F32, sizeof values);
    for (int i = 0; i < 6; i++) {
        assert_true(half[i] == half_to_float(halves[i]));
        assert_true(brain[i] == bf16_to_float(brains[i]));
    }
    assert_memory_equal(load(file, "double", ST_F32, sizeof values), values, sizeof values);
    assert_memory_equal(load(file, "float", ST_F32, sizeof values), values, sizeof values);
    assert_memory_equal(load(file, "counter", ST_I64, sizeof counter), &counter, sizeof counter);
    load(file, "empty", ST_F32, 0);
    assert_string_equal(safetensors_find(file, "half")->stored, "float16");
    assert_string_equal(safetensors_find(file, "brain")->stored, "bfloat16");
    assert_string_equal(safetensors_find(file, "double")->stored, "float64");
    assert_null(safetensors_find(file, "float")->stored);
    assert_int_equal(safetensors_find(file, "half")->dims[1], 3);
    safetensors_close(&file);
}

static void test_untouched(void **state)
{
    (void)state;
    struct safetensors *file, *before;
    struct error error = {0};
    const struct safetensors_entry entry = {
        .name = "float", .dtype = ST_F32, .rank = 1, .dims = {6}, .data = values, .bytes = sizeof values};
    write_tensors("float.safetensors", &entry, 1);
    assert_int_equal(weights_file_open(&file, at("float.safetensors"), &silent, &error), SIMCLR_OK);
    before = file;
    assert_int_equal(weights_file_widen(&file, "float", &error), SIMCLR_OK);
    assert_ptr_equal(file, before);
    safetensors_close(&file);
}

/* Its checksum is of the bytes as they lie there: it is looked at before they are seen as others. */
static void test_damaged(void **state)
{
    (void)state;
    const uint16_t halves[2] = {1, 2};
    const struct safetensors_entry entry = {
        .name = "half", .dtype = ST_F16, .rank = 1, .dims = {2}, .data = halves, .bytes = sizeof halves};
    struct safetensors *file;
    struct error error = {0};
    uint8_t *bytes;
    size_t count;
    write_tensors("half.safetensors", &entry, 1);
    assert_int_equal(file_read(at("half.safetensors"), 1 << 20, &bytes, &count, &error), SIMCLR_OK);
    bytes[count - 1] ^= 1;
    assert_int_equal(file_write_atomic(at("half.safetensors"), bytes, count, &error), SIMCLR_OK);
    memory_free(bytes);
    assert_int_equal(weights_file_open(&file, at("half.safetensors"), &silent, &error), SIMCLR_OK);
    assert_int_equal(weights_file_widen(&file, "half", &error), SIMCLR_CORRUPT);
    assert_null(file);
}

static void test_no_memory(void **state)
{
    (void)state;
    const uint16_t halves[2] = {1, 2};
    const struct safetensors_entry entry = {
        .name = "half", .dtype = ST_F16, .rank = 1, .dims = {2}, .data = halves, .bytes = sizeof halves};
    int status = SIMCLR_NO_MEMORY, failed = 0;
    write_tensors("half.safetensors", &entry, 1);
    for (long n = 1; status == SIMCLR_NO_MEMORY; n++) {
        struct safetensors *file;
        struct error error = {0};
        assert_int_equal(weights_file_open(&file, at("half.safetensors"), &silent, &error), SIMCLR_OK);
        memory_fail_after(n);
        status = weights_file_widen(&file, "half", &error);
        if (!status) status = safetensors_load(file, safetensors_at(file, 0), &error);
        memory_fail_after(0);
        safetensors_close(&file);
        failed += status == SIMCLR_NO_MEMORY;
    }
    assert_int_equal(status, SIMCLR_OK);
    assert_true(failed >= 5); /* the list twice, the file, its path, the values */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_widened),
        cmocka_unit_test(test_untouched),
        cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_no_memory),
    };
    return run_cases(tests, make_folder, remove_folder);
}
