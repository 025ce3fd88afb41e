/* Any bytes as names, with NULs between. Escaped they are one line of UTF-8 that nothing obeys, and they come back. A
 * list of them is read as it was written. JSON of them is valid, and two names stay two. Then the bytes as escaped
 * text. */
#include <stdbool.h>
#include <string.h>

#include "base/escape.h"
#include "base/json.h"
#include "base/lines.h"
#include "base/memory.h"
#include "data/sets/list.h"
#include "fuzz.h"

long fuzz_accepted;

enum { NAMES_MAX = 64, NAME_MAX_BYTES = 3000 }; /* four times as long still is a line of a list */

static bool is_fit(const char *text, size_t count)
{
    for (size_t at = 0, length; at < count; at += length) {
        length = escape_plain_length((const unsigned char *)text + at, count - at);
        if (length == 0) return false;
    }
    return true;
}

static void check_name(const char *name)
{
    const size_t count = strlen(name);
    struct text text = {0};
    char small[16];
    text_add_bytes(&text, "", 0);
    escape_add(&text, name, count);
    FUZZ_CHECK(is_fit(text.bytes, text.length));
    FUZZ_CHECK(escape_is_needed(name, count) || text.length == count || strchr(name, '\\'));
    FUZZ_CHECK(escape_write(small, sizeof small, name, count) == text.length);
    FUZZ_CHECK(is_fit(small, strlen(small)) && strncmp(small, text.bytes, strlen(small)) == 0);
    FUZZ_CHECK(escape_undo(text.bytes, text.length) == count && memcmp(text.bytes, name, count) == 0);
    text_free(&text);
}

/* Names as keys of an object: as many members as there are different names. */
static void check_json(char *const *names, int count)
{
    struct text text = {0};
    int different = 0;
    text_json_open_object(&text, NULL);
    for (int i = 0; i < count; i++) {
        bool again = false;
        for (int j = 0; j < i && !again; j++) again = strcmp(names[i], names[j]) == 0;
        different += !again;
        text_json_string(&text, names[i], names[i]);
    }
    text_json_close_object(&text);
    FUZZ_CHECK(is_fit(text.bytes, text.length));
    struct json json;
    FUZZ_CHECK(json_read(&json, text.bytes, text.length, false, NULL) == SIMCLR_OK);
    size_t last = 0; /* of its name */
    const struct json_value *value = json_first(json.values);
    for (size_t i = 0; i < json.values->count; i++, value = json_next(value))
        last += json_member(json.values, value->name) == value;
    FUZZ_CHECK(last == (size_t)different);
    json_free(&json);
    text_free(&text);
}

static void check_list(char *const *names, int count)
{
    struct text text = {0};
    struct catalog catalog = {.prefix = memory_string("")};
    struct error error = {0};
    bool marked = false;
    for (int i = 0; i < count; i++) marked |= lines_need_mark(names[i]);
    if (marked) text_add(&text, "%s\n", LINES_MARK);
    for (int i = 0; i < count; i++) lines_add(&text, names[i], marked);
    const struct blob blob = blob_of_memory((const uint8_t *)text.bytes, text.length);
    FUZZ_CHECK(list_parse(&blob, &list_columns_plain, "fuzz", &catalog, &error) == SIMCLR_OK);
    FUZZ_CHECK(catalog.count == count);
    for (int i = 0; i < count; i++) FUZZ_CHECK(strcmp(catalog_name(&catalog, i), names[i]) == 0);
    catalog_free(&catalog);
    struct lines lines;
    const char *name;
    FUZZ_CHECK(lines_open(&lines, text.bytes, text.length, "fuzz", &error) == SIMCLR_OK);
    for (int i = 0; i < count; i++)
        FUZZ_CHECK(lines_next(&lines, "fuzz", &name, &error) == SIMCLR_OK && name && strcmp(name, names[i]) == 0);
    FUZZ_CHECK(lines_next(&lines, "fuzz", &name, &error) == SIMCLR_OK && !name);
    text_free(&text);
}

/* Any bytes as a list of names: refused with a sentence, or names on one line each without a tab. */
static void read_list(char *text, size_t count)
{
    struct error error = {0};
    struct lines lines;
    const char *name = "";
    int status = lines_open(&lines, text, count, "fuzz", &error);
    while (!status && name) {
        status = lines_next(&lines, "fuzz", &name, &error);
        if (!status && name) FUZZ_CHECK(*name && (lines.escaped || !strpbrk(name, "\t\n")));
    }
    FUZZ_CHECK(!status || error.text[0] != '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    char *names[NAMES_MAX], *block = memory_allocate(size + 1);
    int count = 0;
    memcpy(block, bytes, size);
    block[size] = '\0';
    for (char *at = block; at < block + size && count < NAMES_MAX; at += strlen(at) + 1) {
        if (*at == '\0') continue;
        if (strlen(at) > NAME_MAX_BYTES) at[NAME_MAX_BYTES] = '\0';
        names[count++] = at;
    }
    for (int i = 0; i < count; i++) check_name(names[i]);
    if (count > 0) check_json(names, count);
    if (count > 0) check_list(names, count);
    fuzz_accepted += count > 0;
    memcpy(block, bytes, size); /* as something escaped: refused, or no longer than before */
    const size_t undone = escape_undo(block, size);
    FUZZ_CHECK(undone == (size_t)-1 || undone <= size);
    memcpy(block, bytes, size);
    block[size] = '\0';
    read_list(block, size);
    memory_free(block);
    return 0;
}
