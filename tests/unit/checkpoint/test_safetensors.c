/* The safetensors reader and writer: the round trip, the layout on disk, and every lie a file can tell. */
#include "support/run.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/rng.h"
#include "checkpoint/safetensors.h"
#include "support/folder.h"

static const float A[6] = {1, -2, 3, NAN, 5e-42f, 6};
static const int64_t B = 12345678901234;
static const uint8_t C[3] = {1, 2, 255};
static const double D[2] = {M_PI, -0.0};
static const uint16_t E[1] = {0x3f80};

static const struct safetensors_entry ENTRIES[] = {
    {.name = "z.a", .dtype = ST_F32, .rank = 2, .dims = {2, 3}, .data = A, .bytes = sizeof A},
    {.name = "count", .dtype = ST_I64, .rank = 0, .data = &B, .bytes = sizeof B},
    {.name = "bytes", .dtype = ST_U8, .rank = 1, .dims = {3}, .data = C, .bytes = sizeof C},
    {.name = "a \"quoted\" name\n", .dtype = ST_F64, .rank = 3, .dims = {1, 2, 1}, .data = D, .bytes = sizeof D},
    {.name = "half", .dtype = ST_BF16, .rank = 1, .dims = {1}, .data = E, .bytes = sizeof E},
    {.name = "empty", .dtype = ST_F32, .rank = 2, .dims = {0, 7}, .data = A, .bytes = 0},
};
enum { COUNT = sizeof ENTRIES / sizeof *ENTRIES };
static const struct safetensors_pair METADATA[] = {{"format", "pt"}, {"note", "line\nwith \\ and \xc3\xa9"}};

static void test_round_trip(void **state)
{
    (void)state;
    struct error error = {0};
    struct safetensors *file;
    assert_int_equal(safetensors_write(at("all"), ENTRIES, COUNT, METADATA, 2, &error), 0);
    assert_int_equal(safetensors_open(&file, at("all"), &error), 0);
    assert_int_equal(safetensors_verify(file, &error), 0);
    assert_int_equal(safetensors_count(file), COUNT);
    for (int i = 0; i < COUNT; i++) {
        const struct safetensors_entry *entry = safetensors_find(file, ENTRIES[i].name);
        assert_non_null(entry);
        assert_int_equal(entry->dtype, ENTRIES[i].dtype);
        assert_int_equal(entry->rank, ENTRIES[i].rank);
        assert_int_equal(entry->bytes, ENTRIES[i].bytes);
        assert_memory_equal(entry->dims, ENTRIES[i].dims, (size_t)entry->rank * sizeof *entry->dims);
        if (entry->bytes) assert_memory_equal(entry->data, ENTRIES[i].data, entry->bytes);
    }
    assert_null(safetensors_find(file, "absent"));
    const char *const order[] = {"a \"quoted\" name\n", "count", "empty", "z.a", "half", "bytes"};
    for (int i = 0; i < COUNT; i++) assert_string_equal(safetensors_at(file, i)->name, order[i]);
    assert_int_equal((uintptr_t)safetensors_at(file, 0)->data % 8, 0);
    const char *key, *value;
    assert_int_equal(safetensors_metadata_count(file), 3);
    safetensors_metadata_at(file, 2, &key, &value);
    assert_string_equal(key, "note");
    assert_string_equal(value, METADATA[1].value);
    assert_string_equal(safetensors_metadata(file, "format"), "pt");
    assert_int_equal(strlen(safetensors_metadata(file, SAFETENSORS_CHECKSUM)), 8);
    assert_null(safetensors_metadata(file, "absent"));
    safetensors_close(&file);
    assert_null(file);
}

/* The same contents give the same bytes, in whatever order they come. */
static void test_deterministic(void **state)
{
    (void)state;
    struct safetensors_entry reversed[COUNT];
    uint8_t *first, *second;
    size_t size, other;
    for (int i = 0; i < COUNT; i++) reversed[i] = ENTRIES[COUNT - 1 - i];
    assert_int_equal(safetensors_write(at("one"), ENTRIES, COUNT, METADATA, 2, NULL), 0);
    assert_int_equal(safetensors_write(at("two"), reversed, COUNT, METADATA, 2, NULL), 0);
    assert_int_equal(file_read(at("one"), 1 << 20, &first, &size, NULL), 0);
    assert_int_equal(file_read(at("two"), 1 << 20, &second, &other, NULL), 0);
    assert_int_equal(size, other);
    assert_memory_equal(first, second, size);
    uint64_t header;
    memcpy(&header, first, sizeof header);
    assert_int_equal(header % 8, 0);
    assert_int_equal(size, 8 + header + 16 + 8 + 24 + 2 + 3);
    memory_free(first);
    memory_free(second);
}

static void test_writer_refuses(void **state)
{
    (void)state;
    struct error error = {0};
    struct safetensors_entry twice[2] = {ENTRIES[0], ENTRIES[0]};
    assert_int_equal(safetensors_write(at("bad"), twice, 2, NULL, 0, &error), SIMCLR_INVALID);
    twice[0].bytes--;
    assert_int_equal(safetensors_write(at("bad"), twice, 1, NULL, 0, &error), SIMCLR_INVALID);
    twice[0] = (struct safetensors_entry){.name = "x", .dtype = ST_OTHER, .data = A};
    assert_int_equal(safetensors_write(at("bad"), twice, 1, NULL, 0, &error), SIMCLR_INVALID);
    assert_false(file_exists(at("bad")));
    assert_int_equal(safetensors_write("/nonexistent-folder/x", ENTRIES, 1, NULL, 0, &error), SIMCLR_IO);
    for (long n = 1; n < 5; n++) {
        memory_fail_after(n);
        int status = safetensors_write(at("bad"), ENTRIES, COUNT, METADATA, 2, &error);
        memory_fail_after(0);
        if (status) assert_int_equal(status, SIMCLR_NO_MEMORY);
    }
}

/* ---- lies --------------------------------------------------------------------------------------------------- */
/* A file with this header (length as given, or the true one if < 0) and `data` zero bytes; the reader's verdict. */
static int parse(const char *header, long length, size_t data, struct error *error)
{
    size_t text = strlen(header), total = 8 + text + data;
    uint8_t *bytes = malloc(total); /* exactly as long: a byte beyond is caught by the address sanitizer */
    uint64_t claimed = length < 0 ? text : (uint64_t)length;
    struct safetensors *file;
    assert_non_null(bytes);
    for (int i = 0; i < 8; i++) bytes[i] = (uint8_t)(claimed >> 8 * i);
    memcpy(bytes + 8, header, text);
    memset(bytes + 8 + text, 0, data);
    int status = safetensors_parse(&file, bytes, total, "file", error);
    if (status)
        assert_null(file);
    else
        safetensors_close(&file);
    free(bytes);
    return status;
}

#define T(name, dtype, shape, offsets)                                                                                 \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

static void test_accepts(void **state)
{
    (void)state;
    struct error error = {0};
    assert_int_equal(parse("{}", -1, 0, &error), 0);
    assert_int_equal(parse("{\"__metadata__\":{}}   ", -1, 0, &error), 0);
    assert_int_equal(parse("{" T("b", "F32", "[1]", "[4,8]") "," T("a", "F32", "[]", "[0,4]") "}", -1, 8, &error), 0);
    assert_int_equal(parse("{" T("a", "F8_E4M3", "[3]", "[0,3]") "," T("b", "C64", "[0]", "[3,3]") "}", -1, 3, &error),
                     0);
    assert_int_equal(parse("{" T("a", "U8", "[0]", "[0,0]") "," T("b", "U8", "[2]", "[0,2]") "}", -1, 2, &error), 0);
}

static void test_lies(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        long length;
        size_t data;
        const char *says;
    } lies[] = {
        {"", -1, 0, "does not start"},
        {"{}", 3, 0, "longer than the file"},
        {"{}", 1000000000, 0, "longer than the file"},
        {"{}", 0, 0, "does not start"},
        {"{}", 1, 0, "does not start"},
        {" {}", -1, 0, "does not start"},
        {"[]", -1, 0, "does not start"},
        {"{}{}", -1, 0, "JSON"},
        {"{} x", -1, 0, "JSON"},
        {"{\"a\":", -1, 0, "JSON"},
        {"{\"\\ud800\":1}", -1, 0, "JSON"},
        {"{\"\xff\":1}", -1, 0, "JSON"},
        {"{" T("a", "F32", "[1]", "[0,4]") "," T("a", "F32", "[1]", "[4,8]") "}", -1, 8, "a name that comes twice"},
        {"{\"a\":{\"dtype\":\"U8\",\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", -1, 1,
         "a name that comes twice"},
        {"{\"a\":1}", -1, 0, "{dtype, shape, data_offsets}"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1]}}", -1, 1, "{dtype, shape, data_offsets}"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1],\"more\":1}}", -1, 1,
         "{dtype, shape, data_offsets}"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"offsets\":[0,1]}}", -1, 1, "data_offsets"},
        {"{\"a\":{\"dtype\":8,\"shape\":[1],\"data_offsets\":[0,1]}}", -1, 1, "no element type"},
        {"{" T("a", "F4", "[2]", "[0,1]") "}", -1, 1, "not known"},
        {"{" T("a", "U8", "1", "[0,1]") "}", -1, 1, "shape"},
        /* nothing in the end, and beyond int64_t on the way */
        {"{" T("a", "U8", "[4611686018427387904,2,0]", "[0,0]") "}", -1, 0, "more elements"},
        {"{" T("a", "U8", "[1.0]", "[0,1]") "}", -1, 1, "not a size"},
        {"{" T("a", "U8", "[-1]", "[0,1]") "}", -1, 1, "not a size"},
        {"{" T("a", "U8", "[1,1,1,1,1,1,1,1,1]", "[0,1]") "}", -1, 1, "at most 8"},
        {"{" T("a", "F32", "[4294967296,4294967296]", "[0,0]") "}", -1, 0, "memory can hold"},
        {"{" T("a", "F64", "[2305843009213693952]", "[0,0]") "}", -1, 0, "memory can hold"},
        {"{" T("a", "U8", "[99999999999999999999]", "[0,1]") "}", -1, 1, "not a size"},
        {"{" T("a", "U8", "[1]", "[0]") "}", -1, 1, "two integers"},
        {"{" T("a", "U8", "[1]", "[0,1,2]") "}", -1, 1, "two integers"},
        {"{" T("a", "U8", "[1]", "[0,1.0]") "}", -1, 1, "two integers"},
        {"{" T("a", "U8", "[1]", "{}") "}", -1, 1, "two integers"},
        {"{" T("a", "U8", "[1]", "[-1,0]") "}", -1, 1, "outside"},
        {"{" T("a", "U8", "[1]", "[1,0]") "}", -1, 1, "outside"},
        {"{" T("a", "U8", "[2]", "[0,2]") "}", -1, 1, "outside"},
        {"{" T("a", "U8", "[1]", "[9223372036854775806,9223372036854775807]") "}", -1, 1, "outside"},
        {"{" T("a", "U8", "[2]", "[0,1]") "}", -1, 2, "not that of its shape"},
        {"{" T("a", "F32", "[1]", "[0,1]") "}", -1, 1, "not that of its shape"},
        {"{" T("a", "U8", "[1]", "[0,1]") "}", -1, 2, "belong to no tensor"},
        {"{}", -1, 1, "belong to no tensor"},
        {"{" T("a", "U8", "[1]", "[1,2]") "}", -1, 2, "hole"},
        {"{" T("a", "U8", "[1]", "[0,1]") "," T("b", "U8", "[1]", "[2,3]") "}", -1, 3, "hole"},
        {"{" T("a", "U8", "[2]", "[0,2]") "," T("b", "U8", "[2]", "[1,3]") "}", -1, 3, "overlap"},
        {"{" T("a", "U8", "[2]", "[0,2]") "," T("b", "U8", "[2]", "[0,2]") "}", -1, 2, "overlap"},
        {"{\"__metadata__\":[]}", -1, 0, "object of strings"},
        {"{\"__metadata__\":{\"a\":1}}", -1, 0, "not a string"},
        {"{\"__metadata__\":{\"a\":\"\",\"a\":\"\"}}", -1, 0, "a name that comes twice"},
    };
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        struct error error = {0};
        int status = parse(lies[i].header, lies[i].length, lies[i].data, &error);
        if (status != SIMCLR_CORRUPT || !strstr(error.text, lies[i].says))
            fail_msg("%s: status %d, \"%s\"", lies[i].header, status, error.text);
        assert_true(!strncmp(error.text, "file: ", 6) && !strchr(error.text, '\n'));
    }
}

static void test_deep_nesting(void **state)
{
    (void)state;
    struct error error = {0};
    size_t depth = 1 << 20;
    char *header = malloc(depth + 16);
    assert_non_null(header);
    strcpy(header, "{\"a\":");
    memset(header + 5, '[', depth);
    header[5 + depth] = '\0';
    assert_int_equal(parse(header, -1, 0, &error), SIMCLR_CORRUPT);
    free(header);
}

/* A file cut at any byte is refused, and so is one with a byte too many. */
static void test_cuts(void **state)
{
    (void)state;
    uint8_t *bytes;
    size_t size;
    assert_int_equal(safetensors_write(at("good"), ENTRIES, COUNT, METADATA, 2, NULL), 0);
    assert_int_equal(file_read(at("good"), 1 << 20, &bytes, &size, NULL), 0);
    for (size_t cut = 0; cut <= size + 1; cut++) {
        struct safetensors *file;
        struct error error = {0};
        uint8_t *exact = calloc(cut + 1, 1);
        assert_non_null(exact);
        memcpy(exact, bytes, cut < size ? cut : size);
        int status = safetensors_parse(&file, exact, cut, "file", &error);
        assert_int_equal(status, cut == size ? SIMCLR_OK : SIMCLR_CORRUPT);
        if (status) assert_true(error.text[0] && !file);
        safetensors_close(&file);
        free(exact);
    }
    memory_free(bytes);
}

/* A good file with random bytes changed: an error or a file whose entries all lie inside it. */
static void test_mutations(void **state)
{
    (void)state;
    uint8_t *bytes;
    size_t size;
    int refused = 0;
    assert_int_equal(safetensors_write(at("good"), ENTRIES, COUNT, METADATA, 2, NULL), 0);
    assert_int_equal(file_read(at("good"), 1 << 20, &bytes, &size, NULL), 0);
    uint8_t *copy = malloc(size);
    assert_non_null(copy);
    for (uint32_t i = 0; i < 4000; i++) {
        struct rng rng = rng_open(i, RNG_TEST, 0, 0, 0);
        struct safetensors *file;
        struct error error = {0};
        memcpy(copy, bytes, size);
        for (uint32_t k = 0; k <= i % 3; k++) copy[rng_below(&rng, (uint32_t)size)] = (uint8_t)rng_below(&rng, 128);
        int status = safetensors_parse(&file, copy, size, "file", &error);
        if (status) {
            assert_true(error.text[0] && status == SIMCLR_CORRUPT);
            refused++;
            continue;
        }
        for (int t = 0; t < safetensors_count(file); t++) {
            const uint8_t *data = safetensors_at(file, t)->data;
            assert_true(data >= copy && data + safetensors_at(file, t)->bytes <= copy + size);
        }
        safetensors_close(&file);
    }
    assert_true(refused > 1500);
    free(copy);
    memory_free(bytes);
}

static void test_files(void **state)
{
    (void)state;
    struct error error = {0};
    struct safetensors *file;
    assert_int_equal(safetensors_open(&file, at("missing"), &error), SIMCLR_IO);
    assert_non_null(strstr(error.text, "missing"));
    assert_int_equal(safetensors_open(&file, folder, &error), SIMCLR_IO);
    assert_int_equal(file_write_atomic(at("empty"), "", 0, &error), 0);
    assert_int_equal(safetensors_open(&file, at("empty"), &error), SIMCLR_CORRUPT);
    assert_int_equal(file_write_atomic(at("text"), "this is no such file", 20, &error), 0);
    assert_int_equal(safetensors_open(&file, at("text"), &error), SIMCLR_CORRUPT);

    uint8_t *bytes; /* a damaged tensor is found by the checksum */
    size_t size;
    assert_int_equal(safetensors_write(at("good"), ENTRIES, COUNT, NULL, 0, NULL), 0);
    assert_int_equal(file_read(at("good"), 1 << 20, &bytes, &size, NULL), 0);
    bytes[size - 1] ^= 1;
    assert_int_equal(file_write_atomic(at("damaged"), bytes, size, &error), 0);
    assert_int_equal(safetensors_open(&file, at("damaged"), &error), 0);
    assert_int_equal(safetensors_verify(file, &error), SIMCLR_CORRUPT);
    assert_non_null(strstr(error.text, "checksum"));
    safetensors_close(&file);
    memory_free(bytes);

    int status = SIMCLR_NO_MEMORY;
    for (long n = 1; status; n++) {
        memory_fail_after(n);
        status = safetensors_open(&file, at("good"), &error);
        memory_fail_after(0);
        if (status) assert_int_equal(status, SIMCLR_NO_MEMORY);
    }
    safetensors_close(&file);
}

/* What is taken for a safetensors file is called by its name, and what to do with it is said. */
static void test_foreign_files(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t count;
        const char *says;
    } cases[] = {
        {"PK\3\4\24\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\22\0\0\0archive/data.pkl", 46,
         "is weights or data of PyTorch"},
        {"PK\3\4\24\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\7\0\0\0arr.npy", 37, "NumPy arrays"},
        {"PK\3\4\24\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\5\0\0\0a.txt", 35, "zip archive"},
        {"\x80\2\x8a\nl\xfc\x9c"
         "F\xf9 j\xa8P\x19.",
         15, "before 1.6. Save it again there"},
        {"\x80\4\x95\x10\0\0\0\0\0\0\0}", 12, "Python"},
        {"\x89HDF\r\n\x1a\n\0\0\0\0\0\0\0\0", 16, "HDF5"},
        {"\x93NUMPY\1\0v\0{'descr", 17, "NumPy array"},
        {"version https://git-lfs.github.com/spec/v1\n", 43, "Git LFS pointer"},
        {"<!DOCTYPE html><html>", 21, "HTML page"},
        {"\x1f\x8b\10\0\0\0\0\0\0\3", 10, "gunzip"},
        {"just some text that is no file of weights", 41, "is a text, not a safetensors file: give a run folder"},
        {"\x07just some bytes that are no file", 33, "the header is longer than the file"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error error = {0};
        struct safetensors *file;
        assert_int_equal(
            safetensors_parse(&file, (const uint8_t *)cases[i].bytes, cases[i].count, "resnet18.pth", &error),
            SIMCLR_CORRUPT);
        if (!strstr(error.text, cases[i].says) || strncmp(error.text, "resnet18.pth: ", 14) != 0)
            fail_msg("%s: %s", cases[i].says, error.text);
    }
    struct error cut = {0};
    struct safetensors *none;
    assert_int_equal(safetensors_parse(&none, (const uint8_t *)"\x40\0\0\0\0\0\0\0{\"a\":", 13, "cut", &cut),
                     SIMCLR_CORRUPT);
    assert_non_null(strstr(cut.text, "the header is longer than the file")); /* not "is a safetensors file, not ..." */
    /* a header of 0x280 bytes begins like a pickle, and is none */
    uint8_t bytes[8 + 0x280];
    memset(bytes, ' ', sizeof bytes);
    memcpy(bytes, "\x80\2\0\0\0\0\0\0{}", 10);
    struct error error = {0};
    struct safetensors *file;
    assert_int_equal(safetensors_parse(&file, bytes, sizeof bytes, "x", &error), SIMCLR_OK);
    safetensors_close(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),     cmocka_unit_test(test_deterministic),
        cmocka_unit_test(test_writer_refuses), cmocka_unit_test(test_accepts),
        cmocka_unit_test(test_lies),           cmocka_unit_test(test_deep_nesting),
        cmocka_unit_test(test_foreign_files),  cmocka_unit_test(test_cuts),
        cmocka_unit_test(test_mutations),      cmocka_unit_test(test_files),
    };
    return run_cases(tests, make_folder, remove_folder);
}
