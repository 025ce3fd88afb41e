/* config/recipe_expect.c -- the one key of a recipe that is no option: `expect`, a list of flat mappings. */
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/number.h"
#include "config/recipe_reader.h"
#include "config/values.h"

enum { KEYS = 5, TEXT_MOST = 400 };
enum key { KEY_EPOCH, KEY_METRIC, KEY_LOW, KEY_HIGH, KEY_SOURCE };
static const char *const keys[KEYS] = {"epoch", "metric", "low", "high", "source"};

struct row {
    struct expectation values; /* with texts of its own */
    bool seen[KEYS];
};

static void row_free(struct row *row)
{
    memory_free(row->values.metric);
    memory_free(row->values.source);
    *row = (struct row){0};
}

static int set_text(struct reader *reader, char **out, const yaml_event_t *event)
{
    const char *value = (const char *)event->data.scalar.value;
    const size_t length = event->data.scalar.length;
    if (length == 0 || length > TEXT_MOST || strlen(value) != length || !value_is_utf8(value))
        return recipe_refuse(reader, event, "\"metric\" and \"source\" take UTF-8 text of at most 400 bytes");
    *out = memory_string(value);
    return *out ? SIMCLR_OK : error_no_memory(reader->error, "an expectation", length);
}

static int set_number(struct reader *reader, double *out, const yaml_event_t *event)
{
    const char *value = (const char *)event->data.scalar.value;
    if (event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && strlen(value) == event->data.scalar.length &&
        number_parse(value, out))
        return SIMCLR_OK;
    return recipe_refuse(reader, event, "\"epoch\", \"low\" and \"high\" take numbers");
}

static int set_value(struct reader *reader, struct row *row, enum key key, const yaml_event_t *event)
{
    if (event->type != YAML_SCALAR_EVENT)
        return recipe_refuse(reader, event, "a value of \"expect\" is a number or a text");
    switch (key) {
    case KEY_EPOCH:
        return set_number(reader, &row->values.epoch, event);
    case KEY_LOW:
        return set_number(reader, &row->values.low, event);
    case KEY_HIGH:
        return set_number(reader, &row->values.high, event);
    case KEY_METRIC:
        return set_text(reader, &row->values.metric, event);
    case KEY_SOURCE:
        return set_text(reader, &row->values.source, event);
    }
    return SIMCLR_INVALID;
}

static int find_key(struct reader *reader, struct row *row, const yaml_event_t *event, enum key *out)
{
    static const char allowed[] = "a row of \"expect\" has epoch, metric, low, high and source, each once";
    if (event->type != YAML_SCALAR_EVENT) return recipe_refuse(reader, event, allowed);
    for (int i = 0; i < KEYS; i++) {
        if (strcmp((const char *)event->data.scalar.value, keys[i]) != 0 || row->seen[i] ||
            event->data.scalar.length != strlen(keys[i]))
            continue;
        row->seen[i] = true;
        *out = (enum key)i;
        return SIMCLR_OK;
    }
    return recipe_refuse(reader, event, allowed);
}

/* From behind the start of its mapping to the end. start: for the place of what is wrong with the whole. */
static int read_row(struct reader *reader, struct row *row, const yaml_event_t *start)
{
    for (;;) {
        yaml_event_t event;
        enum key key = KEY_EPOCH;
        int status = recipe_next(reader, &event);
        if (status) return status;
        const bool ends = event.type == YAML_MAPPING_END_EVENT;
        if (!ends) status = find_key(reader, row, &event, &key);
        yaml_event_delete(&event);
        if (status) return status;
        if (ends) break;
        status = recipe_next(reader, &event);
        if (status) return status;
        status = set_value(reader, row, key, &event);
        yaml_event_delete(&event);
        if (status) return status;
    }
    for (int i = 0; i < KEYS; i++) {
        char what[80];
        if (row->seen[i]) continue;
        snprintf(what, sizeof what, "this row of \"expect\" lacks \"%s\"", keys[i]);
        return recipe_refuse(reader, start, what);
    }
    return SIMCLR_OK;
}

static int add_row(struct reader *reader, struct expectations *list, const yaml_event_t *start)
{
    struct row row = {0};
    if (start->type != YAML_MAPPING_START_EVENT)
        return recipe_refuse(reader, start,
                             "\"expect\" is a list of {epoch: N, metric: NAME, low: X, high: Y, source: "
                             "TEXT}");
    int status = read_row(reader, &row, start);
    if (!status) {
        status = expectations_add(list, &row.values);
        if (status == SIMCLR_INVALID && list->count >= EXPECT_ROWS_MOST)
            recipe_refuse(reader, start, "\"expect\" has more than 1000 rows");
        else if (status == SIMCLR_INVALID)
            recipe_refuse(reader, start, "in this row \"epoch\" is not above 0, or \"low\" is above \"high\"");
        else if (status)
            error_no_memory(reader->error, "an expectation", sizeof row);
    }
    row_free(&row);
    return status;
}

int recipe_read_expect(struct reader *reader, const yaml_event_t *key)
{
    struct expectations list = {0};
    yaml_event_t event;
    if (reader->expects) return recipe_refuse(reader, key, "duplicate key \"expect\"; keep one of them");
    reader->expects = true;
    int status = recipe_next(reader, &event);
    if (status) return status;
    if (event.type != YAML_SEQUENCE_START_EVENT)
        status = recipe_refuse(reader, &event, "\"expect\" takes a list of rows");
    yaml_event_delete(&event);
    for (bool ends = false; !status && !ends;) {
        status = recipe_next(reader, &event);
        if (status) break;
        ends = event.type == YAML_SEQUENCE_END_EVENT;
        if (!ends) status = add_row(reader, &list, &event);
        yaml_event_delete(&event);
    }
    if (status) {
        expectations_free(&list);
        return status;
    }
    expectations_free(&reader->config->expect);
    reader->config->expect = list;
    return SIMCLR_OK;
}

void recipe_write_expect(struct text *out, const struct expectations *list)
{
    if (list->count == 0) return;
    text_add(out, "\n# What the recipe expects of its runs: simclr verify compares\nexpect:\n");
    for (size_t i = 0; i < list->count; i++) {
        const struct expectation *row = &list->rows[i];
        char epoch[NUMBER_TEXT], low[NUMBER_TEXT], high[NUMBER_TEXT];
        number_format(row->epoch, epoch);
        number_format(row->low, low);
        number_format(row->high, high);
        text_add(out, "  - {epoch: %s, metric: ", epoch);
        recipe_write_quoted(out, row->metric);
        text_add(out, ", low: %s, high: %s, source: ", low, high);
        recipe_write_quoted(out, row->source);
        text_add(out, "}\n");
    }
}
