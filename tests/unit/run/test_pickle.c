/* The machine that reads pickles, opcode by opcode; what is refused; and the fuzz target's corpus, mutated. */
#include "support/run.h"

#include <dirent.h>

#include "base/rng.h"
#include "fuzz/fuzz_pickle.c"

#define CODE(text) ((const uint8_t *)(text)), sizeof(text) - 1

/* ---- values ------------------------------------------------------------------------------------------------------ */

static struct pickle read_good(const uint8_t *bytes, size_t count)
{
    struct pickle pickle;
    struct error error = {0};
    if (pickle_read(&pickle, bytes, count, "test", &error)) fail_msg("%s", error.text);
    return pickle;
}

static const struct pickle_value *result(const struct pickle *pickle)
{
    return pickle_at(pickle, pickle->result);
}

static const struct pickle_value *item(const struct pickle *pickle, const struct pickle_value *of, uint32_t index)
{
    const uint32_t number = pickle_item_at(pickle, of, index);
    assert_true(number > 0);
    return pickle_at(pickle, number);
}

static void test_numbers(void **state)
{
    (void)state;
    static const struct {
        const char *code;
        size_t count;
        int64_t value;
    } cases[] = {
        {"K\xff.", 3, 255},
        {"M\x34\x12.", 4, 0x1234},
        {"J\xff\xff\xff\xff.", 6, -1},
        {"J\x00\x00\x00\x80.", 6, INT32_MIN},
        {"\x8a\x00.", 3, 0},
        {"\x8a\x01\x80.", 4, -128},
        {"\x8a\x02\xff\x00.", 5, 255},
        {"\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f.", 11, INT64_MAX},
        {"\x8b\x01\x00\x00\x00\x07.", 7, 7},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pickle pickle = read_good((const uint8_t *)cases[i].code, cases[i].count);
        assert_int_equal(result(&pickle)->kind, PICKLE_INTEGER);
        assert_true(result(&pickle)->integer == cases[i].value);
        pickle_free(&pickle);
    }
    struct pickle wide = read_good(CODE("\x8a\x09\x01\x01\x01\x01\x01\x01\x01\x01\x01."));
    assert_int_equal(result(&wide)->kind, PICKLE_NUMBER);
    pickle_free(&wide);
}

/* Protocol 2, and the same in protocol 4. */
static void test_containers(void **state)
{
    (void)state;
    struct pickle pickle = read_good(CODE("\x80\x02}q\x00(X\x01\x00\x00\x00"
                                          "a](K\x01K\x02"
                                          "eX\x01\x00\x00\x00"
                                          "bK\x03K\x04\x86X\x01\x00\x00\x00"
                                          "cNu."));
    const struct pickle_value *dict = result(&pickle);
    assert_int_equal(dict->kind, PICKLE_DICT);
    assert_int_equal(dict->items.count, 6);
    assert_true(pickle_text_is(&pickle, item(&pickle, dict, 2)->text, "b"));
    assert_int_equal(item(&pickle, dict, 1)->kind, PICKLE_LIST);
    assert_true(item(&pickle, item(&pickle, dict, 1), 1)->integer == 2);
    assert_int_equal(item(&pickle, dict, 3)->kind, PICKLE_TUPLE);
    assert_true(item(&pickle, item(&pickle, dict, 3), 0)->integer == 3);
    assert_int_equal(item(&pickle, dict, 5)->kind, PICKLE_NONE);
    assert_int_equal(pickle_item_at(&pickle, dict, 6), 0);
    pickle_free(&pickle);
    pickle = read_good(CODE("\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00\x8f\x94(\x8c\x01x\x94\x90."));
    assert_int_equal(result(&pickle)->kind, PICKLE_SET);
    assert_int_equal(result(&pickle)->items.count, 1);
    pickle_free(&pickle);
}

/* The memo gives the very value, and MEMOIZE counts on from what was put. */
static void test_memo(void **state)
{
    (void)state;
    struct pickle pickle = read_good(CODE("\x80\x02]q\x00K\x05q\x01h\x00h\x01\x87."));
    const struct pickle_value *tuple = result(&pickle);
    assert_int_equal(tuple->items.count, 3);
    assert_int_equal(pickle_item_at(&pickle, tuple, 1), pickle_item_at(&pickle, tuple, 1));
    pickle_free(&pickle);
    pickle = read_good(CODE("\x80\x04K\x05\x94K\x06\x94h\x01h\x00\x86."));
    assert_true(item(&pickle, result(&pickle), 0)->integer == 6);
    assert_true(item(&pickle, result(&pickle), 1)->integer == 5);
    pickle_free(&pickle);
    pickle = read_good(CODE("\x80\x04K\x05q\x00K\x06q\x00K\x07\x94h\x01.")); /* one place put twice is one */
    assert_true(result(&pickle)->integer == 7);
    pickle_free(&pickle);
}

/* What would be a call stays a name and its arguments; only OrderedDict is made, of nothing and of pairs. */
static void test_calls(void **state)
{
    (void)state;
    struct pickle pickle = read_good(CODE("\x80\x02"
                                          "cos\nsystem\nX\x04\x00\x00\x00true\x85R}(X\x01\x00\x00\x00kNub."));
    const struct pickle_value *object = result(&pickle);
    assert_int_equal(object->kind, PICKLE_OBJECT);
    assert_true(pickle_global_is(&pickle, pickle_at(&pickle, object->object.callable), "os", "system"));
    assert_int_equal(pickle_at(&pickle, object->object.arguments)->items.count, 1);
    assert_int_equal(pickle_at(&pickle, object->object.state)->kind, PICKLE_DICT);
    pickle_free(&pickle);
    pickle = read_good(CODE("\x80\x04\x8c\x0b"
                            "collections\x8c\x0bOrderedDict\x93)R(K\x01K\x02u}b."));
    assert_int_equal(result(&pickle)->kind, PICKLE_DICT);
    assert_int_equal(result(&pickle)->items.count, 2);
    pickle_free(&pickle);
    pickle = read_good(CODE("\x80\x02"
                            "ccollections\nOrderedDict\n](K\x01K\x02\x86K\x03K\x04\x86"
                            "e\x85R."));
    assert_int_equal(result(&pickle)->items.count, 4);
    assert_true(item(&pickle, result(&pickle), 3)->integer == 4);
    pickle_free(&pickle);
    /* a class of one's own that is derived from dict and list */
    pickle = read_good(CODE("\x80\x02"
                            "cm\nC\n)\x81(K\x01K\x02uK\x03"
                            "a."));
    object = result(&pickle);
    assert_int_equal(pickle_at(&pickle, object->object.pairs)->items.count, 2);
    assert_int_equal(pickle_at(&pickle, object->object.list)->items.count, 1);
    pickle_free(&pickle);
}

/* ---- what is refused --------------------------------------------------------------------------------------------- */

static void check_refused(const uint8_t *bytes, size_t count, const char *words)
{
    struct pickle pickle;
    struct error error = {0};
    assert_int_equal(pickle_read(&pickle, bytes, count, "test", &error), SIMCLR_CORRUPT);
    if (!strstr(error.text, words)) fail_msg("\"%s\" lacks \"%s\"", error.text, words);
}

/* `count` times `unit`, between a beginning and an end. */
static void check_repeated_refused(const char *start, char unit, size_t count, const char *words)
{
    const size_t before = strlen(start);
    uint8_t *bytes = malloc(before + count + 1);
    assert_non_null(bytes);
    memcpy(bytes, start, before);
    memset(bytes + before, unit, count);
    bytes[before + count] = '.';
    check_refused(bytes, before + count + 1, words);
    free(bytes);
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *code;
        size_t count;
        const char *words;
    } cases[] = {
        {"", 0, "it ends too early (byte 0 of 0)"},
        {"}", 1, "it ends too early"},
        {"X\xff\x00\x00\x00.", 6, "it ends too early"},
        {"cos\nsystem", 9, "it ends too early"},
        {"\x80\x06.", 3, "protocol after 5"},
        {"X\x01\x00\x10\x00.", 6, "more than 1 MiB"},
        {"i.", 2, "an opcode that PyTorch does not write (byte 0 of 2)"},
        {"\x82\x01.", 3, "an opcode that PyTorch does not write"}, /* EXT1: the registry of extensions */
        {".", 1, "no value on the stack"},
        {"(.", 2, "no value on the stack"},
        {"(\x85.", 3, "no value on the stack"},
        {"0.", 2, "no value on the stack"},
        {"Nt.", 3, "no mark"},
        {"}(Nu.", 5, "a key without a value"},
        {"(NNu.", 5, "no value on the stack"},
        {"K\x01Na.", 5, "puts items into what holds none"},
        {"}Na.", 4, "puts items into what holds none"},
        {"h\x00.", 3, "where nothing is"},
        {"Nr\xff\xff\xff\xff.", 7, "more than a million places"},
        {"NN\x93.", 4, "a name that is no text"},
        {"cos\nsystem\n]R.", 14, "no tuple"},
        {"N)R.", 4, "neither a class nor an object"},
        {"N}b.", 4, "gives attributes to what has none"},
        {"ccollections\nOrderedDict\nK\x01\x85R.", 29, "what is no list"},
        {"ccollections\nOrderedDict\n]Na\x85R.", 30, "what are no pairs"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_refused((const uint8_t *)cases[i].code, cases[i].count, cases[i].words);
    check_repeated_refused("", 'N', PICKLE_STACK_MAX + 1, "higher than 100000");
    check_repeated_refused("N", '\x94', PICKLE_MEMO_MAX + 1, "more than a million places");
}

/* Just within the limits. */
static void test_largest(void **state)
{
    (void)state;
    uint8_t *bytes = malloc(PICKLE_TEXT_MAX + 6);
    assert_non_null(bytes);
    memset(bytes, 'x', PICKLE_TEXT_MAX + 6);
    memcpy(bytes, "X\x00\x00\x10\x00", 5);
    bytes[PICKLE_TEXT_MAX + 5] = '.';
    struct pickle pickle = read_good(bytes, PICKLE_TEXT_MAX + 6);
    assert_int_equal(result(&pickle)->text.length, PICKLE_TEXT_MAX);
    pickle_free(&pickle);
    memset(bytes, 'N', PICKLE_STACK_MAX);
    bytes[PICKLE_STACK_MAX] = '.';
    pickle = read_good(bytes, PICKLE_STACK_MAX + 1);
    pickle_free(&pickle);
    memset(bytes, '\x94', PICKLE_MEMO_MAX + 1);
    bytes[0] = 'N';
    bytes[PICKLE_MEMO_MAX + 1] = '.';
    pickle = read_good(bytes, PICKLE_MEMO_MAX + 2);
    pickle_free(&pickle);
    free(bytes);
}

/* Each list of pairs copies all of it: few bytes, much work, if nobody counted. */
static void test_copied_pairs(void **state)
{
    (void)state;
    enum { PAIRS = 5000, COPIES = 1000 };
    uint8_t *bytes = malloc(64 + 3 * PAIRS + 8 * COPIES), *at = bytes;
    assert_non_null(bytes);
    static const char start[] = "ccollections\nOrderedDict\nq\x01]q\x00(NN\x86q\x02";
    memcpy(at, start, sizeof start - 1);
    at += sizeof start - 1;
    for (int i = 0; i < PAIRS; i++) at = (uint8_t *)memcpy(at, "h\x02", 2) + 2;
    *at++ = 'e';
    for (int i = 0; i < COPIES; i++) at = (uint8_t *)memcpy(at, "h\x01h\x00\x85R0", 7) + 7;
    *at++ = '.';
    check_refused(bytes, (size_t)(at - bytes), "more than 4 million");
    free(bytes);
}

static void test_no_memory(void **state)
{
    (void)state;
    static const char code[] = "\x80\x02}q\x00(X\x01\x00\x00\x00kcm\nC\n)Ru.";
    struct pickle pickle;
    struct error error = {0};
    int status = SIMCLR_NO_MEMORY, failed = 0;
    for (long n = 1; status == SIMCLR_NO_MEMORY; n++) {
        memory_fail_after(n);
        status = pickle_read(&pickle, CODE(code), "test", &error);
        memory_fail_after(0);
        failed += status == SIMCLR_NO_MEMORY;
    }
    assert_int_equal(status, SIMCLR_OK);
    assert_true(failed >= 4); /* values, items, stack, memo */
    pickle_free(&pickle);
}

/* ---- the fuzz target's corpus, mutated --------------------------------------------------------------------------- */

enum { FILES_MAX = 200, BYTES_MAX = 1 << 14, MUTATIONS = 400 };

struct corpus {
    int count;
    size_t length[FILES_MAX];
    uint8_t bytes[FILES_MAX][BYTES_MAX];
};

static void read_corpus(struct corpus *corpus)
{
    static const char folder[] = "tests/fuzz/corpus/pickle";
    DIR *files = opendir(folder);
    assert_non_null(files);
    for (struct dirent *entry = readdir(files); entry; entry = readdir(files)) {
        char path[512];
        if (entry->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        FILE *file = fopen(path, "rb");
        assert_non_null(file);
        assert_true(corpus->count < FILES_MAX);
        corpus->length[corpus->count] = fread(corpus->bytes[corpus->count], 1, BYTES_MAX, file);
        corpus->count++;
        fclose(file);
    }
    closedir(files);
}

/* A few bytes changed, taken out, put in, or another file's end from some place on. */
static size_t mutate(uint8_t *out, const struct corpus *corpus, int which, struct rng *random)
{
    size_t length = corpus->length[which];
    memcpy(out, corpus->bytes[which], length);
    for (size_t changes = 1 + rng_below(random, 4); changes > 0 && length > 0; changes--) {
        const size_t at = rng_below(random, (uint32_t)length);
        const size_t other = rng_below(random, (uint32_t)corpus->count);
        switch (rng_below(random, 5)) {
        case 0:
            out[at] = (uint8_t)rng_below(random, 256);
            break;
        case 1:
            out[at] ^= (uint8_t)(1u << rng_below(random, 8));
            break;
        case 2:
            memmove(out + at, out + at + 1, --length - at);
            break;
        case 3:
            if (length < BYTES_MAX) memmove(out + at + 1, out + at, length++ - at);
            break;
        default:
            if (corpus->length[other] <= at) break;
            length = corpus->length[other];
            memcpy(out + at, corpus->bytes[other] + at, length - at);
        }
    }
    return length;
}

static void test_mutations(void **state)
{
    (void)state;
    static struct corpus corpus;
    struct rng random = rng_open(13, RNG_TEST, 0, 0, 0);
    read_corpus(&corpus);
    assert_true(corpus.count > 40);
    for (int i = 0; i < corpus.count; i++)
        for (int k = 0; k < MUTATIONS; k++) {
            uint8_t *bytes = malloc(BYTES_MAX); /* its own block, so that a sanitizer sees reads beyond the end */
            assert_non_null(bytes);
            const size_t length = mutate(bytes, &corpus, i, &random);
            uint8_t *exact = realloc(bytes, length ? length : 1);
            assert_non_null(exact);
            LLVMFuzzerTestOneInput(exact, length);
            free(exact);
        }
    assert_true(fuzz_accepted > MUTATIONS); /* some stay readable, or nothing behind the first check was tried */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),      cmocka_unit_test(test_containers), cmocka_unit_test(test_memo),
        cmocka_unit_test(test_calls),        cmocka_unit_test(test_refused),    cmocka_unit_test(test_largest),
        cmocka_unit_test(test_copied_pairs), cmocka_unit_test(test_no_memory),  cmocka_unit_test(test_mutations),
    };
    return run_cases(tests, NULL, NULL);
}
