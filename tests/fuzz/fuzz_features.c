/* Any bytes as a file of features: refused with a sentence, or a table whose rows all have a name, a class and finite
 * values. Then the same bytes as names: as the lines of a list, and as an array of NumPy. */
#include <math.h>
#include <string.h>

#include "fuzz.h"
#include "run/table/feature_table.h"
#include "run/table/texts.h"

long fuzz_accepted;

static void read_table(const uint8_t *bytes, size_t count)
{
    struct feature_table table;
    struct error error = {0};
    const int status = feature_table_parse(&table, bytes, count, "fuzz", &error);
    if (status != SIMCLR_OK) {
        FUZZ_CHECK(status < 0 && error.text[0] != '\0' && !table.values && table.catalog.count == 0);
        return;
    }
    fuzz_accepted++;
    FUZZ_CHECK(table.catalog.count >= 1 && table.dim >= 1);
    for (int64_t i = 0; i < table.catalog.count; i++) {
        FUZZ_CHECK(catalog_name(&table.catalog, i)[0] != '\0');
        FUZZ_CHECK(table.catalog.label[i] >= -1 && table.catalog.label[i] < table.catalog.classes);
        FUZZ_CHECK(table.labelled || table.catalog.label[i] == -1);
        for (int d = 0; d < table.dim; d++) FUZZ_CHECK(isfinite(table.values[i * table.dim + d]));
    }
    feature_table_free(&table);
}

/* As many as are counted can be read, or one is refused; none holds a NUL. */
static void read_texts(struct texts texts)
{
    struct error error = {0};
    struct text text = {0};
    if (texts_open(&texts, "fuzz", &error) != SIMCLR_OK) {
        FUZZ_CHECK(texts.form == TEXTS_ITEMS && error.text[0] != '\0');
        return;
    }
    int64_t count = texts_count(&texts);
    FUZZ_CHECK(count >= 0);
    if (count > 4096) count = 4096; /* items without width may be any number */
    for (int64_t i = 0; i < count; i++) {
        if (texts_next(&texts, &text, i, "fuzz", &error) != SIMCLR_OK) {
            FUZZ_CHECK(error.text[0] != '\0');
            break;
        }
        FUZZ_CHECK(strlen(text.bytes) == text.length);
        fuzz_accepted++;
    }
    text_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    struct npy_array array;
    struct error error = {0};
    read_table(bytes, count);
    read_texts((struct texts){.form = TEXTS_LINES, .bytes = bytes, .count = count});
    read_texts((struct texts){.form = TEXTS_ENDED, .bytes = bytes, .count = count});
    if (npy_parse(&array, bytes, count, count, "fuzz", &error) == SIMCLR_OK) {
        FUZZ_CHECK(array.offset <= count && array.bytes == count - array.offset);
        read_texts((struct texts){
            .form = TEXTS_ITEMS, .bytes = bytes + array.offset, .count = (size_t)array.bytes, .array = array});
    } else {
        FUZZ_CHECK(error.text[0] != '\0');
    }
    return 0;
}
