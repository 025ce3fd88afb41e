/* Any bytes as the file of `evaluate --label-sets`: refused with a sentence, or a member, none or unknown for every
 * class of every image. */
#include <string.h>

#include "base/memory.h"
#include "eval/average_precision.h"
#include "evaluate/label_sets.h"
#include "fuzz.h"

long fuzz_accepted;

static const char *const names[] = {"a.png", "b.png", "folder/c d.png", "e\tf.png", "g\xff.png"};
enum { ROWS = sizeof names / sizeof *names };

static void check_part(const struct label_sets *sets, int p)
{
    const struct label_sets_part *part = &sets->part[p];
    int64_t named = 0;
    for (int i = 0; i < ROWS; i++) {
        named += part->named[i];
        for (int c = 0; c < sets->classes; c++) {
            const uint8_t member = part->member[i * sets->classes + c];
            FUZZ_CHECK(member == MEMBER_NO || member == MEMBER_YES || member == MEMBER_UNKNOWN);
            FUZZ_CHECK(part->named[i] || member == MEMBER_UNKNOWN);
        }
    }
    FUZZ_CHECK(named == part->count && named > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    struct session session = {0};
    struct evaluation evaluation = {.session = &session};
    struct label_sets sets;
    struct error error = {0};
    char *text = memory_allocate(count + 1);
    memcpy(text, bytes, count);
    text[count] = '\0';
    for (int p = 0; p < PART_COUNT; p++) {
        evaluation.tables[p].named = true;
        evaluation.tables[p].values = memory_array(ROWS, sizeof(float));
        for (int i = 0; i < ROWS; i++)
            FUZZ_CHECK(catalog_add(&evaluation.tables[p].catalog, names[i], -1, &error) == SIMCLR_OK);
    }
    if (label_sets_parse(&sets, &evaluation, "fuzz", text, count, &error) == SIMCLR_OK) {
        FUZZ_CHECK(sets.classes > 0);
        for (int p = 0; p < PART_COUNT; p++) check_part(&sets, p);
        fuzz_accepted++;
    } else {
        FUZZ_CHECK(error.text[0] != '\0' && sets.part[0].member == NULL && sets.classes == 0);
    }
    label_sets_free(&sets);
    evaluation_close(&evaluation);
    memory_free(text);
    return 0;
}
