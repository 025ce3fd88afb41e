/* command/predict/writer.c -- see writer.h. */
#include "command/predict/writer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/csv.h"
#include "base/escape.h"
#include "base/number.h"

enum { WIDEST = 24 /* of a table's labels, which are not cut */ };

/* The class in a place of the line that may be named: its probability is not below --threshold; NULL: none. */
static const char *label_at(const struct writer *writer, const struct classified *row, int place)
{
    const int32_t class = row->top[place];
    if (class < 0 || (double)row->probabilities[class] < writer->threshold) return NULL;
    return writer->classifier->class_name[class];
}

static double probability_at(const struct classified *row, int place)
{
    const int32_t class = row->top[place];
    return class < 0 ? NAN : (double)row->probabilities[class];
}

static bool is_unlike(const struct writer *writer, const struct classified *row)
{
    return classifier_is_unlike(writer->classifier, row->similarity[0]);
}

/* ---- a table: columns of one width, and the name last, however long it is ---- */

/* Columns of a terminal that it takes; what follows in the text. Bytes that go on a character take none. */
static int columns_of(const char *text, size_t length)
{
    int columns = 0;
    for (size_t i = 0; i < length; i++) columns += ((unsigned char)text[i] & 0xc0) != 0x80;
    return columns;
}

static void pad(struct text *text, size_t from, int width)
{
    for (int columns = columns_of(text->bytes ? text->bytes + from : "", text->length - from); columns < width;
         columns++)
        text_add_bytes(text, " ", 1);
}

static void add_label(struct writer *writer, const char *label)
{
    const size_t from = writer->text.length;
    if (label) escape_add(&writer->text, label, strlen(label));
    if (!writer->text.failed) pad(&writer->text, from, writer->width);
}

static void add_table_line(struct writer *writer, const char *name, const struct classified *row, const char *failure)
{
    struct text *text = &writer->text;
    (void)failure; /* the log says it */
    for (int i = 0; i < writer->places; i++) {
        const double probability = row ? probability_at(row, i) : NAN;
        add_label(writer, row ? label_at(writer, row, i) : NULL);
        if (isnan(probability))
            text_add(text, "%8s  ", "");
        else
            text_add(text, "%6.1f %%  ", 100 * probability);
    }
    text_add(text, "%-6s  ", !row ? "bad" : is_unlike(writer, row) ? "unlike" : "");
    escape_add(text, name, strlen(name));
    text_add_bytes(text, "\n", 1);
}

static int widest_label(const struct classifier *classifier)
{
    int widest = (int)strlen("label");
    for (int c = 0; c < classifier->classes; c++) {
        struct text shown = {0};
        escape_add(&shown, classifier->class_name[c], strlen(classifier->class_name[c]));
        const int columns = columns_of(shown.bytes ? shown.bytes : "", shown.length);
        if (columns > widest) widest = columns;
        text_free(&shown);
    }
    return widest < WIDEST ? widest : WIDEST;
}

static void add_table_head(struct writer *writer)
{
    for (int i = 0; i < writer->places; i++)
        text_add(&writer->text, "%-*s%8s  ", writer->width, i == 0 ? "label" : "then", "");
    text_add(&writer->text, "%-6s  image\n", "");
}

/* ---- CSV ---- */

static void add_number(struct text *text, double value)
{
    char number[NUMBER_TEXT] = "";
    if (!isnan(value)) number_format_shortest(value, number);
    text_add(text, ",%s", number);
}

static void add_csv_line(struct writer *writer, const char *name, const struct classified *row, const char *failure)
{
    struct text *text = &writer->text;
    (void)failure;
    csv_add(text, name);
    for (int i = 0; i < writer->places; i++) {
        const char *label = row ? label_at(writer, row, i) : NULL;
        text_add(text, ",");
        if (label) csv_add(text, label);
        add_number(text, row ? probability_at(row, i) : NAN);
    }
    text_add(text, ",%s\r\n", !row || !writer->classifier->novelty.rows ? "" : is_unlike(writer, row) ? "1" : "0");
}

static void add_csv_head(struct writer *writer)
{
    text_add(&writer->text, "path,label,probability");
    for (int i = 1; i < writer->places; i++) text_add(&writer->text, ",label%d,probability%d", i + 1, i + 1);
    text_add(&writer->text, ",unlike\r\n");
}

/* ---- JSON lines ---- */

static void add_json_top(struct writer *writer, const struct classified *row)
{
    struct text *text = &writer->text;
    text_json_open_array(text, "top");
    for (int i = 0; i < writer->places && label_at(writer, row, i); i++) {
        text_json_open_object(text, NULL);
        text_json_string(text, "label", label_at(writer, row, i));
        text_json_number(text, "probability", probability_at(row, i));
        text_json_close_object(text);
    }
    text_json_close_array(text);
}

static void add_json_line(struct writer *writer, const char *name, const struct classified *row, const char *failure)
{
    struct text *text = &writer->text;
    const char *label = row ? label_at(writer, row, 0) : NULL;
    text_json_open_object(text, NULL);
    text_json_string(text, "path", name);
    if (label)
        text_json_string(text, "label", label);
    else
        text_json_number(text, "label", NAN); /* null */
    if (row) {
        text_json_number(text, "probability", probability_at(row, 0));
        add_json_top(writer, row);
        if (writer->classifier->novelty.rows) {
            text_json_number(text, "similarity", (double)row->similarity[0]);
            text_json_boolean(text, "unlike", is_unlike(writer, row));
        }
    } else {
        text_json_string(text, "error", failure);
    }
    text_json_close_object(text);
    text_add_bytes(text, "\n", 1);
}

/* ---- all ---- */

static const struct {
    const char *name;
    void (*add)(struct writer *writer, const char *name, const struct classified *row, const char *failure);
    void (*add_head)(struct writer *writer); /* NULL: there is none */
} formats[] = {
    {"table", add_table_line, add_table_head}, {"csv", add_csv_line, add_csv_head}, {"jsonl", add_json_line, NULL}};

void writer_open(struct writer *writer, const struct session *session, const struct classifier *classifier)
{
    const struct config *config = session->config;
    const int top = (int)config->top;
    *writer = (struct writer){.session = session,
                              .classifier = classifier,
                              .threshold = config->threshold,
                              .places = top < classifier->classes ? top : classifier->classes,
                              .width = widest_label(classifier)};
    while (strcmp(formats[writer->format].name, config->format) != 0) writer->format++; /* one of the choices */
}

int writer_begin(struct writer *writer, struct error *error)
{
    if (formats[writer->format].add_head) formats[writer->format].add_head(writer);
    return writer_flush(writer, error);
}

void writer_close(struct writer *writer)
{
    text_free(&writer->text);
}

void writer_add(struct writer *writer, const char *name, const struct classified *row, const char *failure)
{
    formats[writer->format].add(writer, name, row, failure);
}

int writer_flush(struct writer *writer, struct error *error)
{
    struct text *text = &writer->text;
    if (text->failed) return error_no_memory(error, "lines of results", text->capacity);
    if (text->length > 0) session_write(writer->session, text->bytes, text->length);
    text->length = 0;
    return SIMCLR_OK;
}
