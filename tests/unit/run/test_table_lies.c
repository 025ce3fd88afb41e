/* Tables of features that lie, as .npz and as safetensors: each is refused by one sentence that names the file and what
 * in it is wrong. test_feature_table.c has the .npy files, and the files that NumPy and safetensors write. */
#include "support/run.h"

#include <zlib.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "run/table/feature_table.h"
#include "support/folder.h"

enum { ROWS = 4, DIM = 3, VALUES = ROWS * DIM * (int)sizeof(float) };

/* One sentence with the file, the member (NULL: the file as a whole is wrong) and the words; nothing is read. */
static void assert_refused(const char *path, int wanted, const char *member, const char *words)
{
    struct feature_table table;
    struct error error = {0};
    char begin[600];
    const int status = feature_table_open(&table, path, &error);
    snprintf(begin, sizeof begin, "%s: ", path);
    const bool named = strncmp(error.text, begin, strlen(begin)) == 0 && (!member || strstr(error.text, member));
    if (status != wanted || !named || !strstr(error.text, words) || strchr(error.text, '\n'))
        fail_msg("`%s`, `%s`: status %d, %s", member ? member : "", words, status, error.text);
    assert_null(table.values);
    assert_int_equal(table.catalog.count, 0);
}

static void assert_fine(const char *path)
{
    static const char *const names[ROWS] = {"a", "b", "c", "d"};
    static const int32_t labels[ROWS] = {1, 0, 1, 2};
    struct feature_table table;
    struct error error = {0};
    if (feature_table_open(&table, path, &error)) fail_msg("%s", error.text);
    assert_int_equal(table.catalog.count, ROWS);
    assert_int_equal(table.dim, DIM);
    for (int i = 0; i < ROWS * DIM; i++) assert_true(table.values[i] == (float)i / 8);
    for (int i = 0; i < ROWS; i++) {
        assert_string_equal(catalog_name(&table.catalog, i), names[i]);
        assert_int_equal(table.catalog.label[i], labels[i]);
    }
    feature_table_free(&table);
}

static void put_file(const char *path, struct text *bytes)
{
    assert_false(bytes->failed);
    assert_int_equal(file_write_atomic(path, bytes->bytes, bytes->length, NULL), SIMCLR_OK);
    text_free(bytes);
}

static void add_number(struct text *text, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++) {
        const char byte = (char)(value >> 8 * i);
        text_add_bytes(text, &byte, 1);
    }
}

/* Numbers that no type reads as NaN, small ones of float32. */
static void add_values(struct text *text, int bytes)
{
    for (int i = 0; i < bytes / (int)sizeof(float); i++) {
        const float value = (float)i / 8;
        text_add_bytes(text, (const char *)&value, sizeof value);
    }
}

/* ---- .npz ------------------------------------------------------------------------------------------------------ */

/* What is done to a member; the others are stored, as numpy.savez does it. */
enum spoil {
    PLAIN,
    PACKED,
    PACKED_CUT,     /* its packed bytes end in the middle */
    PACKED_LESS,    /* and hold fewer bytes than are said */
    PACKED_DIFFERS, /* the directory says another size of what they hold */
    PACKED_MORE,    /* they hold more bytes than are said */
    WRONG_CRC,      /* of its bytes */
    OUTSIDE,        /* it begins behind the end of the file */
    SIZE_PAST,      /* it ends behind the end of the file */
    HEADER_ABSENT,  /* where the directory says that it begins */
    HEADERS_DIFFER, /* the directory says another size */
    UNKNOWN_METHOD,
    ENCRYPTED,
    TWICE,
    MISSING
};

struct npz_lie {
    const char *member; /* features, names or labels */
    enum spoil spoil;
    const char *dictionary; /* of its header; NULL: the true one */
    int bytes;              /* that follow; 0: the true ones */
    int status;
    const char *words;
};

static const struct {
    const char *name, *dictionary;
    int bytes;
} truth[3] = {{"features", "{'descr': '<f4', 'fortran_order': False, 'shape': (4, 3), }", VALUES},
              {"names", "{'descr': '|S1', 'fortran_order': False, 'shape': (4,), }", 4},
              {"labels", "{'descr': '<i8', 'fortran_order': False, 'shape': (4,), }", 32}};

static void add_array(struct text *text, int which, const char *dictionary, int bytes)
{
    static const char names[] = "abcd", labels[] = {1, 0, 1, 2};
    const size_t length = strlen(dictionary), spaces = (118 - length % 64) % 64;
    text_add_bytes(text, "\x93NUMPY\x01\x00", 8);
    add_number(text, length + spaces, 2);
    text_add(text, "%s%*s", dictionary, (int)spaces, "");
    if (which == 0) add_values(text, bytes);
    for (int i = 0; which == 1 && i < bytes; i++) text_add_bytes(text, names + i % 4, 1);
    for (int i = 0; which == 2 && i < bytes / 8; i++) add_number(text, (uint64_t)labels[i % 4], 8);
}

static void deflate_bytes(struct text *out, const char *bytes, size_t count)
{
    char room[1024];
    z_stream stream = {.next_in = (Bytef *)(void *)bytes,
                       .avail_in = (uInt)count,
                       .next_out = (Bytef *)room,
                       .avail_out = sizeof room};
    assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, -MAX_WBITS, 9, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    text_add_bytes(out, room, sizeof room - stream.avail_out);
    deflateEnd(&stream);
}

/* Flags to lengths: what the local header and the entry of the directory have alike. */
static void add_fields(struct text *text, enum spoil spoil, uint32_t crc, size_t stored, size_t size, size_t name)
{
    const bool packed = spoil >= PACKED && spoil <= PACKED_MORE;
    add_number(text, 20, 2);
    add_number(text, spoil == ENCRYPTED, 2);
    add_number(text, spoil == UNKNOWN_METHOD ? 99 : packed ? 8 : 0, 2);
    add_number(text, 0, 4);
    add_number(text, crc, 4);
    add_number(text, stored, 4);
    add_number(text, size, 4);
    add_number(text, name, 2);
    add_number(text, 0, 2);
}

static void add_member(struct text *zip, struct text *directory, const char *name, const struct text *array,
                       enum spoil spoil)
{
    const size_t begin = zip->length, length = strlen(name) + 4;
    const bool packed = spoil >= PACKED && spoil <= PACKED_MORE;
    struct text stored = {0};
    size_t size = array->length;
    if (packed)
        deflate_bytes(&stored, array->bytes, array->length - 8 * (spoil == PACKED_LESS));
    else
        text_add_bytes(&stored, array->bytes, array->length);
    if (spoil == PACKED_CUT) stored.length /= 2;
    if (spoil == PACKED_MORE) size -= 8;
    const uint32_t crc = (uint32_t)crc32(0, (const Bytef *)array->bytes, (uInt)size) + (spoil == WRONG_CRC);
    text_add_bytes(zip, "PK\3\4", 4);
    add_fields(zip, spoil, crc, stored.length, size, length);
    text_add(zip, "%s.npy", name);
    text_add_bytes(zip, stored.bytes, stored.length);
    text_add_bytes(directory, "PK\1\2", 4);
    add_number(directory, 20, 2);
    const size_t more = spoil == SIZE_PAST ? 100000 : 4 * (spoil == HEADERS_DIFFER);
    add_fields(directory, spoil, crc, stored.length + more, size + more + 4 * (spoil == PACKED_DIFFERS), length);
    add_number(directory, 0, 6); /* no comment, the first disk */
    add_number(directory, 0, 4); /* attributes */
    add_number(directory, begin + (spoil == OUTSIDE ? 1 << 20 : 7 * (spoil == HEADER_ABSENT)), 4);
    text_add(directory, "%s.npy", name);
    text_free(&stored);
}

/* An archive of all three arrays, of which one lies. */
static void write_npz(const char *path, const struct npz_lie *lie)
{
    struct text zip = {0}, directory = {0};
    int members = 0;
    for (int i = 0; i < 3; i++) {
        const bool lies = strcmp(lie->member, truth[i].name) == 0;
        const enum spoil spoil = lies ? lie->spoil : PLAIN;
        struct text array = {0};
        add_array(&array, i, lies && lie->dictionary ? lie->dictionary : truth[i].dictionary,
                  lies && lie->bytes ? lie->bytes : truth[i].bytes);
        for (int times = spoil == MISSING ? 0 : 1 + (spoil == TWICE); times > 0; times--, members++)
            add_member(&zip, &directory, truth[i].name, &array, spoil);
        text_free(&array);
    }
    const size_t begin = zip.length;
    text_add_bytes(&zip, directory.bytes, directory.length);
    text_add_bytes(&zip, "PK\5\6\0\0\0\0", 8);
    add_number(&zip, (uint64_t)members, 2);
    add_number(&zip, (uint64_t)members, 2);
    add_number(&zip, directory.length, 4);
    add_number(&zip, begin, 4);
    add_number(&zip, 0, 2);
    text_free(&directory);
    put_file(path, &zip);
}

static const struct npz_lie npz_lies[] = {
    {"features", PLAIN, "{'descr': '<f4', 'fortran_order': False, 'shape': (5, 3), }", 0, SIMCLR_CORRUPT,
     "promises 60 bytes of numbers and it has 48"},
    {"features", PACKED, "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 3), }", 0, SIMCLR_CORRUPT,
     "promises 36 bytes of numbers and it has 48"},
    {"features", PLAIN, "{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 4), }", 0,
     SIMCLR_CORRUPT, "promises more than"},
    {"names", PLAIN, "{'descr': '|S2', 'fortran_order': False, 'shape': (4,), }", 0, SIMCLR_CORRUPT,
     "promises 8 bytes of numbers and it has 4"},
    {"labels", PLAIN, "{'descr': '<i8', 'fortran_order': False, 'shape': (9,), }", 0, SIMCLR_CORRUPT,
     "promises 72 bytes of numbers and it has 32"},
    {"features", PLAIN, "{'descr': '<f4', 'fortran_order': False, 'shape': (12,), }", 0, SIMCLR_DATA,
     "has 1 axes and must have two"},
    {"labels", PLAIN, "{'descr': '<i8', 'fortran_order': False, 'shape': (2, 2), }", 0, SIMCLR_DATA,
     "has 2 axes and must have one"},
    {"features", PLAIN, "{'descr': '<f4', 'fortran_order': True, 'shape': (4, 3), }", 0, SIMCLR_DATA,
     "are in Fortran order"},
    {"features", PACKED, "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), }", 0, SIMCLR_DATA, "are float64"},
    {"features", PLAIN, "{'descr': '<i4', 'fortran_order': False, 'shape': (4, 3), }", 0, SIMCLR_DATA, "are int32"},
    {"features", PLAIN, "{'descr': '>f4', 'fortran_order': False, 'shape': (4, 3), }", 0, SIMCLR_DATA,
     "are big-endian float32"},
    {"labels", PLAIN, "{'descr': '<f8', 'fortran_order': False, 'shape': (4,), }", 0, SIMCLR_DATA, "is of float64"},
    {"labels", PLAIN, "{'descr': '|b1', 'fortran_order': False, 'shape': (32,), }", 0, SIMCLR_DATA, "is of bool"},
    {"names", PLAIN, "{'descr': '<f4', 'fortran_order': False, 'shape': (4,), }", 16, SIMCLR_DATA, "is of float32"},
    {"names", PLAIN, "{'descr': '<i4', 'fortran_order': False, 'shape': (4,), }", 16, SIMCLR_DATA, "is of int32"},
    {"labels", PLAIN, "{'descr': '<i8', 'fortran_order': False, 'shape': (3,), }", 24, SIMCLR_DATA,
     "has 3 labels for 4 rows"},
    {"labels", PLAIN, "{'descr': '<i8', 'fortran_order': False, 'shape': (5,), }", 40, SIMCLR_DATA,
     "has 5 labels for 4 rows"},
    {"features", PACKED_CUT, NULL, 0, SIMCLR_CORRUPT, "its packed bytes"},
    {"labels", PACKED_CUT, NULL, 0, SIMCLR_CORRUPT, "its packed bytes"},
    {"features", PACKED_LESS, NULL, 0, SIMCLR_CORRUPT, "its packed bytes"},
    {"names", PACKED_MORE, NULL, 0, SIMCLR_CORRUPT, "its packed bytes"},
    {"features", WRONG_CRC, NULL, 0, SIMCLR_CORRUPT, "its CRC is wrong"},
    {"names", OUTSIDE, NULL, 0, SIMCLR_CORRUPT, "its sizes are not those of the file"},
    {"labels", SIZE_PAST, NULL, 0, SIMCLR_CORRUPT, "its sizes are not those of the file"},
    {"labels", HEADER_ABSENT, NULL, 0, SIMCLR_CORRUPT, "no header where its directory says"},
    {"names", HEADERS_DIFFER, NULL, 0, SIMCLR_CORRUPT, "its header and its directory disagree"},
    {"features", PACKED_DIFFERS, NULL, 0, SIMCLR_CORRUPT, "its header and its directory disagree"},
    {"features", UNKNOWN_METHOD, NULL, 0, SIMCLR_UNSUPPORTED, "packed by method 99"},
    {"labels", ENCRYPTED, NULL, 0, SIMCLR_UNSUPPORTED, "is encrypted"},
    {"features", TWICE, NULL, 0, SIMCLR_CORRUPT, "it is there twice"},
    {"labels", TWICE, NULL, 0, SIMCLR_CORRUPT, "it is there twice"},
    {"features", MISSING, NULL, 0, SIMCLR_DATA, "has no array called features"},
};

static void npz_files_that_lie_are_refused(void **state)
{
    (void)state;
    const char *path = at("lie.npz");
    static const struct npz_lie none[] = {{"features", PLAIN, NULL, 0, 0, NULL},
                                          {"features", PACKED, NULL, 0, 0, NULL},
                                          {"names", PACKED, NULL, 0, 0, NULL},
                                          {"labels", PACKED, NULL, 0, 0, NULL},
                                          {"nothing", PLAIN, NULL, 0, 0, NULL}};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        write_npz(path, &none[i]);
        assert_fine(path);
    }
    for (size_t i = 0; i < sizeof npz_lies / sizeof *npz_lies; i++) {
        write_npz(path, &npz_lies[i]);
        assert_refused(path, npz_lies[i].status, npz_lies[i].member, npz_lies[i].words);
    }
}

/* Wherever a download stops there is no directory, which stands at the end: no member can be named. */
static void an_npz_that_was_cut_is_refused(void **state)
{
    (void)state;
    const char *whole = at("whole.npz"), *path = at("cut.npz");
    const struct npz_lie none = {"features", PACKED, NULL, 0, 0, NULL};
    uint8_t *bytes;
    size_t count;
    write_npz(whole, &none);
    assert_int_equal(file_read(whole, 1 << 20, &bytes, &count, NULL), SIMCLR_OK);
    for (size_t left = 9; left < count; left += 31) {
        assert_int_equal(file_write_atomic(path, bytes, left, NULL), SIMCLR_OK);
        assert_refused(path, SIMCLR_CORRUPT, NULL, "damaged zip archive (no end record: it ends too early)");
    }
    memory_free(bytes);
}

/* ---- safetensors ----------------------------------------------------------------------------------------------- */

struct tensors_lie {
    const char *header; /* with ' in place of " */
    int64_t more;       /* bytes that the header's length says beyond those that there are */
    int bytes;          /* of tensors */
    int status;
    const char *member, *words;
};

#define TENSOR(name, type, shape, offsets)                                                                             \
    "'" name "':{'dtype':'" type "','shape':" shape ",'data_offsets':" offsets "}"
#define FEATURES TENSOR("features", "F32", "[4,3]", "[0,48]")
#define NAMES TENSOR("names", "U8", "[8]", "[48,56]")
#define LABELS TENSOR("labels", "I64", "[4]", "[56,88]")
enum { ALL = 88 };

static void write_tensors(const char *path, const struct tensors_lie *lie)
{
    static const char names[] = "a\0b\0c\0d", labels[] = {1, 0, 1, 2};
    struct text file = {0};
    const size_t length = strlen(lie->header);
    add_number(&file, (uint64_t)((int64_t)length + lie->more), 8);
    text_add(&file, "%s", lie->header);
    for (size_t i = 8; i < file.length; i++)
        if (file.bytes[i] == '\'') file.bytes[i] = '"';
    add_values(&file, VALUES);
    text_add_bytes(&file, names, sizeof names);
    for (int i = 0; i < ROWS; i++) add_number(&file, (uint64_t)labels[i], 8);
    file.length = 8 + length + (size_t)lie->bytes;
    put_file(path, &file);
}

static const struct tensors_lie tensors_lies[] = {
    {"{" TENSOR("features", "F32", "[5,3]", "[0,48]") "," NAMES "," LABELS "}", 0, ALL, SIMCLR_CORRUPT, "features",
     "its length is not that of its shape"},
    {"{" TENSOR("features", "F32", "[3,3]", "[0,48]") "," NAMES "," LABELS "}", 0, ALL, SIMCLR_CORRUPT, "features",
     "its length is not that of its shape"},
    {"{" FEATURES "," TENSOR("names", "U8", "[9]", "[48,56]") "," LABELS "}", 0, ALL, SIMCLR_CORRUPT, "names",
     "its length is not that of its shape"},
    {"{" TENSOR("features", "F64", "[4,3]", "[0,48]") "," NAMES "," LABELS "}", 0, ALL, SIMCLR_CORRUPT, "features",
     "its length is not that of its shape"},
    {"{" TENSOR("features", "F32", "[4611686018427387904,4]", "[0,48]") "}", 0, VALUES, SIMCLR_CORRUPT, "features",
     "has more elements than memory can hold"},
    {"{" TENSOR("features", "F32", "[-4,-3]", "[0,48]") "}", 0, VALUES, SIMCLR_CORRUPT, "features",
     "holds something that is not a size"},
    {"{" FEATURES "," TENSOR("names", "U8", "[8]", "[40,48]") "," LABELS "}", 0, ALL, SIMCLR_CORRUPT, "names",
     "its bytes overlap those of another"},
    {"{" FEATURES "," NAMES "," TENSOR("labels", "I64", "[4]", "[48,80]") "}", 0, ALL, SIMCLR_CORRUPT, "labels",
     "its bytes overlap those of another"},
    {"{" FEATURES "," LABELS "}", 0, ALL, SIMCLR_CORRUPT, "labels", "there is a hole before its bytes"},
    {"{" FEATURES "," NAMES "," TENSOR("labels", "I64", "[4]", "[57,89]") "}", 0, ALL, SIMCLR_CORRUPT, "labels",
     "its bytes lie outside of the file"},
    {"{" FEATURES "," NAMES "," LABELS "}", 0, ALL - 1, SIMCLR_CORRUPT, "labels", "its bytes lie outside of the file"},
    {"{" TENSOR("features", "F32", "[4,3]", "[48,0]") "," NAMES "," LABELS "}", 0, ALL, SIMCLR_CORRUPT, "features",
     "its bytes lie outside of the file"},
    {"{" FEATURES "," NAMES "}", 0, ALL, SIMCLR_CORRUPT, NULL, "32 bytes at the end belong to no tensor"},
    {"{" TENSOR("features", "F64", "[2,3]", "[0,48]") "}", 0, VALUES, SIMCLR_DATA, "features", "are not F32 (or F16)"},
    {"{" TENSOR("features", "I32", "[4,3]", "[0,48]") "}", 0, VALUES, SIMCLR_DATA, "features", "are not F32 (or F16)"},
    {"{" TENSOR("features", "BF16", "[8,3]", "[0,48]") "}", 0, VALUES, SIMCLR_DATA, "features", "are not F32 (or F16)"},
    {"{" TENSOR("features", "F31", "[4,3]", "[0,48]") "}", 0, VALUES, SIMCLR_CORRUPT, "features",
     "its element type is not known"},
    {"{" TENSOR("features", "F32", "[12]", "[0,48]") "}", 0, VALUES, SIMCLR_DATA, "features",
     "has 1 axes and must have two"},
    {"{" TENSOR("features", "F32", "[0,3]", "[0,0]") "}", 0, 0, SIMCLR_DATA, "features", "has 0 rows of 3 features"},
    {"{" FEATURES "," TENSOR("names", "F32", "[2]", "[48,56]") "," LABELS "}", 0, ALL, SIMCLR_DATA, "names",
     "must be texts, each ended by NUL, in a tensor U8 of one axis"},
    {"{" FEATURES "," TENSOR("names", "I64", "[1]", "[48,56]") "," LABELS "}", 0, ALL, SIMCLR_DATA, "names",
     "must be texts, each ended by NUL, in a tensor U8 of one axis"},
    {"{" FEATURES "," NAMES "," TENSOR("labels", "F64", "[4]", "[56,88]") "}", 0, ALL, SIMCLR_DATA, "labels",
     "or whole numbers I64"},
    {"{" FEATURES "," NAMES "," TENSOR("labels", "I32", "[8]", "[56,88]") "}", 0, ALL, SIMCLR_DATA, "labels",
     "or whole numbers I64"},
    {"{" FEATURES "," NAMES "," TENSOR("labels", "I64", "[3]", "[56,80]") "}", 0, ALL - 8, SIMCLR_DATA, "labels",
     "has 3 labels for 4 rows"},
    {"{" FEATURES "," TENSOR("names", "U8", "[7]", "[48,55]") "}", 0, VALUES + 7, SIMCLR_CORRUPT, "names",
     "item 3 is no text"},
    {"{" NAMES "," LABELS "}", 0, ALL, SIMCLR_CORRUPT, "names", "there is a hole before its bytes"},
    {"{" TENSOR("rows", "F32", "[4,3]", "[0,48]") "}", 0, VALUES, SIMCLR_DATA, NULL, "has no tensor called features"},
    {"{" FEATURES "," TENSOR("features", "F32", "[2,1]", "[48,56]") "," LABELS "}", 0, ALL, SIMCLR_CORRUPT, "features",
     "a name that comes twice"},
    {"{" FEATURES "," NAMES "," LABELS "," LABELS "}", 0, ALL, SIMCLR_CORRUPT, "labels", "a name that comes twice"},
    {"{" FEATURES "," NAMES "," LABELS "}", ALL + 1, ALL, SIMCLR_CORRUPT, NULL, "the header is longer than the file"},
    {"{" FEATURES "," NAMES "," LABELS "}", INT64_MAX - 4096, ALL, SIMCLR_CORRUPT, NULL,
     "the header is longer than the file"},
    {"{" FEATURES "," NAMES "," LABELS "}", 8, ALL, SIMCLR_CORRUPT, NULL, "the header is no valid JSON"},
    {"{" FEATURES "," NAMES "," LABELS "}", -8, ALL, SIMCLR_CORRUPT, NULL, "the header is no valid JSON"},
};

static void tensors_that_lie_are_refused(void **state)
{
    (void)state;
    const struct tensors_lie none = {"{" FEATURES "," NAMES "," LABELS "}", 0, ALL, 0, NULL, NULL};
    const char *path = at("lie.safetensors");
    write_tensors(path, &none);
    assert_fine(path);
    for (size_t i = 0; i < sizeof tensors_lies / sizeof *tensors_lies; i++) {
        write_tensors(path, &tensors_lies[i]);
        assert_refused(path, tensors_lies[i].status, tensors_lies[i].member, tensors_lies[i].words);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(npz_files_that_lie_are_refused),
        cmocka_unit_test(an_npz_that_was_cut_is_refused),
        cmocka_unit_test(tensors_that_lie_are_refused),
    };
    return run_cases(tests, make_folder, remove_folder);
}
