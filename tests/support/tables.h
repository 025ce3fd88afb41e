/* support/tables.h -- tests only: tables of features of random shapes, with names that are hard to keep. */
#ifndef SUPPORT_TABLES_H
#define SUPPORT_TABLES_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/lines.h"
#include "base/rng.h"
#include "run/table/table_write.h"

enum { TABLES_CLASSES = 5, TABLES_LONGEST = 1 << 17 };

/* The same for the same number. Release with drawn_table_free. */
struct drawn_table {
    struct table_shape shape; /* its rows: as many as there are */
    char **names;             /* [rows] */
    int32_t *labels;          /* [rows] */
    float *values;            /* [rows][dim] */
    const char *classes[TABLES_CLASSES];
};

/* `few`: there may be very long ones. */
static inline char *drawn_name(struct rng *rng, int64_t row, bool plain, bool few)
{
    static const char *const parts[] = {
        "a",   "/", ",", "\"",  "\n",   "\r\n", "\t",       "\\",           "\\x41",
        "\\n", " ", "=", "'",   "\xFF", "\xC3", "\xC3\xA9", "\xE2\x80\xAE", "\xF0\x9F\x98\x80",
        "\b",  "{", "}", "\x7F"};
    size_t room = 64, used;
    if (!plain && few && rng_below(rng, 1000) == 0) room = TABLES_LONGEST;
    char *name = malloc(room + 64);
    if (!name) abort();
    used = (size_t)snprintf(name, 32, "%lld-", (long long)row); /* names tell rows apart */
    const size_t end = room == 64 ? used + rng_below(rng, 24) : room;
    while (!plain && used < end) {
        const char *part = parts[rng_below(rng, sizeof parts / sizeof *parts)];
        memcpy(name + used, part, strlen(part));
        used += strlen(part);
    }
    name[used] = '\0';
    return name;
}

/* Numbers of all sizes: a mantissa of few or of many digits, and any exponent of `wide`, else those of features. */
static inline float drawn_value(struct rng *rng, bool wide)
{
    uint32_t bits;
    float value;
    do {
        bits = rng_word(rng);
        if (!wide) bits = (bits & 0x807fffffu) | (uint32_t)(113 + (bits >> 23 & 0xF)) << 23;
        if (rng_below(rng, 4) == 0) bits &= 0xfffc0000u;
        memcpy(&value, &bits, sizeof value);
    } while ((bits & 0x7f800000u) == 0x7f800000u);
    return rng_below(rng, 20) == 0 ? 0 : value;
}

/* Shapes at every edge come first: no row, one row, one value a row, a group of rows more or less one. */
static inline void drawn_table(struct drawn_table *out, uint32_t number, bool half)
{
    static const struct {
        int64_t rows;
        int dim;
    } edges[] = {{0, 3}, {1, 1}, {1, 700}, {2, 1}, {19999, 2}, {20000, 1}, {20001, 1}, {40000, 1}, {700, 1024}};
    static const char *const plain[] = {"cat", "dog", "emu", "fox", "gnu"};
    static const char *const odd[] = {"a,b", "line\nend", "\xFF", "\"q\" ", "\xE2\x80\xAE"};
    struct rng rng = rng_open(14, RNG_TEST, half, number, 0);
    const bool edge = number < sizeof edges / sizeof *edges, odd_names = number % 4 != 1;
    *out = (struct drawn_table){0};
    out->shape.rows = edge ? edges[number].rows : 1 + rng_below(&rng, 300);
    out->shape.dim = edge ? edges[number].dim : 1 + (int)rng_below(&rng, 200);
    out->shape.half = half;
    out->shape.classes = number % 3 == 2 ? 0 : TABLES_CLASSES;
    out->shape.class_names = out->classes;
    for (int i = 0; i < TABLES_CLASSES; i++) out->classes[i] = number % 3 == 0 ? odd[i] : plain[i];
    const size_t rows = (size_t)out->shape.rows, values = rows * (size_t)out->shape.dim;
    out->names = calloc(rows + 1, sizeof *out->names);
    out->labels = calloc(rows + 1, sizeof *out->labels);
    out->values = calloc(values + 1, sizeof *out->values);
    if (!out->names || !out->labels || !out->values) abort();
    for (size_t i = 0; i < rows; i++) {
        out->names[i] = drawn_name(&rng, (int64_t)i, !odd_names, rows < 1000);
        if (strlen(out->names[i]) > out->shape.longest_name) out->shape.longest_name = strlen(out->names[i]);
        out->shape.odd_names |= lines_need_mark(out->names[i]);
        out->labels[i] = out->shape.classes > 0 ? (int32_t)rng_below(&rng, TABLES_CLASSES + 1) - 1 : -1;
    }
    for (size_t i = 0; i < values; i++) out->values[i] = drawn_value(&rng, !half && number % 2 == 0);
}

static inline void drawn_table_free(struct drawn_table *table)
{
    for (int64_t i = 0; i < table->shape.rows; i++) free(table->names[i]);
    free(table->names);
    free(table->labels);
    free(table->values);
}

/* Writes it; `promised`: more rows than come are promised, as where images turn out to be bad. */
static inline int drawn_table_write(const struct drawn_table *table, const char *path, enum table_format format,
                                    bool promised, struct error *error)
{
    struct table_writer *writer;
    struct table_shape shape = table->shape;
    shape.rows += promised ? 1000 : 0;
    int status = table_writer_open(&writer, path, format, &shape, error);
    for (int64_t i = 0; !status && i < table->shape.rows; i++) {
        const struct table_row row = {table->names[i], table->labels[i], table->values + i * shape.dim};
        status = table_writer_add(writer, &row, error);
    }
    if (!status) status = table_writer_commit(writer, error);
    table_writer_close(&writer);
    return status;
}

#endif
