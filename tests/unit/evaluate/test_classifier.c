/* A classifier as a file: what is written is read, whatever the names are, and of a hostile file every wrong field is
 * refused by its name. What it says of a row: probabilities, ranks, and whether the row is unlike what was taught. */
#include "support/run.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/bf16.h"
#include "base/file.h"
#include "base/memory.h"
#include "checkpoint/safetensors.h"
#include "evaluate/classifier.h"
#include "support/folder.h"

enum { CLASSES = 3, DIM = 4, ROWS = 2 };
static struct pool *pool;

/* ---- a file of our own making, each part of which may be wrong ---- */

struct parts {
    struct safetensors_entry entries[6];
    int count;
    struct safetensors_pair pairs[12];
    int pair_count;
    float weight[CLASSES * DIM], bias[CLASSES], temperature, least;
    char names[16];
    uint16_t rows[ROWS * DIM];
};

static struct safetensors_entry entry(const char *name, enum safetensors_dtype dtype, int64_t rows, int64_t columns,
                                      const void *data, size_t bytes)
{
    return (struct safetensors_entry){
        .name = name, .dtype = dtype, .rank = columns ? 2 : 1, .dims = {rows, columns}, .data = data, .bytes = bytes};
}

static void make_parts(struct parts *p)
{
    static const struct safetensors_pair pairs[] = {{"format", "simclr-classifier"},
                                                    {"version", "2"},
                                                    {"l2", "0.001"},
                                                    {"rows_are", "training"},
                                                    {"encoder_hash", "0123456789abcdef"},
                                                    {"layer", "0"},
                                                    {"image_size", "32"},
                                                    {"crop_filter", "bicubic"},
                                                    {"mean", "0.5,0.4,0.3"},
                                                    {"std", "0.2,0.2,0.1"},
                                                    {"encoder", "/runs/one"}};
    *p = (struct parts){.temperature = 2, .least = 0.5f, .count = 6, .pair_count = sizeof pairs / sizeof *pairs};
    memcpy(p->pairs, pairs, sizeof pairs);
    memcpy(p->names, "cat\0dog\0a,\"\n\xff", 14); /* its own NUL ends the last */
    for (int i = 0; i < CLASSES * DIM; i++) p->weight[i] = (float)i / 8;
    for (int i = 0; i < CLASSES; i++) p->bias[i] = (float)-i;
    for (int i = 0; i < ROWS; i++) p->rows[i * DIM + i] = bf16_from_float(1);
    p->entries[0] = entry("weight", ST_F32, CLASSES, DIM, p->weight, sizeof p->weight);
    p->entries[1] = entry("bias", ST_F32, CLASSES, 0, p->bias, sizeof p->bias);
    p->entries[2] = entry("temperature", ST_F32, 1, 0, &p->temperature, sizeof p->temperature);
    p->entries[3] = entry("classes", ST_U8, 14, 0, p->names, 14);
    p->entries[4] = entry("rows", ST_BF16, ROWS, DIM, p->rows, sizeof p->rows);
    p->entries[5] = entry("least_similarity", ST_F32, 1, 0, &p->least, sizeof p->least);
}

static int read_parts(const struct parts *p, struct classifier *out, struct error *error)
{
    assert_int_equal(safetensors_write(at("parts"), p->entries, p->count, p->pairs, p->pair_count, NULL), SIMCLR_OK);
    return classifier_read(out, at("parts"), error);
}

static void every_field_is_read(void **state)
{
    (void)state;
    struct parts parts;
    struct classifier c;
    struct error error;
    make_parts(&parts);
    if (read_parts(&parts, &c, &error)) fail_msg("%s", error.text);
    assert_true(c.classes == CLASSES && c.dim == DIM && c.temperature == 2 && c.l2 == 0.001);
    assert_memory_equal(c.weight, parts.weight, sizeof parts.weight);
    assert_memory_equal(c.bias, parts.bias, sizeof parts.bias);
    assert_string_equal(c.class_name[0], "cat");
    assert_string_equal(c.class_name[2], "a,\"\n\xff");
    assert_true(c.novelty.count == ROWS && c.novelty.dim == DIM && !c.novelty.centres && c.novelty.least == 0.5f);
    assert_true(c.novelty.rows[0] == 1 && c.novelty.rows[1] == 0 && c.novelty.rows[DIM + 1] == 1);
    const struct classifier_encoder *e = &c.encoder;
    assert_true(e->known && e->hash == UINT64_C(0x0123456789abcdef) && e->layer == 0 && e->image_size == 32);
    assert_true(e->normalize && e->mean[1] == 0.4 && e->std[2] == 0.1 && e->filter == RESAMPLE_BICUBIC);
    assert_string_equal(e->path, "/runs/one");
    /* Written again it is the same file. */
    assert_int_equal(classifier_write(&c, at("again"), &error), SIMCLR_OK);
    uint8_t *first, *second;
    size_t first_bytes, second_bytes;
    assert_int_equal(file_read(at("parts"), 1 << 20, &first, &first_bytes, NULL), SIMCLR_OK);
    assert_int_equal(file_read(at("again"), 1 << 20, &second, &second_bytes, NULL), SIMCLR_OK);
    assert_int_equal(first_bytes, second_bytes);
    assert_memory_equal(first, second, first_bytes);
    memory_free(first);
    memory_free(second);
    classifier_free(&c);
    /* Of a table: no encoder; of too few rows: none are kept. */
    parts.count = 4;
    parts.pair_count = 3;
    assert_int_equal(read_parts(&parts, &c, &error), SIMCLR_OK);
    assert_true(!c.encoder.known && !c.novelty.rows && !classifier_is_unlike(&c, -1));
    classifier_free(&c);
}

static void refused(const struct parts *parts, const char *field)
{
    struct classifier c;
    struct error error = {0};
    const int status = read_parts(parts, &c, &error);
    if (status == SIMCLR_OK) fail_msg("%s is taken", field);
    assert_true(status == SIMCLR_CORRUPT || status == SIMCLR_UNSUPPORTED || status == SIMCLR_DATA);
    if (!strstr(error.text, field)) fail_msg("no %s in: %s", field, error.text);
    assert_true(!c.weight && !c.bias && !c.novelty.rows && !c.class_name && !c.encoder.path); /* nothing is left open */
}

static void a_wrong_pair_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *key, *value, *said;
    } wrong[] = {{"format", "pt", "no classifier"},
                 {"version", "1", "version 1"},
                 {"l2", "-1", "l2"},
                 {"l2", "x", "l2"},
                 {"rows_are", "", "rows_are"},
                 {"rows_are", "rows", "rows_are"},
                 {"encoder_hash", "", "encoder_hash"},
                 {"encoder_hash", "0123456789abcde", "encoder_hash"},
                 {"encoder_hash", "0123456789abcdef0", "encoder_hash"},
                 {"encoder_hash", "0123456789ABCDEF", "encoder_hash"},
                 {"layer", "4", "layer"},
                 {"layer", "-1", "layer"},
                 {"layer", "h", "layer"},
                 {"image_size", "7", "image_size"},
                 {"image_size", "99999999999999999999", "image_size"},
                 {"crop_filter", "lanczos", "crop_filter"},
                 {"mean", "0.5,0.5", "mean"},
                 {"mean", "0.5,0.5,nan", "mean"},
                 {"mean", "0.5,0.5,0.5,", "mean"},
                 {"std", "0.5,0,0.5", "std"},
                 {"std", "", "std"}};
    static const char *const needed[] = {"format",     "version",     "rows_are", "layer",
                                         "image_size", "crop_filter", "mean",     "std"};
    struct parts parts;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        make_parts(&parts);
        for (int k = 0; k < parts.pair_count; k++)
            if (strcmp(parts.pairs[k].key, wrong[i].key) == 0) parts.pairs[k].value = wrong[i].value;
        refused(&parts, wrong[i].said);
    }
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
        int kept = 0;
        make_parts(&parts);
        for (int k = 0; k < parts.pair_count; k++)
            if (strcmp(parts.pairs[k].key, needed[i]) != 0) parts.pairs[kept++] = parts.pairs[k];
        assert_int_equal(kept, parts.pair_count - 1);
        parts.pair_count = kept;
        refused(&parts, strcmp(needed[i], "format") == 0 ? "no classifier" : needed[i]);
    }
}

static void a_wrong_tensor_is_refused(void **state)
{
    (void)state;
    struct parts parts;
    static double wide[CLASSES * DIM];
    for (int i = 0; i < 6; i++) { /* each is missing, has another type, another shape */
        make_parts(&parts);
        char name[32];
        snprintf(name, sizeof name, "%s", parts.entries[i].name);
        parts.entries[i] = parts.entries[5];
        parts.count = 5;
        refused(&parts, name);
        make_parts(&parts);
        parts.entries[i] = entry(parts.entries[i].name, ST_F64, 1, 0, wide, sizeof *wide);
        refused(&parts, name);
        make_parts(&parts);
        struct safetensors_entry *it = &parts.entries[i]; /* a dimension more, of 1 */
        it->dims[it->rank++] = 1;
        refused(&parts, name);
    }
    make_parts(&parts);
    parts.entries[0] = entry("weight", ST_F32, DIM, CLASSES, parts.weight, sizeof parts.weight);
    refused(&parts, "bias");
    make_parts(&parts);
    parts.entries[0] = entry("weight", ST_F32, 0, DIM, parts.weight, 0);
    refused(&parts, "weight");
    make_parts(&parts);
    parts.entries[4] = entry("rows", ST_BF16, DIM, ROWS, parts.rows, sizeof parts.rows);
    refused(&parts, "rows");
}

static void a_wrong_number_is_refused(void **state)
{
    (void)state;
    struct parts parts;
    make_parts(&parts);
    parts.weight[5] = NAN;
    refused(&parts, "weight");
    make_parts(&parts);
    parts.bias[2] = INFINITY;
    refused(&parts, "bias");
    static const float temperatures[] = {0, -1, NAN, INFINITY}, leasts[] = {1.5f, -2, NAN};
    for (int i = 0; i < 4; i++) {
        make_parts(&parts);
        parts.temperature = temperatures[i];
        refused(&parts, "temperature");
    }
    for (int i = 0; i < 3; i++) {
        make_parts(&parts);
        parts.least = leasts[i];
        refused(&parts, "least_similarity");
    }
    make_parts(&parts);
    parts.rows[DIM] = bf16_from_float(0.5f); /* beside the 1 */
    refused(&parts, "rows");
    make_parts(&parts);
    parts.rows[1] = 0x7f80; /* infinity */
    refused(&parts, "rows");
    make_parts(&parts);
    parts.names[13] = 'x'; /* the last name has no end */
    refused(&parts, "classes");
    make_parts(&parts);
    parts.names[1] = '\0'; /* a name more */
    refused(&parts, "classes");
    make_parts(&parts);
    parts.names[3] = '-'; /* a name less */
    refused(&parts, "classes");
}

static void more_rows_than_any_are_refused(void **state)
{
    (void)state;
    struct parts parts;
    make_parts(&parts);
    const size_t bytes = (size_t)(NOVELTY_ROWS + 1) * DIM * sizeof(uint16_t);
    uint16_t *rows = memory_allocate(bytes);
    parts.entries[4] = entry("rows", ST_BF16, NOVELTY_ROWS + 1, DIM, rows, bytes);
    refused(&parts, "rows");
    memory_free(rows);
}

/* A byte of the file that is another, anywhere but in the name of its checksum: it is never taken for whole. */
static void damage_is_refused(void **state)
{
    (void)state;
    struct parts parts;
    struct classifier c;
    uint8_t *bytes;
    size_t count;
    make_parts(&parts);
    assert_int_equal(read_parts(&parts, &c, NULL), SIMCLR_OK);
    classifier_free(&c);
    assert_int_equal(file_read(at("parts"), 1 << 20, &bytes, &count, NULL), SIMCLR_OK);
    static const char checksum[] = SAFETENSORS_CHECKSUM;
    const char *named = memmem(bytes, count, checksum, sizeof checksum - 1);
    assert_non_null(named);
    const size_t begin = (size_t)(named - (const char *)bytes), end = begin + sizeof checksum - 1;
    for (size_t i = 0; i < count; i += 3) {
        if (i >= begin && i < end) continue;
        bytes[i] ^= 0x10;
        assert_int_equal(file_write_atomic(at("damaged"), bytes, count, NULL), SIMCLR_OK);
        if (classifier_read(&c, at("damaged"), NULL) == SIMCLR_OK) fail_msg("byte %zu may be another", i);
        bytes[i] ^= 0x10;
    }
    for (size_t cut = 0; cut < count; cut += 13) {
        assert_int_equal(file_write_atomic(at("damaged"), bytes, cut, NULL), SIMCLR_OK);
        assert_true(classifier_read(&c, at("damaged"), NULL) != SIMCLR_OK);
    }
    memory_free(bytes);
}

/* ---- judging ---- */

static void a_row_is_judged(void **state)
{
    (void)state;
    enum { COUNT = 3, PLACES = 2 };
    struct parts parts;
    struct classifier c;
    struct backend *backend = NULL;
    const float rows[COUNT * DIM] = {1, 2, 3, 4, 0, 0, 0, 0, -1, 0, 0, -1};
    int32_t top[COUNT * PLACES];
    float probabilities[COUNT * CLASSES], similarity[COUNT];
    const struct classified out = {PLACES, top, probabilities, similarity};
    make_parts(&parts);
    parts.bias[0] = parts.bias[1] = parts.bias[2] = 0;
    assert_int_equal(read_parts(&parts, &c, NULL), SIMCLR_OK);
    assert_int_equal(backend_create("cpu", simd_machine(), pool, &backend, NULL), SIMCLR_OK);
    assert_int_equal(classifier_judge(backend, &c, rows, COUNT, &out, NULL), SIMCLR_OK);
    for (int i = 0; i < COUNT; i++) {
        double logits[CLASSES], sum = 0, all = 0;
        for (int k = 0; k < CLASSES; k++) {
            logits[k] = 0;
            for (int d = 0; d < DIM; d++) logits[k] += (double)c.weight[k * DIM + d] * (double)rows[i * DIM + d];
            sum += exp(logits[k] / 2);
        }
        for (int k = 0; k < CLASSES; k++) {
            assert_true(fabs((double)probabilities[i * CLASSES + k] - exp(logits[k] / 2) / sum) < 1e-6);
            all += (double)probabilities[i * CLASSES + k];
        }
        assert_true(fabs(all - 1) < 1e-6);
    }
    assert_true(top[0] == 2 && top[1] == 1);               /* more weight, more logit */
    assert_true(top[PLACES] == 0 && top[PLACES + 1] == 1); /* equal ones: the lower first */
    assert_true(top[2 * PLACES] == 0 && top[2 * PLACES + 1] == 1);
    assert_true(fabs((double)similarity[0] - 2 / sqrt(30)) < 1e-6 && similarity[1] == 0);
    assert_true(classifier_is_unlike(&c, similarity[0]) && classifier_is_unlike(&c, NAN));
    assert_true(!classifier_is_unlike(&c, 0.5f) && classifier_is_unlike(&c, 0.4999f));
    classifier_free(&c);
    backend_destroy(&backend);
}

static int open_all(void **state)
{
    return make_folder(state) || pool_create(&pool, 2, NULL);
}

static int close_all(void **state)
{
    pool_destroy(&pool);
    return remove_folder(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_field_is_read),
        cmocka_unit_test(a_wrong_pair_is_refused),
        cmocka_unit_test(a_wrong_tensor_is_refused),
        cmocka_unit_test(a_wrong_number_is_refused),
        cmocka_unit_test(more_rows_than_any_are_refused),
        cmocka_unit_test(damage_is_refused),
        cmocka_unit_test(a_row_is_judged),
    };
    return run_cases(tests, open_all, close_all);
}
