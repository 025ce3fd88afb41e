/* Checkpoints of PyTorch from archive to values: types and strides, what shares or lacks a storage, what is no tensor.
 * Archives are written here, member by member; tests/system/test_foreign.sh has whole ones of other programs. */
#include "support/run.h"

#include <math.h>

#include "base/error.h"
#include "base/memory.h"
#include "data/bytes/zip_write.h"
#include "run/torch/torch.h"
#include "run/weights_file.h"
#include "support/folder.h"

/* ---- pickles, opcode by opcode ----------------------------------------------------------------------------------- */

struct code {
    uint8_t bytes[4096];
    size_t count;
};

static void put(struct code *code, const void *bytes, size_t count)
{
    assert_true(code->count + count <= sizeof code->bytes);
    memcpy(code->bytes + code->count, bytes, count);
    code->count += count;
}

static void put_words(struct code *code, const char *words)
{
    put(code, words, strlen(words));
}

static void put_text(struct code *code, const char *text)
{
    const uint8_t head[5] = {'X', (uint8_t)strlen(text), 0, 0, 0};
    put(code, head, sizeof head);
    put_words(code, text);
}

/* LONG1 of eight bytes: any number. */
static void put_number(struct code *code, int64_t number)
{
    put(code, "\x8a\x08", 2);
    put(code, &number, sizeof number);
}

static void put_numbers(struct code *code, const int64_t *numbers, int count)
{
    put_words(code, "(");
    for (int i = 0; i < count; i++) put_number(code, numbers[i]);
    put_words(code, "t");
}

struct made {
    const char *name, *storage, *key; /* "FloatStorage" */
    int64_t elements, first;
    int rank;
    int64_t dims[8], strides[8];
};

static void put_tensor(struct code *code, const struct made *made)
{
    put_words(code, "ctorch._utils\n_rebuild_tensor_v2\n((");
    put_text(code, "storage");
    put_words(code, "ctorch\n");
    put_words(code, made->storage);
    put_words(code, "\n");
    put_text(code, made->key);
    put_text(code, "cuda:0");
    put_number(code, made->elements);
    put_words(code, "tQ");
    put_number(code, made->first);
    put_numbers(code, made->dims, made->rank);
    put_numbers(code, made->strides, made->rank);
    put_words(code, "\x89Nt"
                    "R");
}

/* A dict of these tensors. */
static struct code state_dict(const struct made *made, int count)
{
    struct code code = {{0}, 0};
    put_words(&code, "\x80\x02}(");
    for (int i = 0; i < count; i++) {
        put_text(&code, made[i].name);
        put_tensor(&code, &made[i]);
    }
    put_words(&code, "u.");
    return code;
}

/* ---- archives ---------------------------------------------------------------------------------------------------- */

struct member {
    const char *name;
    const void *bytes;
    size_t count;
};

static void write_archive(const struct code *code, const struct member *members, int count)
{
    struct zip_writer *zip;
    struct error error = {0};
    assert_int_equal(zip_writer_open(&zip, at("made.pth"), &error), SIMCLR_OK);
    assert_int_equal(zip_writer_add(zip, "any name/data.pkl", "", 0, code->bytes, code->count, &error), SIMCLR_OK);
    for (int i = 0; i < count; i++) {
        char name[64];
        snprintf(name, sizeof name, "any name/%s", members[i].name);
        assert_int_equal(zip_writer_add(zip, name, "", 0, members[i].bytes, members[i].count, &error), SIMCLR_OK);
    }
    assert_int_equal(zip_writer_commit(&zip, &error), SIMCLR_OK);
}

static struct safetensors *open_good(struct torch_told *told)
{
    struct safetensors *file;
    struct error error = {0};
    if (torch_open(&file, told, at("made.pth"), &error)) fail_msg("%s", error.text);
    assert_non_null(file);
    return file;
}

static void check_refused(const char *words)
{
    struct safetensors *file;
    struct torch_told told;
    struct error error = {0};
    assert_int_equal(torch_open(&file, &told, at("made.pth"), &error), SIMCLR_CORRUPT);
    assert_null(file);
    if (!strstr(error.text, words)) fail_msg("\"%s\" lacks \"%s\"", error.text, words);
}

static const void *values_of(const struct safetensors *file, const char *name, enum safetensors_dtype dtype)
{
    struct error error = {0};
    const struct safetensors_entry *entry = safetensors_find(file, name);
    assert_non_null(entry);
    assert_int_equal(entry->dtype, dtype);
    assert_null(entry->data);
    if (safetensors_load(file, entry, &error)) fail_msg("%s", error.text);
    assert_non_null(entry->data);
    return entry->data;
}

enum { NESTING = 101 }; /* lists, one within another: as deep as it may be */

/* ---- cases ------------------------------------------------------------------------------------------------------- */

/* Every kind of storage; the numbers of float16 are IEEE 754's corners. */
static void test_types(void **state)
{
    (void)state;
    static const uint16_t halves[] = {0x3C00, 0xC000, 0x7BFF, 0x0400, 0x0001, 0x8000, 0x7C00, 0x83FF};
    static const float expected[] = {1, -2, 65504, 0x1p-14f, 0x1p-24f, -0.0f, INFINITY, -1023 * 0x1p-24f};
    static const uint16_t brains[] = {0x3F80, 0xC049, 0x0001};
    static const double doubles[] = {0.1, -1e300, 1 + 0x1p-24 + 0x1p-40};
    static const int32_t ints[] = {-7, INT32_MAX};
    static const int16_t shorts[] = {-300};
    static const int8_t chars[] = {-5};
    static const int64_t longs[] = {INT64_MIN};
    static const float floats[] = {9, 0x1.234568p-3f};
    static const struct made made[] = {
        {"half", "HalfStorage", "h", 8, 0, 1, {8}, {1}},
        {"brain", "BFloat16Storage", "b", 3, 0, 1, {3}, {1}},
        {"double", "DoubleStorage", "d", 3, 0, 1, {3}, {1}},
        {"int", "IntStorage", "i", 2, 0, 1, {2}, {1}},
        {"short", "ShortStorage", "s", 1, 0, 0, {0}, {0}},
        {"char", "CharStorage", "c", 1, 0, 0, {0}, {0}},
        {"long", "LongStorage", "l", 1, 0, 0, {0}, {0}},
        {"float", "FloatStorage", "f", 2, 1, 1, {1}, {INT64_MAX}},
        {"complex", "ComplexFloatStorage", "x", 9, 0, 1, {9}, {1}},
    };
    const struct member members[] = {
        {"data/h", halves, sizeof halves}, {"data/b", brains, sizeof brains}, {"data/d", doubles, sizeof doubles},
        {"data/i", ints, sizeof ints},     {"data/s", shorts, sizeof shorts}, {"data/c", chars, sizeof chars},
        {"data/l", longs, sizeof longs},   {"data/f", floats, sizeof floats}, {"byteorder", "little", 6}};
    const struct code code = state_dict(made, 9);
    struct torch_told told;
    write_archive(&code, members, 9);
    struct safetensors *file = open_good(&told);
    assert_int_equal(safetensors_count(file), 9);
    assert_int_equal(told.globals, 1); /* the storage of complex numbers */
    assert_memory_equal(values_of(file, "half", ST_F32), expected, sizeof expected);
    assert_string_equal(safetensors_find(file, "half")->stored, "float16");
    const float *brain = values_of(file, "brain", ST_F32);
    assert_true(brain[0] == 1 && brain[1] == -3.140625f && brain[2] == 0x1p-133f);
    const float *rounded = values_of(file, "double", ST_F32);
    assert_true(rounded[0] == 0.1f && isinf(rounded[1]) && rounded[2] == 1 + 0x1p-23f);
    const int64_t *whole = values_of(file, "int", ST_I64);
    assert_true(whole[0] == -7 && whole[1] == INT32_MAX);
    assert_true(*(const int64_t *)values_of(file, "short", ST_I64) == -300);
    assert_true(*(const int64_t *)values_of(file, "char", ST_I64) == -5);
    assert_true(*(const int64_t *)values_of(file, "long", ST_I64) == INT64_MIN);
    assert_memory_equal(values_of(file, "float", ST_F32), floats + 1, sizeof *floats);
    assert_null(safetensors_find(file, "float")->stored);
    struct error error = {0};
    const struct safetensors_entry *other = safetensors_find(file, "complex");
    assert_int_equal(other->dtype, ST_OTHER);
    assert_int_equal(safetensors_load(file, other, &error), SIMCLR_CORRUPT);
    assert_non_null(strstr(error.text, "of a type that is not read"));
    safetensors_close(&file);
}

/* Transposed, every other one, broadcast, empty; all out of one storage. */
static void test_strides(void **state)
{
    (void)state;
    static const float storage[12] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
    static const struct made made[] = {
        {"transposed", "FloatStorage", "0", 12, 0, 2, {4, 3}, {1, 4}},
        {"steps", "FloatStorage", "0", 12, 1, 2, {2, 2}, {6, 2}},
        {"broadcast", "FloatStorage", "0", 12, 11, 2, {2, 2}, {0, 0}},
        {"empty", "FloatStorage", "0", 12, 12, 3, {2, 0, 4}, {9, 9, 9}},
        {"last", "FloatStorage", "0", 12, 11, 0, {0}, {0}},
    };
    static const float transposed[] = {0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11}, steps[] = {1, 3, 7, 9},
                       broadcast[] = {11, 11, 11, 11};
    const struct member member = {"data/0", storage, sizeof storage};
    const struct code code = state_dict(made, 5);
    struct torch_told told;
    write_archive(&code, &member, 1);
    struct safetensors *file = open_good(&told);
    assert_memory_equal(values_of(file, "transposed", ST_F32), transposed, sizeof transposed);
    assert_memory_equal(values_of(file, "steps", ST_F32), steps, sizeof steps);
    assert_memory_equal(values_of(file, "broadcast", ST_F32), broadcast, sizeof broadcast);
    assert_int_equal(safetensors_find(file, "empty")->bytes, 0);
    values_of(file, "empty", ST_F32);
    assert_true(*(const float *)values_of(file, "last", ST_F32) == 11);
    safetensors_close(&file);
}

static void test_refused(void **state)
{
    (void)state;
    static const float storage[12];
    static const struct {
        struct made made;
        const char *words;
    } cases[] = {
        {{"t", "FloatStorage", "0", 12, 0, 1, {13}, {1}}, "tensor t reaches beyond its storage"},
        {{"t", "FloatStorage", "0", 12, 12, 0, {0}, {0}}, "reaches beyond its storage"},
        {{"t", "FloatStorage", "0", 12, 0, 2, {2, 2}, {9, 3}}, "reaches beyond its storage"},
        {{"t", "FloatStorage", "0", 12, -1, 0, {0}, {0}}, "begins before its storage"},
        {{"t", "FloatStorage", "0", -1, 0, 0, {0}, {0}}, "begins before its storage"},
        {{"t", "FloatStorage", "0", 12, 0, 1, {-1}, {1}}, "a negative size or stride"},
        {{"t", "FloatStorage", "0", 12, 0, 1, {2}, {-1}}, "a negative size or stride"},
        {{"t", "FloatStorage", "0", 12, 0, 2, {3, 3}, {INT64_MAX, 1}}, "strides that overflow"},
        {{"t", "FloatStorage", "0", 12, 1, 1, {2}, {INT64_MAX}}, "strides that overflow"},
        {{"t", "FloatStorage", "0", 12, 0, 2, {INT64_MAX, 3}, {0, 0}}, "more elements than memory can hold"},
        {{"t", "FloatStorage", "0", 12, 0, 1, {INT64_MAX / 2}, {0}}, "more elements than memory can hold"},
        {{"t", "FloatStorage", "0", INT64_MAX, 0, 0, {0}, {0}}, "more elements than memory can hold"},
        {{"t", "FloatStorage", "1", 12, 0, 0, {0}, {0}}, "the storage of tensor t is missing"},
        {{"t", "FloatStorage", "", 12, 0, 0, {0}, {0}}, "the storage of tensor t is missing"},
        {{"t", "FloatStorage", "../data.pkl", 12, 0, 0, {0}, {0}}, "the storage of tensor t is missing"},
        {{"t", "FloatStorage", "0", 13, 0, 0, {0}, {0}}, "has 48 bytes, not those of its elements"},
        {{"t", "DoubleStorage", "0", 12, 0, 0, {0}, {0}}, "has 48 bytes, not those of its elements"},
    };
    const struct member member = {"data/0", storage, sizeof storage};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct code code = state_dict(&cases[i].made, 1);
        write_archive(&code, &member, 1);
        check_refused(cases[i].words);
    }
    const struct made good = {"t", "FloatStorage", "0", 12, 0, 1, {12}, {1}}, twice[] = {good, good};
    struct code code = state_dict(twice, 2);
    write_archive(&code, &member, 1);
    check_refused("two tensors are called t");
    code = state_dict(&good, 1);
    const struct member big[] = {member, {"byteorder", "big", 3}};
    write_archive(&code, big, 2);
    check_refused("are not little-endian");
    const struct member pair[] = {member, {"more/data.pkl", "N.", 2}};
    write_archive(&code, pair, 2);
    check_refused("has two pickles");
    const struct member same[] = {member, member};
    write_archive(&code, same, 2);
    check_refused("two members are called any name/data/0");
}

/* What stands where a tensor should is remembered by weights' names alone; None is a module without a bias. */
static void test_others(void **state)
{
    (void)state;
    struct code code = {{0}, 0};
    put_words(&code, "\x80\x02}(");
    put_text(&code, "a.weight");
    put_words(&code, "cmine\nQuantized\n)R");
    put_text(&code, "c.weight");
    put_words(&code, "cmine\nQuantized\n)R");
    put_text(&code, "a.bias");
    put_words(&code, "N");
    put_text(&code, "b.running_mean");
    put_text(&code, "a text");
    put_text(&code, "lr");
    put_words(&code, "K\x01");
    put_text(&code, "hook");
    put_words(&code, "cposix\nsystem\n(");
    put_text(&code, "touch pwned");
    put_words(&code, "tRu.");
    struct torch_told told;
    write_archive(&code, NULL, 0);
    struct safetensors *file = open_good(&told);
    assert_int_equal(safetensors_count(file), 3);
    assert_string_equal(safetensors_find(file, "a.weight")->instead, "an object of another class");
    assert_string_equal(safetensors_find(file, "b.running_mean")->instead, "a text");
    assert_int_equal(told.globals, 2);
    assert_string_equal(told.global_names, "mine.Quantized, posix.system");
    assert_string_equal(told.running, "posix.system");
    safetensors_close(&file);
}

/* Names through dicts, lists, objects and modules; each container once, so that a loop ends. */
static void test_names(void **state)
{
    (void)state;
    static const float storage[1] = {5};
    static const struct made made = {"", "FloatStorage", "0", 1, 0, 0, {0}, {0}};
    const struct member member = {"data/0", storage, sizeof storage};
    struct code code = {{0}, 0};
    put_words(&code, "\x80\x02}q");
    put(&code, "\x00(", 2); /* {"self": itself, "list": [t, {7: t}], "net": Net(_modules={"conv1": ...})} */
    put_text(&code, "self");
    put(&code, "h\x00", 2);
    put_text(&code, "list");
    put_words(&code, "](");
    put_tensor(&code, &made);
    put_words(&code, "}K\x07");
    put_tensor(&code, &made);
    put_words(&code, "se");
    put_text(&code, "net");
    put_words(&code, "cmine\nNet\n)\x81}");
    put_text(&code, "_modules");
    put_words(&code, "ccollections\nOrderedDict\n)R");
    put_text(&code, "conv1");
    put_words(&code, "cmine\nConv\n)\x81}");
    put_text(&code, "_parameters");
    put_words(&code, "}");
    put_text(&code, "weight");
    put_words(&code, "ctorch._utils\n_rebuild_parameter\n(");
    put_tensor(&code, &made);
    put_words(&code, "\x88NtRssbssbu.");
    struct torch_told told;
    write_archive(&code, &member, 1);
    struct safetensors *file = open_good(&told);
    assert_int_equal(safetensors_count(file), 3);
    assert_true(*(const float *)values_of(file, "list.0", ST_F32) == 5);
    assert_true(*(const float *)values_of(file, "list.1.7", ST_F32) == 5);
    assert_true(*(const float *)values_of(file, "net.conv1.weight", ST_F32) == 5);
    safetensors_close(&file);

    code = (struct code){{0}, 0};
    for (int i = 0; i < NESTING; i++) put_words(&code, "]");
    for (int i = 1; i < NESTING; i++) put_words(&code, "a");
    put_words(&code, ".");
    write_archive(&code, &member, 1);
    file = open_good(&told);
    safetensors_close(&file);
    code = (struct code){{0}, 0};
    for (int i = 0; i <= NESTING; i++) put_words(&code, "]");
    for (int i = 0; i < NESTING; i++) put_words(&code, "a");
    put_words(&code, ".");
    write_archive(&code, &member, 1);
    check_refused("nested more than 100 deep");
}

/* Whatever allocation fails: a sentence, and nothing left behind. */
static void test_no_memory(void **state)
{
    (void)state;
    static const float storage[4] = {1, 2, 3, 4};
    static const struct made made = {"t", "FloatStorage", "0", 4, 0, 1, {4}, {1}};
    const struct member member = {"data/0", storage, sizeof storage};
    const struct code code = state_dict(&made, 1);
    int failed = 0, status = SIMCLR_NO_MEMORY;
    write_archive(&code, &member, 1);
    for (long n = 1; status == SIMCLR_NO_MEMORY; n++) {
        struct safetensors *file;
        struct torch_told told;
        struct error error = {0};
        memory_fail_after(n);
        status = torch_open(&file, &told, at("made.pth"), &error);
        if (!status) status = safetensors_load(file, safetensors_at(file, 0), &error);
        memory_fail_after(0);
        safetensors_close(&file);
        failed += status == SIMCLR_NO_MEMORY;
        if (status) assert_true(status == SIMCLR_NO_MEMORY && error.text[0] != '\0');
    }
    assert_int_equal(status, SIMCLR_OK);
    assert_true(failed > 15);
}

/* A zip archive that is none of PyTorch's, and other files, are told apart by their bytes. */
static void test_other_files(void **state)
{
    (void)state;
    struct zip_writer *zip;
    struct safetensors *file;
    struct torch_told told;
    struct error error = {0};
    const struct log log = {0};
    assert_int_equal(zip_writer_open(&zip, at("made.pth"), &error), SIMCLR_OK);
    assert_int_equal(zip_writer_add(zip, "photos/a.txt", "", 0, "text", 4, &error), SIMCLR_OK);
    assert_int_equal(zip_writer_commit(&zip, &error), SIMCLR_OK);
    assert_int_equal(torch_open(&file, &told, at("made.pth"), &error), SIMCLR_OK);
    assert_null(file);
    assert_int_equal(weights_file_open(&file, at("made.pth"), &log, &error), SIMCLR_CORRUPT);
    assert_non_null(strstr(error.text, "is a zip archive"));
    assert_int_equal(torch_open(&file, &told, at("absent"), &error), SIMCLR_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types),       cmocka_unit_test(test_strides), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_others),      cmocka_unit_test(test_names),   cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_other_files),
    };
    return run_cases(tests, make_folder, remove_folder);
}
