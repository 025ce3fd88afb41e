/* config/recipe.c -- recipes: a flat YAML mapping of option names to values, read with suspicion and written so that
 * it reads back the same. Beside the options there may be a list of what runs should reach (recipe_expect.c).
 *
 * Read as a stream of events, so that nothing is built before it is judged: the first nested list or mapping, anchor,
 * alias, tag or second document ends the reading where it stands. */
#include <stdio.h>
#include <string.h>

#include "base/escape.h"
#include "base/file.h"
#include "base/lines.h"
#include "base/memory.h"
#include "config/config.h"
#include "config/recipe_reader.h"
#include "config/values.h"

enum { RECIPE_BYTES = 1 << 20, NAMED = 8 }; /* NAMED: of the options that are left out */

static int refuse_at(struct reader *reader, size_t line, size_t column, const char *what)
{
    error_set(reader->error, SIMCLR_INVALID, "%s:%zu:%zu: %s", reader->name, line + 1, column + 1, what);
    return SIMCLR_INVALID;
}

int recipe_refuse(struct reader *reader, const yaml_event_t *event, const char *what)
{
    return refuse_at(reader, event->start_mark.line, event->start_mark.column, what);
}

/* libyaml's own complaint. */
static int refuse_syntax(struct reader *reader)
{
    const yaml_parser_t *parser = &reader->parser;
    char what[160];

    if (parser->error == YAML_MEMORY_ERROR) return error_no_memory(reader->error, reader->name, 1);
    if (parser->error == YAML_READER_ERROR) {
        snprintf(what, sizeof what, "%s at byte %zu; a recipe is UTF-8 text", parser->problem, parser->problem_offset);
        return refuse_at(reader, parser->mark.line, parser->mark.column, what);
    }
    snprintf(what, sizeof what, "not valid YAML: %s", parser->problem ? parser->problem : "cannot be read");
    return refuse_at(reader, parser->problem_mark.line, parser->problem_mark.column, what);
}

int recipe_next(struct reader *reader, yaml_event_t *event)
{
    if (!yaml_parser_parse(&reader->parser, event)) return refuse_syntax(reader);
    const char *what = NULL;
    switch (event->type) {
    case YAML_ALIAS_EVENT:
        what = "aliases are not allowed in a recipe; write the value out";
        break;
    case YAML_DOCUMENT_START_EVENT:
        if (event->data.document_start.version_directive ||
            event->data.document_start.tag_directives.start != event->data.document_start.tag_directives.end) {
            what = "YAML directives are not allowed in a recipe";
        }
        break;
    case YAML_SCALAR_EVENT:
        if (event->data.scalar.anchor)
            what = "anchors are not allowed in a recipe";
        else if (event->data.scalar.tag)
            what = "tags are not allowed in a recipe";
        break;
    case YAML_SEQUENCE_START_EVENT:
        if (event->data.sequence_start.anchor)
            what = "anchors are not allowed in a recipe";
        else if (event->data.sequence_start.tag)
            what = "tags are not allowed in a recipe";
        break;
    case YAML_MAPPING_START_EVENT:
        if (event->data.mapping_start.anchor)
            what = "anchors are not allowed in a recipe";
        else if (event->data.mapping_start.tag)
            what = "tags are not allowed in a recipe";
        break;
    default:
        break;
    }
    if (!what) return SIMCLR_OK;
    recipe_refuse(reader, event, what);
    yaml_event_delete(event);
    return SIMCLR_INVALID;
}

/* A key of another command: it is counted, and the first of them are named. */
static void leave_out(struct reader *reader, const char *name)
{
    if (reader->left < NAMED) text_add(&reader->left_names, "%s%s", reader->left > 0 ? ", " : "", name);
    reader->left++;
}

/* One line for all that was left out: the recipe of a run has every option that there is. */
static int note_left_out(struct reader *reader)
{
    struct config *config = reader->config;
    struct text text = {0};
    const int left = reader->left;

    if (left == 0) return SIMCLR_OK;
    text_add(&text, "%s%s%s: %d of its options %s not of %s and %s left out: ", config->notes,
             config->notes[0] ? "\n" : "", reader->name, left, left == 1 ? "is" : "are", command_name(config->command),
             left == 1 ? "is" : "are");
    text_add_bytes(&text, reader->left_names.bytes, reader->left_names.length);
    if (left > NAMED) text_add(&text, " and %d more", left - NAMED);
    char *notes = text.failed || reader->left_names.failed ? NULL : memory_string(text.bytes);
    text_free(&text);
    if (!notes) return error_no_memory(reader->error, "a note", 1);
    memory_free(config->notes);
    config->notes = notes;
    return SIMCLR_OK;
}

/* What the key names: a row that this command takes, a row of another command, or an error. */
static int find_key(struct reader *reader, const yaml_event_t *event, const struct option_row **row, bool *ours)
{
    const char *key = (const char *)event->data.scalar.value;
    const enum command command = reader->config->command;
    char shown[SHOWN_TEXT], text[HINT_TEXT], what[400];

    value_shown(key, shown);
    *ours = true;
    *row = strlen(key) == event->data.scalar.length ? option_find(key, command) : NULL;
    if (!*row && strlen(key) == event->data.scalar.length) {
        *row = option_find_any(key);
        *ours = false;
    }
    if (!*row) {
        const char *hint = option_hint(key, command, HINT_RECIPE, text);
        snprintf(what, sizeof what, "unknown key \"%s\"; %s%ssee simclr %s --help", shown, hint ? hint : "",
                 hint ? "; " : "", command_name(command));
        return recipe_refuse(reader, event, what);
    }
    if (strcmp((*row)->name, "recipe") == 0) return recipe_refuse(reader, event, "a recipe cannot name another recipe");
    unsigned char *seen = &reader->seen[*row - config_options];
    if (*seen) {
        snprintf(what, sizeof what, "duplicate key \"%s\"; keep one of them", shown);
        return recipe_refuse(reader, event, what);
    }
    *seen = 1;
    return SIMCLR_OK;
}

/* Is this scalar of the kind that the option is written in? Numbers and booleans are plain, text may be quoted. */
static bool style_fits(const struct option_row *row, const yaml_event_t *event)
{
    const bool plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    if (row->type == OPTION_STRING || row->type == OPTION_LIST || row->type == OPTION_CHOICE || row->type == OPTION_RGB)
        return true;
    return plain;
}

static int set_value(struct reader *reader, const struct option_row *row, const yaml_event_t *event)
{
    const char *value = (const char *)event->data.scalar.value;
    const bool plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    char shown[SHOWN_TEXT], allowed[ALLOWED_TEXT], what[400];

    value_allowed(row, allowed);
    value_shown(value, shown);
    if (plain && (value[0] == '\0' || strcmp(value, "~") == 0 || strcmp(value, "null") == 0)) {
        snprintf(what, sizeof what, "\"%s\" has no value; it takes %s", row->name, allowed);
        return recipe_refuse(reader, event, what);
    }
    const bool whole = strlen(value) == event->data.scalar.length;
    const int status = whole && style_fits(row, event) ? value_set(reader->trial, row, value) : SIMCLR_INVALID;
    if (status == SIMCLR_NO_MEMORY) return error_no_memory(reader->error, row->name, event->data.scalar.length);
    if (status != SIMCLR_OK) {
        snprintf(what, sizeof what, "\"%s\" takes %s, not %s\"%s\"", row->name, allowed,
                 plain || row->type == OPTION_STRING || row->type == OPTION_LIST ? "" : "the text ", shown);
        return recipe_refuse(reader, event, what);
    }
    return config_set(reader->config, row->name, value, reader->origin, reader->error);
}

static bool is_expect(const yaml_event_t *event)
{
    const char *key = (const char *)event->data.scalar.value;
    return strcmp(key, "expect") == 0 && strlen(key) == event->data.scalar.length;
}

/* One key and its value; *done at the end of the mapping. */
static int read_pair(struct reader *reader, bool *done)
{
    yaml_event_t event;
    const struct option_row *row = NULL;
    bool ours = false, expected = false;

    int status = recipe_next(reader, &event);
    if (status != SIMCLR_OK) return status;
    *done = event.type == YAML_MAPPING_END_EVENT;
    if (!*done) {
        if (event.type != YAML_SCALAR_EVENT)
            status = recipe_refuse(reader, &event, "a key must be the name of an option");
        else if (is_expect(&event))
            expected = true;
        else
            status = find_key(reader, &event, &row, &ours);
        if (expected)
            status = recipe_read_expect(reader, &event);
        else if (status == SIMCLR_OK && !ours)
            leave_out(reader, row->name);
    }
    yaml_event_delete(&event);
    if (status != SIMCLR_OK || *done || expected) return status;

    status = recipe_next(reader, &event);
    if (status != SIMCLR_OK) return status;
    if (event.type != YAML_SCALAR_EVENT) {
        char what[160];
        snprintf(what, sizeof what, "\"%s\" takes one value, not a list or a mapping; recipes have no nesting",
                 row->name);
        status = recipe_refuse(reader, &event, what);
    } else if (ours) {
        status = set_value(reader, row, &event);
    }
    yaml_event_delete(&event);
    return status;
}

/* Reads an event that must be of `type`, or of `other`; which one it was goes to *out. */
static int expect(struct reader *reader, yaml_event_type_t type, yaml_event_type_t other, const char *what,
                  yaml_event_type_t *out)
{
    yaml_event_t event;
    int status = recipe_next(reader, &event);
    if (status != SIMCLR_OK) return status;
    *out = event.type;
    if (event.type != type && event.type != other) status = recipe_refuse(reader, &event, what);
    yaml_event_delete(&event);
    return status;
}

static int read_stream(struct reader *reader)
{
    static const char mapping[] = "a recipe is a mapping, one \"option: value\" a line";
    static const char single[] = "a recipe is one document; remove this one";
    yaml_event_type_t type;
    bool done = false;

    int status = expect(reader, YAML_STREAM_START_EVENT, YAML_STREAM_START_EVENT, mapping, &type);
    if (status != SIMCLR_OK) return status;
    status = expect(reader, YAML_DOCUMENT_START_EVENT, YAML_STREAM_END_EVENT, mapping, &type);
    if (status != SIMCLR_OK || type == YAML_STREAM_END_EVENT) return status; /* nothing but comments */
    status = expect(reader, YAML_MAPPING_START_EVENT, YAML_MAPPING_START_EVENT, mapping, &type);
    while (status == SIMCLR_OK && !done) status = read_pair(reader, &done);
    if (status != SIMCLR_OK) return status;
    status = expect(reader, YAML_DOCUMENT_END_EVENT, YAML_DOCUMENT_END_EVENT, mapping, &type);
    if (status != SIMCLR_OK) return status;
    return expect(reader, YAML_STREAM_END_EVENT, YAML_STREAM_END_EVENT, single, &type);
}

/* Tabs look like spaces and are none; NULs cut strings short. */
static int check_bytes(struct reader *reader, const char *text, size_t length)
{
    size_t line = 0, start = 0;

    for (size_t i = 0; i < length; i++) {
        if (text[i] == '\t') return refuse_at(reader, line, i - start, "tab character; use spaces");
        if (text[i] == '\0') return refuse_at(reader, line, i - start, "NUL character; a recipe is text");
        if (text[i] != '\n') continue;
        line++;
        start = i + 1;
    }
    return SIMCLR_OK;
}

int config_parse_recipe(struct config *config, const char *text, size_t length, const char *name, int origin,
                        struct error *error)
{
    const size_t mark =
        lines_byte_order_length(text, length); /* some editors put it there; no key has it in its name */
    struct reader reader = {.config = config, .name = name, .origin = origin, .error = error};

    if (length > RECIPE_BYTES) {
        return error_set(error, SIMCLR_INVALID, "%s: %zu bytes are too many for a recipe; at most 1 MiB is read", name,
                         length);
    }
    text += mark;
    length -= mark;
    int status = check_bytes(&reader, text, length);
    if (status != SIMCLR_OK) return status;
    status = config_create(&reader.trial, config->command, error);
    if (status != SIMCLR_OK) return status;
    reader.seen = memory_allocate((size_t)config_option_count);
    if (reader.seen && yaml_parser_initialize(&reader.parser)) {
        yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
        yaml_parser_set_input_string(&reader.parser, (const unsigned char *)text, length);
        status = read_stream(&reader);
        if (status == SIMCLR_OK) status = note_left_out(&reader);
        yaml_parser_delete(&reader.parser);
    } else {
        status = error_no_memory(error, "the reader of recipes", (size_t)config_option_count);
    }
    memory_free(reader.seen);
    text_free(&reader.left_names);
    config_destroy(&reader.trial);
    return status;
}

/* Commands find the path of their recipe there, whoever had it read. Any name of a file will do. */
static int keep_path(struct config *config, const char *path, struct error *error)
{
    char *kept = memory_string(path);

    if (!kept) return error_no_memory(error, "the path of a recipe", strlen(path) + 1);
    memory_free(config->recipe);
    config->recipe = kept;
    return SIMCLR_OK;
}

int config_load_recipe(struct config *config, const char *path, struct error *error)
{
    uint8_t *bytes;
    size_t length;

    if (file_size(path) > RECIPE_BYTES) {
        return error_set(error, SIMCLR_INVALID, "%s: too large for a recipe; at most 1 MiB is read", path);
    }
    int status = file_read(path, RECIPE_BYTES, &bytes, &length, error);
    if (status != SIMCLR_OK) return error_prefix(error, "recipe");
    status = config_parse_recipe(config, (const char *)bytes, length, path, 1, error);
    memory_free(bytes);
    return status == SIMCLR_OK ? keep_path(config, path, error) : status;
}

/* ---- writing --------------------------------------------------------------------------------------------------- */

/* What may not go out as it is (base/escape.h) is escaped in YAML's way. Values are UTF-8. */
void recipe_write_quoted(struct text *out, const char *value)
{
    const unsigned char *at = (const unsigned char *)value, *end = at + strlen(value);
    text_add(out, "\"");
    for (size_t length; at < end; at += length) {
        length = escape_utf8_length(at, (size_t)(end - at));
        const unsigned long code = length > 0 ? escape_code_point(at, length) : *at;
        if (*at == '"' || *at == '\\')
            text_add(out, "\\%c", *at);
        else if (escape_plain_length(at, (size_t)(end - at)) > 0)
            text_add_bytes(out, (const char *)at, length);
        else
            text_add(out, code < 0x100 ? "\\x%02lX" : code < 0x10000 ? "\\u%04lX" : "\\U%08lX", code);
        if (length == 0) length = 1;
    }
    text_add(out, "\"");
}

static void write_value(const struct config *config, const struct option_row *row, struct text *out)
{
    struct text value = {0};

    value_write(config, row, &value);
    if (value.failed)
        out->failed = true;
    else if (row->type == OPTION_STRING || row->type == OPTION_LIST || row->type == OPTION_RGB || value.length == 0)
        recipe_write_quoted(out, value.bytes ? value.bytes : ""); /* a choice that is not given is empty */
    else
        text_add(out, "%s", value.bytes);
    text_free(&value);
}

char *config_to_yaml(const struct config *config, enum config_text text)
{
    struct text out = {0};
    const char *section = "";

    text_add(&out, "# Effective configuration of simclr %s: use it again with simclr %s --recipe FILE\n",
             command_name(config->command), command_name(config->command));
    for (int i = 0; i < config_option_count; i++) {
        const struct option_row *row = &config_options[i];
        if (!option_of(row, config->command) || strcmp(row->name, "recipe") == 0) continue;
        if (strcmp(section, row->section) != 0) text_add(&out, "\n# %s\n", row->section);
        section = row->section;
        text_add(&out, "%s: ", row->name);
        if (text == CONFIG_REPEATABLE && row->once)
            text_add(&out, "%s", row->default_text);
        else
            write_value(config, row, &out);
        text_add(&out, "\n");
    }
    recipe_write_expect(&out, &config->expect);
    char *yaml = out.failed ? NULL : memory_string(out.bytes);
    text_free(&out);
    return yaml;
}

char *config_differences(const struct config *a, const struct config *b)
{
    struct text out = {0};

    text_add(&out, "%s", "");
    for (int i = 0; i < config_option_count; i++) {
        const struct option_row *row = &config_options[i];
        if (!row->matters || !option_of(row, a->command) || value_equal(a, b, row)) continue;
        text_add(&out, "%s%s", out.length ? ", " : "", row->name);
    }
    char *names = out.failed ? NULL : memory_string(out.bytes ? out.bytes : "");
    text_free(&out);
    return names;
}
