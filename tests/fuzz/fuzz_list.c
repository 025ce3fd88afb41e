/* Any bytes as a list of images: refused with a sentence, or names without line ends and labels among the classes; read
 * in small pieces it is the same list. The same bytes as a file of labels. */
#include <stdbool.h>
#include <string.h>

#include "base/lines.h"
#include "base/memory.h"
#include "data/names/annotations.h"
#include "data/sets/list.h"
#include "fuzz.h"

long fuzz_accepted;

enum { LINE_MAX_SMALL = 24 };

/* Speed: a label of 999999 is fine, and makes a million classes. Numbers of three to seven digits are broken up, and
 * longer ones that begin with zeros; others are refused, as they should be. */
static void break_long_numbers(uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count;) {
        size_t digits = 0;
        while (i + digits < count && bytes[i + digits] >= '0' && bytes[i + digits] <= '9') digits++;
        const bool costly = digits >= 3 && (digits <= 7 || bytes[i] == '0');
        for (size_t k = 2; costly && k < digits; k += 3) bytes[i + k] = '-';
        i += digits > 0 ? digits : 1;
    }
}

/* The columns that are tried: by the number of bytes. */
static struct list_columns columns_of(size_t count)
{
    static const char separators[] = "\t,; ";
    struct list_columns columns = {.separator = separators[count / 4 % 4], .path = (int)(count % 2), .label = 1};
    columns.label = count % 8 == 7 ? -1 : 1 - columns.path;
    columns.heading = count % 3 == 0;
    return count % 4 ? columns : list_columns_plain;
}

static int parse(const struct blob *blob, struct catalog *catalog, size_t piece, size_t max_line)
{
    const struct list_columns columns = columns_of((size_t)blob->size);
    struct error error = {0};
    *catalog = (struct catalog){.prefix = memory_string("folder/")};
    const bool escaped = lines_mark_length((const char *)blob->memory, (size_t)blob->size) > 0;
    const int status = list_parse_in_pieces(blob, &columns, "fuzz", catalog, piece, max_line, &error);
    FUZZ_CHECK(status == SIMCLR_OK || error.text[0] != '\0');
    for (int64_t i = 0; status == SIMCLR_OK && i < catalog->count; i++) {
        const char *name = catalog_name(catalog, i);
        FUZZ_CHECK(name[0] != '\0' && (escaped || strchr(name, '\n') == NULL));
        FUZZ_CHECK(!columns.plain || escaped || strchr(name, '\t') == NULL);
        FUZZ_CHECK(catalog->label[i] >= -1 && catalog->label[i] < catalog->classes);
    }
    return status;
}

static bool has_long_line(const uint8_t *bytes, size_t count)
{
    size_t length = 0;
    for (size_t i = 0; i < count && length < LINE_MAX_SMALL; i++) length = bytes[i] == '\n' ? 0 : length + 1;
    return length >= LINE_MAX_SMALL;
}

static void check_list(const uint8_t *bytes, size_t count)
{
    const struct blob blob = blob_of_memory(bytes, count);
    struct catalog whole, pieces;
    const int status = parse(&blob, &whole, 1 << 20, LIST_LINE_MAX);
    const int again = parse(&blob, &pieces, LINE_MAX_SMALL + 1 + count % 7, LINE_MAX_SMALL);
    fuzz_accepted += status == SIMCLR_OK;
    if (!has_long_line(bytes, count)) {
        FUZZ_CHECK(again == status && (status != SIMCLR_OK || whole.count == pieces.count));
        for (int64_t i = 0; status == SIMCLR_OK && i < whole.count; i++)
            FUZZ_CHECK(whole.label[i] == pieces.label[i] &&
                       strcmp(catalog_name(&whole, i), catalog_name(&pieces, i)) == 0);
    }
    catalog_free(&whole);
    catalog_free(&pieces);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    struct annotations annotations = {0};
    struct error error = {0};
    char *text = memory_allocate(count + 1);
    memcpy(text, bytes, count);
    break_long_numbers((uint8_t *)text, count);
    check_list((const uint8_t *)text, count);
    text[count] = '\0';
    if (annotations_parse(&annotations, text, "fuzz", &error) == SIMCLR_OK) {
        const struct catalog *images = &annotations.images.names;
        for (int64_t i = 0; i < images->count; i++) {
            const int32_t id = annotations_find(&annotations, catalog_name(images, i));
            FUZZ_CHECK(id >= -1 && id < annotations.texts.names.count);
        }
    } else {
        FUZZ_CHECK(error.text[0] != '\0');
    }
    annotations_free(&annotations);
    memory_free(text);
    return 0;
}
