/* Names that mean parts, in every case of letters and locale, and the decision that follows from them. */
#include "support/run.h"

#include <locale.h>
#include <string.h>

#include "data/names/parts.h"

static void words(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum part_word folder, file;
    } names[] = {
        {"train", PART_TRAIN, PART_TRAIN},
        {"TRAINING", PART_TRAIN, PART_TRAIN},
        {"tRaInInG", PART_TRAIN, PART_TRAIN}, /* a Turkish I has no dot, whatever tolower says */
        {"val", PART_VALIDATION, PART_VALIDATION},
        {"Valid", PART_VALIDATION, PART_VALIDATION},
        {"VALIDATION", PART_VALIDATION, PART_VALIDATION},
        {"Test", PART_TEST, PART_TEST},
        {"TESTING", PART_TEST, PART_TEST},
        {"", PART_NONE, PART_NONE},
        {"t", PART_NONE, PART_NONE},
        {"tests", PART_NONE, PART_TEST},
        {"trainer", PART_NONE, PART_TRAIN},
        {"train ", PART_NONE, PART_TRAIN},
        {"a-train", PART_NONE, PART_TRAIN},
        {"imagenet1k-validation-07.tar", PART_NONE, PART_VALIDATION},
        {"cifar_TEST_000.tar", PART_NONE, PART_TEST},
        {"constrained.tar", PART_NONE, PART_NONE},
        {"contest-1.tar", PART_NONE, PART_NONE},
        {"shard-000.tar", PART_NONE, PART_NONE},
    };
    static const char *const locales[] = {"C", "tr_TR.UTF-8", "de_DE.UTF-8"};
    for (size_t k = 0; k < sizeof locales / sizeof *locales; k++) {
        if (!setlocale(LC_ALL, locales[k])) {
            skip_part("there is no locale %s", locales[k]);
            continue;
        }
        for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
            assert_int_equal(part_word_of(names[i].name, strlen(names[i].name)), names[i].folder);
            assert_int_equal(part_word_of_file(names[i].name), names[i].file);
        }
    }
    setlocale(LC_ALL, "C");
    assert_int_equal(part_word_of("training", 5), PART_TRAIN); /* of that many bytes */
}

/* Folders as words: `train+` has folders, `val*` a file of labels; `others`, `others+`. Written as TRAIN TEST, or "-".
 */
static void decisions(void **state)
{
    (void)state;
    static const struct {
        const char *folders[5], *train, *test;
    } sets[] = {
        {{"train"}, "train", "-"},
        {{"train+", "others"}, "train", "-"},
        {{"train", "others"}, "-", "-"},
        {{"train+", "others+"}, "-", "-"},
        {{"train", "val", "others+"}, "train", "val"},
        {{"val", "test"}, "-", "-"},
        {{"train+", "val+", "test+"}, "train", "test"},
        {{"train+", "val+", "test"}, "train", "val"},
        {{"train+", "val*", "test+"}, "train", "val"},
        {{"train+", "val*", "test*"}, "train", "test"},
        {{"train+", "val", "test"}, "train", "test"},
        {{"Train", "train", "TEST", "testing"}, "train", "TEST"},
        {{"training+", "Valid+"}, "training", "Valid"},
    };
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++)
        for (int turned = 0; turned < 2; turned++) { /* in either order */
            struct parts parts = {.folders = 0};
            int count = 0;
            while (count < 5 && sets[i].folders[count]) count++;
            for (int k = 0; k < count; k++) {
                const char *word = sets[i].folders[turned ? count - 1 - k : k];
                const size_t length = strcspn(word, "+*");
                struct part_folder *folder = parts_add(&parts, word, length);
                if (folder) {
                    folder->nested = word[length] == '+';
                    folder->labelled = word[length] == '*';
                } else {
                    parts.others = true;
                    parts.others_nested |= word[length] == '+';
                }
            }
            parts_decide(&parts);
            assert_string_equal(parts.train < 0 ? "-" : parts.folder[parts.train].name, sets[i].train);
            assert_string_equal(parts.test < 0 ? "-" : parts.folder[parts.test].name, sets[i].test);
        }
}

static void many_spellings(void **state)
{
    (void)state;
    struct parts parts = {.folders = 0};
    char name[] = "validation";
    int taken = 0;
    for (int i = 0; i < 100; i++) {
        for (int bit = 0; bit < 10; bit++) name[bit] = (char)(i >> bit & 1 ? name[bit] & ~32 : name[bit] | 32);
        taken += parts_add(&parts, name, 10) != NULL;
    }
    assert_int_equal(taken, PARTS_MAX);
    assert_ptr_equal(parts_add(&parts, "validation", 10), &parts.folder[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words),
        cmocka_unit_test(decisions),
        cmocka_unit_test(many_spellings),
    };
    return run_cases(tests, NULL, NULL);
}
